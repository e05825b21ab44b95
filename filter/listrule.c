/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Terms of rules, and rules as text. Called by the parsers (which write terms), the builder (which keeps them), the
 * reader (which checks them once) and the matcher. */
#include "filter/listrule.h"

#define TERM_HEAD 3u /* type and length */

void list_terms_put(struct list_terms *t, enum list_term_type type, bool denied, const void *data, size_t len)
{
	uint16_t n = (uint16_t)len;
	uint8_t *to = t->bytes + t->len;

	if (t->full || len + TERM_HEAD > sizeof(t->bytes) - t->len) {
		t->full = true;
		return;
	}
	to[0] = (uint8_t)(type | (denied ? TERM_NOT : 0));
	memcpy(to + 1, &n, sizeof(n));
	if (len != 0)
		memcpy(to + TERM_HEAD, data, len);
	t->len = (uint16_t)(t->len + TERM_HEAD + len);
}

void list_terms_put_tagged(struct list_terms *t, enum list_term_type type, uint8_t tag, const void *data, size_t len)
{
	uint8_t buf[LIST_TERMS_MAX];

	if (len >= sizeof(buf)) {
		t->full = true;
		return;
	}
	buf[0] = tag;
	if (len != 0) /* @data may be NULL */
		memcpy(buf + 1, data, len);
	list_terms_put(t, type, false, buf, len + 1);
}

void list_terms_put_record(struct list_terms *t, uint16_t type, uint32_t ttl_s, const void *data, size_t len)
{
	uint8_t buf[LIST_TERMS_MAX];

	if (len > sizeof(buf) - sizeof(type) - sizeof(ttl_s)) {
		t->full = true;
		return;
	}
	memcpy(buf, &type, sizeof(type));
	memcpy(buf + sizeof(type), &ttl_s, sizeof(ttl_s));
	if (len != 0)
		memcpy(buf + sizeof(type) + sizeof(ttl_s), data, len);
	list_terms_put(t, TERM_RECORD, false, buf, sizeof(type) + sizeof(ttl_s) + len);
}

bool list_terms_next(const uint8_t *terms, size_t len, size_t *at, struct list_term *ret)
{
	if (*at >= len)
		return false;
	ret->type = (enum list_term_type)(terms[*at] & ~TERM_NOT);
	ret->denied = (terms[*at] & TERM_NOT) != 0;
	memcpy(&ret->len, terms + *at + 1, sizeof(ret->len));
	ret->data = terms + *at + TERM_HEAD;
	*at += TERM_HEAD + ret->len;
	return true;
}

static bool name_ok(const uint8_t *wire, size_t len)
{
	size_t at = 0;

	if (len == 0 || len > DNAME_MAX)
		return false;
	while (at < len && wire[at] != 0) {
		if (wire[at] > DNAME_LABEL_MAX)
			return false;
		at += wire[at] + 1u;
	}
	return at == len - 1;
}

static bool net_ok(const uint8_t *data, size_t len)
{
	struct ip_prefix p;

	if (len != sizeof(p))
		return false;
	memcpy(&p, data, sizeof(p));
	return (p.addr.family == IP_V4 && p.len <= 32) || (p.addr.family == IP_V6 && p.len <= 128);
}

static bool term_ok(const struct list_term *t)
{
	switch (t->type) {
	case TERM_PATTERN:
		return t->len >= 1 && t->data[0] <= (LIST_ANCHOR_LABEL | LIST_ANCHOR_BEGIN | LIST_ANCHOR_END);
	case TERM_REGEX:
		return t->len >= 2 && t->data[0] <= 1;
	case TERM_CLIENT_NET:
		return net_ok(t->data, t->len);
	case TERM_CLIENT_NAME:
	case TERM_CLIENT_TAG:
		return t->len >= 1;
	case TERM_TYPE:
		return t->len == sizeof(uint16_t);
	case TERM_DENYALLOW:
	case TERM_CNAME:
	case TERM_CNAME_BELOW:
		return name_ok(t->data, t->len);
	case TERM_ANSWER:
		return t->len == 1 && t->data[0] < LIST_ANSWER_MAX;
	case TERM_RECORD:
		return t->len >= sizeof(uint16_t) + sizeof(uint32_t);
	case TERM_TEXT:
		return t->len <= LIST_TEXT_MAX;
	case TERM_MAX:
		break;
	}
	return false;
}

