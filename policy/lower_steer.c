/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by lower_nft.c.
 *
 * The forward hook knows which rule accepts a packet, and comes too late: the packet is routed by then. So the rule is
 * looked up before routing as well, in the same maps by chains of the same shape (steer_class_N beside class_N), and
 * writes the packet's mark, by which routing chooses a table (gatewayd/egress.c, or the user's own rules). Packets of a
 * flow that was accepted go by the mark of its rule in conntrack. At the very end a packet whose rule has an
 * interface and that is about to leave by another is dropped: that holds whatever has become of routes and routing
 * rules. */
#include "policy/lower_steer.h"

#include <inttypes.h>

#include "policy/lower_dsts.h"

/* After conntrack (-200) and what Tailscale restores in mangle (-150), before destination NAT (-100) and routing. */
#define PRIO_STEER  (-140)
#define PRIO_MANGLE (-150)
#define PRIO_BOUND  (-9) /* before source NAT, which forgets a flow that leaves by another interface */
#define PORT_DNS    53
#define PROTO_TCP   6
#define PROTO_UDP   17
#define SET_AWAY    "away" /* interfaces of ways */

static const struct egress *way_of(const struct steering *s, uint32_t rule)
{
	const char *name = s->p->rules[rule].egress;

	return name == NULL || s->env->egress == NULL ? NULL : egress_find(s->env->egress, name);
}

bool steer_wanted(const struct steering *s)
{
	for (uint32_t r = 0; r < s->p->n_rules; r++)
		if (s->used[r] && s->p->rules[r].egress != NULL)
			return true;
	return false;
}

static uint32_t number_of_way(const struct steering *s, const struct egress *way)
{
	return (uint32_t)(way - s->env->egress->items) + 1;
}

const char *steer_of_rule(const struct steering *s, uint32_t rule)
{
	const struct egress *way = way_of(s, rule);

	return way == NULL ? STEER_MAIN : prog_name(s->b, "steer_%" PRIu32, number_of_way(s, way));
}

static void value(struct prog_build *b, enum nft_stmt_kind kind, uint32_t number)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = kind, .value = number });
}

static void verdict(struct prog_build *b, enum nft_verdict v, const char *chain)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = v, .chain = chain });
	prog_rule(b, NULL);
}

static void lookup(struct prog_build *b, enum nft_stmt_kind kind, enum nft_field field, const char *set, bool invert)
{
	prog_stmt(b,
		  &(struct nft_stmt){ .kind = kind, .set = set, .fields = { field }, .n_fields = 1, .invert = invert });
}

static void interface(struct prog_build *b, enum nft_stmt_kind kind, const char *name, bool invert)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = kind, .name = prog_name(b, "%s", name), .invert = invert });
}

/* An accept here ends our own chain and nobody else's. */
static void main_chain(struct prog_build *b)
{
	value(b, NFT_S_NUMBER, 0);
	verdict(b, NFT_V_ACCEPT, NULL);
	prog_chain(b, &(struct nft_chain){ .name = STEER_MAIN });
}

/* mark_N: the way as the packet's mark. way_N: what is for this host or for a device stays, the way is one out.
 * steer_N: the same for packets that begin a flow, whose scratch number is in use. */
static void way_chains(const struct steering *s, const struct egress *way)
{
	const char *name = prog_name(s->b, "way_%" PRIu32, number_of_way(s, way));
	const char *mark = prog_name(s->b, "mark_%" PRIu32, number_of_way(s, way));

	prog_stmt(s->b, &(struct nft_stmt){ .kind = NFT_S_META_MARK, .value = way->mark, .mask = way->mask });
	verdict(s->b, NFT_V_ACCEPT, NULL);
	prog_chain(s->b, &(struct nft_chain){ .name = mark });

	value(s->b, NFT_S_FIB_LOCAL, 0);
	verdict(s->b, NFT_V_ACCEPT, NULL);
	interface(s->b, NFT_S_FIB_OIF, s->env->tunnel, false);
	verdict(s->b, NFT_V_ACCEPT, NULL);
	verdict(s->b, NFT_V_GOTO, mark);
	prog_chain(s->b, &(struct nft_chain){ .name = name });

	value(s->b, NFT_S_NUMBER, 0);
	prog_rule(s->b, NULL);
	verdict(s->b, NFT_V_GOTO, name);
	prog_chain(s->b, &(struct nft_chain){ .name = prog_name(s->b, "steer_%" PRIu32, number_of_way(s, way)) });
}

