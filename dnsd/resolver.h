/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is asked what we do not know: one route of a gateway at one worker. */
#pragma once

#include <pthread.h>

#include "base/err.h"
#include "dnsd/packet.h"
#include "filter/view.h"

struct event_base;
struct resolver;

/* Text by which resolvers are compared: equal texts mean the same resolver. @ret: returned, free(). */
int resolver_config(const struct route *route, char **ret, struct err *e);

/* @route, @config: the route and its resolver_config(), borrowed. @config_lock: see recursor.h. @base: kept. */
int resolver_new(struct event_base *base, const struct route *route, const char *config, pthread_mutex_t *config_lock,
		 struct resolver **ret, struct err *e);
/* Not from a callback, and not while resolver_busy(). NULL is fine; returns NULL. */
struct resolver *resolver_free(struct resolver *r);
bool resolver_same(const struct resolver *r, const char *config);
uint32_t resolver_busy(const struct resolver *r);
/* It keeps answers itself, beside our cache: to forget them it must be made anew. */
bool resolver_caches(const struct resolver *r);

enum resolver_security { RESOLVER_INSECURE = 0, RESOLVER_BOGUS, RESOLVER_SECURE };

/* An answer, or its absence: .msg NULL means SERVFAIL. All is borrowed during the call. A bogus answer has both: the
 * message for those who set CD, the reason for the others. */
struct resolver_answer {
	const uint8_t *msg;
	size_t len;
	enum resolver_security security;
	int ede;		 /* enum dns_ede, or EDE_NONE */
	const char *text;	 /* beside .ede; or NULL */
	struct ip_addr upstream; /* that gave it, where one is known to have */
	uint16_t upstream_port;
};

typedef void resolver_done_fn(void *arg, const struct resolver_answer *answer);

/* Resolve in class IN. @flags: DNS_CD; @dnssec_ok: with signatures, which may come without being asked for, too. @done
 * is called exactly once when this returns 0, possibly before it returns; never when it returns negative errno. */
int resolver_ask(struct resolver *r, const struct dname *name, uint16_t type, uint16_t flags, bool dnssec_ok,
		 resolver_done_fn *done, void *arg);

/* One upstream of a forwarder, as it is and since the resolver was made. */
struct upstream_status {
	struct ip_addr addr;
	uint16_t port;
	enum upstream_kind kind;
	bool down;
	uint32_t srtt_us;	     /* smoothed time of an answer; 0 = never measured */
	uint64_t sent, answered;     /* questions, and answers of whatever rcode */
	uint64_t timeouts, failures; /* no answer in time; network errors, and answers that were none (SERVFAIL) */
};

/* Returns how many there are; at most @max are written. 0: it resolves from the root (libunbound). */
uint32_t resolver_status(const struct resolver *r, struct upstream_status *ret, uint32_t max);
