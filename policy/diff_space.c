/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by plan_diff.c, once: what two classes differ in is then found cell by cell, however many addresses these are.
 *
 * Sorted lists of ranges (all numberings of both plans) are walked together; stretches with the same numbers are one
 * cell. */
#include "policy/diff_space.h"

#include "base/grow.h"
#include "policy/intern.h"

struct walk {
	const struct plan_dsts **lists; /* those of the first plan, those of the second */
	uint32_t *at;
	uint32_t n;
};

struct space_maker {
	struct walk walk;
	uint32_t *numbers;	/* of the stretch, one for each list */
	uint32_t *cell_numbers; /* of all cells, one after the other */
	uint32_t *cell_n;	/* stretches of each cell */
	uint32_t n_cells, cap_numbers, cap_cells;
	struct plan_dst_range *stretches;
	uint32_t n_stretches, cap_stretches;
	struct intern known;
};

static void space_maker_done(struct space_maker *m)
{
	free(m->walk.lists);
	free(m->walk.at);
	free(m->numbers);
	free(m->cell_numbers);
	free(m->cell_n);
	free(m->stretches);
	intern_done(&m->known);
}

static uint32_t count_lists(const struct plan *p)
{
	return DIFF_LEVELS + p->members.n_levels;
}

static void lists_add(struct walk *w, const struct plan *p)
{
	w->lists[w->n++] = &p->named;
	w->lists[w->n++] = &p->wide;
	for (uint32_t i = 0; i < p->members.n_levels; i++)
		w->lists[w->n++] = &p->members.levels[i];
}

static int space_maker_init(struct space_maker *m, const struct plan *from, const struct plan *to)
{
	size_t n = (size_t)count_lists(from) + count_lists(to);

	m->walk.lists = calloc(n, sizeof(const struct plan_dsts *));
	m->walk.at = calloc(n, sizeof(*m->walk.at));
	m->numbers = calloc(n, sizeof(*m->numbers));
	if (m->walk.lists == NULL || m->walk.at == NULL || m->numbers == NULL)
		return -ENOMEM;
	lists_add(&m->walk, from);
	lists_add(&m->walk, to);
	return 0;
}

static const struct plan_dst_range *walk_range(const struct walk *w, uint32_t i)
{
	return w->at[i] < w->lists[i]->n_ranges ? &w->lists[i]->ranges[w->at[i]] : NULL;
}

/* The next stretch, from @from on, and the numbers there. False: there is none. */
static bool walk_next(struct walk *w, const struct ip_addr *from, struct ip_range *ret, uint32_t *ret_numbers)
{
	bool any = false;

	for (uint32_t i = 0; i < w->n; i++) {
		const struct plan_dst_range *r;

		while ((r = walk_range(w, i)) != NULL && ip_addr_cmp(&r->range.last, from) < 0)
			w->at[i]++;
		if (r == NULL)
			continue;
		if (!any || ip_addr_cmp(&r->range.first, &ret->first) < 0)
			ret->first = r->range.first;
		any = true;
	}
	if (!any)
		return false;
	if (ip_addr_cmp(&ret->first, from) < 0)
		ret->first = *from;
	any = false;
	for (uint32_t i = 0; i < w->n; i++) {
		const struct plan_dst_range *r = walk_range(w, i);
		struct ip_addr end;

		ret_numbers[i] = PLAN_NO_DST;
		if (r == NULL)
			continue;
		if (ip_addr_cmp(&r->range.first, &ret->first) <= 0) {
			ret_numbers[i] = r->dst;
			end = r->range.last;
		} else {
			/* It begins later: there is an address before it. */
			(void)ip_addr_prev(&r->range.first, &end);
			if (end.family != ret->first.family)
				continue;
		}
		if (!any || ip_addr_cmp(&end, &ret->last) < 0)
			ret->last = end;
		any = true;
	}
	return true;
}

static bool same_cell(const void *arg, uint32_t item)
{
	const struct space_maker *m = arg;

	return memcmp(m->cell_numbers + (size_t)item * m->walk.n, m->numbers, m->walk.n * sizeof(*m->numbers)) == 0;
}

