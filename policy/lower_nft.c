/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to kernel program: sets, and the chains that others jump to. Called by gatewayd on reload and by `sluice
 * compile`; printed by print_nft.c, sent by gatewayd. docs/architecture.md has the table of sets and chains.
 *
 * What a packet's source is and what its destination is are two look-ups each by address; what the one may do with the
 * other is a look-up of (destination's number, protocol, port) in the map of its class, and, where that has nothing, in
 * the map that classes share. Nothing grows with devices or rules, and a device that changes changes the elements of
 * its own addresses and no others: no map of verdicts has an element for each device (adding one makes the kernel
 * validate every chain of the table again), and no class has addresses. What no map knows is dropped at the end of the
 * class, and an address that no map knows at the end of from_device. */
#include "policy/lower_nft.h"

#include "policy/lower_chains.h"
#include "policy/lower_drops.h"
#include "policy/lower_dsts.h"

#include <inttypes.h>

#define CHAIN_USER     "src_user"
#define CT_EVENTS_FLOW 5u /* IPCT_NEW (1) and IPCT_DESTROY (4): a flow's beginning and its end with counters */

struct lower {
	struct prog_build *b;
	const struct plan *p;
	const char **pos, **chains; /* of each rule, in the program's arena */
	bool *used;		    /* rules that some class refers to */
	bool log;		    /* some device's refused packets are told of */
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

	prog_object(b, &(struct nft_object){ .name = l->chains[rule], .kind = NFT_O_COUNTER });
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_COUNTER, .object = l->chains[rule] });
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_CT_MARK, .value = r->mark });
	if (l->log && r->action != PLAN_ACCEPT) {
		prog_rule(b, l->pos[rule]);
		drops_log_deny(b, r->mark, l->pos[rule]);
	}
	switch (r->action) {
	case PLAN_ACCEPT: /* what is scratch here may mean something to who sends the packet out */
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_NUMBER });
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_ACCEPT });
		break;
	case PLAN_DROP:
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_DROP });
		break;
	case PLAN_REJECT: /* a reset is for TCP only: a rule of its own */
		if (!l->log)
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

/* The end of a packet that is refused for a reason that has its own chain. */
static void end_rule(struct lower *l, const char *chain)
{
	prog_stmt(l->b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_GOTO, .chain = chain });
	prog_rule(l->b, NULL);
}

static void box_map(struct lower *l, const char *name, const struct plan_dsts *d, const struct plan_box *boxes,
		    uint32_t n)
{
	boxes_map(l->b, &(struct box_map){ name, d, boxes, n, l->p->rules, l->pos });
}

/* What devices of the class may do with those of the same user. */
static void self_chain(struct lower *l, const struct plan_class *c)
{
	const char *map = prog_name(l->b, "s%" PRIu32, c->id);

	box_map(l, map, &l->p->named, c->self, c->n_self);
	boxes_lookup(l->b, numbering_named(l->p).chain, map);
	prog_chain(l->b, &(struct nft_chain){ .name = prog_name(l->b, "self_%" PRIu32, c->id) });
}

static void self_lookup(struct lower *l, const struct plan_class *c, uint8_t family)
{
	prog_stmt(l->b, &(struct nft_stmt){
				.kind = NFT_S_MATCH,
				.set = prog_name(l->b, "own%d", digit_of(family)),
				.fields = { NFT_F_NUMBER, daddr_of(family) },
				.n_fields = 2,
			});
	prog_stmt(l->b, &(struct nft_stmt){
				.kind = NFT_S_VERDICT,
				.verdict = NFT_V_JUMP,
				.chain = prog_name(l->b, "self_%" PRIu32, c->id),
			});
	prog_rule(l->b, NULL);
}

