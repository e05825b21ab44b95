/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Overlapping rules to disjoint boxes: each packet lies in one box at most, and each box is one rule's. */
#pragma once

#include "base/arena.h"
#include "sluice/plan.h"

/* In place of a rule: what it covers is in no box, whatever follows. */
#define BOX_HOLE UINT32_MAX

/* One destination of a rule. */
struct box_clause {
	uint32_t rule;		       /* index in plan.rules, or BOX_HOLE (its services mean nothing) */
	const struct ip_range *ranges; /* sorted, disjoint */
	uint32_t n_ranges;
	const struct service *services; /* sorted, disjoint */
	uint32_t n_services;
	bool shared; /* for whoever makes clauses: it belongs to the part that classes share */
};

/* Boxes that decide a packet before the new ones do, where their rule precedes: there no new box is made. */
struct box_over {
	const struct plan_shared *parts[PLAN_SHARED_MAX]; /* as boxes_build() makes them; NULL where there is none */
	const struct plan_rule *rules; /* what .rule is an index in: rules that refuse precede those that accept */
};

/* @clauses: in order of precedence, the first that covers a packet has it. At most @limit boxes. Same meaning, same
 * boxes: neighbours with the same result are merged. @ret: in @mem, IPv4 first, sorted by address, protocol, port.
 *
 * A sweep over the boundaries of addresses: O(n log n) in ranges, and for each stretch between two boundaries the
 * services of the clauses that cover it. 0, -ENOMEM, -E2BIG. */
int boxes_build(struct arena *mem, const struct box_clause *clauses, uint32_t n, uint32_t limit,
		const struct plan_box **ret, uint32_t *ret_n);
/* The same, less what @over decides. A look-up in the result and, where it has nothing, in @over finds what a look-up
 * in the boxes of all clauses together would. */
int boxes_build_over(struct arena *mem, const struct box_clause *clauses, uint32_t n, const struct box_over *over,
		     uint32_t limit, const struct plan_box **ret, uint32_t *ret_n);

/* Sort, merge what overlaps or touches; returns the new count. */
uint32_t services_merge(struct service *services, uint32_t n);
