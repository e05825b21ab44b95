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
 *   ||a.example^  (|| ^|, || |)   the name and everything below it
 *   |a.example^   (| |, | ^|)     this name exactly
 *   @@ before the last two        exceptions
 *
 * The invariant: a rule is applied in full or not at all. A rule that we understand but do not offer (modifiers,
 * regular expressions, paths, wildcards inside a name) is skipped with its reason; what we cannot read is refused with
 * its reason. Sources: AdGuard's "DNS filtering syntax", Pi-hole's gravity. */
#include "filter/listformats.h"

static const struct {
	const char *name, *why;
} modifiers[] = {
	{ "important", "modifier not supported: $important" },
	{ "badfilter", "modifier not supported: $badfilter" },
	{ "client", "modifier not supported: $client" },
	{ "ctag", "modifier not supported: $ctag" },
	{ "denyallow", "modifier not supported: $denyallow" },
	{ "dnstype", "modifier not supported: $dnstype" },
	{ "dnsrewrite", "modifier not supported: $dnsrewrite" },
	{ "respgeo", "modifier not supported: $respgeo" },
	{ "domain", "modifier not supported: $domain (browser rule)" },
	{ "third-party", "modifier not supported: $third-party (browser rule)" },
	{ "doc", "modifier not supported: $doc (browser rule)" },
	{ "document", "modifier not supported: $document (browser rule)" },
	{ "popup", "modifier not supported: $popup (browser rule)" },
};

/* name##selector and its relatives: '#', up to three of "@?$%", '#'; or $$ and $@$. */
static bool is_cosmetic(struct text t)
{
	for (size_t i = 0; i + 1 < t.len; i++) {
		size_t n = i + 1;

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

static const char *modifier_why(struct text mods)
{
	struct text m = mods;

	if (m.len > 0 && m.s[0] == '~')
		m = text_skip(m, 1);
	for (size_t i = 0; i < m.len; i++)
		if (m.s[i] == '=' || m.s[i] == ',')
			m.len = i;
	for (size_t i = 0; i < ARRAY_LEN(modifiers); i++)
		if (text_is_nocase(m, modifiers[i].name))
			return modifiers[i].why;
	return "modifier not supported";
}

/* Position of the last unescaped '$', or the length. */
static size_t modifiers_at(struct text t)
{
	for (size_t i = t.len; i-- > 0;)
		if (t.s[i] == '$' && (i == 0 || t.s[i - 1] != '\\'))
			return i;
	return t.len;
}

/* ||name^ and its variants, exceptions, and the patterns that are of no use to DNS. @t without "@@". */
static void parse_pattern(struct text t, bool allow, struct list_line *l)
{
	size_t mods = modifiers_at(t);
	bool subtree = text_starts(t, "||"), closed;
	struct ip_addr addr;

	if (t.len > 1 && t.s[0] == '/' && (t.s[t.len - 1] == '/' || (mods > 1 && mods < t.len && t.s[mods - 1] == '/')))
		return list_line_done(l, LIST_SKIPPED, "regular expression");
	if (mods < t.len)
		return list_line_done(l, LIST_SKIPPED, modifier_why(text_skip(t, mods + 1)));
	if (text_has(t, '/') || text_has(t, '?') || text_has(t, '='))
		return list_line_done(l, LIST_SKIPPED, "path or URL rule");
	if (text_has(t, '\\') || text_has(t, '(') || t.s[0] == '^')
		return list_line_done(l, LIST_SKIPPED, "regular expression");
	if (text_has(t, '*'))
		return list_line_done(l, LIST_SKIPPED, "wildcard inside a name");
	if (t.s[0] != '|')
		return list_line_done(l, LIST_SKIPPED, "pattern without an anchor at its start");
	t = text_skip(t, subtree ? 2 : 1);
	closed = text_chop(&t, "|");
	closed = text_chop(&t, "^") || closed;
	if (!closed)
		return list_line_done(l, LIST_SKIPPED, "pattern without an end (^)");
	if (text_address(t, &addr, NULL))
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_ADDRESS);
	(void)list_line_name(l, t, subtree ? LIST_SUBTREE : LIST_NAME, allow ? LIST_ALLOW : LIST_BLOCK);
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

/* One word: a name, *.name, .name or a pattern. */
static void parse_word(struct text t, struct list_line *l)
{
	struct text name = text_starts(t, "*.") ? text_skip(t, 2) : text_starts(t, ".") ? text_skip(t, 1) : t;
	bool subtree = name.len != t.len, allow = text_starts(t, "@@");
	struct ip_addr addr;

	if (is_pattern(name)) {
		t = text_skip(t, allow ? 2 : 0);
		if (t.len == 0)
			return list_line_done(l, LIST_REFUSED, "exception without a pattern");
		return parse_pattern(t, allow, l);
	}
	if (text_address(name, &addr, NULL))
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_ADDRESS);
	if (!subtree && !text_has(name, '.'))
		return list_line_done(l, LIST_REFUSED, "name without a dot");
	(void)list_line_name(l, name, subtree ? LIST_SUBTREE : LIST_NAME, LIST_BLOCK);
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
static void parse_words(struct text t, struct list_line *l)
{
	struct text w;

	while ((w = text_word_take(&t)).len != 0) {
		parse_word(w, l);
		if (l->outcome == LIST_SKIPPED)
			return;
		if (l->outcome == LIST_REFUSED)
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
	bool scoped;

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
	if (!p->zone.active && text_address(first, &addr, &scoped))
		return list_parse_hosts(p, t, &addr, scoped, rest, ret);
	if (list_parse_zone(p, raw, ret))
		return;
	t = cut_comment(t);
	if (is_cosmetic(t))
		return list_line_done(ret, LIST_SKIPPED, "cosmetic rule");
	if (list_parse_resolver(p, t, ret))
		return;
	rest = t;
	first = text_word_take(&rest);
	if (rest.len != 0 && !text_has(first, '$')) /* names of clients have blanks */
		return parse_words(t, ret);
	if (!list_parse_pihole(p, t, ret))
		parse_word(t, ret);
}
