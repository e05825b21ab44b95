/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Things told apart by one property after another: what stays together is alike in all of them. */
#pragma once

#include "base/arena.h"

struct partition {
	uint32_t *part; /* of each item; numbered by first appearance, so the numbers mean nothing but the order */
	uint32_t n_items, n_parts;
	uint32_t *map; /* scratch */
};

/* All in one part. In @mem. 0 or -ENOMEM. */
int partition_init(struct partition *p, struct arena *mem, uint32_t n_items);
/* Split each part into those in @set (bits) and those that are not. O(items). */
void partition_by_set(struct partition *p, const uint64_t *set);
/* Split each part by @keys, one for each item. O(items log items); 0 or -ENOMEM. */
int partition_by_key(struct partition *p, const uint32_t *keys);
