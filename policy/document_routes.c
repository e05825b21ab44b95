/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes: who is asked for what, of the policy as a whole and of each filter. Called by document_dns.c and
 * document_filters.c when they have read both.
 *
 * A filter's upstreams stand in place of the policy's, its split zones beside the policy's: of two with the same suffix
 * the filter's holds. Equal routes are one: each costs a resolver with its cache in each of dnsd's threads. */
#include "policy/sections.h"

static bool text_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool upstreams_equal(const struct plan_upstream *a, uint32_t n_a, const struct plan_upstream *b, uint32_t n_b)
{
	bool same = n_a == n_b;

	for (uint32_t i = 0; same && i < n_a; i++)
		same = a[i].kind == b[i].kind && ip_addr_cmp(&a[i].addr, &b[i].addr) == 0 && a[i].port == b[i].port &&
		       text_equal(a[i].tls_name, b[i].tls_name);
	return same;
}

/* Split zones are sorted. */
static bool routes_equal(const struct plan_route *a, const struct plan_route *b)
{
	bool same = upstreams_equal(a->upstreams, a->n_upstreams, b->upstreams, b->n_upstreams) &&
		    a->n_splits == b->n_splits;

	for (uint32_t i = 0; same && i < a->n_splits; i++)
		same = dname_equal(&a->splits[i].suffix, &b->splits[i].suffix) &&
		       upstreams_equal(a->splits[i].upstreams, a->splits[i].n_upstreams, b->splits[i].upstreams,
				       b->splits[i].n_upstreams);
	return same;
}

static int split_cmp(const void *a, const void *b)
{
	const struct plan_split *x = a, *y = b;
	uint8_t len = x->suffix.len < y->suffix.len ? x->suffix.len : y->suffix.len;
	int c = memcmp(x->suffix.wire, y->suffix.wire, len);

	return c != 0 ? c : (x->suffix.len > y->suffix.len) - (x->suffix.len < y->suffix.len);
}

static bool splits_have(const struct plan_split *splits, uint32_t n, const struct dname *suffix)
{
	for (uint32_t i = 0; i < n; i++)
		if (dname_equal(&splits[i].suffix, suffix))
			return true;
	return false;
}

/* @own before the policy's. */
static void splits_merge(struct doc_reader *r, const struct doc_policy *p, const struct plan_split *own, uint32_t n_own,
			 struct plan_route *ret)
{
	struct plan_split *all = doc_array(r, (size_t)n_own + p->n_splits, sizeof(*all));
	uint32_t n = 0;

	if (all == NULL)
		return;
	for (uint32_t i = 0; i < n_own; i++)
		all[n++] = own[i];
	for (uint32_t i = 0; i < p->n_splits; i++)
		if (!splits_have(own, n_own, &p->splits[i].suffix))
			all[n++] = p->splits[i];
	if (n > 1)
		qsort(all, n, sizeof(*all), split_cmp);
	ret->splits = all;
	ret->n_splits = n;
}

static uint32_t route_number(struct doc_policy *p, struct plan_route *routes, const struct plan_route *route)
{
	uint32_t i = 0;

	while (i < p->n_routes && !routes_equal(&routes[i], route))
		i++;
	if (i == p->n_routes && i < PLAN_ROUTES_MAX)
		routes[p->n_routes++] = *route;
	return i;
}

void routes_make(struct doc_reader *r, struct doc_policy *p, struct doc_filter *filters)
{
	struct plan_route *routes = doc_array(r, PLAN_ROUTES_MAX, sizeof(*routes));
	struct plan_route route = { .upstreams = p->upstreams, .n_upstreams = p->n_upstreams };

	p->routes = routes;
	p->n_routes = 0;
	if (routes == NULL)
		return;
	splits_merge(r, p, NULL, 0, &route);
	(void)route_number(p, routes, &route);
	for (uint32_t i = 0; filters != NULL && i < p->n_filters; i++) {
		struct doc_filter *f = &filters[i];
		bool own = f->n_upstreams != 0;

		if (!own && f->n_splits == 0)
			continue;
		route = (struct plan_route){ .upstreams = own ? f->upstreams : p->upstreams,
					     .n_upstreams = own ? f->n_upstreams : p->n_upstreams };
		splits_merge(r, p, f->splits, f->n_splits, &route);
		f->route = route_number(p, routes, &route);
		if (f->route < PLAN_ROUTES_MAX)
			continue;
		(void)doc_error(
			r, "P0618", f->span,
			"more than %u different sets of \"upstreams\" and \"split\": give filters the same ones",
			PLAN_ROUTES_MAX);
		return;
	}
}
