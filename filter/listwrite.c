/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From what was gathered to the compiled file (format: listformat.h). Called by listc and the command line through
 * listbuild.h.
 *
 * Rows of one name that say the same become one, with the set of lists that say it; sets are numbered as they come.
 * When the numbers are used up, what is left is written list by list, which costs more bytes and says the same. */
#include "filter/listbuilder.h"
#include "filter/turn.h"

#include <sys/types.h>

#define SET_SLOTS   (LISTFILE_SETS_MAX * 2u)
#define SINK_BYTES  65536u
#define SETS_SINGLE (64u * 16u) /* numbers that are kept for sets of one list: kinds and actions of each */

/* Where the file's bytes go: a descriptor through a buffer, or memory. */
struct sink {
	int fd; /* -1: memory */
	uint8_t *out;
	size_t len, cap;
	uint64_t total;
};

/* A gram, and a pattern that is filed under it. */
struct filed {
	uint32_t gram, record;
};

/* What is written, part by part. */
struct parts {
	struct listfile_header h;
	struct listfile_set *sets;
	uint32_t *set_slots; /* hash table over sets: number + 1 */
	uint32_t *more;
	uint32_t cap_more;
	struct build_records records; /* in the order of the file */
	struct listfile_grams *filter;
	struct filed *filed;
	uint32_t n_filed, cap_filed;
	uint32_t *always, cap_always;
	size_t n_rows; /* at the begin of the builder's */
};

static void parts_done(struct parts *p)
{
	free(p->sets);
	free(p->set_slots);
	free(p->more);
	free(p->records.bytes);
	free(p->filter);
	free(p->filed);
	free(p->always);
}

static int no_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "memory for the compiled lists");
}

static int push_u32(uint32_t **items, uint32_t *n, uint32_t *cap, uint32_t value, struct err *e)
{
	if (*n == *cap) {
		uint32_t more = *cap == 0 ? 256 : *cap * 2;
		uint32_t *grown = reallocarray(*items, more, sizeof(*grown));

		if (grown == NULL)
			return no_memory(e);
		*items = grown;
		*cap = more;
	}
	(*items)[(*n)++] = value;
	return 0;
}

static uint32_t set_slot(const struct listfile_set *s)
{
	uint64_t x = (s->lists ^ (uint64_t)s->kind << 56 ^ (uint64_t)s->action << 48) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(x >> 40) % SET_SLOTS;
}

/* The number of that set; -1: there are too many. */
static int32_t set_number(struct parts *p, const struct listfile_set *s)
{
	bool single = (s->lists & (s->lists - 1)) == 0;
	uint32_t at = set_slot(s);

	for (; p->set_slots[at] != 0; at = (at + 1) % SET_SLOTS) {
		const struct listfile_set *x = &p->sets[p->set_slots[at] - 1];

		if (x->lists == s->lists && x->kind == s->kind && x->action == s->action)
			return (int32_t)(p->set_slots[at] - 1);
	}
	if (p->h.n_sets >= LISTFILE_SETS_MAX - (single ? 0 : SETS_SINGLE))
		return -1;
	p->sets[p->h.n_sets] = *s;
	p->set_slots[at] = ++p->h.n_sets;
	return (int32_t)p->h.n_sets - 1;
}

static uint64_t all_lists(const struct list_builder *b)
{
	return b->n_lists == 0 ? 0 : UINT64_MAX >> (LISTS_MAX - b->n_lists);
}

static struct listfile_set set_of(const struct build_row *r)
{
	struct listfile_set s = { .lists = 1ull << r->list, .kind = LISTFILE_CHAIN };

	if (r->what == BUILD_CHAIN) {
		s.lists = 0; /* those of its records are added */
		return s;
	}
	s.kind = r->what >> 1;
	s.action = r->what & 1;
	return s;
}

