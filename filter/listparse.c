/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of a block list to rules. Called by the list builder for each line; feeds the compiled file.
 *
 * Every line is told apart by its own content, so a file may mix formats. What is understood:
 *
 *   0.0.0.0 a.example b.example   hosts(5): listparse_hosts.c
 *   a.example CNAME .             zone files (RPZ), from their first line on to their end: listparse_zone.c
 *   address=/a.example/#          dnsmasq; local-zone: "a.example" static: unbound: listparse_resolver.c
 *   (^|\.)ads[0-9]+\.             Pi-hole's regular expressions: listparse_pihole.c
 *   a.example                     domain list: this name exactly
 *   *.a.example   .a.example      wildcard and suffix lists: the name itself and everything below it (as blocky and the
 *                                 publishers of such lists mean it; AdGuard would read a pattern without the name)
 *   192.0.2.1     192.0.2.0/24    answers with this address
 *   ||a.example^$important        AdGuard's network rules, exceptions among them: listparse_adguard.c
 *
 * The invariant: a rule is applied in full or not at all. A rule that we understand but do not offer (modifiers of
 * browsers, paths) is skipped with its reason; what we cannot read is refused with its reason. Sources: AdGuard's "DNS
 * filtering rules syntax", Pi-hole's gravity. */
#include "filter/listformats.h"
#include "filter/listparse_adguard.h"

/* name##selector and its relatives: '#', up to three of "@?$%", '#'; or $$ and $@$. Names stand before them, nothing
 * that begins a network rule; what is between quotes is a client's name. */
static bool is_cosmetic(struct text t)
{
	if (text_starts(t, "|") || text_starts(t, "@@"))
		return false;
	for (size_t i = 0; i + 1 < t.len; i++) {
		size_t n = i + 1;

		if (t.s[i] == '\'' || t.s[i] == '"')
			return false;
		if (t.s[i] == '$' && (t.s[n] == '$' || (t.s[n] == '@' && n + 1 < t.len && t.s[n + 1] == '$')))
			return true;
		if (t.s[i] != '#')
			continue;
		while (n < t.len && n <= i + 3 && strchr("@?$%", t.s[n]) != NULL && t.s[n] != '\0')
			n++;
		if (n < t.len && t.s[n] == '#')
			return true;
	}
	return false;
}

static bool is_pattern(struct text t)
{
	static const char special[] = "|^$*/\\()?=";

	if (text_starts(t, "@@"))
		return true;
	for (size_t i = 0; i < t.len; i++)
		if (memchr(special, t.s[i], sizeof(special) - 1) != NULL)
			return true;
	return false;
}

/* What no name is, though it has a name's characters only: "-728x90-", ".adserver.". AdGuard finds it anywhere. */
static bool is_part(struct text t)
{
	char first = t.s[0], last = t.s[t.len - 1];

	return t.len >= 3 && (((first == '-' || last == '-') && !text_has(t, '.')) || (first == '.' && last == '.'));
}

/* One word: a name, *.name, .name or a pattern. */
static void parse_word(const struct list_parser *p, struct text t, struct list_line *l)
{
	struct text name = text_starts(t, "*.") ? text_skip(t, 2) : text_starts(t, ".") ? text_skip(t, 1) : t;
	bool below = name.len != t.len;
	struct ip_addr addr;

	if (is_pattern(name) || text_starts(t, "@@") || is_part(t))
		return list_parse_adguard(p, t, l);
	if (text_address(name, &addr, NULL))
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_ADDRESS);
	if (!below && !text_has(name, '.'))
		return list_line_done(l, LIST_REFUSED, "name without a dot");
	(void)list_line_name(l, name, below ? LIST_SUBTREE : LIST_NAME, LIST_BLOCK);
}

