/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer barrier: an answer is held until its addresses are in the kernel. */
#pragma once

#include "base/err.h"
#include "sluice/msg.h"

/* gatewayd answers in well under a millisecond, but for the moment after a reload, when it looks at all live flows: 2
 * to 4 us each, and each question over UDP is one for half a minute. A client would rather wait than be told SERVFAIL;
 * what takes a second is broken, and it should hear so before it gives up (stubs wait 5 s, but browsers race). */
#define LEARN_DEADLINE_US 1000000u
/* Messages that may wait for the channel before the worker stops reading queries, and may wait when it starts again. */
#define LEARN_QUEUE_HIGH 256u
#define LEARN_QUEUE_LOW	 32u
/* Rules that one answer may be learned for: the name's, and the set of what the device was given. Sixteen messages and
 * one; a name with more is refused, since part of what a policy grants would look like a fault of the network. */
#define LEARN_RULES_ALL_MAX (16u * LEARN_RULES_MAX + 1u)

struct learn;

/* One held answer; lives in its owner, who must not free it while .held. */
struct learn_held {
	struct learn_held *prev, *next;
	uint64_t req_id; /* of its first message */
	uint64_t generation;
	uint64_t deadline_us;
	uint32_t n_ids;	 /* LEARN_ADDs sent or queued for it */
	uint32_t acks;	 /* bit n: the ACK of req_id + n is still to come */
	uint32_t unsent; /* messages in the queue that must be on their way first */
	bool held;
};

/* What is learned of one answer. All borrowed. */
struct learn_what {
	uint64_t generation;
	uint32_t ttl_s;
	const struct ip_addr *client;
	const uint32_t *rules; /* marks; at most LEARN_RULES_ALL_MAX */
	uint32_t n_rules;
	const struct ip_addr *addrs; /* at most LEARN_ADDRS_MAX, at least one */
	uint32_t n_addrs;
	const char *seen_name; /* record the name as seen (NAME_SEEN), or NULL */
	uint64_t seen_at_us;   /* CLOCK_REALTIME */
};

/* The answer may leave (@status 0), or must not: negative errno of LEARN_ACK, or -ETIMEDOUT. @h is not held any more.
 */
typedef void learn_done_fn(struct learn_held *h, int status, void *arg);

/* @fd: the channel, taken with learn_free(). */
struct learn *learn_new(int fd, learn_done_fn *done, void *arg);
struct learn *learn_free(struct learn *l); /* held answers are forgotten, not called */

/* Returns 0: nothing to wait for; 1: @h is held and done() will be called, never from inside; negative errno: refuse.
 */
int learn_add(struct learn *l, struct learn_held *h, const struct learn_what *w, uint64_t now_us);
/* Read what is there. 0, or negative errno: the channel is of no more use. */
int learn_read(struct learn *l, struct err *e);
/* Send what waits. 0 (check learn_waiting()), or negative errno: the channel is of no more use. */
int learn_flush(struct learn *l, struct err *e);
/* Call done() with -ETIMEDOUT for those whose time has come. */
void learn_expire(struct learn *l, uint64_t now_us);

/* Of the first to expire; UINT64_MAX when nothing is held. */
uint64_t learn_deadline_us(const struct learn *l);
/* Messages that wait for the channel. */
uint32_t learn_waiting(const struct learn *l);
/* The lowest generation of a held answer; UINT64_MAX when nothing is held. */
uint64_t learn_generation(const struct learn *l);
