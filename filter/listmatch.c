/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the lists say of a name or an address: the rows of each of its suffixes, the records that they lead to, and the
 * patterns that share a gram with it. Called by verdict.c for every question; allocates nothing (unless a regular
 * expression is run without a scratch), and touches only the map.
 *
 * The order of precedence is a number, the rank, in which everything that decides has its place; so a rule that cannot
 * win is not even looked at. */
#include "filter/listfile_inner.h"
#include "filter/listterms.h"

#define RANK_CLASS_SHIFT     61u
#define RANK_MODIFIERS_SHIFT 53u
#define RANK_DEPTH_SHIFT     45u
#define RANK_KIND_SHIFT	     42u
#define RANK_LIST_SHIFT	     36u
#define RANK_LINE_SHIFT	     4u
#define RANK_FOUND	     1u /* no rank is 0 */

#define DEPTH_CLIENT 127u /* before all names, which have no more labels; the prefix's length is added */
#define KEEPS_MAX    LIST_REWRITES_MAX

/* A rule that holds, before it is told. */
struct candidate {
	uint64_t rank;
	const struct listfile_record *record; /* NULL: a row */
	uint32_t row, list;
	enum list_kind kind;
	uint8_t skip;	/* labels of the name that are before the rule's */
	uint8_t prefix; /* of an address */
};

struct look {
	const struct listfile *f;
	const struct list_ask *ask;
	uint64_t mask, touched;
	bool touch; /* only .touched is asked for */
	bool personal;
	struct candidate best;
	struct candidate rewrites[LIST_REWRITES_MAX];
	const struct listfile_record *keeps[KEEPS_MAX];
	uint32_t n_rewrites, n_keeps;
	struct regex_budget budget;
	size_t text_len;
	char text[DNAME_MAX + IP_TEXT_MAX];
};

enum place_kind { PLACE_NAME, PLACE_ADDRESS, PLACE_CLIENT, PLACE_TEXT };

/* Where in the name or address a rule was found. */
struct place {
	enum place_kind kind;
	uint8_t skip, prefix, depth;
	bool whole; /* it is all of the name */
};

static uint64_t rank_of(bool important, enum list_action action, uint8_t modifiers, uint8_t depth, enum list_kind kind,
			uint32_t list, uint32_t line)
{
	bool allow = action == LIST_ALLOW || action == LIST_KEEP;
	/* important exception, important block, exception, block */
	uint64_t class = important ? (allow ? 3 : 2) : allow ? 1 : 0;

	return class << RANK_CLASS_SHIFT | (uint64_t)modifiers << RANK_MODIFIERS_SHIFT |
	       (uint64_t)depth << RANK_DEPTH_SHIFT | (uint64_t)(LIST_KIND_MAX - kind) << RANK_KIND_SHIFT |
	       (uint64_t)(LISTS_MAX - 1 - list) << RANK_LIST_SHIFT | (uint64_t)(UINT32_MAX - line) << RANK_LINE_SHIFT |
	       RANK_FOUND;
}

/* A damaged file may lead from anything to anything. */
static bool kind_holds(enum list_kind kind, const struct place *at)
{
	switch (kind) {
	case LIST_CLIENT_ADDRESS:
		return at->kind == PLACE_CLIENT;
	case LIST_NAME:
		return at->kind == PLACE_NAME && at->whole;
	case LIST_BELOW:
		return at->kind == PLACE_NAME && !at->whole;
	case LIST_SUBTREE:
		return at->kind == PLACE_NAME;
	case LIST_ADDRESS:
		return at->kind == PLACE_ADDRESS;
	case LIST_PATTERN:
	case LIST_REGEX:
		return at->kind == PLACE_TEXT;
	case LIST_KIND_MAX:
		break;
	}
	return false;
}

static uint32_t line_of(const struct listfile *f, const struct candidate *c)
{
	uint64_t lists;

	if (c->record != NULL)
		return c->record->line;
	lists = f->sets[f->rows[c->row].set].lists;
	if ((lists & (lists - 1)) == 0)
		return f->rows[c->row].line;
	return f->more[f->rows[c->row].line + (uint32_t)__builtin_popcountll(lists & ((1ull << c->list) - 1))];
}

