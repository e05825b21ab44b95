/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What two classes may do, compared point by point. Called by plan_diff.c for each pair of classes.
 *
 * For each cell of the destinations both sides' boxes are walked together once. Each piece of services in which the two
 * act differently is a piece of a change; those of one kind and rule are then gathered, by service first (addresses
 * that touch are joined), then by addresses (services that go to the same addresses stand in one change). Devices of
 * the same user are looked at one by one: for them autogroup:self has a say. */
#include "policy/diff_sink.h"

#include "base/grow.h"
#include "policy/segments.h"

#define NO_RULE UINT32_MAX

/* A service as a stretch of numbers: protocol above port. */
struct span32 {
	uint32_t lo, hi;
};

/* Some services of one cell. */
struct piece {
	enum plan_change_kind kind;
	uint32_t rule, by; /* in the plan that .kind says */
	struct span32 service;
	uint32_t cell; /* of the space; from its number of cells on: an own address, see struct comparison */
};

/* The boxes of one destination. */
struct box_slice {
	const struct plan_box *boxes;
	uint32_t n;
};

/* A side's boxes of one destination in one list. */
struct flat {
	struct plan_box *boxes;
	uint32_t n, cap;
};

struct comparison {
	struct diff_sink *s;
	struct piece *pieces;
	uint32_t n, cap;
	uint32_t cell;	      /* that is looked at */
	struct ip_range *own; /* addresses of the same user's devices, before or now; sorted */
	uint32_t n_own;
	struct flat flats[2][2]; /* of each side: two, to put a list together from two others */
	struct flat *flat;	 /* that is written */
	bool failed;
};

static void comparison_done(struct comparison *c)
{
	free(c->pieces);
	free(c->own);
	for (int side = 0; side < 2; side++) {
		free(c->flats[side][0].boxes);
		free(c->flats[side][1].boxes);
	}
}

static struct span32 span_of(const struct service *s)
{
	return (struct span32){ (uint32_t)s->proto << 16 | s->port_lo, (uint32_t)s->proto << 16 | s->port_hi };
}

/* Told of each piece of services that either side has: the rule of each, or NO_RULE. */
typedef void (*piece_fn)(struct comparison *c, struct span32 service, uint32_t first, uint32_t second);

/* Both are sorted and disjoint; either may be empty. */
static void walk_services(struct comparison *c, const struct box_slice *a, const struct box_slice *b, piece_fn fn)
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
		if (i < a->n && x.lo == piece.lo)
			first = a->boxes[i].rule;
		else if (x.lo <= piece.hi)
			piece.hi = x.lo - 1;
		if (k < b->n && y.lo == piece.lo)
			second = b->boxes[k].rule;
		else if (y.lo <= piece.hi)
			piece.hi = y.lo - 1;
		fn(c, piece, first, second);
		at = piece.hi + 1;
		i += x.hi == piece.hi;
		k += y.hi == piece.hi;
	}
}

static enum plan_action action_of(const struct plan *p, uint32_t rule)
{
	return rule == NO_RULE ? PLAN_DROP : p->rules[rule].action;
}

static void piece_add(struct comparison *c, struct piece piece)
{
	struct piece *pieces = grow_array(c->pieces, c->n, 1, &c->cap, sizeof(*pieces));

	if (pieces == NULL) {
		c->failed = true;
		return;
	}
	c->pieces = pieces;
	pieces[c->n++] = piece;
}

/* Rule @was decided about the piece, rule @is does now. */
static void compare(struct comparison *c, struct span32 service, uint32_t was, uint32_t is)
{
	enum plan_action before = action_of(c->s->from, was), now = action_of(c->s->to, is);
	struct piece piece = { .rule = is, .by = NO_RULE, .service = service, .cell = c->cell };

	if (before == now)
		return;
	if (now == PLAN_ACCEPT) {
		piece.kind = CHANGE_GAINS;
	} else if (before == PLAN_ACCEPT) {
		piece.kind = CHANGE_LOSES;
		piece.rule = was;
		piece.by = is;
	} else {
		piece.kind = now == PLAN_REJECT ? CHANGE_ANSWERED : CHANGE_SILENT;
	}
	piece_add(c, piece);
}