/* @rows are @n of the same name and saying, list by list. To one row, or as many. */
static int put_rows(struct parts *p, struct build_row *to, const struct build_row *rows, size_t n, struct err *e)
{
	struct listfile_set s = set_of(rows);
	struct build_row first = rows[0];
	int32_t number;

	for (size_t i = 1; i < n; i++)
		s.lists |= 1ull << rows[i].list;
	number = set_number(p, &s);
	p->h.n_rules += n;
	if (number == -1) {
		for (size_t i = 0; i < n; i++) {
			struct build_row one = rows[i];

			s.lists = 1ull << one.list;
			one.set = (uint16_t)set_number(p, &s);
			to[p->n_rows++] = one;
		}
		return 0;
	}
	first.set = (uint16_t)number;
	if (n > 1) {
		first.line = p->h.n_more;
		for (size_t i = 0; i < n; i++) {
			int r = push_u32(&p->more, &p->h.n_more, &p->cap_more, rows[i].line, e);

			if (r < 0)
				return r;
		}
	}
	to[p->n_rows++] = first;
	return 0;
}

static const struct listfile_record *record_at(const struct build_records *records, uint32_t at)
{
	return (const struct listfile_record *)(const void *)(records->bytes + (size_t)at * 8);
}

/* A copy of record @at of the builder into the file's. */
static int put_record(struct parts *p, const struct list_builder *b, uint32_t at, bool last, uint32_t *ret_at,
		      struct err *e)
{
	const struct listfile_record *from = record_at(&b->records, at);
	struct listfile_record head = *from;

	if (last)
		head.flags |= LISTFILE_LAST;
	head.regex = head.kind == LIST_REGEX ? p->h.n_regexes++ : 0;
	p->h.n_rules++;
	return build_record_add(&p->records, &head, from->terms, ret_at, e);
}

/* @rows are @n that lead to records of one name. */
static int put_chain(struct parts *p, const struct list_builder *b, struct build_row *to, const struct build_row *rows,
		     size_t n, struct err *e)
{
	struct listfile_set s = set_of(rows);
	struct build_row row = rows[0];
	int32_t number;

	if (n > LIST_CHAIN_MAX)
		return err_set(e, -E2BIG,
			       "list %u line %u: more than %u rules with conditions for one name (LIST_CHAIN_MAX)",
			       rows[n - 1].list, record_at(&b->records, rows[n - 1].line)->line, LIST_CHAIN_MAX);
	for (size_t i = 0; i < n; i++) {
		uint32_t at;
		int r = put_record(p, b, rows[i].line, i + 1 == n, &at, e);

		if (r < 0)
			return r;
		if (i == 0)
			row.line = at;
		s.lists |= 1ull << rows[i].list;
	}
	number = set_number(p, &s);
	if (number == -1) { /* whose it is says each record: a set of all says no less */
		s.lists = all_lists(b);
		number = set_number(p, &s);
	}
	if (number == -1)
		return err_set(e, -E2BIG, "more than %u different sets of lists", LISTFILE_SETS_MAX);
	row.set = (uint16_t)number;
	to[p->n_rows++] = row;
	return 0;
}

/* Of one list the lowest line stays; rows are sorted. */
static size_t drop_equal(struct build_row *rows, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || rows[kept - 1].list != rows[i].list)
			rows[kept++] = rows[i];
	return kept;
}

/* The sorted rows to those of the file, in their place: there are never more of them. */
static int merge_rows(struct parts *p, struct list_builder *b, struct err *e)
{
	struct build_row *rows = b->rows.items;
	/* A set for chains of all lists is wanted in any case. */
	const struct listfile_set all = { .lists = all_lists(b), .kind = LISTFILE_CHAIN };
	size_t groups = 0;

	if (b->records.len != 0)
		(void)set_number(p, &all);
	for (size_t i = 0, n; i < b->rows.n; i += n) {
		struct build_row group[64]; /* what is written may lie over what is read */
		size_t kept;
		int r;

		turn_over(groups++, TURN_ROWS);
		for (n = 1; i + n < b->rows.n && rows[i + n].hash == rows[i].hash && rows[i + n].what == rows[i].what;)
			n++;
		if (rows[i].what == BUILD_CHAIN) {
			r = put_chain(p, b, rows, &rows[i], n, e);
		} else {
			kept = drop_equal(&rows[i], n);
			memcpy(group, &rows[i], kept * sizeof(*group));
			r = put_rows(p, rows, group, kept, e);
		}
		if (r < 0)
			return r;
	}
	p->h.n_rows = (uint32_t)p->n_rows;
	return 0;
}

