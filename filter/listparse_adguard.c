/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Patterns of AdGuard's network rules. Called by listparse.c for what begins like one, and for whatever is no bare
 * name. Source: AdGuard's "DNS filtering rules syntax".
 *
 *   ||a.example^                the name and what is below it; "|" at the end is the same as "^", and "/" "*" is
 *   |a.example^                 this name alone
 *   *.a.example^  .a.example^   what is below it; "*.a.example" with "@@" or modifiers, too (AdGuard also blocks what
 *                               goes on behind the name: nobody means that)
 *   192.0.2.1  ||192.0.2.1^     an answer's address; also a network, 192.0.2.0/24
 *   /ads[0-9]+/                 a regular expression: begins and ends with a slash, whatever is between
 *   ||ads*.example^  ads.       everything else: a pattern, matched on the name as text
 *
 * What cannot be in a host name (a path, a scheme, "^" in the middle) is skipped: such a pattern is about URLs. */
#include "filter/listparse_adguard.h"

#define PATTERN_SHORTEST 3u /* AdGuard's limit: shorter ones are about nearly everything */

#define WHY_NOT_ASCII "name that is not ASCII (only its xn-- form is read)"

/* A pattern taken apart. */
struct pattern {
	struct text text; /* without its anchors */
	uint8_t anchors;
	bool star; /* there is one in the text */
};

/* Position of the last unescaped '$', or the length. */
static size_t modifiers_at(struct text t)
{
	for (size_t i = t.len; i-- > 0;)
		if (t.s[i] == '$' && (i == 0 || t.s[i - 1] != '\\'))
			return i;
	return t.len;
}

/* It begins and ends with a slash. */
static bool is_regex(struct text t)
{
	return t.len > 1 && t.s[0] == '/' && t.s[t.len - 1] == '/';
}

bool list_is_adguard(struct text t)
{
	struct text first = text_word_take(&t);
	size_t at = modifiers_at(first);

	if (text_starts(first, "@@") || text_starts(first, "|") || is_regex(first))
		return true;
	if (at == 0 || at + 1 >= first.len)
		return false;
	return first.s[at + 1] == '~' || (first.s[at + 1] >= 'a' && first.s[at + 1] <= 'z');
}

/* " # …" behind a pattern. AdGuard has no such comments, lists do. Not behind modifiers, whose values may hold it. */
static struct text comment_cut(struct text t)
{
	for (size_t i = 1; i < t.len && t.s[i] != '$'; i++)
		if (t.s[i] == '#' && text_is_blank(t.s[i - 1]))
			return text_trim((struct text){ t.s, i });
	return t;
}

static bool skipped(struct list_line *l, const char *why)
{
	list_line_done(l, LIST_SKIPPED, why);
	return false;
}

static bool refused(struct list_line *l, const char *why)
{
	list_line_done(l, LIST_REFUSED, why);
	return false;
}

static bool only_of(struct text t, const char *chars)
{
	for (size_t i = 0; i < t.len; i++)
		if (strchr(chars, t.s[i]) == NULL)
			return false;
	return true;
}

static bool every_name(struct list_line *l)
{
	struct list_rule *r = list_line_rule(l);

	if (r == NULL)
		return false;
	r->kind = LIST_PATTERN;
	list_terms_put_tagged(&l->terms, TERM_PATTERN, 0, "", 0);
	return true;
}

/* What a name has none of. NULL: it may match one. */
static const char *chars_why(struct text t)
{
	bool colon = text_has(t, ':');

	for (size_t i = 0; i < t.len; i++) {
		char c = (char)dname_lower((uint8_t)t.s[i]);

		if ((unsigned char)c >= 0x80)
			return WHY_NOT_ASCII;
		if (c == '\\' || c == '(' || c == '[' || c == '{' || c == '+')
			return "regular expression without slashes";
		if (c == '^')
			return "separator (^) inside a pattern: no name has one";
		if (c == '/' || c == '?' || c == '=' || c == '&' || c == '%')
			return "path or URL rule";
		if (text_is_blank(c))
			return "blank inside a pattern";
		/* A port, but for the text of an IPv6 address. */
		if (colon && !(c >= 'a' && c <= 'f') && !(c >= '0' && c <= '9') && strchr(":.*", c) == NULL)
			return "path or URL rule";
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && strchr("-_.*:", c) == NULL)
			return "character that is in no host name";
	}
	return NULL;
}

/* Says the same in one way only, so that $badfilter finds it: no two stars in a row; none at an end of the text, where
 * it takes the anchor away. */
