/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The addresses that rules name as destinations, each list of them kept once. */
#pragma once

#include "policy/intern.h"
#include "policy/select.h"

#define DST_LIST_NONE UINT32_MAX /* no address at all */

struct dst_list {
	const struct ip_range *ranges; /* sorted, disjoint */
	uint32_t n_ranges;
};

/* Made with dst_lists_init(), released with dst_lists_done(); the ranges are in the arena. */
struct dst_lists {
	struct arena *mem;
	const struct directory *dir;
	struct dst_list *items;
	uint32_t n, cap;
	struct intern by_content;
	struct intern by_selector;
	struct dst_known *known; /* selectors that have been resolved */
	uint32_t n_known, cap_known;
};

void dst_lists_init(struct dst_lists *l, struct arena *mem, const struct directory *dir);
void dst_lists_done(struct dst_lists *l);
/* The lists of @sel: what it names, and what of it is wide (guards cover it when @narrow, see directory_ranges()).
 * @via: as of a rule, or NULL. autogroup:self: the devices of all users; who asks is looked at elsewhere. Either may be
 * DST_LIST_NONE. 0 or -ENOMEM. */
int dst_lists_get(struct dst_lists *l, const struct selector *sel, bool narrow, const char *const *via,
		  uint32_t *ret_named, uint32_t *ret_wide);
