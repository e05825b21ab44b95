/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose address it is: asked for every message, so it is a table and not a search. Built by view.c. Not keyed: what is
 * in it is the operator's own, and an address that is not is one look more at a table that is half empty. */
#include "filter/view.h"

#define SLOTS_MIN 8u

static uint32_t addr_hash(const struct ip_addr *a)
{
	uint64_t lo, hi;

	memcpy(&lo, a->bytes, sizeof(lo));
	memcpy(&hi, a->bytes + sizeof(lo), sizeof(hi));
	lo = (lo ^ hi * 0x9e3779b97f4a7c15u ^ a->family) * 0xbf58476d1ce4e5b9u;
	return (uint32_t)(lo >> 32);
}

int views_clients_index(struct views *v)
{
	uint32_t size = SLOTS_MIN;

	while (size < 2 * v->n_clients)
		size *= 2;
	v->client_slots = arena_array(v->mem, size, sizeof(*v->client_slots));
	if (v->client_slots == NULL)
		return -ENOMEM;
	v->client_mask = size - 1;
	for (uint32_t i = 0; i < v->n_clients; i++) {
		uint32_t at = addr_hash(&v->clients[i].addr) & v->client_mask;

		while (v->client_slots[at] != 0)
			at = (at + 1) & v->client_mask;
		v->client_slots[at] = i + 1;
	}
	return 0;
}

const struct view_client *views_client(const struct views *v, const struct ip_addr *addr)
{
	uint32_t at = addr_hash(addr) & v->client_mask;

	for (; v->client_slots[at] != 0; at = (at + 1) & v->client_mask) {
		const struct view_client *c = &v->clients[v->client_slots[at] - 1];

		if (c->addr.family == addr->family && memcmp(c->addr.bytes, addr->bytes, sizeof(addr->bytes)) == 0)
			return c;
	}
	return NULL;
}
