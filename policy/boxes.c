/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The disjoint decomposition behind a class's map. Called by compile.c: one table for the destinations that rules name,
 * one for those that are wide.
 *
 * For each owner (a class, or a part that classes share) and each cell of the address space that one of its clauses
 * covers, the services of all its clauses there are laid over each other in order of precedence. Then cells whose
 * columns are the same, owner by owner and segment by segment, are joined: what is left are the destinations that
 * somebody can tell apart, so that the same meaning gives the same plan however the rules were written. */
#include "policy/boxes.h"

#include "base/grow.h"

/* The segments of one owner in one cell. */
struct box_run {
	uint32_t owner, cell;
	uint32_t first, n; /* in .segments */
};

int box_table_init(struct box_table *t, const struct dst_cells *cells, uint32_t n_lists, uint32_t limit)
{
	*t = (struct box_table){ .cells = cells, .limit = limit };
	t->head = calloc((size_t)n_lists + 1, sizeof(*t->head));
	t->stamp = calloc((size_t)cells->n + 1, sizeof(*t->stamp));
	return t->head == NULL || t->stamp == NULL ? -ENOMEM : 0;
}

void box_table_done(struct box_table *t)
{
	free(t->segments);
	free(t->runs);
	free(t->head);
	free(t->next);
	free(t->stamp);
	free(t->picked);
	free(t->order);
	segments_done(&t->work);
	*t = (struct box_table){ 0 };
}

static int number_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Make @clauses found by their list. */
static int clauses_index(struct box_table *t, const struct box_clause *clauses, uint32_t n)
{
	uint32_t *next = grow_array(t->next, 0, n, &t->cap_next, sizeof(*next));
	uint32_t *order = grow_array(t->order, 0, n, &t->cap_order, sizeof(*order));

	t->next = next != NULL ? next : t->next;
	t->order = order != NULL ? order : t->order;
	if (next == NULL || order == NULL)
		return -ENOMEM;
	for (uint32_t i = n; i-- > 0;) {
		next[i] = t->head[clauses[i].list];
		t->head[clauses[i].list] = i + 1;
	}
	return 0;
}

static void clauses_forget(struct box_table *t, const struct box_clause *clauses, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		t->head[clauses[i].list] = 0;
}

/* The cells in which a clause of @keep has a say, ascending. */
static int cells_pick(struct box_table *t, uint32_t owner, const struct box_clause *clauses, uint32_t n,
		      enum layer keep, uint32_t *ret_n)
{
	const struct dst_cells *c = t->cells;
	uint32_t n_picked = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = c->of_list[clauses[i].list], to = c->of_list[clauses[i].list + 1];
		uint32_t *picked;

		if (clauses[i].layer != keep)
			continue;
		picked = grow_array(t->picked, n_picked, to - from, &t->cap_picked, sizeof(*picked));
		if (picked == NULL)
			return -ENOMEM;
		t->picked = picked;
		for (; from < to; from++) {
			if (t->stamp[c->cells[from]] != owner + 1)
				picked[n_picked++] = c->cells[from];
			t->stamp[c->cells[from]] = owner + 1;
		}
	}
	if (n_picked > 1)
		qsort(t->picked, n_picked, sizeof(*t->picked), number_cmp);
	*ret_n = n_picked;
	return 0;
}

