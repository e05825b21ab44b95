/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Members of the answers are an interface (docs/man/sluice.1): they are added to, never renamed. An answer that could
 * not be built whole is NULL, which control_reply() reports. */
#include "gatewayd/command.h"

#include "gatewayd/command_dns.h"
#include "gatewayd/command_drops.h"
#include "gatewayd/command_lists.h"
#include "gatewayd/command_override.h"

#include <cjson/cJSON.h>

static cJSON *answer_ok(bool ok)
{
	cJSON *o = cJSON_CreateObject();

	(void)cJSON_AddBoolToObject(o, "ok", ok);
	return o;
}

static void add_children(const struct engine *e, cJSON *o)
{
	static const enum role roles[] = { ROLE_DNSD, ROLE_RECORDER };
	cJSON *children = cJSON_AddObjectToObject(o, "children");

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		cJSON *child = cJSON_AddObjectToObject(children, role_name(roles[i]));
		struct child_state state;

		supervise_state(e->children, roles[i], &state);
		(void)cJSON_AddNumberToObject(child, "pid", state.pid);
		(void)cJSON_AddNumberToObject(child, "restarts", state.restarts);
		(void)cJSON_AddBoolToObject(child, "up", state.up);
	}
}

static void add_lists(const struct engine *e, cJSON *o)
{
	const struct lists *l = e->now.lists;

	command_lists_status(e, o);
	(void)cJSON_AddNumberToObject(o, "list_rules", l != NULL ? (double)l->rules : 0);
	(void)cJSON_AddNumberToObject(o, "list_lines_skipped", l != NULL ? (double)l->skipped : 0);
	(void)cJSON_AddNumberToObject(o, "list_lines_refused", l != NULL ? (double)l->refused : 0);
}

/* Countries, networks and address lists that the plan was compiled with. */
static void add_addresses(const struct engine *e, cJSON *o)
{
	const struct prefixes *p = e->now.loaded != NULL ? e->now.loaded->prefixes : NULL;
	cJSON *addresses = cJSON_AddObjectToObject(o, "addresses");

	(void)cJSON_AddNumberToObject(addresses, "sources", p != NULL ? p->file.n : 0);
	(void)cJSON_AddNumberToObject(addresses, "ranges", p != NULL ? (double)p->file.n_ranges : 0);
	if (p != NULL && p->warning[0] != '\0')
		(void)cJSON_AddStringToObject(addresses, "warning", p->warning);
}

/* DNSSEC: by which trust anchor dnsd validates. Its own words. */
static void add_anchor(const struct engine *e, cJSON *o)
{
	static const char *const states[] = { [ANCHOR_UNUSED] = "unused",
					      [ANCHOR_MISSING] = "missing",
					      [ANCHOR_FIXED] = "fixed",
					      [ANCHOR_KEPT] = "kept" };
	cJSON *anchor = cJSON_AddObjectToObject(o, "trust_anchor");

	static_assert(ARRAY_LEN(states) == ANCHOR_STATE_MAX, "names");
	(void)cJSON_AddStringToObject(anchor, "state", states[e->anchor.state]);
	(void)cJSON_AddNumberToObject(anchor, "trusted", e->anchor.trusted);
	(void)cJSON_AddNumberToObject(anchor, "pending", e->anchor.pending);
	(void)cJSON_AddBoolToObject(anchor, "failed", e->anchor.failed != 0);
	(void)cJSON_AddNumberToObject(anchor, "last_success", (double)e->anchor.last_success_s);
	(void)cJSON_AddNumberToObject(anchor, "next_probe", (double)e->anchor.next_probe_s);
}

/* Certificates of DNS over TLS: what is in force, and what is wrong with the files. */
static void add_tls(const struct engine *e, cJSON *o)
{
	cJSON *list = cJSON_AddArrayToObject(o, "tls");

	for (uint32_t i = 0; i < e->certs.n; i++) {
		const struct dns_cert *c = &e->certs.items[i];
		cJSON *cert = cJSON_CreateObject();

		(void)cJSON_AddStringToObject(cert, "certificate", c->doc->certificate);
		if (c->doc->name != NULL)
			(void)cJSON_AddStringToObject(cert, "name", c->doc->name);
		(void)cJSON_AddBoolToObject(cert, "in_force", c->fds[DNS_TLS_CERTIFICATE] != -1);
		(void)cJSON_AddNumberToObject(cert, "expires_s", (double)c->expires_s);
		if (c->error.code != 0)
			(void)cJSON_AddStringToObject(cert, "error", c->error.msg);
		(void)cJSON_AddItemToArray(list, cert);
	}
}

static void add_counts(const struct engine *e, cJSON *o)
{
	cJSON *counts = cJSON_AddObjectToObject(o, "counts");

	(void)cJSON_AddNumberToObject(counts, "reloads", (double)e->counts.reloads);
	(void)cJSON_AddNumberToObject(counts, "reloads_failed", (double)e->counts.reloads_failed);
	(void)cJSON_AddNumberToObject(counts, "learn_requests", (double)e->counts.learn_requests);
	(void)cJSON_AddNumberToObject(counts, "learn_failed", (double)e->counts.learn_failed);
	(void)cJSON_AddNumberToObject(counts, "names_dropped", (double)e->counts.names_dropped);
	(void)cJSON_AddNumberToObject(counts, "table_repairs", (double)e->counts.repairs);
}

