/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to kernel program: sets, and the chains that others jump to. Called by gatewayd on reload and by `sluice
 * compile`; printed by print_nft.c, sent by gatewayd. docs/architecture.md has the table of sets and chains.
 *
 * A packet of a device takes: one look-up of its source, one of (destination, protocol, port) in its class's map and
 * one in the map that several classes share, and for rules with names one more for each. Nothing grows with devices.
 * What no map knows is dropped at the end of the class, and an address that no map knows at the end of from_device. */
#include "policy/lower_nft.h"

#include "policy/lower_chains.h"

#include <inttypes.h>

#define CLASS_MAP      "c"
#define SHARED_MAP     "shared"
#define CT_EVENTS_FLOW 5u /* IPCT_NEW (1) and IPCT_DESTROY (4): a flow's beginning and its end with counters */

struct lower {
	struct prog_build *b;
	const struct plan *p;
	const char **pos, **chains; /* of each rule, in the program's arena */
	const char **classes;	    /* chain of each class */
	bool *used;		    /* rules that some class refers to */
};

void learned_set_name(uint32_t mark, enum ip_family family, char ret[NFT_NAME_MAX])
{
	int digit = family == IP_V4 ? 4 : 6;

	if (mark == LEARN_SEEN)
		(void)snprintf(ret, NFT_NAME_MAX, "seen%d", digit);
	else
		(void)snprintf(ret, NFT_NAME_MAX, "l%d_%08" PRIx32, digit, mark);
}

static enum nft_field saddr_of(uint8_t family)
{
	return family == IP_V4 ? NFT_F_IP_SADDR : NFT_F_IP6_SADDR;
}

static enum nft_field daddr_of(uint8_t family)
{
	return family == IP_V4 ? NFT_F_IP_DADDR : NFT_F_IP6_DADDR;
}

static int digit_of(uint8_t family)
{
	return family == IP_V4 ? 4 : 6;
}

/* Statements that look (source, destination) up in a learned set. */
static struct nft_stmt learned_stmt(struct lower *l, uint32_t mark, uint8_t family, bool invert)
{
	char name[NFT_NAME_MAX];

	learned_set_name(mark, family, name);
	return (struct nft_stmt){
		.kind = NFT_S_MATCH,
		.invert = invert,
		.set = prog_name(l->b, "%s", name),
		.fields = { saddr_of(family), daddr_of(family) },
		.n_fields = 2,
	};
}

static void learned_set(struct lower *l, uint32_t mark, uint8_t family)
{
	struct nft_stmt s = learned_stmt(l, mark, family, false);

	prog_set(l->b, &(struct nft_set){
			       .name = s.set,
			       .fields = { s.fields[0], s.fields[1] },
			       .n_fields = 2,
			       .timeout = true,
		       });
}

/* Services of a rule with names. */
static void service_set(struct lower *l, const struct plan_rule *r)
{
	struct nft_elem *elems = prog_elems(l->b, r->n_services);

	for (uint32_t i = 0; elems != NULL && i < r->n_services; i++) {
		size_t lo = 0, hi = 0;

		key_u8(&elems[i].lo, &lo, r->services[i].proto);
		key_u16(&elems[i].lo, &lo, r->services[i].port_lo);
		key_u8(&elems[i].hi, &hi, r->services[i].proto);
		key_u16(&elems[i].hi, &hi, r->services[i].port_hi);
	}
	prog_set(l->b, &(struct nft_set){
			       .name = prog_name(l->b, "svc_%08" PRIx32, r->mark),
			       .fields = { NFT_F_L4PROTO, NFT_F_TH_DPORT },
			       .n_fields = 2,
			       .interval = true,
			       .elems = elems,
			       .n_elems = r->n_services,
		       });
}

