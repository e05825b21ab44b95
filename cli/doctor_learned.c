/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fleets whose rules are all by name have no destination that could be probed out of the policy alone. The sets
 * l4_MARK and l6_MARK hold client . address (architecture.md, "The kernel's table"); MARK is the rule's, whose services
 * the plan has. */
#include "cli/doctor_learned.h"

#include "gatewayd/nft_dump.h"

#include <netinet/in.h>

#define LEFT_MIN_MS 2000 /* it is to be open still when the probe comes */

struct found {
	const struct doctor *d;
	const struct plan_rule *rule;
	size_t addr_len;
	bool is_found;
	struct subject subject;
};

static const struct doc_device *device_of(const struct doctor *d, const struct ip_addr *addr)
{
	const struct doc_devices *all = d->docs.devices;

	for (uint32_t i = 0; i < all->n_devices; i++)
		for (uint32_t k = 0; k < all->devices[i].n_addrs; k++)
			if (ip_addr_cmp(&all->devices[i].addrs[k], addr) == 0)
				return &all->devices[i];
	return NULL;
}

static const struct service *probed_service(const struct plan_rule *r)
{
	for (uint32_t i = 0; i < r->n_services; i++)
		if (r->services[i].proto == IPPROTO_TCP || r->services[i].proto == IPPROTO_UDP)
			return &r->services[i];
	return NULL;
}

static void verdict_open(struct verdict *v, const struct plan_rule *r)
{
	*v = (struct verdict){ .action = PLAN_ACCEPT };
	(void)snprintf(v->rule, sizeof(v->rule), "%s", r->pos);
	(void)snprintf(v->reason, sizeof(v->reason), "it has asked for a name of %s that has this address", r->pos);
}

/* Of a packet to an address that the device was given for some name: not one that a rule names. */
static void judge_asked(const struct doctor *d, struct packet *pkt, struct verdict *ret)
{
	static const char some[] = "sluice.invalid"; /* RFC 6761 6.4 */
	struct dname name;

	(void)dname_parse(some, sizeof(some) - 1, &name);
	pkt->name = &name;
	evaluate_packet(d->docs.policy, d->docs.devices, &d->world.env, pkt, ret);
	pkt->name = NULL;
}

/* Of a set of learned addresses, whose rule is f->rule; or, NULL, of all that a resolve-first device was given. */
static int on_elem(void *arg, const uint8_t *key, size_t len, uint64_t left_ms)
{
	static const struct service https = { .proto = IPPROTO_TCP, .port_lo = 443, .port_hi = 443 };
	struct found *f = arg;
	const struct service *service = f->rule != NULL ? probed_service(f->rule) : &https;
	const struct doc_device *dev;
	struct packet pkt = { 0 };
	struct verdict v;

	if (f->is_found || service == NULL || left_ms < LEFT_MIN_MS || len != 2 * f->addr_len)
		return 0;
	pkt.src = ip_addr_from_bytes(key, f->addr_len);
	pkt.dst = ip_addr_from_bytes(key + f->addr_len, f->addr_len);
	pkt.proto = service->proto;
	pkt.port = service->port_lo <= 443 && service->port_hi >= 443 ? 443 : service->port_lo;
	dev = device_of(f->d, &pkt.src);
	if (dev == NULL || !evaluate_active(dev, &f->d->world.env) || pkt.port == 0)
		return 0;
	judge_asked(f->d, &pkt, &v);
	/* A deny goes before what is learned. */
	if (f->rule != NULL && strncmp(v.rule, "/denies", 7) != 0)
		verdict_open(&v, f->rule);
	if (v.action != PLAN_ACCEPT)
		return 0;
	f->subject = (struct subject){
		.device = dev->name, .src = pkt.src, .dst = pkt.dst, .proto = pkt.proto, .port = pkt.port, .verdict = v
	};
	f->is_found = true;
	return 0;
}

struct wanted {
	const struct subject *s;
	bool is_there;
};

static int on_wanted(void *arg, const uint8_t *key, size_t len, uint64_t left_ms)
{
	struct wanted *w = arg;
	size_t addr_len = ip_addr_len(&w->s->src);

	if (len == 2 * addr_len && memcmp(key, w->s->src.bytes, addr_len) == 0 &&
	    memcmp(key + addr_len, w->s->dst.bytes, addr_len) == 0)
		w->is_there = true;
	return 0;
}