/* There is room: see flatten(). */
static void flat_add(struct comparison *c, struct span32 service, uint32_t first, uint32_t second)
{
	c->flat->boxes[c->flat->n++] = (struct plan_box){
		.service = { (uint8_t)(service.lo >> 16), (uint16_t)service.lo, (uint16_t)service.hi },
		.rule = first != NO_RULE ? first : second,
	};
}

/* What @behind has and @ret has not is put into it. */
static void flatten(struct comparison *c, int side, struct box_slice *ret, struct box_slice behind)
{
	struct flat *to = &c->flats[side][ret->boxes == c->flats[side][0].boxes];
	struct plan_box *boxes;

	if (behind.n == 0)
		return;
	if (ret->n == 0) {
		*ret = behind;
		return;
	}
	/* Each border of a box begins at most one piece. */
	boxes = grow_array(to->boxes, 0, (ret->n + behind.n) * 2, &to->cap, sizeof(*boxes));
	if (boxes == NULL) {
		c->failed = true;
		return;
	}
	*to = (struct flat){ .boxes = boxes, .cap = to->cap };
	c->flat = to;
	walk_services(c, ret, &behind, flat_add);
	*ret = (struct box_slice){ boxes, to->n };
}

static struct box_slice slice_of(const struct plan_box *boxes, uint32_t n, uint32_t dst)
{
	uint32_t lo = 0, hi = n, end;

	if (boxes == NULL || dst == PLAN_NO_DST)
		return (struct box_slice){ 0 };
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (boxes[mid].dst < dst)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < n && boxes[end].dst == dst;)
		end++;
	return (struct box_slice){ boxes + lo, end - lo };
}

/* All boxes of @class for a destination, the ones that decide first before the others. @numbers: of a cell. */
static struct box_slice side_boxes(struct comparison *c, int side, const struct plan_class *class,
				   const uint32_t *numbers, bool self)
{
	const struct plan *p = side == 0 ? c->s->from : c->s->to;
	struct box_slice ret = { 0 };

	if (class == NULL)
		return ret;
	if (self)
		ret = slice_of(class->self, class->n_self, numbers[DIFF_NAMED]);
	flatten(c, side, &ret, slice_of(class->boxes, class->n_boxes, numbers[DIFF_NAMED]));
	if (class->wide != NULL)
		flatten(c, side, &ret, slice_of(class->wide->boxes, class->wide->n_boxes, numbers[DIFF_WIDE]));
	for (uint32_t i = 0; class->members != NULL && i < p->members.n_levels; i++)
		flatten(c, side, &ret,
			slice_of(class->members->boxes, class->members->n_boxes, numbers[DIFF_LEVELS + i]));
	return ret;
}

/* @self_from, @self_to: of one user. */
static void compare_cell(struct comparison *c, const struct plan_class *from, const struct plan_class *to,
			 const struct diff_cell *cell, bool self_from, bool self_to)
{
	struct box_slice a = side_boxes(c, 0, from, cell->from, self_from);
	struct box_slice b = side_boxes(c, 1, to, cell->to, self_to);

	if (!c->failed)
		walk_services(c, &a, &b, compare);
}

/* Do both do the same, box by box, where @same says which destination is which? */
static bool boxes_act_alike(const struct diff_sink *s, const struct plan_box *a, uint32_t n_a, const struct plan_box *b,
			    uint32_t n_b, const uint32_t *same)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++) {
		if (same[a[i].dst] != b[i].dst || service_cmp(&a[i].service, &b[i].service) != 0 ||
		    action_of(s->from, a[i].rule) != action_of(s->to, b[i].rule))
			return false;
	}
	return true;
}

static bool parts_alike(const struct diff_sink *s, const struct plan_part *a, const struct plan_part *b,
			const uint32_t *same)
{
	static const struct plan_part nothing;

	a = a != NULL ? a : &nothing;
	b = b != NULL ? b : &nothing;
	return boxes_act_alike(s, a->boxes, a->n_boxes, b->boxes, b->n_boxes, same);
}