/* Before the best. A row's line is looked up only where nothing else decides. */
static bool is_better(const struct look *l, const struct candidate *c)
{
	if ((c->rank ^ l->best.rank) >> RANK_LIST_SHIFT != 0)
		return c->rank > l->best.rank;
	return line_of(l->f, c) < line_of(l->f, &l->best);
}

static void row_offer(struct look *l, uint32_t row, const struct listfile_set *s, const struct place *at)
{
	uint64_t lists = s->lists & l->mask;
	struct candidate c = { .row = row, .kind = (enum list_kind)s->kind, .skip = at->skip, .prefix = at->prefix };

	if (!kind_holds(c.kind, at))
		return;
	l->touched |= s->lists;
	if (lists == 0 || l->touch)
		return;
	c.list = (uint32_t)__builtin_ctzll(lists);
	c.rank = rank_of(false, (enum list_action)s->action, 0, at->depth, c.kind, c.list, 0);
	if (is_better(l, &c))
		l->best = c;
}

static bool regex_holds(struct look *l, const struct listfile_record *r, const struct list_term *t)
{
	struct regex_counts *counts = l->ask->scratch != NULL ? list_scratch_counts(l->ask->scratch) : NULL;
	uint32_t before = l->budget.given_up;
	enum regex_result result = regex_run(l->f->regexes, r->regex, t->data + 1, t->len - 1u, l->text, l->text_len,
					     &l->budget, l->ask->scratch);

	if (result != REGEX_GIVEN_UP)
		return (result == REGEX_YES) != (t->data[0] != 0);
	if (counts != NULL)
		counts->given_up++;
	if (counts != NULL && l->budget.given_up != before) { /* not for what others had used up */
		counts->file = l->f;
		counts->list = r->list;
		counts->line = r->line;
	}
	/* Whoever makes a name for this must not pass by it. */
	return l->touch || r->action == LIST_BLOCK;
}

static bool pattern_holds(struct look *l, const struct listfile_record *r)
{
	struct list_term t;

	if (r->kind == LIST_PATTERN)
		return list_terms_find(r->terms, r->terms_len, TERM_PATTERN, &t) &&
		       list_pattern_match(&t, l->text, l->text_len);
	return r->kind != LIST_REGEX ||
	       (list_terms_find(r->terms, r->terms_len, TERM_REGEX, &t) && regex_holds(l, r, &t));
}

/* In the order of precedence; the last is dropped when there are too many. */
static void rewrite_add(struct look *l, const struct candidate *c)
{
	uint32_t at = l->n_rewrites;

	for (uint32_t i = 0; i < l->n_rewrites; i++)
		if (l->rewrites[i].record == c->record)
			return;
	while (at > 0 && l->rewrites[at - 1].rank < c->rank)
		at--;
	if (at == LIST_REWRITES_MAX)
		return;
	if (l->n_rewrites < LIST_REWRITES_MAX)
		l->n_rewrites++;
	for (uint32_t i = l->n_rewrites - 1; i > at; i--)
		l->rewrites[i] = l->rewrites[i - 1];
	l->rewrites[at] = *c;
}

static void record_offer(struct look *l, const struct listfile_record *r, const struct place *at)
{
	struct candidate c = {
		.record = r, .list = r->list, .kind = (enum list_kind)r->kind, .skip = at->skip, .prefix = at->prefix
	};
	bool decides = r->action == LIST_BLOCK || r->action == LIST_ALLOW;

	if (!kind_holds(c.kind, at))
		return;
	if (l->touch) {
		if ((l->touched >> r->list & 1) == 0 && pattern_holds(l, r))
			l->touched |= 1ull << r->list;
		return;
	}
	if ((l->mask >> r->list & 1) == 0 || (r->bad & l->mask) != 0)
		return;
	c.rank = rank_of((r->flags & LISTFILE_IMPORTANT) != 0, (enum list_action)r->action, r->modifiers, at->depth,
			 c.kind, r->list, r->line);
	if (decides && !is_better(l, &c))
		return;
	if (!list_terms_hold(r->terms, r->terms_len, l->ask, &l->personal) || !pattern_holds(l, r))
		return;
	if (decides)
		l->best = c;
	else if (r->action == LIST_REWRITE)
		rewrite_add(l, &c);
	else if (l->n_keeps < KEEPS_MAX)
		l->keeps[l->n_keeps++] = r;
}