static bool is_in_set(struct nft_channel *ch, const char *set, const struct subject *s)
{
	struct wanted w = { .s = s };

	return nft_dump_elems(ch, NFT_TABLE_NAME, set, on_wanted, &w, NULL) == 0 && w.is_there;
}

static const char *seen_set(uint8_t family)
{
	return family == IP_V4 ? "seen4" : "seen6";
}

/* Number in the name of a learned set of that family; 0: it is none. */
static uint32_t set_mark(const char *name, uint8_t family)
{
	const char *prefix = family == IP_V4 ? "l4_" : "l6_";

	return strncmp(name, prefix, 3) == 0 ? (uint32_t)strtoul(name + 3, NULL, 16) : 0;
}

bool subject_learned(struct doctor *d, struct nft_channel *ch, uint8_t family, struct subject *ret)
{
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct found f = { .d = d, .addr_len = family == IP_V4 ? 4 : 16 };
	struct arena *mem = arena_new(0);
	struct nft_prog table;

	(void)nft_dump_elems(ch, NFT_TABLE_NAME, seen_set(family), on_elem, &f, NULL);
	if (!f.is_found && mem != NULL && nft_dump_table(ch, mem, &table, NULL) == 0 &&
	    plan_compile(d->docs.policy, d->docs.devices, &d->world.env, &d->docs.diags, &plan) == 0)
		for (uint32_t i = 0; i < table.n_sets && !f.is_found; i++) {
			f.rule = plan_rule_by_mark(plan, set_mark(table.sets[i].name, family));
			if (f.rule != NULL)
				(void)nft_dump_elems(ch, NFT_TABLE_NAME, table.sets[i].name, on_elem, &f, NULL);
		}
	if (mem != NULL)
		(void)arena_free(mem);
	*ret = f.subject;
	return f.is_found;
}

/* The rule by name that has opened it, NULL: none has. */
static const struct plan_rule *rule_open(struct nft_channel *ch, const struct plan *plan, const struct nft_prog *table,
					 const struct subject *s)
{
	for (uint32_t i = 0; i < table->n_sets; i++) {
		const struct plan_rule *r = plan_rule_by_mark(plan, set_mark(table->sets[i].name, s->src.family));

		if (r != NULL && plan_rule_serves(r, s->proto, s->port) && is_in_set(ch, table->sets[i].name, s))
			return r;
	}
	return NULL;
}

/* The same for a device that is resolve-first, by rules that name no names. */
static bool seen_open(const struct doctor *d, struct nft_channel *ch, struct subject *s)
{
	const struct doc_device *dev = device_of(d, &s->src);
	const struct doc_filter *f = dev != NULL ? evaluate_filter(d->docs.policy, &d->world.env, dev) : NULL;
	struct packet pkt = { .src = s->src, .dst = s->dst, .proto = s->proto, .port = s->port };
	struct verdict v;

	if (f == NULL || !f->resolve_first || !is_in_set(ch, seen_set(s->src.family), s))
		return false;
	judge_asked(d, &pkt, &v);
	if (v.action == PLAN_ACCEPT)
		s->verdict = v;
	return v.action == PLAN_ACCEPT;
}

void subject_by_name(struct doctor *d, struct nft_channel *ch, struct subject *s)
{
	CLEANUP(plan_freep) struct plan *plan = NULL;
	const struct plan_rule *r = NULL;
	struct nft_prog table;
	struct arena *mem;

	if (s->verdict.action == PLAN_ACCEPT || strncmp(s->verdict.rule, "/denies", 7) == 0 || seen_open(d, ch, s))
		return;
	mem = arena_new(0);
	if (mem == NULL)
		return;
	if (nft_dump_table(ch, mem, &table, NULL) == 0 &&
	    plan_compile(d->docs.policy, d->docs.devices, &d->world.env, &d->docs.diags, &plan) == 0)
		r = rule_open(ch, plan, &table, s);
	if (r != NULL)
		verdict_open(&s->verdict, r);
	(void)arena_free(mem);
}
