/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The destinations of two plans laid over each other. */
#pragma once

#include "sluice/plan.h"

/* Addresses that both plans treat alike, each in its way. */
struct diff_cell {
	const uint32_t *from, *to; /* numbers, or PLAN_NO_DST: in .named, in .wide, in each level of .members */
	uint32_t first, n;	   /* in .ranges */
};

#define DIFF_NAMED  0
#define DIFF_WIDE   1
#define DIFF_LEVELS 2 /* the first level of .members */

struct diff_space {
	const struct diff_cell *cells; /* in the order of their first range */
	uint32_t n_cells;
	const struct ip_range *ranges;		/* of the cells, one after the other; of each sorted, disjoint */
	const struct plan_dst_range *stretches; /* all of them by address; .dst: the cell */
	uint32_t n_stretches;
	/* Of each number before the one now that is the very same addresses, or PLAN_NO_DST. */
	const uint32_t *named_same, *wide_same, *member_same;
};

/* In @mem. 0 or -ENOMEM. */
int diff_space_make(struct arena *mem, const struct plan *from, const struct plan *to, struct diff_space *ret);
/* The cell that holds @addr, or PLAN_NO_DST. */
uint32_t diff_space_find(const struct diff_space *d, const struct ip_addr *addr);

/* Addresses by user: of number u (plan_device.user_no) .addrs[.first[u - 1]] to .addrs[.first[u] - 1]. */
struct diff_users {
	const uint32_t *first;
	const struct ip_addr *addrs;
};

/* In @mem. 0 or -ENOMEM. */
int diff_users_make(struct arena *mem, const struct plan *p, struct diff_users *ret);
