/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses that rules close: read from the views' JSON, and looked up. Called by view.c and verdict.c.
 *
 * A country or a list may have a million ranges: they are not in the JSON, and are not copied here. The JSON names
 * them, whoever calls has them mapped, and sets that combine them are asked step by step. */
#include "filter/view_addrs.h"

#include "filter/view_json.h"

#define SET_DEPTH_MAX 33u /* policy/ipset.h: IPSET_DEPTH_MAX, and the rule itself */

static bool ranges_hold(const struct ip_range *ranges, uint32_t n, const struct ip_addr *addr)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&ranges[mid].last, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && ip_range_contains(&ranges[lo], addr);
}

static bool steps_hold(const struct view_addr_step *steps, uint32_t n, const struct ip_addr *addr)
{
	bool in = false;

	for (uint32_t i = 0; i < n; i++) {
		const struct view_addr_step *s = &steps[i];

		/* It is so already. */
		if (in != s->remove)
			continue;
		if (ranges_hold(s->ranges, s->n_ranges, addr) || ranges_hold(s->loaded, s->n_loaded, addr) ||
		    steps_hold(s->nested, s->n_nested, addr))
			in = !s->remove;
	}
	return in;
}

bool view_rule_closes(const struct view_rule *rule, const struct ip_addr *addr)
{
	for (uint32_t i = 0; i < rule->n_closed; i++)
		if (steps_hold(rule->closed[i].steps, rule->closed[i].n, addr))
			return true;
	return false;
}

static int read_range(struct view_reader *r, const cJSON *j, struct ip_range *ret)
{
	const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(j, 0));
	const char *last = cJSON_GetStringValue(cJSON_GetArrayItem(j, 1));

	if (cJSON_GetArraySize(j) != 2 || first == NULL || last == NULL || ip_addr_parse(first, &ret->first) < 0 ||
	    ip_addr_parse(last, &ret->last) < 0 || ret->first.family != ret->last.family ||
	    ip_addr_cmp(&ret->first, &ret->last) > 0)
		return view_bad(r, "no range of addresses");
	return 0;
}

/* [["10.0.0.0", "10.255.255.255"], …]: member "ranges" of @o, in order. */
static int read_ranges(struct view_reader *r, const cJSON *o, const char *where, struct view_addr_step *ret)
{
	struct view_items a = { 0 };
	struct ip_range *ranges;
	const cJSON *j;
	uint32_t i = 0;
	int err;

	if (view_member(r, o, where, "ranges") == NULL)
		return 0;
	err = view_array(r, o, where, "ranges", sizeof(*ranges), &a);
	if (err < 0)
		return err;
	ranges = a.room;
	cJSON_ArrayForEach(j, a.json)
	{
		err = read_range(r, j, &ranges[i]);
		if (err < 0)
			return err;
		/* They are searched. */
		if (i != 0 && ip_addr_cmp(&ranges[i - 1].last, &ranges[i].first) >= 0)
			return view_bad(r, "ranges out of order");
		i++;
	}
	ret->ranges = ranges;
	ret->n_ranges = a.n;
	return 0;
}

static void prefixes_find(struct view_reader *r, const char *key, struct view_addr_step *ret)
{
	for (uint32_t i = 0; i < r->n_prefixes; i++) {
		if (strcmp(r->prefixes[i].key, key) != 0)
			continue;
		ret->loaded = r->prefixes[i].ranges;
		ret->n_loaded = r->prefixes[i].n_ranges;
		return;
	}
	r->v->n_unknown++;
}

static int read_steps(struct view_reader *r, const cJSON *list, const char *where, unsigned int depth,
		      struct view_addr_set *ret);

/* {"remove": true, "ranges": …}, {"prefixes": "geo:KP"}, {"set": [step, …]} */
static int read_step(struct view_reader *r, const cJSON *o, const char *where, unsigned int depth,
		     struct view_addr_step *ret)
{
	const cJSON *prefixes = view_member(r, o, where, "prefixes"), *set;
	struct view_addr_set nested = { 0 };
	int err;

	if (!cJSON_IsObject(o) || (prefixes != NULL && !cJSON_IsString(prefixes)))
		return view_bad(r, "no step of a set");
	if (prefixes != NULL)
		prefixes_find(r, prefixes->valuestring, ret);
	ret->remove = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "remove"));
	err = read_ranges(r, o, where, ret);
	set = view_member(r, o, where, "set");
	if (err == 0 && set != NULL)
		err = read_steps(r, set, where, depth + 1, &nested);
	ret->nested = nested.steps;
	ret->n_nested = nested.n;
	return err;
}

static int read_steps(struct view_reader *r, const cJSON *list, const char *where, unsigned int depth,
		      struct view_addr_set *ret)
{
	uint32_t n = (uint32_t)cJSON_GetArraySize(list), i = 0;
	struct view_addr_step *steps = arena_array(r->v->mem, (size_t)n + 1, sizeof(*steps));
	const cJSON *j;

	if (!cJSON_IsArray(list) || depth > SET_DEPTH_MAX)
		return view_bad(r, "no set of addresses");
	if (steps == NULL)
		return view_no_memory(r);
	cJSON_ArrayForEach(j, list)
	{
		int err = read_step(r, j, where, depth, &steps[i++]);

		if (err < 0)
			return err;
	}
	*ret = (struct view_addr_set){ .steps = steps, .n = n };
	return 0;
}

/* "prefixes" and "ranges" of the rule, together one set. */
static int read_plain(struct view_reader *r, const cJSON *o, const char *where, struct view_addr_set *ret)
{
	const char *const *keys = NULL;
	uint32_t n = 0;
	struct view_addr_step *steps;
	int err = view_member(r, o, where, "prefixes") != NULL ? view_strings(r, o, where, "prefixes", &keys, &n) : 0;

	if (err < 0)
		return err;
	steps = arena_array(r->v->mem, (size_t)n + 1, sizeof(*steps));
	if (steps == NULL)
		return view_no_memory(r);
	for (uint32_t i = 0; i < n; i++)
		prefixes_find(r, keys[i], &steps[i]);
	err = read_ranges(r, o, where, &steps[n]);
	*ret = (struct view_addr_set){ .steps = steps, .n = n + 1 };
	return err;
}

int view_addrs_read(struct view_reader *r, const cJSON *o, const char *where, struct view_rule *ret)
{
	const cJSON *list, *j;
	struct view_addr_set *sets;
	uint32_t n, i = 1;
	int err;

	if (cJSON_GetObjectItemCaseSensitive(o, "prefixes") == NULL &&
	    cJSON_GetObjectItemCaseSensitive(o, "ranges") == NULL &&
	    cJSON_GetObjectItemCaseSensitive(o, "sets") == NULL)
		return 0;
	list = cJSON_GetObjectItemCaseSensitive(o, "sets");
	n = list != NULL ? (uint32_t)cJSON_GetArraySize(list) : 0;
	sets = arena_array(r->v->mem, (size_t)n + 1, sizeof(*sets));
	if (sets == NULL)
		return view_no_memory(r);
	err = read_plain(r, o, where, &sets[0]);
	(void)view_member(r, o, where, "sets");
	cJSON_ArrayForEach(j, list)
	{
		if (err == 0)
			err = read_steps(r, j, where, 1, &sets[i++]);
	}
	ret->closed = sets;
	ret->n_closed = n + 1;
	return err;
}
