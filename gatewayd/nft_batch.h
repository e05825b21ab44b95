/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A batch of nf_tables messages being built: bytes, and for each message (by sequence number) what it is about, so that
 * a refusal can be reported in the policy's terms. No socket. The first error sticks; nft_batch_finish() returns it. */
#pragma once

#include "base/err.h"
#include "sluice/prog.h"

struct nlmsghdr;
struct nft_batch;

/* Of a table with some hundreds of thousands of elements (about 100 bytes each); more is not a policy but an accident.
 */
#define NFT_BATCH_MAX_BYTES (256u << 20)

enum nft_subject {
	NFT_ABOUT_BATCH = 0,
	NFT_ABOUT_TABLE,
	NFT_ABOUT_SET,
	NFT_ABOUT_CHAIN,
	NFT_ABOUT_RULE,
	NFT_ABOUT_OBJECT,
	NFT_ABOUT_MAX
};

/* What a message is about. */
struct nft_about {
	enum nft_subject subject;
	const char *name; /* of the set or chain; copied */
	const char *pos;  /* policy position, or NULL; kept: the program outlives the batch */
};

/* @first_seq: of the batch's begin message. @genid: see nft_channel_batch(). @ret: returned, nft_batch_free(). */
int nft_batch_new(uint32_t first_seq, uint32_t genid, struct nft_batch **ret, struct err *e);
struct nft_batch *nft_batch_free(struct nft_batch *b);
void nft_batch_freep(struct nft_batch **b);

/* The table that messages are about, NFT_TABLE_NAME unless changed; borrowed, outlives the batch. */
void nft_batch_set_table(struct nft_batch *b, const char *table);
const char *nft_batch_table(const struct nft_batch *b);

/* Begin a message of type NFT_MSG_*; NULL when the batch has failed. Attributes may be added up to NFT_MSG_ROOM bytes.
 */
struct nlmsghdr *nft_batch_open(struct nft_batch *b, uint16_t type, uint16_t flags, struct nft_about about);
/* The message is complete. */
void nft_batch_close(struct nft_batch *b);
/* The next element of the open message; its position is remembered. */
void nft_batch_elem(struct nft_batch *b, const char *pos);
/* Room for one message: a nest of elements (64 KiB at most, as its length has 16 bits), header and names. */
#define NFT_MSG_ROOM (96u << 10)

void nft_batch_fail(struct nft_batch *b, int code);
uint32_t nft_batch_count(const struct nft_batch *b); /* messages, begin and end not counted */

/* Add the end; ask for one acknowledgement, of the last message (errors come unasked). 0 or the first error. */
int nft_batch_finish(struct nft_batch *b, struct err *e);
/* Finished: bytes to send; for a dry run the end message is left out. */
const void *nft_batch_bytes(const struct nft_batch *b, bool dry, size_t *ret_len);
uint32_t nft_batch_first_seq(const struct nft_batch *b);
uint32_t nft_batch_last_seq(const struct nft_batch *b); /* of the message that is acknowledged */
/* Where: "/grants/3: set c0_4", into @buf. @attr_offs: offset of the attribute at fault, 0 = unknown. Returns @buf. */
const char *nft_batch_place(const struct nft_batch *b, uint32_t seq, uint32_t attr_offs, char *buf, size_t len);