static cJSON *status(struct engine *e)
{
	const struct plan *p = e->now.loaded != NULL ? e->now.loaded->plan : NULL;
	cJSON *o = answer_ok(p != NULL);
	cJSON *last;

	if (p == NULL)
		(void)cJSON_AddStringToObject(o, "error", "starting: the first plan is not in force yet");
	(void)cJSON_AddStringToObject(o, "version", SLUICE_VERSION);
	(void)cJSON_AddNumberToObject(o, "generation", (double)e->now.generation);
	(void)cJSON_AddNumberToObject(o, "uptime_s", (double)((boot_us() - e->started_us) / 1000000));
	(void)cJSON_AddStringToObject(o, "owner", nft_channel_features(e->nft)->owner ? "persist" : "plain");
	(void)cJSON_AddStringToObject(o, "netfilter", netfilter_mode_name(e->netfilter.mode));
	(void)cJSON_AddStringToObject(o, "gate", netfilter_gate_state(e));
	(void)cJSON_AddNumberToObject(o, "devices", p != NULL ? p->n_devices : 0);
	(void)cJSON_AddNumberToObject(o, "rules", p != NULL ? p->n_rules : 0);
	(void)cJSON_AddNumberToObject(o, "leases", learned_count(e->learned));
	add_children(e, o);
	add_lists(e, o);
	add_addresses(e, o);
	add_anchor(e, o);
	add_tls(e, o);
	add_counts(e, o);
	command_drops_status(e, o);
	command_override_status(e, o);
	last = cJSON_AddObjectToObject(o, "last_reload");
	(void)cJSON_AddBoolToObject(last, "ok", e->last_error == NULL);
	if (e->last_error != NULL)
		(void)cJSON_AddStringToObject(last, "error", e->last_error);
	return o;
}

static cJSON *learned(const struct engine *e, const struct control_cmd *cmd)
{
	cJSON *o = answer_ok(true);
	cJSON *leases = cJSON_AddArrayToObject(o, "leases");
	const struct plan *p = e->now.loaded != NULL ? e->now.loaded->plan : NULL;
	uint64_t now = boot_us();
	uint32_t n = 0;
	const struct lease *l = learned_find(e->learned, &cmd->client, &cmd->addr, &n);

	for (uint32_t i = 0; l != NULL && p != NULL && i < n; i++) {
		const struct plan_rule *rule = plan_rule_by_mark(p, l[i].mark);
		char text[IP_TEXT_MAX];
		cJSON *lease;

		if (l[i].expires_us <= now || (rule == NULL && l[i].mark != LEARN_SEEN))
			continue;
		lease = cJSON_CreateObject();
		(void)cJSON_AddStringToObject(lease, "rule", rule != NULL ? rule->pos : "resolve-first");
		(void)cJSON_AddStringToObject(lease, "addr", ip_addr_print(&l[i].addr, text));
		(void)cJSON_AddNumberToObject(lease, "expires_s", (double)((l[i].expires_us - now) / 1000000));
		(void)cJSON_AddItemToArray(leases, lease);
	}
	return o;
}

static void add_cuts(const struct cuts *cuts, cJSON *o)
{
	cJSON *by = NULL;

	(void)cJSON_AddNumberToObject(o, "flows", cuts->flows.seen);
	(void)cJSON_AddNumberToObject(o, "cut", cuts->flows.cut);
	(void)cJSON_AddNumberToObject(o, "cut_ms", (double)cuts->us / 1000);
	(void)cJSON_AddBoolToObject(o, "cut_pending", cuts->failed);
	by = cJSON_AddObjectToObject(o, "cut_by");
	for (int i = REVOKE_KEEP + 1; i < REVOKE_REASON_MAX; i++)
		(void)cJSON_AddNumberToObject(by, revoke_reason_key(i), cuts->flows.by_reason[i]);
}

static void reload_done(void *arg, const struct reload_result *result)
{
	cJSON *o = answer_ok(result->ok);

	(void)cJSON_AddNumberToObject(o, "generation", (double)result->generation);
	if (result->ok) {
		(void)cJSON_AddNumberToObject(o, "ops", result->ops);
		add_cuts(&result->cuts, o);
	} else {
		(void)cJSON_AddStringToObject(o, "diagnostics", result->text);
	}
	control_reply(arg, o);
}

void command_run(void *arg, struct control_client *client, const struct control_cmd *cmd)
{
	struct engine *e = arg;

	switch (cmd->kind) {
	case CONTROL_STATUS:
		command_dns_status(e, client, status(e));
		break;
	case CONTROL_LEARNED:
		control_reply(client, learned(e, cmd));
		break;
	case CONTROL_NETFILTER:
		if (engine_netfilter(e, cmd->mode, reload_done, client) < 0)
			control_reply(client, NULL);
		break;
	case CONTROL_RULES:
		control_reply(client, command_rules(e));
		break;
	case CONTROL_DROPS:
		command_drops(e, client, cmd);
		break;
	case CONTROL_DNS:
		command_dns(e, client, cmd);
		break;
	case CONTROL_OVERRIDE:
		command_override(e, client, cmd);
		break;
	case CONTROL_LISTS:
		command_lists(e, client, cmd);
		break;
	case CONTROL_RELOAD:
		if (engine_reload(e, cmd->devices_only ? RELOAD_DEVICES : RELOAD_FILES, reload_done, client) < 0)
			control_reply(client, NULL);
		break;
	}
}
