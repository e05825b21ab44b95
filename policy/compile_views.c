/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filters, logs and rules with names to the plan's views. Called by compile.c; feeds lower_dns.c.
 *
 * Of "filters" the first whose src matches a device is its filter. Of "logs" the first that matches and says "flows"
 * decides flows, the first that says "queries" decides queries. */
#include "policy/schedule.h"
#include "policy/views.h"

#include <inttypes.h>

static int select_all(struct arena *tmp, const struct directory *dir, const struct selector *srcs, uint32_t n,
		      uint64_t **ret)
{
	uint64_t *set = arena_array(tmp, dir->n_words, sizeof(*set));

	if (set == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		directory_select(dir, &srcs[i], set);
	*ret = set;
	return 0;
}

static int attrs_filters(struct arena *tmp, const struct directory *dir, const struct doc_policy *p,
			 struct device_attrs *attrs)
{
	/* From the last to the first, so that the first has the last word. */
	for (uint32_t f = p->n_filters; f-- > 0;) {
		uint64_t *set;

		if (!schedule_holds(p, dir->env, &p->filters[f].when))
			continue;
		if (select_all(tmp, dir, p->filters[f].srcs, p->filters[f].n_srcs, &set) < 0)
			return -ENOMEM;
		for (uint32_t i = 0; i < dir->n_devices; i++) {
			if (!dev_set_has(set, i))
				continue;
			attrs[i].filter = f + 1;
			attrs[i].resolve_first = p->filters[f].resolve_first;
		}
	}
	return 0;
}

static int attrs_logs(struct arena *tmp, const struct directory *dir, const struct doc_policy *p,
		      struct device_attrs *attrs)
{
	for (uint32_t l = p->n_logs; l-- > 0;) {
		uint64_t *set;

		if (select_all(tmp, dir, p->logs[l].srcs, p->logs[l].n_srcs, &set) < 0)
			return -ENOMEM;
		for (uint32_t i = 0; i < dir->n_devices; i++) {
			if (!dev_set_has(set, i))
				continue;
			if (p->logs[l].has_flows)
				attrs[i].flows = p->logs[l].flows;
			if (p->logs[l].has_queries)
				attrs[i].queries = p->logs[l].queries;
		}
	}
	/* "blocked" asks for what was refused; conntrack knows only what passed, so its events stay off. */
	for (uint32_t i = 0; i < dir->n_devices; i++)
		attrs[i].record_flows = attrs[i].flows > LOG_LEVEL_BLOCKED;
	return 0;
}

int attrs_new(struct arena *tmp, const struct directory *dir, const struct doc_policy *p, struct device_attrs **ret)
{
	struct device_attrs *attrs = arena_array(tmp, dir->n_devices, sizeof(*attrs));

	if (attrs == NULL || attrs_filters(tmp, dir, p, attrs) < 0 || attrs_logs(tmp, dir, p, attrs) < 0)
		return -ENOMEM;
	*ret = attrs;
	return 0;
}

/* Numbers of those rules of the plan that have names, accept or refuse, and concern @device. */
static int view_rules(struct arena *mem, const struct ruleset *rules, uint32_t device, bool deny, const uint32_t **ret,
		      uint32_t *ret_n)
{
	uint32_t *items = NULL;
	uint32_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		n = 0;
		for (uint32_t i = 0; i < rules->n_rules; i++) {
			const struct ruleset_rule *r = &rules->rules[i];

			if (r->deny != deny || r->name_srcs == NULL || !dev_set_has(r->name_srcs, device))
				continue;
			for (uint32_t k = r->first; k < r->first + r->n_parts; k++) {
				if (rules->plan_rules[k].n_names == 0)
					continue;
				if (items != NULL)
					items[n] = k;
				n++;
			}
		}
		if (items == NULL)
			items = arena_array(mem, n, sizeof(*items));
		if (items == NULL)
			return -ENOMEM;
	}
	*ret = items;
	*ret_n = n;
	return 0;
}

/* Numbers of those that close addresses for @device: the first part of each rule has them. */
static int view_closed(struct arena *mem, const struct ruleset *rules, uint32_t device, struct plan_view *view)
{
	uint32_t *items;
	uint32_t n = 0;

	for (uint32_t i = 0; i < rules->n_rules; i++)
		n += rules->rules[i].closed_srcs != NULL && dev_set_has(rules->rules[i].closed_srcs, device);
	items = arena_array(mem, n, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rules->n_rules; i++) {
		const struct ruleset_rule *r = &rules->rules[i];

		if (r->closed_srcs != NULL && dev_set_has(r->closed_srcs, device))
			items[view->n_deny_addrs++] = r->first;
	}
	view->deny_addrs = items;
	return 0;
}

