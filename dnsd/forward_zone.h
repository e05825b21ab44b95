/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A route as its forwarder keeps it: which upstreams are asked for which names. */
#pragma once

#include "dnsd/upstream.h"
#include "filter/view.h"

#define FORWARD_UPSTREAMS_MAX 64u /* of one zone; policies name two or four */

/* One zone's upstreams: a split's, or all other names'. */
struct forward_zone {
	struct dname suffix;
	bool split;
	struct upstream *ups; /* in forward_zones.ups */
	uint32_t n;
};

struct forward_zones {
	struct forward_zone *zones; /* splits, longest first; then the rest */
	struct upstream *ups;	    /* of all zones */
	uint32_t n_zones, n_ups;
};

/* @route: copied. On an error forward_zones_done() is the caller's all the same. */
int forward_zones_init(struct forward_zones *z, const struct route *route, struct err *e);
void forward_zones_done(struct forward_zones *z);
const struct forward_zone *forward_zone_of(const struct forward_zones *z, const struct dname *name);
