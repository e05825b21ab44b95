/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading the kernel's tables: is ours there, and what is in its learned sets. Used by nft_apply.c and nft_learn.c. */
#pragma once

#include "gatewayd/learned.h"
#include "gatewayd/nft_channel.h"
#include "sluice/prog.h"

/* Somebody else changes some table while we read: rare, and over soon. */
#define NFT_DUMP_TRIES 3

/* What a set holds of one element: the key, and how long it has to go. */
typedef int (*nft_elem_fn)(void *arg, const uint8_t *key, size_t len, uint64_t left_ms);
/* Elements of a set with timeouts. -ENOENT: no such set or table. An interrupted dump is repeated: @fn may be told of
 * an element twice. */
int nft_dump_elems(struct nft_channel *ch, const char *table, const char *set, nft_elem_fn fn, void *arg,
		   struct err *e);
/* How long the first one has to go; -ENOENT when there is none. */
int nft_dump_first_left(struct nft_channel *ch, const char *table, const char *set, uint64_t *ret_ms, struct err *e);

/* What a counter of our table has counted; its name is borrowed. Nonzero ends the reading. */
typedef int (*nft_counter_fn)(void *arg, const char *name, uint64_t packets, uint64_t bytes);
/* All of them, in no order. An interrupted dump is repeated: @fn may be told of a counter twice. */
int nft_dump_counters(struct nft_channel *ch, nft_counter_fn fn, void *arg, struct err *e);

/* Names and kinds of the chains, sets and objects of our table, whoever made them, without rules and elements; sorted
 * by nothing.
 * @ret: in @mem. 0, -ENOMEM, a negative errno. */
int nft_dump_table(struct nft_channel *ch, struct arena *mem, struct nft_prog *ret, struct err *e);
