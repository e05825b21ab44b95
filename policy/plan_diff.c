/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who gains and loses what between two plans. Called by `sluice plan`; printed by plan_diff_print.c.
 *
 * Devices are paired by name and grouped by what they are on both sides, once for what they may reach and once for what
 * they see of DNS: what a group's classes and views differ in is found once (diff_boxes.c, diff_dns.c). Changes that
 * turn out the same for several groups are joined again, so that a sentence stands once, whatever the classes were. */
#include "base/grow.h"
#include "policy/diff_sink.h"

#define NONE UINT32_MAX

/* A device, or one source of it, on both sides; NULL where it is not. */
struct pair {
	const struct plan_device *from, *to;
	const struct plan_addr *src_from, *src_to;
	const char *name;
	uint32_t key[4]; /* class, and view or user where autogroup:self counts: before and now */
};

struct pairs {
	struct pair *items;
	uint32_t n, cap;
};

static void pairs_done(struct pairs *p)
{
	free(p->items);
}

static void sink_done(struct diff_sink *s)
{
	free(s->items);
}

void diff_add(struct diff_sink *s, struct plan_change change)
{
	if (s->n == s->cap) {
		uint32_t cap = s->cap == 0 ? 32 : s->cap * 2;
		struct plan_change *items = reallocarray(s->items, cap, sizeof(*items));

		if (items == NULL) {
			s->failed = true;
			return;
		}
		s->items = items;
		s->cap = cap;
	}
	change.devices = s->group.devices;
	change.n_devices = s->group.n_devices;
	s->items[s->n++] = change;
}

void diff_setting(struct diff_sink *s, const char *what, const char *was, const char *is)
{
	if (was == is || (was != NULL && is != NULL && strcmp(was, is) == 0))
		return;
	diff_add(s, (struct plan_change){ .kind = CHANGE_SETTING, .what = what, .was = was, .is = is });
}

static int by_name(const void *a, const void *b)
{
	const struct plan_device *x = *(const struct plan_device *const *)a;
	const struct plan_device *y = *(const struct plan_device *const *)b;

	return strcmp(x->name, y->name);
}

/* Malloc()ed. */
static const struct plan_device **devices_by_name(const struct plan *p)
{
	const struct plan_device **list = calloc((size_t)p->n_devices + 1, sizeof(const struct plan_device *));

	for (uint32_t i = 0; list != NULL && i < p->n_devices; i++)
		list[i] = &p->devices[i];
	if (list != NULL)
		qsort(list, p->n_devices, sizeof(const struct plan_device *), by_name);
	return list;
}

static uint32_t class_of(const struct plan_addr *src)
{
	return src != NULL ? src->class_id : NONE;
}

/* The source's user, if that makes a difference. */
static uint32_t self_user(const struct plan *p, const struct plan_addr *src)
{
	return src != NULL && p->classes[src->class_id].n_self != 0 ? p->devices[src->device].user_no : 0;
}

static const struct plan_addr *source_of(const struct plan *p, const struct plan_device *d, uint32_t i)
{
	return d != NULL && i < d->n_addrs ? plan_addr_find(p, &d->addrs[i]) : NULL;
}

/* In the order of names, for what is about devices. */
static int pairs_make(const struct plan *from, const struct plan *to, struct pairs *ret)
{
	CLEANUP(freep) const struct plan_device **a = devices_by_name(from);
	CLEANUP(freep) const struct plan_device **b = devices_by_name(to);
	uint32_t i = 0, k = 0;

	ret->items = calloc((size_t)from->n_devices + to->n_devices + 1, sizeof(*ret->items));
	if (a == NULL || b == NULL || ret->items == NULL)
		return -ENOMEM;
	while (i < from->n_devices || k < to->n_devices) {
		int c = i == from->n_devices ? 1 : k == to->n_devices ? -1 : strcmp(a[i]->name, b[k]->name);
		struct pair *p = &ret->items[ret->n++];

		p->from = c <= 0 ? a[i++] : NULL;
		p->to = c >= 0 ? b[k++] : NULL;
		p->src_from = source_of(from, p->from, 0);
		p->src_to = source_of(to, p->to, 0);
		p->name = p->from != NULL ? p->from->name : p->to != NULL ? p->to->name : "";
		p->key[0] = class_of(p->src_from);
		p->key[1] = class_of(p->src_to);
		p->key[2] = p->from != NULL ? p->from->view_id : NONE;
		p->key[3] = p->to != NULL ? p->to->view_id : NONE;
	}
	return 0;
}

