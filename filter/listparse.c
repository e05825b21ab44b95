/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of a block list to rules. Called by the list builder for each line; feeds the compiled file.
 *
 * Every line is told apart by its own content, so a file may mix formats. What is understood:
 *
 *   0.0.0.0 a.example b.example   hosts(5): these names exactly, whatever the address
 *   a.example                     domain list: this name exactly
 *   *.a.example   .a.example      wildcard and suffix lists: the name itself and everything below it (as blocky and the
 *                                 publishers of such lists mean it; AdGuard would read a pattern without the name)
 *   192.0.2.1     192.0.2.0/24    answers with this address
 *   ||a.example^$important        AdGuard's network rules, exceptions among them: listparse_adguard.c
 *   address=/a.example/#          dnsmasq: the name and below; also server=/a.example/ and local=/a.example/
 *   local-zone: "a.example" type  unbound: the name and below, for types that answer nothing
 *
 * The invariant: a rule is applied in full or not at all. A rule that we understand but do not offer (modifiers of
 * browsers, paths) is skipped with its reason; what we cannot read is refused with its reason. Sources: hosts(5),
 * AdGuard's "DNS filtering rules syntax", dnsmasq(8), unbound.conf(5). */
#include "filter/listparse_adguard.h"

/* Names of the usual preamble of hosts files: they describe the machine and are never blocked. */
static const char *const preamble_names[] = {
	"localhost",	"localhost.localdomain", "local",	 "broadcasthost",  "ip6-localhost", "ip6-loopback",
	"ip6-localnet", "ip6-mcastprefix",	 "ip6-allnodes", "ip6-allrouters", "ip6-allhosts",
};

static bool is_address(struct text t)
{
	struct ip_addr addr;

	return text_address(t, &addr, NULL);
}

static void add_name(struct text t, bool subtree, bool allow, struct list_line *l)
{
	(void)list_line_name(l, t, subtree ? LIST_SUBTREE : LIST_NAME, allow ? LIST_ALLOW : LIST_BLOCK);
}

static bool is_preamble(struct text t)
{
	for (size_t i = 0; i < ARRAY_LEN(preamble_names); i++)
		if (text_is_nocase(t, preamble_names[i]))
			return true;
	return is_address(t);
}

/* @names: what follows the address, comment cut off. One bad name refuses the line. */
static void parse_hosts(struct text names, struct list_line *l)
{
	bool any = false;

	for (;;) {
		struct text w = text_word_take(&names);

		if (w.len == 0)
			break;
		any = true;
		if (is_preamble(w))
			continue;
		add_name(w, false, false, l);
		if (l->outcome != LIST_APPLIED)
			return;
	}
	if (l->n_rules == 0)
		list_line_done(l, LIST_SKIPPED, any ? "usual preamble of a hosts file" : LIST_WHY_ADDRESS);
}

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

/* address=/a/b/target: every name between the slashes. Only targets that answer nothing are blocks. */
static void parse_dnsmasq(struct text t, bool address, struct list_line *l)
{
	struct text target;
	size_t names_len = t.len;

	while (names_len > 0 && t.s[names_len - 1] != '/')
		names_len--;
	if (names_len == 0)
		return list_line_done(l, LIST_REFUSED, "dnsmasq rule without its second slash");
	target = text_trim(text_skip(t, names_len));
	if (address && target.len != 0 && !text_is_nocase(target, "#") && !text_is_nocase(target, "0.0.0.0") &&
	    !text_is_nocase(target, "::") && !text_is_nocase(target, "127.0.0.1"))
		return list_line_done(l, LIST_SKIPPED, "redirect to an address");
	if (!address && target.len != 0)
		return list_line_done(l, LIST_SKIPPED, "forwarding rule");
	for (size_t at = 0; at < names_len;) {
		const char *slash = memchr(t.s + at, '/', names_len - at);
		struct text name = { t.s + at, (size_t)(slash - t.s) - at };

		if (text_has(name, '*') || text_is_nocase(name, "#"))
			return list_line_done(l, LIST_SKIPPED, "wildcard inside a name");
		add_name(name, true, false, l);
		if (l->outcome != LIST_APPLIED)
			return;
		at += name.len + 1;
	}
}

/* local-zone: "name." type */
static void parse_unbound_zone(struct text t, struct list_line *l)
{
	static const char *const blocking[] = { "always_null", "always_nxdomain", "always_nodata", "always_refuse",
						"always_deny", "refuse",	  "static",	   "deny" };
	struct text name = text_word_take(&t), type = text_word_take(&t);

	if (name.len >= 2 && name.s[0] == '"' && name.s[name.len - 1] == '"')
		name = (struct text){ name.s + 1, name.len - 2 };
	for (size_t i = 0; i < ARRAY_LEN(blocking); i++)
		if (text_is_nocase(type, blocking[i]))
			return add_name(name, true, false, l);
	list_line_done(l, LIST_SKIPPED, "local-zone of a type that does not block");
}