static void class_rules(struct lower *l, const struct plan_class *c)
{
	static const uint8_t families[] = { IP_V4, IP_V6 };
	const char *map = prog_name(l->b, "c%" PRIu32, c->id);

	prog_stmt(l->b, &(struct nft_stmt){ .kind = NFT_S_CT_EVENT, .value = c->record_flows ? CT_EVENTS_FLOW : 0 });
	prog_rule(l->b, NULL);
	for (size_t f = 0; c->resolve_first && f < ARRAY_LEN(families); f++) {
		struct nft_stmt unseen = learned_stmt(l, LEARN_SEEN, families[f], true);

		prog_stmt(l->b, &unseen);
		end_rule(l, CHAIN_UNSEEN);
	}
	if (c->n_self != 0) {
		prog_jump(l->b, CHAIN_USER);
		for (size_t f = 0; f < ARRAY_LEN(families); f++)
			self_lookup(l, c, families[f]);
	}
	if (c->n_boxes != 0) {
		box_map(l, map, &l->p->named, c->boxes, c->n_boxes);
		boxes_lookup(l->b, numbering_named(l->p).chain, map);
	}
	if (c->wide != NULL)
		boxes_lookup(l->b, numbering_wide(l->p).chain, prog_name(l->b, "part%" PRIu32, c->wide->id));
	for (uint32_t i = 0; c->members != NULL && i < l->p->members.n_levels; i++)
		boxes_lookup(l->b, numbering_level(l->b, l->p, i).chain,
			     prog_name(l->b, "part%" PRIu32, c->members->id));
	for (uint32_t i = 0; i < c->n_name_rules; i++) {
		for (size_t f = 0; f < ARRAY_LEN(families); f++)
			class_names(l, c->name_rules[i], families[f]);
	}
}

static const char *class_name(struct lower *l, const struct plan_class *c)
{
	return prog_name(l->b, "class_%" PRIu32, c->id);
}

static void class_chain(struct lower *l, const struct plan_class *c)
{
	if (c->n_self != 0)
		self_chain(l, c);
	if (!c->quarantined)
		class_rules(l, c);
	end_rule(l, c->quarantined ? CHAIN_QUARANTINED : CHAIN_NO_RULE);
	prog_chain(l->b, &(struct nft_chain){ .name = class_name(l, c) });
}

/* A map of numbers to chains. @elems: in any order. */
static void chain_map(struct lower *l, const char *name, struct nft_elem *elems, uint32_t n)
{
	prog_elems_sort(elems, n);
	prog_set(l->b, &(struct nft_set){
			       .name = name,
			       .fields = { NFT_F_NUMBER },
			       .n_fields = 1,
			       .map = NFT_MAP_VERDICT,
			       .elems = elems,
			       .n_elems = n,
		       });
}

/* Whose class it is, by its number. */
static void class_map(struct lower *l)
{
	struct nft_elem *elems = prog_elems(l->b, l->p->n_classes);

	for (uint32_t i = 0; elems != NULL && i < l->p->n_classes; i++) {
		size_t at = 0;

		key_number(&elems[i].lo, &at, l->p->classes[i].id, /* interval= */ false);
		elems[i].hi = elems[i].lo;
		elems[i].verdict = NFT_V_GOTO;
		elems[i].chain = class_name(l, &l->p->classes[i]);
	}
	if (elems != NULL)
		chain_map(l, "classes", elems, l->p->n_classes);
}

/* A rule by its mark: what all maps of boxes lead to. */
static void decide_chain(struct lower *l)
{
	struct nft_elem *elems = prog_elems(l->b, l->p->n_rules);
	uint32_t n = 0;

	for (uint32_t r = 0; elems != NULL && r < l->p->n_rules; r++) {
		size_t at = 0;

		if (!l->used[r])
			continue;
		key_number(&elems[n].lo, &at, l->p->rules[r].mark, /* interval= */ false);
		elems[n].hi = elems[n].lo;
		elems[n].verdict = NFT_V_GOTO;
		elems[n].chain = l->chains[r];
		elems[n++].pos = l->pos[r];
	}
	if (elems == NULL)
		return;
	chain_map(l, "rules", elems, n);
	prog_stmt(l->b,
		  &(struct nft_stmt){ .kind = NFT_S_VMAP, .set = "rules", .fields = { NFT_F_NUMBER }, .n_fields = 1 });
	prog_rule(l->b, NULL);
	drop_rule(l);
	prog_chain(l->b, &(struct nft_chain){ .name = CHAIN_DECIDE });
}

