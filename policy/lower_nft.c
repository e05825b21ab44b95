/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to kernel program: sets, and the chains that others jump to. Called by gatewayd on reload and by `sluice
 * compile`; printed by print_nft.c, sent by gatewayd. docs/architecture.md has the table of sets and chains.
 *
 * A packet of a device takes: one look-up of its source, one of (destination, protocol, port) in its class's map, and
 * for rules with names one more for each. Nothing grows with devices. What no map knows is dropped at the end of the
 * class, and an address that no map knows at the end of from_device. */
#include "policy/lower_nft.h"

#include "policy/lower_chains.h"

#include <inttypes.h>

#define CT_EVENTS_FLOW 5u /* IPCT_NEW (1) and IPCT_DESTROY (4): a flow's beginning and its end with counters */

struct lower {
	struct prog_build *b;
	const struct plan *p;
	const char **pos; /* of each rule, in the program's arena */
	bool *used;	  /* rules that some class refers to */
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

/* The boxes @from..@to of a class, which are of one family. */
static void class_map(struct lower *l, uint32_t id, uint8_t family, uint32_t from, uint32_t to)
{
	const struct plan_box *boxes = l->p->classes[id].boxes;
	struct nft_elem *elems = prog_elems(l->b, to - from);

	for (uint32_t i = from; elems != NULL && i < to; i++) {
		struct nft_elem *el = &elems[i - from];
		size_t lo = 0, hi = 0;

		key_addr(&el->lo, &lo, &boxes[i].dst.first);
		key_u8(&el->lo, &lo, boxes[i].service.proto);
		key_u16(&el->lo, &lo, boxes[i].service.port_lo);
		key_addr(&el->hi, &hi, &boxes[i].dst.last);
		key_u8(&el->hi, &hi, boxes[i].service.proto);
		key_u16(&el->hi, &hi, boxes[i].service.port_hi);
		el->verdict = NFT_V_GOTO;
		el->chain = prog_name(l->b, "r_%08" PRIx32, l->p->rules[boxes[i].rule].mark);
		el->pos = l->pos[boxes[i].rule];
	}
	prog_set(l->b, &(struct nft_set){
			       .name = prog_name(l->b, "c%" PRIu32 "_%d", id, digit_of(family)),
			       .fields = { daddr_of(family), NFT_F_L4PROTO, NFT_F_TH_DPORT },
			       .n_fields = 3,
			       .is_map = true,
			       .interval = true,
			       .elems = elems,
			       .n_elems = to - from,
		       });
	prog_stmt(l->b, &(struct nft_stmt){
				.kind = NFT_S_VMAP,
				.set = prog_name(l->b, "c%" PRIu32 "_%d", id, digit_of(family)),
				.fields = { daddr_of(family), NFT_F_L4PROTO, NFT_F_TH_DPORT },
				.n_fields = 3,
			});
	prog_rule(l->b, NULL);
}

static void class_maps(struct lower *l, uint32_t id)
{
	const struct plan_class *c = &l->p->classes[id];
	uint32_t n4 = 0;

	while (n4 < c->n_boxes && c->boxes[n4].dst.first.family == IP_V4)
		n4++;
	if (n4 != 0)
		class_map(l, id, IP_V4, 0, n4);
	if (n4 != c->n_boxes)
		class_map(l, id, IP_V6, n4, c->n_boxes);
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
				.chain = prog_name(l->b, "r_%08" PRIx32, r->mark),
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
		class_maps(l, id);
		for (uint32_t i = 0; i < c->n_name_rules; i++) {
			for (size_t f = 0; f < ARRAY_LEN(families); f++)
				class_names(l, c->name_rules[i], families[f]);
		}
	}
	drop_rule(l);
	prog_chain(l->b, &(struct nft_chain){ .name = prog_name(l->b, "class_%" PRIu32, id) });
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
			.chain = prog_name(l->b, "class_%" PRIu32, d->class_id),
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

/* Which rules some class refers to; positions into the program's arena. */
static int rules_prepare(struct lower *l)
{
	const struct plan *p = l->p;

	for (uint32_t c = 0; c < p->n_classes; c++) {
		for (uint32_t i = 0; i < p->classes[c].n_boxes; i++)
			l->used[p->classes[c].boxes[i].rule] = true;
		for (uint32_t i = 0; i < p->classes[c].n_name_rules; i++)
			l->used[p->classes[c].name_rules[i]] = true;
	}
	for (uint32_t r = 0; r < p->n_rules; r++) {
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
	for (uint32_t c = 0; c < l->p->n_classes; c++)
		class_chain(l, c);
}

int lower_nft(const struct plan *p, const struct nft_env *env, struct nft_prog **ret, struct err *e)
{
	CLEANUP(prog_build_done) struct prog_build b = { .mem = arena_new(0) };
	CLEANUP(freep) const char **pos = calloc((size_t)p->n_rules + 1, sizeof(const char *));
	CLEANUP(freep) bool *used = calloc((size_t)p->n_rules + 1, sizeof(*used));
	struct lower l = { .b = &b, .p = p, .pos = pos, .used = used };

	if (strlen(env->tunnel) >= NFT_IFNAME_MAX)
		return err_set(e, -E2BIG, "interface name \"%s\" is too long", env->tunnel);
	if (b.mem == NULL || pos == NULL || used == NULL || rules_prepare(&l) < 0)
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
