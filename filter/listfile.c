/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opens a compiled list file (format: listformat.h); what it says is listmatch.c's.
 *
 * The file keeps no names, only their SipHash-2-4, 64 bits, under a key drawn at each build. So answers are exact
 * but for chance: a name that no rule holds is taken for one with probability (suffixes x rules) / 2^64: with a million
 * rules and four labels 2.2e-13 for each name asked; at a thousand queries a second one wrong answer in 140 years. Two
 * names of one build share a hash with probability n^2 / 2^65: 3e-8 for a million rules, 3e-5 for LIST_RULES_MAX; then
 * the line that is reported may be the other's. Nobody can search for colliding names without the key, which is in
 * the file only (a sealed memfd; it must not be shown to clients), and each build draws another.
 *
 * listfile_open() reads everything once, so that look-ups need no checks: rows ascending and in the bucket of their
 * hash, never more of one hash than LISTFILE_SAME_MAX; every number that leads from one part to another within that
 * part; records whole, their terms sound, their chains ended. */
#include "filter/listfile_inner.h"

#include "filter/turn.h"

#include <sodium.h>

static_assert(crypto_shorthash_KEYBYTES == LISTFILE_KEY_BYTES, "SipHash key");
static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash result");

#define ALIGNED(n) (((n) + 7) & ~7ull)

struct listfile_layout listfile_layout(const struct listfile_header *h)
{
	struct listfile_layout at = { .index = sizeof(*h) };

	at.hashes = ALIGNED(at.index + 4 * ((1ull << h->index_bits) + 1));
	at.rows = at.hashes + 8ull * h->n_rows;
	at.sets = ALIGNED(at.rows + sizeof(struct listfile_row) * h->n_rows);
	at.more = at.sets + sizeof(struct listfile_set) * h->n_sets;
	at.records = ALIGNED(at.more + 4ull * h->n_more);
	at.filter = ALIGNED(at.records + h->records_len);
	/* Patterns: then all of these are there, maybe empty. */
	at.grams = at.filter;
	if (h->n_grams != 0 || h->n_always != 0)
		at.grams += sizeof(struct listfile_grams);
	at.gram_starts = ALIGNED(at.grams + 4ull * h->n_grams);
	at.gram_records = at.gram_starts;
	if (at.grams != at.filter)
		at.gram_records = ALIGNED(at.gram_starts + 4 * (h->n_grams + 1ull));
	at.always = ALIGNED(at.gram_records + 4ull * h->n_gram_records);
	at.names = ALIGNED(at.always + 4ull * h->n_always);
	at.end = at.names + h->names_len;
	return at;
}

uint64_t listfile_hash(const uint8_t key[LISTFILE_KEY_BYTES], const uint8_t *wire, size_t len)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, wire, len, key);
	return hash;
}

uint64_t listfile_hash_addr(const uint8_t key[LISTFILE_KEY_BYTES], enum list_kind kind, const struct ip_addr *addr,
			    uint8_t len)
{
	/* No label is 255 bytes long: so no name begins like this. */
	uint8_t buf[4 + sizeof(addr->bytes)] = { 0xff, (uint8_t)kind, addr->family, len };

	memcpy(buf + 4, addr->bytes, len / 8);
	if (len % 8 != 0)
		buf[4 + len / 8] = (uint8_t)(addr->bytes[len / 8] & 0xff00u >> len % 8);
	return listfile_hash(key, buf, sizeof(buf));
}

static int check_header(const struct listfile_header *h, size_t len, struct err *e)
{
	if (h->magic != LISTFILE_MAGIC)
		return err_set(e, -EBADMSG, "compiled lists: not such a file, or from another version");
	if (h->index_bits > LISTFILE_INDEX_BITS_MAX || h->n_rows > LIST_RULES_MAX || h->n_lists > LISTS_MAX ||
	    h->n_sets > LISTFILE_SETS_MAX || h->records_len > LIST_RECORDS_MAX_BYTES || h->records_len % 8 != 0 ||
	    h->n_regexes > REGEXES_MAX || h->n_always > LIST_ALWAYS_MAX)
		return err_set(e, -EBADMSG, "compiled lists: a count is over its limit");
	if (h->file_len != len || listfile_layout(h).end != len)
		return err_set(e, -EBADMSG, "compiled lists: the length is not that of the header");
	return 0;
}

/* Prefix lengths that there are, of four bytes no more than those. */
static int check_lens(const struct listfile_header *h, struct err *e)
{
	for (int i = 0; i < 2; i++)
		if (h->addr_lens[i][2] >> 34 != 0)
			return err_set(e, -EBADMSG, "compiled lists: a prefix longer than an address");
	return 0;
}

static int check_index(const struct listfile *f, struct err *e)
{
	const struct listfile_header *h = &f->header;
	uint64_t buckets = 1ull << h->index_bits;

	if (f->index[0] != 0 || f->index[buckets] != h->n_rows)
		return err_set(e, -EBADMSG, "compiled lists: the index does not hold all rows");
	for (uint64_t b = 0; b < buckets; b++) {
		turn_over(b, TURN_ROWS);
		if (f->index[b] > f->index[b + 1] || f->index[b + 1] > h->n_rows)
			return err_set(e, -EBADMSG, "compiled lists: index out of order");
		for (uint32_t i = f->index[b]; i < f->index[b + 1]; i++)
			if ((h->index_bits == 0 ? 0 : f->hashes[i] >> (64 - h->index_bits)) != b)
				return err_set(e, -EBADMSG, "compiled lists: row %u in the wrong bucket", i);
	}
	return 0;
}