static const char *pattern_put(const struct pattern *p, struct list_line *l)
{
	char buf[LIST_LINE_MAX_BYTES];
	uint8_t anchors = p->anchors;
	struct list_rule *r;
	size_t n = 0, literal = 0;

	for (size_t i = 0; i < p->text.len; i++) {
		if (p->text.s[i] == '*' && n > 0 && buf[n - 1] == '*')
			continue;
		buf[n++] = (char)dname_lower((uint8_t)p->text.s[i]);
		literal += buf[n - 1] != '*';
		if (n > 1 && buf[n - 1] == '.' && buf[n - 2] == '.')
			return "empty label";
	}
	if (n > 0 && buf[0] == '*') {
		anchors &= (uint8_t) ~(LIST_ANCHOR_LABEL | LIST_ANCHOR_BEGIN);
		memmove(buf, buf + 1, --n);
	}
	if (n > 0 && buf[n - 1] == '*') {
		anchors &= (uint8_t)~LIST_ANCHOR_END;
		n--;
	}
	if (n == 0)
		anchors = 0; /* every name */
	if (literal > DNAME_MAX)
		return "name longer than 255 bytes";
	if ((n > 0 && buf[0] == '.' && (anchors & (LIST_ANCHOR_LABEL | LIST_ANCHOR_BEGIN)) != 0) ||
	    (n > 0 && buf[n - 1] == '.' && (anchors & LIST_ANCHOR_END) != 0))
		return "empty label";
	r = list_line_rule(l);
	r->kind = LIST_PATTERN;
	r->name.len = r->name.labels = 0;
	list_terms_put_tagged(&l->terms, TERM_PATTERN, anchors, buf, n);
	return NULL;
}

static bool regex_put(struct text t, struct list_line *l)
{
	struct list_rule *r;

	if (t.len == 2)
		return refused(l, "empty regular expression");
	r = list_line_rule(l);
	r->kind = LIST_REGEX;
	r->name.len = r->name.labels = 0;
	list_terms_put_tagged(&l->terms, TERM_REGEX, 0, t.s + 1, t.len - 2);
	return true;
}

/* An address or a network. "||192.0.2.1" without an end is a pattern: it is about 192.0.2.10, too. */
static bool address_of(const struct pattern *p, struct ip_prefix *ret)
{
	char buf[IP_TEXT_MAX];
	struct text t = p->text;

	if (t.len == 0 || t.len >= sizeof(buf) || p->star || (!text_has(t, ':') && !(t.s[0] >= '0' && t.s[0] <= '9')))
		return false;
	if ((p->anchors & LIST_ANCHOR_END) == 0 && p->anchors != 0 && !text_has(t, '/'))
		return false;
	memcpy(buf, t.s, t.len);
	buf[t.len] = '\0';
	*ret = (struct ip_prefix){ 0 };
	return ip_prefix_parse(buf, ret, NULL) == 0;
}

static bool address_put(const struct ip_prefix *prefix, const struct adguard_modifiers *m, struct list_line *l)
{
	struct list_rule *r;

	if (m->rewrite)
		return skipped(l, "$dnsrewrite of an address: rewrites are about names");
	if (m->denyallow)
		return skipped(l, "$denyallow never holds for addresses");
	r = list_line_rule(l);
	r->kind = LIST_ADDRESS;
	r->prefix = *prefix;
	r->name.len = r->name.labels = 0;
	return true;
}

/* Is it a name and what is above or below it, of which the compiled file has rows? *@ret is the name. */
static bool name_of(const struct pattern *p, struct text *ret, enum list_kind *ret_kind)
{
	bool end = (p->anchors & LIST_ANCHOR_END) != 0;
	uint8_t begin = p->anchors & (uint8_t)~LIST_ANCHOR_END;

	*ret = p->text;
	if (text_starts(p->text, "*.") && (end || begin == 0)) {
		*ret = text_skip(p->text, 2);
		*ret_kind = LIST_BELOW;
		return !text_has(*ret, '*');
	}
	if (p->star || !end)
		return false;
	if (begin != 0) {
		*ret_kind = (begin & LIST_ANCHOR_LABEL) != 0 ? LIST_SUBTREE : LIST_NAME;
		return true;
	}
	*ret = text_skip(p->text, 1);
	*ret_kind = LIST_BELOW;
	return text_starts(p->text, ".");
}

/* Whether what is left of a pattern without its anchors says anything. */
static bool wide(struct text raw, size_t len, const struct pattern *p, const struct adguard_modifiers *m,
		 struct list_line *l)
{
	if (m->limited)
		return p->text.len == 0 ? every_name(l) : true;
	if (len < PATTERN_SHORTEST || only_of(raw, "*|"))
		return refused(l, "pattern shorter than 3 characters, with nothing that limits it");
	return p->text.len != 0 ? true : refused(l, "empty name");
}

