/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Things told apart by one property after another: what stays together is alike in all of them. */
#pragma once

#include "base/arena.h"

struct partition {
	uint32_t *part; /* of each item */
	uint32_t n_items, n_parts;
	uint32_t *size;	   /* of each part, in items */
	uint32_t *in_set;  /* scratch: of each part, how many of its items are in the set at hand; 0 in between */
	uint32_t *map;	   /* scratch: where items of a part go */
	uint32_t *touched; /* scratch: parts that have items in the set */
};

/* All in one part. In @mem. 0 or -ENOMEM. */
int partition_init(struct partition *p, struct arena *mem, uint32_t n_items);
/* Split each part into those in @set (bits) and those that are not. O(items in the set). */
void partition_by_set(struct partition *p, const uint64_t *set);
/* Split each part by @keys, one for each item. O(items log items); 0 or -ENOMEM. */
int partition_by_key(struct partition *p, const uint32_t *keys);
/* The last step: number the parts by first appearance, so that the numbers mean nothing but the order of items. */
void partition_number(struct partition *p);