static int strings_copy(struct arena *mem, const char *const *from, const char *const **ret)
{
	const char **copy;
	uint32_t n = 0;

	while (from != NULL && from[n] != NULL)
		n++;
	copy = arena_array(mem, (size_t)n + 1, sizeof(const char *));
	if (copy == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		copy[i] = arena_strdup(mem, from[i]);
		if (copy[i] == NULL)
			return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

static const uint32_t *numbers_copy(struct arena *mem, const uint32_t *from, uint32_t n, bool *failed)
{
	uint32_t *copy = arena_array(mem, n, sizeof(*copy));

	if (copy == NULL)
		*failed = true;
	else if (n != 0)
		memcpy(copy, from, n * sizeof(*copy));
	return copy;
}

static int view_filter(struct arena *mem, const struct doc_policy *p, uint32_t filter, struct plan_view *view)
{
	const struct doc_filter *f;
	bool failed = false;

	view->block_ttl_s = BLOCK_TTL_S;
	if (filter == 0)
		return strings_copy(mem, NULL, &view->block) < 0 ? -ENOMEM : strings_copy(mem, NULL, &view->allow);
	f = &p->filters[filter - 1];
	view->block_ttl_s = f->block_ttl_s;
	view->block_reason = f->block_reason;
	memcpy(view->block_addrs, f->block_addrs, sizeof(view->block_addrs));
	view->filter_pos = arena_printf(mem, "/dns/filters/%" PRIu32, filter - 1);
	view->lists = numbers_copy(mem, f->lists, f->n_lists, &failed);
	view->n_lists = f->n_lists;
	view->safe = numbers_copy(mem, f->safe, f->n_safe, &failed);
	view->n_safe = f->n_safe;
	if (view->filter_pos == NULL || failed)
		return -ENOMEM;
	view->block_mode = f->block_mode;
	view->resolve_first = f->resolve_first;
	view->route = f->route;
	return strings_copy(mem, f->block_rules, &view->block) < 0 ? -ENOMEM
								   : strings_copy(mem, f->allow_rules, &view->allow);
}

static int view_make(struct arena *mem, const struct directory *dir, const struct ruleset *rules,
		     const struct device_attrs *attrs, uint32_t device, struct plan_view *view)
{
	view->queries = attrs->queries;
	view->record_flows = attrs->record_flows;
	if (view_rules(mem, rules, device, false, &view->grants, &view->n_grants) < 0 ||
	    view_rules(mem, rules, device, true, &view->denies, &view->n_denies) < 0 ||
	    view_closed(mem, rules, device, view) < 0)
		return -ENOMEM;
	return view_filter(mem, dir->policy, attrs->filter, view);
}

int plan_views_new(struct arena *mem, struct arena *tmp, const struct directory *dir, const struct ruleset *rules,
		   const struct device_attrs *attrs, struct plan *plan, const uint32_t **ret_view_of)
{
	uint32_t *keys = arena_array(tmp, dir->n_devices, sizeof(*keys));
	struct partition parts;
	struct plan_view *views;
	uint32_t made = 0;

	if (keys == NULL || partition_init(&parts, tmp, dir->n_devices) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < dir->n_devices; i++)
		keys[i] = (attrs[i].filter * LOG_LEVEL_MAX + attrs[i].queries) * 2 + attrs[i].record_flows;
	if (partition_by_key(&parts, keys) < 0)
		return -ENOMEM;
	for (uint32_t r = 0; r < rules->n_rules; r++) {
		if (rules->rules[r].name_srcs != NULL)
			partition_by_set(&parts, rules->rules[r].name_srcs);
		if (rules->rules[r].closed_srcs != NULL)
			partition_by_set(&parts, rules->rules[r].closed_srcs);
	}
	partition_number(&parts);
	views = arena_array(mem, parts.n_parts, sizeof(*views));
	if (views == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < dir->n_devices; i++) {
		/* Parts are numbered by first appearance: the next new one is number .made. */
		if (parts.part[i] != made)
			continue;
		if (view_make(mem, dir, rules, &attrs[i], i, &views[made++]) < 0)
			return -ENOMEM;
	}
	plan->views = views;
	plan->n_views = parts.n_parts;
	*ret_view_of = parts.part;
	return 0;
}
