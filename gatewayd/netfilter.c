/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariants: the gate is closed only while a table with its two rules is in the kernel or was; before a program
 * without them goes there, or the table goes on purpose, it is opened. So it can stop what is allowed (until the table
 * is back), and never lets through what is not. */
#include "gatewayd/netfilter.h"

#include "base/log.h"
#include "gatewayd/engine.h"
#include "gatewayd/gate.h"
#include "gatewayd/nft_dump.h"
#include "gatewayd/nft_fill.h"
#include "gatewayd/nft_monitor.h"
#include "gatewayd/rtnl.h"

#include <event2/event.h>

static bool owned(const struct engine *e)
{
	return nft_channel_features(e->nft)->owner;
}

static bool has_table(const struct engine *e)
{
	return e->netfilter.mode != NETFILTER_OFF;
}

/* Needed with an owned table, too: others can flush it once its owner is dead. Without BPF, or in a container that may
 * not use it, owner or monitor have to do: said once, and in status. */
static void open_gate(struct engine *e)
{
	struct err err = { 0 };

	if (e->config->doc->gate ? gate_open(&e->netfilter.gate, &err) == 0
				 : err_set(&err, -EPERM, "switched off by \"gate\" in gateway.hujson") == 0)
		return;
	(void)snprintf(e->netfilter.gate_error, sizeof(e->netfilter.gate_error), "%.120s", err.msg);
	log_event(LOG_WARNING, "gate.none", "error=\"%s\"", err.msg);
}

int netfilter_open(struct engine *e, struct err *err)
{
	const struct doc_gateway *g = e->config->doc;
	int r = nft_channel_open(&e->nft, err);

	e->netfilter.mode = e->netfilter.wanted = g->netfilter;
	if (r == 0)
		r = nft_channel_probe(e->nft, err);
	if (r < 0)
		return r;
	if (!g->own_table)
		nft_channel_disown(e->nft);
	open_gate(e);
	/* Nobody but us can change a table that we own. */
	return owned(e) ? 0 : nft_monitor_open(&e->netfilter.monitor_fd, err);
}

static void repair_later(struct engine *e)
{
	const struct timeval soon = { .tv_usec = REPAIR_RETRY_MS * 1000 };

	if (e->netfilter.repair != NULL)
		(void)evtimer_add(e->netfilter.repair, &soon);
}

static void repair(struct engine *e)
{
	struct nft_apply_result applied = { 0 };
	struct err err = { 0 };
	uint64_t from_us = boot_us();
	int r;

	if (e->now.prog == NULL || !has_table(e))
		return;
	e->counts.repairs++;
	r = nft_repair(e->nft, e->now.prog, e->learned, boot_us(), &applied, &err);
	log_event(r < 0 ? LOG_ERR : LOG_WARNING, "table.repaired", "total=%llu us=%llu error=\"%s\"",
		  (unsigned long long)e->counts.repairs, (unsigned long long)(boot_us() - from_us),
		  r < 0 ? err.msg : "");
	if (r < 0)
		repair_later(e);
}

static void on_monitored(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct err err = { 0 };
	bool touched = false;
	int r = nft_monitor_read(fd, nft_channel_portid(e->nft), &touched, &err);

	if (r < 0)
		log_event(LOG_ERR, "table.monitor.failed", "error=\"%s\"", err.msg);
	if (r < 0 || touched)
		repair(e);
}

static void on_repair(evutil_socket_t fd, short what, void *arg)
{
	repair(arg);
}

