/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by compile.c, once for the destinations that rules name and once for those that are wide. The addresses are
 * swept from the lowest boundary to the highest with the set of lists that hold the current stretch; stretches with the
 * same set are one cell.
 *
 * Invariants: ranges are disjoint and ascending; two that touch are of different cells; every cell is in some list. */
#include "policy/dst_cells.h"

#include "base/grow.h"

struct edge {
	struct ip_addr at;
	uint32_t list;
};

struct sweep {
	const struct dst_lists *lists;
	struct edge *starts, *ends; /* each sorted */
	uint32_t n_edges;
	uint64_t *on; /* lists that hold the stretch; that of what is cut has number .lists->n */
	uint32_t n_on, n_words;
	uint64_t hash; /* of .on */
	struct intern cells;
	uint32_t *first; /* of each cell in .of; one more than cells */
	uint32_t n, cap;
	uint32_t *of; /* lists of all cells */
	uint32_t n_of, cap_of;
	struct plan_dst_range *ranges;
	uint32_t n_ranges, cap_ranges;
};

static void sweep_done(struct sweep *s)
{
	free(s->starts);
	free(s->ends);
	free(s->on);
	free(s->first);
	free(s->of);
	free(s->ranges);
	intern_done(&s->cells);
}

static int edge_cmp(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return ip_addr_cmp(&x->at, &y->at);
}

static void edges_add(struct sweep *s, const struct dst_list *list, uint32_t number)
{
	for (uint32_t i = 0; i < list->n_ranges; i++) {
		s->starts[s->n_edges] = (struct edge){ .at = list->ranges[i].first, .list = number };
		s->ends[s->n_edges++] = (struct edge){ .at = list->ranges[i].last, .list = number };
	}
}

static int sweep_init(struct sweep *s, const uint64_t *use, const struct dst_list *cut)
{
	size_t total = cut->n_ranges;

	for (uint32_t i = 0; i < s->lists->n; i++)
		total += dev_set_has(use, i) ? s->lists->items[i].n_ranges : 0;
	if (total >= UINT32_MAX)
		return -ENOMEM;
	s->n_words = s->lists->n / 64 + 1;
	s->starts = calloc(total + 1, sizeof(*s->starts));
	s->ends = calloc(total + 1, sizeof(*s->ends));
	s->on = calloc(s->n_words, sizeof(*s->on));
	s->first = calloc(1, sizeof(*s->first));
	s->cap = 1;
	if (s->starts == NULL || s->ends == NULL || s->on == NULL || s->first == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->lists->n; i++) {
		if (dev_set_has(use, i))
			edges_add(s, &s->lists->items[i], i);
	}
	edges_add(s, cut, s->lists->n);
	qsort(s->starts, s->n_edges, sizeof(*s->starts), edge_cmp);
	qsort(s->ends, s->n_edges, sizeof(*s->ends), edge_cmp);
	return 0;
}

