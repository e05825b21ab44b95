/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Partition refinement: finds sources that are alike without ever comparing two of them rule by rule. Used by compile.c
 * for classes and by compile_views.c for views. */
#include "policy/partition.h"

struct keyed {
	uint32_t part, key, item;
};

int partition_init(struct partition *p, struct arena *mem, uint32_t n_items)
{
	size_t n = (size_t)n_items + 1;
	uint32_t *part = arena_array(mem, n, sizeof(*part)), *size = arena_array(mem, n, sizeof(*size));
	uint32_t *in_set = arena_array(mem, n, sizeof(*in_set)), *map = arena_array(mem, n, sizeof(*map));
	uint32_t *touched = arena_array(mem, n, sizeof(*touched));

	if (part == NULL || size == NULL || in_set == NULL || map == NULL || touched == NULL)
		return -ENOMEM;
	*p = (struct partition){ .part = part,
				 .n_items = n_items,
				 .n_parts = n_items != 0,
				 .size = size,
				 .in_set = in_set,
				 .map = map,
				 .touched = touched };
	size[0] = n_items;
	return 0;
}

/* How many of each part are in @set, in .in_set. Returns how many parts that are: .touched. */
static uint32_t set_count(struct partition *p, const uint64_t *set)
{
	uint32_t n = 0;

	for (uint32_t w = 0; w <= p->n_items / 64; w++) {
		for (uint64_t left = set[w]; left != 0; left &= left - 1) {
			uint32_t part = p->part[w * 64 + (uint32_t)__builtin_ctzll(left)];

			if (p->in_set[part]++ == 0)
				p->touched[n++] = part;
		}
	}
	return n;
}

void partition_by_set(struct partition *p, const uint64_t *set)
{
	uint32_t n = set_count(p, set);

	/* Where they go: who is all of a part keeps its number. */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t part = p->touched[i];

		p->map[part] = p->in_set[part] == p->size[part] ? part : p->n_parts++;
	}
	for (uint32_t w = 0; w <= p->n_items / 64; w++) {
		for (uint64_t left = set[w]; left != 0; left &= left - 1) {
			uint32_t *part = &p->part[w * 64 + (uint32_t)__builtin_ctzll(left)];

			*part = p->map[*part];
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t part = p->touched[i];

		p->size[part] -= p->in_set[part];
		p->size[p->map[part]] += p->in_set[part];
		p->in_set[part] = 0;
	}
}

static int keyed_cmp(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

int partition_by_key(struct partition *p, const uint32_t *keys)
{
	CLEANUP(freep) struct keyed *k = calloc((size_t)p->n_items + 1, sizeof(*k));
	uint32_t n = 0;

	if (k == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_items; i++)
		k[i] = (struct keyed){ .part = p->part[i], .key = keys[i], .item = i };
	qsort(k, p->n_items, sizeof(*k), keyed_cmp);
	for (uint32_t i = 0; i < p->n_items; i++) {
		if (i != 0 && keyed_cmp(&k[i - 1], &k[i]) != 0)
			n++;
		p->part[k[i].item] = n;
	}
	p->n_parts = p->n_items != 0 ? n + 1 : 0;
	memset(p->size, 0, p->n_parts * sizeof(*p->size));
	for (uint32_t i = 0; i < p->n_items; i++)
		p->size[p->part[i]]++;
	return 0;
}

void partition_number(struct partition *p)
{
	uint32_t next = 0;

	/* Sizes are those of the old numbers: nothing is split from here on. */
	memset(p->map, 0, p->n_parts * sizeof(*p->map));
	for (uint32_t i = 0; i < p->n_items; i++) {
		if (p->map[p->part[i]] == 0)
			p->map[p->part[i]] = ++next;
		p->part[i] = p->map[p->part[i]] - 1;
	}
}
