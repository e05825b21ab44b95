/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by ruleset.c for each deny; feeds lower_dns.c. Ranges that come from a source are not copied, there may be
 * a million: the plan names them, and who judges an answer has them. */
#include "policy/compile_closed.h"

#include "policy/services.h"

static bool is_whole(const struct service *services, uint32_t n, uint8_t proto)
{
	for (uint32_t i = 0; i < n; i++)
		if (services[i].proto == proto && services[i].port_lo == 0 && services[i].port_hi == UINT16_MAX)
			return true;
	return false;
}

/* "ip": ["*"]: all that "*" means at least. */
static bool closes_all(const struct doc_dst *dst)
{
	static const uint8_t protos[] = { PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_ICMP6 };

	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (!is_whole(dst->services, dst->n_services, protos[i]))
			return false;
	return true;
}

static bool is_of_world(const struct selector *sel)
{
	return sel->kind == SEL_LOADED || sel->kind == SEL_RANGES || sel->kind == SEL_PREFIX;
}

/* "geo:KP". */
static const char *source_key(struct arena *mem, const struct doc_need *need)
{
	static const char *const kinds[] = { [PREFIX_GEO] = "geo", [PREFIX_ASN] = "asn", [PREFIX_LIST] = "iplist" };

	static_assert(ARRAY_LEN(kinds) == PREFIX_KIND_MAX, "kinds");
	return arena_printf(mem, "%s:%s", kinds[need->kind], need->key);
}

/* @named and @wide, which a deny does not tell apart, as one list. */
static int ranges_join(struct arena *mem, const struct ip_range *named, uint32_t n_named, const struct ip_range *wide,
		       uint32_t n_wide, struct plan_addr_step *ret)
{
	struct ip_range *ranges;

	if (n_named + n_wide == 0)
		return 0;
	ranges = arena_array(mem, (size_t)n_named + n_wide, sizeof(*ranges));
	if (ranges == NULL)
		return -ENOMEM;
	if (n_named != 0)
		memcpy(ranges, named, n_named * sizeof(*ranges));
	if (n_wide != 0)
		memcpy(ranges + n_named, wide, n_wide * sizeof(*ranges));
	ret->ranges = ranges;
	ret->n_ranges = (uint32_t)ip_ranges_normalize(ranges, (size_t)n_named + n_wide);
	return 0;
}

/* Depth: IPSET_DEPTH_MAX. */
static int steps_copy(struct arena *mem, const struct doc_policy *p, const struct set_step *from, uint32_t n,
		      struct plan_addr_set *ret)
{
	struct plan_addr_step *steps = arena_array(mem, (size_t)n + 1, sizeof(*steps));

	if (steps == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct plan_addr_set nested = { 0 };

		steps[i].remove = from[i].remove;
		if (from[i].loaded)
			steps[i].source = source_key(mem, &p->needs[from[i].need]);
		if ((from[i].loaded && steps[i].source == NULL) ||
		    ranges_join(mem, from[i].named, from[i].n_named, from[i].wide, from[i].n_wide, &steps[i]) < 0 ||
		    (from[i].nested != NULL && steps_copy(mem, p, from[i].nested, from[i].n_nested, &nested) < 0))
			return -ENOMEM;
		steps[i].nested = nested.steps;
		steps[i].n_nested = nested.n;
	}
	*ret = (struct plan_addr_set){ .steps = steps, .n = n };
	return 0;
}

/* A destination as a set of its own. */
static int dst_set(struct arena *mem, const struct doc_policy *p, const struct selector *sel, struct plan_addr_set *ret)
{
	struct plan_addr_step *step;
	struct ip_range range;
	int r = 0;

	if (sel->steps != NULL)
		return steps_copy(mem, p, sel->steps, sel->n_steps, ret);
	step = arena_alloc(mem, sizeof(*step));
	if (step == NULL)
		return -ENOMEM;
	if (sel->kind == SEL_LOADED) {
		step->source = source_key(mem, &p->needs[sel->need]);
		r = step->source != NULL ? 0 : -ENOMEM;
	} else if (sel->kind == SEL_PREFIX) {
		range = ip_prefix_range(&sel->prefix);
		r = ranges_join(mem, &range, 1, NULL, 0, step);
	} else {
		r = ranges_join(mem, sel->ranges, sel->n_ranges, sel->wide, sel->n_wide, step);
	}
	*ret = (struct plan_addr_set){ .steps = step, .n = 1 };
	return r;
}

int closed_addrs_new(struct arena *mem, const struct doc_policy *p, const struct doc_rule *doc, struct plan_rule *ret)
{
	struct plan_addr_set *sets = NULL;

	for (uint32_t i = 0; i < doc->n_dsts; i++) {
		if (!is_of_world(&doc->dsts[i].sel) || !closes_all(&doc->dsts[i]))
			continue;
		if (sets == NULL)
			sets = arena_array(mem, doc->n_dsts, sizeof(*sets));
		if (sets == NULL || dst_set(mem, p, &doc->dsts[i].sel, &sets[ret->n_closed]) < 0)
			return -ENOMEM;
		ret->n_closed++;
	}
	ret->closed = sets;
	return 0;
}