/* A number for each list that does not look like the others' (the finalizer of splitmix64, public domain). */
static uint64_t list_hash(uint32_t list)
{
	uint64_t h = ((uint64_t)list + 1) * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

/* Enters or leaves. */
static void sweep_toggle(struct sweep *s, uint32_t list)
{
	bool on;

	s->on[list / 64] ^= UINT64_C(1) << (list % 64);
	on = dev_set_has(s->on, list);
	s->hash ^= list_hash(list);
	s->n_on += on ? 1u : UINT32_MAX;
}

static bool cell_is_on(const void *arg, uint32_t cell)
{
	const struct sweep *s = arg;

	if (s->first[cell + 1] - s->first[cell] != s->n_on)
		return false;
	for (uint32_t i = s->first[cell]; i < s->first[cell + 1]; i++) {
		if (!dev_set_has(s->on, s->of[i]))
			return false;
	}
	return true;
}

static int cell_make(struct sweep *s)
{
	uint32_t *first = grow_array(s->first, s->n + 1, 1, &s->cap, sizeof(*first));
	uint32_t *of = grow_array(s->of, s->n_of, s->n_on, &s->cap_of, sizeof(*of));

	s->first = first != NULL ? first : s->first;
	s->of = of != NULL ? of : s->of;
	if (first == NULL || of == NULL)
		return -ENOMEM;
	for (uint32_t w = 0; w < s->n_words; w++) {
		for (uint64_t bits = s->on[w]; bits != 0; bits &= bits - 1)
			s->of[s->n_of++] = w * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	s->first[++s->n] = s->n_of;
	return 0;
}

static int sweep_stretch(struct sweep *s, const struct ip_range *stretch)
{
	struct plan_dst_range *last = s->n_ranges != 0 ? &s->ranges[s->n_ranges - 1] : NULL, *ranges;
	struct ip_addr next;
	uint32_t cell;

	if (s->n_on == 0 || dev_set_has(s->on, s->lists->n))
		return 0;
	if (intern_get(&s->cells, s->hash, cell_is_on, s, s->n, &cell) < 0 || (cell == s->n && cell_make(s) < 0))
		return -ENOMEM;
	if (last != NULL && last->dst == cell && ip_addr_next(&last->range.last, &next) &&
	    ip_addr_cmp(&next, &stretch->first) == 0) {
		last->range.last = stretch->last;
		return 0;
	}
	ranges = grow_array(s->ranges, s->n_ranges, 1, &s->cap_ranges, sizeof(*ranges));
	if (ranges == NULL)
		return -ENOMEM;
	s->ranges = ranges;
	s->ranges[s->n_ranges++] = (struct plan_dst_range){ .range = *stretch, .dst = cell };
	return 0;
}

static int sweep_run(struct sweep *s)
{
	uint32_t start = 0, end = 0;
	struct ip_range stretch;

	if (s->n_edges == 0)
		return 0;
	stretch.first = s->starts[0].at;
	while (end < s->n_edges) {
		for (; start < s->n_edges && ip_addr_cmp(&s->starts[start].at, &stretch.first) == 0; start++)
			sweep_toggle(s, s->starts[start].list);
		/* It ends where the first range ends, or before the next one begins. */
		stretch.last = s->ends[end].at;
		if (start < s->n_edges && ip_addr_cmp(&s->starts[start].at, &stretch.last) <= 0)
			(void)ip_addr_prev(&s->starts[start].at, &stretch.last);
		if (sweep_stretch(s, &stretch) < 0)
			return -ENOMEM;
		for (; end < s->n_edges && ip_addr_cmp(&s->ends[end].at, &stretch.last) == 0; end++)
			sweep_toggle(s, s->ends[end].list);
		if (s->n_on == 0 && start < s->n_edges)
			stretch.first = s->starts[start].at;
		else
			(void)ip_addr_next(&stretch.last, &stretch.first);
	}
	return 0;
}

static void *keep(struct arena *mem, const void *from, size_t n, size_t size)
{
	void *to = arena_array(mem, n + 1, size);

	if (to != NULL && n != 0)
		memcpy(to, from, n * size);
	return to;
}

/* The other way round: from cells to lists, lists to cells. */
static int cells_by_list(struct arena *mem, uint32_t n_lists, struct dst_cells *c)
{
	uint32_t *first = arena_array(mem, (size_t)n_lists + 2, sizeof(*first));
	uint32_t *cells = arena_array(mem, (size_t)c->first[c->n] + 1, sizeof(*cells));

	if (first == NULL || cells == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->first[c->n]; i++)
		first[c->lists[i] + 2]++;
	for (uint32_t i = 2; i < n_lists + 2; i++)
		first[i] += first[i - 1];
	/* first[list + 1] is where the next cell of that list goes; in the end, where the next list begins. */
	for (uint32_t cell = 0; cell < c->n; cell++) {
		for (uint32_t i = c->first[cell]; i < c->first[cell + 1]; i++)
			cells[first[c->lists[i] + 1]++] = cell;
	}
	c->of_list = first;
	c->cells = cells;
	return 0;
}

int dst_cells_divide(struct arena *mem, const struct dst_lists *lists, const uint64_t *use, const struct dst_list *cut,
		     struct dst_cells *ret)
{
	CLEANUP(sweep_done) struct sweep s = { .lists = lists };
	struct dst_cells c = { 0 };

	if (sweep_init(&s, use, cut) < 0 || sweep_run(&s) < 0)
		return -ENOMEM;
	c.n = s.n;
	c.n_ranges = s.n_ranges;
	c.ranges = keep(mem, s.ranges, s.n_ranges, sizeof(*s.ranges));
	c.first = keep(mem, s.first, (size_t)s.n + 1, sizeof(*s.first));
	c.lists = keep(mem, s.of, s.n_of, sizeof(*s.of));
	if (c.ranges == NULL || c.first == NULL || c.lists == NULL || cells_by_list(mem, lists->n, &c) < 0)
		return -ENOMEM;
	*ret = c;
	return 0;
}
