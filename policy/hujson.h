/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HuJSON (JSON, comments, trailing commas) to a tree in which every node knows its place in the text. cJSON knows no
 * comments and no places, which is why this is our own. */
#pragma once

#include "policy/diagnostic.h"

enum hj_kind { HJ_NULL = 0, HJ_BOOL, HJ_NUMBER, HJ_STRING, HJ_ARRAY, HJ_OBJECT };

#define HUJSON_DEPTH_MAX 64 /* a policy nests six deep; recursion is bounded by this */

struct hj_node {
	enum hj_kind kind;
	struct span span;
	const char *key; /* of a member of an object, unescaped; else NULL */
	struct span key_span;
	bool boolean;
	double number;
	const char *string;	      /* unescaped, UTF-8, NUL-terminated; U+0000 is refused */
	struct hj_node *child, *next; /* members or elements in order */
	uint32_t n_children;
};

/* In @mem; NULL after at least one error was added to @diags. Duplicate members are errors (names compared without
 * regard to case, as Tailscale's reader does). */
struct hj_node *hujson_parse(struct arena *mem, const struct source *src, struct diag_list *diags);
/* Borrowed; NULL when there is none. Name without regard to ASCII case. */
const struct hj_node *hj_get(const struct hj_node *object, const char *name);
/* The same values in the same order: places, spelling of escapes and comments aside. NULL is nothing's like. */
bool hj_same(const struct hj_node *a, const struct hj_node *b);
/* "a string", "an object": for messages. */
const char *hj_kind_word(enum hj_kind kind);
