/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two sets of disjoint boxes compared point by point. Called by plan_diff.c for each pair of classes.
 *
 * Both lists are sorted by address stretch, then service: they are walked together once. Each piece in which the two
 * sides act differently is a cell; cells of one kind and rule are then gathered, by service first (addresses that
 * touch are joined), then by addresses (services that go to the same addresses stand in one change). */
#include "policy/diff_sink.h"

#define NO_RULE UINT32_MAX

/* A service as a stretch of numbers: protocol above port. */
struct span32 {
	uint32_t lo, hi;
};

struct cell {
	enum plan_change_kind kind;
	uint32_t rule, by; /* in the plan that .kind says */
	struct span32 service;
	struct ip_range dst;
};

struct cells {
	struct cell *items;
	uint32_t n, cap;
};

/* A walk over one side: the boxes .at to .end share the stretch .left, as far as it has not been passed. */
struct walk {
	const struct plan_box *boxes;
	uint32_t n, at, end;
	struct ip_range left;
};

static struct span32 span_of(const struct service *s)
{
	return (struct span32){ (uint32_t)s->proto << 16 | s->port_lo, (uint32_t)s->proto << 16 | s->port_hi };
}

static void walk_next(struct walk *w)
{
	w->at = w->end;
	while (w->end < w->n && ip_addr_cmp(&w->boxes[w->end].dst.first, &w->boxes[w->at].dst.first) == 0)
		w->end++;
	if (w->at < w->n)
		w->left = w->boxes[w->at].dst;
}

/* @piece, which begins .left, is behind us. */
static void walk_pass(struct walk *w, const struct ip_range *piece)
{
	if (ip_addr_cmp(&piece->last, &w->left.last) == 0)
		walk_next(w);
	else
		(void)ip_addr_next(&piece->last, &w->left.first);
}

/* Told of each piece of addresses and services that either side has: the rule of each, or NO_RULE. */
typedef void (*piece_fn)(void *arg, const struct ip_range *dst, struct span32 service, uint32_t first, uint32_t second);

/* Services of a piece on both sides; @a or @b may be empty. */
static void walk_services(const struct ip_range *dst, const struct diff_boxes *a, const struct diff_boxes *b,
			  piece_fn fn, void *arg)
{
	uint32_t i = 0, k = 0, at = 0;

	while (i < a->n || k < b->n) {
		struct span32 x = { UINT32_MAX, UINT32_MAX }, y = x, piece;
		uint32_t first = NO_RULE, second = NO_RULE;

		if (i < a->n)
			x = span_of(&a->boxes[i].service);
		if (k < b->n)
			y = span_of(&b->boxes[k].service);
		x.lo = x.lo < at ? at : x.lo;
		y.lo = y.lo < at ? at : y.lo;
		piece.lo = x.lo < y.lo ? x.lo : y.lo;
		piece.hi = x.hi < y.hi ? x.hi : y.hi;
		if (x.lo == piece.lo)
			first = a->boxes[i].rule;
		else if (x.lo <= piece.hi)
			piece.hi = x.lo - 1;
		if (y.lo == piece.lo)
			second = b->boxes[k].rule;
		else if (y.lo <= piece.hi)
			piece.hi = y.lo - 1;
		fn(arg, dst, piece, first, second);
		at = piece.hi + 1;
		i += x.hi == piece.hi;
		k += y.hi == piece.hi;
	}
}

static void walk_boxes(const struct diff_boxes *first, const struct diff_boxes *second, piece_fn fn, void *arg)
{
	struct walk a = { .boxes = first->boxes, .n = first->n }, b = { .boxes = second->boxes, .n = second->n };

	walk_next(&a);
	walk_next(&b);
	while (a.at < a.n || b.at < b.n) {
		int order = a.at == a.n ? 1 : b.at == b.n ? -1 : ip_addr_cmp(&a.left.first, &b.left.first);
		const struct walk *low = order <= 0 ? &a : &b, *other = order <= 0 ? &b : &a;
		struct diff_boxes x = { a.boxes + a.at, order <= 0 ? a.end - a.at : 0 };
		struct diff_boxes y = { b.boxes + b.at, order >= 0 ? b.end - b.at : 0 };
		struct ip_range piece = low->left;

		if (order == 0 && ip_addr_cmp(&other->left.last, &piece.last) < 0)
			piece.last = other->left.last;
		if (order != 0 && other->at < other->n && ip_addr_cmp(&other->left.first, &piece.last) <= 0)
			(void)ip_addr_prev(&other->left.first, &piece.last);
		walk_services(&piece, &x, &y, fn, arg);
		if (order <= 0)
			walk_pass(&a, &piece);
		if (order >= 0)
			walk_pass(&b, &piece);
	}
}

static enum plan_action action_of(const struct plan *p, uint32_t rule)
{
	return rule == NO_RULE ? PLAN_DROP : p->rules[rule].action;
}

