/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of others' chains: Docker's documentation ("Packet filtering and firewalls"), ufw's /etc/ufw/before.rules,
 * firewalld's backend for nftables, kube-proxy, tailscale util/linuxfw, libvirt's firewall page. */
#include "cli/doctor_judge.h"

#include "sluice/prog.h"

#include <linux/netfilter.h>

#define CONNTRACK_WARN_PERCENT 80
#define CONNTRACK_FAIL_PERCENT 98
/* When this was written: no clock that is right says less. */
#define CERTIFICATE_WARN_S (7 * 86400) /* a renewal that is due 30 days before has failed for long */
#define CLOCK_FLOOR_S	   1767225600  /* 2026-01-01 */

static const char *const stage_names[] = { "enter",    "routing",   "forward_in", "forward_out",
					   "input_in", "input_out", "post_in",	  "post_out" };
_Static_assert(ARRAY_LEN(stage_names) == STAGE_MAX, "one name a stage");

const char *stage_name(enum stage s)
{
	return stage_names[s];
}

enum stage stage_by_name(const char *chain)
{
	for (uint32_t i = 0; i < STAGE_MAX; i++)
		if (strcmp(stage_names[i], chain) == 0)
			return (enum stage)i;
	return STAGE_MAX;
}

bool trace_passed(const struct trace *t, enum stage s)
{
	return (t->stages & 1u << s) != 0;
}

bool trace_arrived(const struct trace *t)
{
	return trace_passed(t, STAGE_INPUT_OUT) || trace_passed(t, STAGE_POST_OUT);
}

bool trace_complete(const struct trace *t)
{
	return t->dropped || t->queued || trace_arrived(t);
}

static void place_set(struct place *p, const struct trace_event *ev)
{
	*p = (struct place){ .family = ev->family, .by_policy = ev->type == TRACE_POLICY, .handle = ev->handle };
	(void)snprintf(p->table, sizeof(p->table), "%s", ev->table);
	(void)snprintf(p->chain, sizeof(p->chain), "%s", ev->chain);
}

static bool is_table(const struct trace_event *ev, const char *table)
{
	return ev->family == NFPROTO_INET && strcmp(ev->table, table) == 0;
}

static void mark_add(struct trace *t, const struct trace_event *ev)
{
	enum stage s = stage_by_name(ev->chain);

	if (s == STAGE_MAX)
		return;
	/* Others may trace packets of their own: the first mark tells which number is the probe's. */
	if (s == STAGE_ENTER && ev->type == TRACE_RULE && !t->begun) {
		t->begun = true;
		t->id = ev->id;
	}
	if (t->begun && ev->id == t->id)
		t->stages |= 1u << s;
}

void trace_add(struct trace *t, const struct trace_event *ev)
{
	if (is_table(ev, DOCTOR_TABLE)) {
		mark_add(t, ev);
		return;
	}
	if (!t->begun || ev->id != t->id)
		return;
	if (ev->drop || ev->queue) {
		t->dropped = ev->drop;
		t->queued = ev->queue;
		place_set(&t->at, ev);
	}
	if (!trace_passed(t, STAGE_POST_IN) || ev->type != TRACE_RULE || !ev->accept)
		return;
	if (!is_table(ev, NFT_TABLE_NAME))
		place_set(&t->nat_else, ev);
	else if (strcmp(ev->chain, "postrouting") == 0)
		t->masqueraded = true;
}

bool trace_lost_in_hook(const struct trace *t)
{
	if (!trace_passed(t, STAGE_ENTER))
		return false;
	return !trace_passed(t, STAGE_ROUTING) || trace_passed(t, STAGE_POST_IN) || trace_passed(t, STAGE_INPUT_IN) ||
	       (trace_passed(t, STAGE_FORWARD_IN) && !trace_passed(t, STAGE_FORWARD_OUT));
}

