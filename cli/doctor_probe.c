/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which probes are sent: what the policy allows must pass, through whatever firewalls there are, and its answer; what
 * it refuses must not; DNS must reach dnsd and the tunnel its port. */
#include "cli/doctor_flow.h"
#include "cli/doctor_learned.h"
#include "cli/doctor_net.h"
#include "cli/doctor_prober.h"
#include "cli/doctor_subject.h"
#include "gatewayd/gate.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

static const char *const ids_out[] = { "probe-out4", "probe-out6" };
static const char *const ids_refused[] = { "probe-refused4", "probe-refused6" };
static const char *const ids_nobody[] = { "probe-nobody4", "probe-nobody6" };
static const char *const ids_answer[] = { "probe-answer4", "probe-answer6" };
static const char *const ids_dns[] = { "probe-dns4", "probe-dns6" };
static const char *const ids_tunnel[] = { "probe-tunnel4", "probe-tunnel6" };
static const char *const ids_nat[] = { "nat4", "nat6" };

static size_t slot(uint8_t family)
{
	return family == IP_V4 ? 0 : 1;
}

static void what_print(struct probe *p, const char *device)
{
	char src[IP_TEXT_MAX], dst[IP_TEXT_MAX];
	const struct probe_packet *k = &p->packet;

	(void)snprintf(p->what, sizeof(p->what), "%.64s%s%s%s to %s, %s port %u", device, *device != '\0' ? " (" : "",
		       ip_addr_print(&k->src, src), *device != '\0' ? ")" : "", ip_addr_print(&k->dst, dst),
		       k->proto == IPPROTO_TCP ? "tcp" : "udp", k->dport);
}

static void subject_probe(const struct subject *s, const char *id, struct probe *ret)
{
	*ret = (struct probe){
		.id = id,
		.way = WAY_OUT,
		.packet = { .src = s->src, .dst = s->dst, .proto = s->proto, .sport = prober_port(), .dport = s->port },
		.passes = s->verdict.action == PLAN_ACCEPT,
	};
	(void)snprintf(ret->expects, sizeof(ret->expects), "%s", s->verdict.reason);
	what_print(ret, s->device != NULL ? s->device : "nobody's address");
}

/* Whose NAT rule a probe met that left by another interface than the tunnel. */
static void nat_tell(struct prober *pr, const struct probe *p, const struct trace *t)
{
	const char *id = ids_nat[slot(p->packet.src.family)];
	char where[CHECK_SEEN_MAX / 2];
	struct route r;

	if (!trace_passed(t, STAGE_POST_OUT) || !trace_passed(t, STAGE_POST_IN) ||
	    route_get(&p->packet.dst, &p->packet.src, pr->d->tunnel_index, &r) < 0 || r.oif == pr->d->tunnel_index)
		return;
	if (t->masqueraded)
		report_add(&pr->d->report, id, CHECK_OK, "%s: masqueraded by the gateway's own rule", p->what);
	else if (t->nat_else.family != 0)
		report_add(&pr->d->report, id, CHECK_WARN,
			   "%s: not masqueraded by the gateway's rule; before it came %s", p->what,
			   place_print(&t->nat_else, where, sizeof(where)));
	else
		check_fix(report_add(&pr->d->report, id, pr->d->enforced ? CHECK_FAIL : CHECK_WARN,
				     "%s: leaves with the device's own address, which nobody can answer", p->what),
			  "sluice reload; does a rule of iptables-legacy's table nat, or an exemption from conntrack "
			  "(notrack), come before it?");
}

/* The answer: comes in where the packet went out, to an address that no device has where there is one, as recorders
 * would take the connection for a device's. */