static void cell_add(struct diff_sink *s, struct cells *c, struct cell cell)
{
	if (c->n == c->cap) {
		uint32_t cap = c->cap == 0 ? 64 : c->cap * 2;
		struct cell *items = reallocarray(c->items, cap, sizeof(*items));

		if (items == NULL) {
			s->failed = true;
			return;
		}
		c->items = items;
		c->cap = cap;
	}
	c->items[c->n++] = cell;
}

struct comparison {
	struct diff_sink *s;
	struct cells cells;
};

static void comparison_done(struct comparison *c)
{
	free(c->cells.items);
}

/* Rule @was decided about the piece, rule @is does now. */
static void compare(void *arg, const struct ip_range *dst, struct span32 service, uint32_t was, uint32_t is)
{
	struct comparison *c = arg;
	enum plan_action before = action_of(c->s->from, was), now = action_of(c->s->to, is);
	struct cell cell = { .rule = is, .by = NO_RULE, .service = service, .dst = *dst };

	if (before == now)
		return;
	if (now == PLAN_ACCEPT) {
		cell.kind = CHANGE_GAINS;
	} else if (before == PLAN_ACCEPT) {
		cell.kind = CHANGE_LOSES;
		cell.rule = was;
		cell.by = is;
	} else {
		cell.kind = now == PLAN_REJECT ? CHANGE_ANSWERED : CHANGE_SILENT;
	}
	cell_add(c->s, &c->cells, cell);
}

struct flat {
	struct plan_box *boxes;
	uint32_t n, cap;
	bool failed;
};

static void flatten(void *arg, const struct ip_range *dst, struct span32 service, uint32_t own, uint32_t shared)
{
	struct flat *f = arg;

	if (f->n == f->cap) {
		uint32_t cap = f->cap == 0 ? 64 : f->cap * 2;
		struct plan_box *boxes = reallocarray(f->boxes, cap, sizeof(*boxes));

		if (boxes == NULL) {
			f->failed = true;
			return;
		}
		f->boxes = boxes;
		f->cap = cap;
	}
	f->boxes[f->n++] = (struct plan_box){
		.dst = *dst,
		.service = { (uint8_t)(service.lo >> 16), (uint16_t)service.lo, (uint16_t)service.hi },
		.rule = own != NO_RULE ? own : shared,
	};
}

int diff_class_boxes(const struct plan_class *c, struct diff_boxes *ret, void **ret_memory)
{
	struct diff_boxes all = { 0 };
	struct flat f = { 0 };

	*ret_memory = NULL;
	if (c != NULL)
		all = (struct diff_boxes){ c->boxes, c->n_boxes };
	for (size_t i = 0; c != NULL && i < PLAN_SHARED_MAX; i++) {
		struct diff_boxes shared = { 0 };

		if (c->shared[i] == NULL)
			continue;
		shared = (struct diff_boxes){ c->shared[i]->boxes, c->shared[i]->n_boxes };
		f = (struct flat){ 0 };
		walk_boxes(&all, &shared, flatten, &f);
		free(*ret_memory);
		*ret_memory = f.boxes;
		all = (struct diff_boxes){ f.boxes, f.n };
		if (f.failed)
			return -ENOMEM;
	}
	*ret = all;
	return 0;
}

static bool boxes_act_alike(const struct diff_sink *s, const struct plan_box *a, uint32_t n_a, const struct plan_box *b,
			    uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++) {
		struct span32 x = span_of(&a[i].service), y = span_of(&b[i].service);

		if (x.lo != y.lo || x.hi != y.hi || ip_addr_cmp(&a[i].dst.first, &b[i].dst.first) != 0 ||
		    ip_addr_cmp(&a[i].dst.last, &b[i].dst.last) != 0 ||
		    action_of(s->from, a[i].rule) != action_of(s->to, b[i].rule))
			return false;
	}
	return true;
}

/* The same for shared parts: many classes have the same ones, one after the other. */
static bool shared_act_alike(struct diff_sink *s, size_t i, const struct plan_shared *a, const struct plan_shared *b)
{
	static const struct plan_shared nothing;

	a = a != NULL ? a : &nothing;
	b = b != NULL ? b : &nothing;
	if (s->shared[i].from != a || s->shared[i].to != b) {
		s->shared[i].from = a;
		s->shared[i].to = b;
		s->shared[i].alike = boxes_act_alike(s, a->boxes, a->n_boxes, b->boxes, b->n_boxes);
	}
	return s->shared[i].alike;
}

bool diff_classes_alike(struct diff_sink *s, const struct plan_class *from, const struct plan_class *to)
{
	if (from == NULL || to == NULL || !boxes_act_alike(s, from->boxes, from->n_boxes, to->boxes, to->n_boxes))
		return false;
	for (size_t i = 0; i < PLAN_SHARED_MAX; i++) {
		if (!shared_act_alike(s, i, from->shared[i], to->shared[i]))
			return false;
	}
	return true;
}

