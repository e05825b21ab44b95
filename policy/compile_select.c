/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selectors to devices and addresses. Called by the compiler for every source and destination of a rule.
 *
 * Devices are indexed once by user, tag and address; a selector is then a binary search, so that a policy of 1,000
 * rules over 10,000 devices does not compare ten million strings. Sources are registered devices only: an address that
 * belongs to none is no source of anything (default deny). */
#include "policy/select.h"

#include "policy/guard.h"

static int addr_entry_cmp(const void *a, const void *b)
{
	const struct dir_addr *x = a, *y = b;
	int c = ip_addr_cmp(&x->addr, &y->addr);

	return c != 0 ? c : (x->device > y->device) - (x->device < y->device);
}

static int name_entry_cmp(const void *a, const void *b)
{
	const struct dir_name *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : (x->device > y->device) - (x->device < y->device);
}

static int device_cmp(const void *a, const void *b)
{
	const struct doc_device *x = *(const struct doc_device *const *)a, *y = *(const struct doc_device *const *)b;
	int c;

	if (x->n_addrs == 0 || y->n_addrs == 0)
		c = (x->n_addrs != 0) - (y->n_addrs != 0);
	else
		c = ip_addr_cmp(&x->addrs[0], &y->addrs[0]);
	return c != 0 ? c : strcmp(x->name, y->name);
}

static uint32_t count_tags(const struct doc_device *dev)
{
	uint32_t n = 0;

	while (dev->tags != NULL && dev->tags[n] != NULL)
		n++;
	return n;
}

static bool device_is_active(const struct doc_device *dev, const struct compile_env *env)
{
	bool expired = dev->expires_s != 0 && env->now_s != 0 && env->now_s >= dev->expires_s;

	return dev->state == DEVICE_ACTIVE && !expired;
}

/* Devices in their order, and which of them are active. */
static int index_devices(struct directory *dir, struct arena *mem, const struct doc_devices *d,
			 const struct compile_env *env)
{
	uint64_t *active;

	dir->n_devices = d->n_devices;
	dir->n_words = d->n_devices / 64 + 1;
	dir->devices = arena_array(mem, d->n_devices, sizeof(const struct doc_device *));
	active = arena_array(mem, dir->n_words, sizeof(*active));
	if (dir->devices == NULL || active == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->n_devices; i++)
		dir->devices[i] = &d->devices[i];
	if (d->n_devices > 1)
		qsort(dir->devices, d->n_devices, sizeof(const struct doc_device *), device_cmp);
	for (uint32_t i = 0; i < d->n_devices; i++) {
		if (device_is_active(dir->devices[i], env))
			dev_set_add(active, i);
	}
	dir->active = active;
	return 0;
}

static void names_sort(struct dir_name *names, uint32_t n)
{
	if (n > 1)
		qsort(names, n, sizeof(*names), name_entry_cmp);
	for (uint32_t i = n; i-- > 0;) {
		bool last = i + 1 == n || strcmp(names[i].name, names[i + 1].name) != 0;

		names[i].end = last ? i + 1 : names[i + 1].end;
	}
}

static int index_names(struct directory *dir, struct arena *mem)
{
	struct dir_name *users, *tags;
	uint32_t n_tags = 0;

	for (uint32_t i = 0; i < dir->n_devices; i++)
		n_tags += count_tags(dir->devices[i]);
	users = arena_array(mem, dir->n_devices, sizeof(*users));
	tags = arena_array(mem, n_tags, sizeof(*tags));
	if (users == NULL || tags == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < dir->n_devices; i++) {
		const struct doc_device *dev = dir->devices[i];
		uint32_t n = count_tags(dev);

		for (uint32_t t = 0; t < n; t++)
			tags[dir->n_tags++] = (struct dir_name){ .name = dev->tags[t], .device = i };
		/* A tag replaces the user: a tagged device is nobody's. */
		if (n == 0 && dev->user != NULL)
			users[dir->n_users++] = (struct dir_name){ .name = dev->user, .device = i };
	}
	names_sort(users, dir->n_users);
	names_sort(tags, dir->n_tags);
	dir->users = users;
	dir->tags = tags;
	return 0;
}

