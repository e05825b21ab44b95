/* SPDX-License-Identifier: GPL-3.0-or-later */
/* $dnsrewrite: "1.2.3.4", "name.example", "REFUSED", "NOERROR;MX;10 mail.example", as terms. Called by
 * listparse_modifiers.c. Parameters of SVCB and HTTPS are ldns' business (RFC 9460 2.1); what it would cut to fit is
 * refused here. AdGuard's own limits of names in answers (63 bytes, no underscores) are not kept. */
#include "filter/listparse_adguard.h"

#include <ldns/ldns.h>

#define PARAMS_MAX	16u
#define PARAM_HEAD	4u /* key and length */
#define RDATA_BYTES_MAX LIST_LINE_MAX_BYTES

struct rdata {
	uint8_t bytes[RDATA_BYTES_MAX + DNAME_MAX];
	size_t len;
};

static void put_u16(struct rdata *r, uint16_t v)
{
	r->bytes[r->len++] = (uint8_t)(v >> 8);
	r->bytes[r->len++] = (uint8_t)v;
}

/* The next word is a number up to 65535. */
static bool take_u16(struct text *t, uint16_t *ret)
{
	struct text w = text_word_take(t);
	uint32_t v = 0;

	if (w.len == 0 || w.len > 5)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.s[i] < '0' || w.s[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(w.s[i] - '0');
	}
	*ret = (uint16_t)v;
	return v <= UINT16_MAX;
}

static bool put_u16s(struct rdata *r, struct text *t, int n)
{
	for (; n > 0; n--) {
		uint16_t v;

		if (!take_u16(t, &v))
			return false;
		put_u16(r, v);
	}
	return true;
}

/* The next word is a name; with @root "." is one, too. */
static bool take_name(struct text *t, bool root, struct dname *ret)
{
	struct text w = text_word_take(t);

	if (root && text_is(w, ".")) {
		*ret = (struct dname){ .len = 1 };
		return true;
	}
	return text_name(w, ret) == NULL;
}

static bool put_name(struct rdata *r, struct text *t, bool root)
{
	struct dname name;

	if (!take_name(t, root, &name))
		return false;
	memcpy(r->bytes + r->len, name.wire, name.len);
	r->len += name.len;
	return true;
}

/* The text in strings of 255 bytes (RFC 1035 3.3.14). */
static bool put_text(struct rdata *r, struct text t)
{
	do {
		size_t n = t.len < 255 ? t.len : 255;

		r->bytes[r->len++] = (uint8_t)n;
		memcpy(r->bytes + r->len, t.s, n);
		r->len += n;
		t = text_skip(t, n);
	} while (t.len > 0);
	return true;
}

/* "alpn=h3": of characters that mean nothing else in a zone file, and no number that ldns would cut. */
static bool param_ok(struct text w)
{
	static const char chars[] = "-_.:+/=,";
	struct text key = { w.s, 0 }, rest;
	uint16_t number;

	for (size_t i = 0; i < w.len; i++)
		if (!(w.s[i] >= 'a' && w.s[i] <= 'z') && !(w.s[i] >= 'A' && w.s[i] <= 'Z') &&
		    !(w.s[i] >= '0' && w.s[i] <= '9') && memchr(chars, w.s[i], sizeof(chars) - 1) == NULL)
			return false;
	while (key.len < w.len && key.s[key.len] != '=')
		key.len++;
	rest = text_skip(w, key.len < w.len ? key.len + 1 : key.len);
	if (text_is(key, "port"))
		return take_u16(&rest, &number);
	rest = key;
	if (text_starts(key, "key") && key.len > 3) {
		rest = text_skip(key, 3);
		return take_u16(&rest, &number);
	}
	return true;
}

static uint16_t u16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Parameters in wire form, in the order of their keys, each key once (RFC 9460 2.2). */
static bool put_params(struct rdata *r, const uint8_t *data, size_t len)
{
	size_t starts[PARAMS_MAX], n = 0;

	for (size_t at = 0; at < len; n++) {
		size_t i = n;

		if (n == PARAMS_MAX || len - at < PARAM_HEAD || u16_at(data + at + 2) > len - at - PARAM_HEAD)
			return false;
		for (; i > 0 && u16_at(data + starts[i - 1]) > u16_at(data + at); i--)
			starts[i] = starts[i - 1];
		if (i > 0 && u16_at(data + starts[i - 1]) == u16_at(data + at))
			return false;
		starts[i] = at;
		at += PARAM_HEAD + u16_at(data + at + 2);
	}
	for (size_t i = 0; i < n; i++) {
		size_t bytes = PARAM_HEAD + u16_at(data + starts[i] + 2);

		if (bytes > RDATA_BYTES_MAX - r->len)
			return false;
		memcpy(r->bytes + r->len, data + starts[i], bytes);
		r->len += bytes;
	}
	return true;
}

/* "prio target key=value …" of SVCB and HTTPS. */
static bool put_svcb(struct rdata *r, struct text t)
{
	char line[LIST_LINE_MAX_BYTES + 32] = ". 0 IN SVCB 1 . ";
	size_t at = strlen(line);
	ldns_rr *rr = NULL;
	ldns_rdf *params;
	struct text w;
	bool ok;

	if (!put_u16s(r, &t, 1) || !put_name(r, &t, true))
		return false;
	if (text_trim(t).len == 0)
		return true;
	if (r->bytes[0] == 0 && r->bytes[1] == 0) /* an alias has none */
		return false;
	while ((w = text_word_take(&t)).len != 0) {
		if (!param_ok(w) || w.len + 2 > sizeof(line) - at)
			return false;
		memcpy(line + at, w.s, w.len);
		at += w.len;
		line[at++] = ' ';
	}
	line[at - 1] = '\0';
	if (ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) != LDNS_STATUS_OK)
		return false;
	params = ldns_rr_rdf(rr, 2);
	ok = params != NULL && put_params(r, ldns_rdf_data(params), ldns_rdf_size(params));
	ldns_rr_free(rr);
	return ok;
}

