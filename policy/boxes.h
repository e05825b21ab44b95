/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Overlapping rules to disjoint boxes: each packet lies in one box at most, and each box is one rule's. */
#pragma once

#include "policy/dst_cells.h"
#include "policy/segments.h"

/* One destination of a rule. */
struct box_clause {
	uint32_t rule;			/* index in plan.rules */
	uint32_t list;			/* of addresses, in struct dst_lists */
	const struct service *services; /* sorted, disjoint */
	uint32_t n_services;
	enum layer layer;
};

/* The boxes of several owners over the same destinations, while they are made. Released with box_table_done(). */
struct box_table {
	const struct dst_cells *cells;
	uint32_t limit;		  /* of segments */
	struct segment *segments; /* of all runs */
	uint32_t n_segments, cap_segments;
	struct box_run *runs;
	uint32_t n_runs, cap_runs;
	struct segments work;
	uint32_t *head;	 /* of each list: its first clause + 1 */
	uint32_t *next;	 /* of each clause: the next of that list + 1 */
	uint32_t *stamp; /* of each cell: the last owner that was here + 1 */
	uint32_t *picked, *order;
	uint32_t cap_next, cap_picked, cap_order;
};

struct box_list {
	const struct plan_box *boxes; /* sorted by destination, protocol, port */
	uint32_t n;
};

/* @limit: segments in all; boxes are not more. 0 or -ENOMEM. */
int box_table_init(struct box_table *t, const struct dst_cells *cells, uint32_t n_lists, uint32_t limit);
void box_table_done(struct box_table *t);
/* What clauses of the layer @keep decide for @owner (owners in ascending order). @clauses: in order of precedence, the
 * first that covers a packet has it. 0, -ENOMEM, -E2BIG. */
int box_table_add(struct box_table *t, uint32_t owner, const struct box_clause *clauses, uint32_t n, enum layer keep);
/* Cells that all owners treat alike become one destination. @ret_lists: of owners below @n_owners. All in @mem. 0 or
 * -ENOMEM. */
int box_table_finish(struct box_table *t, struct arena *mem, uint32_t n_owners, struct plan_dsts *ret_dsts,
		     struct box_list **ret_lists);