static int index_addrs(struct directory *dir, struct arena *mem)
{
	struct dir_addr *addrs;
	uint32_t *first_source, *device_of;
	uint64_t *active_sources;
	struct ip_range *routed, *cut;
	uint32_t n = 0, n_routes = 0;

	for (uint32_t i = 0; i < dir->n_devices; i++) {
		n += dir->devices[i]->n_addrs;
		n_routes += dir->devices[i]->n_routes;
	}
	addrs = arena_array(mem, n, sizeof(*addrs));
	routed = arena_array(mem, (size_t)n + n_routes, sizeof(*routed));
	cut = arena_array(mem, n, sizeof(*cut));
	first_source = arena_array(mem, (size_t)dir->n_devices + 1, sizeof(*first_source));
	device_of = arena_array(mem, n, sizeof(*device_of));
	active_sources = arena_array(mem, n / 64 + 1, sizeof(*active_sources));
	if (addrs == NULL || routed == NULL || cut == NULL || first_source == NULL || device_of == NULL ||
	    active_sources == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < dir->n_devices; i++) {
		const struct doc_device *dev = dir->devices[i];
		bool active = dev_set_has(dir->active, i);

		first_source[i] = dir->n_addrs;
		for (uint32_t k = 0; k < dev->n_addrs; k++) {
			struct ip_range one = { .first = dev->addrs[k], .last = dev->addrs[k] };

			device_of[dir->n_addrs] = i;
			addrs[dir->n_addrs] =
				(struct dir_addr){ .addr = dev->addrs[k], .device = i, .source = dir->n_addrs };
			dir->n_addrs++;
			if (ip_addr_is_loopback(&one.first))
				continue; /* nothing is forwarded there */
			if (active)
				routed[dir->n_routed++] = one;
			else
				cut[dir->n_cut++] = one;
		}
		for (uint32_t k = 0; active && k < dev->n_routes; k++)
			routed[dir->n_routed++] = ip_prefix_range(&dev->routes[k]);
	}
	qsort(addrs, dir->n_addrs, sizeof(*addrs), addr_entry_cmp);
	dir->addrs = addrs;
	first_source[dir->n_devices] = dir->n_addrs;
	dir->first_source = first_source;
	dir->device_of = device_of;
	dir->n_source_words = dir->n_addrs / 64 + 1;
	directory_sources(dir, dir->active, active_sources);
	dir->active_sources = active_sources;
	dir->n_routed = (uint32_t)ip_ranges_normalize(routed, dir->n_routed);
	dir->routed = routed;
	dir->n_cut = (uint32_t)ip_ranges_normalize(cut, dir->n_cut);
	dir->cut = cut;
	return 0;
}

int directory_new(struct arena *mem, const struct doc_policy *p, const struct doc_devices *d,
		  const struct compile_env *env, struct directory **ret)
{
	struct directory *dir = arena_alloc(mem, sizeof(*dir));
	struct guard_ranges open, internet;

	if (dir == NULL || guard_open(mem, env, &open) < 0 || guard_internet(mem, &internet) < 0)
		return -ENOMEM;
	dir->policy = p;
	dir->env = env;
	dir->open = open.items;
	dir->n_open = open.n;
	dir->internet = internet.items;
	dir->n_internet = internet.n;
	if (index_devices(dir, mem, d, env) < 0 || index_names(dir, mem) < 0 || index_addrs(dir, mem) < 0)
		return -ENOMEM;
	*ret = dir;
	return 0;
}

const struct doc_group *directory_group(const struct directory *dir, const char *name)
{
	for (uint32_t i = 0; i < dir->policy->n_groups; i++) {
		if (strcmp(dir->policy->groups[i].name, name) == 0)
			return &dir->policy->groups[i];
	}
	return NULL;
}

