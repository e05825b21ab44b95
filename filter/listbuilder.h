/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The builder's inside: what listbuild.c gathers and listwrite.c writes. */
#pragma once

#include "filter/listbuild.h"
#include "filter/listformat.h"

#define BUILD_BUFFER_BYTES 65536u

/* What one list says of one name or address. */
struct build_row {
	uint64_t hash;
	uint32_t line; /* of BUILD_CHAIN: where its record is, in eighths */
	uint8_t what;  /* kind << 1 | action, or BUILD_CHAIN */
	uint8_t list;
	uint16_t set; /* of listwrite.c */
};

#define BUILD_CHAIN 0xffu

struct build_rows {
	struct build_row *items;
	size_t n, cap;
};

struct build_records {
	uint8_t *bytes;
	size_t len, cap;
};

/* A $badfilter, waiting for what it takes away. */
struct build_bad {
	uint64_t same; /* build_same() of its rule */
	uint64_t hash; /* and where that would be a row */
	uint8_t what;
	uint8_t list;
};

struct list_builder {
	uint8_t key[LISTFILE_KEY_BYTES];
	struct build_rows rows;
	struct build_records records;
	uint32_t *patterns; /* records without a name: where they are, in eighths */
	uint32_t n_patterns, cap_patterns;
	uint32_t n_regexes, n_always;
	size_t regex_bytes; /* of expressions, compiled */
	struct build_bad *bads;
	uint32_t n_bads, cap_bads;
	bool written;
	uint64_t depths, addr_lens[2][3];
	struct gram_counts grams;
	uint32_t n_lists;
	char *names[LISTS_MAX];
	uint64_t trusted; /* lists */
	list_line_fn watch;
	void *watch_arg;
	struct list_parser parser;
	char why[160]; /* a rule was refused */
	struct list_line line;
	char buf[BUILD_BUFFER_BYTES];
};

/* Equal for rules that say the same but for $badfilter, and whose texts may differ. */
uint64_t build_same(const struct list_builder *b, uint64_t hash, enum list_kind kind, enum list_action action,
		    bool important, const uint8_t *terms, size_t len);
/* Append; what it says is in @r but for its terms and .len. *ret_at: where, in eighths. */
int build_record_add(struct build_records *records, const struct listfile_record *r, const uint8_t *terms,
		     uint32_t *ret_at, struct err *e);
/* By hash, what, list, line. */
void build_sort(struct build_row *rows, size_t n);
/* Take away what the $badfilters are about, then sort. */
int build_finish(struct list_builder *b, struct err *e);
