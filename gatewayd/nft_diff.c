/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: called by nft_apply.c with the running and the wanted program. Sets are merged by name, elements by key; chains
 * keep their order of definition (a chain comes before those that jump to it), so that creating them in order always
 * finds its targets. A chain whose rules differ is emptied and filled again: rules have no identity in the kernel
 * that would be worth following, and a batch is atomic.
 *
 * Invariant: applying the operations to @from gives @to (tests/unit/kernel/test_nft_diff.c has a model). */
#include "gatewayd/nft_diff.h"

/* Operations by kind while they are collected. */
struct collector {
	struct arena *mem;
	struct nft_op *ops[NFT_OP_MAX];
	uint32_t n[NFT_OP_MAX];
	uint32_t room;
	bool replace;
	int err;
};

static void op_add(struct collector *c, struct nft_op op)
{
	if (c->ops[op.kind] == NULL)
		c->ops[op.kind] = arena_array(c->mem, c->room, sizeof(op));
	if (c->ops[op.kind] == NULL) {
		c->err = -ENOMEM;
		return;
	}
	assert(c->n[op.kind] < c->room);
	c->ops[op.kind][c->n[op.kind]++] = op;
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool fields_equal(const enum nft_field *a, uint8_t n_a, const enum nft_field *b, uint8_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint8_t i = 0; i < n_a; i++) {
		if (a[i] != b[i])
			return false;
	}
	return true;
}

static bool set_same_kind(const struct nft_set *a, const struct nft_set *b)
{
	return a->map == b->map && a->interval == b->interval && a->timeout == b->timeout && a->size == b->size &&
	       fields_equal(a->fields, a->n_fields, b->fields, b->n_fields);
}

static int key_cmp(const struct nft_elem *a, const struct nft_elem *b)
{
	int r = memcmp(a->lo.bytes, b->lo.bytes, sizeof(a->lo.bytes));

	return r != 0 ? r : memcmp(a->hi.bytes, b->hi.bytes, sizeof(a->hi.bytes));
}

/* Elements while they are collected: none of most sets. */
struct elem_list {
	const struct nft_elem **items;
	uint32_t n;
};

/* @room: how many more there may be, this one with them. */
static void elem_add(struct collector *c, struct elem_list *l, const struct nft_elem *elem, uint32_t room)
{
	if (l->items == NULL)
		l->items = arena_array(c->mem, room, sizeof(void *));
	if (l->items == NULL)
		c->err = -ENOMEM;
	else
		l->items[l->n++] = elem;
}

static bool elem_same(const struct nft_elem *a, const struct nft_elem *b)
{
	return a->verdict == b->verdict && a->number == b->number && text_equal(a->chain, b->chain);
}

/* Both lists are sorted: one walk finds what goes and what comes. An element with another meaning does both. */
static void elems_merge(struct collector *c, const struct nft_set *from, const struct nft_set *to)
{
	struct elem_list gone = { 0 }, new = { 0 };
	uint32_t i = 0, j = 0;

	while (c->err == 0 && (i < from->n_elems || j < to->n_elems)) {
		const struct nft_elem *a = &from->elems[i], *b = &to->elems[j];
		int order = i == from->n_elems ? 1 : j == to->n_elems ? -1 : key_cmp(a, b);

		if (order != 0 || !elem_same(a, b)) {
			if (order <= 0)
				elem_add(c, &gone, a, from->n_elems - i);
			if (order >= 0)
				elem_add(c, &new, b, to->n_elems - j);
		}
		i += order <= 0;
		j += order >= 0;
	}
	if (c->err == 0 && gone.n != 0)
		op_add(c, (struct nft_op){
				  .kind = NFT_OP_DEL_ELEMS, .set = from, .elems = gone.items, .n_elems = gone.n });
	if (c->err == 0 && new.n != 0)
		op_add(c, (struct nft_op){ .kind = NFT_OP_PUT_ELEMS, .set = to, .elems = new.items, .n_elems = new.n });
}

static void set_pair(struct collector *c, const struct nft_set *from, const struct nft_set *to)
{
	static const struct nft_set empty;

	if (to == NULL) {
		op_add(c, (struct nft_op){ .kind = NFT_OP_DEL_SET, .set = from });
	} else if (from == NULL) {
		op_add(c, (struct nft_op){ .kind = NFT_OP_PUT_SET, .set = to });
		elems_merge(c, &empty, to);
	} else if (!set_same_kind(from, to)) {
		c->replace = true;
	} else {
		elems_merge(c, from, to);
	}
}

static void sets_merge(struct collector *c, const struct nft_prog *from, const struct nft_prog *to)
{
	uint32_t i = 0, j = 0;

	while (c->err == 0 && (i < from->n_sets || j < to->n_sets)) {
		int order = i == from->n_sets ? 1 : j == to->n_sets ? -1 : strcmp(from->sets[i].name, to->sets[j].name);

		set_pair(c, order <= 0 ? &from->sets[i] : NULL, order >= 0 ? &to->sets[j] : NULL);
		i += order <= 0;
		j += order >= 0;
	}
}

static void object_pair(struct collector *c, const struct nft_object *from, const struct nft_object *to)
{
	if (to == NULL)
		op_add(c, (struct nft_op){ .kind = NFT_OP_DEL_OBJECT, .object = from });
	else if (from == NULL)
		op_add(c, (struct nft_op){ .kind = NFT_OP_PUT_OBJECT, .object = to });
	else if (from->kind != to->kind || from->per_s != to->per_s || from->burst != to->burst)
		c->replace = true;
}

