/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of a million addresses, in bounded memory. While anybody listens to changes of tables (nft monitor, or our own
 * monitor of a table that is not owned) the kernel keeps 8 KiB for each element of a batch until its commit
 * (nf_tables_setelem_notify()): a million in one batch would be 8 GiB. So a large set that is new is made and filled in
 * several batches, before the one that makes rules use it; until then no packet sees it. One that changes by much is
 * made anew beside the old one, under its other name. Non-logging. */
#pragma once

#include "gatewayd/nft_channel.h"
#include "gatewayd/nft_diff.h"

/* Elements of one batch: 256 MiB of the kernel's where it is listened to, and each commit costs the kernel the whole
 * set again (92 ms at a million). */
#define NFT_CHUNK_ELEMS 32768u

/* Sets that were filled ahead. */
#define NFT_FILLED_MAX                                                                                                 \
	16u /* there are two of each kind that addresses are in: to, tonet, wide, widenet, from, user                  \
	     */
struct nft_filled {
	const struct nft_set *sets[NFT_FILLED_MAX];
	uint32_t n, n_elems;
};

/* Give the sets of @to names by which they can be filled: the one that a set has in @from where it changes by a chunk
 * at most, else one that is neither there nor in @found (the kernel's table, by name). @from, @found: or NULL. 0,
 * -ENOMEM. */
int nft_fill_names(struct nft_prog *to, const struct nft_prog *from, const struct nft_prog *found, uint32_t chunk);
/* Is there a set in it that would be filled ahead? */
bool nft_fill_needed(const struct nft_prog *p, uint32_t chunk);

/* Make and fill those of the large sets that @d has to make and that are not in @found (or NULL), each in batches of
 * @chunk elements, and take them out of @d. @table_flags: the table is made first with these, -1: it is there. On error
 * nothing of it is left. 0; the kernel's error. */
int nft_fill(struct nft_channel *ch, struct nft_diff *d, const struct nft_prog *found, int64_t table_flags,
	     uint32_t chunk, struct nft_filled *ret, struct err *e);
/* What they were for has failed. */
void nft_fill_undo(struct nft_channel *ch, const struct nft_filled *filled, bool table);