const char *trace_lost_print(const struct trace *t)
{
	if (!trace_passed(t, STAGE_ENTER))
		return "before the first hook: tc, XDP or a netdev chain of that interface";
	if (!trace_passed(t, STAGE_ROUTING))
		return "in the hook prerouting";
	if (trace_passed(t, STAGE_INPUT_IN))
		return "in the hook input";
	if (trace_passed(t, STAGE_POST_IN))
		return "in the hook postrouting";
	if (trace_passed(t, STAGE_FORWARD_OUT))
		return "behind the hook forward (larger than the way out, or an IPsec policy)";
	if (trace_passed(t, STAGE_FORWARD_IN))
		return "in the hook forward";
	return "in routing";
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static enum neighbour by_names(uint8_t family, const char *table, const char *chain)
{
	static const struct {
		const char *prefix;
		enum neighbour who;
	} chains[] = {
		{ "ts-", NEIGHBOUR_TAILSCALE }, { "DOCKER", NEIGHBOUR_DOCKER }, { "ufw-", NEIGHBOUR_UFW },
		{ "ufw6-", NEIGHBOUR_UFW },	{ "KUBE-", NEIGHBOUR_KUBE },	{ "LIBVIRT_", NEIGHBOUR_LIBVIRT },
	};

	if (family == NFPROTO_INET && strcmp(table, NFT_TABLE_NAME) == 0)
		return NEIGHBOUR_SLUICE;
	if (strcmp(table, "firewalld") == 0)
		return NEIGHBOUR_FIREWALLD;
	if (strcmp(table, "kube-proxy") == 0)
		return NEIGHBOUR_KUBE;
	if (begins(table, "docker-"))
		return NEIGHBOUR_DOCKER;
	if (begins(table, "libvirt_"))
		return NEIGHBOUR_LIBVIRT;
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		if (begins(chain, chains[i].prefix))
			return chains[i].who;
	return NEIGHBOUR_NONE;
}

enum neighbour neighbour_of(const struct place *p, const struct chain_name *chains, uint32_t n)
{
	/* Whose a built-in chain's policy is: the first of these with chains in that table. Tailscale sets none. */
	static const enum neighbour set_policies[] = { NEIGHBOUR_UFW, NEIGHBOUR_DOCKER };
	enum neighbour who = by_names(p->family, p->table, p->chain);

	for (size_t k = 0; k < ARRAY_LEN(set_policies) && who == NEIGHBOUR_NONE; k++) {
		if (set_policies[k] == NEIGHBOUR_DOCKER && strcmp(p->chain, "FORWARD") != 0)
			continue; /* Docker sets that policy and no other */
		for (uint32_t i = 0; i < n && who == NEIGHBOUR_NONE; i++)
			if (chains[i].family == p->family && chains[i].legacy == p->legacy &&
			    strcmp(chains[i].table, p->table) == 0 &&
			    by_names(p->family, chains[i].table, chains[i].chain) == set_policies[k])
				who = set_policies[k];
	}
	return who;
}

const char *neighbour_name(enum neighbour nb)
{
	static const char *const names[] = { "another program", "Sluice",     "Tailscale", "Docker", "ufw",
					     "firewalld",	"kube-proxy", "libvirt" };
	_Static_assert(ARRAY_LEN(names) == NEIGHBOUR_MAX, "one name a neighbour");

	return names[nb];
}

uint32_t neighbours_found(const struct chain_name *chains, uint32_t n)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		found |= 1u << by_names(chains[i].family, chains[i].table, chains[i].chain);
	return found;
}

enum check_level conntrack_level(unsigned long count, unsigned long max)
{
	unsigned long percent = max == 0 ? 100 : (unsigned long)((double)count * 100 / (double)max);

	if (percent >= CONNTRACK_FAIL_PERCENT)
		return CHECK_FAIL;
	return percent >= CONNTRACK_WARN_PERCENT ? CHECK_WARN : CHECK_OK;
}

enum check_level clock_level(int64_t now_s, bool kept)
{
	if (now_s < CLOCK_FLOOR_S)
		return CHECK_FAIL;
	return kept ? CHECK_OK : CHECK_WARN;
}

enum check_level certificate_level(bool in_force, int64_t expires_s, int64_t now_s)
{
	if (!in_force || expires_s <= now_s)
		return CHECK_FAIL;
	return expires_s - now_s < CERTIFICATE_WARN_S ? CHECK_WARN : CHECK_OK;
}
