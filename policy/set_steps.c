/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ipsets whose ranges are known only at compilation: their steps, done in order. Called by compile_select.c. */
#include "policy/select.h"

/* The ranges of a step that is neither nested nor written out: empty when they were not supplied. */
static struct prefix_source loaded_ranges(const struct directory *dir, const struct set_step *step)
{
	const struct prefix_source *s = NULL;

	if (step->loaded)
		s = compile_prefixes(dir->env, &dir->policy->needs[step->need]);
	return s != NULL ? *s : (struct prefix_source){ 0 };
}

static void dst_ranges_done(struct dst_ranges *r)
{
	range_list_done(&r->named);
	range_list_done(&r->wide);
}

static void list_normalize(struct range_list *l)
{
	l->n = (uint32_t)ip_ranges_normalize(l->items, l->n);
}

/* Both normalized. */
static int list_subtract(struct range_list *from, const struct range_list *what)
{
	struct range_list left = { .cap = from->n + what->n };

	if (from->n == 0 || what->n == 0)
		return 0;
	left.items = reallocarray(NULL, left.cap, sizeof(*left.items));
	if (left.items == NULL)
		return -ENOMEM;
	left.n = (uint32_t)ip_ranges_subtract(from->items, from->n, what->items, what->n, left.items);
	range_list_done(from);
	*from = left;
	return 0;
}

static int step_ranges(const struct directory *dir, const struct set_step *s, struct dst_ranges *ret)
{
	struct prefix_source loaded = loaded_ranges(dir, s);

	if (steps_resolve(dir, s->nested, s->n_nested, ret) < 0 ||
	    range_list_add(&ret->named, s->named, s->n_named) < 0 ||
	    range_list_add(&ret->wide, s->wide, s->n_wide) < 0 ||
	    range_list_add(&ret->wide, loaded.ranges, loaded.n_ranges) < 0)
		return -ENOMEM;
	list_normalize(&ret->named);
	list_normalize(&ret->wide);
	return 0;
}

int steps_resolve(const struct directory *dir, const struct set_step *steps, uint32_t n, struct dst_ranges *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		CLEANUP(dst_ranges_done) struct dst_ranges one = { 0 };

		if (step_ranges(dir, &steps[i], &one) < 0)
			return -ENOMEM;
		if (!steps[i].remove) {
			if (range_list_add(&ret->named, one.named.items, one.named.n) < 0 ||
			    range_list_add(&ret->wide, one.wide.items, one.wide.n) < 0)
				return -ENOMEM;
			continue;
		}
		/* What is removed is gone, whichever way it came in. */
		list_normalize(&ret->named);
		list_normalize(&ret->wide);
		if (list_subtract(&ret->named, &one.named) < 0 || list_subtract(&ret->named, &one.wide) < 0 ||
		    list_subtract(&ret->wide, &one.named) < 0 || list_subtract(&ret->wide, &one.wide) < 0)
			return -ENOMEM;
	}
	list_normalize(&ret->named);
	list_normalize(&ret->wide);
	return 0;
}
