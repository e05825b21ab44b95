/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to dnsd's views. Called by gatewayd on reload and by `sluice compile --format views`; filter/ and dnsd/ read it.
 *
 * Only rules with names, or that close addresses, appear, numbered anew in the plan's order; only active devices are
 * clients: whoever is not among them is refused by dnsd. */
#include "policy/lower_dns.h"

#include "policy/json_out.h"
#include "policy/lower_closed.h"

static const char *const level_names[] = {
	[LOG_LEVEL_OFF] = "off",       [LOG_LEVEL_BLOCKED] = "blocked",
	[LOG_LEVEL_COUNTS] = "counts", [LOG_LEVEL_PSEUDONYMOUS] = "pseudonymous",
	[LOG_LEVEL_FULL] = "full",
};
static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_MAX, "names");

static const char *const block_names[] = {
	[BLOCK_NULL] = "null",	     [BLOCK_NXDOMAIN] = "nxdomain", [BLOCK_NODATA] = "nodata",
	[BLOCK_REFUSED] = "refused", [BLOCK_CUSTOM] = "custom",	    [BLOCK_DROP] = "drop",
};
static_assert(ARRAY_LEN(block_names) == BLOCK_MODE_MAX, "names");

static const char *const reason_names[] = {
	[BLOCK_REASON_BLOCKED] = "blocked",
	[BLOCK_REASON_CENSORED] = "censored",
	[BLOCK_REASON_FILTERED] = "filtered",
};
static_assert(ARRAY_LEN(reason_names) == BLOCK_REASON_MAX, "names");

static const char *const upstream_names[] = {
	[UPSTREAM_RECURSIVE] = "recursive",
	[UPSTREAM_UDP] = "udp",
	[UPSTREAM_TLS] = "tls",
};

/* It has to do with names, or with what they lead to. */
static bool is_sent(const struct plan_rule *r)
{
	return r->n_names != 0 || r->n_closed != 0;
}

/* Numbers of the plan's rules, as numbers in the list that is sent. */
static void add_rule_numbers(struct json_out *j, cJSON *to, const char *key, const uint32_t *rules, uint32_t n,
			     const uint32_t *sent)
{
	cJSON *list = json_array(j, to, key);

	for (uint32_t i = 0; i < n; i++)
		json_number(j, list, NULL, sent[rules[i]]);
}

static void add_strings(struct json_out *j, cJSON *to, const char *key, const char *const *strings)
{
	cJSON *list = json_array(j, to, key);

	for (uint32_t i = 0; strings[i] != NULL; i++)
		json_string(j, list, NULL, strings[i]);
}

static void add_numbers(struct json_out *j, cJSON *to, const char *key, const uint32_t *numbers, uint32_t n)
{
	cJSON *list = json_array(j, to, key);

	for (uint32_t i = 0; i < n; i++)
		json_number(j, list, NULL, numbers[i]);
}

/* How blocked names are answered; what is as usual is left out. */
static void add_blocking(struct json_out *j, cJSON *o, const struct plan_view *v)
{
	char text[IP_TEXT_MAX];
	cJSON *list;

	json_string(j, o, "blockMode", block_names[v->block_mode]);
	if (v->block_mode == BLOCK_CUSTOM) {
		list = json_array(j, o, "blockAddrs");
		for (uint32_t i = 0; i < BLOCK_ADDR_MAX; i++)
			if (v->block_addrs[i].family != IP_NONE)
				json_string(j, list, NULL, ip_addr_print(&v->block_addrs[i], text));
	}
	if (v->block_ttl_s != BLOCK_TTL_S)
		json_number(j, o, "blockTtl", v->block_ttl_s);
	if (v->block_reason != BLOCK_REASON_BLOCKED)
		json_string(j, o, "blockReason", reason_names[v->block_reason]);
}

