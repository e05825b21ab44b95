/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by compile.c, behind what each class has for itself. Devices that the same rules of a layer concern have one
 * part in common, whatever other rules tell them apart. */
#include "policy/compile_parts.h"

#include "base/grow.h"
#include "policy/compile.h"
#include "policy/members.h"
#include "policy/partition.h"

struct part_maker {
	struct arena *mem, *tmp;
	const struct ruleset *rules;
	const uint32_t *first;
	struct plan *plan;
	struct plan_class *classes;
	struct plan_part *parts;
	uint32_t n_parts, cap_parts;
};

/* The layer of one call: which devices are alike, and what each kind of them has. */
struct part_layer {
	enum layer layer;
	struct partition alike;
	uint32_t *part_of; /* of each kind: index in .lists + 1, 0 = not asked for yet */
	struct box_list *lists;
	uint32_t n_lists;
};

static bool rule_has(const struct ruleset_rule *rule, enum layer layer)
{
	for (uint32_t i = 0; i < rule->n_clauses; i++) {
		if (rule->clauses[i].layer == layer)
			return true;
	}
	return false;
}

static int layer_init(const struct part_maker *m, enum layer layer, struct part_layer *ret)
{
	*ret = (struct part_layer){ .layer = layer };
	if (partition_init(&ret->alike, m->tmp, m->rules->lists.dir->n_addrs) < 0)
		return -ENOMEM;
	for (uint32_t r = 0; r < m->rules->n_rules; r++) {
		if (rule_has(&m->rules->rules[r], layer))
			partition_by_set(&ret->alike, m->rules->rules[r].srcs);
	}
	ret->part_of = arena_array(m->tmp, (size_t)ret->alike.n_parts + 1, sizeof(*ret->part_of));
	ret->lists = arena_array(m->tmp, (size_t)ret->alike.n_parts + 1, sizeof(*ret->lists));
	return ret->part_of == NULL || ret->lists == NULL ? -ENOMEM : 0;
}

/* What makes the boxes of one kind of devices, which is number @owner. */
typedef int (*part_fn)(void *arg, const struct clause_list *l, uint32_t owner, struct box_list *ret);

/* Each kind that a class is of, in the order of classes. */
static int layer_fill(const struct part_maker *m, struct part_layer *layer, part_fn fn, void *arg)
{
	CLEANUP(clause_list_done) struct clause_list l = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < m->plan->n_classes && r == 0; i++) {
		uint32_t *part = &layer->part_of[layer->alike.part[m->first[i]]];

		if (m->classes[i].quarantined || *part != 0)
			continue;
		r = ruleset_clauses(m->rules, m->first[i], layer->layer, layer->layer, &l);
		if (r == 0)
			r = fn(arg, &l, layer->n_lists, &layer->lists[layer->n_lists]);
		*part = ++layer->n_lists;
	}
	return r;
}

/* Parts of those kinds that have boxes. @ret: of each kind, the index of its part + 1. In .tmp. */
static int parts_add(struct part_maker *m, const struct part_layer *layer, const uint32_t **ret)
{
	uint32_t *kept = arena_array(m->tmp, (size_t)layer->n_lists + 1, sizeof(*kept));

	if (kept == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < layer->n_lists; i++) {
		struct plan_part *parts;

		if (layer->lists[i].n == 0)
			continue;
		parts = grow_array(m->parts, m->n_parts, 1, &m->cap_parts, sizeof(*parts));
		if (parts == NULL)
			return -ENOMEM;
		m->parts = parts;
		parts[m->n_parts] = (struct plan_part){ .id = m->n_parts + 1,
							.boxes = layer->lists[i].boxes,
							.n_boxes = layer->lists[i].n };
		kept[i] = ++m->n_parts;
	}
	*ret = kept;
	return 0;
}

/* The part of class @i, as an index + 1; 0: none. */
static uint32_t class_part(const struct part_maker *m, const struct part_layer *layer, const uint32_t *kept, uint32_t i)
{
	uint32_t part = m->classes[i].quarantined ? 0 : layer->part_of[layer->alike.part[m->first[i]]];

	return part != 0 ? kept[part - 1] : 0;
}

