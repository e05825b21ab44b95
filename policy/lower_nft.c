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
#include "policy/lower_names.h"
#include "policy/lower_steer.h"

#include <inttypes.h>

#define CHAIN_USER     "src_user"
#define CT_EVENTS_FLOW 5u /* IPCT_NEW (1) and IPCT_DESTROY (4): a flow's beginning and its end with counters */

struct lower {
	struct prog_build *b;
	const struct plan *p;
	const char **pos, **chains; /* of each rule, in the program's arena */
	bool *used;		    /* rules that some class refers to */
	bool steered;		    /* some of them have ways out of their own */
	bool log;		    /* some device's refused packets are told of */
};

/* What the look-ups of a class lead to: verdicts, or, before routing, ways out. */
struct ends {
	const char *decide;	   /* chain: the scratch number is the mark of the rule */
	const char *const *chains; /* of each rule */
	const char *self;	   /* what the names of chains for autogroup:self begin with */
};

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
	case PLAN_ACCEPT: /* what is scratch here may mean something to who sends the packet out, or to the gate */
		prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_NUMBER, .value = b->gate_pass });
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
static void name_rule(struct lower *l, uint32_t rule, uint8_t family, const struct ends *ends)
{
	const struct plan_rule *r = &l->p->rules[rule];
	struct nft_stmt learned = learned_stmt(l->b, r->mark, family, false);

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
				.chain = ends->chains[rule],
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
static void self_chain(struct lower *l, const struct plan_class *c, const struct ends *ends)
{
	boxes_lookup(l->b, numbering_named(l->p).chain, prog_name(l->b, "s%" PRIu32, c->id), ends->decide);
	prog_chain(l->b, &(struct nft_chain){ .name = prog_name(l->b, "%s_%" PRIu32, ends->self, c->id) });
}

static void self_lookup(struct lower *l, const struct plan_class *c, uint8_t family, const struct ends *ends)
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
				.chain = prog_name(l->b, "%s_%" PRIu32, ends->self, c->id),
			});
	prog_rule(l->b, NULL);
}

/* In the order of the layers: what is found first decides. */
static void class_boxes(struct lower *l, const struct plan_class *c, const struct ends *ends)
{
	static const uint8_t families[] = { IP_V4, IP_V6 };

	if (c->n_self != 0) {
		prog_jump(l->b, CHAIN_USER);
		for (size_t f = 0; f < ARRAY_LEN(families); f++)
			self_lookup(l, c, families[f], ends);
	}
	if (c->n_boxes != 0)
		boxes_lookup(l->b, numbering_named(l->p).chain, prog_name(l->b, "c%" PRIu32, c->id), ends->decide);
	if (c->wide != NULL)
		boxes_lookup(l->b, numbering_wide(l->p).chain, prog_name(l->b, "part%" PRIu32, c->wide->id),
			     ends->decide);
	for (uint32_t i = 0; c->members != NULL && i < l->p->members.n_levels; i++)
		boxes_lookup(l->b, numbering_level(l->b, l->p, i).chain,
			     prog_name(l->b, "part%" PRIu32, c->members->id), ends->decide);
}

static void class_names(struct lower *l, const struct plan_class *c, const struct ends *ends)
{
	for (uint32_t i = 0; i < c->n_name_rules; i++) {
		name_rule(l, c->name_rules[i], IP_V4, ends);
		name_rule(l, c->name_rules[i], IP_V6, ends);
	}
}

static void class_rules(struct lower *l, const struct plan_class *c, const struct ends *ends)
{
	static const uint8_t families[] = { IP_V4, IP_V6 };

	prog_stmt(l->b, &(struct nft_stmt){ .kind = NFT_S_CT_EVENT, .value = c->record_flows ? CT_EVENTS_FLOW : 0 });
	prog_rule(l->b, NULL);
	for (size_t f = 0; c->resolve_first && f < ARRAY_LEN(families); f++) {
		struct nft_stmt unseen = learned_stmt(l->b, LEARN_SEEN, families[f], true);

		prog_stmt(l->b, &unseen);
		end_rule(l, CHAIN_UNSEEN);
	}
	class_boxes(l, c, ends);
	class_names(l, c, ends);
}

