/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gatewayd's half of the answer barrier: the learn channels of dnsd's workers. What all of them ask for in one wake
 * becomes one batch; the acknowledgements go out when the kernel has acknowledged. */
#pragma once

#include "base/ipc.h"
#include "gatewayd/learned.h"

struct event_base;
struct barrier;

#define BARRIER_WORKERS_MAX 64u
/* Requests in one batch. More wait for the next wake, so that the first of a flood is not answered after the last. */
#define BARRIER_BATCH_MAX 256u

struct barrier_ops {
	/* Put them into the kernel, set .status of each. */
	void (*learn)(void *arg, struct learn_req *reqs, uint32_t n);
	/* A NAME_SEEN to be handed on as it is. */
	void (*seen)(void *arg, const void *body, size_t len);
	/* A channel carries what dnsd would never send: it must be replaced. Also when dnsd has closed one. */
	void (*broken)(void *arg, const char *why);
};

struct learn_slot {
	uint64_t req_id;
	struct learn_req req; /* points into the two below */
	uint32_t rules[LEARN_RULES_MAX];
	struct ip_addr addrs[LEARN_ADDRS_MAX];
	uint32_t channel;
};

/* Pure. 0 or -EBADMSG. */
int barrier_parse(const void *body, size_t len, struct learn_slot *ret);
/* Is this a NAME_SEEN that the recorder takes? To it a malformed one is the end, and dnsd may not end it. 0, -EBADMSG.
 */
int barrier_seen_check(const void *body, size_t len);

int barrier_new(struct event_base *base, const struct barrier_ops *ops, void *arg, struct barrier **ret, struct err *e);
struct barrier *barrier_free(struct barrier *b);
/* Fresh channels for a fresh dnsd: @ret_fds are the ends to hand over, the caller's to close. */
int barrier_open(struct barrier *b, uint32_t workers, int *ret_fds, struct err *e);
void barrier_close(struct barrier *b);