static int file_under(struct parts *p, uint32_t gram, uint32_t record, struct err *e)
{
	if (p->n_filed == p->cap_filed) {
		uint32_t cap = p->cap_filed == 0 ? 256 : p->cap_filed * 2;
		struct filed *grown = reallocarray(p->filed, cap, sizeof(*grown));

		if (grown == NULL)
			return no_memory(e);
		p->filed = grown;
		p->cap_filed = cap;
	}
	p->filed[p->n_filed++] = (struct filed){ .gram = gram, .record = record };
	return 0;
}

static bool record_literals(const struct listfile_record *r, struct literals *ret)
{
	struct list_term t;

	if (r->kind == LIST_PATTERN)
		return list_terms_find(r->terms, r->terms_len, TERM_PATTERN, &t) &&
		       literals_of_pattern((const char *)t.data + 1, t.len - 1u, ret);
	return list_terms_find(r->terms, r->terms_len, TERM_REGEX, &t) && t.data[0] == 0 &&
	       literals_of_regex((const char *)t.data + 1, t.len - 1u, ret);
}

static int put_pattern(struct parts *p, const struct list_builder *b, uint32_t from, struct err *e)
{
	const struct listfile_record *pattern;
	struct literals l;
	uint32_t at;
	int r = put_record(p, b, from, true, &at, e);

	if (r < 0)
		return r;
	pattern = record_at(&p->records, at);
	if (pattern->action != LIST_BLOCK || pattern->flags != LISTFILE_LAST || pattern->modifiers != 0)
		p->h.patterns_decide = 1;
	if (!record_literals(pattern, &l))
		return push_u32(&p->always, &p->h.n_always, &p->cap_always, at, e);
	for (uint32_t i = 0; i < l.n && r == 0; i++) {
		uint32_t gram = gram_choose(&b->grams, l.texts[i], l.lens[i]);

		gram_add(p->filter, gram);
		if (l.lens[i] < GRAM_BYTES)
			p->filter->any_short = 1;
		r = file_under(p, gram, at, e);
	}
	return r;
}

static int filed_cmp(const void *a, const void *b)
{
	const struct filed *x = a, *y = b;

	if (x->gram != y->gram)
		return x->gram < y->gram ? -1 : 1;
	return x->record < y->record ? -1 : x->record > y->record;
}

/* What many patterns have in common tells none of them. */
static void count_literals(struct list_builder *b)
{
	struct literals l;

	for (uint32_t i = 0; i < b->n_patterns; i++) {
		if (!record_literals(record_at(&b->records, b->patterns[i]), &l))
			continue;
		for (uint32_t k = 0; k < l.n; k++)
			gram_count(&b->grams, (const uint8_t *)l.texts[k], l.lens[k]);
	}
}

static int put_patterns(struct parts *p, struct list_builder *b, struct err *e)
{
	uint32_t kept = 0;
	int r = 0;

	if (b->n_patterns == 0)
		return 0;
	p->filter = calloc(1, sizeof(*p->filter));
	if (p->filter == NULL)
		return no_memory(e);
	count_literals(b);
	for (uint32_t i = 0; i < b->n_patterns && r == 0; i++)
		r = put_pattern(p, b, b->patterns[i], e);
	if (r < 0)
		return r;
	if (p->n_filed != 0)
		qsort(p->filed, p->n_filed, sizeof(*p->filed), filed_cmp);
	for (uint32_t i = 0; i < p->n_filed; i++)
		if (i == 0 || filed_cmp(&p->filed[kept - 1], &p->filed[i]) != 0)
			p->filed[kept++] = p->filed[i];
	p->n_filed = kept;
	p->h.n_gram_records = kept;
	for (uint32_t i = 0; i < kept; i++)
		p->h.n_grams += i == 0 || p->filed[i - 1].gram != p->filed[i].gram;
	return 0;
}