/* False also, at times, for classes whose boxes are cut otherwise. */
static bool classes_alike(const struct diff_sink *s, const struct plan_class *from, const struct plan_class *to)
{
	if (from == NULL || to == NULL)
		return from == to;
	return boxes_act_alike(s, from->boxes, from->n_boxes, to->boxes, to->n_boxes, s->space.named_same) &&
	       boxes_act_alike(s, from->self, from->n_self, to->self, to->n_self, s->space.named_same) &&
	       parts_alike(s, from->wide, to->wide, s->space.wide_same) &&
	       parts_alike(s, from->members, to->members, s->space.member_same);
}

static int number_cmp(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* Same sentence but for services and addresses. */
static int subject_cmp(const struct piece *x, const struct piece *y)
{
	int c = number_cmp(x->kind, y->kind);

	if (c == 0)
		c = number_cmp(x->rule, y->rule);
	return c != 0 ? c : number_cmp(x->by, y->by);
}

static int span_cmp(const struct piece *x, const struct piece *y)
{
	int c = number_cmp(x->service.lo, y->service.lo);

	return c != 0 ? c : number_cmp(x->service.hi, y->service.hi);
}

static int piece_cmp(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int c = subject_cmp(x, y);

	if (c == 0)
		c = span_cmp(x, y);
	return c != 0 ? c : number_cmp(x->cell, y->cell);
}

/* Pieces of one subject and service, their addresses joined. */
struct row {
	const struct piece *piece;
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
	int c = subject_cmp(x->piece, y->piece);

	if (c == 0)
		c = ranges_cmp(x->dsts, x->n_dsts, y->dsts, y->n_dsts);
	return c != 0 ? c : span_cmp(x->piece, y->piece);
}

/* Addresses of the pieces @from to @to - 1, joined. In the sink's arena. */
static void row_ranges(struct comparison *c, uint32_t from, uint32_t to, struct row *row)
{
	const struct diff_space *space = &c->s->space;
	struct ip_range *ranges;
	size_t room = 0, n = 0;

	for (uint32_t i = from; i < to; i++)
		room += c->pieces[i].cell < space->n_cells ? (size_t)space->cells[c->pieces[i].cell].n + c->n_own : 1;
	ranges = arena_array(c->s->mem, room, sizeof(*ranges));
	if (ranges == NULL) {
		c->failed = true;
		return;
	}
	for (uint32_t i = from; i < to; i++) {
		uint32_t at = c->pieces[i].cell;

		if (at < space->n_cells)
			n += ip_ranges_subtract(&space->ranges[space->cells[at].first], space->cells[at].n, c->own,
						c->n_own, ranges + n);
		else
			ranges[n++] = c->own[at - space->n_cells];
	}
	row->dsts = ranges;
	row->n_dsts = (uint32_t)ip_ranges_normalize(ranges, n);
}

/* Rows from sorted pieces. Returns how many; *@ret is malloc()ed. @named: their addresses mean nothing. */
static uint32_t rows_make(struct comparison *c, bool named, struct row **ret)
{
	struct row *rows = calloc((size_t)c->n + 1, sizeof(*rows));
	uint32_t n = 0, end;

	*ret = rows;
	if (rows == NULL) {
		c->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < c->n; i = end) {
		for (end = i; end < c->n && subject_cmp(&c->pieces[i], &c->pieces[end]) == 0 &&
			      span_cmp(&c->pieces[i], &c->pieces[end]) == 0;)
			end++;
		rows[n] = (struct row){ .piece = &c->pieces[i] };
		if (!named)
			row_ranges(c, i, end, &rows[n]);
		/* A cell may be nothing but addresses that were looked at one by one. */
		n += named || rows[n].n_dsts != 0;
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
		struct span32 at = rows[i].piece->service;
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
		const struct piece *piece = rows[i].piece;
		struct plan_change change = { .kind = piece->kind, .name = name };

		for (end = i + 1; end < n && subject_cmp(piece, rows[end].piece) == 0 &&
				  ranges_cmp(rows[i].dsts, rows[i].n_dsts, rows[end].dsts, rows[end].n_dsts) == 0;)
			end++;
		change.services = row_services(s, rows + i, end - i, &change.n_services);
		if (name == NULL) {
			change.dsts = rows[i].dsts;
			change.n_dsts = rows[i].n_dsts;
		}
		change.rule = position(piece->kind == CHANGE_LOSES ? s->from : s->to, piece->rule);
		change.by = position(s->to, piece->by);
		diff_add(s, change);
	}
}

/* Sentences from the pieces that were found. */
static void comparison_tell(struct comparison *c, const char *name)
{
	CLEANUP(freep) struct row *rows = NULL;
	uint32_t n;

	if (c->n != 0 && !c->failed) {
		qsort(c->pieces, c->n, sizeof(*c->pieces), piece_cmp);
		n = rows_make(c, name != NULL, &rows);
		if (!c->failed)
			changes_add(c->s, rows, n, name);
	}
	c->s->failed = c->s->failed || c->failed;
}

void diff_name(struct diff_sink *s, const struct diff_boxes *from, const struct diff_boxes *to, const char *name)
{
	CLEANUP(comparison_done) struct comparison c = { .s = s };
	const struct box_slice a = { from->boxes, from->n }, b = { to->boxes, to->n };

	walk_services(&c, &a, &b, compare);
	comparison_tell(&c, name);
}

/* Add the addresses of a side's user. */
static void own_add(struct comparison *c, const struct diff_users *users, const struct diff_side *side)
{
	uint32_t from, n, cap = c->n_own;
	struct ip_range *own;

	if (side->class == NULL || side->class->n_self == 0 || side->user == 0)
		return;
	from = users->first[side->user - 1];
	n = users->first[side->user] - from;
	own = grow_array(c->own, c->n_own, n, &cap, sizeof(*own));
	if (own == NULL) {
		c->failed = true;
		return;
	}
	c->own = own;
	for (uint32_t i = 0; i < n; i++)
		own[c->n_own++] = (struct ip_range){ .first = users->addrs[from + i], .last = users->addrs[from + i] };
}

static int range_cmp(const void *a, const void *b)
{
	const struct ip_range *x = a, *y = b;

	return ip_addr_cmp(&x->first, &y->first);
}

/* Sorted, each once; single addresses stay single. */
static void own_sort(struct comparison *c)
{
	uint32_t n = 0;

	if (c->n_own == 0)
		return;
	qsort(c->own, c->n_own, sizeof(*c->own), range_cmp);
	for (uint32_t i = 1; i < c->n_own; i++) {
		if (range_cmp(&c->own[n], &c->own[i]) != 0)
			c->own[++n] = c->own[i];
	}
	c->n_own = n + 1;
}

/* Nobody's device became this user's, and none ceased to be. */
static bool own_alike(const struct comparison *c, const struct diff_side *from, const struct diff_side *to)
{
	for (uint32_t i = 0; i < c->n_own; i++) {
		if (plan_user_has(c->s->from, from->user, &c->own[i].first) !=
		    plan_user_has(c->s->to, to->user, &c->own[i].first))
			return false;
	}
	return true;
}

void diff_traffic(struct diff_sink *s, const struct diff_side *from, const struct diff_side *to)
{
	CLEANUP(comparison_done) struct comparison c = { .s = s };
	const struct diff_space *space = &s->space;

	own_add(&c, &s->users_from, from);
	own_add(&c, &s->users_to, to);
	own_sort(&c);
	if (!c.failed && classes_alike(s, from->class, to->class) && own_alike(&c, from, to))
		return;
	for (c.cell = 0; c.cell < space->n_cells && !c.failed; c.cell++)
		compare_cell(&c, from->class, to->class, &space->cells[c.cell], false, false);
	for (uint32_t i = 0; i < c.n_own && !c.failed; i++) {
		uint32_t cell = diff_space_find(space, &c.own[i].first);

		c.cell = space->n_cells + i;
		if (cell != PLAN_NO_DST)
			compare_cell(&c, from->class, to->class, &space->cells[cell],
				     plan_user_has(s->from, from->user, &c.own[i].first),
				     plan_user_has(s->to, to->user, &c.own[i].first));
	}
	comparison_tell(&c, NULL);
}