/* The formats that name their directive at the start of the line. Returns false when it is none of them. */
static bool parse_directive(struct text t, struct list_line *l)
{
	if (text_starts(t, "address=/"))
		parse_dnsmasq(text_skip(t, strlen("address=/")), true, l);
	else if (text_starts(t, "server=/"))
		parse_dnsmasq(text_skip(t, strlen("server=/")), false, l);
	else if (text_starts(t, "local=/"))
		parse_dnsmasq(text_skip(t, strlen("local=/")), false, l);
	else if (text_starts(t, "local-zone:"))
		parse_unbound_zone(text_skip(t, strlen("local-zone:")), l);
	else if (text_starts(t, "local-data:") || text_starts(t, "local-data-ptr:") || text_is_nocase(t, "server:"))
		list_line_done(l, LIST_SKIPPED, "unbound configuration without a name to block");
	else if (text_starts(t, "$TTL") || text_starts(t, "$ORIGIN") || text_starts(t, "@ "))
		list_line_done(l, LIST_SKIPPED, "zone file (RPZ) is not supported");
	else
		return false;
	return true;
}

/* "name [ttl] [class] TYPE data" of a zone file: the type is the first to the fourth word. */
static bool is_zone_line(struct text t)
{
	static const char *const types[] = { "CNAME", "SOA", "NS", "A", "AAAA", "TXT", "DNAME", "IN" };
	bool several = text_has(t, ' ') || text_has(t, '\t');

	for (int i = 0; several && i < 4; i++) {
		struct text w = text_word_take(&t);

		for (size_t k = 0; k < ARRAY_LEN(types); k++)
			if (text_is_nocase(w, types[k]))
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

/* One word: a name, *.name, .name or a pattern. */
static void parse_word(const struct list_parser *p, struct text t, struct list_line *l)
{
	struct text name = text_starts(t, "*.") ? text_skip(t, 2) : text_starts(t, ".") ? text_skip(t, 1) : t;
	bool below = name.len != t.len;

	if (is_pattern(name))
		return list_parse_adguard(p, t, l);
	if (is_address(name))
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_ADDRESS);
	if (!below && !text_has(name, '.'))
		return list_line_done(l, LIST_REFUSED, "name without a dot");
	(void)list_line_name(l, name, below ? LIST_SUBTREE : LIST_NAME, LIST_BLOCK);
}

/* An address and nothing else: answers with it are blocked. 0.0.0.0 and its like are the rest of a hosts line. */
static bool parse_address(const struct list_parser *p, struct text first, struct text rest, struct list_line *l)
{
	struct ip_addr addr;
	bool scoped = false;

	if (rest.len != 0 || !text_address(first, &addr, &scoped) || scoped || ip_addr_is_any(&addr) ||
	    ip_addr_is_loopback(&addr))
		return false;
	list_parse_adguard(p, first, l);
	return true;
}

/* Cut a comment: from '#' on, in hosts lines wherever it is, else where a blank is before it. */
static struct text cut_comment(struct text t, bool anywhere)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.s[i] == '#' && (anywhere || (i > 0 && text_is_blank(t.s[i - 1]))))
			return text_trim((struct text){ t.s, i });
	return t;
}

void list_parse_line(struct list_parser *p, const char *line, size_t len, struct list_line *ret)
{
	struct text t = text_trim((struct text){ line, len }), rest = t, first;

	list_line_done(ret, LIST_REFUSED, "empty name");
	if (len > LIST_LINE_MAX_BYTES)
		return list_line_done(ret, LIST_REFUSED, "line longer than 4096 bytes");
	if (t.len == 0)
		return list_line_done(ret, LIST_SKIPPED, LIST_WHY_BLANK);
	if (memchr(t.s, '\0', t.len) != NULL)
		return list_line_done(ret, LIST_REFUSED, "NUL byte");
	if (strchr("!#;[", t.s[0]) != NULL)
		return list_line_done(ret, LIST_SKIPPED, LIST_WHY_COMMENT);
	first = text_word_take(&rest);
	if (is_address(first)) {
		rest = cut_comment(text_trim(rest), true);
		if (!parse_address(p, first, rest, ret))
			parse_hosts(rest, ret);
		return;
	}
	if (is_cosmetic(t))
		return list_line_done(ret, LIST_SKIPPED, "cosmetic rule");
	if (list_is_adguard(t))
		return list_parse_adguard(p, t, ret);
	t = cut_comment(t, false);
	if (parse_directive(t, ret))
		return;
	if (is_zone_line(t))
		return list_line_done(ret, LIST_SKIPPED, "zone file (RPZ) is not supported");
	rest = t;
	first = text_word_take(&rest);
	if (rest.len != 0 && !is_pattern(first))
		return list_line_done(ret, LIST_REFUSED, "several words, and the first is no address");
	parse_word(p, t, ret);
}
