/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lease table: which client was given which address for which rule, and until when. What the kernel's learned sets
 * hold, as far as gatewayd knows. Pure: no socket, no clock; times are CLOCK_BOOTTIME microseconds of the caller. */
#pragma once

#include "base/err.h"
#include "sluice/plan.h"

/* Added to an answer's TTL: clients connect a little later than they ask, and stub resolvers keep an answer to its last
 * second. A minute is what browsers keep names whatever their TTL is. */
#define LEASE_GRACE_S 60u
/* Answers with TTL 0 or a few seconds would otherwise be asked and learned again for every connection. */
#define LEASE_TTL_MIN_S 30u
/* A day: longer promises keep an address open that may belong to somebody else by then. */
#define LEASE_TTL_MAX_S 86400u
/* A busy browser holds some hundreds; ten times that, so that one device cannot fill the kernel's memory. */
#define LEASES_PER_CLIENT_MAX 4096u
/* A lease that ends this little before the wanted time is left as it is (the grace covers it): a client that asks again
 * and again for an answer with a short TTL costs one write in ten seconds. */
#define LEASE_SLACK_S 10u
/* Leases are looked through this often; one that ends before the look after the next is renewed when a flow uses it. */
#define LEASE_RENEW_EVERY_S  20u
#define LEASE_RENEW_BEFORE_S 45u
/* What a renewal gives: enough looks to miss one. */
#define LEASE_RENEW_S 120u

struct lease {
	struct ip_addr addr;
	uint32_t mark; /* rule, or LEARN_SEEN */
	uint64_t expires_us;
};

struct learned;

int learned_new(struct learned **ret, struct err *e); /* @ret: returned, free with learned_free() */
struct learned *learned_free(struct learned *l);      /* NULL is fine; returns NULL */
void learned_freep(struct learned **l);

/* One LEARN_ADD. Arrays are borrowed during the call. */
struct learn_req {
	struct ip_addr client;
	uint64_t generation;   /* of the views that it was decided by */
	uint32_t ttl_s;	       /* of the answer */
	const uint32_t *rules; /* marks, or LEARN_SEEN */
	uint32_t n_rules;
	const struct ip_addr *addrs;
	uint32_t n_addrs;
	int status; /* out: 0, -ESTALE, -ENOSPC, -EIO, -ENOMEM */
};

/* A lease to be written to the kernel, or taken out of it. */
struct lease_op {
	struct ip_addr client;
	struct lease lease;
};

struct lease_ops {
	struct lease_op *ops;
	uint32_t n, room;
};
void lease_ops_done(struct lease_ops *ops);
/* One more. 0, -ENOMEM. */
int lease_ops_add(struct lease_ops *ops, const struct ip_addr *client, const struct lease *lease);
/* Sort by client, address, mark; of several for the same element the one that ends last stays. */
void lease_ops_unique(struct lease_ops *ops);

/* What the kernel must be told for these requests: new leases and those with less time than is wanted, each once, with
 * the longest time of all who ask. The client stands for its device: an IPv6 address that was asked for over IPv4 is
 * leased to the device's IPv6 addresses. Addresses of devices that are not active are passed over. A request that the
 * plan does not back (its client is no active device, or the rule is not its class's) gets status -ESTALE; one that
 * would go over LEASES_PER_CLIENT_MAX gets -ENOSPC and adds nothing.
 * @ret: returned, empty it with lease_ops_done(). 0, -ENOMEM. The table does not change. */
int learned_prepare(const struct learned *l, const struct plan *p, struct learn_req *reqs, uint32_t n_reqs,
		    uint64_t now_us, struct lease_ops *ret, struct err *e);
/* The kernel has acknowledged them. 0, -ENOMEM (then the kernel knows more than the table: harmless, they end there).
 */
int learned_commit(struct learned *l, const struct lease_ops *ops, struct err *e);

/* Put in one lease as it is (take-over, tests). 0, -ENOSPC, -ENOMEM. */
int learned_put(struct learned *l, const struct ip_addr *client, const struct lease *lease, struct err *e);
/* Does the plan back a lease of this client for this rule? @addr: what is leased, NULL = any: an address of a device
 * that is not active is reached by nobody, whatever name leads to it. */
bool learned_backed(const struct plan *p, const struct ip_addr *client, uint32_t mark, const struct ip_addr *addr);
/* Forget those that have ended (the kernel has, too). Returns how many. */
uint32_t learned_expire(struct learned *l, uint64_t now_us);
/* Take out those that @p does not back, and those that a deny on names takes back that is new since @old (or NULL; see
 * name_denies.h). @ret: for the kernel; returned, empty it with lease_ops_done(). */
int learned_prune(struct learned *l, const struct plan *p, const struct plan *old, struct lease_ops *ret,
		  struct err *e);
/* Those of @reqs that older views than @generation have decided, and that such a deny takes back, become requests for
 * nothing, which learned_prepare() refuses. */
void learned_refuse_denied(const struct plan *p, const struct plan *old, uint64_t generation, struct learn_req *reqs,
			   uint32_t n_reqs);
/* How many end within @within_s. */
uint32_t learned_ending(const struct learned *l, uint64_t now_us, uint32_t within_s);
/* A living flow of @client to @addr with rule mark @mark: its lease and that of LEARN_SEEN, if they end within
 * LEASE_RENEW_BEFORE_S, are added to @ops once, for LEASE_RENEW_S. 0, -ENOMEM. */
int learned_renew(const struct learned *l, const struct ip_addr *client, const struct ip_addr *addr, uint32_t mark,
		  uint64_t now_us, struct lease_ops *ops, struct err *e);

/* Leases of @client (the device's address of the same family) for @addr, borrowed until the table changes; *ret_n is
 * their number. Ended ones may be among them: look at .expires_us. NULL when there is none. */
const struct lease *learned_find(const struct learned *l, const struct ip_addr *client, const struct ip_addr *addr,
				 uint32_t *ret_n);
/* Is there one for this rule that has not ended? */
bool learned_has(const struct learned *l, const struct ip_addr *client, const struct ip_addr *addr, uint32_t mark,
		 uint64_t now_us);
/* Every lease, by client, address, mark. Nonzero from @fn ends it and is returned. */
int learned_each(const struct learned *l, int (*fn)(void *arg, const struct ip_addr *client, const struct lease *lease),
		 void *arg);
uint32_t learned_count(const struct learned *l);
