/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The snapshot by which DNS is answered: views, clients, rules over names, local records, splits, and the lists. Built
 * from the JSON of policy/lower_dns.h and a compiled list file; immutable; shared by all threads. Pure. */
#pragma once

#include "filter/listfile.h"
#include "filter/records.h"
#include "sluice/plan.h"

/* Addresses that a source outside of the policy has: a country, a network, an address list. */
struct view_prefixes {
	const char *key;	       /* "geo:KP", "asn:64496", "iplist:drop" */
	const struct ip_range *ranges; /* sorted, disjoint */
	uint32_t n_ranges;
};

/* One step of a set of addresses: in order, what a step adds is in, what it removes is out. */
struct view_addr_step {
	bool remove;
	const struct ip_range *ranges, *loaded; /* of the policy; of a source. Sorted, disjoint */
	uint32_t n_ranges, n_loaded;
	const struct view_addr_step *nested; /* of another set, or NULL */
	uint32_t n_nested;
};

struct view_addr_set {
	const struct view_addr_step *steps;
	uint32_t n;
};

struct view_rule {
	uint32_t mark;
	const char *pos;
	uint32_t line;
	const struct name_pattern *names;
	uint32_t n_names;
	const struct view_addr_set *closed; /* addresses that it closes altogether */
	uint32_t n_closed;
};

struct view_override; /* filter/view_overrides.h */

/* What resolving from the root, and validating, begin with: this host's, the same for all routes; set by dnsd
 * (dnsd/roots.h). */
struct dns_roots {
	const char *hints;   /* a file of root hints that can be opened; NULL = those that are built into libunbound */
	bool hints_own;	     /* not those of the internet: its servers may be anywhere, on this host, too */
	const char *anchors; /* the root's trust anchors, a record a line; NULL or "" = nothing is validated */
	const char *anchor_file; /* instead of .anchors: a file that libunbound keeps by RFC 5011; NULL = none */
	uint32_t anchor_hold_down_s;
	bool dnssec;		      /* forwarders' answers are validated, too */
	const struct dname *insecure; /* names at and below which nothing is validated */
	uint32_t n_insecure;
};

/* Who is asked for what: one plan of upstreams, shared by the views that have the same. */
struct route {
	const struct plan_upstream *upstreams;
	uint32_t n_upstreams;
	const struct plan_split *splits;
	uint32_t n_splits;
	const struct dname *rebind_allow; /* at and below these private addresses are answered; the same for all */
	uint32_t n_rebind_allow;
	bool dnssec;		       /* forwarded, and validated all the same; recursive ones always are */
	const struct dns_roots *roots; /* borrowed; NULL = no anchors, built-in hints */
};

#define ROUTES_MAX PLAN_ROUTES_MAX

struct view {
	const char *filter_pos; /* or NULL */
	uint32_t route;		/* in views.routes */
	uint64_t lists;		/* mask over the list file */
	struct listfile *own;	/* the filter's own block (list 0) and allow (list 1) rules; NULL when none */
	const char *const *own_block, *const *own_allow; /* their texts, by line - 1 */
	uint64_t safe_lists; /* as .lists: of safe search, rewrites for what passes otherwise */
	enum block_mode block_mode;
	struct ip_addr block_addrs[BLOCK_ADDR_MAX]; /* of BLOCK_CUSTOM; IP_NONE: that family has none */
	uint32_t block_ttl_s;			    /* of answers to blocked names, and of their SOA */
	uint16_t block_ede;			    /* RFC 8914 4.16 to 4.18: why, as the operator puts it */
	/* Its answers hang on lists and on nothing else: no denies, grants or rules of its own, nothing to learn or to
	 * tell the recorder. Then what the lists do not touch is the same for all such views. */
	bool only_lists;
	bool resolve_first, record_flows;
	enum log_level queries;
	const uint32_t *grants, *denies; /* indices in views.rules */
	uint32_t n_grants, n_denies;
	const uint32_t *deny_addrs; /* the same: rules that close addresses */
	uint32_t n_deny_addrs;
	bool some_paused; /* a device of it is, and others are not */
};

struct view_client {
	struct ip_addr addr;
	const char *device;
	const char *const *tags; /* "tag:tv" */
	uint32_t n_tags;
	uint32_t view;
	const struct view_override *pause; /* of this device; NULL: none */
};

struct views {
	struct arena *mem;
	uint64_t generation;
	const char *const *lists; /* names, by number */
	uint32_t n_lists;
	struct listfile *listfile; /* NULL when there are no lists */
	struct view_rule *rules;
	uint32_t n_rules;
	struct view *views;
	uint32_t n_views;
	struct view_client *clients; /* sorted by address */
	uint32_t *client_slots;	     /* by the hash of their address: number + 1; 0 = none */
	uint32_t client_mask;
	uint32_t n_clients;
	struct route *routes;
	uint32_t n_routes;
	struct record_tree *records; /* of the policy, and devices' names */
	bool canaries;
	const struct view_override *overrides; /* pauses first, then by name */
	uint32_t n_overrides, n_pauses;
	const struct view_override *pause; /* for all; NULL: none */
	uint32_t n_unknown;		   /* sources of addresses that were not supplied: they hold nothing */
};

/* @json is copied from; @lists (may be NULL, 0) is borrowed for the life of the result. -EBADMSG: not what lower_dns()
 * prints (says what is missing). */
int views_new(const char *json, size_t json_len, const void *lists, size_t lists_len, struct views **ret,
	      struct err *e);
/* The same, with the addresses that rules close (.ranges are borrowed for the life of the result). */
int views_new_closed(const char *json, size_t json_len, const void *lists, size_t lists_len,
		     const struct view_prefixes *prefixes, uint32_t n_prefixes, struct views **ret, struct err *e);
struct views *views_free(struct views *v);

/* view.c's: the table for views_client(). 0 or -ENOMEM. */
int views_clients_index(struct views *v);
/* Borrowed; NULL = not a registered, active device. O(1). */
const struct view_client *views_client(const struct views *v, const struct ip_addr *addr);
/* Its number, from 0 to n_clients - 1: of these views alone. */
static inline uint32_t views_client_number(const struct views *v, const struct view_client *client)
{
	return (uint32_t)(client - v->clients);
}
/* The longest split suffix that holds the name, or NULL. */
const struct plan_split *route_split(const struct route *r, const struct dname *name);
/* May an answer to @name hold private addresses? Where a split sends it to upstreams that all have private addresses
 * themselves, or the policy says so ("rebindAllow"). */
bool route_private_ok(const struct route *r, const struct dname *name);
