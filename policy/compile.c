/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents to plan: the order of the work. Called by gatewayd on reload and by the command; feeds all lower_*.c.
 *
 *   directory  who is who: devices by user, tag, address (compile_select.c)
 *   rules      sources to sets of devices, destinations to ranges, marks (ruleset.c)
 *   classes    devices that no rule tells apart, found by partition refinement (partition.c); one decomposition into
 *              boxes for each, and one for each part that several share (boxes.c)
 *   views      the same for DNS (compile_views.c)
 *
 * The plan is canonical: devices by first address, classes and views by their first device, rules by section and index.
 * It borrows nothing from the documents. */
#include "policy/compile.h"

#include "policy/compile_plan.h"
#include "policy/schedule.h"

#define SHARED_EMPTY UINT32_MAX

/* Clauses in the order in which a packet meets their boxes: which class they are for decides how far they are shared.
 */
enum layer {
	LAYER_SELF = 0, /* autogroup:self: of one user */
	LAYER_NAMED,	/* of all devices that the same rules concern */
	LAYER_WIDE,	/* of all devices that the same rules with shared clauses concern */
	LAYER_MAX
};

/* Shared parts of one layer. */
struct part_maker {
	struct partition alike; /* devices that have theirs in common */
	uint32_t *part_of;	/* for each of these, its index in .shareds + 1, 0 = not made yet, or SHARED_EMPTY */
};

struct compiler {
	struct arena *mem, *tmp;
	const struct doc_policy *p;
	const struct directory *dir;
	struct ruleset rules;
	struct device_attrs *attrs;
	struct plan *plan;
	uint32_t n_boxes;
	struct part_maker makers[LAYER_MAX]; /* not of LAYER_SELF */
	struct plan_shared *shareds;
	uint32_t n_shareds;
};

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

/* Rules with autogroup:self mean something else for each user. */
static int split_by_user(const struct compiler *c, struct partition *parts)
{
	uint32_t *keys = arena_array(c->tmp, c->dir->n_devices, sizeof(*keys));
	uint32_t id = 0;

	if (keys == NULL)
		return -ENOMEM;
	for (uint32_t u = 0; u < c->dir->n_users; u++) {
		uint32_t device = c->dir->users[u].device;

		if (u == 0 || strcmp(c->dir->users[u].name, c->dir->users[u - 1].name) != 0)
			id++;
		for (uint32_t r = 0; r < c->rules.n_rules && keys[device] == 0; r++) {
			if (c->rules.rules[r].self && dev_set_has(c->rules.rules[r].srcs, device))
				keys[device] = id;
		}
	}
	return partition_by_key(parts, keys);
}

static int split_classes(const struct compiler *c, struct partition *parts)
{
	uint32_t *keys = arena_array(c->tmp, c->dir->n_devices, sizeof(*keys));
	bool self = false;

	if (keys == NULL || partition_init(parts, c->tmp, c->dir->n_devices) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->dir->n_devices; i++) {
		if (dev_set_has(c->dir->active, i))
			keys[i] = 1u | (c->attrs[i].resolve_first ? 2u : 0) | (c->attrs[i].record_flows ? 4u : 0);
	}
	if (partition_by_key(parts, keys) < 0)
		return -ENOMEM;
	for (uint32_t r = 0; r < c->rules.n_rules; r++) {
		partition_by_set(parts, c->rules.rules[r].srcs);
		self = self || c->rules.rules[r].self;
	}
	return self ? split_by_user(c, parts) : 0;
}

struct clause_list {
	struct box_clause *items;
	uint32_t n, cap;
};

static void clause_list_done(struct clause_list *l)
{
	free(l->items);
}

