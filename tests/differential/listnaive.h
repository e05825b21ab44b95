/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lists say, found the slow way: every rule is looked at, and the precedence that filter/listfile.h writes down is
 * a comparison of two rules. Written for tests, from the headers; shares no code with the builder and the matcher. */
#pragma once

#include "filter/listfile.h"

struct naive_rule {
	enum list_kind kind;
	enum list_action action;
	bool important, badfilter, plain;
	uint8_t modifiers;
	uint32_t list, line;
	uint64_t bad; /* lists that take it away from views which have both */
	struct ip_prefix prefix;
	const uint8_t *name; /* wire form */
	uint8_t name_len, labels;
	const uint8_t *terms;
	uint16_t terms_len;
	void *code;    /* of a regular expression */
	uint32_t next; /* of the same name; with naive_index() */
	size_t bytes_at;
};

struct naive;

struct naive_answer {
	const struct naive_rule *hit; /* NULL: none */
	uint32_t n_rewrites;
	const struct naive_rule *rewrites[LIST_REWRITES_MAX];
};

struct naive *naive_new(void);
struct naive *naive_free(struct naive *n);
/* A rule as list_parse_line() gives it; copied. False: its expression is none, so it is not added. Aborts when out of
 * memory. */
bool naive_add(struct naive *n, uint32_t list, uint32_t line, const struct list_rule *rule);
/* After the last rule. @by_name: rules with names are found by a map of theirs, so that a million of them can be asked
 * a million times; else each is looked at. */
void naive_finish(struct naive *n, bool by_name);
void naive_judge(const struct naive *n, uint64_t mask, const struct list_ask *ask, struct naive_answer *ret);
/* Lists with a rule at the name or address, whatever its conditions. */
uint64_t naive_touch(const struct naive *n, const struct list_ask *ask);

uint32_t naive_rules(const struct naive *n);
const struct naive_rule *naive_rule(const struct naive *n, uint32_t i);
