/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents to plan. Pure: no file, no clock, no environment. */
#pragma once

#include "policy/document.h"

/* Elements of a plan's maps of boxes, of each layer: about 200 bytes each in the kernel, so some 400 MB. */
#define PLAN_BOXES_MAX 2000000u
/* Ranges of addresses in each layer's destinations: all networks of the world, by country and by number, are below one
 * million; about 100 bytes each in the kernel. */
#define PLAN_RANGES_MAX	 4000000u
#define PLAN_DEVICES_MAX 100000u /* ten times the largest fleet of the budgets */
#define PLAN_RULES_MAX	 100000u /* far below the 24 bits of a mark, so that free marks are found at once */

/* What a compilation must know of the world. */
struct compile_env {
	int64_t now_s; /* Unix time, for device expiry; 0 = nothing expires */
	int64_t at_s;  /* Unix time, for schedules; 0 = everything that has one is in force */
	/* Networks directly attached to this host, tunnel excluded: closed to wide destinations (`*`,
	 * autogroup:internet), as are private, link-local, CGNAT and multicast ranges: the LAN guard. */
	const struct ip_prefix *attached;
	uint32_t n_attached;
	/* What the policy needs (doc_policy.needs) of countries, networks and lists, in any order. What is not here is
	 * an error; with .lenient a warning, and the compiled plan is not fit for use: for who only checks. */
	const struct prefix_source *prefixes;
	uint32_t n_prefixes;
	bool lenient;
	const char *no_prefixes;       /* why there are none at all, for the message; NULL: they could be had */
	const struct zone_info *zones; /* what it needs of time zones (doc_policy.zones) */
	uint32_t n_zones;
	const char *const *zone_names; /* all that exist, NULL-terminated, for suggestions; or NULL */
	/* Ways out of the gateway; NULL: not known, every name is taken. */
	const struct egress_list *egress;
};

/* The ranges of a country, an autonomous system or an address list. */
struct prefix_source {
	enum prefix_kind kind;
	const char *key;
	const struct ip_range *ranges; /* sorted, disjoint */
	uint32_t n_ranges;
};

/* From .from_s on (until the next entry) clocks are .offset_s ahead of UTC. */
struct zone_offset {
	int64_t from_s;
	int32_t offset_s;
};

struct zone_info {
	const char *name;
	const struct zone_offset *offsets; /* sorted; the first holds before its time, too */
	uint32_t n_offsets;
};

/* The source that @need asks for, borrowed; NULL when it was not supplied. */
const struct prefix_source *compile_prefixes(const struct compile_env *env, const struct doc_need *need);

/* @ret: returned, free with plan_free(). Names that do not resolve are in @diags. 0, -EINVAL (see @diags), -ENOMEM,
 * -E2BIG (a limit, named in @diags). */
int plan_compile(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		 struct diag_list *diags, struct plan **ret);
/* Text of the plan: stable, for people and goldens (`sluice compile --format plan`). */
void plan_print(const struct plan *p, FILE *out);

/* Is @dst a destination that only a rule which names it may open (LAN guard)? */
bool compile_guarded(const struct compile_env *env, const struct ip_addr *dst);