static int number_cmp(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* Same sentence but for services and addresses. */
static int subject_cmp(const struct cell *x, const struct cell *y)
{
	int c = number_cmp(x->kind, y->kind);

	if (c == 0)
		c = number_cmp(x->rule, y->rule);
	return c != 0 ? c : number_cmp(x->by, y->by);
}

static int service_cmp(const struct cell *x, const struct cell *y)
{
	int c = number_cmp(x->service.lo, y->service.lo);

	return c != 0 ? c : number_cmp(x->service.hi, y->service.hi);
}

static int cell_cmp(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;
	int c = subject_cmp(x, y);

	if (c == 0)
		c = service_cmp(x, y);
	return c != 0 ? c : ip_addr_cmp(&x->dst.first, &y->dst.first);
}

/* Cells of one subject and service, their addresses joined. */
struct row {
	const struct cell *cell;
	const struct ip_range *dsts;
	uint32_t n_dsts;
};

static int ranges_cmp(const struct ip_range *a, uint32_t n_a, const struct ip_range *b, uint32_t n_b)
{
	for (uint32_t i = 0; i < n_a && i < n_b; i++) {
		int c = ip_addr_cmp(&a[i].first, &b[i].first);

		if (c == 0)
			c = ip_addr_cmp(&a[i].last, &b[i].last);
		if (c != 0)
			return c;
	}
	return number_cmp(n_a, n_b);
}

static int row_cmp(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = subject_cmp(x->cell, y->cell);

	if (c == 0)
		c = ranges_cmp(x->dsts, x->n_dsts, y->dsts, y->n_dsts);
	return c != 0 ? c : service_cmp(x->cell, y->cell);
}

/* Rows from sorted cells. Returns how many; *@ret is malloc()ed. */
static uint32_t rows_make(struct diff_sink *s, const struct cells *c, struct row **ret)
{
	struct row *rows = calloc((size_t)c->n + 1, sizeof(*rows));
	struct ip_range *ranges = arena_array(s->mem, c->n, sizeof(*ranges));
	uint32_t n = 0, end;

	*ret = rows;
	if (rows == NULL || ranges == NULL) {
		s->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < c->n; i = end) {
		uint32_t kept = 0;

		for (end = i; end < c->n && subject_cmp(&c->items[i], &c->items[end]) == 0 &&
			      service_cmp(&c->items[i], &c->items[end]) == 0;
		     end++)
			ranges[i + kept++] = c->items[end].dst;
		kept = (uint32_t)ip_ranges_normalize(ranges + i, kept);
		rows[n++] = (struct row){ .cell = &c->items[i], .dsts = ranges + i, .n_dsts = kept };
	}
	qsort(rows, n, sizeof(*rows), row_cmp);
	return n;
}

static const char *position(const struct plan *p, uint32_t rule)
{
	return rule == NO_RULE ? NULL : p->rules[rule].pos;
}

/* The services of @rows, which have all else in common. Neighbours are joined: a border that was another's is no
 * border of the change. */
static const struct service *row_services(struct diff_sink *s, const struct row *rows, uint32_t n, uint32_t *ret_n)
{
	struct service *services = arena_array(s->mem, n, sizeof(*services));
	uint32_t kept = 0;

	if (services == NULL) {
		s->failed = true;
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct span32 at = rows[i].cell->service;
		struct service one = { (uint8_t)(at.lo >> 16), (uint16_t)at.lo, (uint16_t)at.hi };

		if (kept != 0 && services[kept - 1].proto == one.proto &&
		    services[kept - 1].port_hi + 1u == one.port_lo)
			services[kept - 1].port_hi = one.port_hi;
		else
			services[kept++] = one;
	}
	*ret_n = kept;
	return services;
}

static void changes_add(struct diff_sink *s, const struct row *rows, uint32_t n, const char *name)
{
	uint32_t end;

	for (uint32_t i = 0; i < n && !s->failed; i = end) {
		const struct cell *cell = rows[i].cell;
		struct plan_change change = { .kind = cell->kind, .name = name };

		for (end = i + 1; end < n && subject_cmp(cell, rows[end].cell) == 0 &&
				  ranges_cmp(rows[i].dsts, rows[i].n_dsts, rows[end].dsts, rows[end].n_dsts) == 0;)
			end++;
		change.services = row_services(s, rows + i, end - i, &change.n_services);
		if (name == NULL) {
			change.dsts = rows[i].dsts;
			change.n_dsts = rows[i].n_dsts;
		}
		change.rule = position(cell->kind == CHANGE_LOSES ? s->from : s->to, cell->rule);
		change.by = position(s->to, cell->by);
		diff_add(s, change);
	}
}

void diff_boxes(struct diff_sink *s, const struct diff_boxes *from, const struct diff_boxes *to, const char *name)
{
	CLEANUP(comparison_done) struct comparison c = { .s = s };
	CLEANUP(freep) struct row *rows = NULL;
	uint32_t n;

	walk_boxes(from, to, compare, &c);
	if (c.cells.n == 0 || s->failed)
		return;
	qsort(c.cells.items, c.cells.n, sizeof(*c.cells.items), cell_cmp);
	n = rows_make(s, &c.cells, &rows);
	changes_add(s, rows, n, name);
}
