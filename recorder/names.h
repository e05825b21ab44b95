/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evidence for names: what a client was told an address is called, and when. Bounded; the least used goes first. */
#pragma once

#include "base/err.h"
#include "recorder/flow.h"

/* (client, address) pairs: an address of each of 64 names for 1,000 devices; about 250 bytes a pair, 16 MB at most. */
#define NAMES_PAIRS_MAX 65536u
/* Names of one pair: a shared host of a CDN has dozens, but more than a few are ambiguous all the same. */
#define NAMES_PER_PAIR_MAX 8u
/* Programs hold on to an address longer than its TTL says, and leases of live connections are renewed: a connection
 * within this time still counts as led by the name. Longer than the kernel's lease (60 s), or flows that pass by a name
 * would have no evidence. */
#define NAMES_GRACE_US (300ull * 1000000)

struct names;

struct name_evidence {
	enum flow_evidence evidence;
	uint16_t candidates;
	const char *name; /* borrowed until the next names_add(); NULL with FLOW_EVIDENCE_NONE */
};

/* @pairs_max: NAMES_PAIRS_MAX, or fewer in tests. NULL when out of memory. */
struct names *names_new(uint32_t pairs_max);
struct names *names_free(struct names *n);
/* @client was given @addr for @name at @at_us with that TTL. 0, -ENOMEM, -EINVAL (empty or too long a name). */
int names_add(struct names *n, const struct ip_addr *client, const struct ip_addr *addr, struct flow_text name,
	      uint64_t at_us, uint32_t ttl_s);
/* What @client could have meant by @addr at @when_us. */
void names_find(struct names *n, const struct ip_addr *client, const struct ip_addr *addr, uint64_t when_us,
		struct name_evidence *ret);
uint32_t names_count(const struct names *n);
/* Pairs and names that had to go because of a limit, before their time. */
uint64_t names_evicted(const struct names *n);
