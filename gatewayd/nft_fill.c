/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariant: of the two names of a set, "widenet4" and "widenet4_b", at most one is used by rules. */
#include "gatewayd/nft_fill.h"

#include "gatewayd/nft_encode.h"

#define OTHER_SUFFIX "_b"

/* Maps to verdicts lead to chains, which are not there yet; keys of several fields are sets that the kernel copies at
 * each commit, and that have as many elements as rules, not as addresses. */
static bool can_fill(const struct nft_set *s)
{
	return s->n_fields == 1 && !s->timeout && s->map != NFT_MAP_VERDICT;
}

static bool is_large(const struct nft_set *s, uint32_t chunk)
{
	return can_fill(s) && s->n_elems > chunk;
}

bool nft_fill_needed(const struct nft_prog *p, uint32_t chunk)
{
	for (uint32_t i = 0; i < p->n_sets; i++) {
		if (is_large(&p->sets[i], chunk))
			return true;
	}
	return false;
}

/* By either of its names. */
static bool is_called(const char *name, const char *base)
{
	size_t len = strlen(base);

	return strncmp(name, base, len) == 0 && (name[len] == '\0' || strcmp(name + len, OTHER_SUFFIX) == 0);
}

static const struct nft_set *find(const struct nft_prog *p, const char *name, bool either)
{
	for (uint32_t i = 0; p != NULL && i < p->n_sets; i++) {
		if (either ? is_called(p->sets[i].name, name) : strcmp(p->sets[i].name, name) == 0)
			return &p->sets[i];
	}
	return NULL;
}

/* Elements that one has and the other has not, up to one more than @max. Both are sorted. */
static uint32_t differences(const struct nft_set *a, const struct nft_set *b, uint32_t max)
{
	uint32_t i = 0, j = 0, n = 0;

	while ((i < a->n_elems || j < b->n_elems) && n <= max) {
		const struct nft_elem *x = &a->elems[i], *y = &b->elems[j];
		int c = i == a->n_elems ? 1 : j == b->n_elems ? -1 : memcmp(&x->lo, &y->lo, sizeof(x->lo));

		if (c == 0 && (memcmp(&x->hi, &y->hi, sizeof(x->hi)) != 0 || x->number != y->number))
			n += 2;
		else if (c != 0)
			n++;
		i += c <= 0;
		j += c >= 0;
	}
	return n;
}

static const char *name_for(struct nft_prog *to, const struct nft_set *set, const struct nft_prog *from,
			    const struct nft_prog *found, uint32_t chunk)
{
	const struct nft_set *was = find(from, set->name, true);
	const char *base = set->name;

	if (!can_fill(set) || (was != NULL && differences(was, set, chunk) <= chunk))
		return was != NULL && can_fill(set) ? was->name : base;
	if (was != NULL && strcmp(was->name, base) != 0)
		return base;
	if (was != NULL || (is_large(set, chunk) && find(found, base, false) != NULL))
		return arena_printf(to->mem, "%s" OTHER_SUFFIX, base);
	return base;
}

static bool looks_up(const struct nft_rule *rule, const char *set)
{
	for (uint32_t i = 0; i < rule->n_stmts; i++) {
		if (rule->stmts[i].set != NULL && strcmp(rule->stmts[i].set, set) == 0)
			return true;
	}
	return false;
}

static int rename_in_rule(struct arena *mem, struct nft_rule *rule, const char *old, const char *name)
{
	struct nft_stmt *stmts = arena_array(mem, rule->n_stmts, sizeof(*stmts));

	if (stmts == NULL)
		return -ENOMEM;
	memcpy(stmts, rule->stmts, rule->n_stmts * sizeof(*stmts));
	for (uint32_t i = 0; i < rule->n_stmts; i++) {
		if (stmts[i].set != NULL && strcmp(stmts[i].set, old) == 0)
			stmts[i].set = name;
	}
	rule->stmts = stmts;
	return 0;
}

