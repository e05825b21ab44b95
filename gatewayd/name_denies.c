/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/name_denies.h"

/* Some name matches both. */
static bool patterns_meet(const struct name_pattern *a, const struct name_pattern *b)
{
	if (!a->below)
		return name_pattern_match(b, &a->name);
	if (!b->below)
		return name_pattern_match(a, &b->name);
	return dname_in(&a->name, &b->name) || dname_in(&b->name, &a->name);
}

static bool rules_meet(const struct plan_rule *a, const struct plan_rule *b)
{
	for (uint32_t i = 0; i < a->n_names; i++) {
		for (uint32_t k = 0; k < b->n_names; k++) {
			if (patterns_meet(&a->names[i], &b->names[k]))
				return true;
		}
	}
	return false;
}

static const struct plan_view *view_of(const struct plan *p, const struct ip_addr *client)
{
	const struct plan_device *d = plan_device_find(p, client);

	return d != NULL && d->view_id < p->n_views ? &p->views[d->view_id] : NULL;
}

static bool had_deny(const struct plan *old, const struct plan_view *was, uint32_t mark)
{
	for (uint32_t i = 0; was != NULL && i < was->n_denies; i++) {
		if (old->rules[was->denies[i]].mark == mark)
			return true;
	}
	return false;
}

const struct plan_rule *name_denied_since(const struct plan *p, const struct plan *old, const struct ip_addr *client,
					  const struct plan_rule *grant)
{
	const struct plan_view *view = old != NULL ? view_of(p, client) : NULL;
	const struct plan_view *was = view != NULL ? view_of(old, client) : NULL;

	for (uint32_t i = 0; view != NULL && i < view->n_denies; i++) {
		const struct plan_rule *deny = &p->rules[view->denies[i]];

		if (rules_meet(deny, grant) && !had_deny(old, was, deny->mark))
			return deny;
	}
	return NULL;
}