static void bound_chain(const struct steering *s, const struct egress *way)
{
	interface(s->b, NFT_S_OIFNAME, way->interface, true);
	value(s->b, NFT_S_COUNTER, 0);
	verdict(s->b, NFT_V_DROP, NULL);
	prog_chain(s->b, &(struct nft_chain){ .name = prog_name(s->b, "bound_%" PRIu32, number_of_way(s, way)) });
}

static void away_set(const struct steering *s)
{
	struct nft_elem *elems = prog_elems(s->b, s->env->egress->n);
	uint32_t n = 0;

	for (uint32_t i = 0; elems != NULL && i < s->env->egress->n; i++) {
		size_t at = 0;

		if (s->env->egress->items[i].interface == NULL)
			continue;
		key_ifname(&elems[n].lo, &at, s->env->egress->items[i].interface);
		elems[n].hi = elems[n].lo;
		n++;
	}
	if (elems == NULL)
		return;
	prog_set(s->b, &(struct nft_set){ .name = SET_AWAY,
					  .fields = { NFT_F_IIFNAME },
					  .n_fields = 1,
					  .elems = elems,
					  .n_elems = prog_elems_sort(elems, n) });
}

/* Marks of rules with a way to chains whose names begin with @prefix; NULL makes a set of them. */
static void rule_map(const struct steering *s, const char *name, enum nft_field field, const char *prefix,
		     bool interface_only)
{
	struct nft_elem *elems = prog_elems(s->b, s->p->n_rules);
	uint32_t n = 0;

	for (uint32_t r = 0; elems != NULL && r < s->p->n_rules; r++) {
		const struct egress *way = s->used[r] ? way_of(s, r) : NULL;
		size_t at = 0;

		if (way == NULL || (interface_only && way->interface == NULL))
			continue;
		key_number(&elems[n].lo, &at, s->p->rules[r].mark, /* interval= */ false);
		elems[n].hi = elems[n].lo;
		if (prefix != NULL) {
			elems[n].verdict = NFT_V_GOTO;
			elems[n].chain = prog_name(s->b, "%s_%" PRIu32, prefix, number_of_way(s, way));
		}
		n++;
	}
	if (elems == NULL)
		return;
	prog_set(s->b, &(struct nft_set){ .name = name,
					  .fields = { field },
					  .n_fields = 1,
					  .map = prefix != NULL ? NFT_MAP_VERDICT : NFT_MAP_NONE,
					  .elems = elems,
					  .n_elems = prog_elems_sort(elems, n) });
}

static void decide_chain(struct prog_build *b)
{
	lookup(b, NFT_S_VMAP, NFT_F_NUMBER, "ways", false);
	prog_rule(b, NULL);
	verdict(b, NFT_V_GOTO, STEER_MAIN);
	prog_chain(b, &(struct nft_chain){ .name = STEER_DECIDE });
}

int steer_ways(const struct steering *s, struct err *e)
{
	const struct plan *p = s->p;

	for (uint32_t r = 0; r < p->n_rules; r++)
		if (s->used[r] && p->rules[r].egress != NULL && way_of(s, r) == NULL)
			return err_set(e, -ENOENT, "%s: the gateway has no egress \"%s\"", p->rules[r].pos,
				       p->rules[r].egress);
	main_chain(s->b);
	for (uint32_t i = 0; i < s->env->egress->n; i++) {
		way_chains(s, &s->env->egress->items[i]);
		if (s->env->egress->items[i].interface != NULL)
			bound_chain(s, &s->env->egress->items[i]);
	}
	rule_map(s, "ways", NFT_F_NUMBER, "steer", false);
	rule_map(s, "flows", NFT_F_CT_MARK, "way", false);
	rule_map(s, "errors", NFT_F_CT_MARK, "mark", false);
	rule_map(s, "bound", NFT_F_CT_MARK, "bound", true);
	rule_map(s, SET_STEERED, NFT_F_CT_MARK, NULL, false);
	away_set(s);
	decide_chain(s->b);
	return 0;
}