static void rows_look(struct look *l, uint64_t hash, const struct place *at)
{
	const struct listfile *f = l->f;
	uint64_t bucket = f->header.index_bits == 0 ? 0 : hash >> (64 - f->header.index_bits);
	uint32_t lo = f->index[bucket], end = f->index[bucket + 1];

	/* Buckets have eight rows or so, whose hashes are side by side. */
	while (lo < end && f->hashes[lo] < hash)
		lo++;
	for (; lo < end && f->hashes[lo] == hash; lo++) {
		const struct listfile_set *s = &f->sets[f->rows[lo].set];
		const struct listfile_record *r;

		if (s->kind != LISTFILE_CHAIN) {
			row_offer(l, lo, s, at);
			continue;
		}
		for (r = listfile_record(f, f->rows[lo].line);;
		     r = (const struct listfile_record *)(const void *)((const uint8_t *)r + r->len)) {
			record_offer(l, r, at);
			if ((r->flags & LISTFILE_LAST) != 0)
				break;
		}
	}
}

static void names_look(struct look *l)
{
	const struct dname *name = l->ask->name;
	const struct list_probe *p = l->ask->probe;
	struct place at = { .kind = PLACE_NAME };

	if (p != NULL && p->file == l->f) {
		for (uint32_t i = 0; i < p->n; i++) {
			at.skip = p->skips[i];
			at.depth = (uint8_t)(name->labels - at.skip);
			at.whole = at.skip == 0;
			rows_look(l, p->hashes[i], &at);
		}
		return;
	}
	for (at.skip = 0; at.skip <= name->labels; at.skip++) { /* the root, too: RPZ's "*" */
		const uint8_t *wire;
		uint8_t len;

		at.depth = (uint8_t)(name->labels - at.skip);
		at.whole = at.skip == 0;
		if ((l->f->header.depths & listfile_depth_bit(at.depth)) == 0)
			continue;
		wire = dname_suffix(name, at.skip, &len);
		rows_look(l, listfile_hash(l->f->header.key, wire, len), &at);
	}
}

static bool len_wanted(const uint64_t lens[3], enum ip_family family, unsigned len)
{
	if (family == IP_V4)
		return (lens[2] >> 1 >> len & 1) != 0;
	return len == 128 ? (lens[2] & 1) != 0 : (lens[len / 64] >> (len % 64) & 1) != 0;
}

/* Every prefix of the address that there are rows for. */
static void addr_look(struct look *l, enum list_kind kind, const struct ip_addr *addr)
{
	const uint64_t *lens = l->f->header.addr_lens[kind == LIST_CLIENT_ADDRESS];
	unsigned max = addr->family == IP_V4 ? 32 : 128;

	if ((lens[0] | lens[1] | lens[2]) == 0)
		return;
	for (unsigned len = 0; len <= max; len++) {
		struct place at = { .kind = kind == LIST_CLIENT_ADDRESS ? PLACE_CLIENT : PLACE_ADDRESS,
				    .prefix = (uint8_t)len,
				    .depth = (uint8_t)(kind == LIST_CLIENT_ADDRESS ? DEPTH_CLIENT + len : len) };

		if (len_wanted(lens, (enum ip_family)addr->family, len))
			rows_look(l, listfile_hash_addr(l->f->header.key, kind, addr, (uint8_t)len), &at);
	}
}

/* The name as patterns see it: dotted, in lower case, without the last dot. Its bytes as they are: no pattern means an
 * escape. */
static void text_make(struct look *l)
{
	const struct dname *n = l->ask->name;
	size_t at = 0;

	if (l->ask->addr != NULL) {
		l->text_len = strlen(ip_addr_print(l->ask->addr, l->text));
		return;
	}
	for (size_t i = 0; n->wire[i] != 0; i += n->wire[i] + 1u) {
		if (i != 0)
			l->text[at++] = '.';
		memcpy(l->text + at, n->wire + i + 1, n->wire[i]);
		at += n->wire[i];
	}
	l->text_len = at;
}