static int sink_flush(struct sink *s, struct err *e)
{
	size_t at = 0;

	while (s->fd != -1 && at < s->len) {
		ssize_t n = write(s->fd, s->out + at, s->len - at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, n == 0 ? -EIO : -errno, "write compiled lists: %s",
				       n == 0 ? "nothing written" : strerror(errno));
		at += (size_t)n;
	}
	if (s->fd != -1)
		s->len = 0;
	return 0;
}

static int sink_put(struct sink *s, const void *data, size_t len, struct err *e)
{
	const uint8_t *from = data;

	while (len > 0) {
		size_t n = s->cap - s->len < len ? s->cap - s->len : len;
		int r;

		if (n == 0 && s->fd == -1)
			return err_set(e, -EINVAL, "compiled lists: longer than computed");
		memcpy(s->out + s->len, from, n);
		s->len += n;
		s->total += n;
		from += n;
		len -= n;
		r = s->len == s->cap ? sink_flush(s, e) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int sink_pad(struct sink *s, uint64_t to, struct err *e)
{
	static const uint8_t zeros[8];

	if (to < s->total || to - s->total > sizeof(zeros))
		return err_set(e, -EINVAL, "compiled lists: a part is not where it was computed");
	return sink_put(s, zeros, (size_t)(to - s->total), e);
}

static int write_index(const struct list_builder *b, const struct listfile_header *h, struct sink *s, struct err *e)
{
	uint64_t buckets = 1ull << h->index_bits;
	uint32_t at = 0;

	for (uint64_t i = 0; i <= buckets; i++) {
		int r;

		turn_over(i, TURN_ROWS);
		while (at < h->n_rows && h->index_bits > 0 && b->rows.items[at].hash >> (64 - h->index_bits) < i)
			at++;
		if (i == buckets)
			at = h->n_rows;
		r = sink_put(s, &at, sizeof(at), e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_rows(const struct list_builder *b, const struct parts *p, const struct listfile_layout *at,
		      struct sink *s, struct err *e)
{
	const struct build_row *rows = b->rows.items;
	int r = sink_pad(s, at->hashes, e);

	for (size_t i = 0; r == 0 && i < p->n_rows; i++) {
		turn_over(i, TURN_ROWS);
		r = sink_put(s, &rows[i].hash, sizeof(rows[i].hash), e);
	}
	for (size_t i = 0; r == 0 && i < p->n_rows; i++) {
		const struct listfile_row row = { .line = rows[i].line, .set = rows[i].set };

		turn_over(i, TURN_ROWS);
		r = sink_put(s, &row, sizeof(row), e);
	}
	if (r == 0)
		r = sink_pad(s, at->sets, e);
	if (r == 0)
		r = sink_put(s, p->sets, p->h.n_sets * sizeof(*p->sets), e);
	if (r == 0)
		r = sink_put(s, p->more, p->h.n_more * sizeof(*p->more), e);
	return r;
}

static int write_grams(const struct parts *p, const struct listfile_layout *at, struct sink *s, struct err *e)
{
	int r = sink_pad(s, at->filter, e);

	if (r == 0 && p->filter != NULL)
		r = sink_put(s, p->filter, sizeof(*p->filter), e);
	for (uint32_t i = 0; r == 0 && i < p->n_filed; i++)
		if (i == 0 || p->filed[i - 1].gram != p->filed[i].gram)
			r = sink_put(s, &p->filed[i].gram, sizeof(uint32_t), e);
	if (r == 0)
		r = sink_pad(s, at->gram_starts, e);
	for (uint32_t i = 0; r == 0 && i <= p->n_filed && p->filter != NULL; i++)
		if (i == 0 || i == p->n_filed || p->filed[i - 1].gram != p->filed[i].gram)
			r = sink_put(s, &i, sizeof(i), e);
	if (r == 0)
		r = sink_pad(s, at->gram_records, e);
	for (uint32_t i = 0; r == 0 && i < p->n_filed; i++)
		r = sink_put(s, &p->filed[i].record, sizeof(uint32_t), e);
	if (r == 0)
		r = sink_pad(s, at->always, e);
	return r == 0 ? sink_put(s, p->always, p->h.n_always * sizeof(*p->always), e) : r;
}

static int write_all(const struct list_builder *b, const struct parts *p, struct sink *s, struct err *e)
{
	struct listfile_layout at = listfile_layout(&p->h);
	int r = sink_put(s, &p->h, sizeof(p->h), e);

	if (r == 0)
		r = write_index(b, &p->h, s, e);
	if (r == 0)
		r = write_rows(b, p, &at, s, e);
	if (r == 0)
		r = sink_pad(s, at.records, e);
	if (r == 0)
		r = sink_put(s, p->records.bytes, p->records.len, e);
	if (r == 0)
		r = write_grams(p, &at, s, e);
	if (r == 0)
		r = sink_pad(s, at.names, e);
	for (size_t i = 0; r == 0 && i < b->n_lists; i++) {
		const char *name = b->names[i] != NULL ? b->names[i] : "";

		r = sink_put(s, name, strlen(name) + 1, e);
	}
	return r == 0 ? sink_flush(s, e) : r;
}

static void header_make(const struct list_builder *b, struct parts *p)
{
	struct listfile_header *h = &p->h;

	h->magic = LISTFILE_MAGIC;
	memcpy(h->key, b->key, sizeof(h->key));
	h->depths = b->depths;
	memcpy(h->addr_lens, b->addr_lens, sizeof(h->addr_lens));
	h->n_lists = b->n_lists;
	h->records_len = (uint32_t)p->records.len;
	/* Buckets of four to eight: 0.5 to 1 byte a row. */
	while (h->index_bits < LISTFILE_INDEX_BITS_MAX && (8ull << h->index_bits) <= h->n_rows)
		h->index_bits++;
	for (size_t i = 0; i < b->n_lists; i++)
		h->names_len += (uint32_t)(b->names[i] != NULL ? strlen(b->names[i]) : 0) + 1;
	h->file_len = listfile_layout(h).end;
}

static int parts_make(struct list_builder *b, struct parts *p, struct err *e)
{
	int r = b->written ? err_set(e, -EINVAL, "compiled lists: written already") : build_finish(b, e);

	b->written = true;
	if (r < 0)
		return r;
	p->sets = calloc(LISTFILE_SETS_MAX, sizeof(*p->sets));
	p->set_slots = calloc(SET_SLOTS, sizeof(*p->set_slots));
	if (p->sets == NULL || p->set_slots == NULL)
		return no_memory(e);
	r = merge_rows(p, b, e);
	if (r == 0)
		r = put_patterns(p, b, e);
	if (r == 0)
		header_make(b, p);
	return r;
}

int list_builder_write(struct list_builder *b, int fd, struct err *e)
{
	CLEANUP(parts_done) struct parts p = { 0 };
	CLEANUP(freep) uint8_t *buf = malloc(SINK_BYTES);
	struct sink s = { .fd = fd, .out = buf, .cap = SINK_BYTES };
	int r = buf != NULL ? parts_make(b, &p, e) : no_memory(e);

	return r == 0 ? write_all(b, &p, &s, e) : r;
}

int list_builder_image(struct list_builder *b, void **ret, size_t *ret_len, struct err *e)
{
	CLEANUP(parts_done) struct parts p = { 0 };
	CLEANUP(freep) void *image = NULL;
	struct sink s;
	int r = parts_make(b, &p, e);

	if (r < 0)
		return r;
	image = p.h.file_len != 0 ? malloc(p.h.file_len) : NULL;
	if (image == NULL)
		return err_set(e, -ENOMEM, "compiled lists of %llu bytes", (unsigned long long)p.h.file_len);
	s = (struct sink){ .fd = -1, .out = image, .cap = p.h.file_len };
	r = write_all(b, &p, &s, e);
	if (r < 0)
		return r;
	*ret = TAKE(image);
	*ret_len = p.h.file_len;
	return 0;
}
