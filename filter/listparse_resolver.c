/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists that are written as a resolver's configuration. Called by listparse.c for each line that is no comment.
 *
 * dnsmasq   address=/NAME/…/TARGET, server=/NAME/…/, local=/NAME/…/: the names and all below them
 * unbound   local-zone: "NAME" TYPE: the name and all below it; local-data: "NAME … TYPE DATA": the name
 *
 * Both let the longest name win, so that "server=/x/#" and "always_transparent" take a part out of what is blocked
 * above them; an exception of ours would take out what is blocked below them, too. They are skipped, which blocks more.
 * Sources: dnsmasq(8) 2.89, unbound.conf(5) 1.17. */
#include "filter/listformats.h"
#include "filter/listrecord.h"

#include <ldns/ldns.h>

/* One name between slashes: "name", ".name", "*name", "*.name", "#". False: the line is over. */
static bool dnsmasq_name(struct list_line *l, struct text name, size_t n_names, enum list_action action)
{
	bool dotted = text_starts(name, "*.");
	struct dname parsed;
	struct list_rule *r;
	const char *why;

	if (text_is(name, "#") || text_is(name, "*") || (text_starts(name, "*") && !dotted)) {
		/* A pattern has its text in the terms, which all rules of a line have in common. */
		if (n_names != 1) {
			list_line_done(l, LIST_REFUSED, "wildcard beside other names (write a line of its own)");
			return false;
		}
		if (name.len == 1)
			return list_line_every_name(l, action);
		name = text_skip(name, 1);
		why = text_name(name, &parsed);
		if (why != NULL) {
			list_line_done(l, LIST_REFUSED, why);
			return false;
		}
		r = list_line_rule(l);
		if (r == NULL)
			return false;
		r->kind = LIST_PATTERN;
		r->action = action;
		char lower[DNAME_TEXT_MAX];

		(void)dname_print(&parsed, lower);
		list_terms_put_tagged(&l->terms, TERM_PATTERN, LIST_ANCHOR_END, lower, strlen(lower));
		return true;
	}
	if (dotted)
		return list_line_name(l, text_skip(name, 2), LIST_BELOW, action);
	return list_line_name(l, text_starts(name, ".") ? text_skip(name, 1) : name, LIST_SUBTREE, action);
}

/* @t behind the first slash: names, a slash behind each, and the target. */
static void dnsmasq_line(const struct list_parser *p, struct text line, struct text t, bool address,
			 struct list_line *l)
{
	enum list_action action = LIST_BLOCK;
	size_t names_len = t.len, n_names = 0;
	struct text target;
	struct ip_addr addr = { 0 };

	while (names_len > 0 && t.s[names_len - 1] != '/')
		names_len--;
	if (names_len == 0)
		return list_line_done(l, LIST_REFUSED, "dnsmasq rule without its second slash");
	target = text_trim(text_skip(t, names_len));
	if (target.len != 0 && !address)
		return list_line_done(l, LIST_SKIPPED, "forwarding rule");
	if (names_len == 1)
		return list_line_done(l, LIST_SKIPPED, "rule for names without a dot");
	if (target.len != 0 && !text_is(target, "#")) {
		if (!text_address(target, &addr, NULL))
			return list_line_done(l, LIST_REFUSED, "dnsmasq rule with a target that is no address");
		if (!list_addr_blocks(&addr))
			action = LIST_REWRITE;
	}
	for (size_t i = 0; i < names_len; i++)
		n_names += t.s[i] == '/';
	for (size_t at = 0; at < names_len;) {
		const char *slash = memchr(t.s + at, '/', names_len - at);
		struct text name = { t.s + at, (size_t)(slash - t.s) - at };

		if (!dnsmasq_name(l, name, n_names, action))
			return;
		at += name.len + 1;
	}
	if (action == LIST_REWRITE && !p->trusted)
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_UNTRUSTED);
	if (action == LIST_REWRITE)
		list_terms_put_addr(&l->terms, &addr, 0);
	list_line_seal(l, line);
}

static bool dnsmasq(const struct list_parser *p, struct text t, struct list_line *l)
{
	static const char *const others[] = {
		"ipset=",      "nftset=",	  "cname=",	     "host-record=", "rebind-domain-ok=", "conf-file=",
		"conf-dir=",   "bogus-nxdomain=", "ignore-address=", "server=",	     "addn-hosts=",	  "txt-record=",
		"ptr-record=", "mx-host=",	  "srv-host=",	     "rev-server="
	};

	if (text_starts(t, "address=/"))
		dnsmasq_line(p, t, text_skip(t, strlen("address=/")), true, l);
	else if (text_starts(t, "server=/"))
		dnsmasq_line(p, t, text_skip(t, strlen("server=/")), false, l);
	else if (text_starts(t, "local=/"))
		dnsmasq_line(p, t, text_skip(t, strlen("local=/")), false, l);
	else {
		for (size_t i = 0; i < ARRAY_LEN(others); i++) {
			if (!text_starts(t, others[i]))
				continue;
			list_line_done(l, LIST_SKIPPED, "dnsmasq option that blocks no name");
			return true;
		}
		return false;
	}
	return true;
}

/* What a type of unbound's local-zone is to names without local-data. */
struct zone_type {
	const char *name;
	enum list_answer answer;
	uint16_t type; /* asked for; 0: all */
};

