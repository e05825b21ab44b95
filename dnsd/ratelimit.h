/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often one client may make us work, and how often we answer those who may not ask. One a worker. */
#pragma once

#include "sluice/addr.h"

/* A second; 0: no limit. A worker counts for itself. Each limit lets a burst of RATELIMIT_BURST_S through. */
struct ratelimit_config {
	uint32_t queries; /* of one registered client that has not proved its address, whatever the answer */
	uint32_t misses;  /* of one registered client, that a resolver is asked for */
	uint32_t errors;  /* answers to one unregistered network, or to malformed questions of one client */
};

#define RATELIMIT_BURST_S 2u	   /* a page with a hundred names, opened twice, is no flood */
#define RATELIMIT_MAX	  1000000u /* more than a worker answers */
#define RATELIMIT_SLIP	  2u /* of those over "queries", every second is told to come by TCP (BIND, NSD and Knot: 2) */

/* What to do with a question. */
enum ratelimit_verdict {
	RATELIMIT_PASS = 0,
	RATELIMIT_DROP,	     /* say nothing */
	RATELIMIT_TRUNCATE,  /* an empty answer with TC: who gets it, asks by TCP */
	RATELIMIT_BADCOOKIE, /* RCODE_BADCOOKIE with a good cookie: who gets it, asks with that (RFC 7873 5.2.3) */
	RATELIMIT_VERDICT_MAX
};

/* Since the start, by reason. */
struct ratelimit_counts {
	uint64_t dropped, truncated, badcookie; /* over "queries" */
	uint64_t misses;			/* over "misses": SERVFAIL */
	uint64_t errors;			/* over "errors": nothing was said */
};

struct ratelimit;

/* NULL when out of memory. */
struct ratelimit *ratelimit_new(const struct ratelimit_config *config);
/* NULL is fine; returns NULL. */
struct ratelimit *ratelimit_free(struct ratelimit *r);
/* There are @n registered clients from now on (views.n_clients), numbered from 0; all of them have a whole burst again.
 * 0; -ENOMEM: those beyond the ones that there were are not limited. */
int ratelimit_clients(struct ratelimit *r, uint32_t n);

/* @now_us: CLOCK_MONOTONIC. @verified: by TCP or a valid cookie: its address is its own, so nobody is hit by answers;
 * it is not limited here. @has_cookie: the question had a cookie of whatever worth. */
enum ratelimit_verdict ratelimit_query(struct ratelimit *r, uint32_t client, bool verified, bool has_cookie,
				       uint64_t now_us);
/* A resolver is to be asked. False: it is not. */
bool ratelimit_miss(struct ratelimit *r, uint32_t client, uint64_t now_us);
/* An error is to be said to @addr: itself when it is registered, else to its network (/24, /56). False: nothing is. */
bool ratelimit_error(struct ratelimit *r, const struct ip_addr *addr, bool registered, uint64_t now_us);

const struct ratelimit_counts *ratelimit_counts(const struct ratelimit *r);