/* The users of devices, and which addresses are whose; where somebody asks for autogroup:self. */
static void user_sets(struct lower *l, uint8_t family)
{
	const struct plan *p = l->p;
	struct nft_elem *users = prog_elems(l->b, p->n_addrs), *own = prog_elems(l->b, p->n_addrs);
	uint32_t n_users = 0, n_own = 0;

	for (uint32_t i = 0; users != NULL && own != NULL && i < p->n_addrs; i++) {
		const struct plan_device *d = &p->devices[p->addrs[i].device];
		bool first = i == 0 || ip_addr_cmp(&p->addrs[i - 1].addr, &p->addrs[i].addr) != 0;
		size_t at = 0;

		if (p->addrs[i].addr.family != family || d->user_no == 0)
			continue;
		key_number(&own[n_own].lo, &at, p->user_ids[d->user_no - 1], /* interval= */ false);
		key_addr(&own[n_own].lo, &at, &p->addrs[i].addr);
		own[n_own].hi = own[n_own].lo;
		n_own++;
		if (!first)
			continue;
		at = 0;
		key_addr(&users[n_users].lo, &at, &p->addrs[i].addr);
		users[n_users].hi = users[n_users].lo;
		users[n_users++].number = p->user_ids[d->user_no - 1];
	}
	if (users == NULL || own == NULL)
		return;
	n_own = prog_elems_sort(own, n_own);
	prog_set(l->b, &(struct nft_set){
			       .name = prog_name(l->b, "own%d", digit_of(family)),
			       .fields = { NFT_F_NUMBER, daddr_of(family) },
			       .n_fields = 2,
			       .elems = own,
			       .n_elems = n_own,
		       });
	prog_set(l->b, &(struct nft_set){
			       .name = prog_name(l->b, "user%d", digit_of(family)),
			       .fields = { saddr_of(family) },
			       .n_fields = 1,
			       .map = NFT_MAP_NUMBER,
			       .elems = users,
			       .n_elems = n_users,
		       });
	number_of(l->b, prog_name(l->b, "user%d", digit_of(family)), saddr_of(family));
}

static void user_chain(struct lower *l)
{
	if (l->p->n_users == 0)
		return;
	number_clear(l->b);
	user_sets(l, IP_V4);
	user_sets(l, IP_V6);
	prog_chain(l->b, &(struct nft_chain){ .name = CHAIN_USER });
}

static void plain_set(struct lower *l, const char *name, enum nft_field field, struct nft_elem *elems, uint32_t n)
{
	prog_set(l->b,
		 &(struct nft_set){ .name = name, .fields = { field }, .n_fields = 1, .elems = elems, .n_elems = n });
}

/* Every device's address to its class; those of active ones once more, for DNS and ping to the gateway itself; those of
 * the others, to which the gateway begins nothing, where there are any. */
static void device_sets(struct lower *l, uint8_t family)
{
	const struct plan *p = l->p;
	struct nft_elem *src = prog_elems(l->b, p->n_addrs), *dev = prog_elems(l->b, p->n_addrs),
			*off = prog_elems(l->b, p->n_addrs);
	uint32_t n_src = 0, n_dev = 0, n_off = 0;

	for (uint32_t i = 0; src != NULL && dev != NULL && off != NULL && i < p->n_addrs; i++) {
		const struct plan_class *c = &p->classes[p->addrs[i].class_id];
		struct nft_key key = { 0 };
		size_t at = 0;

		/* An address that two devices claim is the first one's, as in plan_device_find(). */
		if (p->addrs[i].addr.family != family ||
		    (i != 0 && ip_addr_cmp(&p->addrs[i - 1].addr, &p->addrs[i].addr) == 0))
			continue;
		key_addr(&key, &at, &p->addrs[i].addr);
		src[n_src++] = (struct nft_elem){ .lo = key, .hi = key, .number = c->id };
		if (!c->quarantined)
			dev[n_dev++] = (struct nft_elem){ .lo = key, .hi = key };
		else
			off[n_off++] = (struct nft_elem){ .lo = key, .hi = key };
	}
	prog_set(l->b, &(struct nft_set){
			       .name = prog_name(l->b, "from%d", digit_of(family)),
			       .fields = { saddr_of(family) },
			       .n_fields = 1,
			       .map = NFT_MAP_NUMBER,
			       .elems = src,
			       .n_elems = n_src,
		       });
	plain_set(l, prog_name(l->b, "dev%d", digit_of(family)), saddr_of(family), dev, n_dev);
	if (n_off != 0)
		plain_set(l, prog_name(l->b, "off%d", digit_of(family)), daddr_of(family), off, n_off);
}

