/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pi-hole's regular expressions, which have no slashes around them, and what may stand behind them:
 * ";querytype=A,AAAA", ";querytype=!A", ";invert", ";reply=NXDOMAIN". Called by listparse.c for each line of one word.
 *
 * Such a line is told from a name and from AdGuard's patterns by what neither has. It is Pi-hole's when it has one of
 * the options above; else it begins with none of "/", "|" and "@@", has no "/", and no "=" unless there is a "(?", and
 * - begins with "^" and does not end with it, or ends with "$", or
 * - has one of \ ( ) [ ] { } + ?, or has a "|" between its first and its last character.
 * "ads.*" has none of these: it is AdGuard's.
 *
 * Pi-hole reads POSIX' extended expressions (TRE), we read PCRE2's, which hold them but for back-references of TRE's
 * own and approximate matching ("{~1}"), which is refused. Source: docs.pi-hole.net/regex, FTL src/regex.c. */
#include "filter/listformats.h"
#include "filter/listrecord.h"

#include <ldns/ldns.h>

#define TYPE_NAME_MAX 16u

static bool has_any(struct text t, const char *chars)
{
	for (; *chars != '\0'; chars++)
		if (text_has(t, *chars))
			return true;
	return false;
}

/* Where @what begins in @t; -1: nowhere. */
static ssize_t find(struct text t, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= t.len; i++)
		if (memcmp(t.s + i, what, n) == 0)
			return (ssize_t)i;
	return -1;
}

/* Where the options begin, or the length. */
static size_t options_at(struct text t)
{
	static const char *const options[] = { ";querytype=", ";invert", ";reply=" };
	size_t first = t.len;

	if (!text_has(t, ';'))
		return first;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		ssize_t at = find(t, options[i]);

		if (at >= 0 && (size_t)at < first)
			first = (size_t)at;
	}
	return first;
}

static bool is_regex(struct text t)
{
	if (t.len < 2 || strchr("/|", t.s[0]) != NULL || text_starts(t, "@@") || text_has(t, '/') ||
	    (text_has(t, '=') && find(t, "(?") < 0))
		return false;
	if ((t.s[0] == '^' && t.s[t.len - 1] != '^') || t.s[t.len - 1] == '$')
		return true;
	return has_any(t, "\\()[]{}+?") || memchr(t.s + 1, '|', t.len - 2) != NULL;
}

/* "A,AAAA", "!A,AAAA". NULL, or why not. */
static const char *types_read(struct text t, struct list_terms *terms)
{
	bool denied = text_starts(t, "!");

	t = text_skip(t, denied ? 1 : 0);
	for (;;) {
		const char *comma = t.len > 0 ? memchr(t.s, ',', t.len) : NULL;
		size_t len = comma != NULL ? (size_t)(comma - t.s) : t.len;
		char name[TYPE_NAME_MAX];
		uint16_t type = 0;

		if (len != 0 && len < sizeof(name)) {
			memcpy(name, t.s, len);
			name[len] = '\0';
			type = (uint16_t)ldns_get_rr_type_by_name(name);
		}
		if (type == 0)
			return "querytype that is not known";
		list_terms_put(terms, TERM_TYPE, denied, &type, sizeof(type));
		if (comma == NULL)
			return NULL;
		t = text_skip(t, len + 1);
	}
}

static const char *reply_read(struct text t, enum list_action *ret_action, struct list_terms *terms)
{
	static const struct {
		const char *name;
		enum list_answer answer;
	} replies[] = {
		{ "NXDOMAIN", LIST_ANSWER_NXDOMAIN }, { "NODATA", LIST_ANSWER_NODATA },
		{ "REFUSED", LIST_ANSWER_REFUSED },   { "NONE", LIST_ANSWER_DROP },
		{ "IP", LIST_ANSWER_VIEW }, /* Pi-hole's own address, which the view knows better */
	};
	struct ip_addr addr;

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		uint8_t answer = (uint8_t)replies[i].answer;

		if (!text_is(t, replies[i].name))
			continue;
		if (answer != LIST_ANSWER_VIEW)
			list_terms_put(terms, TERM_ANSWER, false, &answer, 1);
		return NULL;
	}
	if (!text_address(t, &addr, NULL))
		return "reply that is not known";
	if (list_addr_blocks(&addr))
		return NULL;
	*ret_action = LIST_REWRITE;
	list_terms_put_addr(terms, &addr, 0);
	return NULL;
}

/* ";a=b;c". NULL, or why not. */
static const char *options_read(struct text t, struct list_rule *r, bool *ret_invert, struct list_terms *terms)
{
	while (t.len != 0) {
		const char *end = memchr(t.s + 1, ';', t.len - 1);
		struct text one = { t.s + 1, end != NULL ? (size_t)(end - t.s) - 1 : t.len - 1 };
		const char *why = NULL;

		if (text_is(one, "invert"))
			*ret_invert = true;
		else if (text_starts(one, "querytype="))
			why = types_read(text_skip(one, strlen("querytype=")), terms);
		else if (text_starts(one, "reply="))
			why = reply_read(text_skip(one, strlen("reply=")), &r->action, terms);
		else
			why = "option of a regular expression that is not known";
		if (why != NULL)
			return why;
		if (!text_starts(one, "reply="))
			r->modifiers++;
		t = text_skip(t, one.len + 1);
	}
	return NULL;
}

bool list_parse_pihole(const struct list_parser *p, struct text t, struct list_line *l)
{
	size_t at = options_at(t);
	struct text regex = { t.s, at };
	struct list_rule *r;
	bool invert = false;
	const char *why;

	if (at == t.len && !is_regex(t))
		return false;
	r = list_line_rule(l);
	if (r == NULL)
		return true;
	r->kind = LIST_REGEX;
	why = options_read(text_skip(t, at), r, &invert, &l->terms);
	if (why == NULL && regex.len == 0)
		why = "options without a regular expression";
	if (why == NULL && find(regex, "{~") >= 0)
		why = "approximate matching";
	if (why != NULL) {
		list_line_done(l, LIST_REFUSED, why);
		return true;
	}
	if (r->action == LIST_REWRITE && !p->trusted) {
		list_line_done(l, LIST_SKIPPED, LIST_WHY_UNTRUSTED);
		return true;
	}
	list_terms_put_tagged(&l->terms, TERM_REGEX, invert, regex.s, regex.len);
	list_line_seal(l, t);
	return true;
}
