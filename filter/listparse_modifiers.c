/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Modifiers of AdGuard's network rules, as terms. A rule with one that is not AdGuard's for DNS is skipped whole: what
 * is left of it would block too much. Called by listparse_adguard.c. Source: AdGuard's "DNS filtering rules syntax". */
#include "filter/listparse_adguard.h"

#include <ldns/ldns.h>

#define TYPE_NAME_MAX 16u /* "NSEC3PARAM", "TYPE65535" */

/* Those of browsers, which no name can be asked about. */
#define BROWSER(name)                                                                                                  \
	{                                                                                                              \
		name, "modifier not supported: $" name " (browser rule)"                                               \
	}

static const struct {
	const char *name, *why;
} foreign[] = {
	{ "respgeo", "modifier not supported: $respgeo" },
	BROWSER("domain"),
	BROWSER("third-party"),
	BROWSER("first-party"),
	BROWSER("match-case"),
	BROWSER("all"),
	BROWSER("doc"),
	BROWSER("document"),
	BROWSER("popup"),
	BROWSER("script"),
	BROWSER("image"),
	BROWSER("stylesheet"),
	BROWSER("subdocument"),
	BROWSER("object"),
	BROWSER("media"),
	BROWSER("font"),
	BROWSER("xmlhttprequest"),
	BROWSER("websocket"),
	BROWSER("ping"),
	BROWSER("other"),
	BROWSER("network"),
	BROWSER("app"),
	BROWSER("csp"),
	BROWSER("cookie"),
	BROWSER("removeparam"),
	BROWSER("redirect"),
	BROWSER("replace"),
	BROWSER("elemhide"),
	BROWSER("generichide"),
	BROWSER("genericblock"),
	BROWSER("jsinject"),
	BROWSER("urlblock"),
	BROWSER("content"),
	BROWSER("extension"),
	BROWSER("stealth"),
};

struct text adguard_piece_take(struct text *rest, char sep)
{
	struct text piece = { rest->s, 0 };

	while (piece.len < rest->len && piece.s[piece.len] != sep)
		piece.len += piece.s[piece.len] == '\\' && piece.len + 1 < rest->len ? 2 : 1;
	*rest = piece.len < rest->len ? text_skip(*rest, piece.len + 1) : (struct text){ NULL, 0 };
	return piece;
}

struct text adguard_unescape(struct text t, const char *which, char *buf)
{
	size_t n = 0;

	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] == '\\' && i + 1 < t.len && strchr(which, t.s[i + 1]) != NULL)
			i++;
		buf[n++] = t.s[i];
	}
	return (struct text){ buf, n };
}

static bool tilde_take(struct text *t)
{
	if (!text_starts(*t, "~"))
		return false;
	*t = text_skip(*t, 1);
	return true;
}

/* An address, a network or a device's name, with or without quotes. */
static const char *client_put(struct text v, bool denied, struct list_terms *terms)
{
	bool quoted = v.len > 0 && (v.s[0] == '\'' || v.s[0] == '"');
	struct ip_prefix net = { 0 };
	char buf[LIST_LINE_MAX_BYTES + 1];
	size_t end = v.len - 1;

	if (quoted && (v.len < 2 || v.s[end] != v.s[0] || v.s[end - 1] == '\\'))
		return "$client: a quote without its end (, | and quotes in a name need a \\ before them)";
	if (quoted)
		v = (struct text){ v.s + 1, v.len - 2 };
	v = adguard_unescape(v, "'\",|$\\", buf);
	if (v.len == 0)
		return "$client: no client";
	buf[v.len] = '\0';
	if (ip_prefix_parse(buf, &net, NULL) == 0)
		list_terms_put(terms, TERM_CLIENT_NET, denied, &net, sizeof(net));
	else
		list_terms_put(terms, TERM_CLIENT_NAME, denied, v.s, v.len);
	return NULL;
}

static const char *clients_read(struct text value, struct adguard_modifiers *m, struct list_terms *terms)
{
	const char *why = NULL;

	m->limited = true;
	while (why == NULL && value.s != NULL) {
		struct text v = adguard_piece_take(&value, '|');
		bool denied = tilde_take(&v);

		why = client_put(v, denied, terms);
	}
	return why;
}