static int clauses_add(struct clause_list *l, const struct box_clause *clauses, uint32_t n)
{
	if (l->cap - l->n < n) {
		uint32_t cap = l->n + n > l->cap * 2 ? l->n + n + 16 : l->cap * 2;
		struct box_clause *items = reallocarray(l->items, cap, sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	if (n != 0)
		memcpy(l->items + l->n, clauses, n * sizeof(*clauses));
	l->n += n;
	return 0;
}

/* The user of @device, for autogroup:self; a tagged device is nobody's. */
static const char *device_user(const struct doc_device *dev)
{
	return dev->tags != NULL && dev->tags[0] != NULL ? NULL : dev->user;
}

static enum layer layer_of(const struct box_clause *clause)
{
	return clause->shared ? LAYER_WIDE : LAYER_NAMED;
}

/* Does autogroup:self of @rule mean anything to @device? */
static bool has_self(const struct compiler *c, const struct ruleset_rule *rule, uint32_t device)
{
	return rule->self && dev_set_has(rule->srcs, device) && device_user(c->dir->devices[device]) != NULL;
}

/* The clauses of @rule in one layer, for @device. */
static int rule_clauses(const struct compiler *c, const struct ruleset_rule *rule, uint32_t device, enum layer layer,
			struct clause_list *l)
{
	const struct box_clause *self;
	uint32_t n_self;

	for (uint32_t i = 0; i < rule->n_clauses; i++) {
		if (layer_of(&rule->clauses[i]) == layer && clauses_add(l, &rule->clauses[i], 1) < 0)
			return -ENOMEM;
	}
	if (layer != LAYER_SELF || !has_self(c, rule, device))
		return 0;
	if (ruleset_self(c->tmp, c->dir, rule, device_user(c->dir->devices[device]), &self, &n_self) < 0)
		return -ENOMEM;
	return clauses_add(l, self, n_self);
}

/* All clauses of a layer in order of precedence: what is cut out, denies, what accepts. */
static int layer_clauses(const struct compiler *c, uint32_t device, enum layer layer, struct clause_list *l)
{
	/* Nothing reaches a device that is not active, whoever may name it. */
	struct box_clause cut = { .rule = BOX_HOLE, .ranges = c->dir->cut, .n_ranges = c->dir->n_cut };

	if (clauses_add(l, &cut, 1) < 0)
		return -ENOMEM;
	for (int accepting = 0; accepting < 2; accepting++) {
		for (uint32_t r = 0; r < c->rules.n_rules; r++) {
			const struct ruleset_rule *rule = &c->rules.rules[r];

			if (rule->deny != (accepting == 0) || !dev_set_has(rule->srcs, device))
				continue;
			if (rule_clauses(c, rule, device, layer, l) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static bool rule_is_wide(const struct ruleset_rule *rule)
{
	for (uint32_t i = 0; i < rule->n_clauses; i++) {
		if (rule->clauses[i].shared)
			return true;
	}
	return false;
}

/* Which devices have a part in common. What a named one is depends on the wide one behind it: all rules count there. */
static int makers_init(struct compiler *c)
{
	size_t total = 0;

	for (int layer = LAYER_NAMED; layer < LAYER_MAX; layer++) {
		struct part_maker *m = &c->makers[layer];

		if (partition_init(&m->alike, c->tmp, c->dir->n_devices) < 0)
			return -ENOMEM;
		for (uint32_t r = 0; r < c->rules.n_rules; r++) {
			const struct ruleset_rule *rule = &c->rules.rules[r];

			if (layer == LAYER_WIDE ? rule_is_wide(rule) : rule->n_clauses != 0)
				partition_by_set(&m->alike, rule->srcs);
		}
		m->part_of = arena_array(c->tmp, m->alike.n_parts, sizeof(*m->part_of));
		if (m->part_of == NULL)
			return -ENOMEM;
		total += m->alike.n_parts;
	}
	c->shareds = arena_array(c->mem, total, sizeof(*c->shareds));
	return c->shareds == NULL ? -ENOMEM : 0;
}

/* The boxes of a layer, less what is decided by @behind. */
static int layer_boxes(struct compiler *c, uint32_t device, enum layer layer, const struct plan_shared *const *behind,
		       const struct plan_box **ret, uint32_t *ret_n)
{
	CLEANUP(clause_list_done) struct clause_list l = { 0 };
	struct box_over over = { .rules = c->rules.plan_rules };
	int r;

	for (size_t i = 0; i < PLAN_SHARED_MAX; i++)
		over.parts[i] = behind[i];
	if (layer_clauses(c, device, layer, &l) < 0)
		return -ENOMEM;
	r = boxes_build_over(c->mem, l.items, l.n, &over, PLAN_BOXES_MAX - c->n_boxes, ret, ret_n);
	if (r == 0)
		c->n_boxes += *ret_n;
	return r;
}

/* The part of @device's class in one layer, made for the first class that has it. @ret: NULL when it is empty. */
static int shared_get(struct compiler *c, uint32_t device, enum layer layer, const struct plan_shared *const *behind,
		      const struct plan_shared **ret)
{
	struct part_maker *m = &c->makers[layer];
	uint32_t *of = &m->part_of[m->alike.part[device]];
	struct plan_shared made = { .id = c->n_shareds };
	int r;

	if (*of == 0) {
		r = layer_boxes(c, device, layer, behind, &made.boxes, &made.n_boxes);
		if (r < 0)
			return r;
		*of = SHARED_EMPTY;
		if (made.n_boxes != 0) {
			c->shareds[c->n_shareds] = made;
			*of = ++c->n_shareds;
		}
	}
	*ret = *of == SHARED_EMPTY ? NULL : &c->shareds[*of - 1];
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

			if (rule->deny || !dev_set_has(rule->srcs, device))
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

/* Boxes of a class, from the last layer to the first. Without autogroup:self the named layer is the class's own: nobody
 * else has it. */
static int class_boxes(struct compiler *c, uint32_t device, struct plan_class *class)
{
	const struct plan_shared *behind[PLAN_SHARED_MAX] = { NULL };
	bool self = false;
	int r;

	for (uint32_t i = 0; i < c->rules.n_rules && !self; i++)
		self = has_self(c, &c->rules.rules[i], device);
	r = shared_get(c, device, LAYER_WIDE, behind, &class->shared[1]);
	if (r < 0)
		return r;
	behind[1] = class->shared[1];
	if (self) {
		r = shared_get(c, device, LAYER_NAMED, behind, &class->shared[0]);
		if (r < 0)
			return r;
		behind[0] = class->shared[0];
	}
	return layer_boxes(c, device, self ? LAYER_SELF : LAYER_NAMED, behind, &class->boxes, &class->n_boxes);
}

/* @device stands for its class. */
static int class_make(struct compiler *c, uint32_t device, struct plan_class *class)
{
	if (!dev_set_has(c->dir->active, device)) {
		class->quarantined = true;
		return 0;
	}
	class->resolve_first = c->attrs[device].resolve_first;
	class->record_flows = c->attrs[device].record_flows;
	if (class_names(c, device, class) < 0)
		return -ENOMEM;
	return class_boxes(c, device, class);
}

static int classes_new(struct compiler *c, const uint32_t **ret_class_of)
{
	struct plan_class *classes;
	struct partition parts;
	uint32_t made = 0;

	if (split_classes(c, &parts) < 0 || makers_init(c) < 0)
		return -ENOMEM;
	classes = arena_array(c->mem, parts.n_parts, sizeof(*classes));
	if (classes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->dir->n_devices; i++) {
		int r;

		/* Parts are numbered by first appearance: the next new one is number .made. */
		if (parts.part[i] != made)
			continue;
		classes[made].id = made;
		r = class_make(c, i, &classes[made++]);
		if (r < 0)
			return r;
	}
	c->plan->classes = classes;
	c->plan->n_classes = parts.n_parts;
	c->plan->shareds = c->shareds;
	c->plan->n_shareds = c->n_shareds;
	*ret_class_of = parts.part;
	return 0;
}

static int compile_with(struct compiler *c, const struct doc_devices *d, const struct compile_env *env,
			struct diag_list *diags)
{
	const uint32_t *class_of = NULL, *view_of = NULL;
	struct directory *dir = NULL;
	int r;

	r = directory_new(c->tmp, c->p, d, env, &dir);
	if (r < 0)
		return r;
	c->dir = dir;
	r = check_names(c, diags);
	if (r == 0)
		r = ruleset_new(c->mem, c->tmp, dir, c->p, &c->rules);
	if (r == 0)
		r = attrs_new(c->tmp, dir, c->p, &c->attrs);
	if (r == 0)
		r = classes_new(c, &class_of);
	if (r == 0)
		r = plan_views_new(c->mem, c->tmp, dir, &c->rules, c->attrs, c->plan, &view_of);
	if (r < 0)
		return r;
	c->plan->rules = c->rules.plan_rules;
	c->plan->n_rules = c->rules.n_plan_rules;
	c->plan->next_change_s = schedule_next(c->p, env);
	return plan_fill(c->plan, c->p, dir,
			 &(struct plan_parts){ .attrs = c->attrs, .class_of = class_of, .view_of = view_of });
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
	if (r == -E2BIG && c.dir != NULL)
		diag_add(diags, DIAG_ERROR, "P0904", p->src, (struct span){ 0 },
			 "the policy needs more than %u kernel elements for these devices", PLAN_BOXES_MAX);
	if (r < 0)
		return r;
	*ret = TAKE(plan);
	return 0;
}
