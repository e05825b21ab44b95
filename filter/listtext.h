/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pieces of a list's line, and the rules that are made of them: what the parsers of all formats share. Nothing is
 * copied: a text is a part of the line. */
#pragma once

#include "filter/listparse.h"

struct text {
	const char *s;
	size_t len;
};

static inline bool text_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static inline struct text text_skip(struct text t, size_t n)
{
	return (struct text){ t.s + n, t.len - n };
}

static inline struct text text_trim(struct text t)
{
	while (t.len > 0 && text_is_blank(t.s[0]))
		t = text_skip(t, 1);
	while (t.len > 0 && text_is_blank(t.s[t.len - 1]))
		t.len--;
	return t;
}

static inline bool text_starts(struct text t, const char *with)
{
	size_t n = strlen(with);

	return t.len >= n && memcmp(t.s, with, n) == 0;
}

static inline bool text_has(struct text t, char c)
{
	return t.len > 0 && memchr(t.s, c, t.len) != NULL;
}

static inline bool text_is(struct text t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.s, word, t.len) == 0;
}

static inline bool text_is_nocase(struct text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.s, word, t.len) == 0;
}

/* Drop @end from the text's end if it is there. */
static inline bool text_chop(struct text *t, const char *end)
{
	size_t n = strlen(end);

	if (t->len < n || memcmp(t->s + t->len - n, end, n) != 0)
		return false;
	t->len -= n;
	return true;
}

/* The next blank-separated word; empty at the end. */
static inline struct text text_word_take(struct text *t)
{
	struct text w;

	*t = text_trim(*t);
	w = (struct text){ t->s, 0 };
	while (w.len < t->len && !text_is_blank(t->s[w.len]))
		w.len++;
	*t = text_skip(*t, w.len);
	return w;
}

/* The whole text is an IPv4 or IPv6 address; *ret_scoped (may be NULL): with a scope id, "fe80::1%lo0". */
bool text_address(struct text t, struct ip_addr *ret, bool *ret_scoped);

/* Why a word is no name but (part of) an address: its last label is all of digits. The one reason to skip a line. */
#define LIST_WHY_ADDRESS   "address rule"
#define LIST_WHY_UNTRUSTED "redirects, and the list is not trusted"

/* Why @t is no host name of ours, or NULL with the name in @ret. Letters, digits, hyphens and underscores make a name:
 * lists have underscores, RFC 1123 does not. A dot at the end may be there. */
const char *text_name(struct text t, struct dname *ret);

/* The line is over: nothing of it is applied. */
void list_line_done(struct list_line *l, enum list_outcome outcome, const char *why);
/* The next rule, to be filled in: kind NAME, action BLOCK, nothing else. NULL: there are too many, and the line is
 * refused. */
struct list_rule *list_line_rule(struct list_line *l);
/* The next rule, about a name. False when it is none, or there are too many: the line is skipped or refused. */
bool list_line_name(struct list_line *l, struct text name, enum list_kind kind, enum list_action action);
/* The next rule, about every name that there is; its terms are those of @l, and begin with the pattern. */
bool list_line_every_name(struct list_line *l, enum list_action action);
/* All rules are made: give them the terms that were written to @l, with @text behind them if there are any. */
void list_line_seal(struct list_line *l, struct text text);
