/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rate limits, without an allocation a question. Called by query.c.
 *
 * A bucket is one number: the time at which it would be empty of what it has let through (GCRA, ITU-T I.371). It is
 * full when that lies a burst ahead; idle buckets need no care, as their time is past.
 *
 * Registered clients have their number, and a bucket each in an array. Anybody else, and there may be 2^128 of them, is
 * in a table of fixed size: a keyed hash (SipHash) chooses a set of four, the whole 64-bit hash is the name, and a
 * stranger that finds no room takes the place of the least busy. So who sends much stays limited, whatever the number
 * of others, and a forger of sources cannot know whose place he takes. Being pushed out means a whole burst again: it
 * errs to the lenient side, by what the burst allows for each address that a flood must forge.
 *
 * Why these three: a cached answer costs no more than its refusal, so "queries" is for reflection alone, and off where
 * devices' addresses cannot be forged (the tunnel). "misses" is what a device can cost others: upstreams, sockets,
 * places under way. "errors" keeps us from answering the forged (RFC 5358; RRL). */
#include "dnsd/ratelimit.h"

#include <sodium.h>

#define NS_PER_S     1000000000ull
#define SETS	     1024u /* of the table of networks: 64 kB; 4,096 at once make noise before they hide each other */
#define WAYS	     4u
#define NET4_BYTES   3u /* /24, what is announced to the world at least; BIND's and Knot's default */
#define NET6_BYTES   7u /* /56, what a household gets */
#define STRANGER_LEN (2u + sizeof(((struct ip_addr *)0)->bytes))

/* A kind of limit. */
struct rate {
	uint64_t interval_ns; /* between two; 0: no limit */
};

struct client_rates {
	uint64_t queries_ns, misses_ns; /* buckets */
};

struct stranger {
	uint64_t name;
	uint64_t errors_ns; /* bucket */
};

struct ratelimit {
	struct rate queries, misses, errors;
	struct client_rates *clients;
	uint32_t n_clients;
	uint32_t slipped;
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct ratelimit_counts counts;
	struct stranger strangers[SETS][WAYS];
};

static struct rate rate_of(uint32_t per_s)
{
	return (struct rate){ .interval_ns = per_s != 0 ? NS_PER_S / per_s : 0 };
}

/* Take one out of the bucket. False: it is full. */
static bool bucket_take(uint64_t *bucket_ns, struct rate rate, uint64_t now_us)
{
	uint64_t now_ns = now_us * 1000, from = *bucket_ns > now_ns ? *bucket_ns : now_ns;

	if (rate.interval_ns == 0)
		return true;
	if (from - now_ns + rate.interval_ns > RATELIMIT_BURST_S * NS_PER_S)
		return false;
	*bucket_ns = from + rate.interval_ns;
	return true;
}

struct ratelimit *ratelimit_new(const struct ratelimit_config *config)
{
	struct ratelimit *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->queries = rate_of(config->queries);
	r->misses = rate_of(config->misses);
	r->errors = rate_of(config->errors);
	randombytes_buf(r->key, sizeof(r->key));
	return r;
}

struct ratelimit *ratelimit_free(struct ratelimit *r)
{
	if (r != NULL)
		free(r->clients);
	free(r);
	return NULL;
}

int ratelimit_clients(struct ratelimit *r, uint32_t n)
{
	struct client_rates *clients = calloc(n != 0 ? n : 1, sizeof(*clients));

	if (clients == NULL)
		return -ENOMEM;
	free(r->clients);
	r->clients = clients;
	r->n_clients = n;
	return 0;
}

enum ratelimit_verdict ratelimit_query(struct ratelimit *r, uint32_t client, bool verified, bool has_cookie,
				       uint64_t now_us)
{
	if (verified || client >= r->n_clients || bucket_take(&r->clients[client].queries_ns, r->queries, now_us))
		return RATELIMIT_PASS;
	if (has_cookie) {
		r->counts.badcookie++;
		return RATELIMIT_BADCOOKIE;
	}
	if (++r->slipped % RATELIMIT_SLIP == 0) {
		r->counts.truncated++;
		return RATELIMIT_TRUNCATE;
	}
	r->counts.dropped++;
	return RATELIMIT_DROP;
}

bool ratelimit_miss(struct ratelimit *r, uint32_t client, uint64_t now_us)
{
	if (client >= r->n_clients || bucket_take(&r->clients[client].misses_ns, r->misses, now_us))
		return true;
	r->counts.misses++;
	return false;
}

static uint64_t stranger_name(const struct ratelimit *r, const struct ip_addr *addr, bool registered)
{
	uint8_t in[STRANGER_LEN] = { addr->family, registered };
	size_t len = registered ? ip_addr_len(addr) : addr->family == IP_V4 ? NET4_BYTES : NET6_BYTES;
	uint64_t name;

	memcpy(in + 2, addr->bytes, len);
	(void)crypto_shorthash((uint8_t *)&name, in, sizeof(in), r->key);
	return name;
}

/* Its place; that of the least busy of its set, made empty, when it has none. */
static struct stranger *stranger_get(struct ratelimit *r, uint64_t name)
{
	struct stranger *set = r->strangers[name % SETS], *least = set;

	for (uint32_t i = 0; i < WAYS; i++) {
		if (set[i].name == name)
			return &set[i];
		if (set[i].errors_ns < least->errors_ns)
			least = &set[i];
	}
	*least = (struct stranger){ .name = name };
	return least;
}

bool ratelimit_error(struct ratelimit *r, const struct ip_addr *addr, bool registered, uint64_t now_us)
{
	if (r->errors.interval_ns == 0 ||
	    bucket_take(&stranger_get(r, stranger_name(r, addr, registered))->errors_ns, r->errors, now_us))
		return true;
	r->counts.errors++;
	return false;
}

const struct ratelimit_counts *ratelimit_counts(const struct ratelimit *r)
{
	return &r->counts;
}