/* 0.0.0.0, 127.0.0.1 and the like lead nowhere: any list may answer with them. */
static void put_addr(struct list_terms *terms, const struct ip_addr *addr, bool *ret_redirects)
{
	*ret_redirects = !ip_addr_is_any(addr) && !ip_addr_is_loopback(addr);
	list_terms_put_record(terms, addr->family == IP_V4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA, 0, addr->bytes,
			      ip_addr_len(addr));
}

static const char *record_read(uint16_t type, struct text t, struct list_terms *terms, bool *ret_redirects)
{
	struct rdata r = { .len = 0 };
	struct ip_addr addr;
	struct dname name;
	bool ok = false;

	*ret_redirects = true;
	switch (type) {
	case LDNS_RR_TYPE_A:
	case LDNS_RR_TYPE_AAAA:
		if (!text_address(t, &addr, NULL) || (addr.family == IP_V4) != (type == LDNS_RR_TYPE_A))
			return "$dnsrewrite: no address, or one of the other family";
		put_addr(terms, &addr, ret_redirects);
		return NULL;
	case LDNS_RR_TYPE_CNAME:
		if (!take_name(&t, false, &name) || text_trim(t).len != 0)
			return "$dnsrewrite: no such name";
		list_terms_put(terms, TERM_CNAME, false, name.wire, name.len);
		return NULL;
	case LDNS_RR_TYPE_PTR:
		ok = put_name(&r, &t, false) && text_trim(t).len == 0;
		break;
	case LDNS_RR_TYPE_MX:
		ok = put_u16s(&r, &t, 1) && put_name(&r, &t, true) && text_trim(t).len == 0;
		break;
	case LDNS_RR_TYPE_SRV:
		ok = put_u16s(&r, &t, 3) && put_name(&r, &t, true) && text_trim(t).len == 0;
		break;
	case LDNS_RR_TYPE_TXT:
		ok = put_text(&r, t);
		break;
	case LDNS_RR_TYPE_SVCB:
	case LDNS_RR_TYPE_HTTPS:
		ok = put_svcb(&r, t);
		break;
	default:
		return "$dnsrewrite: records of that type are not offered";
	}
	if (!ok)
		return "$dnsrewrite: the record's data cannot be read";
	list_terms_put_record(terms, type, 0, r.bytes, r.len);
	return NULL;
}

/* Of codes there is no more than what blocks. */
static bool code_of(struct text t, enum list_answer *ret)
{
	if (text_is_nocase(t, "NOERROR"))
		*ret = LIST_ANSWER_NODATA;
	else if (text_is_nocase(t, "NXDOMAIN"))
		*ret = LIST_ANSWER_NXDOMAIN;
	else if (text_is_nocase(t, "SERVFAIL"))
		*ret = LIST_ANSWER_SERVFAIL;
	else if (text_is_nocase(t, "REFUSED"))
		*ret = LIST_ANSWER_REFUSED;
	else
		return false;
	return true;
}

static const char *code_put(struct text t, struct list_terms *terms)
{
	enum list_answer answer;
	uint8_t byte;

	if (!code_of(t, &answer))
		return "$dnsrewrite: answers are NOERROR, NXDOMAIN, SERVFAIL and REFUSED";
	byte = (uint8_t)answer;
	list_terms_put(terms, TERM_ANSWER, false, &byte, 1);
	return NULL;
}

static bool all_capitals(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.s[i] < 'A' || t.s[i] > 'Z')
			return false;
	return true;
}

static const char *short_read(struct text t, struct list_terms *terms, bool *ret_redirects)
{
	struct ip_addr addr;

	if (all_capitals(t))
		return code_put(t, terms);
	if (text_address(t, &addr, NULL)) {
		put_addr(terms, &addr, ret_redirects);
		return NULL;
	}
	return record_read(LDNS_RR_TYPE_CNAME, t, terms, ret_redirects);
}

/* Types are written in any case, and only those of the table there are. */
static uint16_t type_of(struct text t)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = {
		{ "A", LDNS_RR_TYPE_A },     { "AAAA", LDNS_RR_TYPE_AAAA }, { "CNAME", LDNS_RR_TYPE_CNAME },
		{ "MX", LDNS_RR_TYPE_MX },   { "PTR", LDNS_RR_TYPE_PTR },   { "TXT", LDNS_RR_TYPE_TXT },
		{ "SRV", LDNS_RR_TYPE_SRV }, { "SVCB", LDNS_RR_TYPE_SVCB }, { "HTTPS", LDNS_RR_TYPE_HTTPS },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (text_is_nocase(t, types[i].name))
			return types[i].type;
	return 0;
}

const char *adguard_rewrite_read(struct text value, struct list_terms *terms, bool *ret_redirects)
{
	char buf[LIST_LINE_MAX_BYTES];
	struct text code, type;

	*ret_redirects = false;
	value = adguard_unescape(value, ",$", buf);
	if (!text_has(value, ';'))
		return short_read(value, terms, ret_redirects);
	code = adguard_piece_take(&value, ';');
	type = adguard_piece_take(&value, ';');
	if (value.s == NULL)
		return "$dnsrewrite: either no semicolon or two: CODE;TYPE;VALUE";
	if (type.len == 0 && value.len == 0)
		return code_put(code, terms);
	if (!text_is_nocase(code, "NOERROR"))
		return "$dnsrewrite: only NOERROR has records";
	return record_read(type_of(type), value, terms, ret_redirects);
}
