/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which class, part, destination and user of a new plan is which of the one before. Called by gatewayd between
 * compiling and lowering.
 *
 * They are numbered by their first device or address, so that one that comes would move the numbers of all behind it,
 * and with them every element in the kernel that has one. Each source votes for (its class before, its class now), and
 * so on; each stretch of addresses for (its destination before, now); pairs take each other by the number of votes.
 * What is left gets the lowest free numbers. */
#include "sluice/plan.h"

#include "base/grow.h"

struct vote {
	uint32_t was, now; /* id; index */
	uint32_t n;
	uint32_t others; /* votes that the two have with others */
};

struct votes {
	struct vote *items;
	uint32_t n, cap;
};

static int pair_cmp(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;

	if (x->now != y->now)
		return x->now < y->now ? -1 : 1;
	return (x->was > y->was) - (x->was < y->was);
}

/* Most votes first; of as many those that have the least to do with others: of two destinations, one of which lends the
 * other a device, each keeps its number. */
static int count_cmp(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	if (x->others != y->others)
		return x->others < y->others ? -1 : 1;
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
}

/* @n: of the new ones; @n_ids: as in ids_settle(). 0 or -ENOMEM. */
static int votes_sort(struct votes *v, uint32_t n, uint32_t n_ids)
{
	CLEANUP(freep) uint32_t *was = calloc((size_t)n_ids + 1, sizeof(*was));
	CLEANUP(freep) uint32_t *now = calloc((size_t)n + 1, sizeof(*now));

	if (was == NULL || now == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < v->n; i++) {
		was[v->items[i].was] += v->items[i].n;
		now[v->items[i].now] += v->items[i].n;
	}
	for (uint32_t i = 0; i < v->n; i++)
		v->items[i].others = was[v->items[i].was] + now[v->items[i].now] - 2 * v->items[i].n;
	if (v->n > 1)
		qsort(v->items, v->n, sizeof(*v->items), count_cmp);
	return 0;
}

#define UNSET UINT32_MAX