static int wide_add(void *arg, const struct clause_list *l, uint32_t owner, struct box_list *ret)
{
	/* All owners are finished together. */
	return box_table_add(arg, owner, l->items, l->n, LAYER_WIDE);
}

static int wide_make(struct part_maker *m, struct part_layer *layer)
{
	CLEANUP(box_table_done) struct box_table t = { 0 };
	const struct directory *dir = m->rules->lists.dir;
	const struct dst_list cut = { .ranges = dir->cut, .n_ranges = dir->n_cut };
	struct dst_cells cells = { 0 };
	uint64_t *use;
	int r;

	if (layer_init(m, LAYER_WIDE, layer) < 0 || ruleset_lists(m->tmp, m->rules, LAYER_WIDE, LAYER_WIDE, &use) < 0 ||
	    dst_cells_divide(m->tmp, &m->rules->lists, use, &cut, &cells) < 0)
		return -ENOMEM;
	r = box_table_init(&t, &cells, m->rules->lists.n, PLAN_BOXES_MAX);
	if (r == 0)
		r = layer_fill(m, layer, wide_add, &t);
	if (r == 0)
		r = box_table_finish(&t, m->mem, layer->n_lists, &m->plan->wide, &layer->lists);
	return r;
}

struct member_maker {
	struct arena *mem;
	const uint32_t *number;
	uint32_t n_boxes;
};

static int member_add(void *arg, const struct clause_list *l, uint32_t owner, struct box_list *ret)
{
	struct member_maker *m = arg;
	int r = members_boxes(m->mem, l->items, l->n, m->number, PLAN_BOXES_MAX - m->n_boxes, ret);

	if (r == 0)
		m->n_boxes += ret->n;
	return r;
}

static int members_make(struct part_maker *m, struct part_layer *layer)
{
	const struct directory *dir = m->rules->lists.dir;
	const struct dst_list cut = { .ranges = dir->cut, .n_ranges = dir->n_cut };
	struct member_maker maker = { .mem = m->mem };
	uint64_t *use;
	int r;

	if (layer_init(m, LAYER_MEMBER, layer) < 0 ||
	    ruleset_lists(m->tmp, m->rules, LAYER_MEMBER, LAYER_MEMBER, &use) < 0)
		return -ENOMEM;
	r = members_number(m->mem, m->tmp, &m->rules->lists, use, &cut, &m->plan->members, &maker.number);
	return r < 0 ? r : layer_fill(m, layer, member_add, &maker);
}

static int parts_settle(struct part_maker *m, const struct part_layer *wide, const struct part_layer *members)
{
	const uint32_t *kept_wide, *kept_members;
	struct plan_part *parts;

	if (parts_add(m, wide, &kept_wide) < 0 || parts_add(m, members, &kept_members) < 0)
		return -ENOMEM;
	parts = arena_array(m->mem, m->n_parts, sizeof(*parts));
	if (parts == NULL)
		return -ENOMEM;
	if (m->n_parts != 0)
		memcpy(parts, m->parts, m->n_parts * sizeof(*parts));
	for (uint32_t i = 0; i < m->plan->n_classes; i++) {
		uint32_t a = class_part(m, wide, kept_wide, i), b = class_part(m, members, kept_members, i);

		m->classes[i].wide = a != 0 ? &parts[a - 1] : NULL;
		m->classes[i].members = b != 0 ? &parts[b - 1] : NULL;
	}
	m->plan->parts = parts;
	m->plan->n_parts = m->n_parts;
	return 0;
}

int plan_parts_new(struct arena *mem, struct arena *tmp, const struct ruleset *rules, const uint32_t *first,
		   struct plan *plan, struct plan_class *classes)
{
	struct part_maker m = {
		.mem = mem, .tmp = tmp, .rules = rules, .first = first, .plan = plan, .classes = classes
	};
	struct part_layer wide, members;
	int r = wide_make(&m, &wide);

	if (r == 0)
		r = members_make(&m, &members);
	if (r == 0)
		r = parts_settle(&m, &wide, &members);
	free(m.parts);
	return r;
}