bool list_terms_check(const uint8_t *terms, size_t len)
{
	size_t at = 0;

	while (at < len) {
		struct list_term t;
		uint16_t n;

		if (len - at < TERM_HEAD)
			return false;
		memcpy(&n, terms + at + 1, sizeof(n));
		if (n > len - at - TERM_HEAD)
			return false;
		(void)list_terms_next(terms, len, &at, &t);
		if (!term_ok(&t))
			return false;
	}
	return true;
}

bool list_terms_find(const uint8_t *terms, size_t len, enum list_term_type type, struct list_term *ret)
{
	size_t at = 0;

	while (list_terms_next(terms, len, &at, ret))
		if (ret->type == type)
			return true;
	return false;
}

void list_term_name(const struct list_term *t, struct dname *ret)
{
	ret->len = (uint8_t)t->len;
	ret->labels = 0;
	memcpy(ret->wire, t->data, t->len);
	for (size_t at = 0; ret->wire[at] != 0; at += ret->wire[at] + 1u)
		ret->labels++;
}

void list_term_record(const struct list_term *t, uint16_t *ret_type, uint32_t *ret_ttl_s, const uint8_t **ret_data,
		      uint16_t *ret_len)
{
	memcpy(ret_type, t->data, sizeof(*ret_type));
	memcpy(ret_ttl_s, t->data + sizeof(*ret_type), sizeof(*ret_ttl_s));
	*ret_data = t->data + sizeof(*ret_type) + sizeof(*ret_ttl_s);
	*ret_len = (uint16_t)(t->len - sizeof(*ret_type) - sizeof(*ret_ttl_s));
}

static const char *text_print(const struct list_term *t, char *buf, size_t len)
{
	size_t n = t->len < len ? t->len : len - 1;

	memcpy(buf, t->data, n);
	buf[n] = '\0';
	return buf;
}

const char *list_rule_print(const struct list_rule *rule, char *buf, size_t len)
{
	const char *at = rule->action == LIST_ALLOW || rule->action == LIST_KEEP ? "@@" : "";
	char name[DNAME_TEXT_MAX], prefix[IP_TEXT_MAX];
	struct list_term t;

	if (len == 0)
		return buf;
	if (list_terms_find(rule->terms, rule->terms_len, TERM_TEXT, &t))
		return text_print(&t, buf, len);
	switch (rule->kind) {
	case LIST_NAME:
		/* Names of one label are read where they are marked as names. */
		if (*at == '\0' && rule->name.labels > 1)
			snprintf(buf, len, "%s", dname_print(&rule->name, name));
		else
			snprintf(buf, len, "%s|%s^", at, dname_print(&rule->name, name));
		break;
	case LIST_BELOW:
		snprintf(buf, len, "%s*.%s^", at, dname_print(&rule->name, name));
		break;
	case LIST_SUBTREE:
		snprintf(buf, len, "%s||%s^", at, dname_print(&rule->name, name));
		break;
	case LIST_ADDRESS:
		snprintf(buf, len, "%s%s", at, ip_prefix_print(&rule->prefix, prefix));
		break;
	case LIST_CLIENT_ADDRESS:
		snprintf(buf, len, "%srpz-client-ip %s", at, ip_prefix_print(&rule->prefix, prefix));
		break;
	case LIST_PATTERN:
	case LIST_REGEX:
	case LIST_KIND_MAX: /* these always have their text */
		snprintf(buf, len, "%s?", at);
		break;
	}
	return buf;
}
