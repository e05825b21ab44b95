/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer cache of one worker: whole answers in wire form, as clients get them but for what is the client's own. */
#pragma once

#include "dnsd/packet.h"
#include "sluice/addr.h"

#define CACHE_TTL_MAX_S		 86400u /* a day, as unbound: what is wrong must not stay for the week that RFC 2181 allows */
#define CACHE_NEGATIVE_TTL_MAX_S 3600u	/* RFC 2308 5 has one to three hours as sensible */
#define CACHE_STALE_MAX_S	 86400u /* RFC 8767 5: an answer that has expired may serve for one to three days */
#define CACHE_STALE_TTL_S	 30u	/* RFC 8767 4: of an answer that has expired */
/* RFC 9520 3.2: how long a failure is not tried again. One second at first, so that a name is back when its upstream
 * is; twice as long each time that it has failed again. */
#define CACHE_FAILURE_MIN_S 1u
#define CACHE_FAILURE_MAX_S 30u
#define CACHE_STALE_RETRY_S 30u /* RFC 8767 5: the same where an expired answer serves meanwhile */

/* What is asked of whom. Two questions with the same key have the same answer. */
struct cache_key {
	const struct dname *name;
	uint32_t resolver; /* number of the resolver, never used again */
	uint16_t type;
	bool dnssec_ok, checking_disabled;
};

/* One answer, or the failure to get one. Its message has everything but the client's own: id, RD, CD, AD, the case of
 * the question and the OPT record. Read by anyone; written by cache.c alone, but for the members that say so. */
struct cache_entry {
	struct cache_entry *chain, *prev, *next;
	uint64_t hash;
	uint64_t stored_us, expires_us; /* CLOCK_MONOTONIC */
	/* by the views of this generation: those (by number, below 64) that get the answer as it is; and, where .memo
	 * says so, lists that have anything at the name, and at what the answer leads to */
	uint64_t view_generation, plain_views, name_lists, answer_lists;
	uint64_t retry_us; /* fetch.c's: it failed, and is not asked for again before */
	uint32_t keep_s;   /* of a failure: so long it is not tried again */
	uint32_t aged_s;   /* seconds by which the TTLs in the message have been reduced */
	uint32_t resolver;
	uint32_t size; /* bytes, of this struct with all that is behind it */
	uint16_t type;
	uint16_t len; /* of the message */
	uint16_t n_ttls;
	int16_t ede; /* of a failure: enum dns_ede, or EDE_NONE */
	uint8_t name_len;
	uint8_t text_len; /* of a failure; of .rebind, the address */
	uint8_t key_flags;
	uint8_t uses; /* since it was last looked at for room */
	bool in_main, failure, secure, refreshing;
	bool memo;			   /* .name_lists and .answer_lists are known */
	bool rebind;			   /* there were addresses, and the guard left none */
	bool bogus;			   /* a failure to validate */
	_Alignas(uint16_t) uint8_t data[]; /* message, offsets of the TTLs (uint16_t), text */
};

struct cache;

/* @bytes: the most that entries and table take together. NULL when out of memory. */
struct cache *cache_new(size_t bytes);
struct cache *cache_free(struct cache *c); /* NULL is fine; returns NULL */

uint64_t cache_hash(const struct cache *c, const struct cache_key *key);
/* The processor is to bring what cache_find() will look at: first the slot, and some time after it the entry. */
void cache_prefetch_slot(const struct cache *c, uint64_t hash);
void cache_prefetch_entry(const struct cache *c, uint64_t hash);
/* Fresh, expired or a failure: the caller looks. NULL when there is none. Borrowed until the next cache_put() or
 * cache_flush(). */
struct cache_entry *cache_find(struct cache *c, const struct cache_key *key, uint64_t hash);
/* A client is given it: it has earned its room. */
void cache_use(struct cache_entry *e);

/* An entry, not yet in a cache. @msg: a whole answer without OPT, its question lower case. @ttl_s: what it lives. NULL
 * when out of memory. */
struct cache_entry *cache_entry_new(const struct cache_key *key, uint64_t hash, const uint8_t *msg, size_t len,
				    uint32_t ttl_s, uint64_t now_us);
/* The same of an answer whose addresses the guard has left out, as @addr. */
struct cache_entry *cache_rebind_new(const struct cache_key *key, uint64_t hash, const uint8_t *msg, size_t len,
				     const struct ip_addr *addr, uint32_t ttl_s, uint64_t now_us);
/* The same of a failure; @text may be NULL. It is not to be tried again for @keep_s. */
struct cache_entry *cache_failure_new(const struct cache_key *key, uint64_t hash, int ede, const char *text,
				      uint32_t keep_s, uint64_t now_us);
/* Take @e, in the place of one with the same key. It may be gone when this returns. */
void cache_put(struct cache *c, struct cache_entry *e);

/* Reduce the message's TTLs to what is left of them; of what has expired, to CACHE_STALE_TTL_S. */
void cache_entry_age(struct cache_entry *e, uint64_t now_us);
/* Of a failure or of .rebind, NUL-terminated; NULL when there is none. */
const char *cache_entry_text(const struct cache_entry *e);
/* Of its key. */
bool cache_entry_dnssec_ok(const struct cache_entry *e);
bool cache_entry_checking_disabled(const struct cache_entry *e);
static inline bool cache_entry_fresh(const struct cache_entry *e, uint64_t now_us)
{
	return now_us < e->expires_us;
}
/* It may be served, if need be although it has expired. */
bool cache_entry_usable(const struct cache_entry *e, uint64_t now_us);

/* The view of that number, of that generation, gets @e as it is: it was decided so before. */
static inline bool cache_entry_plain(const struct cache_entry *e, uint64_t generation, uint32_t view)
{
	return view < 64 && e->view_generation == generation && (e->plain_views >> view & 1) != 0;
}
/* What lists have to do with it is known, by the views of that generation. */
static inline bool cache_entry_has_memo(const struct cache_entry *e, uint64_t generation)
{
	return e->view_generation == generation && e->memo;
}
void cache_entry_set_memo(struct cache_entry *e, uint64_t generation, uint64_t name_lists, uint64_t answer_lists);
/* From now on it does. */
void cache_entry_set_plain(struct cache_entry *e, uint64_t generation, uint32_t view);

/* Forget @name, and what is below it too; NULL: all. Returns how many. */
uint32_t cache_flush(struct cache *c, const struct dname *name, bool below);

struct cache_size {
	uint32_t entries;
	uint64_t bytes, limit;
	uint64_t evicted; /* since the start, to make room */
};

void cache_size(const struct cache *c, struct cache_size *ret);
/* Each entry of that name. */
typedef void cache_each_fn(void *arg, const struct cache_entry *e);
void cache_each(const struct cache *c, const struct dname *name, cache_each_fn *each, void *arg);
