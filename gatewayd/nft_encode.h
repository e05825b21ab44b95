/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of a program as nf_tables messages, into a batch. No socket, no kernel: bytes only. Errors stick in the batch.
 * Programs and leases are borrowed until the batch is freed. */
#pragma once

#include "gatewayd/learned.h"
#include "gatewayd/nft_batch.h"
#include "sluice/prog.h"

/* libnftnl 1.2.4's kernel headers do not have it; linux include/uapi/linux/netfilter/nf_tables.h, since 6.9. */
#define NFT_TABLE_PERSIST 0x4u

/* The payload of one message of elements: the length of a nest has 16 bits, and one element takes less than 300 bytes.
 */
#define NFT_ELEMS_BYTES_MAX 60000u

void nft_put_table(struct nft_batch *b, uint32_t flags);
/* Become the owner of a persistent table that has none. */
void nft_adopt_table(struct nft_batch *b);
void nft_del_table(struct nft_batch *b);
/* @id: distinct in the batch. */
void nft_put_set(struct nft_batch *b, const struct nft_set *set, uint32_t id);
void nft_del_set(struct nft_batch *b, const struct nft_set *set);
void nft_put_elems(struct nft_batch *b, const struct nft_set *set, const struct nft_elem *const *elems, uint32_t n);
void nft_del_elems(struct nft_batch *b, const struct nft_set *set, const struct nft_elem *const *elems, uint32_t n);
/* A counter or limit; one that is there already stays as it is, a counter with what it has counted. */
void nft_put_object(struct nft_batch *b, const struct nft_object *object);
void nft_del_object(struct nft_batch *b, const struct nft_object *object);
void nft_put_chain(struct nft_batch *b, const struct nft_chain *chain);
void nft_del_chain(struct nft_batch *b, const struct nft_chain *chain);
/* All rules out of it. */
void nft_flush_chain(struct nft_batch *b, const struct nft_chain *chain);
void nft_put_rules(struct nft_batch *b, const struct nft_chain *chain);

/* Leases into their sets (sorted by lease_ops_by_set()), to end when they end. @elem_update: see nft_channel.h. */
void nft_put_leases(struct nft_batch *b, const struct lease_op *ops, uint32_t n, uint64_t now_us, bool elem_update);
/* Out of their sets, whether they are still there or have ended. */
void nft_del_leases(struct nft_batch *b, const struct lease_op *ops, uint32_t n);
/* In the order in which they fill the fewest messages. */
void lease_ops_by_set(struct lease_ops *ops);
