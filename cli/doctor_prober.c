/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/doctor_prober.h"

#include "base/grow.h"
#include "cli/doctor_net.h"
#include "cli/doctor_run.h"

#include <linux/netfilter.h>
#include <net/if.h>
#include <sys/random.h>

/* Above the ports that hosts take by themselves (32768-60999). */
#define PORT_FIRST 61001
#define PORT_COUNT 4000
/* So many more, to tell the counter that rises with them from others. */
#define LEGACY_PROBES	  7
#define LEGACY_CHAINS_MAX 4096

uint16_t prober_port(void)
{
	uint16_t n = 0;

	(void)!getrandom(&n, sizeof(n), 0);
	return (uint16_t)(PORT_FIRST + n % PORT_COUNT);
}

/* iptables-legacy-save would load the modules of tables that nobody uses: it is asked only where there are some. */
static char *legacy_save(uint8_t family)
{
	bool v4 = family == IP_V4;
	const char *argv[] = { v4 ? "iptables-legacy-save" : "ip6tables-legacy-save", "-c", NULL };
	char names[256];

	if (small_file_read(v4 ? "/proc/self/net/ip_tables_names" : "/proc/self/net/ip6_tables_names", names,
			    sizeof(names)) < 0 ||
	    names[0] == '\0')
		return NULL;
	return command_output(argv);
}

