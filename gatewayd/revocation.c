/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by reload.c when the kernel has acknowledged a new table. Cuts are told after all of them are made: writing a
 * line takes longer than cutting a flow. */
#include "gatewayd/revocation.h"

#include "base/log.h"
#include "gatewayd/engine.h"

#include <event2/event.h>
#include <netinet/in.h>

/* Longer than a packet is in a queue on its way through the host, shorter than a person needs to look. */
#define LOOK_AGAIN_S 1
/* What a person reads. All of ten thousand flows of a device in quarantine would push out of the log what it was
 * quarantined for; their number by reason is in the last line. */
#define CUT_LINES_MAX 100

struct told {
	const struct revoke_env *env;
	uint32_t n;
	struct {
		struct ct_flow flow;
		enum revoke_reason reason;
	} cuts[CUT_LINES_MAX];
};

const char *cut_reasons_print(const struct revoke_result *r, char buf[CUT_REASONS_TEXT_MAX])
{
	size_t at = 0;

	buf[0] = '\0';
	for (int i = REVOKE_KEEP + 1; i < REVOKE_REASON_MAX; i++) {
		int n = r->by_reason[i] != 0 ? snprintf(buf + at, CUT_REASONS_TEXT_MAX - at, " %s=%u",
							revoke_reason_key(i), r->by_reason[i])
					     : 0;

		if (n > 0 && (size_t)n < CUT_REASONS_TEXT_MAX - at)
			at += (size_t)n;
	}
	return buf;
}

static const char *proto_print(uint8_t proto, char buf[8])
{
	static const struct {
		uint8_t number;
		const char *name;
	} protos[] = {
		{ IPPROTO_ICMP, "icmp" }, { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" }, { IPPROTO_ICMPV6, "icmp6" }
	};

	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].number == proto)
			return protos[i].name;
	(void)snprintf(buf, 8, "%u", proto);
	return buf;
}

/* Where a device's flows are not recorded, the log is no record of them either: which rule cut what is the
 * administrator's business, whom it had talked to is not. */
static bool may_name_peer(const struct plan_device *d)
{
	return d != NULL && (d->flows == LOG_LEVEL_BLOCKED || d->flows == LOG_LEVEL_FULL);
}

static bool owns(const struct plan_device *d, const struct ip_addr *addr)
{
	for (uint32_t i = 0; i < d->n_addrs; i++) {
		if (ip_addr_cmp(&d->addrs[i], addr) == 0)
			return true;
	}
	return false;
}

static void tell_one(const struct revoke_env *env, const struct ct_flow *flow, enum revoke_reason reason)
{
	const struct revoke_cut cut = revoke_explain(env, flow, reason);
	const struct plan_device *d = cut.device;
	bool peer_is_src = d != NULL && !owns(d, &flow->src), named = may_name_peer(d);
	char src[IP_TEXT_MAX], dst[IP_TEXT_MAX], proto[8];

	log_event(LOG_INFO, "flow.cut", "device=%s src=%s dst=%s proto=%s port=%u why=\"%s\" rule=%s was=%s",
		  d != NULL ? d->name : "-", named || !peer_is_src ? ip_addr_print(&flow->src, src) : "-",
		  named || peer_is_src ? ip_addr_print(&flow->dst, dst) : "-", proto_print(flow->proto, proto),
		  flow->dport, revoke_reason_name(reason), cut.refused != NULL ? cut.refused->pos : "-",
		  cut.permitted != NULL ? cut.permitted->pos : "-");
}

static void note_cut(void *arg, const struct ct_flow *flow, enum revoke_reason reason)
{
	struct told *t = arg;

	if (t->n < CUT_LINES_MAX) {
		t->cuts[t->n].flow = *flow;
		t->cuts[t->n].reason = reason;
	}
	t->n++;
}

static void tell(const struct told *t, const struct revoke_result *result)
{
	char reasons[CUT_REASONS_TEXT_MAX];
	uint32_t n = t->n < CUT_LINES_MAX ? t->n : CUT_LINES_MAX;

	for (uint32_t i = 0; i < n; i++)
		tell_one(t->env, &t->cuts[i].flow, t->cuts[i].reason);
	if (t->n > n)
		log_event(LOG_INFO, "flow.cut.more", "untold=%u cut=%u%s", t->n - n, result->cut,
			  cut_reasons_print(result, reasons));
}