static const struct zone_type blocking[] = {
	{ "always_null", LIST_ANSWER_VIEW, 0 },
	{ "always_nxdomain", LIST_ANSWER_VIEW, 0 },
	{ "static", LIST_ANSWER_VIEW, 0 },
	{ "always_nodata", LIST_ANSWER_NODATA, 0 },
	{ "always_refuse", LIST_ANSWER_REFUSED, 0 },
	{ "refuse", LIST_ANSWER_REFUSED, 0 },
	{ "always_deny", LIST_ANSWER_DROP, 0 },
	{ "deny", LIST_ANSWER_DROP, 0 },
	{ "inform_deny", LIST_ANSWER_DROP, 0 },
	{ "truncate", LIST_ANSWER_TCP_ONLY, 0 },
	{ "block_a", LIST_ANSWER_NODATA, LDNS_RR_TYPE_A },
};

static const char *const passing[] = { "transparent", "typetransparent",    "nodefault", "inform",
				       "noview",      "always_transparent", "ipset" };

static struct text unquoted(struct text t)
{
	if (t.len >= 2 && (t.s[0] == '"' || t.s[0] == '\'') && t.s[t.len - 1] == t.s[0])
		return (struct text){ t.s + 1, t.len - 2 };
	return t;
}

static void zone_block(struct text line, struct text name, const struct zone_type *type, struct list_line *l)
{
	const uint8_t answer = (uint8_t)type->answer;

	if (text_is(name, ".")) {
		if (!list_line_every_name(l, LIST_BLOCK))
			return;
	} else if (!list_line_name(l, name, LIST_SUBTREE, LIST_BLOCK)) {
		return;
	}
	if (type->type != 0)
		list_terms_put(&l->terms, TERM_TYPE, false, &type->type, sizeof(type->type));
	if (answer != LIST_ANSWER_VIEW)
		list_terms_put(&l->terms, TERM_ANSWER, false, &answer, sizeof(answer));
	list_line_seal(l, line);
}

/* local-zone: "name." type */
static void unbound_zone(struct list_parser *p, struct text line, struct text t, struct list_line *l)
{
	struct text name = unquoted(text_word_take(&t)), type = unquoted(text_word_take(&t));
	const char *why;

	if (type.len == 0)
		return list_line_done(l, LIST_REFUSED, "local-zone without a name or a type");
	for (size_t i = 0; i < ARRAY_LEN(blocking); i++)
		if (text_is(type, blocking[i].name))
			return zone_block(line, name, &blocking[i], l);
	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		if (text_is(type, passing[i]))
			return list_line_done(l, LIST_SKIPPED, "local-zone of a type that does not block");
	if (!text_is(type, "redirect") && !text_is(type, "inform_redirect"))
		return list_line_done(l, LIST_REFUSED, "local-zone of a type that is not known");
	why = text_name(name, &p->redirected);
	if (why != NULL)
		return list_line_done(l, LIST_REFUSED, why);
	list_line_done(l, LIST_SKIPPED, "local-zone whose local-data say what is answered");
}

/* local-data: "name [ttl] [class] TYPE data" */
static void unbound_data(const struct list_parser *p, struct text line, struct text t, struct list_line *l)
{
	struct text rest = unquoted(text_trim(t)), name = text_word_take(&rest);
	enum list_action action = LIST_BLOCK;
	struct list_record record;
	const char *why = list_record_read(rest, 0, false, &record);

	if (why == NULL && list_record_is_zones(record.type))
		return list_line_done(l, LIST_SKIPPED, "record of the zone itself");
	if (why != NULL)
		return list_line_done(l, LIST_REFUSED, why);
	if (!list_line_name(l, name, LIST_NAME, LIST_BLOCK))
		return;
	why = list_record_rule(&record, &(struct dname){ .len = 1 }, &action, &l->terms);
	if (why != NULL)
		return list_line_done(l, LIST_REFUSED, why);
	if (action == LIST_REWRITE && !p->trusted)
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_UNTRUSTED);
	l->rules[0].action = action;
	if (p->redirected.len != 0 && dname_equal(&p->redirected, &l->rules[0].name))
		l->rules[0].kind = LIST_SUBTREE;
	list_line_seal(l, line);
}

static bool unbound(struct list_parser *p, struct text t, struct list_line *l)
{
	static const char *const others[] = {
		"server:",  "local-data-ptr:",	 "local-zone-tag:",	"local-zone-override:",
		"include:", "include-toplevel:", "private-domain:",	"domain-insecure:",
		"rpz:",	    "access-control:",	 "access-control-tag:", "define-tag:",
		"view:",    "forward-zone:",	 "stub-zone:",		"remote-control:",
		"python:"
	};

	if (text_starts(t, "local-zone:"))
		unbound_zone(p, t, text_skip(t, strlen("local-zone:")), l);
	else if (text_starts(t, "local-data:"))
		unbound_data(p, t, text_skip(t, strlen("local-data:")), l);
	else {
		for (size_t i = 0; i < ARRAY_LEN(others); i++) {
			if (!text_starts(t, others[i]))
				continue;
			list_line_done(l, LIST_SKIPPED, "unbound option that blocks no name");
			return true;
		}
		return false;
	}
	return true;
}

bool list_parse_resolver(struct list_parser *p, struct text t, struct list_line *l)
{
	/* Both say what they are before the first '=' or ':', which names do not have. */
	if (!text_has(t, '=') && !text_has(t, ':'))
		return false;
	return dnsmasq(p, t, l) || unbound(p, t, l);
}