int netfilter_watch(struct engine *e, struct err *err)
{
	struct netfilter *n = &e->netfilter;

	n->repair = evtimer_new(e->base, on_repair, e);
	if (n->repair == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (n->monitor_fd == -1)
		return 0;
	n->monitored = event_new(e->base, n->monitor_fd, EV_READ | EV_PERSIST, on_monitored, e);
	if (n->monitored == NULL || event_add(n->monitored, NULL) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void netfilter_close(struct engine *e)
{
	struct netfilter *n = &e->netfilter;

	if (n->monitored != NULL)
		event_free(n->monitored);
	if (n->repair != NULL)
		event_free(n->repair);
	fd_closep(&n->monitor_fd);
	n->gate = gate_free(n->gate);
	e->nft = nft_channel_free(e->nft);
}

bool netfilter_hooks(const struct engine *e)
{
	return e->netfilter.wanted == NETFILTER_ON;
}

uint32_t netfilter_gate_pass(const struct engine *e)
{
	return e->netfilter.gate != NULL && netfilter_hooks(e) ? GATE_PASS_PRIORITY : 0;
}

int netfilter_gate_remove(struct err *err)
{
	CLEANUP(freep) uint32_t *links = calloc(GATE_LINKS_MAX, sizeof(*links));
	uint32_t n = 0;
	int r;

	if (links == NULL)
		return err_set(err, -ENOMEM, "gate: out of memory");
	r = rtnl_links(links, GATE_LINKS_MAX, &n, err);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = gate_detach(links[i], err);
		/* One that has gone meanwhile. */
		r = r == -ENODEV ? 0 : r;
	}
	return r;
}

/* Of whoever was there before us, too. Once: nobody else closes it. */
static int gate_away(struct engine *e, struct err *err)
{
	struct netfilter *n = &e->netfilter;
	int r = n->opened ? 0 : netfilter_gate_remove(err);

	n->opened = r == 0;
	n->n_links = 0;
	n->tunnel = 0;
	return r;
}

static bool is_gated(const uint32_t *links, uint32_t n, uint32_t index)
{
	for (uint32_t i = 0; i < n; i++) {
		if (links[i] == index)
			return true;
	}
	return false;
}

/* The interfaces that are there now, and were closed before or are now. */
static int gate_links(struct netfilter *n, uint32_t tunnel, struct err *err)
{
	uint32_t now[GATE_LINKS_MAX], n_now = 0, kept = 0;
	int r = rtnl_links(now, GATE_LINKS_MAX, &n_now, err), last = 0;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n_now; i++) {
		bool was = is_gated(n->links, n->n_links, now[i]) && (now[i] != tunnel || tunnel == n->tunnel);

		if (!was)
			r = now[i] == tunnel ? gate_attach_tunnel(n->gate, tunnel, err)
					     : gate_attach_other(n->gate, now[i], err);
		if (was || r == 0)
			now[kept++] = now[i];
		else if (r != -ENODEV)
			last = r;
	}
	memcpy(n->links, now, kept * sizeof(now[0]));
	n->n_links = kept;
	n->tunnel = is_gated(now, kept, tunnel) ? tunnel : 0;
	return last;
}

void netfilter_gate_sync(struct engine *e)
{
	struct netfilter *n = &e->netfilter;
	struct err err = { 0 };

	if (n->gate == NULL || n->mode != NETFILTER_ON)
		return;
	n->opened = false;
	if (gate_links(n, rtnl_link_index(e->config->doc->tunnel.interface), &err) == 0) {
		n->gate_error[0] = '\0';
		return;
	}
	log_event(LOG_WARNING, "gate.none", "error=\"%s\"", err.msg);
	(void)snprintf(n->gate_error, sizeof(n->gate_error), "%.120s", err.msg);
}

static int deny_all_program(const struct engine *e, struct nft_prog **ret, struct err *err)
{
	const struct plan nobody = { 0 };
	const struct doc_gateway *g = e->config->doc;
	const struct nft_env env = {
		.tunnel = g->tunnel.interface,
		.tunnel_nets = e->config->tunnel_nets,
		.n_tunnel_nets = e->config->n_tunnel,
		.dns_port = g->dns_port,
		.hooks = true,
		/* What this host says to devices is not the policy's matter. */
		.gate_pass = netfilter_gate_pass(e),
		.log_drops = e->drops_fd != -1,
	};

	return lower_nft(&nobody, &env, ret, err);
}

int netfilter_deny_all(struct engine *e, struct err *err)
{
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	struct nft_apply_result applied;
	struct nft_table_state state = { 0 };
	int r = nft_table_state_read(e->nft, &state, err);

	if (r < 0 || state.present || e->netfilter.mode != NETFILTER_ON)
		return r;
	/* A gate that a predecessor has left stays closed: neither lets anything through. */
	r = deny_all_program(e, &prog, err);
	return r == 0 ? nft_apply(e->nft, NULL, prog, NULL, boot_us(), &applied, err) : r;
}

/* Large sets of @p get names by which they can be filled beside what is in the kernel. @from: NULL: that is not known.
 */
static int settle_names(struct engine *e, struct nft_prog *p, const struct nft_prog *from, struct err *err)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(/* limit_bytes= */ 0);
	uint32_t chunk = nft_channel_chunk(e->nft);
	struct nft_table_state state = { 0 };
	struct nft_prog found = { 0 };
	int r = 0;

	if (mem == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (from == NULL && nft_fill_needed(p, chunk))
		r = nft_table_state_read(e->nft, &state, err);
	if (r == 0 && state.present)
		r = nft_dump_table(e->nft, mem, &found, err);
	if (r == 0 && nft_fill_names(p, from, &found, chunk) < 0)
		r = err_set(err, -ENOMEM, "out of memory");
	return r;
}

int netfilter_apply(struct engine *e, struct nft_prog *next, struct nft_apply_result *ret, struct err *err)
{
	struct netfilter *n = &e->netfilter;
	const struct nft_prog *from = has_table(e) ? e->now.prog : NULL;
	int r = netfilter_gate_pass(e) == 0 ? gate_away(e, err) : 0;

	if (r < 0)
		return r;
	if (n->wanted == NETFILTER_OFF)
		r = nft_apply_remove(e->nft, err);
	else
		r = settle_names(e, next, from, err);
	if (r == 0 && n->wanted != NETFILTER_OFF)
		r = nft_apply(e->nft, from, next, e->learned, boot_us(), ret, err);
	/* What is in the kernel now may be the old program or the new one: the old one is what everything else goes by.
	 */
	if (r < 0 && nft_apply_unsure(r))
		repair_later(e);
	if (r == 0)
		n->mode = n->wanted;
	netfilter_gate_sync(e);
	return r;
}

struct nft_channel *netfilter_channel(const struct engine *e)
{
	return has_table(e) ? e->nft : NULL;
}

const char *netfilter_gate_state(const struct engine *e)
{
	const struct netfilter *n = &e->netfilter;

	if (n->mode != NETFILTER_ON)
		return "open";
	if (n->gate_error[0] != '\0')
		return n->gate_error;
	return n->tunnel != 0 ? "closed" : "waiting";
}
