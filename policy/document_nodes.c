/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a policy says to Tailscale's clients and service: postures, nodeAttrs, autoApprovers, attrConfig and the network
 * options. Checked as Tailscale checks it, not kept: document_policy.c reports each section as not enforced. */
#include "policy/sections.h"
#include "policy/selector.h"

#include <strings.h>

/* Addresses that no pool may hand out (syntax.md 3.1.8): the service's own, and those of ChromeOS. */
static const char *const pool_holes[] = { "100.100.100.0/24", "100.115.92.0/23" };

static const struct hj_node *posture_find(const struct doc_reader *r, const char *name)
{
	const struct hj_node *m = r->postures != NULL ? r->postures->child : NULL;

	while (m != NULL && strcmp(m->key, name) != 0)
		m = m->next;
	return m;
}

void postures_check(struct doc_reader *r, const struct hj_node *list)
{
	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "a posture"), **names;
		uint32_t n = 0;

		if (text == NULL || posture_find(r, text) != NULL)
			continue;
		names = doc_hint_names(r, r->postures != NULL ? r->postures->n_children : 0);
		for (const struct hj_node *p = names != NULL && r->postures != NULL ? r->postures->child : NULL;
		     p != NULL; p = p->next)
			names[n++] = p->key;
		(void)doc_error(r, "P0214", m->span, "%s is not defined in postures%s", text, doc_hint(r, text, names));
	}
}

void postures_read(struct doc_reader *r, const struct hj_node *root)
{
	const struct hj_node *map = doc_map(r, root, "postures");

	for (const struct hj_node *m = map != NULL ? map->child : NULL; m != NULL; m = m->next) {
		if (strncmp(m->key, "posture:", 8) != 0 || m->key[8] == '\0')
			(void)doc_error(r, "P0501", m->key_span,
					"\"%s\": the names of postures begin with posture:", m->key);
		if (doc_is(r, m, HJ_ARRAY, m->key))
			(void)doc_texts(r, m, "an expression of a posture");
	}
	r->postures = map;
}

/* Tailscale's own that no policy gives: its service gives them itself (seen with the live service). */
static bool app_is_reserved(const char *own)
{
	static const char *const reserved[] = { "cap/funnel", "cap/ingress", "cap/relay-target" };

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (strcmp(own, reserved[i]) == 0)
			return true;
	}
	return strncmp(own, "cap/", 4) != 0 && strcmp(own, "app-connectors") != 0;
}

/* "example.com/webapp": a capability belongs to a domain, and Tailscale's own are theirs to define. */
static void app_name_check(struct doc_reader *r, const struct hj_node *m)
{
	static const char *const theirs = "tailscale.com/";
	const char *slash = strchr(m->key, '/'), *dot = strchr(m->key, '.'), *own = m->key + strlen(theirs);

	if (slash == NULL || slash == m->key || slash[1] == '\0' || dot == NULL || dot > slash ||
	    strpbrk(m->key, " \t:") != NULL)
		(void)doc_error(r, "P1306", m->key_span, "\"%s\" is no name of an app: domain/path, as example.com/web",
				m->key);
	else if (strncasecmp(m->key, theirs, strlen(theirs)) == 0 && app_is_reserved(own))
		(void)doc_error(r, "P1306", m->key_span, "%s: names of tailscale.com are reserved", m->key);
}

void apps_check(struct doc_reader *r, const struct hj_node *map)
{
	for (const struct hj_node *m = map != NULL ? map->child : NULL; m != NULL; m = m->next)
		app_name_check(r, m);
}

static void pools_check(struct doc_reader *r, const struct hj_node *list)
{
	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(r, m, "a pool of addresses");
		struct ip_prefix pool, hole;

		if (text == NULL)
			continue;
		if (doc_prefix(r, m->span, text, &pool) < 0) {
			(void)doc_error(r, "P1305", m->span, "%s is no pool: an address or a CIDR", text);
			continue;
		}
		for (size_t i = 0; i < ARRAY_LEN(pool_holes); i++)
			if (ip_prefix_parse(pool_holes[i], &hole, NULL) == 0 && pool.len >= hole.len &&
			    ip_prefix_contains(&hole, &pool.addr))
				(void)doc_error(r, "P1305", m->span, "%s is inside %s, which no device can have", text,
						pool_holes[i]);
	}
}