static void boxes_use(struct lower *l, const struct plan_box *boxes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		l->used[boxes[i].rule] = true;
}

/* Which rules some class refers to; positions and names of chains into the program's arena, each once. */
static int rules_prepare(struct lower *l)
{
	const struct plan *p = l->p;

	for (uint32_t i = 0; i < p->n_parts; i++)
		boxes_use(l, p->parts[i].boxes, p->parts[i].n_boxes);
	for (uint32_t c = 0; c < p->n_classes; c++) {
		boxes_use(l, p->classes[c].boxes, p->classes[c].n_boxes);
		boxes_use(l, p->classes[c].self, p->classes[c].n_self);
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
}

/* Each part is one layer's. */
static void part_maps(struct lower *l)
{
	CLEANUP(freep)
	const struct plan_dsts **of = calloc((size_t)l->p->n_parts + 1, sizeof(const struct plan_dsts *));

	if (of == NULL) {
		l->b->failed = true;
		return;
	}
	for (uint32_t i = 0; i < l->p->n_classes; i++) {
		const struct plan_class *c = &l->p->classes[i];

		if (c->wide != NULL)
			of[c->wide - l->p->parts] = &l->p->wide;
		if (c->members != NULL)
			of[c->members - l->p->parts] = &l->p->members.levels[0];
	}
	for (uint32_t i = 0; i < l->p->n_parts; i++) {
		const struct plan_part *part = &l->p->parts[i];

		if (of[i] != NULL)
			box_map(l, prog_name(l->b, "part%" PRIu32, part->id), of[i], part->boxes, part->n_boxes);
	}
}

static void lower_classes(struct lower *l)
{
	const struct plan *p = l->p;
	const struct numbering named = numbering_named(p), wide = numbering_wide(p);

	decide_chain(l);
	numbering_lower(l->b, &named);
	numbering_lower(l->b, &wide);
	for (uint32_t i = 0; i < p->members.n_levels; i++) {
		struct numbering level = numbering_level(l->b, p, i);

		numbering_lower(l->b, &level);
	}
	user_chain(l);
	part_maps(l);
	for (uint32_t c = 0; c < p->n_classes; c++)
		class_chain(l, &p->classes[c]);
	class_map(l);
	device_sets(l, IP_V4);
	device_sets(l, IP_V6);
}

int lower_nft(const struct plan *p, const struct nft_env *env, struct nft_prog **ret, struct err *e)
{
	CLEANUP(prog_build_done) struct prog_build b = { .mem = arena_new(0) };
	CLEANUP(freep) const char **pos = calloc((size_t)p->n_rules + 1, sizeof(const char *));
	CLEANUP(freep) const char **chains = calloc((size_t)p->n_rules + 1, sizeof(const char *));
	CLEANUP(freep) bool *used = calloc((size_t)p->n_rules + 1, sizeof(*used));
	struct lower l = { .b = &b, .p = p, .pos = pos, .chains = chains, .used = used, .log = drops_recorded(p, env) };

	if (strlen(env->tunnel) >= NFT_IFNAME_MAX)
		return err_set(e, -E2BIG, "interface name \"%s\" is too long", env->tunnel);
	if (b.mem == NULL || pos == NULL || chains == NULL || used == NULL || rules_prepare(&l) < 0)
		return err_set(e, -ENOMEM, "kernel program");
	lower_drops(&b, p, env);
	lower_rules(&l);
	lower_classes(&l);
	lower_chains(&b, env);
	if (prog_finish(&b, ret) < 0)
		return err_set(e, -ENOMEM, "kernel program");
	(*ret)->held_back = env->gate_pass != 0 ? NFT_GATE_CHAIN : NULL;
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
