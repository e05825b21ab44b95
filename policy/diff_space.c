/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by plan_diff.c, once: what two classes differ in is then found cell by cell, however many addresses these are.
 *
 * Four sorted lists of ranges (two numberings in each plan) are walked together; stretches with the same four numbers
 * are one cell. */
#include "policy/diff_space.h"

#include "base/grow.h"
#include "policy/intern.h"

#define N_LISTS 4

struct walk {
	const struct plan_dsts *lists[N_LISTS]; /* in the order of struct diff_cell */
	uint32_t at[N_LISTS];
};

struct space_maker {
	struct diff_cell *cells;
	uint32_t n_cells, cap_cells;
	struct plan_dst_range *stretches;
	uint32_t n_stretches, cap_stretches;
	struct intern known;
};

static void space_maker_done(struct space_maker *m)
{
	free(m->cells);
	free(m->stretches);
	intern_done(&m->known);
}

static const struct plan_dst_range *walk_range(const struct walk *w, size_t i)
{
	return w->at[i] < w->lists[i]->n_ranges ? &w->lists[i]->ranges[w->at[i]] : NULL;
}

/* The next stretch, from @from on, and the four numbers there. False: there is none. */
static bool walk_next(struct walk *w, const struct ip_addr *from, struct ip_range *ret, uint32_t *ret_numbers)
{
	bool any = false;

	for (size_t i = 0; i < N_LISTS; i++) {
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
	for (size_t i = 0; i < N_LISTS; i++) {
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

struct cell_key {
	const struct space_maker *m;
	const uint32_t *numbers;
};

static bool same_cell(const void *arg, uint32_t item)
{
	const struct cell_key *key = arg;
	const struct diff_cell *c = &key->m->cells[item];

	return c->named_from == key->numbers[0] && c->wide_from == key->numbers[1] && c->named_to == key->numbers[2] &&
	       c->wide_to == key->numbers[3];
}

static int stretch_add(struct space_maker *m, const struct ip_range *range, const uint32_t *numbers)
{
	struct cell_key key = { .m = m, .numbers = numbers };
	struct diff_cell *cells = grow_array(m->cells, m->n_cells, 1, &m->cap_cells, sizeof(*cells));
	struct plan_dst_range *stretches =
		grow_array(m->stretches, m->n_stretches, 1, &m->cap_stretches, sizeof(*stretches));
	uint32_t cell;

	m->cells = cells != NULL ? cells : m->cells;
	m->stretches = stretches != NULL ? stretches : m->stretches;
	if (cells == NULL || stretches == NULL ||
	    intern_get(&m->known, intern_hash(INTERN_HASH, numbers, N_LISTS * sizeof(*numbers)), same_cell, &key,
		       m->n_cells, &cell) < 0)
		return -ENOMEM;
	if (cell == m->n_cells)
		cells[m->n_cells++] = (struct diff_cell){ numbers[0], numbers[1], numbers[2], numbers[3], 0, 0 };
	cells[cell].n++;
	stretches[m->n_stretches++] = (struct plan_dst_range){ .range = *range, .dst = cell };
	return 0;
}

static int space_walk(struct space_maker *m, const struct plan *from, const struct plan *to)
{
	struct walk w = { .lists = { &from->named, &from->wide, &to->named, &to->wide } };
	struct ip_addr at = { .family = IP_V4 };
	uint32_t numbers[N_LISTS];
	struct ip_range range;

	while (walk_next(&w, &at, &range, numbers)) {
		if (stretch_add(m, &range, numbers) < 0)
			return -ENOMEM;
		if (ip_addr_next(&range.last, &at))
			continue;
		if (range.last.family == IP_V6)
			break;
		at = (struct ip_addr){ .family = IP_V6 };
	}
	return 0;
}

/* @pairs: of each cell the number before and now. @ret: in @mem, for @n numbers before. */
static int numbers_match(struct arena *mem, const struct diff_cell *cells, uint32_t n_cells, bool wide, uint32_t n_from,
			 uint32_t n_to, const uint32_t **ret)
{
	uint32_t *same = arena_array(mem, (size_t)n_from + 1, sizeof(*same));
	CLEANUP(freep) uint8_t *bad = calloc((size_t)n_from + n_to + 1, 1); /* more than one partner, before and now */
	CLEANUP(freep) uint32_t *back = calloc((size_t)n_to + 1, sizeof(*back));

	if (same == NULL || bad == NULL || back == NULL)
		return -ENOMEM;
	memset(same, 0xff, ((size_t)n_from + 1) * sizeof(*same));
	memset(back, 0xff, ((size_t)n_to + 1) * sizeof(*back));
	for (uint32_t i = 0; i < n_cells; i++) {
		uint32_t a = wide ? cells[i].wide_from : cells[i].named_from;
		uint32_t b = wide ? cells[i].wide_to : cells[i].named_to;

		if (a != PLAN_NO_DST) {
			bad[a] |= b == PLAN_NO_DST || (same[a] != PLAN_NO_DST && same[a] != b);
			same[a] = b;
		}
		if (b != PLAN_NO_DST) {
			bad[n_from + b] |= a == PLAN_NO_DST || (back[b] != PLAN_NO_DST && back[b] != a);
			back[b] = a;
		}
	}
	for (uint32_t a = 0; a < n_from; a++) {
		if (bad[a] || same[a] == PLAN_NO_DST || bad[n_from + same[a]])
			same[a] = PLAN_NO_DST;
	}
	*ret = same;
	return 0;
}

int diff_space_make(struct arena *mem, const struct plan *from, const struct plan *to, struct diff_space *ret)
{
	CLEANUP(space_maker_done) struct space_maker m = { 0 };
	struct plan_dst_range *stretches;
	struct diff_cell *cells;
	struct ip_range *ranges;
	uint32_t total = 0;

	if (space_walk(&m, from, to) < 0)
		return -ENOMEM;
	cells = arena_array(mem, m.n_cells, sizeof(*cells));
	stretches = arena_array(mem, m.n_stretches, sizeof(*stretches));
	ranges = arena_array(mem, m.n_stretches, sizeof(*ranges));
	if (cells == NULL || stretches == NULL || ranges == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < m.n_cells; i++) {
		cells[i] = m.cells[i];
		cells[i].first = total;
		cells[i].n = 0;
		total += m.cells[i].n;
	}
	for (uint32_t i = 0; i < m.n_stretches; i++) {
		struct diff_cell *c = &cells[m.stretches[i].dst];

		stretches[i] = m.stretches[i];
		ranges[c->first + c->n++] = m.stretches[i].range;
	}
	*ret = (struct diff_space){ .cells = cells,
				    .n_cells = m.n_cells,
				    .ranges = ranges,
				    .stretches = stretches,
				    .n_stretches = m.n_stretches };
	if (numbers_match(mem, cells, m.n_cells, false, from->named.n, to->named.n, &ret->named_same) < 0 ||
	    numbers_match(mem, cells, m.n_cells, true, from->wide.n, to->wide.n, &ret->wide_same) < 0)
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
