/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents to plan: the order of the work. Called by gatewayd on reload and by the command; feeds all lower_*.c.
 *
 *   directory  who is who: devices by user, tag, address (compile_select.c)
 *   rules      sources to sets of devices, destinations to address lists, marks (ruleset.c, dst_lists.c), and the cells
 *              into which these lists divide the address space (dst_cells.c)
 *   classes    sources (addresses of devices) that no rule tells apart, found by partition refinement (partition.c)
 *   boxes      what each class may do with each cell; cells that nobody tells apart become one destination (boxes.c)
 *   parts      the same for what classes share (compile_parts.c)
 *   views      the same for DNS (compile_views.c)
 *
 * Layers, each with destinations of its own, so that none multiplies the other: rules whose destinations are wide do
 * not cut those that others name (there are few of the former, and their boxes are shared by all classes that the same
 * ones concern), and who has many named destinations does not pay for each piece of `*`. Named destinations that others
 * cut into many pieces go by list (members.c). A look-up of its own, by user, is autogroup:self.
 *
 * The plan is canonical: devices by first address, classes and views by their first device, destinations by their first
 * address, rules by section and index. It borrows nothing from the documents. */
#include "policy/compile.h"

#include "policy/compile_parts.h"
#include "policy/compile_plan.h"
#include "policy/members.h"
#include "policy/schedule.h"

struct compiler {
	struct arena *mem, *tmp;
	const struct doc_policy *p;
	const struct directory *dir;
	struct ruleset rules;
	struct device_attrs *attrs;
	struct plan *plan;
};

static int check_ranges(const struct compiler *c, struct diag_list *diags)
{
	uint64_t members = 0;

	for (uint32_t i = 0; i < c->plan->members.n_levels; i++)
		members += c->plan->members.levels[i].n_ranges;
	if (c->plan->named.n_ranges <= PLAN_RANGES_MAX && c->plan->wide.n_ranges <= PLAN_RANGES_MAX &&
	    members <= PLAN_RANGES_MAX)
		return 0;
	diag_add(diags, DIAG_ERROR, "P0905", c->p->src, (struct span){ 0 },
		 "the destinations of the policy are more than %u ranges of addresses", PLAN_RANGES_MAX);
	return -E2BIG;
}

static int check_limits(const struct doc_policy *p, const struct doc_devices *d, struct diag_list *diags)
{
	if (d->n_devices > PLAN_DEVICES_MAX) {
		diag_add(diags, DIAG_ERROR, "P0901", d->src, (struct span){ 0 }, "more than %u devices",
			 PLAN_DEVICES_MAX);
		return -E2BIG;
	}
	if (p->n_rules > PLAN_RULES_MAX) {
		diag_add(diags, DIAG_ERROR, "P0902", p->src, (struct span){ 0 }, "more than %u rules", PLAN_RULES_MAX);
		return -E2BIG;
	}
	return 0;
}

static bool check_group(const struct compiler *c, const struct selector *sel, struct diag_list *diags)
{
	if (sel->kind != SEL_GROUP || directory_group(c->dir, sel->name) != NULL)
		return true;
	diag_add(diags, DIAG_ERROR, "P0903", c->p->src, sel->span, "group \"%s\" is not defined", sel->name);
	return false;
}

/* A name that means nobody is harmless in a grant and a hole in a deny: refused everywhere. */
static int check_names(const struct compiler *c, struct diag_list *diags)
{
	bool good = true;

	for (uint32_t i = 0; i < c->p->n_rules; i++) {
		const struct doc_rule *r = &c->p->rules[i];

		for (uint32_t k = 0; k < r->n_srcs; k++)
			good = check_group(c, &r->srcs[k], diags) && good;
		for (uint32_t k = 0; k < r->n_dsts; k++)
			good = check_group(c, &r->dsts[k].sel, diags) && good;
	}
	return good ? 0 : -EINVAL;
}

/* Without the way out that a rule asks for its packets would leave by another. */
static int check_egress(const struct compiler *c, const struct compile_env *env, struct diag_list *diags)
{
	const char **names = env->egress != NULL ? arena_array(c->tmp, env->egress->n + 1u, sizeof(*names)) : NULL;
	bool good = true;

	if (env->egress == NULL)
		return 0;
	if (names == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < env->egress->n; i++)
		names[i] = env->egress->items[i].name;
	for (uint32_t i = 0; i < c->p->n_rules; i++) {
		const struct doc_rule *r = &c->p->rules[i];
		const char *near;

		if (r->egress == NULL || egress_find(env->egress, r->egress) != NULL)
			continue;
		near = diag_suggest(r->egress, names);
		(void)diag_add(diags, DIAG_ERROR, "P1209", c->p->src, r->egress_span,
			       "the gateway has no egress \"%s\"%s%s%s: define it in gateway.hujson", r->egress,
			       near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
			       near != NULL ? "\"?" : "");
		good = false;
	}
	return good ? 0 : -EINVAL;
}