/* Chain of a rule: what all classes do when a packet is this rule's. */
static void rule_chain(struct lower *l, uint32_t rule)
{
	const struct plan_rule *r = &l->p->rules[rule];
	struct prog_build *b = l->b;

	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_COUNTER });
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_CT_MARK, .value = r->mark });
	switch (r->action) {
	case PLAN_ACCEPT:
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_ACCEPT });
		break;
	case PLAN_DROP:
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_DROP });
		break;
	case PLAN_REJECT: /* a reset is for TCP only: a rule of its own */
		prog_rule(b, l->pos[rule]);
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_L4PROTO, .value = 6 });
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_REJECT, .value = 6 });
		prog_rule(b, l->pos[rule]);
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_REJECT });
		break;
	case PLAN_ACTION_MAX:
		break;
	}
	prog_rule(b, l->pos[rule]);
	prog_chain(b, &(struct nft_chain){ .name = prog_name(b, "r_%08" PRIx32, r->mark) });
}

/* A map of verdicts: @n boxes of one family. */
static void box_map(struct lower *l, const char *name, const struct plan_box *boxes, uint32_t n)
{
	struct nft_elem *elems = prog_elems(l->b, n);

	for (uint32_t i = 0; elems != NULL && i < n; i++) {
		struct nft_elem *el = &elems[i];
		size_t lo = 0, hi = 0;

		key_addr(&el->lo, &lo, &boxes[i].dst.first);
		key_u8(&el->lo, &lo, boxes[i].service.proto);
		key_u16(&el->lo, &lo, boxes[i].service.port_lo);
		key_addr(&el->hi, &hi, &boxes[i].dst.last);
		key_u8(&el->hi, &hi, boxes[i].service.proto);
		key_u16(&el->hi, &hi, boxes[i].service.port_hi);
		el->verdict = NFT_V_GOTO;
		el->chain = l->chains[boxes[i].rule];
		el->pos = l->pos[boxes[i].rule];
	}
	prog_set(l->b, &(struct nft_set){
			       .name = name,
			       .fields = { daddr_of(boxes[0].dst.first.family), NFT_F_L4PROTO, NFT_F_TH_DPORT },
			       .n_fields = 3,
			       .is_map = true,
			       .interval = true,
			       .elems = elems,
			       .n_elems = n,
		       });
}

/* How many of @boxes are IPv4; these come first. */
static uint32_t boxes_v4(const struct plan_box *boxes, uint32_t n)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (boxes[mid].dst.first.family == IP_V4)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const char *map_name(struct lower *l, const char *prefix, uint32_t id, uint8_t family)
{
	return prog_name(l->b, "%s%" PRIu32 "_%d", prefix, id, digit_of(family));
}

/* The maps of boxes, by family: none for a family without any. */
static void box_maps(struct lower *l, const char *prefix, uint32_t id, const struct plan_box *boxes, uint32_t n)
{
	uint32_t n4 = boxes_v4(boxes, n);

	if (n4 != 0)
		box_map(l, map_name(l, prefix, id, IP_V4), boxes, n4);
	if (n4 != n)
		box_map(l, map_name(l, prefix, id, IP_V6), boxes + n4, n - n4);
}

static void box_lookup(struct lower *l, const char *prefix, uint32_t id, uint8_t family)
{
	prog_stmt(l->b, &(struct nft_stmt){
				.kind = NFT_S_VMAP,
				.set = map_name(l, prefix, id, family),
				.fields = { daddr_of(family), NFT_F_L4PROTO, NFT_F_TH_DPORT },
				.n_fields = 3,
			});
	prog_rule(l->b, NULL);
}

/* Rules that look a packet up in the maps of these boxes. */
static void box_lookups(struct lower *l, const char *prefix, uint32_t id, const struct plan_box *boxes, uint32_t n)
{
	uint32_t n4 = boxes_v4(boxes, n);

	if (n4 != 0)
		box_lookup(l, prefix, id, IP_V4);
	if (n4 != n)
		box_lookup(l, prefix, id, IP_V6);
}