static void objects_merge(struct collector *c, const struct nft_prog *from, const struct nft_prog *to)
{
	uint32_t i = 0, j = 0;

	while (c->err == 0 && (i < from->n_objects || j < to->n_objects)) {
		int order = i == from->n_objects ? 1
			    : j == to->n_objects ? -1
						 : strcmp(from->objects[i].name, to->objects[j].name);

		object_pair(c, order <= 0 ? &from->objects[i] : NULL, order >= 0 ? &to->objects[j] : NULL);
		i += order <= 0;
		j += order >= 0;
	}
}

static bool stmt_equal(const struct nft_stmt *a, const struct nft_stmt *b)
{
	return a->kind == b->kind && a->value == b->value && a->mask == b->mask && a->invert == b->invert &&
	       text_equal(a->set, b->set) && fields_equal(a->fields, a->n_fields, b->fields, b->n_fields) &&
	       a->verdict == b->verdict && text_equal(a->chain, b->chain) && text_equal(a->name, b->name) &&
	       text_equal(a->object, b->object) && text_equal(a->prefix, b->prefix) && a->bits == b->bits;
}

static bool rules_equal(const struct nft_chain *a, const struct nft_chain *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (uint32_t i = 0; i < a->n_rules; i++) {
		if (a->rules[i].n_stmts != b->rules[i].n_stmts)
			return false;
		for (uint32_t k = 0; k < a->rules[i].n_stmts; k++) {
			if (!stmt_equal(&a->rules[i].stmts[k], &b->rules[i].stmts[k]))
				return false;
		}
	}
	return true;
}

static bool chain_same_kind(const struct nft_chain *a, const struct nft_chain *b)
{
	return a->hook == b->hook && a->nat == b->nat && a->route == b->route && a->priority == b->priority &&
	       a->policy_drop == b->policy_drop;
}

static int chain_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct nft_chain *const *)a)->name, (*(const struct nft_chain *const *)b)->name);
}

/* A program's chains by name. NULL when out of memory or empty. */
static const struct nft_chain **chains_sorted(struct collector *c, const struct nft_prog *p)
{
	const struct nft_chain **list;

	if (p->n_chains == 0)
		return NULL;
	list = arena_array(c->mem, p->n_chains, sizeof(void *));
	if (list == NULL) {
		c->err = -ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < p->n_chains; i++)
		list[i] = &p->chains[i];
	qsort(list, p->n_chains, sizeof(void *), chain_cmp);
	return list;
}

static const struct nft_chain *chain_find(const struct nft_chain *const *sorted, uint32_t n,
					  const struct nft_chain *like)
{
	const struct nft_chain *const *found =
		sorted != NULL ? bsearch(&like, sorted, n, sizeof(void *), chain_cmp) : NULL;

	return found != NULL ? *found : NULL;
}

static void chains_match(struct collector *c, const struct nft_prog *from, const struct nft_prog *to)
{
	const struct nft_chain **old = chains_sorted(c, from), **new = chains_sorted(c, to);

	for (uint32_t i = 0; i < to->n_chains && c->err == 0; i++) {
		const struct nft_chain *chain = &to->chains[i], *was = chain_find(old, from->n_chains, chain);

		if (was != NULL && !chain_same_kind(was, chain))
			c->replace = true;
		if (was != NULL && rules_equal(was, chain))
			continue;
		if (was == NULL)
			op_add(c, (struct nft_op){ .kind = NFT_OP_PUT_CHAIN, .chain = chain });
		else
			op_add(c, (struct nft_op){ .kind = NFT_OP_FLUSH_CHAIN, .chain = chain });
		if (chain->n_rules != 0)
			op_add(c, (struct nft_op){ .kind = NFT_OP_PUT_RULES, .chain = chain });
	}
	/* Those that jump before those that are jumped to. */
	for (uint32_t i = from->n_chains; i > 0 && c->err == 0; i--) {
		const struct nft_chain *chain = &from->chains[i - 1];

		if (chain_find(new, to->n_chains, chain) != NULL)
			continue;
		op_add(c, (struct nft_op){ .kind = NFT_OP_FLUSH_CHAIN, .chain = chain });
		op_add(c, (struct nft_op){ .kind = NFT_OP_DEL_CHAIN, .chain = chain });
	}
}

int nft_diff(const struct nft_prog *from, const struct nft_prog *to, struct arena *mem, struct nft_diff *ret,
	     struct err *e)
{
	static const struct nft_prog nothing;
	struct collector c = { .mem = mem };
	struct nft_diff d = { 0 };

	if (from == NULL)
		from = &nothing;
	c.room = from->n_sets + to->n_sets + from->n_chains + to->n_chains + from->n_objects + to->n_objects;
	objects_merge(&c, from, to);
	sets_merge(&c, from, to);
	chains_match(&c, from, to);
	for (int kind = 0; kind < NFT_OP_MAX; kind++)
		d.n_ops += c.n[kind];
	if (c.err == 0 && !c.replace && d.n_ops != 0) {
		uint32_t n = 0;

		d.ops = arena_array(mem, d.n_ops, sizeof(*d.ops));
		for (int kind = 0; d.ops != NULL && kind < NFT_OP_MAX; kind++) {
			if (c.n[kind] != 0)
				memcpy(d.ops + n, c.ops[kind], c.n[kind] * sizeof(*d.ops));
			n += c.n[kind];
		}
		if (d.ops == NULL)
			c.err = -ENOMEM;
	}
	if (c.err != 0)
		return err_set(e, c.err, "compare programs: %s", strerror(-c.err));
	if (c.replace)
		d = (struct nft_diff){ .replace = true };
	*ret = d;
	return 0;
}
