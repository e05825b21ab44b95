/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads a compiled list file (format: listbuild.h). Called by verdict.c for every name; a look-up allocates nothing and
 * touches only the map.
 *
 * A name is looked up once for each of its suffixes: a rule for a name alone counts only where the suffix is the whole
 * name. The file keeps no names, only their SipHash-2-4, 64 bits, under a key drawn at each build. So answers are exact
 * but for chance: a name that no rule holds is taken for one with probability (suffixes x rules) / 2^64: with a million
 * rules and four labels 2.2e-13 for each name asked; at a thousand queries a second one wrong answer in 140 years. Two
 * rules of one build share a hash with probability n^2 / 2^65: 3e-8 for a million rules, 1.2e-4 for LIST_RULES_MAX;
 * then the line that is reported may be the other's. Nobody can search for colliding names without the key, which is in
 * the file only (a sealed memfd; it must not be shown to clients), and each build draws another.
 *
 * listfile_open() reads everything once, so that look-ups need no checks: index ascending and within bounds, every
 * entry in the bucket of its hash, entries strictly ascending by (hash, kind), so at most 256 of them for one name. */
#include "filter/listbuild.h"

#include <sodium.h>

static_assert(crypto_shorthash_KEYBYTES == LISTFILE_KEY_BYTES, "SipHash key");
static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash result");

struct listfile {
	struct listfile_header header;
	const uint32_t *index;
	const uint64_t *hashes;
	const uint32_t *lines;
	const uint8_t *kinds;
	const char *names;
};

struct listfile_layout listfile_layout(const struct listfile_header *h)
{
	struct listfile_layout at = { .index = sizeof(*h) };

	at.hashes = (at.index + 4 * ((1ull << h->index_bits) + 1) + 7) & ~7ull;
	at.lines = at.hashes + 8ull * h->n_entries;
	at.kinds = at.lines + 4ull * h->n_entries;
	at.names = at.kinds + h->n_entries;
	at.end = at.names + h->names_len;
	return at;
}

uint64_t listfile_hash(const uint8_t key[LISTFILE_KEY_BYTES], const uint8_t *wire, size_t len)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, wire, len, key);
	return hash;
}

static uint64_t bucket_of(const struct listfile *f, uint64_t hash)
{
	return f->header.index_bits == 0 ? 0 : hash >> (64 - f->header.index_bits);
}

static int check_header(const struct listfile_header *h, size_t len, struct err *e)
{
	if (h->magic != LISTFILE_MAGIC)
		return err_set(e, -EBADMSG, "compiled lists: not such a file, or from another version");
	if (h->index_bits > LISTFILE_INDEX_BITS_MAX || h->n_entries > LIST_RULES_MAX || h->n_lists > LISTS_MAX)
		return err_set(e, -EBADMSG, "compiled lists: a count is over its limit");
	if (h->file_len != len || listfile_layout(h).end != len)
		return err_set(e, -EBADMSG, "compiled lists: the length is not that of the header");
	return 0;
}