/* Where the last look has failed, what was before the change that it was taken for. */
static const struct plan *plan_before(const struct engine *e, const struct plan *old)
{
	return e->revocation.failed && e->revocation.old != NULL ? e->revocation.old->plan : old;
}

/* @denies_of: what a new deny on names takes back is taken once: what is opened after that was asked for anew. */
static void look(struct engine *e, const struct plan *old, const struct plan *denies_of, uint64_t since_us,
		 struct cuts *ret)
{
	const struct plan *p = e->now.loaded->plan;
	const struct revoke_env env = {
		.plan = p,
		.old = old,
		.denies_of = denies_of,
		.leases = e->learned,
		.now_us = boot_us(),
		.tunnel_nets = e->config->tunnel_nets,
		.n_tunnel_nets = e->config->n_tunnel,
		.local = e->now.loaded->attached.local,
		.n_local = e->now.loaded->attached.n_local,
		.dns_port = e->config->doc->dns_port,
		.tls_ports = e->config->doc->tls_ports,
		.n_tls_ports = e->config->doc->n_tls_ports,
	};
	struct told told = { .env = &env };
	struct err err = { 0 };
	bool failed = false;

	*ret = (struct cuts){ 0 };
	/* First: by a lease that is left, what is cut would come back with its next packet. */
	if (nft_learn_prune(netfilter_channel(e), e->learned, p, denies_of, &ret->leases, &err) < 0) {
		log_event(LOG_ERR, "leases.prune.failed", "error=\"%s\"", err.msg);
		failed = true;
	}
	if (revoke_flows(e->ct, &env, note_cut, &told, &ret->flows, &err) < 0) {
		log_event(LOG_ERR, "revoke.failed", "again_s=%d error=\"%s\"", LOOK_AGAIN_S, err.msg);
		failed = true;
	}
	ret->us = boot_us() - since_us;
	ret->failed = e->revocation.failed = failed;
	tell(&told, &ret->flows);
}

static void look_again_later(struct engine *e);

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	const struct plan *old = e->revocation.old != NULL ? e->revocation.old->plan : NULL;
	char reasons[CUT_REASONS_TEXT_MAX];
	bool failed = e->revocation.failed;
	struct cuts cuts;

	look(e, old, failed ? old : NULL, boot_us(), &cuts);
	if (cuts.flows.cut != 0 || (failed && !cuts.failed))
		log_event(LOG_NOTICE, "revoke.late", "gen=%llu cut=%u%s", (unsigned long long)e->now.generation,
			  cuts.flows.cut, cut_reasons_print(&cuts.flows, reasons));
	if (e->revocation.failed || e->reload.stage != RELOAD_IDLE)
		look_again_later(e);
	else
		e->revocation.old = loaded_free(e->revocation.old);
}

static void look_again_later(struct engine *e)
{
	const struct timeval later = { .tv_sec = LOOK_AGAIN_S };

	if (e->revocation.again == NULL)
		e->revocation.again = evtimer_new(e->base, on_again, e);
	if (e->revocation.again == NULL || evtimer_add(e->revocation.again, &later) < 0)
		log_event(LOG_ERR, "revoke.failed", "error=\"no second look: out of memory\"");
}

static bool same_host(const struct attached *a, const struct attached *b)
{
	if (a->n_local != b->n_local)
		return false;
	for (uint32_t i = 0; i < a->n_local; i++) {
		if (ip_addr_cmp(&a->local[i], &b->local[i]) != 0)
			return false;
	}
	return true;
}

bool revocation_due(const struct engine *e, const struct loaded *old, uint32_t ops)
{
	const struct loaded *now = e->now.loaded;

	return old == NULL || ops != 0 || e->revocation.failed || !same_host(&old->attached, &now->attached) ||
	       !plan_same_flows(old->plan, now->plan);
}

void revocation_run(struct engine *e, const struct plan *old, uint64_t committed_us, struct cuts *ret)
{
	old = plan_before(e, old);
	look(e, old, old, committed_us, ret);
	look_again_later(e);
}

void revocation_keep(struct engine *e, struct loaded **old)
{
	if (e->revocation.old == NULL)
		e->revocation.old = TAKE(*old);
}

void revocation_close(struct engine *e)
{
	if (e->revocation.again != NULL)
		event_free(e->revocation.again);
	e->revocation.old = loaded_free(e->revocation.old);
}
