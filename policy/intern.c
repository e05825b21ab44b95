/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hash table of numbers with open addressing. Its order is never looked at, so that nothing depends on hashes; who
 * could choose what collides is the policy's author, and only slows down himself. */
#include "policy/intern.h"

#define SLOTS_MIN 64u

struct intern_slot {
	uint64_t hash;
	uint32_t item; /* + 1; 0: free */
};

void intern_done(struct intern *t)
{
	free(t->slots);
	*t = (struct intern){ 0 };
}

uint64_t intern_hash(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ b[i]) * UINT64_C(1099511628211);
	return hash;
}

/* The low bits of a product or of an exclusive or are the weakest. */
static uint32_t slot_of(uint64_t hash, uint32_t cap)
{
	return (uint32_t)((hash ^ hash >> 32 ^ hash >> 16) & (cap - 1));
}

static int grow(struct intern *t)
{
	uint32_t cap = t->cap == 0 ? SLOTS_MIN : t->cap * 2;
	struct intern_slot *slots = cap == 0 ? NULL : calloc(cap, sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->cap; i++) {
		uint32_t at = slot_of(t->slots[i].hash, cap);

		if (t->slots[i].item == 0)
			continue;
		while (slots[at].item != 0)
			at = (at + 1) & (cap - 1);
		slots[at] = t->slots[i];
	}
	free(t->slots);
	t->slots = slots;
	t->cap = cap;
	return 0;
}

int intern_get(struct intern *t, uint64_t hash, intern_same_fn same, const void *key, uint32_t next, uint32_t *ret)
{
	uint32_t at;

	if (t->n >= t->cap / 2 && grow(t) < 0)
		return -ENOMEM;
	for (at = slot_of(hash, t->cap); t->slots[at].item != 0; at = (at + 1) & (t->cap - 1)) {
		if (t->slots[at].hash == hash && same(key, t->slots[at].item - 1)) {
			*ret = t->slots[at].item - 1;
			return 0;
		}
	}
	t->slots[at] = (struct intern_slot){ .hash = hash, .item = next + 1 };
	t->n++;
	*ret = next;
	return 0;
}