static void answer_probe(struct prober *pr, const struct subject *s)
{
	struct probe p = { .id = ids_answer[slot(s->src.family)], .way = WAY_BACK, .passes = true };
	struct probe_packet out = {
		.src = s->src, .dst = s->dst, .proto = s->proto, .sport = prober_port(), .dport = s->port
	};
	char name[IF_NAMESIZE];
	struct err e = { 0 };
	struct trace t;
	struct route r;

	if (!subject_nobody(pr->d, s->src.family, &out.src) && pr->d->docs.policy->n_logs > 0) {
		report_add(&pr->d->report, p.id, CHECK_SKIP,
			   "no address of the tunnel is free, and devices' connections are recorded");
		return;
	}
	if (route_get(&s->dst, &s->src, pr->d->tunnel_index, &r) < 0 || r.oif == 0 ||
	    if_indextoname(r.oif, name) == NULL) {
		report_add(&pr->d->report, p.id, CHECK_SKIP, "there is no way out");
		return;
	}
	p.packet = (struct probe_packet){ .src = out.dst,
					  .dst = out.src,
					  .proto = out.proto,
					  .sport = out.dport,
					  .dport = out.sport,
					  .answer = true };
	(void)snprintf(p.expects, sizeof(p.expects), "the answer to an open connection");
	what_print(&p, "");
	if (prober_at(pr, name, &e) < 0 || flow_enter(&out, &e) < 0) {
		report_add(&pr->d->report, p.id, CHECK_SKIP, "%s", e.msg);
		return;
	}
	probe_run(pr, &p, &t);
	flow_remove(&out);
}

static void dns_probe(struct prober *pr, const struct subject *s)
{
	const struct ip_addr *own = doctor_own_addr(pr->d, s->src.family);
	struct probe p = { .id = ids_dns[slot(s->src.family)], .way = WAY_DNS, .passes = true };
	struct trace t;

	if (own == NULL)
		return;
	p.packet = (struct probe_packet){ .src = s->src,
					  .dst = *own,
					  .proto = IPPROTO_UDP,
					  .sport = prober_port(),
					  .dport = pr->d->gateway.doc->dns_port };
	(void)snprintf(p.expects, sizeof(p.expects), "an active device asks dnsd");
	what_print(&p, s->device);
	probe_run(pr, &p, &t);
}

static void tunnel_probe(struct prober *pr, uint8_t family)
{
	struct ip_addr there = doctor_internet(family);
	struct probe p = { .id = ids_tunnel[slot(family)], .way = WAY_TUNNEL, .passes = true };
	char name[IF_NAMESIZE];
	struct err e = { 0 };
	struct trace t;
	struct route r;

	/* What does not work at all check_exit() has told. */
	if (route_get(&there, NULL, 0, &r) < 0 || r.from.family == IP_NONE || if_indextoname(r.oif, name) == NULL)
		return;
	p.packet = (struct probe_packet){ .src = there,
					  .dst = r.from,
					  .proto = IPPROTO_UDP,
					  .sport = prober_port(),
					  .dport = pr->d->gateway.doc->tunnel.listen_port };
	(void)snprintf(p.expects, sizeof(p.expects), "WireGuard from outside");
	what_print(&p, "");
	if (prober_at(pr, name, &e) < 0)
		report_add(&pr->d->report, p.id, CHECK_SKIP, "%s", e.msg);
	else
		probe_run(pr, &p, &t);
}

/* Without a policy's word for it: the kernel has to know it by itself. */
static void nobody_probe(struct prober *pr, const struct subject *like)
{
	struct subject s = *like;
	struct probe p;
	struct trace t;

	if (!pr->d->enforced || !subject_nobody(pr->d, like->src.family, &s.src))
		return;
	s.device = NULL;
	s.verdict = (struct verdict){ .action = PLAN_DROP, .reason = "unknown device" };
	subject_probe(&s, ids_nobody[slot(s.src.family)], &p);
	probe_run(pr, &p, &t);
}

static void probes_of(struct prober *pr, uint8_t family)
{
	struct subject allowed, refused;
	bool has_allowed = subject_choose(pr->d, family, true, &allowed) ||
			   subject_learned(pr->d, tracer_channel(pr->tracer), family, &allowed);
	struct probe p;
	struct trace t;

	if (has_allowed) {
		subject_probe(&allowed, ids_out[slot(family)], &p);
		probe_run(pr, &p, &t);
		nat_tell(pr, &p, &t);
		nobody_probe(pr, &allowed);
	} else {
		report_add(&pr->d->report, ids_out[slot(family)], CHECK_SKIP,
			   "no active device may reach an address, but by a name that none has asked for now");
	}
	if (subject_choose(pr->d, family, false, &refused)) {
		/* Some name may have led the device there. */
		subject_by_name(pr->d, tracer_channel(pr->tracer), &refused);
		subject_probe(&refused, ids_refused[slot(family)], &p);
		if (pr->d->enforced)
			probe_run(pr, &p, &t);
		dns_probe(pr, &refused);
	} else if (has_allowed) {
		dns_probe(pr, &allowed);
	}
	/* From here on probes come in elsewhere. */
	if (has_allowed) {
		struct err e = { 0 };

		answer_probe(pr, &allowed);
		if (prober_at(pr, pr->d->tunnel, &e) < 0)
			report_add(&pr->d->report, "probes", CHECK_SKIP, "%s", e.msg);
	}
}

