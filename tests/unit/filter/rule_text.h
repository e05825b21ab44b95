/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rule of a list as a line of a table of cases:
 *
 *	KIND.ACTION[!] WHERE [CONDITION…] [ANSWER…] [badfilter]
 *
 * "!" is $important. WHERE is a name, a prefix, a pattern in AdGuard's form or an expression. */
#pragma once

#include "filter/listrule.h"

#include <inttypes.h>
#include <ldns/ldns.h>

#define RULE_TEXT_MAX 2048u

static const char *const rule_kinds[] = { [LIST_CLIENT_ADDRESS] = "client",
					  [LIST_NAME] = "name",
					  [LIST_BELOW] = "below",
					  [LIST_SUBTREE] = "subtree",
					  [LIST_ADDRESS] = "address",
					  [LIST_PATTERN] = "pattern",
					  [LIST_REGEX] = "regex" };
static const char *const rule_actions[] = {
	[LIST_BLOCK] = "block", [LIST_ALLOW] = "allow", [LIST_REWRITE] = "rewrite", [LIST_KEEP] = "keep"
};
static const char *const rule_answers[] = {
	[LIST_ANSWER_VIEW] = "VIEW",	     [LIST_ANSWER_NODATA] = "NODATA",	  [LIST_ANSWER_NXDOMAIN] = "NXDOMAIN",
	[LIST_ANSWER_REFUSED] = "REFUSED",   [LIST_ANSWER_SERVFAIL] = "SERVFAIL", [LIST_ANSWER_DROP] = "DROP",
	[LIST_ANSWER_TCP_ONLY] = "TCP-ONLY",
};
static_assert(ARRAY_LEN(rule_kinds) == LIST_KIND_MAX && ARRAY_LEN(rule_actions) == LIST_ACTION_MAX &&
		      ARRAY_LEN(rule_answers) == LIST_ANSWER_MAX,
	      "names");

static inline void PRINTF_LIKE(2, 3) rule_add(char *buf, const char *fmt, ...)
{
	size_t at = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf + at, RULE_TEXT_MAX - at, fmt, ap);
	va_end(ap);
}

/* "A/192.0.2.1", with a TTL "A/300/192.0.2.1"; data of other types as hexadecimal digits. */
static inline void rule_add_record(char *buf, const struct list_term *t)
{
	const uint8_t *data;
	char text[IP_TEXT_MAX];
	uint16_t type, len;
	uint32_t ttl_s;

	list_term_record(t, &type, &ttl_s, &data, &len);
	if (ldns_rr_descript(type)->_name != NULL)
		rule_add(buf, " %s/", ldns_rr_descript(type)->_name);
	else
		rule_add(buf, " TYPE%u/", type);
	if (ttl_s != 0)
		rule_add(buf, "%" PRIu32 "/", ttl_s);
	if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) {
		const struct ip_addr a = ip_addr_from_bytes(data, len);

		rule_add(buf, "%s", ip_addr_print(&a, text));
		return;
	}
	for (uint16_t i = 0; i < len; i++)
		rule_add(buf, "%02x", data[i]);
}

static inline void rule_add_term(char *buf, const struct list_term *t)
{
	const char *not = t->denied ? "!" : "";
	char text[DNAME_TEXT_MAX];
	struct ip_prefix net;
	struct dname name;
	uint16_t type;

	switch (t->type) {
	case TERM_CLIENT_NET:
		memcpy(&net, t->data, sizeof(net));
		rule_add(buf, " client=%s%s", not, ip_prefix_print(&net, text));
		break;
	case TERM_CLIENT_NAME:
		rule_add(buf, " client=%s'%.*s'", not, t->len, (const char *)t->data);
		break;
	case TERM_CLIENT_TAG:
		rule_add(buf, " %s%.*s", not, t->len, (const char *)t->data);
		break;
	case TERM_TYPE:
		memcpy(&type, t->data, sizeof(type));
		rule_add(buf, " type=%s%s", not, ldns_rr_descript(type)->_name);
		break;
	case TERM_DENYALLOW:
		list_term_name(t, &name);
		rule_add(buf, " but=%s", dname_print(&name, text));
		break;
	case TERM_ANSWER:
		rule_add(buf, " %s", rule_answers[t->data[0]]);
		break;
	case TERM_CNAME:
	case TERM_CNAME_BELOW:
		list_term_name(t, &name);
		rule_add(buf, " CNAME/%s%s", t->type == TERM_CNAME ? "" : "*.", dname_print(&name, text));
		break;
	case TERM_RECORD:
		rule_add_record(buf, t);
		break;
	case TERM_PATTERN:
	case TERM_REGEX:
	case TERM_TEXT:
	case TERM_MAX:
		break;
	}
}

static inline void rule_add_where(char *buf, const struct list_rule *rule)
{
	char text[DNAME_TEXT_MAX];
	struct list_term t;

	switch (rule->kind) {
	case LIST_NAME:
	case LIST_BELOW:
	case LIST_SUBTREE:
		rule_add(buf, " %s", dname_print(&rule->name, text));
		break;
	case LIST_ADDRESS:
	case LIST_CLIENT_ADDRESS:
		rule_add(buf, " %s", ip_prefix_print(&rule->prefix, text));
		break;
	case LIST_PATTERN:
		if (!list_terms_find(rule->terms, rule->terms_len, TERM_PATTERN, &t))
			break;
		rule_add(buf, " %s%.*s%s",
			 (t.data[0] & LIST_ANCHOR_LABEL) != 0	? "||"
			 : (t.data[0] & LIST_ANCHOR_BEGIN) != 0 ? "|"
								: "",
			 t.len - 1, (const char *)t.data + 1, (t.data[0] & LIST_ANCHOR_END) != 0 ? "^" : "");
		break;
	case LIST_REGEX:
		if (!list_terms_find(rule->terms, rule->terms_len, TERM_REGEX, &t))
			break;
		rule_add(buf, " %s%.*s", t.data[0] != 0 ? "!" : "", t.len - 1, (const char *)t.data + 1);
		break;
	case LIST_KIND_MAX:
		break;
	}
}

/* @buf holds RULE_TEXT_MAX bytes. */
static inline void rule_text(const struct list_rule *rule, char *buf)
{
	struct list_term t;
	size_t at = 0;

	buf[0] = '\0';
	rule_add(buf, "%s.%s%s", rule_kinds[rule->kind], rule_actions[rule->action], rule->important ? "!" : "");
	rule_add_where(buf, rule);
	while (list_terms_next(rule->terms, rule->terms_len, &at, &t))
		rule_add_term(buf, &t);
	if (rule->badfilter)
		rule_add(buf, " badfilter");
}