/* By what is said of devices by name: for each rule that does, the sources of its devices. */
static int split_by_names(const struct compiler *c, struct partition *parts)
{
	CLEANUP(freep) uint64_t *set = calloc(c->dir->n_source_words, sizeof(*set));

	if (set == NULL)
		return -ENOMEM;
	for (uint32_t r = 0; r < c->rules.n_rules; r++) {
		if (c->rules.rules[r].name_srcs == NULL)
			continue;
		memset(set, 0, c->dir->n_source_words * sizeof(*set));
		directory_sources(c->dir, c->rules.rules[r].name_srcs, set);
		if (memcmp(set, c->rules.rules[r].srcs, c->dir->n_source_words * sizeof(*set)) != 0)
			partition_by_set(parts, set);
	}
	return 0;
}

static int split_classes(const struct compiler *c, struct partition *parts)
{
	uint32_t *keys = arena_array(c->tmp, c->dir->n_addrs, sizeof(*keys));

	if (keys == NULL || partition_init(parts, c->tmp, c->dir->n_addrs) < 0)
		return -ENOMEM;
	for (uint32_t s = 0; s < c->dir->n_addrs; s++) {
		const struct device_attrs *attrs = &c->attrs[c->dir->device_of[s]];

		if (dev_set_has(c->dir->active_sources, s))
			keys[s] = 1u | (attrs->resolve_first ? 2u : 0) | (attrs->record_flows ? 4u : 0);
	}
	if (partition_by_key(parts, keys) < 0)
		return -ENOMEM;
	for (uint32_t r = 0; r < c->rules.n_rules; r++)
		partition_by_set(parts, c->rules.rules[r].srcs);
	if (split_by_names(c, parts) < 0)
		return -ENOMEM;
	partition_number(parts);
	return 0;
}

static int class_names(const struct compiler *c, uint32_t device, struct plan_class *class)
{
	uint32_t *items = NULL;
	uint32_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		n = 0;
		for (uint32_t r = 0; r < c->rules.n_rules; r++) {
			const struct ruleset_rule *rule = &c->rules.rules[r];

			if (rule->deny || rule->name_srcs == NULL || !dev_set_has(rule->name_srcs, device))
				continue;
			for (uint32_t k = rule->first; k < rule->first + rule->n_parts; k++) {
				if (c->rules.plan_rules[k].n_names == 0)
					continue;
				if (items != NULL)
					items[n] = k;
				n++;
			}
		}
		if (items == NULL)
			items = arena_array(c->mem, n, sizeof(*items));
		if (items == NULL)
			return -ENOMEM;
	}
	class->name_rules = items;
	class->n_name_rules = n;
	return 0;
}

/* @source stands for its class. */
static int class_make(struct compiler *c, uint32_t source, struct plan_class *class)
{
	uint32_t device = c->dir->device_of[source];

	if (!dev_set_has(c->dir->active, device)) {
		class->quarantined = true;
		return 0;
	}
	class->resolve_first = c->attrs[device].resolve_first;
	class->record_flows = c->attrs[device].record_flows;
	return class_names(c, device, class);
}

/* @ret_first: the first source of each class. */
static int classes_new(struct compiler *c, const uint32_t **ret_class_of, const uint32_t **ret_first)
{
	struct plan_class *classes;
	struct partition parts;
	uint32_t made = 0, *first;

	if (split_classes(c, &parts) < 0)
		return -ENOMEM;
	classes = arena_array(c->mem, parts.n_parts, sizeof(*classes));
	first = arena_array(c->tmp, parts.n_parts, sizeof(*first));
	if (classes == NULL || first == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->dir->n_addrs; i++) {
		/* Parts are numbered by first appearance: the next new one is number .made. */
		if (parts.part[i] != made)
			continue;
		if (class_make(c, i, &classes[made]) < 0)
			return -ENOMEM;
		classes[made].id = made + 1;
		first[made++] = i;
	}
	c->plan->classes = classes;
	c->plan->n_classes = parts.n_parts;
	*ret_class_of = parts.part;
	*ret_first = first;
	return 0;
}

/* Owners of the named layer: each class, and its autogroup:self behind it. */
static int named_fill(const struct compiler *c, const uint32_t *first, struct box_table *t)
{
	CLEANUP(clause_list_done) struct clause_list l = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < c->plan->n_classes && r == 0; i++) {
		if (c->plan->classes[i].quarantined)
			continue;
		r = ruleset_clauses(&c->rules, first[i], LAYER_WIDE, LAYER_NAMED, &l);
		if (r == 0)
			r = box_table_add(t, i * 2, l.items, l.n, LAYER_NAMED);
		if (r == 0)
			r = ruleset_clauses(&c->rules, first[i], LAYER_WIDE, LAYER_SELF, &l);
		if (r == 0)
			r = box_table_add(t, i * 2 + 1, l.items, l.n, LAYER_SELF);
	}
	return r;
}