static void class_maps(struct lower *l, const struct plan_class *c)
{
	box_map(l, prog_name(l->b, "s%" PRIu32, c->id), &l->p->named, c->self, c->n_self);
	box_map(l, prog_name(l->b, "c%" PRIu32, c->id), &l->p->named, c->boxes, c->n_boxes);
}

static bool has_way(const struct lower *l, const struct plan_box *boxes, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (l->p->rules[boxes[i].rule].egress != NULL)
			return true;
	return false;
}

/* Some of what devices of the class may do has a way out of its own. */
static bool class_steered(const struct lower *l, const struct plan_class *c)
{
	for (uint32_t i = 0; i < c->n_name_rules; i++)
		if (l->p->rules[c->name_rules[i]].egress != NULL)
			return true;
	return has_way(l, c->self, c->n_self) || has_way(l, c->boxes, c->n_boxes) ||
	       (c->wide != NULL && has_way(l, c->wide->boxes, c->wide->n_boxes));
}

/* Both by name and by address a packet may be allowed, and names choose the way out: whoever opens the internet and
 * sends some names through a second hop means those names. What is refused by address stays refused. */
static const char *ordered_chain(struct lower *l, const struct plan_class *c, const struct ends *ends,
				 const char *refusals)
{
	const char *name = prog_name(l->b, "%s_%" PRIu32, ends->decide, c->id);

	prog_stmt(l->b,
		  &(struct nft_stmt){ .kind = NFT_S_VMAP, .set = refusals, .fields = { NFT_F_NUMBER }, .n_fields = 1 });
	prog_rule(l->b, NULL);
	class_names(l, c, ends);
	prog_stmt(l->b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_GOTO, .chain = ends->decide });
	prog_rule(l->b, NULL);
	prog_chain(l->b, &(struct nft_chain){ .name = name });
	return name;
}

static void class_chain(struct lower *l, const struct plan_class *c)
{
	struct ends ends = { .decide = CHAIN_DECIDE, .chains = l->chains, .self = "self" };

	class_maps(l, c);
	if (c->n_name_rules != 0 && class_steered(l, c))
		ends.decide = ordered_chain(l, c, &ends, "refuse");
	if (c->n_self != 0)
		self_chain(l, c, &ends);
	if (!c->quarantined)
		class_rules(l, c, &ends);
	end_rule(l, c->quarantined ? CHAIN_QUARANTINED : CHAIN_NO_RULE);
	prog_chain(l->b, &(struct nft_chain){ .name = prog_name(l->b, "class_%" PRIu32, c->id) });
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

/* A class by its number: its chain of that kind. */
static struct nft_elem class_elem(struct lower *l, const struct plan_class *c, const char *kind)
{
	struct nft_elem elem = { .verdict = NFT_V_GOTO, .chain = prog_name(l->b, "%s_%" PRIu32, kind, c->id) };
	size_t at = 0;

	key_number(&elem.lo, &at, c->id, /* interval= */ false);
	elem.hi = elem.lo;
	return elem;
}

/* Whose class it is, by its number. */
static void class_map(struct lower *l)
{
	struct nft_elem *elems = prog_elems(l->b, l->p->n_classes);

	for (uint32_t i = 0; elems != NULL && i < l->p->n_classes; i++)
		elems[i] = class_elem(l, &l->p->classes[i], "class");
	if (elems != NULL)
		chain_map(l, "classes", elems, l->p->n_classes);
}

static void steer_class(struct lower *l, const struct plan_class *c, struct ends ends)
{
	if (c->n_name_rules != 0)
		ends.decide = ordered_chain(l, c, &ends, "stay");
	if (c->n_self != 0)
		self_chain(l, c, &ends);
	class_boxes(l, c, &ends);
	class_names(l, c, &ends);
	prog_stmt(l->b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_GOTO, .chain = STEER_MAIN });
	prog_rule(l->b, NULL);
	prog_chain(l->b, &(struct nft_chain){ .name = prog_name(l->b, "steer_class_%" PRIu32, c->id) });
}

