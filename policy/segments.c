/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precedence of rules, decided here once and for all: the kernel's interval sets refuse elements that overlap, and a
 * packet's cost must not grow with rules. Each rule in turn takes those ports that no earlier one has. Called by
 * boxes.c for each destination of a class, and by diff_dns.c for each name.
 *
 * Invariants: segments are disjoint and ascending; two that touch differ in rule or layer. */
#include "policy/segments.h"

void segments_done(struct segments *s)
{
	free(s->items);
	free(s->scratch);
	*s = (struct segments){ 0 };
}

int service_cmp(const struct service *x, const struct service *y)
{
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->port_lo != y->port_lo)
		return x->port_lo < y->port_lo ? -1 : 1;
	return (x->port_hi > y->port_hi) - (x->port_hi < y->port_hi);
}

static int by_service(const void *a, const void *b)
{
	return service_cmp(a, b);
}

uint32_t services_merge(struct service *services, uint32_t n)
{
	uint32_t kept = 0;

	if (n == 0)
		return 0;
	qsort(services, n, sizeof(*services), by_service);
	for (uint32_t i = 1; i < n; i++) {
		struct service *top = &services[kept];

		if (services[i].proto != top->proto || services[i].port_lo > top->port_hi + 1u)
			services[++kept] = services[i];
		else if (services[i].port_hi > top->port_hi)
			top->port_hi = services[i].port_hi;
	}
	return kept + 1;
}

/* The list that is being written behind the one that is read. */
struct writer {
	struct segment *items;
	uint32_t n;
};

/* There is room: see segments_overlay(). */
static void push(struct writer *w, uint32_t lo, uint32_t hi, const struct segment *like)
{
	struct segment *top = w->n == 0 ? NULL : &w->items[w->n - 1];

	/* Neighbours of one rule become one. */
	if (top != NULL && top->rule == like->rule && top->layer == like->layer &&
	    top->service.proto == like->service.proto && top->service.port_hi + 1u == lo) {
		top->service.port_hi = (uint16_t)hi;
		return;
	}
	w->items[w->n] = *like;
	w->items[w->n].service.port_lo = (uint16_t)lo;
	w->items[w->n++].service.port_hi = (uint16_t)hi;
}

static void push_whole(struct writer *w, const struct segment *s)
{
	push(w, s->service.port_lo, s->service.port_hi, s);
}

/* Is all of @x before the port @lo of @proto? */
static bool service_before(const struct service *x, uint8_t proto, uint32_t lo)
{
	return x->proto != proto ? x->proto < proto : x->port_hi < lo;
}

/* The lowest port of @svc that is not written already. */
static uint32_t first_free(const struct writer *w, const struct service *svc)
{
	const struct service *top = w->n == 0 ? NULL : &w->items[w->n - 1].service;

	if (top == NULL || top->proto != svc->proto || top->port_hi < svc->port_lo)
		return svc->port_lo;
	return top->port_hi + 1u;
}

static int scratch_reserve(struct segments *s, size_t n)
{
	struct segment *items;

	if (n <= s->scratch_cap)
		return 0;
	if (n > UINT32_MAX / 2)
		return -ENOMEM;
	items = reallocarray(s->scratch, n * 2, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	s->scratch = items;
	s->scratch_cap = (uint32_t)n * 2;
	return 0;
}

static void swap_scratch(struct segments *s, uint32_t n)
{
	struct segment *items = s->items;
	uint32_t cap = s->cap;

	s->items = s->scratch;
	s->cap = s->scratch_cap;
	s->scratch = items;
	s->scratch_cap = cap;
	s->n = n;
}

int segments_overlay(struct segments *s, const struct service *services, uint32_t n, uint32_t rule, enum layer layer)
{
	struct writer w = { 0 };
	uint32_t at = 0;

	/* Each old segment is written once, and each service at most once before each of them and once at its end. */
	if (scratch_reserve(s, (size_t)s->n * 2 + n) < 0)
		return -ENOMEM;
	w.items = s->scratch;
	for (uint32_t i = 0; i < n; i++) {
		const struct segment own = { .service = services[i], .rule = rule, .layer = layer };
		const struct service *svc = &services[i];
		uint32_t lo = first_free(&w, svc);

		for (; at < s->n && service_before(&s->items[at].service, svc->proto, lo); at++)
			push_whole(&w, &s->items[at]);
		for (; at < s->n && s->items[at].service.proto == svc->proto &&
		       s->items[at].service.port_lo <= svc->port_hi;
		     at++) {
			const struct segment *taken = &s->items[at];

			if (taken->service.port_lo > lo)
				push(&w, lo, taken->service.port_lo - 1u, &own);
			push_whole(&w, taken);
			lo = taken->service.port_hi + 1u;
		}
		if (lo <= svc->port_hi)
			push(&w, lo, svc->port_hi, &own);
	}
	for (; at < s->n; at++)
		push_whole(&w, &s->items[at]);
	swap_scratch(s, w.n);
	return 0;
}