/* An address and nothing else: answers with it are blocked. 0.0.0.0 and its like are the rest of a hosts line. */
static bool parse_address(const struct list_parser *p, struct text first, bool scoped, const struct ip_addr *addr,
			  struct text rest, struct list_line *l)
{
	rest = text_trim(rest);
	if ((rest.len != 0 && rest.s[0] != '#') || scoped || ip_addr_is_any(addr) || ip_addr_is_loopback(addr))
		return false;
	list_parse_adguard(p, first, l);
	return true;
}

/* Cut a comment: from '#' on, where a blank is before it. */
static struct text cut_comment(struct text t)
{
	for (size_t i = 1; i < t.len; i++)
		if (t.s[i] == '#' && text_is_blank(t.s[i - 1]))
			return text_trim((struct text){ t.s, i });
	return t;
}

/* "[Adblock Plus 2.0]" is one, "[a-z]+ads" is Pi-hole's regular expression. */
static bool is_comment(struct text t)
{
	if (t.s[0] != '[')
		return strchr("!#;", t.s[0]) != NULL;
	return text_has(t, ' ') || (t.s[t.len - 1] == ']' && !text_has(text_skip(t, 1), '['));
}

/* Several words, as Pi-hole reads them: each is a name, or a name in AdGuard's form. All of them, or none. */
static void parse_words(const struct list_parser *p, struct text t, struct list_line *l)
{
	struct text w;

	while ((w = text_word_take(&t)).len != 0) {
		parse_word(p, w, l);
		if (l->outcome == LIST_SKIPPED)
			return;
		/* Of one with conditions there is no more than one a line. */
		if (l->outcome == LIST_REFUSED || l->rules[l->n_rules - 1].terms_len != 0)
			return list_line_done(l, LIST_REFUSED, "several words, and not all of them are names");
	}
}

/* What most lists are made of, before all formats are asked whether the line is theirs: it can be none of them. */
static bool parse_plain_name(struct text t, struct list_line *l)
{
	struct dname *name = &l->rules[0].name;

	return text_name(t, name) == NULL && name->labels > 1 && list_line_rule(l) != NULL;
}

void list_parse_line(struct list_parser *p, const char *line, size_t len, struct list_line *ret)
{
	struct text raw = { line, len }, t = text_trim(raw), rest = t, first;
	struct ip_addr addr;
	bool scoped, one;

	list_line_done(ret, LIST_REFUSED, "empty name");
	if (len > LIST_LINE_MAX_BYTES)
		return list_line_done(ret, LIST_REFUSED, "line longer than 4096 bytes");
	if (t.len == 0)
		return list_line_done(ret, LIST_SKIPPED, LIST_WHY_BLANK);
	if (memchr(t.s, '\0', t.len) != NULL)
		return list_line_done(ret, LIST_REFUSED, "NUL byte");
	if (is_comment(t))
		return list_line_done(ret, LIST_SKIPPED, LIST_WHY_COMMENT);
	if (!p->zone.active && parse_plain_name(t, ret))
		return;
	first = text_word_take(&rest);
	if (!p->zone.active && text_address(first, &addr, &scoped)) {
		if (!parse_address(p, first, scoped, &addr, rest, ret))
			list_parse_hosts(p, t, &addr, scoped, rest, ret);
		return;
	}
	one = text_trim(rest).len == 0 || text_has(first, '$'); /* names of clients have blanks */
	if (!p->zone.active && one && list_is_adguard(t) && !is_cosmetic(t))
		return list_parse_adguard(p, t, ret);
	if (list_parse_zone(p, raw, ret))
		return;
	t = cut_comment(t);
	if (is_cosmetic(t))
		return list_line_done(ret, LIST_SKIPPED, "cosmetic rule");
	if (list_parse_resolver(p, t, ret))
		return;
	rest = t;
	first = text_word_take(&rest);
	if (rest.len != 0 && !text_has(first, '$'))
		return parse_words(p, t, ret);
	if (!list_parse_pihole(p, t, ret))
		parse_word(p, t, ret);
}
