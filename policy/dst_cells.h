/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The address space divided by lists: addresses that the same lists hold are one cell. */
#pragma once

#include "policy/dst_lists.h"

struct dst_cells {
	struct plan_dst_range *ranges; /* .dst: number of a cell; cells in the order of their first range */
	uint32_t n_ranges;
	uint32_t n; /* of cells */
	/* Lists of cell i: .lists[.first[i]] to .lists[.first[i + 1] - 1], ascending. */
	const uint32_t *first, *lists;
	/* Cells of list i, the same way. */
	const uint32_t *of_list, *cells;
};

/* Of @lists those that are in @use (bits). What @cut holds is in no cell. In @mem. O(n log n) in ranges. 0 or -ENOMEM.
 */
int dst_cells_divide(struct arena *mem, const struct dst_lists *lists, const uint64_t *use, const struct dst_list *cut,
		     struct dst_cells *ret);