/* AdGuard's tags have underscores where tags of a policy have hyphens: "device_tv" is "tag:device-tv". */
static const char *tag_put(struct text v, bool denied, struct list_terms *terms)
{
	char buf[LIST_LINE_MAX_BYTES + 5] = "tag:";

	for (size_t i = 0; i < v.len; i++) {
		char c = v.s[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
			return "$ctag: a tag has a-z, 0-9 and _ only";
		if (c == '_')
			c = '-';
		buf[4 + i] = c;
	}
	if (v.len == 0)
		return "$ctag: no tag";
	list_terms_put(terms, TERM_CLIENT_TAG, denied, buf, 4 + v.len);
	return NULL;
}

static const char *tags_read(struct text value, struct adguard_modifiers *m, struct list_terms *terms)
{
	const char *why = NULL;

	m->limited = true;
	while (why == NULL && value.s != NULL) {
		struct text v = adguard_piece_take(&value, '|');
		bool denied = tilde_take(&v);

		why = tag_put(v, denied, terms);
	}
	return why;
}

static const char *denyallow_read(struct text value, struct adguard_modifiers *m, struct list_terms *terms)
{
	m->limited = m->denyallow = true;
	while (value.s != NULL) {
		struct text v = adguard_piece_take(&value, '|');
		struct dname name;

		if (text_starts(v, "~"))
			return "$denyallow: ~ has no meaning there";
		if (text_name(v, &name) != NULL)
			return "$denyallow: no such name";
		list_terms_put(terms, TERM_DENYALLOW, false, name.wire, name.len);
	}
	return NULL;
}

static uint16_t type_of(struct text v)
{
	char buf[TYPE_NAME_MAX];
	unsigned type;

	if (v.len == 0 || v.len >= sizeof(buf))
		return 0;
	memcpy(buf, v.s, v.len);
	buf[v.len] = '\0';
	type = (unsigned)ldns_get_rr_type_by_name(buf);
	return type <= UINT16_MAX ? (uint16_t)type : 0;
}

/* Beside types that are asked for those that are not say nothing. */
static const char *types_read(struct text value, struct adguard_modifiers *m, struct list_terms *terms)
{
	bool wanted = false;

	m->limited = true;
	for (struct text rest = value; rest.s != NULL;)
		wanted = !text_starts(adguard_piece_take(&rest, '|'), "~") || wanted;
	while (value.s != NULL) {
		struct text v = adguard_piece_take(&value, '|');
		bool denied = tilde_take(&v);
		uint16_t type = type_of(v);

		if (type == 0)
			return "$dnstype: no such type of record";
		if (!denied || !wanted)
			list_terms_put(terms, TERM_TYPE, denied, &type, sizeof(type));
	}
	return NULL;
}

static const char *rewrite_read(struct text value, struct adguard_modifiers *m, struct list_terms *terms)
{
	m->rewrite = true;
	if (value.len != 0)
		return adguard_rewrite_read(value, terms, &m->redirects);
	return m->exception || m->badfilter ? NULL : "$dnsrewrite: without an answer it stands in exceptions only";
}

static const char *important_read(struct text value, struct adguard_modifiers *m, struct list_terms *terms)
{
	(void)value;
	(void)terms;
	m->important = true;
	return NULL;
}

static const char *badfilter_read(struct text value, struct adguard_modifiers *m, struct list_terms *terms)
{
	(void)value;
	(void)terms;
	m->badfilter = true;
	return NULL;
}

enum value_kind { VALUE_NONE, VALUE_NEEDED, VALUE_MAYBE };

static const struct {
	const char *name;
	enum value_kind value;
	const char *(*read)(struct text value, struct adguard_modifiers *m, struct list_terms *terms);
} known[] = {
	{ "important", VALUE_NONE, important_read },   { "badfilter", VALUE_NONE, badfilter_read },
	{ "client", VALUE_NEEDED, clients_read },      { "ctag", VALUE_NEEDED, tags_read },
	{ "denyallow", VALUE_NEEDED, denyallow_read }, { "dnstype", VALUE_NEEDED, types_read },
	{ "dnsrewrite", VALUE_MAYBE, rewrite_read },
};

static const char *foreign_why(struct text name)
{
	(void)tilde_take(&name);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (text_is(name, foreign[i].name))
			return foreign[i].why;
	return name.len == 0 ? "modifier without a name" : "modifier not supported";
}

/* One of the table, by its number. */
static const char *modifier_read(size_t i, struct text value, bool has_value, struct adguard_modifiers *m,
				 struct list_terms *terms)
{
	if ((m->seen >> i & 1) != 0)
		return "the same modifier twice";
	m->seen |= 1u << i;
	if (known[i].value == VALUE_NONE && has_value)
		return "$important and $badfilter take no value";
	if (known[i].value == VALUE_NEEDED && value.len == 0)
		return "modifier without its value";
	if (known[i].value != VALUE_NONE)
		m->n++;
	return known[i].read(value, m, terms);
}

bool adguard_modifiers_read(struct text mods, struct adguard_modifiers *m, struct list_line *l)
{
	while (mods.s != NULL) {
		struct text value = adguard_piece_take(&mods, ','), name = adguard_piece_take(&value, '=');
		bool has_value = value.s != NULL;
		const char *why;
		size_t i = 0;

		while (i < ARRAY_LEN(known) && !text_is(name, known[i].name))
			i++;
		if (i == ARRAY_LEN(known)) {
			list_line_done(l, LIST_SKIPPED, foreign_why(name));
			return false;
		}
		why = modifier_read(i, value, has_value, m, &l->terms);
		if (why != NULL) {
			list_line_done(l, LIST_REFUSED, why);
			return false;
		}
	}
	return true;
}
