/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by compile.c for rules whose destinations overlap in too many ways. With 50 tags, two on each device, 1,275
 * combinations would be told apart on either side: two million boxes. By list there are as many as the rules have, and
 * two numbers for each address.
 *
 * Invariants: of each level ranges are disjoint and ascending; an address that n lists hold is in the first n levels,
 * with n different numbers. */
#include "policy/members.h"

#include "base/grow.h"

static uint32_t cell_depth(const struct dst_cells *c, uint32_t cell)
{
	return c->first[cell + 1] - c->first[cell];
}

/* Ranges of the level: of each address its list number @level, if it has as many. */
static int level_make(struct arena *mem, const struct dst_cells *c, uint32_t level, const uint32_t *number,
		      struct plan_dsts *ret)
{
	struct plan_dst_range *ranges;
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_ranges; i++)
		n += cell_depth(c, c->ranges[i].dst) > level;
	ranges = arena_array(mem, n, sizeof(*ranges));
	if (ranges == NULL)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < c->n_ranges; i++) {
		uint32_t cell = c->ranges[i].dst, list;
		struct ip_addr next;

		if (cell_depth(c, cell) <= level)
			continue;
		list = number[c->lists[c->first[cell] + level]];
		if (n != 0 && ranges[n - 1].dst == list && ip_addr_next(&ranges[n - 1].range.last, &next) &&
		    ip_addr_cmp(&next, &c->ranges[i].range.first) == 0)
			ranges[n - 1].range.last = c->ranges[i].range.last;
		else
			ranges[n++] = (struct plan_dst_range){ .range = c->ranges[i].range, .dst = list };
	}
	ret->ranges = ranges;
	ret->n_ranges = n;
	return 0;
}

int members_number(struct arena *mem, struct arena *tmp, const struct dst_lists *lists, const uint64_t *use,
		   const struct dst_list *cut, struct plan_members *ret, const uint32_t **ret_number)
{
	uint32_t *number = arena_array(tmp, (size_t)lists->n + 1, sizeof(*number)), *ids;
	struct plan_dsts *levels;
	struct dst_cells cells;
	uint32_t n = 0, n_levels = 0;

	if (number == NULL || dst_cells_divide(tmp, lists, use, cut, &cells) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < lists->n; i++) {
		if (dev_set_has(use, i))
			number[i] = n++;
	}
	for (uint32_t cell = 0; cell < cells.n; cell++)
		n_levels = cell_depth(&cells, cell) > n_levels ? cell_depth(&cells, cell) : n_levels;
	if (n_levels > MEMBER_LEVELS_MAX)
		return -EOVERFLOW;
	levels = arena_array(mem, n_levels, sizeof(*levels));
	ids = arena_array(mem, n, sizeof(*ids));
	if (levels == NULL || ids == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = i + 1;
	for (uint32_t level = 0; level < n_levels; level++) {
		levels[level] = (struct plan_dsts){ .ids = ids, .n = n };
		if (level_make(mem, &cells, level, number, &levels[level]) < 0)
			return -ENOMEM;
	}
	*ret = (struct plan_members){ .levels = levels, .n_levels = n_levels };
	*ret_number = number;
	return 0;
}

/* A clause under the number of its list, in its place among the others. */
struct numbered {
	uint32_t number, place;
};

static int numbered_cmp(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

struct box_writer {
	struct plan_box *boxes;
	uint32_t n, cap;
};

static void box_writer_done(struct box_writer *w)
{
	free(w->boxes);
}

static int boxes_add(struct box_writer *w, uint32_t dst, const struct segments *s)
{
	struct plan_box *boxes = grow_array(w->boxes, w->n, s->n, &w->cap, sizeof(*boxes));

	if (boxes == NULL)
		return -ENOMEM;
	w->boxes = boxes;
	for (uint32_t i = 0; i < s->n; i++)
		boxes[w->n++] =
			(struct plan_box){ .dst = dst, .service = s->items[i].service, .rule = s->items[i].rule };
	return 0;
}

static int boxes_keep(struct arena *mem, const struct box_writer *w, struct box_list *ret)
{
	struct plan_box *boxes = arena_array(mem, w->n, sizeof(*boxes));

	if (boxes == NULL)
		return -ENOMEM;
	if (w->n != 0)
		memcpy(boxes, w->boxes, w->n * sizeof(*boxes));
	*ret = (struct box_list){ .boxes = boxes, .n = w->n };
	return 0;
}

int members_boxes(struct arena *mem, const struct box_clause *clauses, uint32_t n, const uint32_t *number,
		  uint32_t limit, struct box_list *ret)
{
	CLEANUP(freep) struct numbered *sorted = calloc((size_t)n + 1, sizeof(*sorted));
	CLEANUP(segments_done) struct segments s = { 0 };
	CLEANUP(box_writer_done) struct box_writer w = { 0 };
	uint32_t end;

	if (sorted == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = (struct numbered){ .number = number[clauses[i].list], .place = i };
	qsort(sorted, n, sizeof(*sorted), numbered_cmp);
	for (uint32_t i = 0; i < n; i = end) {
		s.n = 0;
		for (end = i; end < n && sorted[end].number == sorted[i].number; end++) {
			const struct box_clause *c = &clauses[sorted[end].place];

			if (segments_overlay(&s, c->services, c->n_services, c->rule, c->layer) < 0)
				return -ENOMEM;
		}
		if (boxes_add(&w, sorted[i].number, &s) < 0)
			return -ENOMEM;
		if (w.n > limit)
			return -E2BIG;
	}
	return boxes_keep(mem, &w, ret);
}
