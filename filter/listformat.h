/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The format of a compiled list file, shared by its writer (listwrite.c) and its readers (listfile.c, listmatch.c).
 *
 * In the machine's own byte order (it never leaves the machine that built it); each part begins 8-aligned:
 *
 *   struct listfile_header
 *   uint32_t index[(1 << index_bits) + 1]   first row of each bucket; bucket = top index_bits of the hash
 *   uint64_t hashes[n_rows]                 ascending
 *   struct listfile_row rows[n_rows]        what is looked at when the hash is found: side by side, one fetch
 *   struct listfile_set sets[n_sets]
 *   uint32_t more[n_more]                   lines of a row that several lists have, in the order of the lists
 *   uint8_t records[records_len]            struct listfile_record and its terms, one behind the other
 *   struct listfile_grams                   see listgram.h; absent when there are no patterns
 *   uint32_t grams[n_grams]                 ascending
 *   uint32_t gram_starts[n_grams + 1]       in gram_records
 *   uint32_t gram_records[n_gram_records]   records of patterns, in eighths
 *   uint32_t always[n_always]               those that no gram stands for
 *   char names[names_len]                   NUL-terminated, one for each list number below n_lists
 *
 * A row is what several lists say of one name (or address) in the same way: 14 bytes and at most one of index, 4 more
 * for each list beyond the first. A rule that says more than block or allow is a record; those of one name are a chain.
 */
#pragma once

#include "filter/listgram.h"
#include "filter/listrule.h"

#define LISTFILE_MAGIC		0x32304c5f43554c53ull /* "SLUC_L02" in little-endian order: another order is not ours */
#define LISTFILE_KEY_BYTES	16u		      /* crypto_shorthash_KEYBYTES */
#define LISTFILE_INDEX_BITS_MAX 24u		      /* LIST_RULES_MAX in buckets of four */
#define LISTFILE_NAME_MAX	255u		      /* bytes of a list's name */
#define LISTFILE_SETS_MAX	65536u		      /* that a row's number can tell apart */
/* Rows of one hash: seven ways to say it, of 64 lists each when there is no set left for several of them. */
#define LISTFILE_SAME_MAX (64u * (LIST_KIND_MAX * 2u + 1u))

struct listfile_header {
	uint64_t magic;
	uint8_t key[LISTFILE_KEY_BYTES];
	uint64_t file_len;
	uint64_t n_rules; /* rows and records, each list's own */
	uint64_t depths;  /* bit n: there is a row for a name of n labels; the last stands for all that are longer */
	uint64_t addr_lens[2][3]; /* bits: prefix lengths there are rows for: of answers, of clients; v6 below, v4 in
				     [2] */
	uint32_t n_rows, index_bits, n_sets, n_more, n_lists, names_len;
	uint32_t records_len, n_regexes;
	uint32_t n_grams, n_gram_records, n_always;
	uint32_t patterns_decide; /* 0: they all only block, without modifiers; then any name's rule stands before them
				   */
};

/* .line by the set: the line; where several lines begin in more[]; the chain's first record, in eighths of a byte from
 * the records' begin. */
struct listfile_row {
	uint32_t line;
	uint16_t set;
} __attribute__((packed));

/* Which lists say what. */
struct listfile_set {
	uint64_t lists;
	uint8_t kind;	/* enum list_kind, up to LIST_ADDRESS; LISTFILE_CHAIN: see the records */
	uint8_t action; /* LIST_BLOCK or LIST_ALLOW */
	uint8_t unused[6];
};

#define LISTFILE_CHAIN 0xffu

#define LISTFILE_IMPORTANT 1u
#define LISTFILE_LAST	   2u /* of its chain */

struct listfile_record {
	uint64_t bad; /* lists that take it away ($badfilter) from views which have both */
	uint32_t len; /* with terms, a multiple of eight */
	uint32_t line;
	uint32_t regex; /* number of its regular expression, in the order of the records; 0 where there is none */
	uint16_t terms_len;
	uint8_t list, kind, action, flags, modifiers;
	uint8_t unused[5];
	uint8_t terms[];
};

static_assert(sizeof(struct listfile_record) == 32, "terms begin 8-aligned");

/* Byte offsets. */
struct listfile_layout {
	uint64_t index, hashes, rows, sets, more, records, filter, grams, gram_starts, gram_records, always;
	uint64_t names, end;
};

/* Cannot overflow for any 32-bit counts with index_bits <= LISTFILE_INDEX_BITS_MAX. */
struct listfile_layout listfile_layout(const struct listfile_header *h);
/* SipHash-2-4 of a name in wire form. */
uint64_t listfile_hash(const uint8_t key[LISTFILE_KEY_BYTES], const uint8_t *wire, size_t len);
/* Of a prefix, for answers (LIST_ADDRESS) or clients: never of the same input as a name. Bits behind @len are cleared.
 */
uint64_t listfile_hash_addr(const uint8_t key[LISTFILE_KEY_BYTES], enum list_kind kind, const struct ip_addr *addr,
			    uint8_t len);

#define LISTFILE_DEPTH_MAX 63u

static inline uint64_t listfile_depth_bit(uint8_t labels)
{
	return 1ull << (labels < LISTFILE_DEPTH_MAX ? labels : LISTFILE_DEPTH_MAX);
}