static void add_view(struct json_out *j, cJSON *to, const struct plan_view *v, const uint32_t *sent)
{
	cJSON *o = json_object(j, to, NULL);

	json_string(j, o, "filter", v->filter_pos);
	json_number(j, o, "route", v->route);
	add_numbers(j, o, "lists", v->lists, v->n_lists);
	if (v->n_safe != 0)
		add_numbers(j, o, "safe", v->safe, v->n_safe);
	add_strings(j, o, "block", v->block);
	add_strings(j, o, "allow", v->allow);
	add_blocking(j, o, v);
	json_bool(j, o, "resolveFirst", v->resolve_first);
	json_bool(j, o, "flows", v->record_flows);
	json_string(j, o, "queries", level_names[v->queries]);
	add_rule_numbers(j, o, "grants", v->grants, v->n_grants, sent);
	add_rule_numbers(j, o, "denies", v->denies, v->n_denies, sent);
	if (v->n_deny_addrs != 0)
		add_rule_numbers(j, o, "denyAddrs", v->deny_addrs, v->n_deny_addrs, sent);
}

static void add_rule(struct json_out *j, cJSON *to, const struct plan_rule *r)
{
	cJSON *o = json_object(j, to, NULL), *names;
	char text[DNAME_TEXT_MAX], name[DNAME_TEXT_MAX + 2];

	json_number(j, o, "mark", r->mark);
	json_string(j, o, "pos", r->pos);
	json_number(j, o, "line", r->line);
	names = json_array(j, o, "names");
	for (uint32_t i = 0; i < r->n_names; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", r->names[i].below ? "*." : "",
			       dname_print(&r->names[i].name, text));
		json_string(j, names, NULL, name);
	}
	lower_closed(j, o, r);
}

static void add_clients(struct json_out *j, cJSON *to, const struct plan_device *dev)
{
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; i < dev->n_addrs; i++) {
		cJSON *o = json_object(j, to, NULL);

		json_string(j, o, "addr", ip_addr_print(&dev->addrs[i], text));
		json_string(j, o, "device", dev->name);
		if (dev->tags != NULL && dev->tags[0] != NULL)
			add_strings(j, o, "tags", dev->tags);
		json_number(j, o, "view", dev->view_id);
	}
}

static void add_upstreams(struct json_out *j, cJSON *to, const char *key, const struct plan_upstream *u, uint32_t n)
{
	cJSON *list = json_array(j, to, key);
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; i < n; i++) {
		cJSON *o = json_object(j, list, NULL);

		json_string(j, o, "kind", upstream_names[u[i].kind]);
		if (u[i].kind == UPSTREAM_RECURSIVE)
			continue;
		json_string(j, o, "addr", ip_addr_print(&u[i].addr, text));
		json_number(j, o, "port", u[i].port);
		if (u[i].tls_name != NULL)
			json_string(j, o, "tlsName", u[i].tls_name);
	}
}

static void add_route(struct json_out *j, cJSON *to, const struct plan_route *route,
		      const struct plan_upstream *fallback, uint32_t n_fallback)
{
	cJSON *o = json_object(j, to, NULL), *list;
	char name[DNAME_TEXT_MAX];

	if (route->n_upstreams != 0)
		add_upstreams(j, o, "upstreams", route->upstreams, route->n_upstreams);
	else
		add_upstreams(j, o, "upstreams", fallback, n_fallback);
	list = json_array(j, o, "splits");
	for (uint32_t i = 0; i < route->n_splits; i++) {
		cJSON *split = json_object(j, list, NULL);

		json_string(j, split, "suffix", dname_print(&route->splits[i].suffix, name));
		add_upstreams(j, split, "upstreams", route->splits[i].upstreams, route->splits[i].n_upstreams);
	}
}

static void add_data(struct json_out *j, cJSON *to, const struct plan_record *record)
{
	char hex[RECORD_DATA_MAX * 2 + 1];

	for (uint16_t i = 0; i < record->data_len; i++)
		(void)snprintf(hex + (size_t)i * 2, 3, "%02x", record->data[i]);
	hex[(size_t)record->data_len * 2] = '\0';
	json_number(j, to, "type", record->type);
	json_string(j, to, "data", hex);
	json_string(j, to, "text", record->text);
}

