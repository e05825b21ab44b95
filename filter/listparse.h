/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of a block list to rules (filter/listrule.h). Formats are told apart by content, line by line; what they are
 * is said in listparse.c. Pure; never fails on content: a line is applied, skipped (comment, cosmetic, browser-only,
 * preamble) or refused. */
#pragma once

#include "filter/listrule.h"

/* Names on one line of a hosts file that are read; real lists have nine. More are refused with the line. */
#define LIST_NAMES_PER_LINE_MAX 64
#define LIST_LINE_MAX_BYTES	4096 /* longer lines are refused: no rule of ours is as long */

/* .why of lines that are no rule and say nothing of a list's quality. */
#define LIST_WHY_BLANK	 "blank line"
#define LIST_WHY_COMMENT "comment"

enum list_outcome { LIST_APPLIED = 0, LIST_SKIPPED, LIST_REFUSED, LIST_OUTCOME_MAX };

struct list_line {
	enum list_outcome outcome;
	const char *why; /* static text for skipped and refused: "cosmetic rule", "label longer than 63 bytes" */
	uint32_t n_rules;
	struct list_rule rules[LIST_NAMES_PER_LINE_MAX];
	struct list_terms terms; /* of the rules that have some; they all have the same */
};

/* The name that a record of a zone file stands for. */
struct list_owner {
	struct dname name;
	bool wild;   /* "*." before it */
	bool rooted; /* .name is whole; else it is inside of a zone whose name nobody has said */
};

/* A zone file (RPZ) as far as it was read: listparse_zone.c. */
struct list_zone {
	bool active;	/* an SOA, $TTL or $ORIGIN was seen: all behind it is of the zone */
	bool begun;	/* the SOA was seen */
	bool named;	/* .apex is known */
	bool rooted;	/* .origin is a whole name */
	bool has_owner; /* .owner is the last record's */
	uint32_t ttl_s; /* $TTL; 0: none */
	uint32_t depth; /* parentheses that are open: the record goes on */
	struct dname origin, apex;
	struct list_owner owner;
	size_t joined_len;
	char joined[LIST_LINE_MAX_BYTES]; /* a record of several lines */
};

/* What one line says about those behind it. All zero at the beginning of a list. */
struct list_parser {
	bool trusted; /* the list may redirect: addresses of hosts lines, $dnsrewrite, RPZ's data. Else it only blocks
		       */
	struct dname redirected; /* unbound's zone of which local-data holds for all names; .len 0: none */
	struct list_zone zone;
};

/* @line without its end-of-line; a UTF-8 BOM on the first line is the caller's to strip. What @ret points to lives
 * until the next line. */
void list_parse_line(struct list_parser *p, const char *line, size_t len, struct list_line *ret);
