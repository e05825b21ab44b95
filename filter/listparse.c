/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of a block list to rules. Called by the list builder for each line; feeds the compiled file.
 *
 * Every line is told apart by its own content, so a file may mix formats. What is understood:
 *
 *   0.0.0.0 a.example b.example   hosts(5): these names exactly, whatever the address (a downloaded list never
 * redirects) a.example                     domain list: this name exactly
 *   *.a.example   .a.example      wildcard and suffix lists: the name itself and everything below it (as blocky and the
 *                                 publishers of such lists mean it; AdGuard would read a pattern without the name)
 *   ||a.example^  (|| ^|, || |)   the name and everything below it
 *   |a.example^   (| |, | ^|)     this name exactly
 *   @@ before the last two        exceptions
 *   address=/a.example/#          dnsmasq: the name and below; also server=/a.example/ and local=/a.example/
 *   local-zone: "a.example" type  unbound: the name and below, for types that answer nothing
 *
 * The invariant: a rule is applied in full or not at all. A rule that we understand but do not offer (modifiers,
 * regular expressions, paths, wildcards inside a name) is skipped with its reason; what we cannot read is refused with
 * its reason. Sources: hosts(5), AdGuard's "DNS filtering syntax", dnsmasq(8), unbound.conf(5). Letters, digits, hyphen
 * and underscore make a name: lists have underscores, RFC 1123 does not. */
#include "filter/listparse.h"

#include "sluice/addr.h"

struct text {
	const char *s;
	size_t len;
};

/* Names of the usual preamble of hosts files: they describe the machine and are never blocked. */
static const char *const preamble_names[] = {
	"localhost",	"localhost.localdomain", "local",	 "broadcasthost",  "ip6-localhost", "ip6-loopback",
	"ip6-localnet", "ip6-mcastprefix",	 "ip6-allnodes", "ip6-allrouters", "ip6-allhosts",
};

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

static void done(struct list_line *l, enum list_outcome outcome, const char *why)
{
	l->outcome = outcome;
	l->why = why;
	l->n_rules = 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct text trim(struct text t)
{
	while (t.len > 0 && is_blank(t.s[0]))
		t = (struct text){ t.s + 1, t.len - 1 };
	while (t.len > 0 && is_blank(t.s[t.len - 1]))
		t.len--;
	return t;
}

static struct text skip(struct text t, size_t n)
{
	return (struct text){ t.s + n, t.len - n };
}

static bool starts(struct text t, const char *with)
{
	size_t n = strlen(with);

	return t.len >= n && memcmp(t.s, with, n) == 0;
}

static bool has(struct text t, char c)
{
	return t.len > 0 && memchr(t.s, c, t.len) != NULL;
}

static bool equal_nocase(struct text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.s, word, t.len) == 0;
}

/* Drop @end from the text's end if it is there. */
static bool chop(struct text *t, const char *end)
{
	size_t n = strlen(end);

	if (t->len < n || memcmp(t->s + t->len - n, end, n) != 0)
		return false;
	t->len -= n;
	return true;
}

/* The next blank-separated word; empty at the end. */
static struct text word_take(struct text *t)
{
	struct text w;

	*t = trim(*t);
	w = (struct text){ t->s, 0 };
	while (w.len < t->len && !is_blank(t->s[w.len]))
		w.len++;
	*t = skip(*t, w.len);
	return w;
}

static bool is_address(struct text t)
{
	char buf[IP_TEXT_MAX];
	const char *scope = t.len > 0 ? memchr(t.s, '%', t.len) : NULL; /* fe80::1%lo0 */
	size_t len = scope != NULL ? (size_t)(scope - t.s) : t.len;
	struct ip_addr a;

	/* Almost every word of a list is a name: tell them apart before the real parser runs. */
	if (len == 0 || len >= sizeof(buf) || (memchr(t.s, ':', len) == NULL && !(t.s[0] >= '0' && t.s[0] <= '9')))
		return false;
	memcpy(buf, t.s, len);
	buf[len] = '\0';
	return ip_addr_parse(buf, &a) == 0;
}

/* Why @t is no name of ours, or NULL with the name in @ret. The top label all of digits is no name but (part of) an
 * address, which is the one reason that means "skip". */
static const char *const why_address = "address rule";

static const char *read_name(struct text t, struct dname *ret)
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
		return why_address;
	*ret = n;
	return NULL;
}