static int check_sets(const struct listfile *f, struct err *e)
{
	for (uint32_t i = 0; i < f->header.n_sets; i++) {
		const struct listfile_set *s = &f->sets[i];

		if (s->lists == 0 || (f->header.n_lists < 64 && s->lists >> f->header.n_lists != 0) ||
		    (s->kind > LIST_ADDRESS && s->kind != LISTFILE_CHAIN) || s->action > LIST_ALLOW)
			return err_set(e, -EBADMSG, "compiled lists: set %u", i);
	}
	return 0;
}

static bool record_ok(const struct listfile *f, const struct listfile_record *r, size_t room, uint32_t *n_regexes)
{
	bool pattern = false;
	struct list_term t;

	if (r->len < sizeof(*r) || r->len % 8 != 0 || r->len > room || r->terms_len > r->len - sizeof(*r) ||
	    r->list >= f->header.n_lists || r->kind >= LIST_KIND_MAX || r->action >= LIST_ACTION_MAX ||
	    !list_terms_check(r->terms, r->terms_len))
		return false;
	if (r->kind == LIST_PATTERN)
		pattern = list_terms_find(r->terms, r->terms_len, TERM_PATTERN, &t);
	else if (r->kind == LIST_REGEX)
		pattern = list_terms_find(r->terms, r->terms_len, TERM_REGEX, &t);
	else
		return true;
	/* A pattern is a chain of its own, and its expression its own number. */
	return pattern && (r->flags & LISTFILE_LAST) != 0 && (r->kind != LIST_REGEX || r->regex == (*n_regexes)++);
}

/* Where records begin, a bit for each eighth. */
static int check_records(const struct listfile *f, uint64_t *begins, struct err *e)
{
	uint32_t n_regexes = 0, chain = 0;
	bool ended = true;

	for (uint32_t at = 0; at < f->header.records_len;) {
		const struct listfile_record *r = listfile_record(f, at / 8);

		if (f->header.records_len - at < sizeof(*r) || !record_ok(f, r, f->header.records_len - at, &n_regexes))
			return err_set(e, -EBADMSG, "compiled lists: record at %u", at);
		ended = (r->flags & LISTFILE_LAST) != 0;
		chain = ended ? 0 : chain + 1;
		if (chain >= LIST_CHAIN_MAX)
			return err_set(e, -EBADMSG, "compiled lists: chain of records too long");
		begins[at / 512] |= 1ull << (at / 8 % 64);
		at += r->len;
	}
	if (!ended || n_regexes != f->header.n_regexes)
		return err_set(e, -EBADMSG, "compiled lists: records");
	return 0;
}

static bool is_record(const struct listfile *f, const uint64_t *begins, uint32_t at)
{
	return at < f->header.records_len / 8 && (begins[at / 64] >> (at % 64) & 1) != 0;
}

static int check_rows(const struct listfile *f, const uint64_t *begins, struct err *e)
{
	const struct listfile_header *h = &f->header;
	uint32_t same = 0;

	for (uint32_t i = 0; i < h->n_rows; i++) {
		const struct listfile_set *s;
		bool ok = true;

		turn_over(i, TURN_ROWS);
		same = i > 0 && f->hashes[i - 1] == f->hashes[i] ? same + 1 : 0;
		if ((i > 0 && f->hashes[i - 1] > f->hashes[i]) || same >= LISTFILE_SAME_MAX)
			return err_set(e, -EBADMSG, "compiled lists: row %u out of order", i);
		if (f->rows[i].set >= h->n_sets)
			return err_set(e, -EBADMSG, "compiled lists: row %u of an unknown set", i);
		s = &f->sets[f->rows[i].set];
		if (s->kind == LISTFILE_CHAIN)
			ok = is_record(f, begins, f->rows[i].line);
		else if ((s->lists & (s->lists - 1)) != 0)
			ok = f->rows[i].line <= h->n_more &&
			     (uint32_t)__builtin_popcountll(s->lists) <= h->n_more - f->rows[i].line;
		if (!ok)
			return err_set(e, -EBADMSG, "compiled lists: row %u leads nowhere", i);
	}
	return 0;
}

