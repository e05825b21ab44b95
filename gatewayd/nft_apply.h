/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A program into the kernel: whole (first start, take-over, repair) or as a difference, always as one batch, always
 * checked by a dry run before. Nothing of policy, no clock. Non-logging. */
#pragma once

#include "gatewayd/learned.h"
#include "gatewayd/nft_channel.h"
#include "sluice/prog.h"

struct nft_apply_result {
	bool replaced;	   /* its whole content was renewed; else changed by differences */
	uint32_t messages; /* sent; 0: both programs are equal, nothing was sent */
	uint32_t elems_added, elems_removed;
	uint32_t leases; /* put into learned sets with the time that they had left */
	size_t bytes;
};

/* Make the kernel's table equal to @to.
 *
 * @from: what is running, NULL = unknown: whatever is there is replaced in the same batch, so that packets meet either
 *        the old table or the new one. A difference that the kernel refuses because the table is not as we left it
 *        (-ENOENT, -EEXIST) is followed by a replacement (ret->replaced says so).
 * @keep: leases whose elements go into learned sets that are new to the kernel; NULL = none. Those of sets that stay
 *        are not touched.
 * 0; -EPERM another process owns the table; the kernel's error with the place in @e. On error nothing has changed, but
 * where nft_apply_unsure(). */
int nft_apply(struct nft_channel *ch, const struct nft_prog *from, const struct nft_prog *to,
	      const struct learned *keep, uint64_t now_us, struct nft_apply_result *ret, struct err *e);
/* Others have touched the table: put @to, which was there before, in its place at once, without a dry run. */
int nft_repair(struct nft_channel *ch, const struct nft_prog *to, const struct learned *keep, uint64_t now_us,
	       struct nft_apply_result *ret, struct err *e);
/* Was the kernel's answer lost, so that nobody knows whether the batch was committed? */
bool nft_apply_unsure(int code);
/* Only the dry run of the same. */
int nft_apply_check(struct nft_channel *ch, const struct nft_prog *from, const struct nft_prog *to, struct err *e);
/* Take the table away (netfilter mode off). 0 also when there is none. */
int nft_apply_remove(struct nft_channel *ch, struct err *e);

/* Is there a table of ours in the kernel? */
struct nft_table_state {
	bool present;
	bool foreign_owner; /* a living process that is not us owns it */
	uint32_t flags;	    /* NFT_TABLE_F_* */
	uint32_t owner_portid;
};
int nft_table_state_read(struct nft_channel *ch, struct nft_table_state *ret, struct err *e);