static void gram_look(struct look *l, uint32_t gram, const struct place *at)
{
	const struct listfile *f = l->f;
	uint32_t lo = 0, hi = f->header.n_grams;

	if (!gram_maybe(f->filter, gram))
		return;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (f->grams[mid] < gram)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == f->header.n_grams || f->grams[lo] != gram)
		return;
	for (uint32_t i = f->gram_starts[lo]; i < f->gram_starts[lo + 1]; i++)
		record_offer(l, listfile_record(f, f->gram_records[i]), at);
}

static void patterns_look(struct look *l)
{
	const struct listfile *f = l->f;
	const struct place at = { .kind = PLACE_TEXT };
	const uint8_t *text = (const uint8_t *)l->text;

	if (f->filter == NULL || (l->best.rank != 0 && f->header.patterns_decide == 0))
		return;
	text_make(l);
	for (size_t i = 0; i + GRAM_BYTES <= l->text_len; i++)
		gram_look(l, gram_of(text + i), &at);
	for (size_t i = 0; f->filter->any_short != 0 && i + GRAM_SHORT <= l->text_len; i++)
		gram_look(l, gram_short_of(text + i), &at);
	for (uint32_t i = 0; i < f->header.n_always; i++)
		record_offer(l, listfile_record(f, f->always[i]), &at);
}

static void look(struct look *l)
{
	const uint64_t *clients = l->f->header.addr_lens[1];

	if (l->ask->addr != NULL) {
		addr_look(l, LIST_ADDRESS, l->ask->addr);
	} else {
		names_look(l);
		if ((clients[0] | clients[1] | clients[2]) != 0) {
			l->personal = true;
			if (l->touch) /* any list may have something for some client */
				l->touched = UINT64_MAX;
			else if (l->ask->client != NULL)
				addr_look(l, LIST_CLIENT_ADDRESS, &l->ask->client->addr);
		}
	}
	patterns_look(l);
}

static void prefix_of(const struct ip_addr *addr, uint8_t len, struct ip_prefix *ret)
{
	*ret = (struct ip_prefix){ .addr = { .family = addr->family }, .len = len };
	memcpy(ret->addr.bytes, addr->bytes, len / 8);
	if (len % 8 != 0)
		ret->addr.bytes[len / 8] = (uint8_t)(addr->bytes[len / 8] & 0xff00u >> len % 8);
}

/* As it was read. What it is about is a part of what was asked. */
static void tell(const struct look *l, const struct candidate *c, struct list_hit *ret)
{
	const struct list_ask *ask = l->ask;
	const struct listfile_record *r = c->record;
	struct list_rule *rule = &ret->rule;
	const uint8_t *wire;

	ret->list = c->list;
	ret->line = ask->brief ? 0 : line_of(l->f, c);
	rule->kind = c->kind;
	rule->action =
		r != NULL ? (enum list_action)r->action : (enum list_action)l->f->sets[l->f->rows[c->row].set].action;
	rule->important = r != NULL && (r->flags & LISTFILE_IMPORTANT) != 0;
	rule->badfilter = false;
	rule->modifiers = r != NULL ? r->modifiers : 0;
	rule->terms = r != NULL ? r->terms : NULL;
	rule->terms_len = r != NULL ? r->terms_len : 0;
	rule->name.len = rule->name.labels = 0;
	rule->prefix.addr.family = IP_NONE;
	if (ask->brief)
		return;
	if (c->kind == LIST_ADDRESS) {
		prefix_of(ask->addr, c->prefix, &rule->prefix);
	} else if (c->kind == LIST_CLIENT_ADDRESS) {
		prefix_of(&ask->client->addr, c->prefix, &rule->prefix);
	} else if (c->kind < LIST_PATTERN) {
		rule->name.labels = (uint8_t)(ask->name->labels - c->skip);
		wire = dname_suffix(ask->name, c->skip, &rule->name.len);
		memcpy(rule->name.wire, wire, rule->name.len);
	}
}

static bool is_answer(enum list_term_type type)
{
	return type == TERM_ANSWER || type == TERM_CNAME || type == TERM_CNAME_BELOW || type == TERM_RECORD;
}

