/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The format of a compiled list file, shared by its writer (listbuild.c) and its reader (listfile.c), and the entry
 * points of the builder that only filter/ and the command line use.
 *
 * The file, in the machine's own byte order (it never leaves the machine that built it):
 *
 *   struct listfile_header
 *   uint32_t index[(1 << index_bits) + 1]   first entry of each bucket; bucket = top index_bits of the hash
 *   uint64_t hashes[n_entries]              SipHash-2-4 of the name in wire form; 8-aligned
 *   uint32_t lines[n_entries]
 *   uint8_t  kinds[n_entries]               list << 2 | LISTFILE_SUBTREE | LISTFILE_ALLOW
 *   char     names[names_len]               NUL-terminated, one for each list number below n_lists
 *
 * Strictly ascending by (hash, kind): at most 256 entries for one name. 13 bytes an entry and at most 1 for the index.
 */
#pragma once

#include "filter/listfile.h"

#define LISTFILE_MAGIC		0x31304c5f43554c53ull /* "SLUC_L01" in little-endian order: another order is not ours */
#define LISTFILE_KEY_BYTES	16u		      /* crypto_shorthash_KEYBYTES */
#define LISTFILE_INDEX_BITS_MAX 24u		      /* LIST_RULES_MAX in buckets of four */
#define LISTFILE_NAME_MAX	255u		      /* bytes of a list's name */

#define LISTFILE_SUBTREE    1u
#define LISTFILE_ALLOW	    2u
#define LISTFILE_LIST_SHIFT 2u

struct listfile_header {
	uint64_t magic;
	uint8_t key[LISTFILE_KEY_BYTES];
	uint32_t n_entries;
	uint32_t index_bits;
	uint32_t n_lists;
	uint32_t names_len;
	uint64_t file_len;
};

struct listfile_layout {
	uint64_t index, hashes, lines, kinds, names, end; /* byte offsets */
};

/* Cannot overflow for any 32-bit counts with index_bits <= LISTFILE_INDEX_BITS_MAX. */
struct listfile_layout listfile_layout(const struct listfile_header *h);
uint64_t listfile_hash(const uint8_t key[LISTFILE_KEY_BYTES], const uint8_t *wire, size_t len);

/* Called for every line read, applied or not, before its rules are added. */
typedef void (*list_line_fn)(void *arg, uint32_t list, uint32_t line, const struct list_line *l);
void list_builder_watch(struct list_builder *b, list_line_fn fn, void *arg);
/* What listfile_name() will say of list @list; optional. */
int list_builder_name(struct list_builder *b, uint32_t list, const char *name, struct err *e);
/* The list may redirect (struct list_parser). Before its text is added; not said = it may not. */
int list_builder_trust(struct list_builder *b, uint32_t list, struct err *e);
/* One rule, as if read from @line of @list. */
int list_builder_rule(struct list_builder *b, uint32_t list, uint32_t line, const struct list_rule *rule,
		      struct err *e);
/* The same bytes as list_builder_write(), in memory. @ret: returned, free(). */
int list_builder_image(struct list_builder *b, void **ret, size_t *ret_len, struct err *e);
void list_builder_freep(struct list_builder **b);