static int check_entries(const struct listfile *f, struct err *e)
{
	const struct listfile_header *h = &f->header;
	uint64_t buckets = 1ull << h->index_bits;

	if (f->index[0] != 0 || f->index[buckets] != h->n_entries)
		return err_set(e, -EBADMSG, "compiled lists: the index does not hold all entries");
	for (uint64_t b = 0; b < buckets; b++) {
		if (f->index[b] > f->index[b + 1] || f->index[b + 1] > h->n_entries)
			return err_set(e, -EBADMSG, "compiled lists: index out of order");
		for (uint32_t i = f->index[b]; i < f->index[b + 1]; i++)
			if (bucket_of(f, f->hashes[i]) != b)
				return err_set(e, -EBADMSG, "compiled lists: entry %u in the wrong bucket", i);
	}
	for (uint32_t i = 0; i < h->n_entries; i++) {
		if (f->kinds[i] >> LISTFILE_LIST_SHIFT >= h->n_lists)
			return err_set(e, -EBADMSG, "compiled lists: entry %u of an unknown list", i);
		if (i > 0 && (f->hashes[i - 1] > f->hashes[i] ||
			      (f->hashes[i - 1] == f->hashes[i] && f->kinds[i - 1] >= f->kinds[i])))
			return err_set(e, -EBADMSG, "compiled lists: entry %u out of order", i);
	}
	return 0;
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

static void listfile_freep(struct listfile **f)
{
	*f = listfile_free(*f);
}

int listfile_open(const void *data, size_t len, struct listfile **ret, struct err *e)
{
	CLEANUP(listfile_freep) struct listfile *f = NULL;
	const uint8_t *base = data;
	struct listfile_layout at;
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
	at = listfile_layout(&f->header);
	f->index = (const uint32_t *)(const void *)(base + at.index);
	f->hashes = (const uint64_t *)(const void *)(base + at.hashes);
	f->lines = (const uint32_t *)(const void *)(base + at.lines);
	f->kinds = base + at.kinds;
	f->names = (const char *)base + at.names;
	r = check_entries(f, e);
	if (r == 0)
		r = check_names(f, e);
	if (r < 0)
		return r;
	*ret = TAKE(f);
	return 0;
}

struct listfile *listfile_free(struct listfile *f)
{
	free(f);
	return NULL;
}

uint64_t listfile_rules(const struct listfile *f)
{
	return f->header.n_entries;
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

/* First entry with that hash or a greater one, in the hash's bucket. */
static uint32_t first_entry(const struct listfile *f, uint64_t hash, uint32_t *ret_end)
{
	uint64_t bucket = bucket_of(f, hash);
	uint32_t lo = f->index[bucket], hi = f->index[bucket + 1];

	*ret_end = hi;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (f->hashes[mid] < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The best rule of one kind so far. */
struct candidate {
	bool found;
	uint32_t entry;
	uint8_t skip; /* labels of the name asked for that are before the rule's name */
};

/* Fewer labels skipped come first, so what is there already wins unless it is of the same name: then the lower list,
 * then the lower line. */
static void offer(const struct listfile *f, struct candidate *best, uint32_t entry, uint8_t skip)
{
	uint32_t list = f->kinds[entry] >> LISTFILE_LIST_SHIFT;

	if (best->found) {
		uint32_t best_list = f->kinds[best->entry] >> LISTFILE_LIST_SHIFT;

		unsigned best_kind = f->kinds[best->entry] & LISTFILE_SUBTREE,
			 kind = f->kinds[entry] & LISTFILE_SUBTREE;

		if (best->skip != skip || best_kind < kind)
			return;
		if (best_kind == kind && best_list < list)
			return;
		if (best_kind == kind && best_list == list && f->lines[best->entry] <= f->lines[entry])
			return;
	}
	*best = (struct candidate){ .found = true, .entry = entry, .skip = skip };
}

bool listfile_match(const struct listfile *f, uint64_t mask, const struct list_ask *ask, struct list_match *ret)
{
	struct candidate block = { 0 }, allow = { 0 };
	const struct candidate *best;
	const struct dname *name = ask->name;
	const uint8_t *wire;

	ret->found = ret->personal = false;
	ret->touched = 0;
	ret->n_rewrites = 0;
	for (uint8_t skip = 0; mask != 0 && ask->addr == NULL && skip < name->labels && !allow.found; skip++) {
		uint8_t len;
		uint32_t end;
		uint64_t hash;

		wire = dname_suffix(name, skip, &len);
		hash = listfile_hash(f->header.key, wire, len);
		for (uint32_t i = first_entry(f, hash, &end); i < end && f->hashes[i] == hash; i++) {
			unsigned kind = f->kinds[i];

			ret->touched |= 1ull << (kind >> LISTFILE_LIST_SHIFT);
			if ((mask >> (kind >> LISTFILE_LIST_SHIFT) & 1) != 0 &&
			    (skip == 0 || (kind & LISTFILE_SUBTREE) != 0))
				offer(f, (kind & LISTFILE_ALLOW) != 0 ? &allow : &block, i, skip);
		}
	}
	best = allow.found ? &allow : &block;
	if (!best->found)
		return false;
	ret->found = true;
	ret->hit = (struct list_hit){ .list = f->kinds[best->entry] >> LISTFILE_LIST_SHIFT,
				      .line = f->lines[best->entry],
				      .rule = { .kind = (f->kinds[best->entry] & LISTFILE_SUBTREE) != 0 ? LIST_SUBTREE
													: LIST_NAME,
						.action = allow.found ? LIST_ALLOW : LIST_BLOCK } };
	ret->hit.rule.name.labels = (uint8_t)(name->labels - best->skip);
	wire = dname_suffix(name, best->skip, &ret->hit.rule.name.len);
	memcpy(ret->hit.rule.name.wire, wire, ret->hit.rule.name.len);
	return true;
}

bool listfile_match_name(const struct listfile *f, uint64_t mask, const struct dname *name, struct list_match *ret)
{
	return listfile_match(f, mask, &(struct list_ask){ .name = name }, ret);
}

struct list_scratch {
	uint64_t unused;
};

struct list_scratch *list_scratch_new(void)
{
	return calloc(1, sizeof(struct list_scratch));
}

struct list_scratch *list_scratch_free(struct list_scratch *s)
{
	free(s);
	return NULL;
}