/* @t without "@@" and modifiers: the line's one rule, and its first term. False: the line is over. */
static bool pattern_read(struct text t, const struct adguard_modifiers *m, struct list_line *l)
{
	struct pattern p = { .text = t };
	struct ip_prefix prefix;
	enum list_kind kind;
	const char *why;
	struct text name;
	bool path;

	if (is_regex(t))
		return regex_put(t, l);
	path = text_chop(&p.text, "/*"); /* "example.org/" "*" is "example.org^" */
	if (text_starts(p.text, "||")) {
		p.anchors = LIST_ANCHOR_LABEL;
		p.text = text_skip(p.text, 2);
	} else if (text_starts(p.text, "|")) {
		p.anchors = LIST_ANCHOR_BEGIN;
		p.text = text_skip(p.text, 1);
	}
	if (text_chop(&p.text, "|") || path)
		p.anchors |= LIST_ANCHOR_END;
	if (text_chop(&p.text, "^"))
		p.anchors |= LIST_ANCHOR_END;
	p.star = text_has(p.text, '*');
	if (!wide(t, path ? t.len - 1 : t.len, &p, m, l))
		return false;
	if (p.text.len == 0)
		return true;
	if (address_of(&p, &prefix))
		return address_put(&prefix, m, l);
	why = chars_why(p.text);
	if (why != NULL)
		return strcmp(why, WHY_NOT_ASCII) == 0 ? refused(l, why) : skipped(l, why);
	if (name_of(&p, &name, &kind))
		return list_line_name(l, name, kind, LIST_BLOCK);
	why = pattern_put(&p, l);
	return why == NULL ? true : refused(l, why);
}

struct sorted_term {
	uint16_t at, len;
};

static int term_cmp(const void *a, const void *b, void *arg)
{
	const struct sorted_term *x = a, *y = b;
	const uint8_t *bytes = arg, *p = bytes + x->at, *q = bytes + y->at;
	int type = (int)(p[0] & ~TERM_NOT) - (int)(q[0] & ~TERM_NOT);
	int order = type != 0 ? type : memcmp(p, q, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (int)x->len - (int)y->len;
}

/* In one order, whatever that of the modifiers, and each once: so $badfilter finds the rule it means. */
static void terms_sort(struct list_terms *t)
{
	struct sorted_term items[LIST_TERMS_MAX / 3];
	uint8_t bytes[LIST_TERMS_MAX];
	struct list_term term;
	size_t n = 0, at = 0, len = 0, before = 0;

	while (list_terms_next(t->bytes, t->len, &at, &term)) {
		items[n++] = (struct sorted_term){ (uint16_t)before, (uint16_t)(at - before) };
		before = at;
	}
	if (n < 2)
		return;
	memcpy(bytes, t->bytes, t->len);
	qsort_r(items, n, sizeof(items[0]), term_cmp, bytes);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && term_cmp(&items[i - 1], &items[i], bytes) == 0)
			continue;
		memcpy(t->bytes + len, bytes + items[i].at, items[i].len);
		len += items[i].len;
	}
	t->len = (uint16_t)len;
}

/* The rule's action, its terms in order, and its text where it is more than a name. */
static void finish(struct text line, const struct adguard_modifiers *m, struct list_line *l)
{
	struct list_rule *r = &l->rules[l->n_rules - 1];

	if (m->rewrite)
		r->action = m->exception ? LIST_KEEP : LIST_REWRITE;
	else
		r->action = m->exception ? LIST_ALLOW : LIST_BLOCK;
	r->important = m->important;
	r->badfilter = m->badfilter;
	r->modifiers = m->n;
	if (l->terms.len == 0 && list_rule_plain(r))
		return;
	terms_sort(&l->terms);
	list_terms_put(&l->terms, TERM_TEXT, false, line.s, line.len < LIST_TEXT_MAX ? line.len : LIST_TEXT_MAX);
	if (l->terms.full)
		return list_line_done(l, LIST_REFUSED, "more conditions and answers than fit in one rule");
	r->terms = l->terms.bytes;
	r->terms_len = l->terms.len;
}

void list_parse_adguard(const struct list_parser *p, struct text t, struct list_line *l)
{
	struct adguard_modifiers m = { 0 };
	struct text line = comment_cut(t);
	size_t at;

	t = line;
	m.exception = text_starts(t, "@@");
	if (m.exception)
		t = text_skip(t, 2);
	if (t.len == 0)
		return list_line_done(l, LIST_REFUSED, "exception without a pattern");
	at = is_regex(t) ? t.len : modifiers_at(t);
	if (at < t.len && !adguard_modifiers_read(text_skip(t, at + 1), &m, l))
		return;
	if (m.redirects && !m.exception && !m.badfilter && !p->trusted)
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_UNTRUSTED);
	if (pattern_read((struct text){ t.s, at }, &m, l))
		finish(line, &m, l);
}
