/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The route's zones, copied: views come and go, a resolver stays while its configuration is the same. Called by
 * forward.c. */
#include "dnsd/forward_zone.h"

#include "dnsd/forward.h"

#define LABELS_MAX 127 /* of a name: DNAME_MAX bytes, two a label */

static bool all_forward(const struct plan_upstream *us, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (us[i].kind == UPSTREAM_RECURSIVE)
			return false;
	return n != 0;
}

bool forward_can(const struct route *route)
{
	for (uint32_t i = 0; i < route->n_splits; i++)
		if (!all_forward(route->splits[i].upstreams, route->splits[i].n_upstreams))
			return false;
	return all_forward(route->upstreams, route->n_upstreams);
}

/* Where a zone names upstreams with and without TLS, only those with are used: what was meant to be sealed is never
 * sent in the clear. */
static int zone_add(struct forward_zones *zs, const struct dname *suffix, bool split, const struct plan_upstream *us,
		    uint32_t n, struct err *e)
{
	struct forward_zone *z = &zs->zones[zs->n_zones++];
	enum upstream_kind kind = UPSTREAM_UDP;

	z->suffix = *suffix;
	z->split = split;
	z->ups = zs->ups + zs->n_ups;
	for (uint32_t i = 0; i < n; i++)
		if (us[i].kind == UPSTREAM_TLS)
			kind = UPSTREAM_TLS;
	for (uint32_t i = 0; i < n; i++) {
		int rc;

		if (us[i].kind != kind)
			continue;
		if (z->n++ == FORWARD_UPSTREAMS_MAX)
			return err_set(e, -E2BIG, "more than %u upstreams", FORWARD_UPSTREAMS_MAX);
		rc = upstream_init(&zs->ups[zs->n_ups++], &us[i], e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int forward_zones_init(struct forward_zones *zs, const struct route *route, struct err *e)
{
	static const struct dname root = { .len = 1 };
	uint32_t n_ups = route->n_upstreams;
	int rc = 0;

	for (uint32_t i = 0; i < route->n_splits; i++)
		n_ups += route->splits[i].n_upstreams;
	zs->zones = calloc(route->n_splits + 1u, sizeof(*zs->zones));
	zs->ups = calloc(n_ups, sizeof(*zs->ups));
	if (zs->zones == NULL || zs->ups == NULL)
		return err_set(e, -ENOMEM, "forwarder");
	for (int labels = LABELS_MAX; labels >= 0; labels--)
		for (uint32_t i = 0; i < route->n_splits && rc == 0; i++)
			if (route->splits[i].suffix.labels == labels)
				rc = zone_add(zs, &route->splits[i].suffix, true, route->splits[i].upstreams,
					      route->splits[i].n_upstreams, e);
	return rc != 0 ? rc : zone_add(zs, &root, false, route->upstreams, route->n_upstreams, e);
}

void forward_zones_done(struct forward_zones *zs)
{
	for (uint32_t i = 0; i < zs->n_ups; i++)
		upstream_done(&zs->ups[i]);
	free(zs->ups);
	free(zs->zones);
}

const struct forward_zone *forward_zone_of(const struct forward_zones *zs, const struct dname *name)
{
	uint32_t i = 0;

	while (i + 1 < zs->n_zones && !dname_in(name, &zs->zones[i].suffix))
		i++;
	return &zs->zones[i];
}