/* @ret_ids: one for each of @n new ones, from 1 on. Ids before are below @n_ids. 0 or -ENOMEM. */
static int ids_settle(struct votes *v, uint32_t n, uint32_t n_ids, uint32_t *ret_ids)
{
	/* With the lowest free number for each one that has no partner no id is above this. */
	CLEANUP(freep) bool *taken = calloc((size_t)n + n_ids + 2, sizeof(*taken));
	uint32_t next = 1;

	if (taken == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		ret_ids[i] = UNSET;
	votes_count(v);
	if (votes_sort(v, n, n_ids) < 0)
		return -ENOMEM;
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

static void votes_done(struct votes *v)
{
	free(v->items);
}

static void vote(struct votes *v, uint32_t was, uint32_t now)
{
	v->items[v->n++] = (struct vote){ .was = was, .now = now };
}

/* What sources vote about. */
enum subject { OF_CLASS = 0, OF_PART, OF_USER };

/* One vote a source that both plans know. */
static int votes_of_sources(const struct plan *to, const struct plan *from, enum subject subject, struct votes *ret)
{
	ret->n = 0;
	ret->items = calloc((size_t)to->n_addrs * 2 + 1, sizeof(*ret->items));
	if (ret->items == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < to->n_addrs; i++) {
		const struct plan_addr *a = &to->addrs[i], *before = plan_addr_find(from, &a->addr);
		const struct plan_device *d = &to->devices[a->device], *old;
		const struct plan_class *now = &to->classes[a->class_id], *was;

		if (before == NULL)
			continue;
		old = &from->devices[before->device];
		was = &from->classes[before->class_id];
		if (subject == OF_CLASS)
			vote(ret, was->id, a->class_id);
		if (subject == OF_PART && now->wide != NULL && was->wide != NULL)
			vote(ret, was->wide->id, (uint32_t)(now->wide - to->parts));
		if (subject == OF_PART && now->members != NULL && was->members != NULL)
			vote(ret, was->members->id, (uint32_t)(now->members - to->parts));
		if (subject == OF_USER && d->user_no != 0 && old->user_no != 0)
			vote(ret, from->user_ids[old->user_no - 1], d->user_no - 1);
	}
	return 0;
}

/* One more vote for each two ranges that meet. */
static int votes_of_ranges(const struct plan_dsts *to, const struct plan_dsts *from, struct votes *ret)
{
	struct vote *items = grow_array(ret->items, ret->n, to->n_ranges + from->n_ranges, &ret->cap, sizeof(*items));
	uint32_t i = 0, k = 0;

	if (items == NULL)
		return -ENOMEM;
	ret->items = items;
	while (i < to->n_ranges && k < from->n_ranges) {
		const struct ip_range *a = &to->ranges[i].range, *b = &from->ranges[k].range;

		if (ip_addr_cmp(&a->last, &b->first) >= 0 && ip_addr_cmp(&b->last, &a->first) >= 0)
			vote(ret, from->ids[from->ranges[k].dst], to->ranges[i].dst);
		if (ip_addr_cmp(&a->last, &b->last) < 0)
			i++;
		else
			k++;
	}
	return 0;
}

/* One more than the highest. */
static uint32_t ids_end(const uint32_t *ids, uint32_t n)
{
	uint32_t end = 1;

	for (uint32_t i = 0; i < n; i++)
		end = ids[i] >= end ? ids[i] + 1 : end;
	return end;
}

static int keep_classes(struct plan *to, const struct plan *from, struct plan_class *classes)
{
	CLEANUP(votes_done) struct votes votes = { 0 };
	CLEANUP(freep) uint32_t *ids = calloc((size_t)to->n_classes + 1, sizeof(*ids));
	uint32_t end = 1;

	for (uint32_t i = 0; i < from->n_classes; i++)
		end = from->classes[i].id >= end ? from->classes[i].id + 1 : end;
	if (ids == NULL || votes_of_sources(to, from, OF_CLASS, &votes) < 0 ||
	    ids_settle(&votes, to->n_classes, end, ids) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < to->n_classes; i++) {
		classes[i] = to->classes[i];
		classes[i].id = ids[i];
	}
	return 0;
}

/* @classes: to be pointed to them. */
static int keep_parts(struct plan *to, const struct plan *from, struct plan_part *parts, struct plan_class *classes)
{
	CLEANUP(votes_done) struct votes votes = { 0 };
	CLEANUP(freep) uint32_t *ids = calloc((size_t)to->n_parts + 1, sizeof(*ids));
	uint32_t end = 1;

	for (uint32_t i = 0; i < from->n_parts; i++)
		end = from->parts[i].id >= end ? from->parts[i].id + 1 : end;
	if (ids == NULL || votes_of_sources(to, from, OF_PART, &votes) < 0 ||
	    ids_settle(&votes, to->n_parts, end, ids) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < to->n_parts; i++) {
		parts[i] = to->parts[i];
		parts[i].id = ids[i];
	}
	for (uint32_t i = 0; i < to->n_classes; i++) {
		if (classes[i].wide != NULL)
			classes[i].wide = &parts[classes[i].wide - to->parts];
		if (classes[i].members != NULL)
			classes[i].members = &parts[classes[i].members - to->parts];
	}
	return 0;
}

static int keep_users(const struct plan *to, const struct plan *from, uint32_t *ids)
{
	CLEANUP(votes_done) struct votes votes = { 0 };

	if (votes_of_sources(to, from, OF_USER, &votes) < 0)
		return -ENOMEM;
	return ids_settle(&votes, to->n_users, ids_end(from->user_ids, from->n_users), ids);
}

static int keep_dsts(const struct plan_dsts *to, const struct plan_dsts *from, uint32_t *ids)
{
	CLEANUP(votes_done) struct votes votes = { 0 };

	if (votes_of_ranges(to, from, &votes) < 0)
		return -ENOMEM;
	return ids_settle(&votes, to->n, ids_end(from->ids, from->n), ids);
}

/* Lists: an address may be in another level than before, so all are compared with all. They are few. */
static int keep_members(const struct plan_members *to, const struct plan_members *from, uint32_t *ids)
{
	CLEANUP(votes_done) struct votes votes = { 0 };

	for (uint32_t i = 0; i < to->n_levels; i++) {
		for (uint32_t k = 0; k < from->n_levels; k++) {
			if (votes_of_ranges(&to->levels[i], &from->levels[k], &votes) < 0)
				return -ENOMEM;
		}
	}
	return ids_settle(&votes, to->levels[0].n,
			  from->n_levels != 0 ? ids_end(from->levels[0].ids, from->levels[0].n) : 1, ids);
}

/* The levels with the ids of before, in @to's arena. @ret: as .levels. 0 or -ENOMEM. */
static int members_renumber(const struct plan *to, const struct plan *from, const struct plan_dsts **ret)
{
	struct plan_dsts *levels = arena_array(to->mem, to->members.n_levels, sizeof(*levels));
	uint32_t *ids;

	*ret = levels;
	if (levels == NULL)
		return -ENOMEM;
	if (to->members.n_levels == 0)
		return 0;
	ids = arena_array(to->mem, to->members.levels[0].n, sizeof(*ids));
	if (ids == NULL || keep_members(&to->members, &from->members, ids) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < to->members.n_levels; i++) {
		levels[i] = to->members.levels[i];
		levels[i].ids = ids;
	}
	return 0;
}

int plan_keep_ids(struct plan *to, const struct plan *from)
{
	struct plan_class *classes = arena_array(to->mem, to->n_classes, sizeof(*classes));
	struct plan_part *parts = arena_array(to->mem, to->n_parts, sizeof(*parts));
	uint32_t *users = arena_array(to->mem, to->n_users, sizeof(*users));
	uint32_t *named = arena_array(to->mem, to->named.n, sizeof(*named));
	uint32_t *wide = arena_array(to->mem, to->wide.n, sizeof(*wide));
	const struct plan_dsts *levels;

	if (classes == NULL || parts == NULL || users == NULL || named == NULL || wide == NULL)
		return -ENOMEM;
	if (keep_classes(to, from, classes) < 0 || keep_parts(to, from, parts, classes) < 0 ||
	    keep_users(to, from, users) < 0 || keep_dsts(&to->named, &from->named, named) < 0 ||
	    keep_dsts(&to->wide, &from->wide, wide) < 0 || members_renumber(to, from, &levels) < 0)
		return -ENOMEM;
	to->classes = classes;
	to->parts = parts;
	to->user_ids = users;
	to->named.ids = named;
	to->wide.ids = wide;
	to->members.levels = levels;
	return 0;
}