/* The set has a new name: where the chain looks up in it, it gets rules of its own. */
static int rename_in_chain(struct arena *mem, struct nft_chain *chain, const char *old, const char *name)
{
	struct nft_rule *rules = NULL;

	for (uint32_t i = 0; i < chain->n_rules; i++) {
		if (!looks_up(&chain->rules[i], old))
			continue;
		if (rules == NULL) {
			rules = arena_array(mem, chain->n_rules, sizeof(*rules));
			if (rules == NULL)
				return -ENOMEM;
			memcpy(rules, chain->rules, chain->n_rules * sizeof(*rules));
			chain->rules = rules;
		}
		if (rename_in_rule(mem, &rules[i], old, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int rename_in_chains(struct nft_prog *to, struct nft_chain *chains, const char *old, const char *name)
{
	for (uint32_t i = 0; i < to->n_chains; i++) {
		if (rename_in_chain(to->mem, &chains[i], old, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int set_cmp(const void *a, const void *b)
{
	return strcmp(((const struct nft_set *)a)->name, ((const struct nft_set *)b)->name);
}

int nft_fill_names(struct nft_prog *to, const struct nft_prog *from, const struct nft_prog *found, uint32_t chunk)
{
	struct nft_set *sets = arena_array(to->mem, (size_t)to->n_sets + 1, sizeof(*sets));
	struct nft_chain *chains = arena_array(to->mem, (size_t)to->n_chains + 1, sizeof(*chains));
	bool renamed = false;

	if (sets == NULL || chains == NULL)
		return -ENOMEM;
	if (to->n_sets != 0)
		memcpy(sets, to->sets, to->n_sets * sizeof(*sets));
	if (to->n_chains != 0)
		memcpy(chains, to->chains, to->n_chains * sizeof(*chains));
	for (uint32_t i = 0; i < to->n_sets; i++) {
		const char *old = sets[i].name, *name = name_for(to, &sets[i], from, found, chunk);

		if (name == NULL)
			return -ENOMEM;
		if (strcmp(name, old) == 0)
			continue;
		/* Its own: that of @from ends with it. */
		name = arena_strdup(to->mem, name);
		if (name == NULL || rename_in_chains(to, chains, old, name) < 0)
			return -ENOMEM;
		sets[i].name = name;
		renamed = true;
	}
	if (!renamed)
		return 0;
	qsort(sets, to->n_sets, sizeof(*sets), set_cmp);
	to->sets = sets;
	to->chains = chains;
	return 0;
}

static int send(struct nft_channel *ch, struct nft_batch *b, struct err *e)
{
	int r = nft_batch_finish(b, e);

	return r == 0 ? nft_channel_send(ch, b, /* dry= */ false, NULL, e) : r;
}

/* One batch: a part of the elements, and before the first one what they go into. */
static int fill_part(struct nft_channel *ch, const struct nft_op *op, uint32_t from, uint32_t n, int64_t table_flags,
		     struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	int r = nft_channel_batch(ch, 0, &b, e);

	if (r < 0)
		return r;
	if (table_flags >= 0)
		nft_put_table(b, (uint32_t)table_flags);
	if (from == 0)
		nft_put_set(b, op->set, 1);
	nft_put_elems(b, op->set, op->elems + from, n);
	return send(ch, b, e);
}

static int fill_set(struct nft_channel *ch, const struct nft_op *op, int64_t *table_flags, uint32_t chunk,
		    struct nft_filled *filled, struct err *e)
{
	int r = 0;

	for (uint32_t at = 0; at < op->n_elems && r == 0; at += chunk) {
		uint32_t n = op->n_elems - at < chunk ? op->n_elems - at : chunk;

		r = fill_part(ch, op, at, n, *table_flags, e);
		if (r == 0 && at == 0)
			filled->sets[filled->n++] = op->set;
		if (r == 0)
			*table_flags = -1;
	}
	filled->n_elems += op->n_elems;
	return r;
}

static bool is_new(const struct nft_diff *d, const struct nft_set *set)
{
	for (uint32_t i = 0; i < d->n_ops; i++) {
		if (d->ops[i].kind == NFT_OP_PUT_SET && d->ops[i].set == set)
			return true;
	}
	return false;
}

static bool is_filled(const struct nft_filled *filled, const struct nft_op *op)
{
	for (uint32_t i = 0; i < filled->n; i++) {
		if (op->set == filled->sets[i])
			return op->kind == NFT_OP_PUT_SET || op->kind == NFT_OP_PUT_ELEMS;
	}
	return false;
}

void nft_fill_undo(struct nft_channel *ch, const struct nft_filled *filled, bool table)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;

	if ((filled->n == 0 && !table) || nft_channel_batch(ch, 0, &b, NULL) < 0)
		return;
	for (uint32_t i = 0; i < filled->n && !table; i++)
		nft_del_set(b, filled->sets[i]);
	if (table)
		nft_del_table(b);
	(void)send(ch, b, NULL);
}

int nft_fill(struct nft_channel *ch, struct nft_diff *d, const struct nft_prog *found, int64_t table_flags,
	     uint32_t chunk, struct nft_filled *ret, struct err *e)
{
	bool makes_table = table_flags >= 0;
	uint32_t n = 0;
	int r = 0;

	*ret = (struct nft_filled){ 0 };
	for (uint32_t i = 0; i < d->n_ops && r == 0 && ret->n < NFT_FILLED_MAX; i++) {
		const struct nft_op *op = &d->ops[i];

		if (op->kind == NFT_OP_PUT_ELEMS && is_large(op->set, chunk) && is_new(d, op->set) &&
		    find(found, op->set->name, false) == NULL)
			r = fill_set(ch, op, &table_flags, chunk, ret, e);
	}
	if (r < 0) {
		nft_fill_undo(ch, ret, makes_table && table_flags < 0);
		return r;
	}
	for (uint32_t i = 0; i < d->n_ops; i++) {
		if (!is_filled(ret, &d->ops[i]))
			d->ops[n++] = d->ops[i];
	}
	d->n_ops = n;
	return 0;
}