/* The device's source that has @addr; else its first of that family, else its first. NULL: it has none. */
static const struct plan_addr *source_like(const struct plan *p, const struct plan_device *d,
					   const struct ip_addr *addr)
{
	const struct plan_addr *best = source_of(p, d, 0);

	for (uint32_t i = 0; d != NULL && i < d->n_addrs; i++) {
		if (ip_addr_cmp(&d->addrs[i], addr) == 0)
			return source_of(p, d, i);
		if (best != NULL && best->addr.family != addr->family && d->addrs[i].family == addr->family)
			best = source_of(p, d, i);
	}
	return best;
}

static int source_add(struct diff_sink *s, struct pairs *ret, const struct pair *device, const struct plan_addr *from,
		      const struct plan_addr *to)
{
	struct pair *items = grow_array(ret->items, ret->n, 1, &ret->cap, sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	ret->items = items;
	items[ret->n++] = (struct pair){
		.from = device->from,
		.to = device->to,
		.src_from = from,
		.src_to = to,
		.name = device->name,
		.key = { class_of(from), class_of(to), self_user(s->from, from), self_user(s->to, to) },
	};
	return 0;
}

/* Those of one device: all alike under its name; else each with its address, as "laptop (100.64.0.1)". */
static int sources_name(struct diff_sink *s, struct pairs *ret, uint32_t first)
{
	struct pair *items = &ret->items[first];
	uint32_t n = ret->n - first, alike = 1;
	char text[IP_TEXT_MAX];

	while (alike < n && memcmp(items[alike].key, items[0].key, sizeof(items[0].key)) == 0)
		alike++;
	if (alike >= n) {
		ret->n = first + (n != 0);
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct plan_addr *src = items[i].src_to != NULL ? items[i].src_to : items[i].src_from;

		items[i].name = arena_printf(s->mem, "%s (%s)", items[i].name,
					     src != NULL ? ip_addr_print(&src->addr, text) : "-");
		if (items[i].name == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* For what is about packets: each source, with what was or will be in its place. */
static int sources_make(struct diff_sink *s, const struct pair *device, struct pairs *ret)
{
	uint32_t first = ret->n;

	for (uint32_t i = 0; device->to != NULL && i < device->to->n_addrs; i++) {
		if (source_add(s, ret, device, source_like(s->from, device->from, &device->to->addrs[i]),
			       source_of(s->to, device->to, i)) < 0)
			return -ENOMEM;
	}
	for (uint32_t i = 0; device->from != NULL && i < device->from->n_addrs; i++) {
		const struct plan_addr *now = source_like(s->to, device->to, &device->from->addrs[i]);

		if (now != NULL && ip_addr_cmp(&now->addr, &device->from->addrs[i]) == 0)
			continue;
		if (source_add(s, ret, device, source_of(s->from, device->from, i), now) < 0)
			return -ENOMEM;
	}
	return sources_name(s, ret, first);
}

static int pair_cmp(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	for (size_t i = 0; i < ARRAY_LEN(x->key); i++) {
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	}
	return strcmp(x->name, y->name);
}

static void group_devices(struct diff_sink *s, const struct pair *pairs, uint32_t n)
{
	const char **names = arena_array(s->mem, n, sizeof(const char *));

	if (names == NULL) {
		s->failed = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		names[i] = pairs[i].name;
	s->group = (struct diff_group){ .devices = names, .n_devices = n };
}

/* What each device is by itself. */
static void diff_one(struct diff_sink *s, const struct pair *p)
{
	uint32_t before = s->n;

	/* Most devices stay as they are: no group is made for them unless there is something to say. */
	s->group = (struct diff_group){ 0 };
	if (p->from == NULL)
		diff_add(s, (struct plan_change){ .kind = CHANGE_DEVICE_NEW });
	else if (p->to == NULL)
		diff_add(s, (struct plan_change){ .kind = CHANGE_DEVICE_GONE });
	else
		diff_device(s, p->from, p->to);
	if (s->n == before || s->failed)
		return;
	group_devices(s, p, 1);
	for (; before < s->n; before++) {
		s->items[before].devices = s->group.devices;
		s->items[before].n_devices = s->group.n_devices;
	}
}

static const struct plan_class *class_at(const struct plan *p, const struct plan_addr *src)
{
	return src != NULL ? &p->classes[src->class_id] : NULL;
}

static void group_names(struct diff_sink *s, const struct pair *one)
{
	diff_names(s, class_at(s->from, one->src_from), class_at(s->to, one->src_to));
	diff_views(s, one->from != NULL ? &s->from->views[one->from->view_id] : NULL,
		   one->to != NULL ? &s->to->views[one->to->view_id] : NULL);
	diff_view_routes(s, one->from != NULL ? &s->from->views[one->from->view_id] : NULL,
			 one->to != NULL ? &s->to->views[one->to->view_id] : NULL);
}

static void group_traffic(struct diff_sink *s, const struct pair *one)
{
	diff_traffic(s, &(struct diff_side){ class_at(s->from, one->src_from), one->key[2] },
		     &(struct diff_side){ class_at(s->to, one->src_to), one->key[3] });
}

/* Those with the same key together, @fn for one of them. */
static void diff_groups(struct diff_sink *s, struct pairs *pairs,
			void (*fn)(struct diff_sink *s, const struct pair *one))
{
	uint32_t end;

	if (pairs->n > 1)
		qsort(pairs->items, pairs->n, sizeof(*pairs->items), pair_cmp);
	for (uint32_t i = 0; i < pairs->n && !s->failed; i = end) {
		for (end = i + 1; end < pairs->n &&
				  memcmp(pairs->items[i].key, pairs->items[end].key, sizeof(pairs->items[i].key)) == 0;)
			end++;
		group_devices(s, &pairs->items[i], end - i);
		if (!s->failed)
			fn(s, &pairs->items[i]);
	}
}

static int text_cmp(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int services_cmp(const struct plan_change *x, const struct plan_change *y)
{
	for (uint32_t i = 0; i < x->n_services && i < y->n_services; i++) {
		const struct service *a = &x->services[i], *b = &y->services[i];

		if (a->proto != b->proto)
			return a->proto < b->proto ? -1 : 1;
		if (a->port_lo != b->port_lo)
			return a->port_lo < b->port_lo ? -1 : 1;
		if (a->port_hi != b->port_hi)
			return a->port_hi < b->port_hi ? -1 : 1;
	}
	return (x->n_services > y->n_services) - (x->n_services < y->n_services);
}

static int dsts_cmp(const struct plan_change *x, const struct plan_change *y)
{
	for (uint32_t i = 0; i < x->n_dsts && i < y->n_dsts; i++) {
		int c = ip_addr_cmp(&x->dsts[i].first, &y->dsts[i].first);

		if (c == 0)
			c = ip_addr_cmp(&x->dsts[i].last, &y->dsts[i].last);
		if (c != 0)
			return c;
	}
	return (x->n_dsts > y->n_dsts) - (x->n_dsts < y->n_dsts);
}

/* All but the devices; a change of the gateway as a whole is like no device's. */
static int content_cmp(const struct plan_change *x, const struct plan_change *y)
{
	const char *a[] = { x->rule, x->by, x->name, x->what, x->was, x->is };
	const char *b[] = { y->rule, y->by, y->name, y->what, y->was, y->is };
	int c = (x->kind > y->kind) - (x->kind < y->kind);

	if (c == 0)
		c = (x->n_devices != 0) - (y->n_devices != 0);
	for (size_t i = 0; c == 0 && i < ARRAY_LEN(a); i++)
		c = text_cmp(a[i], b[i]);
	if (c == 0)
		c = dsts_cmp(x, y);
	return c != 0 ? c : services_cmp(x, y);
}

static int change_cmp(const void *a, const void *b)
{
	return content_cmp(a, b);
}

/* The order in which they are told. */
static int told_cmp(const void *a, const void *b)
{
	const struct plan_change *x = a, *y = b;
	int c = text_cmp(x->n_devices != 0 ? x->devices[0] : NULL, y->n_devices != 0 ? y->devices[0] : NULL);

	return c != 0 ? c : content_cmp(x, y);
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Devices of @n changes that are alike, together. */
static void join(struct diff_sink *s, const struct plan_change *changes, uint32_t n, struct plan_change *ret)
{
	const char **names;
	uint32_t total = 0;

	*ret = changes[0];
	if (n == 1)
		return;
	for (uint32_t i = 0; i < n; i++)
		total += changes[i].n_devices;
	names = arena_array(s->mem, total, sizeof(const char *));
	if (names == NULL) {
		s->failed = true;
		return;
	}
	total = 0;
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < changes[i].n_devices; k++)
			names[total++] = changes[i].devices[k];
	}
	qsort(names, total, sizeof(const char *), name_cmp);
	ret->devices = names;
	ret->n_devices = total;
}

static void join_all(struct diff_sink *s, struct plan_diff *ret)
{
	struct plan_change *kept = arena_array(s->mem, s->n, sizeof(*kept));
	uint32_t n = 0, end;

	if (kept == NULL) {
		s->failed = true;
		return;
	}
	*ret = (struct plan_diff){ 0 };
	if (s->n == 0)
		return;
	qsort(s->items, s->n, sizeof(*s->items), change_cmp);
	for (uint32_t i = 0; i < s->n; i = end) {
		for (end = i + 1; end < s->n && content_cmp(&s->items[i], &s->items[end]) == 0;)
			end++;
		join(s, s->items + i, end - i, &kept[n++]);
	}
	qsort(kept, n, sizeof(*kept), told_cmp);
	*ret = (struct plan_diff){ .changes = kept, .n_changes = n };
}

int plan_diff(const struct plan *from, const struct plan *to, struct arena *mem, struct plan_diff *ret, struct err *e)
{
	CLEANUP(sink_done) struct diff_sink s = { .mem = mem, .from = from, .to = to };
	CLEANUP(pairs_done) struct pairs pairs = { 0 };
	CLEANUP(pairs_done) struct pairs sources = { 0 };

	if (pairs_make(from, to, &pairs) < 0 || diff_space_make(mem, from, to, &s.space) < 0 ||
	    diff_users_make(mem, from, &s.users_from) < 0 || diff_users_make(mem, to, &s.users_to) < 0)
		return err_set(e, -ENOMEM, "compare plans: out of memory");
	diff_dns(&s);
	for (uint32_t i = 0; i < pairs.n && !s.failed; i++) {
		diff_one(&s, &pairs.items[i]);
		s.failed = s.failed || sources_make(&s, &pairs.items[i], &sources) < 0;
	}
	diff_groups(&s, &sources, group_traffic);
	diff_groups(&s, &pairs, group_names);
	if (!s.failed)
		join_all(&s, ret);
	return s.failed ? err_set(e, -ENOMEM, "compare plans: out of memory") : 0;
}
