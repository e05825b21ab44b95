/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which class of a new plan is which of the one before. Called by gatewayd between compiling and lowering.
 *
 * Classes are numbered by their first device, so that a device that gets a class of its own would move the numbers of
 * all behind it, and with them every element in the kernel that names one. Each device votes for (its class before, its
 * class now); pairs take each other by the number of votes. What is left gets the lowest free numbers. */
#include "sluice/plan.h"

struct vote {
	uint32_t was, now; /* id; index */
	uint32_t n;
};

struct votes {
	struct vote *items;
	uint32_t n;
};

static int pair_cmp(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;

	if (x->now != y->now)
		return x->now < y->now ? -1 : 1;
	return (x->was > y->was) - (x->was < y->was);
}

/* Most votes first. */
static int count_cmp(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return pair_cmp(a, b);
}

static void votes_count(struct votes *v)
{
	uint32_t n = 0;

	if (v->n == 0)
		return;
	qsort(v->items, v->n, sizeof(*v->items), pair_cmp);
	for (uint32_t i = 0; i < v->n; i++) {
		if (n == 0 || pair_cmp(&v->items[n - 1], &v->items[i]) != 0)
			v->items[n++] = (struct vote){ .was = v->items[i].was, .now = v->items[i].now };
		v->items[n - 1].n++;
	}
	v->n = n;
	qsort(v->items, n, sizeof(*v->items), count_cmp);
}

#define UNSET UINT32_MAX

/* @ret_ids: one for each of @n new ones. Ids before are below @n_ids. 0 or -ENOMEM. */
static int ids_settle(struct votes *v, uint32_t n, uint32_t n_ids, uint32_t *ret_ids)
{
	/* With the lowest free number for each one that has no partner no id is above this. */
	CLEANUP(freep) bool *taken = calloc((size_t)n + n_ids + 1, sizeof(*taken));
	uint32_t next = 0;

	if (taken == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		ret_ids[i] = UNSET;
	votes_count(v);
	for (uint32_t i = 0; i < v->n; i++) {
		if (ret_ids[v->items[i].now] != UNSET || taken[v->items[i].was])
			continue;
		ret_ids[v->items[i].now] = v->items[i].was;
		taken[v->items[i].was] = true;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (ret_ids[i] != UNSET)
			continue;
		while (taken[next])
			next++;
		ret_ids[i] = next;
		taken[next] = true;
	}
	return 0;
}

/* One vote a device that both plans know, for its class or for the shared part. */
static void votes_collect(const struct plan *to, const struct plan *from, bool shared, struct votes *ret)
{
	for (uint32_t i = 0; i < to->n_devices; i++) {
		const struct plan_device *d = &to->devices[i];
		const struct plan_device *old = d->n_addrs != 0 ? plan_device_find(from, &d->addrs[0]) : NULL;
		const struct plan_class *now = &to->classes[d->class_id], *was;

		if (old == NULL)
			continue;
		was = &from->classes[old->class_id];
		if (!shared)
			ret->items[ret->n++] = (struct vote){ .was = was->id, .now = d->class_id };
		for (size_t k = 0; shared && k < PLAN_SHARED_MAX; k++) {
			if (now->shared[k] == NULL || was->shared[k] == NULL)
				continue;
			ret->items[ret->n].was = was->shared[k]->id;
			ret->items[ret->n++].now = (uint32_t)(now->shared[k] - to->shareds);
		}
	}
}

static uint32_t ids_end(const struct plan *p, bool shared)
{
	uint32_t end = 0;

	for (uint32_t i = 0; i < (shared ? p->n_shareds : p->n_classes); i++) {
		uint32_t id = shared ? p->shareds[i].id : p->classes[i].id;

		end = id >= end ? id + 1 : end;
	}
	return end;
}

int plan_keep_ids(struct plan *to, const struct plan *from)
{
	struct plan_class *classes = arena_array(to->mem, to->n_classes, sizeof(*classes));
	struct plan_shared *shareds = arena_array(to->mem, to->n_shareds, sizeof(*shareds));
	CLEANUP(freep) struct vote *room = calloc((size_t)to->n_devices * PLAN_SHARED_MAX + 1, sizeof(*room));
	CLEANUP(freep) uint32_t *class_ids = calloc((size_t)to->n_classes + 1, sizeof(*class_ids));
	CLEANUP(freep) uint32_t *shared_ids = calloc((size_t)to->n_shareds + 1, sizeof(*shared_ids));
	struct votes votes = { .items = room };

	if (classes == NULL || shareds == NULL || room == NULL || class_ids == NULL || shared_ids == NULL)
		return -ENOMEM;
	votes_collect(to, from, false, &votes);
	if (ids_settle(&votes, to->n_classes, ids_end(from, false), class_ids) < 0)
		return -ENOMEM;
	votes.n = 0;
	memset(room, 0, ((size_t)to->n_devices * PLAN_SHARED_MAX + 1) * sizeof(*room));
	votes_collect(to, from, true, &votes);
	if (ids_settle(&votes, to->n_shareds, ids_end(from, true), shared_ids) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < to->n_shareds; i++) {
		shareds[i] = to->shareds[i];
		shareds[i].id = shared_ids[i];
	}
	for (uint32_t i = 0; i < to->n_classes; i++) {
		classes[i] = to->classes[i];
		classes[i].id = class_ids[i];
		for (size_t k = 0; k < PLAN_SHARED_MAX; k++) {
			if (classes[i].shared[k] != NULL)
				classes[i].shared[k] = &shareds[classes[i].shared[k] - to->shareds];
		}
	}
	to->classes = classes;
	to->shareds = shareds;
	return 0;
}
