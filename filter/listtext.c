/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words of lists as addresses and names, and the rules of a line. Called by the parsers of all formats for each word:
 * a list of a million names passes here, so names are read by hand. */
#include "filter/listtext.h"

bool text_address(struct text t, struct ip_addr *ret, bool *ret_scoped)
{
	char buf[IP_TEXT_MAX];
	const char *scope = t.len > 0 ? memchr(t.s, '%', t.len) : NULL;
	size_t len = scope != NULL ? (size_t)(scope - t.s) : t.len;

	/* Almost every word of a list is a name: tell them apart before the real parser runs. */
	if (len == 0 || len >= sizeof(buf) || (memchr(t.s, ':', len) == NULL && !(t.s[0] >= '0' && t.s[0] <= '9')))
		return false;
	memcpy(buf, t.s, len);
	buf[len] = '\0';
	if (ret_scoped != NULL)
		*ret_scoped = scope != NULL;
	return ip_addr_parse(buf, ret) == 0;
}

const char *text_name(struct text t, struct dname *ret)
{
	struct dname n = { 0 };
	size_t label = 0, at = 1; /* where the label's length goes; next byte */
	bool digits = true;

	if (t.len > 0 && t.s[t.len - 1] == '.')
		t.len--;
	if (t.len == 0)
		return "empty name";
	if (t.len > DNAME_MAX - 2) /* a length byte in front and the root label behind */
		return "name longer than 255 bytes";
	for (size_t i = 0; i <= t.len; i++) {
		char c = '.';

		if (i < t.len)
			c = t.s[i];
		if (c == '.') {
			if (at - label == 1)
				return "empty label";
			if (at - label - 1 > DNAME_LABEL_MAX)
				return "label longer than 63 bytes";
			n.wire[label] = (uint8_t)(at - label - 1);
			n.labels++;
			label = at++;
			if (i < t.len)
				digits = true;
			continue;
		}
		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if ((unsigned char)c >= 0x80)
			return "name that is not ASCII (only its xn-- form is read)";
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return "character that is in no host name";
		digits = digits && c >= '0' && c <= '9';
		n.wire[at++] = (uint8_t)c;
	}
	n.wire[label] = 0;
	n.len = (uint8_t)at;
	if (digits)
		return LIST_WHY_ADDRESS;
	*ret = n;
	return NULL;
}

void list_line_done(struct list_line *l, enum list_outcome outcome, const char *why)
{
	l->outcome = outcome;
	l->why = why;
	l->n_rules = 0;
	l->terms.len = 0;
	l->terms.full = false;
}

struct list_rule *list_line_rule(struct list_line *l)
{
	struct list_rule *r;

	if (l->n_rules == LIST_NAMES_PER_LINE_MAX) {
		list_line_done(l, LIST_REFUSED, "more than 64 names on one line");
		return NULL;
	}
	r = &l->rules[l->n_rules++];
	r->kind = LIST_NAME;
	r->action = LIST_BLOCK;
	r->important = r->badfilter = false;
	r->modifiers = 0;
	r->terms = NULL;
	r->terms_len = 0;
	l->outcome = LIST_APPLIED;
	l->why = NULL;
	return r;
}

bool list_line_name(struct list_line *l, struct text name, enum list_kind kind, enum list_action action)
{
	struct list_rule *r = list_line_rule(l);
	const char *why;

	if (r == NULL)
		return false;
	why = text_name(name, &r->name);
	if (why != NULL) {
		list_line_done(l, strcmp(why, LIST_WHY_ADDRESS) == 0 ? LIST_SKIPPED : LIST_REFUSED, why);
		return false;
	}
	r->kind = kind;
	r->action = action;
	return true;
}

bool list_line_every_name(struct list_line *l, enum list_action action)
{
	struct list_rule *r = list_line_rule(l);

	if (r == NULL)
		return false;
	r->kind = LIST_PATTERN;
	r->action = action;
	list_terms_put_tagged(&l->terms, TERM_PATTERN, 0, "*", 1);
	return true;
}

void list_line_seal(struct list_line *l, struct text text)
{
	if (l->n_rules == 0 || l->terms.len == 0)
		return;
	list_terms_put(&l->terms, TERM_TEXT, false, text.s, text.len < LIST_TEXT_MAX ? text.len : LIST_TEXT_MAX);
	if (l->terms.full)
		return list_line_done(l, LIST_REFUSED, "more conditions and answers than fit in one rule");
	for (uint32_t i = 0; i < l->n_rules; i++) {
		l->rules[i].terms = l->terms.bytes;
		l->rules[i].terms_len = l->terms.len;
	}
}