static int cell_make(struct space_maker *m)
{
	uint32_t *numbers =
		grow_array(m->cell_numbers, m->n_cells * m->walk.n, m->walk.n, &m->cap_numbers, sizeof(*numbers));
	uint32_t *n = grow_array(m->cell_n, m->n_cells, 1, &m->cap_cells, sizeof(*n));

	m->cell_numbers = numbers != NULL ? numbers : m->cell_numbers;
	m->cell_n = n != NULL ? n : m->cell_n;
	if (numbers == NULL || n == NULL || m->n_cells >= UINT32_MAX / m->walk.n - 1)
		return -ENOMEM;
	memcpy(numbers + (size_t)m->n_cells * m->walk.n, m->numbers, m->walk.n * sizeof(*numbers));
	n[m->n_cells++] = 0;
	return 0;
}

static int stretch_add(struct space_maker *m, const struct ip_range *range)
{
	struct plan_dst_range *stretches =
		grow_array(m->stretches, m->n_stretches, 1, &m->cap_stretches, sizeof(*stretches));
	uint64_t hash = intern_hash(INTERN_HASH, m->numbers, m->walk.n * sizeof(*m->numbers));
	uint32_t cell;

	m->stretches = stretches != NULL ? stretches : m->stretches;
	if (stretches == NULL || intern_get(&m->known, hash, same_cell, m, m->n_cells, &cell) < 0)
		return -ENOMEM;
	if (cell == m->n_cells && cell_make(m) < 0)
		return -ENOMEM;
	m->cell_n[cell]++;
	stretches[m->n_stretches++] = (struct plan_dst_range){ .range = *range, .dst = cell };
	return 0;
}

static int space_walk(struct space_maker *m)
{
	struct ip_addr at = { .family = IP_V4 };
	struct ip_range range;

	while (walk_next(&m->walk, &at, &range, m->numbers)) {
		if (stretch_add(m, &range) < 0)
			return -ENOMEM;
		if (ip_addr_next(&range.last, &at))
			continue;
		if (range.last.family == IP_V6)
			break;
		at = (struct ip_addr){ .family = IP_V6 };
	}
	return 0;
}

/* Numbers of one numbering before and now that have met, and those that have met more than one. */
struct match {
	uint32_t *same, *back; /* of each number before the one now; the other way round */
	uint8_t *bad;	       /* of each number before, of each number now: not the same as any */
	uint32_t n_from, n_to;
};

static void match_done(struct match *m)
{
	free(m->back);
	free(m->bad);
}

/* .same in @mem. */
static int match_init(struct match *m, struct arena *mem, uint32_t n_from, uint32_t n_to)
{
	*m = (struct match){ .n_from = n_from, .n_to = n_to };
	m->same = arena_array(mem, (size_t)n_from + 1, sizeof(*m->same));
	m->back = calloc((size_t)n_to + 1, sizeof(*m->back));
	m->bad = calloc((size_t)n_from + n_to + 1, 1);
	if (m->same == NULL || m->back == NULL || m->bad == NULL)
		return -ENOMEM;
	memset(m->same, 0xff, ((size_t)n_from + 1) * sizeof(*m->same));
	memset(m->back, 0xff, ((size_t)n_to + 1) * sizeof(*m->back));
	return 0;
}

/* Some addresses have number @a before and @b now. */
static void match_meet(struct match *m, uint32_t a, uint32_t b)
{
	if (a != PLAN_NO_DST) {
		m->bad[a] |= b == PLAN_NO_DST || (m->same[a] != PLAN_NO_DST && m->same[a] != b);
		m->same[a] = b;
	}
	if (b != PLAN_NO_DST) {
		m->bad[m->n_from + b] |= a == PLAN_NO_DST || (m->back[b] != PLAN_NO_DST && m->back[b] != a);
		m->back[b] = a;
	}
}

static void match_settle(struct match *m)
{
	for (uint32_t a = 0; a < m->n_from; a++) {
		if (m->bad[a] || m->same[a] == PLAN_NO_DST || m->bad[m->n_from + m->same[a]])
			m->same[a] = PLAN_NO_DST;
	}
}

static int match_numbers(struct arena *mem, const struct diff_space *d, uint32_t at, uint32_t n_from, uint32_t n_to,
			 const uint32_t **ret)
{
	CLEANUP(match_done) struct match m;

	if (match_init(&m, mem, n_from, n_to) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->n_cells; i++)
		match_meet(&m, d->cells[i].from[at], d->cells[i].to[at]);
	match_settle(&m);
	*ret = m.same;
	return 0;
}

/* Lists keep their level as long as no other comes or goes; where one does, they count as others, which only costs
 * time. */
