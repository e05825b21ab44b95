/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leases into and out of the kernel's learned sets; the lease table follows what the kernel has acknowledged.
 * All times are CLOCK_BOOTTIME microseconds of the caller. Non-logging.
 *
 * @ch NULL: there is no table (netfilter mode off); the lease table alone is kept, for when there is one again. */
#pragma once

#include "gatewayd/conntrack.h"
#include "gatewayd/learned.h"
#include "gatewayd/nft_channel.h"

/* The answer barrier's half in gatewayd: all requests of one wake, merged into one batch. Sets .status of each
 * (msg_learn_ack.status): 0 the kernel has acknowledged all its addresses. Requests that need nothing new cost nothing.
 * When a batch of several is refused, each is tried alone. Returns 0, or the error of the last refused one, for the
 * log. */
int nft_learn(struct nft_channel *ch, struct learned *l, const struct plan *p, struct learn_req *reqs, uint32_t n_reqs,
	      uint64_t now_us, struct err *e);

/* After a change of plan was applied: drop the leases that learned_prune() takes out, in the kernel too. When that
 * fails they are kept, for the next call. */
int nft_learn_prune(struct nft_channel *ch, struct learned *l, const struct plan *p, const struct plan *old,
		    uint32_t *ret_dropped, struct err *e);

/* Renew the leases that end within LEASE_RENEW_BEFORE_S and have a living flow. Reads conntrack only when there are
 * such. Call each LEASE_RENEW_EVERY_S, together with learned_expire(). */
int nft_learn_renew(struct nft_channel *ch, struct conntrack *ct, struct learned *l, uint64_t now_us,
		    uint32_t *ret_renewed, struct err *e);

/* At take-over, before nft_apply(from = NULL): read what the table that was left has in its learned sets, as far as @p
 * backs it. No table: 0, nothing read. Interrupted dumps are repeated NFT_DUMP_TRIES times. */
int nft_learn_dump(struct nft_channel *ch, const struct plan *p, uint64_t now_us, struct learned *into, struct err *e);