/* Both say the same answer; *ret_any: @keep says one at all. */
static bool same_answer(const struct listfile_record *keep, const struct listfile_record *r, bool *ret_any)
{
	struct list_term a, b;
	size_t at_a = 0, at_b = 0;
	bool has_a, has_b;

	*ret_any = false;
	for (;;) {
		while ((has_a = list_terms_next(keep->terms, keep->terms_len, &at_a, &a)) && !is_answer(a.type))
			continue;
		while ((has_b = list_terms_next(r->terms, r->terms_len, &at_b, &b)) && !is_answer(b.type))
			continue;
		*ret_any = *ret_any || has_a;
		if (!has_a || !has_b)
			return has_a == has_b;
		if (a.type != b.type || a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
			return false;
	}
}

/* "@@…$dnsrewrite": none of them holds, or none that is equal; one that is important, by an important one only. */
static bool cancelled(const struct look *l, const struct listfile_record *r)
{
	for (uint32_t i = 0; i < l->n_keeps; i++) {
		const struct listfile_record *keep = l->keeps[i];
		bool any, same = same_answer(keep, r, &any);

		if ((same || !any) && ((r->flags & LISTFILE_IMPORTANT) == 0 || (keep->flags & LISTFILE_IMPORTANT) != 0))
			return true;
	}
	return false;
}

static void look_init(struct look *l, const struct listfile *f, uint64_t mask, const struct list_ask *ask, bool touch)
{
	l->f = f;
	l->ask = ask;
	l->mask = mask;
	l->touched = 0;
	l->touch = touch;
	l->personal = false;
	l->best.rank = 0;
	l->n_rewrites = l->n_keeps = 0;
	l->budget = (struct regex_budget){ 0 };
	l->text_len = 0;
}

bool listfile_match(const struct listfile *f, uint64_t mask, const struct list_ask *ask, struct list_match *ret)
{
	struct look l; /* large, and most of it is never used */

	ret->found = ret->personal = false;
	ret->n_rewrites = 0;
	if (mask == 0)
		return false;
	look_init(&l, f, mask, ask, false);
	look(&l);
	ret->personal = l.personal;
	ret->found = l.best.rank != 0;
	if (ret->found)
		tell(&l, &l.best, &ret->hit);
	for (uint32_t i = 0; i < l.n_rewrites; i++)
		if (!cancelled(&l, l.rewrites[i].record))
			tell(&l, &l.rewrites[i], &ret->rewrites[ret->n_rewrites++]);
	return ret->found || ret->n_rewrites != 0;
}

bool listfile_match_name(const struct listfile *f, uint64_t mask, const struct dname *name, struct list_match *ret)
{
	return listfile_match(f, mask, &(struct list_ask){ .name = name }, ret);
}

uint64_t listfile_touch(const struct listfile *f, const struct list_ask *ask)
{
	struct look l;

	look_init(&l, f, UINT64_MAX, ask, true);
	look(&l);
	return l.touched;
}

void listfile_probe(const struct listfile *f, const struct dname *name, struct list_probe *ret)
{
	ret->file = NULL;
	ret->n = 0;
	for (uint8_t skip = 0; skip <= name->labels; skip++) {
		const uint8_t *wire;
		uint8_t len;

		if ((f->header.depths & listfile_depth_bit((uint8_t)(name->labels - skip))) == 0)
			continue;
		if (ret->n == LIST_PROBES_MAX)
			return; /* such names are looked up without */
		wire = dname_suffix(name, skip, &len);
		ret->skips[ret->n] = skip;
		ret->hashes[ret->n] = listfile_hash(f->header.key, wire, len);
		if (f->header.index_bits != 0)
			__builtin_prefetch(&f->index[ret->hashes[ret->n] >> (64 - f->header.index_bits)]);
		ret->n++;
	}
	ret->file = f;
}

void listfile_probe_rows(const struct list_probe *p)
{
	const struct listfile *f = p->file;

	if (f == NULL || f->header.index_bits == 0)
		return;
	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t at = f->index[p->hashes[i] >> (64 - f->header.index_bits)];

		/* A bucket of eight spans two lines of the processor's cache. */
		__builtin_prefetch(&f->hashes[at]);
		__builtin_prefetch(&f->hashes[at] + 7);
		__builtin_prefetch(&f->rows[at]);
		__builtin_prefetch(&f->rows[at] + 7);
	}
}
