/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The LAN guard: which addresses a wide destination never covers.
 *
 * IPv4: private (RFC 1918), shared (RFC 6598), link-local (RFC 3927), loopback, "this network", multicast and reserved
 * (RFC 6890). IPv6: all but global unicast 2000::/3 (RFC 4291 2.4). Both: the networks attached to this host. */
#include "policy/guard.h"

#define V4(a, b, c, d, bits)                                                                                           \
	{                                                                                                              \
		.addr = { .family = IP_V4, .bytes = { (a), (b), (c), (d) } }, .len = (bits)                            \
	}
#define V6(first, bits)                                                                                                \
	{                                                                                                              \
		.addr = { .family = IP_V6, .bytes = { (first) } }, .len = (bits)                                       \
	}

static const struct ip_prefix guarded[] = {
	V4(0, 0, 0, 0, 8),
	V4(10, 0, 0, 0, 8),
	V4(100, 64, 0, 0, 10),
	V4(127, 0, 0, 0, 8),
	V4(169, 254, 0, 0, 16),
	V4(172, 16, 0, 0, 12),
	V4(192, 168, 0, 0, 16),
	V4(224, 0, 0, 0, 4),
	V4(240, 0, 0, 0, 4),
	V6(0x00, 3),
	V6(0x40, 2),
	V6(0x80, 1),
};

/* autogroup:internet subtracts these only (syntax.md 3.1.3); it matters for denies, which guards do not narrow. */
static const struct ip_prefix not_internet[] = {
	V4(10, 0, 0, 0, 8),
	V4(100, 64, 0, 0, 10),
	V4(169, 254, 0, 0, 16),
	V4(172, 16, 0, 0, 12),
	V4(192, 168, 0, 0, 16),
	V6(0x00, 3),
	V6(0x40, 2),
	V6(0x80, 1),
};

static const struct ip_range whole[] = {
	{ .first = { .family = IP_V4 }, .last = { .family = IP_V4, .bytes = { 0xff, 0xff, 0xff, 0xff } } },
	{ .first = { .family = IP_V6 },
	  .last = { .family = IP_V6,
		    .bytes = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			       0xff } } },
};

bool compile_guarded(const struct compile_env *env, const struct ip_addr *dst)
{
	for (size_t i = 0; i < ARRAY_LEN(guarded); i++) {
		if (ip_prefix_contains(&guarded[i], dst))
			return true;
	}
	for (uint32_t i = 0; i < env->n_attached; i++) {
		if (ip_prefix_contains(&env->attached[i], dst))
			return true;
	}
	return false;
}

/* All addresses of both families without @holes (sorted, disjoint); @ret has room for @n + 2. */
static uint32_t complement(const struct ip_range *holes, size_t n, struct ip_range *ret)
{
	uint32_t n_ret = 0;
	size_t h = 0;

	for (size_t f = 0; f < ARRAY_LEN(whole); f++) {
		struct ip_addr at = whole[f].first;
		bool more = true;

		for (; h < n && holes[h].first.family == at.family; h++) {
			if (ip_addr_cmp(&at, &holes[h].first) < 0) {
				ret[n_ret].first = at;
				if (ip_addr_prev(&holes[h].first, &ret[n_ret].last))
					n_ret++;
			}
			more = ip_addr_next(&holes[h].last, &at);
		}
		if (more)
			ret[n_ret++] = (struct ip_range){ .first = at, .last = whole[f].last };
	}
	return n_ret;
}

/* Everything but @fixed and @more. */
static int all_but(struct arena *mem, const struct ip_prefix *fixed, size_t n_fixed, const struct ip_prefix *more,
		   size_t n_more, struct guard_ranges *ret)
{
	struct ip_range *holes = arena_array(mem, n_fixed + n_more, sizeof(*holes));
	struct ip_range *items = arena_array(mem, n_fixed + n_more + ARRAY_LEN(whole), sizeof(*items));
	size_t n;

	if (holes == NULL || items == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_fixed; i++)
		holes[i] = ip_prefix_range(&fixed[i]);
	for (size_t i = 0; i < n_more; i++)
		holes[n_fixed + i] = ip_prefix_range(&more[i]);
	n = ip_ranges_normalize(holes, n_fixed + n_more);
	ret->items = items;
	ret->n = complement(holes, n, items);
	return 0;
}

int guard_open(struct arena *mem, const struct compile_env *env, struct guard_ranges *ret)
{
	return all_but(mem, guarded, ARRAY_LEN(guarded), env->attached, env->n_attached, ret);
}

int guard_internet(struct arena *mem, struct guard_ranges *ret)
{
	return all_but(mem, not_internet, ARRAY_LEN(not_internet), NULL, 0, ret);
}