/* A rule with names: its services toward what was learned for this client. */
static void class_names(struct lower *l, uint32_t rule, uint8_t family)
{
	const struct plan_rule *r = &l->p->rules[rule];
	struct nft_stmt learned = learned_stmt(l, r->mark, family, false);

	prog_stmt(l->b, &(struct nft_stmt){
				.kind = NFT_S_MATCH,
				.set = prog_name(l->b, "svc_%08" PRIx32, r->mark),
				.fields = { NFT_F_L4PROTO, NFT_F_TH_DPORT },
				.n_fields = 2,
			});
	prog_stmt(l->b, &learned);
	prog_stmt(l->b, &(struct nft_stmt){
				.kind = NFT_S_VERDICT,
				.verdict = NFT_V_GOTO,
				.chain = l->chains[rule],
			});
	prog_rule(l->b, l->pos[rule]);
}

static void drop_rule(struct lower *l)
{
	prog_stmt(l->b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_DROP });
	prog_rule(l->b, NULL);
}

static void class_chain(struct lower *l, uint32_t id)
{
	static const uint8_t families[] = { IP_V4, IP_V6 };
	const struct plan_class *c = &l->p->classes[id];

	if (!c->quarantined) {
		prog_stmt(l->b, &(struct nft_stmt){
					.kind = NFT_S_CT_EVENT,
					.value = c->record_flows ? CT_EVENTS_FLOW : 0,
				});
		prog_rule(l->b, NULL);
		for (size_t f = 0; c->resolve_first && f < ARRAY_LEN(families); f++) {
			struct nft_stmt unseen = learned_stmt(l, LEARN_SEEN, families[f], true);

			prog_stmt(l->b, &unseen);
			drop_rule(l);
		}
		box_maps(l, CLASS_MAP, c->id, c->boxes, c->n_boxes);
		box_lookups(l, CLASS_MAP, c->id, c->boxes, c->n_boxes);
		for (size_t i = 0; i < PLAN_SHARED_MAX; i++) {
			const struct plan_shared *s = c->shared[i];

			if (s != NULL)
				box_lookups(l, SHARED_MAP, s->id, s->boxes, s->n_boxes);
		}
		for (uint32_t i = 0; i < c->n_name_rules; i++) {
			for (size_t f = 0; f < ARRAY_LEN(families); f++)
				class_names(l, c->name_rules[i], families[f]);
		}
	}
	drop_rule(l);
	prog_chain(l->b, &(struct nft_chain){ .name = l->classes[id] });
}

/* Every device's address to its class; those of active ones once more, for DNS and ping to the gateway itself. */
static void device_sets(struct lower *l, uint8_t family)
{
	const struct plan *p = l->p;
	struct nft_elem *src = prog_elems(l->b, p->n_addrs), *dev = prog_elems(l->b, p->n_addrs);
	uint32_t n_src = 0, n_dev = 0;

	for (uint32_t i = 0; src != NULL && dev != NULL && i < p->n_addrs; i++) {
		const struct plan_device *d = &p->devices[p->addrs[i].device];
		struct nft_key key = { 0 };
		size_t at = 0;

		/* An address that two devices claim is the first one's, as in plan_device_find(). */
		if (p->addrs[i].addr.family != family ||
		    (i != 0 && ip_addr_cmp(&p->addrs[i - 1].addr, &p->addrs[i].addr) == 0))
			continue;
		key_addr(&key, &at, &p->addrs[i].addr);
		src[n_src++] = (struct nft_elem){
			.lo = key,
			.hi = key,
			.verdict = NFT_V_JUMP,
			.chain = l->classes[d->class_id],
		};
		if (!p->classes[d->class_id].quarantined)
			dev[n_dev++] = (struct nft_elem){ .lo = key, .hi = key };
	}
	prog_set(l->b, &(struct nft_set){
			       .name = prog_name(l->b, "src%d", digit_of(family)),
			       .fields = { saddr_of(family) },
			       .n_fields = 1,
			       .is_map = true,
			       .elems = src,
			       .n_elems = n_src,
		       });
	prog_set(l->b, &(struct nft_set){
			       .name = prog_name(l->b, "dev%d", digit_of(family)),
			       .fields = { saddr_of(family) },
			       .n_fields = 1,
			       .elems = dev,
			       .n_elems = n_dev,
		       });
}