static void add_name(struct text t, bool subtree, bool allow, struct list_line *l)
{
	struct list_rule *r;
	const char *why;

	if (l->n_rules == LIST_NAMES_PER_LINE_MAX)
		return done(l, LIST_REFUSED, "more than 64 names on one line");
	r = &l->rules[l->n_rules];
	why = read_name(t, &r->name);
	if (why != NULL)
		return done(l, why == why_address ? LIST_SKIPPED : LIST_REFUSED, why);
	r->kind = subtree ? LIST_SUBTREE : LIST_NAME;
	r->action = allow ? LIST_ALLOW : LIST_BLOCK;
	r->important = r->badfilter = false;
	r->modifiers = 0;
	r->terms = NULL;
	r->terms_len = 0;
	l->n_rules++;
	l->outcome = LIST_APPLIED;
	l->why = NULL;
}

static bool is_preamble(struct text t)
{
	for (size_t i = 0; i < ARRAY_LEN(preamble_names); i++)
		if (equal_nocase(t, preamble_names[i]))
			return true;
	return is_address(t);
}

/* @names: what follows the address, comment cut off. One bad name refuses the line. */
static void parse_hosts(struct text names, struct list_line *l)
{
	bool any = false;

	for (;;) {
		struct text w = word_take(&names);

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
		done(l, LIST_SKIPPED, any ? "usual preamble of a hosts file" : why_address);
}

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

/* address=/a/b/target: every name between the slashes. Only targets that answer nothing are blocks. */
static void parse_dnsmasq(struct text t, bool address, struct list_line *l)
{
	struct text target;
	size_t names_len = t.len;

	while (names_len > 0 && t.s[names_len - 1] != '/')
		names_len--;
	if (names_len == 0)
		return done(l, LIST_REFUSED, "dnsmasq rule without its second slash");
	target = trim(skip(t, names_len));
	if (address && target.len != 0 && !equal_nocase(target, "#") && !equal_nocase(target, "0.0.0.0") &&
	    !equal_nocase(target, "::") && !equal_nocase(target, "127.0.0.1"))
		return done(l, LIST_SKIPPED, "redirect to an address");
	if (!address && target.len != 0)
		return done(l, LIST_SKIPPED, "forwarding rule");
	for (size_t at = 0; at < names_len;) {
		const char *slash = memchr(t.s + at, '/', names_len - at);
		struct text name = { t.s + at, (size_t)(slash - t.s) - at };

		if (has(name, '*') || equal_nocase(name, "#"))
			return done(l, LIST_SKIPPED, "wildcard inside a name");
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
	struct text name = word_take(&t), type = word_take(&t);

	if (name.len >= 2 && name.s[0] == '"' && name.s[name.len - 1] == '"')
		name = (struct text){ name.s + 1, name.len - 2 };
	for (size_t i = 0; i < ARRAY_LEN(blocking); i++)
		if (equal_nocase(type, blocking[i]))
			return add_name(name, true, false, l);
	done(l, LIST_SKIPPED, "local-zone of a type that does not block");
}

/* The formats that name their directive at the start of the line. Returns false when it is none of them. */
static bool parse_directive(struct text t, struct list_line *l)
{
	if (starts(t, "address=/"))
		parse_dnsmasq(skip(t, strlen("address=/")), true, l);
	else if (starts(t, "server=/"))
		parse_dnsmasq(skip(t, strlen("server=/")), false, l);
	else if (starts(t, "local=/"))
		parse_dnsmasq(skip(t, strlen("local=/")), false, l);
	else if (starts(t, "local-zone:"))
		parse_unbound_zone(skip(t, strlen("local-zone:")), l);
	else if (starts(t, "local-data:") || starts(t, "local-data-ptr:") || equal_nocase(t, "server:"))
		done(l, LIST_SKIPPED, "unbound configuration without a name to block");
	else if (starts(t, "$TTL") || starts(t, "$ORIGIN") || starts(t, "@ "))
		done(l, LIST_SKIPPED, "zone file (RPZ) is not supported");
	else
		return false;
	return true;
}

/* "name [ttl] [class] TYPE data" of a zone file: the type is the first to the fourth word. */
static bool is_zone_line(struct text t)
{
	static const char *const types[] = { "CNAME", "SOA", "NS", "A", "AAAA", "TXT", "DNAME", "IN" };
	bool several = has(t, ' ') || has(t, '\t');

	for (int i = 0; several && i < 4; i++) {
		struct text w = word_take(&t);

		for (size_t k = 0; k < ARRAY_LEN(types); k++)
			if (equal_nocase(w, types[k]))
				return true;
	}
	return false;
}

static const char *modifier_why(struct text mods)
{
	struct text m = mods;

	if (m.len > 0 && m.s[0] == '~')
		m = skip(m, 1);
	for (size_t i = 0; i < m.len; i++)
		if (m.s[i] == '=' || m.s[i] == ',')
			m.len = i;
	for (size_t i = 0; i < ARRAY_LEN(modifiers); i++)
		if (equal_nocase(m, modifiers[i].name))
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
	bool subtree = starts(t, "||"), closed;

	if (t.len > 1 && t.s[0] == '/' && (t.s[t.len - 1] == '/' || (mods > 1 && mods < t.len && t.s[mods - 1] == '/')))
		return done(l, LIST_SKIPPED, "regular expression");
	if (mods < t.len)
		return done(l, LIST_SKIPPED, modifier_why(skip(t, mods + 1)));
	if (has(t, '/') || has(t, '?') || has(t, '='))
		return done(l, LIST_SKIPPED, "path or URL rule");
	if (has(t, '\\') || has(t, '(') || t.s[0] == '^')
		return done(l, LIST_SKIPPED, "regular expression");
	if (has(t, '*'))
		return done(l, LIST_SKIPPED, "wildcard inside a name");
	if (t.s[0] != '|')
		return done(l, LIST_SKIPPED, "pattern without an anchor at its start");
	t = skip(t, subtree ? 2 : 1);
	closed = chop(&t, "|");
	closed = chop(&t, "^") || closed;
	if (!closed)
		return done(l, LIST_SKIPPED, "pattern without an end (^)");
	if (is_address(t))
		return done(l, LIST_SKIPPED, why_address);
	add_name(t, subtree, allow, l);
}

static bool is_pattern(struct text t)
{
	static const char special[] = "|^$*/\\()?=";

	if (starts(t, "@@"))
		return true;
	for (size_t i = 0; i < t.len; i++)
		if (memchr(special, t.s[i], sizeof(special) - 1) != NULL)
			return true;
	return false;
}

/* One word: a name, *.name, .name or a pattern. */
static void parse_word(struct text t, struct list_line *l)
{
	struct text name = starts(t, "*.") ? skip(t, 2) : starts(t, ".") ? skip(t, 1) : t;
	bool subtree = name.len != t.len, allow = starts(t, "@@");

	if (is_pattern(name)) {
		t = skip(t, allow ? 2 : 0);
		if (t.len == 0)
			return done(l, LIST_REFUSED, "exception without a pattern");
		return parse_pattern(t, allow, l);
	}
	if (is_address(name))
		return done(l, LIST_SKIPPED, why_address);
	if (!subtree && !has(name, '.'))
		return done(l, LIST_REFUSED, "name without a dot");
	add_name(name, subtree, false, l);
}

/* Cut a comment: from '#' on, in hosts lines wherever it is, else where a blank is before it. */
static struct text cut_comment(struct text t, bool anywhere)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.s[i] == '#' && (anywhere || (i > 0 && is_blank(t.s[i - 1]))))
			return trim((struct text){ t.s, i });
	return t;
}