static void node_attrs_check(struct doc_reader *r, const struct hj_node *root)
{
	static const char *const members[] = { "target", "attr", "app", "ipPool", NULL };
	const struct hj_node *list = doc_list(r, root, "nodeAttrs");

	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		if (!doc_members(r, m, "an entry of nodeAttrs", members))
			continue;
		if (hj_get(m, "target") == NULL)
			(void)doc_error(r, "P0401", m->span, "this entry of nodeAttrs has no \"target\"");
		(void)selectors_read(r, PLACE_NODE_TARGET, doc_list(r, m, "target"));
		(void)doc_texts(r, doc_list(r, m, "attr"), "an attribute");
		apps_check(r, doc_map(r, m, "app"));
		pools_check(r, doc_list(r, m, "ipPool"));
	}
}

static void approvers_check(struct doc_reader *r, const struct hj_node *list)
{
	for (const struct hj_node *m = list->child; m != NULL; m = m->next)
		owner_check(r, m, "an approver");
}

static void auto_approvers_check(struct doc_reader *r, const struct hj_node *root)
{
	static const char *const members[] = { "routes", "exitNode", "services", NULL };
	const struct hj_node *map = doc_map(r, root, "autoApprovers"), *routes, *services, *exits;
	struct ip_prefix prefix;

	if (map == NULL || !doc_members(r, map, "autoApprovers", members))
		return;
	routes = doc_map(r, map, "routes");
	for (const struct hj_node *m = routes != NULL ? routes->child : NULL; m != NULL; m = m->next) {
		if (doc_prefix(r, m->key_span, m->key, &prefix) < 0)
			(void)doc_error(r, "P1307", m->key_span, "\"%s\" is no route: a CIDR", m->key);
		if (doc_is(r, m, HJ_ARRAY, m->key))
			approvers_check(r, m);
	}
	services = doc_map(r, map, "services");
	for (const struct hj_node *m = services != NULL ? services->child : NULL; m != NULL; m = m->next) {
		if (strncmp(m->key, "tag:", 4) == 0)
			(void)tag_check(r, m->key_span, m->key);
		else if (strncmp(m->key, "svc:", 4) != 0 || m->key[4] == '\0')
			(void)doc_error(r, "P1307", m->key_span, "\"%s\" is no service: svc:name or a tag", m->key);
		if (doc_is(r, m, HJ_ARRAY, m->key))
			approvers_check(r, m);
	}
	exits = doc_list(r, map, "exitNode");
	if (exits != NULL)
		approvers_check(r, exits);
}

static void attr_config_check(struct doc_reader *r, const struct hj_node *root)
{
	static const char *const members[] = { "type", "allowSetByNode", "broadcastToPeers", NULL };
	static const char *const types[] = { "string", "bool", "number", NULL };
	const struct hj_node *map = doc_map(r, root, "attrConfig");

	for (const struct hj_node *m = map != NULL ? map->child : NULL; m != NULL; m = m->next) {
		const char *type;
		uint32_t i = 0;

		if (!doc_members(r, m, "an attribute", members))
			continue;
		type = doc_string(r, m, "type", types[0]);
		while (types[i] != NULL && strcmp(types[i], type) != 0)
			i++;
		if (types[i] == NULL)
			(void)doc_error(r, "P1308", hj_get(m, "type")->span,
					"type \"%s\" is unknown: string, bool or number%s", type,
					doc_hint(r, type, types));
		(void)doc_bool(r, m, "allowSetByNode", false);
		(void)doc_texts(r, doc_list(r, m, "broadcastToPeers"), "an entry of broadcastToPeers");
	}
}

void nodes_check(struct doc_reader *r, const struct hj_node *root)
{
	node_attrs_check(r, root);
	auto_approvers_check(r, root);
	attr_config_check(r, root);
}
