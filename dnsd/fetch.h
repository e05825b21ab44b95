/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions under way at a resolver: equal ones are asked once, and their answer goes into the cache. */
#pragma once

#include "dnsd/cache.h"
#include "dnsd/reply.h"
#include "dnsd/resolver.h"
#include "dnsd/zone_load.h"

#define FETCHES_MAX 4096u /* of one worker, as many as its queries: each may be another question */

struct fetch;
struct fetches;

/* One who waits; lives in its owner, who must not free it while .fetch is set. */
struct fetch_wait {
	struct fetch_wait *prev, *next;
	struct fetch *fetch;
	bool joined; /* the question was under way already when this one came */
	/* When done(): who has answered, where that is known; else IP_NONE. */
	struct ip_addr upstream;
	uint16_t upstream_port;
};

/* The answer, or the failure; @w does not wait any more. @e is borrowed during the call and not in the cache yet. May
 * be called from inside a resolver: nothing may be asked of it here. */
typedef void fetch_done_fn(struct fetch_wait *w, struct cache_entry *e, void *arg);

/* @cache, @now_us: borrowed; *@now_us is the time of everything here, @tick(@arg) brings it up to date (NULL: somebody
 * else does) when a resolver calls back. NULL when out of memory. */
struct fetches *fetches_new(struct cache *cache, uint64_t *now_us, fetch_done_fn *done, void (*tick)(void *arg),
			    void *arg);
/* None may be under way. NULL is fine; returns NULL. */
struct fetches *fetches_free(struct fetches *f);

/* Ask @r, which key->resolver stands for (it also means the same @guard: records with private addresses are left out),
 * or wait for the answer to the same question. @w NULL: nobody waits, the answer is for the cache. 0: done() will be
 * called, or was already. Negative errno: it will not; -EAGAIN: too many are under way;
 * -EBUSY: too many for this zone. */
int fetch_ask(struct fetches *f, struct resolver *r, const struct cache_key *key, uint64_t hash, bool guard,
	      struct fetch_wait *w);
/* Wait no longer. The question stays under way for the cache. */
void fetch_leave(struct fetch_wait *w);

/* Since the start. */
struct fetch_counts {
	uint64_t asked, joined, failed, bogus;
	uint64_t zone_full; /* not asked: see zone_load.h */
	uint32_t under_way;
};

void fetch_counts(const struct fetches *f, struct fetch_counts *ret);
