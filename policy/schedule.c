/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a compilation is given of the world beyond the two files: are the ranges and time zones there that the policy
 * names; which schedules are in force, and when does that change. Called by compile.c. */
#include "policy/schedule.h"

#define MINUTE_S 60
#define DAY_S	 (DAY_MINUTES * MINUTE_S)

static const char *const need_advice[] = {
	[PREFIX_GEO] = "name a country database: \"geo\": {\"country\": FILE} in gateway.hujson, or --geo FILE",
	[PREFIX_ASN] = "name a network database: \"geo\": {\"asn\": FILE} in gateway.hujson, or --asn FILE",
	[PREFIX_LIST] =
		"the list's file is not there yet: a gateway that runs downloads its url for the next reload; else "
		"put it at STATE/lists/NAME.txt, or --iplist NAME=FILE",
};
static_assert(ARRAY_LEN(need_advice) == PREFIX_KIND_MAX, "advice");

const struct prefix_source *compile_prefixes(const struct compile_env *env, const struct doc_need *need)
{
	for (uint32_t i = 0; i < env->n_prefixes; i++) {
		const struct prefix_source *s = &env->prefixes[i];

		if (s->kind == need->kind && strcmp(s->key, need->key) == 0)
			return s;
	}
	return NULL;
}

static bool needs_check(const struct doc_policy *p, const struct compile_env *env, struct diag_list *diags)
{
	bool good = true;

	for (uint32_t i = 0; i < p->n_needs; i++) {
		const struct doc_need *need = &p->needs[i];
		const struct prefix_source *s = compile_prefixes(env, need);

		if (s == NULL) {
			(void)diag_add(diags, env->lenient ? DIAG_WARNING : DIAG_ERROR,
				       env->lenient ? "P0911" : "P0910", p->src, need->span,
				       "%s: its addresses are not known here; %s", need->text,
				       env->no_prefixes != NULL ? env->no_prefixes : need_advice[need->kind]);
			good = good && env->lenient;
		} else if (s->n_ranges == 0) {
			(void)diag_add(diags, DIAG_WARNING, "P0912", p->src, need->span,
				       "%s matches nothing: there is no address of it in what was loaded", need->text);
		}
	}
	return good;
}

const struct zone_info *schedule_zone(const struct compile_env *env, const char *name)
{
	for (uint32_t i = 0; i < env->n_zones; i++)
		if (strcmp(env->zones[i].name, name) == 0)
			return &env->zones[i];
	return NULL;
}

/* UTC needs no database. */
static bool is_utc(const char *name)
{
	return strcmp(name, "UTC") == 0;
}

static bool zones_check(const struct doc_policy *p, const struct compile_env *env, struct diag_list *diags)
{
	bool good = true;

	for (uint32_t i = 0; i < p->n_zones; i++) {
		const struct doc_zone *z = &p->zones[i];
		const char *near;

		if (is_utc(z->name) || schedule_zone(env, z->name) != NULL)
			continue;
		near = env->zone_names != NULL ? diag_suggest(z->name, env->zone_names) : NULL;
		(void)diag_add(diags, DIAG_ERROR, "P0913", p->src, z->span,
			       "%s is no time zone of this system's database (tzdata)%s%s%s", z->name,
			       near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
			       near != NULL ? "\"?" : "");
		good = false;
	}
	return good;
}

int schedule_check(const struct doc_policy *p, const struct compile_env *env, struct diag_list *diags)
{
	bool needs = needs_check(p, env, diags), zones = zones_check(p, env, diags);

	return needs && zones ? 0 : -EINVAL;
}

/* Clocks at @at; @ret_until: the first moment at which that is no longer so, INT64_MAX = never. */
static int32_t zone_offset_at(const struct compile_env *env, const char *name, int64_t at, int64_t *ret_until)
{
	const struct zone_info *z = is_utc(name) ? NULL : schedule_zone(env, name);
	uint32_t i = 0;

	*ret_until = INT64_MAX;
	if (z == NULL || z->n_offsets == 0)
		return 0;
	while (i + 1 < z->n_offsets && z->offsets[i + 1].from_s <= at)
		i++;
	if (i + 1 < z->n_offsets)
		*ret_until = z->offsets[i + 1].from_s;
	return z->offsets[i].offset_s;
}

/* Floor, also below zero. */
static int64_t day_of(int64_t local_s)
{
	return local_s >= 0 ? local_s / DAY_S : -((-local_s + DAY_S - 1) / DAY_S);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The days around @at one by one: a period that began yesterday may still run, and within a week everything comes. */
static bool schedule_active(const struct doc_policy *p, const struct compile_env *env, const struct doc_schedule *s,
			    int64_t *next_s)
{
	int64_t until, local, today;
	int32_t offset = zone_offset_at(env, p->zones[s->zone].name, env->at_s, &until);
	bool active = false;

	local = env->at_s + offset;
	today = day_of(local);
	*next_s = earlier(*next_s, until);
	for (int64_t day = today - 1; day <= today + 8; day++) {
		int64_t start = day * DAY_S + s->from * MINUTE_S, end = start + s->minutes * MINUTE_S;

		/* 1970-01-01 was a Thursday. */
		if ((s->days >> (((day + 4) % 7 + 7) % 7) & 1) == 0)
			continue;
		active = active || (start <= local && local < end);
		if (start > local)
			*next_s = earlier(*next_s, start - offset);
		if (end > local)
			*next_s = earlier(*next_s, end - offset);
	}
	return active;
}

static bool when_holds(const struct doc_policy *p, const struct compile_env *env, const struct doc_when *when,
		       int64_t *next_s)
{
	bool holds = when->n == 0 || env->at_s == 0;

	for (uint32_t i = 0; env->at_s != 0 && i < when->n; i++)
		holds = schedule_active(p, env, &when->items[i], next_s) || holds;
	return holds;
}

bool schedule_holds(const struct doc_policy *p, const struct compile_env *env, const struct doc_when *when)
{
	int64_t next = INT64_MAX;

	return when_holds(p, env, when, &next);
}

int64_t schedule_next(const struct doc_policy *p, const struct compile_env *env)
{
	int64_t next = INT64_MAX;

	for (uint32_t i = 0; i < p->n_rules; i++)
		(void)when_holds(p, env, &p->rules[i].when, &next);
	for (uint32_t i = 0; i < p->n_filters; i++)
		(void)when_holds(p, env, &p->filters[i].when, &next);
	return next == INT64_MAX ? 0 : next;
}
