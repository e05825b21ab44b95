/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mechanics of lower_nft.c: growing arrays that end up in the program's arena, and keys in register layout. */
#include "policy/prog_build.h"

#include <stdarg.h>

#include "base/grow.h"

void prog_build_done(struct prog_build *b)
{
	b->mem = arena_free(b->mem);
	free(b->sets);
	free(b->objects);
	free(b->chains);
	free(b->rules);
	free(b->stmts);
}

const char *prog_name(struct prog_build *b, const char *fmt, ...)
{
	char text[NFT_NAME_MAX];
	const char *name;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	name = arena_strdup(b->mem, text);
	if (name == NULL)
		b->failed = true;
	return name == NULL ? "" : name;
}

struct nft_elem *prog_elems(struct prog_build *b, uint32_t n)
{
	struct nft_elem *elems = arena_array(b->mem, n, sizeof(*elems));

	if (elems == NULL)
		b->failed = true;
	return elems;
}

static int elem_cmp(const void *a, const void *b)
{
	const struct nft_elem *x = a, *y = b;

	return memcmp(x->lo.bytes, y->lo.bytes, sizeof(x->lo.bytes));
}

uint32_t prog_elems_sort(struct nft_elem *elems, uint32_t n)
{
	uint32_t kept = 0;

	if (n == 0)
		return 0;
	qsort(elems, n, sizeof(*elems), elem_cmp);
	for (uint32_t i = 1; i < n; i++) {
		if (elem_cmp(&elems[kept], &elems[i]) != 0)
			elems[++kept] = elems[i];
	}
	return kept + 1;
}

/* Room for one more; the array, or NULL with the error set. */
static void *grow(struct prog_build *b, void *items, uint32_t n, uint32_t *cap, size_t size)
{
	void *bigger = grow_array(items, n, 1, cap, size);

	if (bigger == NULL)
		b->failed = true;
	return bigger;
}

static const void *keep(struct prog_build *b, const void *items, uint32_t n, size_t size)
{
	void *kept = arena_array(b->mem, n, size);

	if (kept == NULL)
		b->failed = true;
	else if (n != 0)
		memcpy(kept, items, n * size);
	return kept;
}

void prog_set(struct prog_build *b, const struct nft_set *set)
{
	struct nft_set *sets = grow(b, b->sets, b->n_sets, &b->cap_sets, sizeof(*sets));

	if (sets == NULL)
		return;
	b->sets = sets;
	sets[b->n_sets++] = *set;
}

void prog_object(struct prog_build *b, const struct nft_object *object)
{
	struct nft_object *objects = grow(b, b->objects, b->n_objects, &b->cap_objects, sizeof(*objects));

	if (objects == NULL)
		return;
	b->objects = objects;
	objects[b->n_objects++] = *object;
}

void prog_stmt(struct prog_build *b, const struct nft_stmt *stmt)
{
	struct nft_stmt *stmts = grow(b, b->stmts, b->n_stmts, &b->cap_stmts, sizeof(*stmts));

	if (stmts == NULL)
		return;
	b->stmts = stmts;
	stmts[b->n_stmts++] = *stmt;
}

void prog_rule(struct prog_build *b, const char *pos)
{
	struct nft_rule *rules = grow(b, b->rules, b->n_rules, &b->cap_rules, sizeof(*rules));

	if (rules == NULL)
		return;
	b->rules = rules;
	rules[b->n_rules++] = (struct nft_rule){
		.stmts = keep(b, b->stmts, b->n_stmts, sizeof(*b->stmts)),
		.n_stmts = b->n_stmts,
		.pos = pos,
	};
	b->n_stmts = 0;
}

void prog_chain(struct prog_build *b, const struct nft_chain *chain)
{
	struct nft_chain *chains = grow(b, b->chains, b->n_chains, &b->cap_chains, sizeof(*chains));

	if (chains == NULL)
		return;
	b->chains = chains;
	chains[b->n_chains] = *chain;
	chains[b->n_chains].rules = keep(b, b->rules, b->n_rules, sizeof(*b->rules));
	chains[b->n_chains++].n_rules = b->n_rules;
	b->n_rules = 0;
}

static int set_cmp(const void *a, const void *b)
{
	const struct nft_set *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int object_cmp(const void *a, const void *b)
{
	const struct nft_object *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int prog_finish(struct prog_build *b, struct nft_prog **ret)
{
	struct nft_prog *p = arena_alloc(b->mem, sizeof(*p));

	if (p == NULL || b->failed)
		return -ENOMEM;
	if (b->n_sets != 0)
		qsort(b->sets, b->n_sets, sizeof(*b->sets), set_cmp);
	if (b->n_objects != 0)
		qsort(b->objects, b->n_objects, sizeof(*b->objects), object_cmp);
	p->objects = keep(b, b->objects, b->n_objects, sizeof(*b->objects));
	p->n_objects = b->n_objects;
	p->sets = keep(b, b->sets, b->n_sets, sizeof(*b->sets));
	p->n_sets = b->n_sets;
	p->chains = keep(b, b->chains, b->n_chains, sizeof(*b->chains));
	p->n_chains = b->n_chains;
	if (b->failed)
		return -ENOMEM;
	p->mem = TAKE(b->mem);
	*ret = p;
	return 0;
}

/* @len bytes, padded to four. */
static void key_put(struct nft_key *key, size_t *at, const void *bytes, size_t len)
{
	size_t end = *at + ((len + 3) & ~(size_t)3);

	assert(end <= sizeof(key->bytes));
	memcpy(key->bytes + *at, bytes, len);
	*at = end;
}

void key_addr(struct nft_key *key, size_t *at, const struct ip_addr *addr)
{
	key_put(key, at, addr->bytes, ip_addr_len(addr));
}

void key_u8(struct nft_key *key, size_t *at, uint8_t value)
{
	key_put(key, at, &value, sizeof(value));
}

void key_u16(struct nft_key *key, size_t *at, uint16_t value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	key_put(key, at, bytes, sizeof(bytes));
}

void key_number(struct nft_key *key, size_t *at, uint32_t value, bool interval)
{
	uint8_t bytes[] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

	key_put(key, at, interval ? (const void *)bytes : &value, sizeof(value));
}

void key_ifname(struct nft_key *key, size_t *at, const char *name)
{
	char bytes[NFT_IFNAME_MAX] = { 0 };

	(void)snprintf(bytes, sizeof(bytes), "%s", name);
	key_put(key, at, bytes, sizeof(bytes));
}

size_t nft_field_room(enum nft_field field)
{
	switch (field) {
	case NFT_F_IP_SADDR:
	case NFT_F_IP_DADDR:
	case NFT_F_L4PROTO:
	case NFT_F_TH_DPORT:
	case NFT_F_NUMBER:
		return 4;
	case NFT_F_IP6_SADDR:
	case NFT_F_IP6_DADDR:
		return 16;
	case NFT_F_IIFNAME:
	case NFT_F_OIFNAME:
		return NFT_IFNAME_MAX;
	case NFT_F_MAX:
		break;
	}
	return 0;
}
