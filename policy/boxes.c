/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The disjoint decomposition behind a class's verdict map. Called by compile.c, once a class; feeds lower_nft.c.
 *
 * The kernel's interval sets refuse elements that overlap, and a packet's cost must not grow with rules, so precedence
 * is decided here. The addresses are swept from the lowest boundary to the highest with the list of clauses that cover
 * the current stretch, kept in order of precedence; within a stretch each clause in turn takes those ports that no
 * earlier one has.
 *
 * Invariants: stretches are disjoint and ascending; the segments of a stretch are disjoint and ascending; two stretches
 * that touch differ in their segments. */
#include "policy/boxes.h"

struct edge {
	struct ip_addr at;
	uint32_t clause;
};

struct segment {
	struct service service;
	uint32_t rule;
};

struct segments {
	struct segment *items;
	uint32_t n, cap;
};

/* Boxes of one stretch. */
struct run {
	const struct plan_box *boxes;
	uint32_t n;
};

struct sweep {
	const struct box_clause *clauses;
	uint32_t n_clauses;
	const struct box_over *over; /* or NULL */
	struct run *runs;	     /* stretches of .over: edges know them as clauses from .n_clauses on */
	uint32_t n_runs;
	struct edge *starts, *ends; /* each sorted */
	uint32_t n_edges;
	uint32_t *active; /* clauses that cover the stretch, ascending */
	uint32_t n_active;
	struct segments now, before, scratch; /* of this stretch, of the one before it */
	struct ip_range last;		      /* stretch of .before; not yet written */
	struct plan_box *boxes;
	uint32_t n_boxes, cap_boxes, limit;
};

static void sweep_done(struct sweep *s)
{
	free(s->runs);
	free(s->starts);
	free(s->ends);
	free(s->active);
	free(s->now.items);
	free(s->before.items);
	free(s->scratch.items);
	free(s->boxes);
}

static int service_cmp(const void *a, const void *b)
{
	const struct service *x = a, *y = b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->port_lo != y->port_lo)
		return x->port_lo < y->port_lo ? -1 : 1;
	return (x->port_hi > y->port_hi) - (x->port_hi < y->port_hi);
}

uint32_t services_merge(struct service *services, uint32_t n)
{
	uint32_t kept = 0;

	if (n == 0)
		return 0;
	qsort(services, n, sizeof(*services), service_cmp);
	for (uint32_t i = 1; i < n; i++) {
		struct service *top = &services[kept];

		if (services[i].proto != top->proto || services[i].port_lo > top->port_hi + 1u)
			services[++kept] = services[i];
		else if (services[i].port_hi > top->port_hi)
			top->port_hi = services[i].port_hi;
	}
	return kept + 1;
}

static int edge_cmp(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	int c = ip_addr_cmp(&x->at, &y->at);

	return c != 0 ? c : (x->clause > y->clause) - (x->clause < y->clause);
}

/* The stretches of what comes before. */
static int runs_init(struct sweep *s)
{
	size_t total = 0;

	for (size_t p = 0; p < PLAN_SHARED_MAX; p++)
		total += s->over->parts[p] != NULL ? s->over->parts[p]->n_boxes : 0;
	s->runs = calloc(total + 1, sizeof(*s->runs));
	if (s->runs == NULL)
		return -ENOMEM;
	for (size_t p = 0; p < PLAN_SHARED_MAX; p++) {
		const struct plan_shared *part = s->over->parts[p];

		for (uint32_t i = 0; part != NULL && i < part->n_boxes; i++) {
			const struct plan_box *box = &part->boxes[i];

			if (i == 0 || ip_addr_cmp(&box[-1].dst.first, &box->dst.first) != 0)
				s->runs[s->n_runs++] = (struct run){ .boxes = box };
			s->runs[s->n_runs - 1].n++;
		}
	}
	return 0;
}

static void edges_add(struct sweep *s, const struct ip_range *range, uint32_t clause)
{
	s->starts[s->n_edges] = (struct edge){ .at = range->first, .clause = clause };
	s->ends[s->n_edges++] = (struct edge){ .at = range->last, .clause = clause };
}

static int sweep_init(struct sweep *s)
{
	uint32_t total;

	if (s->over != NULL && runs_init(s) < 0)
		return -ENOMEM;
	total = s->n_runs;
	for (uint32_t i = 0; i < s->n_clauses; i++)
		total += s->clauses[i].n_ranges;
	s->starts = calloc(total + 1u, sizeof(*s->starts));
	s->ends = calloc(total + 1u, sizeof(*s->ends));
	s->active = calloc((size_t)s->n_clauses + PLAN_SHARED_MAX + 1, sizeof(*s->active));
	if (s->starts == NULL || s->ends == NULL || s->active == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_clauses; i++) {
		for (uint32_t k = 0; k < s->clauses[i].n_ranges; k++)
			edges_add(s, &s->clauses[i].ranges[k], i);
	}
	for (uint32_t i = 0; i < s->n_runs; i++)
		edges_add(s, &s->runs[i].boxes[0].dst, s->n_clauses + i);
	qsort(s->starts, total, sizeof(*s->starts), edge_cmp);
	qsort(s->ends, total, sizeof(*s->ends), edge_cmp);
	return 0;
}