static void wished_probe(struct prober *pr)
{
	struct subject s;
	struct probe p;
	struct trace t;

	if (!subject_wished(pr->d, &s)) {
		report_add(&pr->d->report, "probe", CHECK_FAIL, "%s is no device with an address of that family",
			   pr->d->wish.device);
		return;
	}
	subject_by_name(pr->d, tracer_channel(pr->tracer), &s);
	subject_probe(&s, ids_out[slot(s.src.family)], &p);
	probe_run(pr, &p, &t);
	if (!p.passes)
		return;
	nat_tell(pr, &p, &t);
	answer_probe(pr, &s);
}

static void neighbours_tell(struct prober *pr)
{
	uint32_t found = neighbours_found(pr->chains, pr->n_chains);
	char names[160] = "";

	for (uint32_t i = NEIGHBOUR_SLUICE + 1; i < NEIGHBOUR_MAX; i++)
		if ((found & 1u << i) != 0) {
			size_t len = strlen(names);

			(void)snprintf(names + len, sizeof(names) - len, "%s%s", len > 0 ? ", " : "",
				       neighbour_name((enum neighbour)i));
		}
	report_add(&pr->d->report, "neighbours", CHECK_OK, "rules beside ours: %s",
		   names[0] != '\0' ? names : "of no program that is known here");
}

static void hooks_tell(struct prober *pr)
{
	static const char *const names[] = { "input", "forward", "output", "postrouting" };
	uint32_t hooks = 0;
	struct err e = { 0 };
	struct check *c = NULL;

	if (!pr->d->enforced)
		return;
	if (tracer_hooks(pr->tracer, &hooks, &e) < 0) {
		report_add(&pr->d->report, "table", CHECK_SKIP, "%s", e.msg);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((hooks & 1u << i) == 0 && c == NULL)
			c = report_add(&pr->d->report, "table", CHECK_FAIL,
				       "table inet sluice has no chain %s in its hook: the policy is not in force",
				       names[i]);
	pr->table_gone = c != NULL;
	pr->gated = gate_is_closed(pr->d->tunnel_index);
	if (c != NULL)
		check_fix(c, "start sluice-gatewayd; if it runs, sluice reload");
	else
		report_add(&pr->d->report, "table", CHECK_OK, "table inet sluice is in its hooks");
}

void check_probes(struct doctor *d)
{
	struct prober pr;
	struct err e = { 0 };

	if (!d->root || !d->has_policy || d->tunnel_index == 0) {
		report_add(&d->report, "probes", CHECK_SKIP, "probes need %s",
			   !d->root	    ? "root"
			   : !d->has_policy ? "the policy"
					    : "the tunnel");
		return;
	}
	if (prober_init(&pr, d, &e) < 0) {
		report_add(&d->report, "probes", CHECK_SKIP, "%s", e.msg);
		prober_done(&pr);
		return;
	}
	hooks_tell(&pr);
	neighbours_tell(&pr);
	if (prober_at(&pr, d->tunnel, &e) < 0) {
		report_add(&d->report, "probes", CHECK_SKIP, "%s", e.msg);
	} else if (d->wish.device != NULL) {
		wished_probe(&pr);
	} else {
		probes_of(&pr, IP_V4);
		if (doctor_own_addr(d, IP_V6) != NULL)
			probes_of(&pr, IP_V6);
		if (!d->gateway.doc->tunnel.existing) {
			tunnel_probe(&pr, IP_V4);
			tunnel_probe(&pr, IP_V6);
		}
	}
	prober_done(&pr);
}