static int check_grams(const struct listfile *f, const uint64_t *begins, struct err *e)
{
	const struct listfile_header *h = &f->header;
	bool ok = true;

	if (f->filter == NULL)
		return h->n_gram_records == 0 ? 0 : err_set(e, -EBADMSG, "compiled lists: patterns");
	ok = f->gram_starts[0] == 0 && f->gram_starts[h->n_grams] == h->n_gram_records;
	for (uint32_t i = 0; ok && i < h->n_grams; i++)
		ok = f->gram_starts[i] <= f->gram_starts[i + 1] && f->gram_starts[i + 1] <= h->n_gram_records &&
		     (i == 0 || f->grams[i - 1] < f->grams[i]);
	for (uint32_t i = 0; ok && i < h->n_gram_records; i++)
		ok = is_record(f, begins, f->gram_records[i]) &&
		     listfile_record(f, f->gram_records[i])->kind >= LIST_PATTERN;
	for (uint32_t i = 0; ok && i < h->n_always; i++)
		ok = is_record(f, begins, f->always[i]) && listfile_record(f, f->always[i])->kind >= LIST_PATTERN;
	return ok ? 0 : err_set(e, -EBADMSG, "compiled lists: patterns");
}

static int check_names(const struct listfile *f, struct err *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->header.names_len; i++)
		n += f->names[i] == '\0';
	if (n != f->header.n_lists || (n > 0 && f->names[f->header.names_len - 1] != '\0') ||
	    (n == 0 && f->header.names_len != 0))
		return err_set(e, -EBADMSG, "compiled lists: table of names");
	return 0;
}

static void parts_find(struct listfile *f, const uint8_t *base)
{
	struct listfile_layout at = listfile_layout(&f->header);

	f->index = (const uint32_t *)(const void *)(base + at.index);
	f->hashes = (const uint64_t *)(const void *)(base + at.hashes);
	f->rows = (const struct listfile_row *)(const void *)(base + at.rows);
	f->sets = (const struct listfile_set *)(const void *)(base + at.sets);
	f->more = (const uint32_t *)(const void *)(base + at.more);
	f->records = base + at.records;
	f->filter = at.grams != at.filter ? (const struct listfile_grams *)(const void *)(base + at.filter) : NULL;
	f->grams = (const uint32_t *)(const void *)(base + at.grams);
	f->gram_starts = (const uint32_t *)(const void *)(base + at.gram_starts);
	f->gram_records = (const uint32_t *)(const void *)(base + at.gram_records);
	f->always = (const uint32_t *)(const void *)(base + at.always);
	f->names = (const char *)base + at.names;
}

static int check_all(struct listfile *f, struct err *e)
{
	CLEANUP(freep) uint64_t *begins = calloc(f->header.records_len / 512 + 1, sizeof(*begins));
	int r;

	if (begins == NULL)
		return err_set(e, -ENOMEM, "compiled lists");
	r = check_lens(&f->header, e);
	if (r == 0)
		r = check_index(f, e);
	if (r == 0)
		r = check_sets(f, e);
	if (r == 0)
		r = check_records(f, begins, e);
	if (r == 0)
		r = check_rows(f, begins, e);
	if (r == 0)
		r = check_grams(f, begins, e);
	return r == 0 ? check_names(f, e) : r;
}

static void listfile_freep(struct listfile **f)
{
	*f = listfile_free(*f);
}

int listfile_open(const void *data, size_t len, struct listfile **ret, struct err *e)
{
	CLEANUP(listfile_freep) struct listfile *f = NULL;
	int r;

	if (len < sizeof(f->header) || (uintptr_t)data % _Alignof(uint64_t) != 0)
		return err_set(e, -EBADMSG, "compiled lists: shorter than a header, or not aligned");
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return err_set(e, -ENOMEM, "compiled lists");
	memcpy(&f->header, data, sizeof(f->header));
	r = check_header(&f->header, len, e);
	if (r < 0)
		return r;
	parts_find(f, data);
	r = check_all(f, e);
	if (r < 0)
		return r;
	if (f->header.n_regexes != 0) {
		f->regexes = regexes_new(f->header.n_regexes);
		if (f->regexes == NULL)
			return err_set(e, -ENOMEM, "compiled lists: regular expressions");
	}
	*ret = TAKE(f);
	return 0;
}

struct listfile *listfile_free(struct listfile *f)
{
	if (f != NULL)
		regexes_free(f->regexes);
	free(f);
	return NULL;
}

uint64_t listfile_rules(const struct listfile *f)
{
	return f->header.n_rules;
}

uint32_t listfile_lists(const struct listfile *f)
{
	return f->header.n_lists;
}

const char *listfile_name(const struct listfile *f, uint32_t list)
{
	const char *at = f->names;

	if (list >= f->header.n_lists)
		return "";
	while (list-- > 0)
		at += strlen(at) + 1;
	return at;
}

void listfile_each_set(const struct listfile *f, listfile_set_fn *fn, void *arg)
{
	CLEANUP(freep) uint64_t *counts = calloc(f->header.n_sets + 1u, sizeof(*counts));

	if (counts == NULL)
		return;
	for (uint32_t i = 0; i < f->header.n_rows; i++)
		counts[f->rows[i].set]++;
	for (uint32_t i = 0; i < f->header.n_sets; i++)
		if (counts[i] != 0 && f->sets[i].kind != LISTFILE_CHAIN)
			fn(arg, f->sets[i].lists, counts[i]);
	/* Each record is of one list. */
	for (uint32_t at = 0; at < f->header.records_len; at += listfile_record(f, at / 8)->len)
		fn(arg, 1ull << listfile_record(f, at / 8)->list, 1);
}