/* Where @clause is, or would be, among the active ones. */
static uint32_t active_index(const struct sweep *s, uint32_t clause)
{
	uint32_t lo = 0, hi = s->n_active;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->active[mid] < clause)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void active_add(struct sweep *s, uint32_t clause)
{
	uint32_t at = active_index(s, clause);

	memmove(s->active + at + 1, s->active + at, (s->n_active - at) * sizeof(*s->active));
	s->active[at] = clause;
	s->n_active++;
}

static void active_remove(struct sweep *s, uint32_t clause)
{
	uint32_t at = active_index(s, clause);

	s->n_active--;
	memmove(s->active + at, s->active + at + 1, (s->n_active - at) * sizeof(*s->active));
}

static int segment_push(struct segments *l, uint8_t proto, uint32_t lo, uint32_t hi, uint32_t rule)
{
	struct segment *top = l->n == 0 ? NULL : &l->items[l->n - 1];

	/* Neighbours of one rule become one. */
	if (top != NULL && top->rule == rule && top->service.proto == proto && top->service.port_hi + 1u == lo) {
		top->service.port_hi = (uint16_t)hi;
		return 0;
	}
	if (l->n == l->cap) {
		uint32_t cap = l->cap == 0 ? 16 : l->cap * 2;
		struct segment *items = reallocarray(l->items, cap, sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = (struct segment){
		.service = { .proto = proto, .port_lo = (uint16_t)lo, .port_hi = (uint16_t)hi },
		.rule = rule,
	};
	return 0;
}

static int segment_copy(struct segments *l, const struct segment *s)
{
	return segment_push(l, s->service.proto, s->service.port_lo, s->service.port_hi, s->rule);
}

/* Is all of @x before the port @lo of @proto? */
static bool service_before(const struct service *x, uint8_t proto, uint32_t lo)
{
	return x->proto != proto ? x->proto < proto : x->port_hi < lo;
}

/* The lowest port of @svc that is not in @done already, which is ascending. */
static uint32_t first_free(const struct segments *done, const struct service *svc)
{
	const struct service *top = done->n == 0 ? NULL : &done->items[done->n - 1].service;

	if (top == NULL || top->proto != svc->proto || top->port_hi < svc->port_lo)
		return svc->port_lo;
	return top->port_hi + 1u;
}

/* Merge @clause's services into .now where nothing is yet: both lists are sorted, so one pass does it. */
static int segments_overlay(struct sweep *s, const struct box_clause *clause)
{
	const struct segments *old = &s->now;
	struct segments *to = &s->scratch, swap;
	uint32_t at = 0;

	to->n = 0;
	for (uint32_t i = 0; i < clause->n_services; i++) {
		const struct service *svc = &clause->services[i];
		uint32_t lo = first_free(to, svc);

		for (; at < old->n && service_before(&old->items[at].service, svc->proto, lo); at++) {
			if (segment_copy(to, &old->items[at]) < 0)
				return -ENOMEM;
		}
		for (; at < old->n && old->items[at].service.proto == svc->proto &&
		       old->items[at].service.port_lo <= svc->port_hi;
		     at++) {
			const struct segment *taken = &old->items[at];

			if (taken->service.port_lo > lo &&
			    segment_push(to, svc->proto, lo, taken->service.port_lo - 1u, clause->rule) < 0)
				return -ENOMEM;
			if (segment_copy(to, taken) < 0)
				return -ENOMEM;
			lo = taken->service.port_hi + 1u;
		}
		if (lo <= svc->port_hi && segment_push(to, svc->proto, lo, svc->port_hi, clause->rule) < 0)
			return -ENOMEM;
	}
	for (; at < old->n; at++) {
		if (segment_copy(to, &old->items[at]) < 0)
			return -ENOMEM;
	}
	swap = s->now;
	s->now = s->scratch;
	s->scratch = swap;
	return 0;
}

/* Does @first decide before @second? Of the same rule: yes, one box is enough. */
static bool precedes(const struct plan_rule *rules, uint32_t first, uint32_t second)
{
	bool accepts = rules[first].action == PLAN_ACCEPT;

	if (accepts != (rules[second].action == PLAN_ACCEPT))
		return !accepts;
	return first <= second;
}

/* Take out of .now what the boxes @run decide before it. */
static int segments_less(struct sweep *s, const struct run *run)
{
	const struct segments *old = &s->now;
	struct segments *to = &s->scratch, swap;
	uint32_t at = 0;

	to->n = 0;
	for (uint32_t i = 0; i < old->n; i++) {
		const struct segment *seg = &old->items[i];
		uint32_t lo = seg->service.port_lo, hi = seg->service.port_hi;

		while (at < run->n && service_before(&run->boxes[at].service, seg->service.proto, lo))
			at++;
		for (uint32_t k = at; k < run->n; k++) {
			const struct plan_box *over = &run->boxes[k];

			if (over->service.proto != seg->service.proto || over->service.port_lo > hi)
				break;
			if (!precedes(s->over->rules, over->rule, seg->rule))
				continue;
			if (over->service.port_lo > lo &&
			    segment_push(to, seg->service.proto, lo, over->service.port_lo - 1u, seg->rule) < 0)
				return -ENOMEM;
			lo = over->service.port_hi + 1u;
		}
		if (lo <= hi && segment_push(to, seg->service.proto, lo, hi, seg->rule) < 0)
			return -ENOMEM;
	}
	swap = s->now;
	s->now = s->scratch;
	s->scratch = swap;
	return 0;
}

static bool segments_equal(const struct segments *a, const struct segments *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (service_cmp(&a->items[i].service, &b->items[i].service) != 0 ||
		    a->items[i].rule != b->items[i].rule)
			return false;
	}
	return true;
}

/* Write the boxes of the pending stretch. */
static int sweep_flush(struct sweep *s)
{
	uint32_t need = s->n_boxes + s->before.n;

	if (need > s->limit || need < s->n_boxes)
		return -E2BIG;
	if (need > s->cap_boxes) {
		uint32_t cap = need > UINT32_MAX / 2 ? need : need * 2;
		struct plan_box *boxes = reallocarray(s->boxes, cap, sizeof(*boxes));

		if (boxes == NULL)
			return -ENOMEM;
		s->boxes = boxes;
		s->cap_boxes = cap;
	}
	for (uint32_t i = 0; i < s->before.n; i++) {
		s->boxes[s->n_boxes++] = (struct plan_box){
			.dst = s->last,
			.service = s->before.items[i].service,
			.rule = s->before.items[i].rule,
		};
	}
	s->before.n = 0;
	return 0;
}

static int sweep_stretch(struct sweep *s, const struct ip_range *stretch)
{
	struct segments swap;
	struct ip_addr next;
	int r;

	s->now.n = 0;
	for (uint32_t i = 0; i < s->n_active; i++) {
		uint32_t clause = s->active[i];

		if (clause < s->n_clauses && s->clauses[clause].rule == BOX_HOLE)
			break;
		/* What comes before is last among the active ones. */
		r = clause < s->n_clauses ? segments_overlay(s, &s->clauses[clause])
					  : segments_less(s, &s->runs[clause - s->n_clauses]);
		if (r < 0)
			return r;
	}
	if (s->before.n != 0 && ip_addr_next(&s->last.last, &next) && ip_addr_cmp(&next, &stretch->first) == 0 &&
	    segments_equal(&s->now, &s->before)) {
		s->last.last = stretch->last;
		return 0;
	}
	r = sweep_flush(s);
	if (r < 0)
		return r;
	swap = s->before;
	s->before = s->now;
	s->now = swap;
	s->last = *stretch;
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
		int r;

		for (; start < s->n_edges && ip_addr_cmp(&s->starts[start].at, &stretch.first) == 0; start++)
			active_add(s, s->starts[start].clause);
		/* It ends where the first range ends, or before the next one begins. */
		stretch.last = s->ends[end].at;
		if (start < s->n_edges && ip_addr_cmp(&s->starts[start].at, &stretch.last) <= 0)
			(void)ip_addr_prev(&s->starts[start].at, &stretch.last);
		r = sweep_stretch(s, &stretch);
		if (r < 0)
			return r;
		for (; end < s->n_edges && ip_addr_cmp(&s->ends[end].at, &stretch.last) == 0; end++)
			active_remove(s, s->ends[end].clause);
		if (s->n_active == 0 && start < s->n_edges)
			stretch.first = s->starts[start].at;
		else
			(void)ip_addr_next(&stretch.last, &stretch.first);
	}
	return sweep_flush(s);
}

int boxes_build_over(struct arena *mem, const struct box_clause *clauses, uint32_t n, const struct box_over *over,
		     uint32_t limit, const struct plan_box **ret, uint32_t *ret_n)
{
	CLEANUP(sweep_done) struct sweep s = { .clauses = clauses, .n_clauses = n, .over = over, .limit = limit };
	struct plan_box *boxes;
	int r;

	r = sweep_init(&s);
	if (r == 0)
		r = sweep_run(&s);
	if (r < 0)
		return r;
	boxes = arena_array(mem, s.n_boxes, sizeof(*boxes));
	if (boxes == NULL)
		return -ENOMEM;
	if (s.n_boxes != 0)
		memcpy(boxes, s.boxes, s.n_boxes * sizeof(*boxes));
	*ret = boxes;
	*ret_n = s.n_boxes;
	return 0;
}

int boxes_build(struct arena *mem, const struct box_clause *clauses, uint32_t n, uint32_t limit,
		const struct plan_box **ret, uint32_t *ret_n)
{
	return boxes_build_over(mem, clauses, n, NULL, limit, ret, ret_n);
}
