/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy's dns section without its lists, filters and records: upstreams, split zones. doc_upstreams() also reads
 * those of gateway.hujson. */
#include "policy/sections.h"
#include "policy/selector.h"
#include "policy/services.h"

#define DNS_PORT	  53
#define DNS_OVER_TLS_PORT 853 /* RFC 7858 3.1 */

static int upstream_error(struct doc_reader *r, struct span at, const char *text, const char *why)
{
	(void)doc_error(r, "P0601", at, "upstream \"%s\": %s", text, why);
	return -EINVAL;
}

/* "addr", "addr:port", "[addr]:port". 0 or -EINVAL (not reported). */
static int addr_port_parse(struct doc_reader *r, const char *text, struct plan_upstream *u)
{
	const char *colon = strrchr(text, ':'), *close = strchr(text, ']'), *addr;

	if (text[0] == '[') {
		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return -EINVAL;
		if (close[1] == ':' && (port_parse(close + 2, &u->port) < 0 || u->port == 0))
			return -EINVAL;
		addr = doc_strndup(r, text + 1, (size_t)(close - text - 1));
	} else if (colon != NULL && strchr(text, ':') == colon) {
		if (port_parse(colon + 1, &u->port) < 0 || u->port == 0)
			return -EINVAL;
		addr = doc_strndup(r, text, (size_t)(colon - text));
	} else {
		addr = text;
	}
	return addr != NULL ? ip_addr_parse(addr, &u->addr) : -EINVAL;
}

static int tls_name_parse(struct doc_reader *r, struct span at, const char *text, const char *name,
			  struct plan_upstream *u)
{
	struct dname parsed;

	if (name == NULL) {
		(void)doc_warn(r, "P0602", at,
			       "upstream \"%s\" names no certificate: anybody in between could answer; "
			       "write tls://address#name",
			       text);
		return 0;
	}
	if (host_name_parse(name, &parsed) < 0)
		return upstream_error(r, at, text, "what follows # must be the name in its certificate");
	u->tls_name = name;
	return 0;
}

static int upstream_parse(struct doc_reader *r, struct span at, const char *text, struct plan_upstream *ret)
{
	struct plan_upstream u = { .kind = UPSTREAM_UDP, .port = DNS_PORT };
	const char *rest = text, *hash, *scheme = strstr(text, "://"), *addr;

	if (strcmp(text, "recursive") == 0) {
		*ret = (struct plan_upstream){ .kind = UPSTREAM_RECURSIVE };
		return 0;
	}
	if (strncmp(text, "tls://", 6) == 0) {
		u.kind = UPSTREAM_TLS;
		u.port = DNS_OVER_TLS_PORT;
		rest += 6;
	} else if (strncmp(text, "udp://", 6) == 0) {
		rest += 6;
	} else if (scheme != NULL) {
		return upstream_error(r, at, text, "only udp:// and tls:// are known");
	}
	hash = strchr(rest, '#');
	if (hash != NULL && u.kind != UPSTREAM_TLS)
		return upstream_error(r, at, text, "a certificate's name is for tls:// only");
	addr = hash != NULL ? doc_strndup(r, rest, (size_t)(hash - rest)) : rest;
	if (addr == NULL)
		return -ENOMEM;
	if (addr_port_parse(r, addr, &u) < 0)
		return upstream_error(r, at, text,
				      "an address, as 9.9.9.9, 9.9.9.9:53, [2620:fe::9]:53 or "
				      "tls://9.9.9.9#dns.quad9.net, or \"recursive\"");
	if (u.kind == UPSTREAM_TLS && tls_name_parse(r, at, text, hash != NULL ? hash + 1 : NULL, &u) < 0)
		return -EINVAL;
	*ret = u;
	return 0;
}

const struct plan_upstream *doc_upstreams(struct doc_reader *r, const struct hj_node *list, uint32_t *ret_n)
{
	struct plan_upstream *items = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*items));
	uint32_t n = 0;

	for (const struct hj_node *m = items != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "an upstream");

		if (text == NULL || upstream_parse(r, m->span, text, &items[n]) < 0)
			continue;
		if (items[n].kind == UPSTREAM_RECURSIVE && list->n_children > 1)
			(void)doc_error(r, "P0603", m->span, "\"recursive\" stands alone: it needs no other upstream");
		n++;
	}
	*ret_n = n;
	return items;
}

const struct plan_split *splits_read(struct doc_reader *r, const struct hj_node *map, uint32_t *ret_n)
{
	struct plan_split *splits = doc_array(r, map != NULL ? map->n_children : 0, sizeof(*splits));
	uint32_t n = 0;

	for (const struct hj_node *m = splits != NULL && map != NULL ? map->child : NULL; m != NULL; m = m->next) {
		struct plan_split *s = &splits[n];

		if (host_name_parse(m->key, &s->suffix) < 0) {
			(void)doc_error(r, "P0604", m->key_span, "\"%s\" is no domain name", m->key);
			continue;
		}
		if (!doc_is(r, m, HJ_ARRAY, m->key))
			continue;
		if (m->n_children == 0)
			(void)doc_error(r, "P0605", m->span, "%s has no upstream", m->key);
		s->upstreams = doc_upstreams(r, m, &s->n_upstreams);
		n++;
	}
	*ret_n = n;
	return splits;
}

/* Devices' own names are below it. */
static void domain_read(struct doc_reader *r, const struct hj_node *dns, struct doc_policy *p)
{
	const char *text = doc_string(r, dns, "domain", NULL);

	if (text != NULL && host_name_parse(text, &p->domain) < 0)
		(void)doc_error(r, "P0604", hj_get(dns, "domain")->span, "\"%s\" is no domain name", text);
}

static void rebind_read(struct doc_reader *r, const struct hj_node *list, struct doc_policy *p)
{
	struct dname *names = doc_array(r, list != NULL ? list->n_children : 0, sizeof(*names));
	uint32_t n = 0;

	for (const struct hj_node *m = names != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "an entry of rebindAllow");

		if (text == NULL)
			continue;
		if (host_name_parse(text, &names[n]) < 0)
			(void)doc_error(r, "P0604", m->span, "\"%s\" is no domain name", text);
		else
			n++;
	}
	p->rebind_allow = names;
	p->n_rebind_allow = n;
}

void dns_section_read(struct doc_reader *r, const struct hj_node *root, struct doc_policy *p)
{
	static const char *const members[] = { "upstreams", "split",  "records",     "lists",	 "iplists",
					       "filters",   "domain", "rebindAllow", "canaries", NULL };
	const struct hj_node *dns = doc_map(r, root, "dns");

	p->canaries = true;
	if (dns != NULL && !doc_members(r, dns, "dns", members))
		dns = NULL;
	if (dns == NULL) {
		routes_make(r, p, NULL);
		return;
	}
	p->upstreams = doc_upstreams(r, doc_list(r, dns, "upstreams"), &p->n_upstreams);
	p->splits = splits_read(r, doc_map(r, dns, "split"), &p->n_splits);
	p->canaries = doc_bool(r, dns, "canaries", true);
	domain_read(r, dns, p);
	rebind_read(r, doc_list(r, dns, "rebindAllow"), p);
	records_read(r, doc_map(r, dns, "records"), p);
	lists_read(r, doc_map(r, dns, "lists"), p);
	filters_read(r, doc_list(r, dns, "filters"), p);
	if (p->n_lists > PLAN_LISTS_MAX)
		(void)doc_error(r, "P0625", dns->span,
				"%u lists, services and search engines counted in: a gateway has %u at most",
				p->n_lists, PLAN_LISTS_MAX);
}