static void base_chain(const struct steering *s, struct nft_chain chain)
{
	if (!s->env->hooks) {
		chain.hook = NFT_H_NONE;
		chain.route = false;
		chain.priority = 0;
	}
	prog_chain(s->b, &chain);
}

/* Port 53 of anybody is answered here: its packets go nowhere. */
static void captured(const struct steering *s)
{
	static const uint8_t protos[] = { PROTO_UDP, PROTO_TCP };

	for (size_t i = 0; s->env->dns_capture && i < ARRAY_LEN(protos); i++) {
		value(s->b, NFT_S_L4PROTO, protos[i]);
		value(s->b, NFT_S_DPORT, PORT_DNS);
		verdict(s->b, NFT_V_ACCEPT, NULL);
	}
}

static void steer(const struct steering *s)
{
	struct prog_build *b = s->b;

	interface(b, NFT_S_IIFNAME, s->env->tunnel, true);
	verdict(b, NFT_V_ACCEPT, NULL);
	captured(s);
	value(b, NFT_S_CT_STATE, NFT_CT_ESTABLISHED | NFT_CT_RELATED);
	lookup(b, NFT_S_VMAP, NFT_F_CT_MARK, "flows", false);
	prog_rule(b, NULL);
	/* Of another rule, or to be dropped: from_device. */
	value(b, NFT_S_CT_STATE, NFT_CT_INVALID | NFT_CT_ESTABLISHED | NFT_CT_RELATED | NFT_CT_UNTRACKED);
	verdict(b, NFT_V_ACCEPT, NULL);
	number_clear(b);
	number_of(b, "from4", NFT_F_IP_SADDR);
	number_of(b, "from6", NFT_F_IP6_SADDR);
	lookup(b, NFT_S_VMAP, NFT_F_NUMBER, "steering", false);
	prog_rule(b, NULL);
	verdict(b, NFT_V_GOTO, STEER_MAIN);
	base_chain(s, (struct nft_chain){ .name = "steer", .hook = NFT_H_PREROUTING, .priority = PRIO_STEER });
}

/* The last word, behind routing and whatever has changed it. What is for a device has left the way already. */
static void bound(const struct steering *s)
{
	interface(s->b, NFT_S_OIFNAME, s->env->tunnel, true);
	lookup(s->b, NFT_S_VMAP, NFT_F_CT_MARK, "bound", false);
	prog_rule(s->b, NULL);
	base_chain(s, (struct nft_chain){ .name = "bound", .hook = NFT_H_POSTROUTING, .priority = PRIO_BOUND });
}

/* What comes by such an interface for a flow that is no more is for the host itself, which would answer that it knows
 * nothing of it: by the host's own way, to where nothing should go by it. */
static void away_in(const struct steering *s)
{
	lookup(s->b, NFT_S_MATCH, NFT_F_IIFNAME, SET_AWAY, false);
	value(s->b, NFT_S_CT_STATE, NFT_CT_INVALID | NFT_CT_NEW);
	value(s->b, NFT_S_FIB_ASTRAY, 0);
	value(s->b, NFT_S_COUNTER, 0);
	verdict(s->b, NFT_V_DROP, NULL);
	base_chain(s, (struct nft_chain){ .name = "away_in", .hook = NFT_H_INPUT, .priority = PRIO_BOUND });
}

/* What the host says of a flow that lives (that a packet is too big) takes the way of the flow. */
static void away_out(const struct steering *s)
{
	interface(s->b, NFT_S_OIFNAME, s->env->tunnel, true);
	value(s->b, NFT_S_CT_STATE, NFT_CT_RELATED);
	lookup(s->b, NFT_S_VMAP, NFT_F_CT_MARK, "errors", false);
	prog_rule(s->b, NULL);
	base_chain(s, (struct nft_chain){
			      .name = "away_out", .hook = NFT_H_OUTPUT, .route = true, .priority = PRIO_MANGLE });
}

void steer_hooks(const struct steering *s)
{
	steer(s);
	bound(s);
	away_in(s);
	away_out(s);
}
