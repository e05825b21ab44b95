/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by lower_dns.c; filter/view_addrs.c reads it. Sets of one step that adds, which are most, are told without
 * the step: by source, and all their ranges as one list. */
#include "policy/lower_closed.h"

static void add_ranges(struct json_out *j, cJSON *to, const struct ip_range *ranges, uint32_t n)
{
	cJSON *list = n != 0 ? json_array(j, to, "ranges") : NULL;
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; i < n; i++) {
		cJSON *pair = json_array(j, list, NULL);

		json_string(j, pair, NULL, ip_addr_print(&ranges[i].first, text));
		json_string(j, pair, NULL, ip_addr_print(&ranges[i].last, text));
	}
}

static void add_steps(struct json_out *j, cJSON *list, const struct plan_addr_step *steps, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		cJSON *o = json_object(j, list, NULL);

		if (steps[i].remove)
			json_bool(j, o, "remove", true);
		if (steps[i].source != NULL)
			json_string(j, o, "prefixes", steps[i].source);
		add_ranges(j, o, steps[i].ranges, steps[i].n_ranges);
		if (steps[i].n_nested != 0)
			add_steps(j, json_array(j, o, "set"), steps[i].nested, steps[i].n_nested);
	}
}

static bool is_plain(const struct plan_addr_set *set)
{
	return set->n == 1 && !set->steps[0].remove && set->steps[0].n_nested == 0;
}

/* The ranges of all plain sets as one list. */
static void add_plain_ranges(struct json_out *j, cJSON *o, const struct plan_rule *r)
{
	CLEANUP(freep) struct ip_range *all = NULL;
	size_t n = 0, at = 0;

	for (uint32_t i = 0; i < r->n_closed; i++)
		n += is_plain(&r->closed[i]) ? r->closed[i].steps[0].n_ranges : 0;
	if (n == 0)
		return;
	all = calloc(n, sizeof(*all));
	if (all == NULL) {
		j->failed = true;
		return;
	}
	for (uint32_t i = 0; i < r->n_closed; i++) {
		const struct plan_addr_step *step = &r->closed[i].steps[0];

		if (!is_plain(&r->closed[i]) || step->n_ranges == 0)
			continue;
		memcpy(all + at, step->ranges, step->n_ranges * sizeof(*all));
		at += step->n_ranges;
	}
	add_ranges(j, o, all, (uint32_t)ip_ranges_normalize(all, n));
}

void lower_closed(struct json_out *j, cJSON *rule, const struct plan_rule *r)
{
	cJSON *sources = NULL, *sets = NULL;

	for (uint32_t i = 0; i < r->n_closed; i++) {
		const struct plan_addr_set *set = &r->closed[i];

		if (is_plain(set) && set->steps[0].source != NULL) {
			if (sources == NULL)
				sources = json_array(j, rule, "prefixes");
			json_string(j, sources, NULL, set->steps[0].source);
		}
	}
	add_plain_ranges(j, rule, r);
	for (uint32_t i = 0; i < r->n_closed; i++) {
		if (is_plain(&r->closed[i]))
			continue;
		if (sets == NULL)
			sets = json_array(j, rule, "sets");
		add_steps(j, json_array(j, sets, NULL), r->closed[i].steps, r->closed[i].n);
	}
}