static void add_records(struct json_out *j, cJSON *root, const struct plan *p)
{
	cJSON *list = json_array(j, root, "records");
	char name[DNAME_TEXT_MAX], text[IP_TEXT_MAX];

	for (uint32_t i = 0; i < p->n_records; i++) {
		const struct plan_record *record = &p->records[i];
		cJSON *o = json_object(j, list, NULL);

		json_string(j, o, "name", dname_print(&record->name, name));
		if (record->below)
			json_bool(j, o, "below", true);
		if (record->addr.family != IP_NONE)
			json_string(j, o, "addr", ip_addr_print(&record->addr, text));
		else
			add_data(j, o, record);
		if (record->ttl_s != RECORD_TTL_S)
			json_number(j, o, "ttl", record->ttl_s);
	}
	if (p->domain.len != 0)
		json_string(j, root, "domain", dname_print(&p->domain, name));
	list = json_array(j, root, "rebindAllow");
	for (uint32_t i = 0; i < p->n_rebind_allow; i++)
		json_string(j, list, NULL, dname_print(&p->rebind_allow[i], name));
	json_bool(j, root, "canaries", p->canaries);
}

static void add_views(struct json_out *j, cJSON *root, const struct plan *p, const uint32_t *sent)
{
	cJSON *list = json_array(j, root, "lists");

	for (uint32_t i = 0; i < p->n_lists; i++)
		json_string(j, list, NULL, p->lists[i].name);
	list = json_array(j, root, "views");
	for (uint32_t i = 0; i < p->n_views; i++)
		add_view(j, list, &p->views[i], sent);
	list = json_array(j, root, "rules");
	for (uint32_t i = 0; i < p->n_rules; i++) {
		if (is_sent(&p->rules[i]))
			add_rule(j, list, &p->rules[i]);
	}
	list = json_array(j, root, "clients");
	for (uint32_t i = 0; i < p->n_devices; i++) {
		if (p->devices[i].state == DEVICE_ACTIVE)
			add_clients(j, list, &p->devices[i]);
	}
}

static void add_overrides(struct json_out *j, cJSON *root, const struct override *overrides, uint32_t n)
{
	cJSON *list = n != 0 ? json_array(j, root, "overrides") : NULL;
	char name[DNAME_TEXT_MAX];

	for (uint32_t i = 0; i < n; i++) {
		const struct override *v = &overrides[i];
		cJSON *o = json_object(j, list, NULL);

		json_number(j, o, "id", v->id);
		json_string(j, o, "device", v->device[0] != '\0' ? v->device : NULL);
		json_string(j, o, "name", v->name.len != 0 ? dname_print(&v->name, name) : NULL);
		json_bool(j, o, "below", v->below);
		json_number(j, o, "until", (uint64_t)v->until_s);
	}
}

int lower_dns(const struct plan *p, const struct plan_upstream *fallback, uint32_t n_fallback, uint64_t generation,
	      char **ret, struct err *e)
{
	return lower_dns_overridden(p, fallback, n_fallback, generation, NULL, 0, ret, e);
}

int lower_dns_overridden(const struct plan *p, const struct plan_upstream *fallback, uint32_t n_fallback,
			 uint64_t generation, const struct override *overrides, uint32_t n_overrides, char **ret,
			 struct err *e)
{
	CLEANUP(freep) uint32_t *sent = calloc((size_t)p->n_rules + 1, sizeof(*sent));
	CLEANUP(json_out_done) struct json_out j = { 0 };
	uint32_t n_sent = 0;
	cJSON *root, *routes;

	if (sent == NULL)
		return err_set(e, -ENOMEM, "views");
	for (uint32_t i = 0; i < p->n_rules; i++)
		sent[i] = is_sent(&p->rules[i]) ? n_sent++ : 0;
	root = json_root(&j);
	json_number(&j, root, "generation", generation);
	add_views(&j, root, p, sent);
	routes = json_array(&j, root, "routes");
	for (uint32_t i = 0; i < p->n_routes; i++)
		add_route(&j, routes, &p->routes[i], fallback, n_fallback);
	add_records(&j, root, p);
	add_overrides(&j, root, overrides, n_overrides);
	*ret = json_text(&j);
	return *ret == NULL ? err_set(e, -ENOMEM, "views") : 0;
}