static int named_boxes(struct compiler *c, const uint32_t *first, struct plan_class *classes)
{
	CLEANUP(box_table_done) struct box_table t = { 0 };
	struct box_list *lists = NULL;
	int r = box_table_init(&t, &c->rules.cells, c->rules.lists.n, PLAN_BOXES_MAX);

	if (r == 0)
		r = named_fill(c, first, &t);
	if (r == 0)
		r = box_table_finish(&t, c->mem, c->plan->n_classes * 2, &c->plan->named, &lists);
	for (uint32_t i = 0; i < c->plan->n_classes && r == 0; i++) {
		classes[i].boxes = lists[i * 2].boxes;
		classes[i].n_boxes = lists[i * 2].n;
		classes[i].self = lists[i * 2 + 1].boxes;
		classes[i].n_self = lists[i * 2 + 1].n;
	}
	return r;
}

static int classes_fill(struct compiler *c, const uint32_t *first)
{
	struct plan_class *classes = arena_array(c->mem, c->plan->n_classes, sizeof(*classes));
	int r;

	if (classes == NULL)
		return -ENOMEM;
	if (c->plan->n_classes != 0)
		memcpy(classes, c->plan->classes, c->plan->n_classes * sizeof(*classes));
	r = named_boxes(c, first, classes);
	if (r == 0)
		r = plan_parts_new(c->mem, c->tmp, &c->rules, first, c->plan, classes);
	c->plan->classes = classes;
	return r;
}

/* Numbers of users that have active devices, where somebody asks for autogroup:self. */
static int users_number(const struct compiler *c, uint32_t **ret)
{
	uint32_t *numbers = arena_array(c->tmp, c->dir->n_devices, sizeof(*numbers)), *ids;
	uint32_t n = 0;
	bool self = false;

	if (numbers == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->plan->n_classes; i++)
		self = self || c->plan->classes[i].n_self != 0;
	for (uint32_t u = 0; u < c->dir->n_users && self; u++) {
		const struct dir_name *user = &c->dir->users[u];

		n += u == 0 || strcmp(user->name, user[-1].name) != 0;
		if (dev_set_has(c->dir->active, user->device))
			numbers[user->device] = n;
	}
	ids = arena_array(c->mem, n, sizeof(*ids));
	if (ids == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = i + 1;
	c->plan->user_ids = ids;
	c->plan->n_users = n;
	*ret = numbers;
	return 0;
}

static int compile_with(struct compiler *c, const struct doc_devices *d, const struct compile_env *env,
			struct diag_list *diags)
{
	const uint32_t *class_of = NULL, *view_of = NULL, *first = NULL;
	uint32_t *user_of = NULL;
	struct directory *dir = NULL;
	int r;

	r = directory_new(c->tmp, c->p, d, env, &dir);
	if (r < 0)
		return r;
	c->dir = dir;
	r = check_names(c, diags);
	if (r == 0)
		r = check_egress(c, env, diags);
	if (r == 0)
		r = ruleset_new(c->mem, c->tmp, dir, c->p, &c->rules);
	if (r == 0)
		r = attrs_new(c->tmp, dir, c->p, &c->attrs);
	if (r == 0)
		r = classes_new(c, &class_of, &first);
	if (r == 0)
		r = classes_fill(c, first);
	if (r == 0)
		r = check_ranges(c, diags);
	if (r == 0)
		r = users_number(c, &user_of);
	if (r == 0)
		r = plan_views_new(c->mem, c->tmp, dir, &c->rules, c->attrs, c->plan, &view_of);
	if (r < 0)
		return r;
	c->plan->rules = c->rules.plan_rules;
	c->plan->n_rules = c->rules.n_plan_rules;
	c->plan->next_change_s = schedule_next(c->p, env);
	return plan_fill(c->plan, c->p, dir,
			 &(struct plan_parts){
				 .attrs = c->attrs, .class_of = class_of, .view_of = view_of, .user_of = user_of });
}

int plan_compile(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		 struct diag_list *diags, struct plan **ret)
{
	CLEANUP(arena_freep) struct arena *tmp = arena_new(0);
	CLEANUP(plan_freep) struct plan *plan = plan_new();
	struct compiler c = { .tmp = tmp, .p = p, .plan = plan };
	int r;

	if (tmp == NULL || plan == NULL)
		return -ENOMEM;
	c.mem = plan->mem;
	r = check_limits(p, d, diags);
	if (r == 0)
		r = schedule_check(p, env, diags);
	if (r == 0)
		r = compile_with(&c, d, env, diags);
	ruleset_done(&c.rules);
	if (r == -E2BIG && diags->n_errors == 0)
		diag_add(diags, DIAG_ERROR, "P0904", p->src, (struct span){ 0 },
			 "the policy needs more than %u kernel elements for these devices", PLAN_BOXES_MAX);
	if (r == -EOVERFLOW) {
		diag_add(diags, DIAG_ERROR, "P0906", p->src, (struct span){ 0 },
			 "an address is in more than %u destinations that overlap", MEMBER_LEVELS_MAX);
		r = -E2BIG;
	}
	if (r < 0)
		return r;
	*ret = TAKE(plan);
	return 0;
}
