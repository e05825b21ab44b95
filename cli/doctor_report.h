/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `sluice doctor` has found, one entry a check: how it stands, what was seen, what to do. */
#pragma once

#include "base/base.h"

#define REPORT_MAX     64 /* some twenty checks, and those that are made for each upstream and address */
#define CHECK_SEEN_MAX 640
#define CHECK_FIX_MAX  768
#define PLACE_NAME_MAX 128 /* a table or chain; the kernel allows 255, what is longer is cut in the report only */
#define PLACE_RULE_MAX 256

enum check_level { CHECK_OK = 0, CHECK_WARN, CHECK_FAIL, CHECK_SKIP, CHECK_LEVEL_MAX };

/* Where a packet ended in a firewall. */
struct place {
	uint8_t family; /* NFPROTO_* of the table; 0: nowhere */
	bool legacy;	/* iptables' own tables, not those of nf_tables */
	bool by_policy; /* the chain's policy, no rule */
	uint64_t handle;
	char table[PLACE_NAME_MAX], chain[PLACE_NAME_MAX];
	char rule[PLACE_RULE_MAX]; /* its text; empty: not known */
};

struct check {
	const char *id; /* stable: "forwarding4" */
	enum check_level level;
	char seen[CHECK_SEEN_MAX];
	char fix[CHECK_FIX_MAX]; /* commands or a sentence, lines; empty: nothing to do */
	struct place place;
};

struct report {
	struct check items[REPORT_MAX];
	uint32_t n;
};

/* The new entry, borrowed; the last one again when the report is full. @id: kept. */
struct check *report_add(struct report *r, const char *id, enum check_level level, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* Another line of what to do. Returns @c. */
struct check *check_fix(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool report_fails(const struct report *r);
void report_print(const struct report *r, FILE *out);
/* One object a line. -ENOMEM. */
int report_print_json(const struct report *r, FILE *out);

/* "table ip filter, chain FORWARD, rule handle 7: iifname ..." to @buf; returns it. */
const char *place_print(const struct place *p, char *buf, size_t room);
/* "ip", "ip6", "inet", "bridge", "netdev", "arp". */
const char *family_name(uint8_t family);