void list_parse_line(struct list_parser *p, const char *line, size_t len, struct list_line *ret)
{
	(void)p;
	struct text t = trim((struct text){ line, len }), rest = t, first;

	done(ret, LIST_REFUSED, "empty name");
	if (len > LIST_LINE_MAX_BYTES)
		return done(ret, LIST_REFUSED, "line longer than 4096 bytes");
	if (t.len == 0)
		return done(ret, LIST_SKIPPED, LIST_WHY_BLANK);
	if (memchr(t.s, '\0', t.len) != NULL)
		return done(ret, LIST_REFUSED, "NUL byte");
	if (strchr("!#;[", t.s[0]) != NULL)
		return done(ret, LIST_SKIPPED, LIST_WHY_COMMENT);
	first = word_take(&rest);
	if (is_address(first))
		return parse_hosts(cut_comment(rest, true), ret);
	t = cut_comment(t, false);
	if (is_cosmetic(t))
		return done(ret, LIST_SKIPPED, "cosmetic rule");
	if (parse_directive(t, ret))
		return;
	if (is_zone_line(t))
		return done(ret, LIST_SKIPPED, "zone file (RPZ) is not supported");
	rest = t;
	first = word_take(&rest);
	if (rest.len != 0 && !is_pattern(first))
		return done(ret, LIST_REFUSED, "several words, and the first is no address");
	parse_word(t, ret);
}