/* All clauses over @cell, the first in precedence first, laid over each other. */
static int cell_work(struct box_table *t, uint32_t cell, const struct box_clause *clauses)
{
	const struct dst_cells *c = t->cells;
	uint32_t n = 0;

	for (uint32_t i = c->first[cell]; i < c->first[cell + 1]; i++) {
		for (uint32_t k = t->head[c->lists[i]]; k != 0; k = t->next[k - 1])
			t->order[n++] = k - 1;
	}
	if (n > 1)
		qsort(t->order, n, sizeof(*t->order), number_cmp);
	t->work.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct box_clause *clause = &clauses[t->order[i]];

		if (segments_overlay(&t->work, clause->services, clause->n_services, clause->rule, clause->layer) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What of .work is of the layer @keep. */
static int run_keep(struct box_table *t, uint32_t owner, uint32_t cell, enum layer keep)
{
	struct box_run run = { .owner = owner, .cell = cell, .first = t->n_segments };
	struct segment *segments;
	struct box_run *runs;

	segments = grow_array(t->segments, t->n_segments, t->work.n, &t->cap_segments, sizeof(*segments));
	runs = grow_array(t->runs, t->n_runs, 1, &t->cap_runs, sizeof(*runs));
	t->segments = segments != NULL ? segments : t->segments;
	t->runs = runs != NULL ? runs : t->runs;
	if (segments == NULL || runs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->work.n; i++) {
		if (t->work.items[i].layer == keep)
			segments[run.first + run.n++] = t->work.items[i];
	}
	if (run.n == 0)
		return 0;
	t->n_segments += run.n;
	runs[t->n_runs++] = run;
	return t->n_segments > t->limit ? -E2BIG : 0;
}

int box_table_add(struct box_table *t, uint32_t owner, const struct box_clause *clauses, uint32_t n, enum layer keep)
{
	uint32_t n_picked = 0;
	int r;

	if (clauses_index(t, clauses, n) < 0)
		return -ENOMEM;
	r = cells_pick(t, owner, clauses, n, keep, &n_picked);
	for (uint32_t i = 0; i < n_picked && r == 0; i++) {
		r = cell_work(t, t->picked[i], clauses);
		if (r == 0)
			r = run_keep(t, owner, t->picked[i], keep);
	}
	clauses_forget(t, clauses, n);
	return r;
}

/* The runs of each cell, in the order of owners. */
struct columns {
	const struct box_table *t;
	uint32_t *first; /* of each cell in .runs; one more than cells */
	uint32_t *runs;
	uint32_t *number; /* of each cell: its destination, or PLAN_NO_DST */
	uint32_t *shown;  /* of each destination: the cell that stands for it */
	uint32_t n;	  /* of destinations */
	uint32_t cell;	  /* that is looked up */
};

static void columns_done(struct columns *c)
{
	free(c->first);
	free(c->runs);
	free(c->number);
	free(c->shown);
}

static int columns_init(struct columns *c, const struct box_table *t)
{
	c->t = t;
	c->first = calloc((size_t)t->cells->n + 2, sizeof(*c->first));
	c->runs = calloc((size_t)t->n_runs + 1, sizeof(*c->runs));
	c->number = calloc((size_t)t->cells->n + 1, sizeof(*c->number));
	c->shown = calloc((size_t)t->cells->n + 1, sizeof(*c->shown));
	if (c->first == NULL || c->runs == NULL || c->number == NULL || c->shown == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_runs; i++)
		c->first[t->runs[i].cell + 2]++;
	for (uint32_t i = 2; i < t->cells->n + 2; i++)
		c->first[i] += c->first[i - 1];
	/* first[cell + 1] is where that cell's next run goes; in the end, where the next cell's begin. */
	for (uint32_t i = 0; i < t->n_runs; i++)
		c->runs[c->first[t->runs[i].cell + 1]++] = i;
	return 0;
}

static bool segment_equal(const struct segment *a, const struct segment *b)
{
	return a->rule == b->rule && service_cmp(&a->service, &b->service) == 0;
}

static bool run_equal(const struct box_table *t, const struct box_run *a, const struct box_run *b)
{
	if (a->owner != b->owner || a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (!segment_equal(&t->segments[a->first + i], &t->segments[b->first + i]))
			return false;
	}
	return true;
}

static bool column_is_shown(const void *arg, uint32_t dst)
{
	const struct columns *c = arg;
	uint32_t other = c->shown[dst], n = c->first[c->cell + 1] - c->first[c->cell];

	if (c->first[other + 1] - c->first[other] != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!run_equal(c->t, &c->t->runs[c->runs[c->first[c->cell] + i]],
			       &c->t->runs[c->runs[c->first[other] + i]]))
			return false;
	}
	return true;
}

static uint64_t column_hash(const struct columns *c, uint32_t cell)
{
	uint64_t hash = INTERN_HASH;

	for (uint32_t i = c->first[cell]; i < c->first[cell + 1]; i++) {
		const struct box_run *run = &c->t->runs[c->runs[i]];

		hash = intern_hash(hash, &run->owner, sizeof(run->owner));
		for (uint32_t k = 0; k < run->n; k++) {
			const struct segment *s = &c->t->segments[run->first + k];
			const uint32_t words[] = { s->rule, s->service.proto,
						   (uint32_t)s->service.port_lo << 16 | s->service.port_hi };

			hash = intern_hash(hash, words, sizeof(words));
		}
	}
	return hash;
}

/* Number the destinations in the order of their first cell. */
static int columns_join(struct columns *c)
{
	CLEANUP(intern_done) struct intern known = { 0 };

	for (c->cell = 0; c->cell < c->t->cells->n; c->cell++) {
		uint32_t *number = &c->number[c->cell];

		*number = PLAN_NO_DST;
		if (c->first[c->cell] == c->first[c->cell + 1])
			continue;
		if (intern_get(&known, column_hash(c, c->cell), column_is_shown, c, c->n, number) < 0)
			return -ENOMEM;
		if (*number == c->n)
			c->shown[c->n++] = c->cell;
	}
	return 0;
}

static int dsts_make(const struct columns *c, struct arena *mem, struct plan_dsts *ret)
{
	const struct dst_cells *cells = c->t->cells;
	struct plan_dst_range *ranges = arena_array(mem, cells->n_ranges, sizeof(*ranges));
	uint32_t *ids = arena_array(mem, c->n, sizeof(*ids));
	uint32_t n = 0;

	if (ranges == NULL || ids == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < cells->n_ranges; i++) {
		uint32_t number = c->number[cells->ranges[i].dst];
		struct ip_addr next;

		if (number == PLAN_NO_DST)
			continue;
		if (n != 0 && ranges[n - 1].dst == number && ip_addr_next(&ranges[n - 1].range.last, &next) &&
		    ip_addr_cmp(&next, &cells->ranges[i].range.first) == 0)
			ranges[n - 1].range.last = cells->ranges[i].range.last;
		else
			ranges[n++] = (struct plan_dst_range){ .range = cells->ranges[i].range, .dst = number };
	}
	for (uint32_t i = 0; i < c->n; i++)
		ids[i] = i + 1;
	*ret = (struct plan_dsts){ .ranges = ranges, .n_ranges = n, .ids = ids, .n = c->n };
	return 0;
}

static void lists_fill(const struct columns *c, struct plan_box *boxes, struct box_list *lists)
{
	const struct box_table *t = c->t;
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_runs; i++) {
		const struct box_run *run = &t->runs[i];
		struct box_list *list = &lists[run->owner];
		uint32_t dst = c->number[run->cell];

		if (c->shown[dst] != run->cell)
			continue;
		list->boxes = list->n == 0 ? boxes + n : list->boxes;
		for (uint32_t k = 0; k < run->n; k++) {
			const struct segment *s = &t->segments[run->first + k];

			boxes[n++] = (struct plan_box){ .dst = dst, .service = s->service, .rule = s->rule };
		}
		list->n += run->n;
	}
}

static uint32_t count_shown(const struct columns *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->t->n_runs; i++) {
		const struct box_run *run = &c->t->runs[i];

		n += c->shown[c->number[run->cell]] == run->cell ? run->n : 0;
	}
	return n;
}

int box_table_finish(struct box_table *t, struct arena *mem, uint32_t n_owners, struct plan_dsts *ret_dsts,
		     struct box_list **ret_lists)
{
	CLEANUP(columns_done) struct columns c = { 0 };
	struct box_list *lists = arena_array(mem, (size_t)n_owners + 1, sizeof(*lists));
	struct plan_box *boxes;

	if (lists == NULL || columns_init(&c, t) < 0 || columns_join(&c) < 0 || dsts_make(&c, mem, ret_dsts) < 0)
		return -ENOMEM;
	boxes = arena_array(mem, count_shown(&c), sizeof(*boxes));
	if (boxes == NULL)
		return -ENOMEM;
	lists_fill(&c, boxes, lists);
	*ret_lists = lists;
	return 0;
}
