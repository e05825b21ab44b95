/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Local names: the policy's records, devices' names, and the reverse names of both. Pure.
 *
 * A name is local when it has records, or when its closest encloser - the longest of its suffixes that exists, by
 * having records or names below it - has a wildcard (RFC 4592 3.3.1). So a name that exists stops the wildcards above
 * it, for itself and for all below it. What is not local is asked of an upstream, or is special (dnsd/special.c). */
#pragma once

#include "base/err.h"
#include "sluice/plan.h"

struct record_tree;
struct view_client;

/* A tree over @records (borrowed, sorted in place) in @mem. NULL when out of memory. */
struct record_tree *record_tree_new(struct arena *mem, struct plan_record *records, uint32_t n);
/* For reverse names: @clients, sorted by address, are called DEVICE.@domain; borrowed. @domain NULL: they have none. */
void record_tree_clients(struct record_tree *t, const struct view_client *clients, uint32_t n,
			 const struct dname *domain);

/* Borrowed records of that name, of all types, *ret_n of them; NULL when it has none. O(length of the name). */
const struct plan_record *records_find(const struct record_tree *t, const struct dname *name, uint32_t *ret_n);
/* Has records, or there are some below it: such a name is not NXDOMAIN. */
bool records_exist(const struct record_tree *t, const struct dname *name);

/* What is said of a local name. */
struct local_answer {
	const struct plan_record *aliases[RECORD_ALIASES_MAX]; /* the one behind the other; the first is the name's */
	struct dname targets[RECORD_ALIASES_MAX];	       /* where each leads */
	uint32_t n_aliases;
	const struct plan_record *records; /* of all types, at the end of the aliases; may be none */
	uint32_t n;
	struct plan_record made; /* a reverse name's */
	uint8_t made_data[DNAME_MAX];
};

/* Is @name local? Does not look at types. */
bool records_local(const struct record_tree *t, const struct dname *name);
/* False: not local. An alias is not followed where @type asks for aliases. */
bool records_answer(const struct record_tree *t, const struct dname *name, uint16_t type, struct local_answer *ret);
/* The shortest TTL of the aliases and of the records of @type. */
uint32_t local_answer_ttl_s(const struct local_answer *a, uint16_t type);
/* DEVICE.@domain. False: not a name, or too long. */
bool device_dname(const char *device, const struct dname *domain, struct dname *ret);
/* The address that a reverse name stands for: 4 octets under in-addr.arpa, 32 nibbles under ip6.arpa. */
bool reverse_addr(const struct dname *name, struct ip_addr *ret);