static int chains_add_legacy(struct prober *pr, uint8_t family)
{
	CLEANUP(freep) char *save = legacy_save(family);
	struct chain_name *all;
	uint32_t room = pr->n_chains;

	if (save == NULL)
		return 0;
	all = grow_array(pr->chains, pr->n_chains, LEGACY_CHAINS_MAX, &room, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	pr->chains = all;
	pr->n_chains += legacy_chains(save, family == IP_V4 ? NFPROTO_IPV4 : NFPROTO_IPV6, all + pr->n_chains,
				      LEGACY_CHAINS_MAX);
	return 0;
}

int prober_init(struct prober *pr, struct doctor *d, struct err *e)
{
	int r;

	*pr = (struct prober){ .d = d };
	r = tracer_new(&pr->tracer, e);
	if (r == 0)
		r = tracer_chains(pr->tracer, &pr->chains, &pr->n_chains, e);
	if (r == 0 && (chains_add_legacy(pr, IP_V4) < 0 || chains_add_legacy(pr, IP_V6) < 0))
		r = err_set(e, -ENOMEM, "out of memory");
	return r;
}

void prober_done(struct prober *pr)
{
	pr->tracer = tracer_free(pr->tracer);
	pr->in = injector_free(pr->in);
	free(pr->chains);
	pr->chains = NULL;
}

int prober_at(struct prober *pr, const char *ifname, struct err *e)
{
	pr->in = injector_free(pr->in);
	pr->in_name = ifname;
	return injector_new(ifname, &pr->in, e);
}

static int probe_follow(struct prober *pr, const struct probe *p, struct trace *ret, struct err *e)
{
	uint8_t bytes[PROBE_BYTES_MAX];
	size_t len = probe_packet_build(&p->packet, bytes);
	int r = tracer_arm(pr->tracer, &p->packet, e);

	*ret = (struct trace){ 0 };
	if (r == 0)
		r = injector_send(pr->in, bytes, len, e);
	if (r == 0)
		r = tracer_read(pr->tracer, ret, e);
	return r;
}

/* Which of iptables' own rules it was: the one whose counter rises with more of the same. The table that stops them is
 * still there. */
static bool legacy_name(struct prober *pr, const struct probe *p, struct place *ret)
{
	CLEANUP(freep) char *before = legacy_save(p->packet.src.family);
	CLEANUP(freep) char *after = NULL;
	uint8_t bytes[PROBE_BYTES_MAX];
	size_t len = probe_packet_build(&p->packet, bytes);

	if (before == NULL)
		return false;
	for (int i = 0; i < LEGACY_PROBES; i++)
		(void)injector_send(pr->in, bytes, len, NULL);
	after = legacy_save(p->packet.src.family);
	ret->family = p->packet.src.family == IP_V4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	return after != NULL && legacy_find(before, after, LEGACY_PROBES, ret);
}

static void rule_name(struct place *p)
{
	const char *argv[] = { "nft", "-a", "list", "chain", family_name(p->family), p->table, p->chain, NULL };
	CLEANUP(freep) char *text = p->handle != 0 ? command_output(argv) : NULL;

	if (text != NULL)
		rule_text_find(text, p);
}

static void place_tell(struct prober *pr, const struct probe *p, struct check *c, const struct place *at)
{
	struct fix_context ctx = {
		.neighbour = neighbour_of(at, pr->chains, pr->n_chains),
		.way = p->way,
		.tunnel = pr->d->tunnel,
		.ip_family = p->packet.src.family,
		.port = p->packet.dport,
	};

	c->place = *at;
	fix_for(c, at, &ctx);
}

static void refused_tell(struct prober *pr, const struct probe *p, struct trace *t)
{
	char where[CHECK_SEEN_MAX / 2];
	enum neighbour who;
	struct check *c;

	rule_name(&t->at);
	(void)place_print(&t->at, where, sizeof(where));
	who = neighbour_of(&t->at, pr->chains, pr->n_chains);
	if (!p->passes) {
		c = report_add(&pr->d->report, p->id, CHECK_OK, "%s: refused, as it should be (%s), by %s", p->what,
			       p->expects, where);
		c->place = t->at;
		return;
	}
	c = report_add(&pr->d->report, p->id, CHECK_FAIL, "%s: should pass (%s), and %s of %s %s it", p->what,
		       p->expects, where, neighbour_name(who), t->queued ? "gives a program" : "drops");
	place_tell(pr, p, c, &t->at);
}

static void passed_tell(struct prober *pr, const struct probe *p)
{
	struct check *c;

	if (p->passes) {
		report_add(&pr->d->report, p->id, CHECK_OK, "%s: passes (%s)", p->what, p->expects);
		return;
	}
	c = report_add(&pr->d->report, p->id, CHECK_FAIL, "%s: should be refused (%s), and PASSES", p->what,
		       p->expects);
	check_fix(c, "sluice status: is the gateway running, and the table inet sluice there?");
	check_fix(c, "sluice reload");
}

static void routing_fix(struct prober *pr, const struct probe *p, struct check *c)
{
	char src[IP_TEXT_MAX], dst[IP_TEXT_MAX];
	const struct probe_packet *k = &p->packet;
	uint32_t iif = if_nametoindex(pr->in_name);
	struct route r;
	int err = route_get(&k->dst, &k->src, iif, &r);

	(void)ip_addr_print(&k->src, src);
	(void)ip_addr_print(&k->dst, dst);
	if (err < 0)
		check_fix(c, "the kernel says of this way: %s", strerror(-err));
	check_fix(c, "look at forwarding and rp_filter above, and at: ip %sroute get %s from %s iif %s",
		  k->src.family == IP_V4 ? "" : "-6 ", dst, src, pr->in_name);
}

/* Through all of netfilter, and still not out. */
static bool gate_holds(const struct prober *pr, const struct trace *t)
{
	return pr->table_gone && pr->gated && trace_passed(t, STAGE_POST_OUT);
}

static void gate_tell(struct prober *pr, const struct probe *p)
{
	struct check *c = report_add(&pr->d->report, p->id, p->passes ? CHECK_FAIL : CHECK_OK,
				     "%s: should %s (%s), and the gate stops it", p->what,
				     p->passes ? "pass" : "be refused", p->expects);

	if (p->passes)
		check_fix(c, "start sluice-gatewayd: without its table the gate lets nothing through");
}

static void lost_tell(struct prober *pr, const struct probe *p, const struct trace *t)
{
	char where[CHECK_SEEN_MAX / 2];
	struct place at = { 0 };
	struct check *c;

	if (trace_lost_in_hook(t) && legacy_name(pr, p, &at)) {
		(void)place_print(&at, where, sizeof(where));
		c = report_add(&pr->d->report, p->id, p->passes ? CHECK_FAIL : CHECK_OK,
			       "%s: should %s (%s), and %s of %s drops it", p->what, p->passes ? "pass" : "be refused",
			       p->expects, where, neighbour_name(neighbour_of(&at, pr->chains, pr->n_chains)));
		if (p->passes)
			place_tell(pr, p, c, &at);
		c->place = at;
		return;
	}
	c = report_add(&pr->d->report, p->id, p->passes ? CHECK_FAIL : CHECK_OK, "%s: should %s (%s), and is lost %s",
		       p->what, p->passes ? "pass" : "be refused", p->expects, trace_lost_print(t));
	if (!p->passes)
		return;
	if (trace_lost_in_hook(t))
		check_fix(
			c,
			"no rule of nf_tables dropped it: iptables-legacy-save -c (package iptables) shows whether one "
			"of iptables' own tables does");
	else if (trace_passed(t, STAGE_ENTER))
		routing_fix(pr, p, c);
	else
		check_fix(c, "tc filter show dev %s ingress; nft list ruleset netdev; ip link show dev %s", pr->in_name,
			  pr->in_name);
}

void probe_run(struct prober *pr, struct probe *p, struct trace *ret)
{
	struct err e = { 0 };

	if (probe_follow(pr, p, ret, &e) < 0)
		report_add(&pr->d->report, p->id, CHECK_SKIP, "%s: %s", p->what, e.msg);
	else if (ret->dropped || ret->queued)
		refused_tell(pr, p, ret);
	else if (gate_holds(pr, ret))
		gate_tell(pr, p);
	else if (trace_arrived(ret))
		passed_tell(pr, p);
	else
		lost_tell(pr, p, ret);
}
