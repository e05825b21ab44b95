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

/* What one line says about those behind it. All zero at the beginning of a list. */
struct list_parser {
	bool trusted; /* the list may redirect: addresses of hosts lines, $dnsrewrite, RPZ's data. Else it only blocks
		       */
};

/* @line without its end-of-line; a UTF-8 BOM on the first line is the caller's to strip. What @ret points to lives
 * until the next line. */
void list_parse_line(struct list_parser *p, const char *line, size_t len, struct list_line *ret);