static void select_name(const struct dir_name *entries, uint32_t n, const char *name, uint64_t *set)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (strcmp(entries[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == n || strcmp(entries[lo].name, name) != 0)
		return;
	for (uint32_t i = lo; i < entries[lo].end; i++)
		dev_set_add(set, entries[i].device);
}

/* The first entry that is not before @addr. */
static uint32_t addr_first(const struct directory *dir, const struct ip_addr *addr)
{
	uint32_t lo = 0, hi = dir->n_addrs;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&dir->addrs[mid].addr, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Whose bits: the devices' that have these addresses, or the sources' that they are. */
enum select_as { AS_DEVICES = 0, AS_SOURCES };

static void select_range(const struct directory *dir, const struct ip_range *range, enum select_as as, uint64_t *set)
{
	for (uint32_t i = addr_first(dir, &range->first); i < dir->n_addrs; i++) {
		const struct dir_addr *a = &dir->addrs[i];

		if (ip_addr_cmp(&a->addr, &range->last) > 0)
			break;
		dev_set_add(set, as == AS_SOURCES ? a->source : a->device);
	}
}

/* A selector that is addresses. */
static void select_addrs(const struct directory *dir, const struct selector *sel, enum select_as as, uint64_t *set)
{
	struct ip_range range;

	if (sel->kind == SEL_PREFIX) {
		range = ip_prefix_range(&sel->prefix);
		select_range(dir, &range, as, set);
	}
	for (uint32_t i = 0; sel->kind == SEL_RANGES && i < sel->n_ranges; i++)
		select_range(dir, &sel->ranges[i], as, set);
	for (uint32_t i = 0; sel->kind == SEL_RANGES && i < sel->n_wide; i++)
		select_range(dir, &sel->wide[i], as, set);
}

static void select_group(const struct directory *dir, const char *name, uint64_t *set)
{
	const struct doc_group *g = directory_group(dir, name);

	for (uint32_t i = 0; g != NULL && g->members[i] != NULL; i++)
		select_name(dir->users, dir->n_users, g->members[i], set);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

void directory_select(const struct directory *dir, const struct selector *sel, uint64_t *set)
{
	switch (sel->kind) {
	case SEL_ANY:
		for (uint32_t i = 0; i < dir->n_devices; i++)
			dev_set_add(set, i);
		break;
	case SEL_USER:
		select_name(dir->users, dir->n_users, sel->name, set);
		break;
	case SEL_GROUP:
		select_group(dir, sel->name, set);
		break;
	case SEL_TAG:
		select_name(dir->tags, dir->n_tags, sel->name, set);
		break;
	case SEL_PREFIX:
	case SEL_RANGES:
		select_addrs(dir, sel, AS_DEVICES, set);
		break;
	case SEL_DOMAIN:
		for (uint32_t i = 0; i < dir->n_users; i++) {
			if (ends_with(dir->users[i].name, sel->name))
				dev_set_add(set, dir->users[i].device);
		}
		break;
	case SEL_MEMBER:
		for (uint32_t i = 0; i < dir->n_users; i++)
			dev_set_add(set, dir->users[i].device);
		break;
	case SEL_TAGGED:
		for (uint32_t i = 0; i < dir->n_tags; i++)
			dev_set_add(set, dir->tags[i].device);
		break;
	case SEL_INTERNET: /* these are destinations only, or nobody */
	case SEL_SELF:
	case SEL_DNS:
	case SEL_NOBODY:
	case SEL_LOADED:
	case SEL_KIND_MAX:
		break;
	}
}

void directory_sources(const struct directory *dir, const uint64_t *devices, uint64_t *set)
{
	for (uint32_t w = 0; w < dir->n_words; w++) {
		for (uint64_t left = devices[w]; left != 0; left &= left - 1) {
			uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(left);

			for (uint32_t s = dir->first_source[i]; s < dir->first_source[i + 1]; s++)
				dev_set_add(set, s);
		}
	}
}

void directory_devices(const struct directory *dir, const uint64_t *sources, uint64_t *set)
{
	for (uint32_t w = 0; w < dir->n_source_words; w++) {
		for (uint64_t left = sources[w]; left != 0; left &= left - 1)
			dev_set_add(set, dir->device_of[w * 64 + (uint32_t)__builtin_ctzll(left)]);
	}
}

int directory_select_sources(const struct directory *dir, const struct selector *sels, uint32_t n, uint64_t *set)
{
	CLEANUP(freep) uint64_t *devices = calloc(dir->n_words, sizeof(*devices));

	if (devices == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (sels[i].kind == SEL_PREFIX || sels[i].kind == SEL_RANGES)
			select_addrs(dir, &sels[i], AS_SOURCES, set);
		else
			directory_select(dir, &sels[i], devices);
	}
	directory_sources(dir, devices, set);
	return 0;
}

void range_list_done(struct range_list *l)
{
	free(l->items);
	*l = (struct range_list){ 0 };
}

int range_list_add(struct range_list *l, const struct ip_range *ranges, uint32_t n)
{
	if (l->cap - l->n < n) {
		uint32_t cap = l->cap * 2 > l->n + n ? l->cap * 2 : l->n + n + 8;
		struct ip_range *items = reallocarray(l->items, cap, sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	if (n != 0)
		memcpy(l->items + l->n, ranges, n * sizeof(*ranges));
	l->n += n;
	return 0;
}

/* Addresses of the devices that @sel means; those of devices that are not active are cut out later, for every rule. */
static int add_devices(const struct directory *dir, const struct selector *sel, struct range_list *ret)
{
	CLEANUP(freep) uint64_t *set = calloc(dir->n_words, sizeof(*set));

	if (set == NULL)
		return -ENOMEM;
	directory_select(dir, sel, set);
	for (uint32_t i = 0; i < dir->n_devices; i++) {
		const struct doc_device *dev = dir->devices[i];

		for (uint32_t k = 0; dev_set_has(set, i) && k < dev->n_addrs; k++) {
			struct ip_range one = { .first = dev->addrs[k], .last = dev->addrs[k] };

			if (!ip_addr_is_loopback(&one.first) && range_list_add(ret, &one, 1) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* What @ranges (sorted, disjoint) has in common with the open space. */
static int add_open(const struct directory *dir, const struct ip_range *ranges, uint32_t n, struct range_list *ret)
{
	uint32_t i = 0, k = 0;

	while (i < n && k < dir->n_open) {
		const struct ip_range *a = &ranges[i], *b = &dir->open[k];
		struct ip_range both = {
			.first = ip_addr_cmp(&a->first, &b->first) > 0 ? a->first : b->first,
			.last = ip_addr_cmp(&a->last, &b->last) < 0 ? a->last : b->last,
		};

		if (ip_addr_cmp(&both.first, &both.last) <= 0 && range_list_add(ret, &both, 1) < 0)
			return -ENOMEM;
		if (ip_addr_cmp(&a->last, &b->last) < 0)
			i++;
		else
			k++;
	}
	return 0;
}

static int add_wide(const struct directory *dir, const struct ip_range *ranges, uint32_t n, bool narrow,
		    struct dst_ranges *ret)
{
	return narrow ? add_open(dir, ranges, n, &ret->wide) : range_list_add(&ret->wide, ranges, n);
}

static int add_any(const struct directory *dir, bool narrow, struct dst_ranges *ret)
{
	static const struct ip_prefix all[] = { { .addr = { .family = IP_V4 } }, { .addr = { .family = IP_V6 } } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct ip_range range = ip_prefix_range(&all[i]);

		if (add_wide(dir, &range, 1, narrow, ret) < 0)
			return -ENOMEM;
	}
	return narrow ? range_list_add(&ret->wide, dir->routed, dir->n_routed) : 0;
}

static int add_prefix(const struct directory *dir, const struct ip_prefix *prefix, bool narrow, struct dst_ranges *ret)
{
	struct ip_range range = ip_prefix_range(prefix);

	if (prefix->len == 0)
		return add_wide(dir, &range, 1, narrow, ret);
	return range_list_add(&ret->named, &range, 1);
}

/* What was not supplied (lenient compilation) is empty: such a plan is not used. */
static int add_loaded(const struct directory *dir, uint32_t need, bool narrow, struct dst_ranges *ret)
{
	const struct prefix_source *s = compile_prefixes(dir->env, &dir->policy->needs[need]);

	return s != NULL ? add_wide(dir, s->ranges, s->n_ranges, narrow, ret) : 0;
}

static int add_steps(const struct directory *dir, const struct selector *sel, bool narrow, struct dst_ranges *ret)
{
	struct dst_ranges set = { 0 };
	int r = steps_resolve(dir, sel->steps, sel->n_steps, &set);

	if (r == 0)
		r = range_list_add(&ret->named, set.named.items, set.named.n);
	if (r == 0)
		r = add_wide(dir, set.wide.items, set.wide.n, narrow, ret);
	range_list_done(&set.named);
	range_list_done(&set.wide);
	return r;
}

int directory_ranges(const struct directory *dir, const struct selector *sel, bool narrow, struct dst_ranges *ret)
{
	switch (sel->kind) {
	case SEL_ANY:
		return add_any(dir, narrow, ret);
	case SEL_INTERNET:
		return add_wide(dir, dir->internet, dir->n_internet, narrow, ret);
	case SEL_PREFIX:
		return add_prefix(dir, &sel->prefix, narrow, ret);
	case SEL_LOADED:
		return add_loaded(dir, sel->need, narrow, ret);
	case SEL_RANGES:
		if (sel->steps != NULL)
			return add_steps(dir, sel, narrow, ret);
		if (range_list_add(&ret->named, sel->ranges, sel->n_ranges) < 0)
			return -ENOMEM;
		return add_wide(dir, sel->wide, sel->n_wide, narrow, ret);
	case SEL_USER:
	case SEL_GROUP:
	case SEL_TAG:
	case SEL_MEMBER:
	case SEL_TAGGED:
	case SEL_DOMAIN:
		return add_devices(dir, sel, &ret->named);
	case SEL_SELF:
	case SEL_DNS: /* opened by what is learned, not here */
	case SEL_NOBODY:
	case SEL_KIND_MAX:
		break;
	}
	return 0;
}
