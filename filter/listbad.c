/* SPDX-License-Identifier: GPL-3.0-or-later */
/* $badfilter: a rule that takes away the one that says the same without it, wherever in the gateway's lists that is. It
 * does so for views which have both lists, so it cannot be left out here: it stays, as a record that names those lists.
 *
 * Names alone (hosts lines, domain lists) are not taken away: AdGuard has it so, too. */
#include "filter/listbuilder.h"

#define NAME_BLOCK (LIST_NAME << 1 | LIST_BLOCK)

static int bad_cmp(const void *a, const void *b)
{
	const struct build_bad *x = a, *y = b;

	return x->same < y->same ? -1 : x->same > y->same;
}

/* Lists with a $badfilter against @same. */
static uint64_t bad_lists(const struct list_builder *b, uint64_t same)
{
	uint32_t lo = 0, hi = b->n_bads;
	uint64_t lists = 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (b->bads[mid].same < same)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < b->n_bads && b->bads[lo].same == same; lo++)
		lists |= 1ull << b->bads[lo].list;
	return lists;
}

static void mark_records(struct list_builder *b, const uint64_t *hashes)
{
	for (size_t at = 0, i = 0; at < b->records.len; i++) {
		struct listfile_record *r = (struct listfile_record *)(void *)(b->records.bytes + at);

		r->bad = bad_lists(b, build_same(b, hashes[i], r->kind, r->action, (r->flags & LISTFILE_IMPORTANT) != 0,
						 r->terms, r->terms_len));
		at += r->len;
	}
}

/* The hash of each record's name, in the order of the records; of patterns 0, as when they were added. */
static int record_hashes(const struct list_builder *b, uint64_t **ret, struct err *e)
{
	size_t n = 0, at = 0;
	uint32_t *slots;

	for (; at < b->records.len; n++)
		at += ((const struct listfile_record *)(const void *)(b->records.bytes + at))->len;
	*ret = calloc(n + 1, sizeof(**ret));
	slots = calloc(b->records.len / 8 + 1, sizeof(*slots));
	if (*ret == NULL || slots == NULL) {
		free(slots);
		return err_set(e, -ENOMEM, "memory for list rules");
	}
	for (at = n = 0; at < b->records.len; n++) {
		slots[at / 8] = (uint32_t)n;
		at += ((const struct listfile_record *)(const void *)(b->records.bytes + at))->len;
	}
	for (size_t i = 0; i < b->rows.n; i++)
		if (b->rows.items[i].what == BUILD_CHAIN)
			(*ret)[slots[b->rows.items[i].line]] = b->rows.items[i].hash;
	free(slots);
	return 0;
}

/* First row of that hash or behind it; rows are sorted. */
static size_t row_find(const struct list_builder *b, uint64_t hash)
{
	size_t lo = 0, hi = b->rows.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->rows.items[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A row that is taken away from some becomes a record. */
static int turn_rows(struct list_builder *b, const struct build_bad *bad, struct err *e)
{
	for (size_t i = row_find(b, bad->hash); i < b->rows.n && b->rows.items[i].hash == bad->hash; i++) {
		struct build_row *row = &b->rows.items[i];
		struct listfile_record head = {
			.list = row->list, .line = row->line, .kind = row->what >> 1, .action = row->what & 1
		};
		int r;

		if (row->what != bad->what || row->what == NAME_BLOCK)
			continue;
		head.bad = bad_lists(b, build_same(b, row->hash, head.kind, head.action, false, NULL, 0));
		if (head.bad == 0)
			continue; /* its $badfilter has terms that the row has not */
		r = build_record_add(&b->records, &head, NULL, &row->line, e);
		if (r < 0)
			return r;
		row->what = BUILD_CHAIN;
	}
	return 0;
}

int build_finish(struct list_builder *b, struct err *e)
{
	CLEANUP(freep) uint64_t *hashes = NULL;
	int r = 0;

	build_sort(b->rows.items, b->rows.n);
	if (b->n_bads == 0)
		return 0;
	qsort(b->bads, b->n_bads, sizeof(*b->bads), bad_cmp);
	r = record_hashes(b, &hashes, e);
	if (r < 0)
		return r;
	mark_records(b, hashes);
	for (uint32_t i = 0; i < b->n_bads && r == 0; i++)
		if (i == 0 || b->bads[i].same != b->bads[i - 1].same)
			r = turn_rows(b, &b->bads[i], e);
	build_sort(b->rows.items, b->rows.n);
	return r;
}
