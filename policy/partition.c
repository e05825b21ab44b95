/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Partition refinement: finds devices that are alike without ever comparing two of them rule by rule. Used by compile.c
 * for classes and by compile_views.c for views. */
#include "policy/partition.h"

struct keyed {
	uint32_t part, key, item;
};

int partition_init(struct partition *p, struct arena *mem, uint32_t n_items)
{
	/* One bit of distinction more than there are items: a split asks for twice the parts. */
	uint32_t *map = arena_array(mem, (size_t)n_items * 2 + 2, sizeof(*map));
	uint32_t *part = arena_array(mem, (size_t)n_items + 1, sizeof(*part));

	if (map == NULL || part == NULL)
		return -ENOMEM;
	*p = (struct partition){ .part = part, .n_items = n_items, .n_parts = n_items != 0, .map = map };
	return 0;
}

/* Give new numbers, by first appearance, to numbers below @n_old. */
static void renumber(struct partition *p, uint32_t n_old)
{
	uint32_t next = 0;

	memset(p->map, 0, n_old * sizeof(*p->map));
	for (uint32_t i = 0; i < p->n_items; i++) {
		if (p->map[p->part[i]] == 0)
			p->map[p->part[i]] = ++next;
		p->part[i] = p->map[p->part[i]] - 1;
	}
	p->n_parts = next;
}

void partition_by_set(struct partition *p, const uint64_t *set)
{
	for (uint32_t i = 0; i < p->n_items; i++)
		p->part[i] = p->part[i] * 2 + (set[i / 64] >> (i % 64) & 1);
	renumber(p, p->n_parts * 2);
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
	renumber(p, n + 1);
	return 0;
}
