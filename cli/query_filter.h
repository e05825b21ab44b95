/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which recorded questions: options of `sluice queries` and `sluice top`, and the journal read by them. */
#pragma once

#include "cli/journal.h"

#include <getopt.h>

struct query_filter {
	const char *config, *journal, *device, *name, *list, *type, *key;
	uint64_t since_us, until_us;
	bool blocked, json, follow;
};

/* For getopt_long(); what comes back goes to query_filter_option(). */
#define QUERY_FILTER_LONGS                                                                                             \
	{ "config", required_argument, NULL, 'c' }, { "journal", required_argument, NULL, 'j' },                       \
		{ "device", required_argument, NULL, 'd' }, { "name", required_argument, NULL, 'n' },                  \
		{ "list", required_argument, NULL, 'l' }, { "type", required_argument, NULL, 't' },                    \
		{ "key", required_argument, NULL, 'k' }, { "since", required_argument, NULL, 's' },                    \
		{ "until", required_argument, NULL, 'u' }, { "blocked", no_argument, NULL, 'b' },                      \
		{ "json", no_argument, NULL, 'J' },                                                                    \
	{                                                                                                              \
		"help", no_argument, NULL, 'h'                                                                         \
	}

#define QUERY_FILTER_HELP                                                                                              \
	"  --device D   of this device (name, or address)\n"                                                           \
	"  --name N     for this name or a name below it\n"                                                            \
	"  --list L     that this list decided (\"filter\", \"policy\": rules of those)\n"                             \
	"  --type T     of this type (A, AAAA, HTTPS, …)\n"                                                          \
	"  --blocked    that were blocked, or whose answer a rule has changed\n"                                       \
	"  --since T    at T or later: 30m, 12h, 7d, seconds since 1970, or 2026-11-21T10:00:00Z\n"                    \
	"  --until T    before T\n"                                                                                    \
	"  --key FILE   private key (hex or base64) that a sealed journal is sealed to\n"                              \
	"Journal: --journal DIR, else that of the gateway's settings (--config FILE, $SLUICE_CONFIG), "                \
	"else\n" JOURNAL_DIR_DEFAULT "\n"

/* False: @opt is none of these, or @arg is no time. */
bool query_filter_option(struct query_filter *f, int opt, const char *arg);

/* A question that the filter lets through, or a gap within its time. */
typedef void query_row_fn(void *arg, const struct row *row);
/* All of them in the order of the journal. @f->follow: for ever. 0; negative: something is missing, which @e says. */
int query_filter_each(const struct query_filter *f, query_row_fn *fn, void *arg, struct err *e);

/* It was blocked, or a rule has changed its answer. */
bool query_was_blocked(const struct query_record *q);
/* List, or where else the rule is: "policy", "filter", …; the empty text when nothing decided. */
struct flow_text query_where(const struct query_record *q);
const char *query_type_print(uint16_t type, char *buf, size_t size); /* "A", "TYPE65280"; "-" of a count */