/* Rules by their marks, to their chains, or those that refuse to @refused. */
static void rule_marks(struct lower *l, const char *name, bool refusing, const char *refused)
{
	struct nft_elem *elems = prog_elems(l->b, l->p->n_rules);
	uint32_t n = 0;

	for (uint32_t r = 0; elems != NULL && r < l->p->n_rules; r++) {
		size_t at = 0;

		if (!l->used[r] || (refusing && l->p->rules[r].action == PLAN_ACCEPT))
			continue;
		key_number(&elems[n].lo, &at, l->p->rules[r].mark, /* interval= */ false);
		elems[n].hi = elems[n].lo;
		elems[n].verdict = NFT_V_GOTO;
		elems[n].chain = refused != NULL ? refused : l->chains[r];
		elems[n++].pos = l->pos[r];
	}
	if (elems != NULL)
		chain_map(l, name, elems, n);
}

/* The same look-ups once more, before routing, for the classes that it makes a difference to. */
static int lower_steering(struct lower *l, const struct steering *s, struct err *e)
{
	const char **chains = arena_array(l->b->mem, l->p->n_rules, sizeof(const char *));
	struct nft_elem *elems = prog_elems(l->b, l->p->n_classes);
	const struct ends ends = { .decide = STEER_DECIDE, .chains = chains, .self = "steer_self" };
	uint32_t n = 0;
	int r;

	if (chains == NULL || elems == NULL)
		return err_set(e, -ENOMEM, "kernel program");
	r = steer_ways(s, e);
	if (r < 0)
		return r;
	/* What will be refused is nobody's to lead elsewhere: it is answered from here. */
	rule_marks(l, "stay", true, STEER_MAIN);
	for (uint32_t i = 0; i < l->p->n_rules; i++)
		chains[i] = steer_of_rule(s, i);
	for (uint32_t i = 0; i < l->p->n_classes; i++) {
		if (!class_steered(l, &l->p->classes[i]))
			continue;
		steer_class(l, &l->p->classes[i], ends);
		elems[n++] = class_elem(l, &l->p->classes[i], "steer_class");
	}
	chain_map(l, "steering", elems, n);
	steer_hooks(s);
	return 0;
}

/* A rule by its mark: what all maps of boxes lead to. */
static void decide_chain(struct lower *l)
{
	rule_marks(l, "rules", false, NULL);
	if (l->steered)
		rule_marks(l, "refuse", true, NULL);
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

		if (p->addrs[i].addr.family != family || d->user_no == 0 || ip_addr_is_loopback(&p->addrs[i].addr))
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

		/* An address that two devices claim is the first one's, as in plan_device_find(). Loopback ones are of
		 * the gateway's own programs, whose packets do not come here. */
		if (p->addrs[i].addr.family != family || ip_addr_is_loopback(&p->addrs[i].addr) ||
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
		service_set(l->b, &l->p->rules[r]);
		learned_set(l->b, l->p->rules[r].mark, IP_V4);
		learned_set(l->b, l->p->rules[r].mark, IP_V6);
	}
	if (seen) {
		learned_set(l->b, LEARN_SEEN, IP_V4);
		learned_set(l->b, LEARN_SEEN, IP_V6);
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
	const struct steering steering = { .b = &b, .p = p, .env = env, .used = used };

	if (strlen(env->tunnel) >= NFT_IFNAME_MAX)
		return err_set(e, -E2BIG, "interface name \"%s\" is too long", env->tunnel);
	if (b.mem == NULL || pos == NULL || chains == NULL || used == NULL || rules_prepare(&l) < 0)
		return err_set(e, -ENOMEM, "kernel program");
	b.tunnel = prog_name(&b, "%s", env->tunnel);
	b.gate_pass = env->gate_pass;
	lower_drops(&b, p, env);
	l.steered = steer_wanted(&steering);
	lower_rules(&l);
	lower_classes(&l);
	lower_chains(&b, env, l.steered);
	if (l.steered) {
		int r = lower_steering(&l, &steering, e);

		if (r < 0)
			return r;
	}
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