/* Which rules some class refers to; positions and names of chains into the program's arena, each once. */
static int rules_prepare(struct lower *l)
{
	const struct plan *p = l->p;

	for (uint32_t s = 0; s < p->n_shareds; s++) {
		for (uint32_t i = 0; i < p->shareds[s].n_boxes; i++)
			l->used[p->shareds[s].boxes[i].rule] = true;
	}
	for (uint32_t c = 0; c < p->n_classes; c++) {
		l->classes[c] = prog_name(l->b, "class_%" PRIu32, p->classes[c].id);
		for (uint32_t i = 0; i < p->classes[c].n_boxes; i++)
			l->used[p->classes[c].boxes[i].rule] = true;
		for (uint32_t i = 0; i < p->classes[c].n_name_rules; i++)
			l->used[p->classes[c].name_rules[i]] = true;
	}
	for (uint32_t r = 0; r < p->n_rules; r++) {
		l->chains[r] = prog_name(l->b, "r_%08" PRIx32, p->rules[r].mark);
		l->pos[r] = arena_strdup(l->b->mem, p->rules[r].pos);
		if (l->pos[r] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void lower_rules(struct lower *l)
{
	CLEANUP(freep) bool *named = calloc((size_t)l->p->n_rules + 1, sizeof(*named));
	bool seen = false;

	if (named == NULL) {
		l->b->failed = true;
		return;
	}
	for (uint32_t c = 0; c < l->p->n_classes; c++) {
		seen = seen || (l->p->classes[c].resolve_first && !l->p->classes[c].quarantined);
		for (uint32_t i = 0; i < l->p->classes[c].n_name_rules; i++)
			named[l->p->classes[c].name_rules[i]] = true;
	}
	for (uint32_t r = 0; r < l->p->n_rules; r++) {
		if (l->used[r])
			rule_chain(l, r);
		if (!named[r])
			continue;
		service_set(l, &l->p->rules[r]);
		learned_set(l, l->p->rules[r].mark, IP_V4);
		learned_set(l, l->p->rules[r].mark, IP_V6);
	}
	if (seen) {
		learned_set(l, LEARN_SEEN, IP_V4);
		learned_set(l, LEARN_SEEN, IP_V6);
	}
	for (uint32_t s = 0; s < l->p->n_shareds; s++)
		box_maps(l, SHARED_MAP, l->p->shareds[s].id, l->p->shareds[s].boxes, l->p->shareds[s].n_boxes);
	for (uint32_t c = 0; c < l->p->n_classes; c++)
		class_chain(l, c);
}

int lower_nft(const struct plan *p, const struct nft_env *env, struct nft_prog **ret, struct err *e)
{
	CLEANUP(prog_build_done) struct prog_build b = { .mem = arena_new(0) };
	CLEANUP(freep) const char **pos = calloc((size_t)p->n_rules + 1, sizeof(const char *));
	CLEANUP(freep) const char **chains = calloc((size_t)p->n_rules + 1, sizeof(const char *));
	CLEANUP(freep) const char **classes = calloc((size_t)p->n_classes + 1, sizeof(const char *));
	CLEANUP(freep) bool *used = calloc((size_t)p->n_rules + 1, sizeof(*used));
	struct lower l = { .b = &b, .p = p, .pos = pos, .chains = chains, .classes = classes, .used = used };

	if (strlen(env->tunnel) >= NFT_IFNAME_MAX)
		return err_set(e, -E2BIG, "interface name \"%s\" is too long", env->tunnel);
	if (b.mem == NULL || pos == NULL || chains == NULL || classes == NULL || used == NULL || rules_prepare(&l) < 0)
		return err_set(e, -ENOMEM, "kernel program");
	lower_rules(&l);
	device_sets(&l, IP_V4);
	device_sets(&l, IP_V6);
	lower_chains(&b, env);
	if (prog_finish(&b, ret) < 0)
		return err_set(e, -ENOMEM, "kernel program");
	return 0;
}

struct nft_prog *nft_prog_free(struct nft_prog *p)
{
	/* The program lies in its own arena. */
	if (p != NULL)
		(void)arena_free(p->mem);
	return NULL;
}

void nft_prog_freep(struct nft_prog **p)
{
	*p = nft_prog_free(*p);
}