static int match_members(struct arena *mem, const struct diff_space *d, const struct plan_members *from,
			 const struct plan_members *to, const uint32_t **ret)
{
	uint32_t levels = from->n_levels > to->n_levels ? from->n_levels : to->n_levels;
	CLEANUP(match_done) struct match m;

	if (match_init(&m, mem, from->n_levels != 0 ? from->levels[0].n : 0, to->n_levels != 0 ? to->levels[0].n : 0) <
	    0)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->n_cells; i++) {
		for (uint32_t level = 0; level < levels; level++)
			match_meet(&m, level < from->n_levels ? d->cells[i].from[DIFF_LEVELS + level] : PLAN_NO_DST,
				   level < to->n_levels ? d->cells[i].to[DIFF_LEVELS + level] : PLAN_NO_DST);
	}
	match_settle(&m);
	*ret = m.same;
	return 0;
}

/* What was made, with the ranges of each cell together. */
static int space_keep(struct arena *mem, const struct space_maker *m, uint32_t n_from, struct diff_space *ret)
{
	size_t n_numbers = (size_t)m->n_cells * m->walk.n;
	struct diff_cell *cells = arena_array(mem, m->n_cells, sizeof(*cells));
	struct plan_dst_range *stretches = arena_array(mem, m->n_stretches, sizeof(*stretches));
	struct ip_range *ranges = arena_array(mem, m->n_stretches, sizeof(*ranges));
	uint32_t *numbers = arena_array(mem, n_numbers, sizeof(*numbers));
	uint32_t total = 0;

	if (cells == NULL || stretches == NULL || ranges == NULL || numbers == NULL)
		return -ENOMEM;
	if (n_numbers != 0)
		memcpy(numbers, m->cell_numbers, n_numbers * sizeof(*numbers));
	for (uint32_t i = 0; i < m->n_cells; i++) {
		const uint32_t *own = numbers + (size_t)i * m->walk.n;

		cells[i] = (struct diff_cell){ .from = own, .to = own + n_from, .first = total };
		total += m->cell_n[i];
	}
	for (uint32_t i = 0; i < m->n_stretches; i++) {
		struct diff_cell *c = &cells[m->stretches[i].dst];

		stretches[i] = m->stretches[i];
		ranges[c->first + c->n++] = m->stretches[i].range;
	}
	*ret = (struct diff_space){ .cells = cells,
				    .n_cells = m->n_cells,
				    .ranges = ranges,
				    .stretches = stretches,
				    .n_stretches = m->n_stretches };
	return 0;
}

int diff_space_make(struct arena *mem, const struct plan *from, const struct plan *to, struct diff_space *ret)
{
	CLEANUP(space_maker_done) struct space_maker m = { 0 };

	if (space_maker_init(&m, from, to) < 0 || space_walk(&m) < 0 || space_keep(mem, &m, count_lists(from), ret) < 0)
		return -ENOMEM;
	if (match_numbers(mem, ret, DIFF_NAMED, from->named.n, to->named.n, &ret->named_same) < 0 ||
	    match_numbers(mem, ret, DIFF_WIDE, from->wide.n, to->wide.n, &ret->wide_same) < 0 ||
	    match_members(mem, ret, &from->members, &to->members, &ret->member_same) < 0)
		return -ENOMEM;
	return 0;
}

uint32_t diff_space_find(const struct diff_space *d, const struct ip_addr *addr)
{
	const struct plan_dsts stretches = { .ranges = d->stretches, .n_ranges = d->n_stretches };

	return plan_dst_find(&stretches, addr);
}

int diff_users_make(struct arena *mem, const struct plan *p, struct diff_users *ret)
{
	uint32_t *first = arena_array(mem, (size_t)p->n_users + 2, sizeof(*first));
	struct ip_addr *addrs = arena_array(mem, p->n_addrs, sizeof(*addrs));

	if (first == NULL || addrs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_addrs; i++)
		first[p->devices[p->addrs[i].device].user_no + 1]++;
	/* Number 0 is nobody: not counted. */
	first[1] = 0;
	for (uint32_t i = 2; i < p->n_users + 2; i++)
		first[i] += first[i - 1];
	/* first[user] is where the next of that user goes; in the end, where the next user's begin. */
	for (uint32_t i = 0; i < p->n_addrs; i++) {
		uint32_t user = p->devices[p->addrs[i].device].user_no;

		if (user != 0)
			addrs[first[user]++] = p->addrs[i].addr;
	}
	*ret = (struct diff_users){ .first = first, .addrs = addrs };
	return 0;
}
