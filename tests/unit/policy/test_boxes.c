/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The decomposition into boxes: what it finds equals a scan of the clauses in order, and boxes never overlap. */
#include "base/base.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "policy/boxes.h"

#define ROUNDS	     300
#define LISTS_MAX    10
#define CLAUSES_MAX  12
#define RANGES_MAX   5
#define SERVICES_MAX 4
#define PROBES	     400

#define OWNERS 3

/* Some address lists, and for each owner some clauses over them. */
struct input {
	struct dst_list lists[LISTS_MAX + 1];
	struct ip_range ranges[LISTS_MAX + 1][RANGES_MAX];
	uint32_t n_lists; /* what is cut out is behind them */
	struct box_clause clauses[OWNERS][CLAUSES_MAX];
	struct service services[OWNERS][CLAUSES_MAX][SERVICES_MAX];
	uint32_t n[OWNERS];
};

/* What comes of it. */
struct output {
	struct plan_dsts dsts;
	struct box_list *lists;
	struct plan plan;
	struct plan_class class;
};

static uint32_t seed;

static uint32_t roll(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

/* Few values, at the ends of the space and in the middle, so that boundaries meet. */
static struct ip_addr some_addr(uint8_t family)
{
	struct ip_addr a = { .family = family };
	uint8_t edge = (uint8_t)roll(3);

	if (edge == 0)
		memset(a.bytes, 0xff, ip_addr_len(&a));
	else if (edge == 1)
		a.bytes[0] = 10;
	a.bytes[ip_addr_len(&a) - 1] = (uint8_t)(edge == 0 ? 255 - roll(12) : roll(12));
	return a;
}

static struct service some_service(void)
{
	struct service s = { .proto = roll(2) ? 6 : 17, .port_lo = (uint16_t)roll(20), .port_hi = UINT16_MAX };

	if (roll(4) != 0)
		s.port_hi = (uint16_t)(s.port_lo + roll(8));
	return s;
}

static void some_list(struct input *in, uint32_t i)
{
	uint32_t n = 1 + roll(RANGES_MAX);

	for (uint32_t k = 0; k < n; k++) {
		uint8_t family = roll(2) ? IP_V4 : IP_V6;
		struct ip_addr a = some_addr(family), b = some_addr(family);
		bool swap = ip_addr_cmp(&a, &b) > 0;

		in->ranges[i][k] = (struct ip_range){ .first = swap ? b : a, .last = swap ? a : b };
	}
	in->lists[i].ranges = in->ranges[i];
	in->lists[i].n_ranges = (uint32_t)ip_ranges_normalize(in->ranges[i], n);
}

static void some_clause(struct input *in, uint32_t n_lists, uint32_t owner, uint32_t i)
{
	struct box_clause *c = &in->clauses[owner][i];
	struct service *services = in->services[owner][i];
	uint32_t n = 1 + roll(SERVICES_MAX);

	for (uint32_t k = 0; k < n; k++)
		services[k] = some_service();
	/* The same rule may be there with several lists. */
	*c = (struct box_clause){ .rule = i / 2, .list = roll(n_lists), .layer = LAYER_NAMED };
	c->services = services;
	c->n_services = services_merge(services, n);
}

static void some_input(struct input *in)
{
	uint32_t n_lists = 1 + roll(LISTS_MAX);

	for (uint32_t i = 0; i <= n_lists; i++)
		some_list(in, i);
	if (roll(3) != 0)
		in->lists[n_lists].n_ranges = 0;
	in->n_lists = n_lists;
	for (uint32_t owner = 0; owner < OWNERS; owner++) {
		in->n[owner] = roll(CLAUSES_MAX + 1);
		for (uint32_t i = 0; i < in->n[owner]; i++)
			some_clause(in, n_lists, owner, i);
	}
}

static bool list_has(const struct dst_list *l, const struct ip_addr *dst)
{
	for (uint32_t i = 0; i < l->n_ranges; i++) {
		if (ip_range_contains(&l->ranges[i], dst))
			return true;
	}
	return false;
}

static bool clause_covers(const struct input *in, const struct box_clause *c, const struct ip_addr *dst, uint8_t proto,
			  uint16_t port)
{
	if (!list_has(&in->lists[c->list], dst))
		return false;
	for (uint32_t i = 0; i < c->n_services; i++) {
		const struct service *s = &c->services[i];

		if (s->proto == proto && s->port_lo <= port && port <= s->port_hi)
			return true;
	}
	return false;
}

#define NO_RULE UINT32_MAX

static uint32_t scan(const struct input *in, uint32_t owner, const struct ip_addr *dst, uint8_t proto, uint16_t port)
{
	if (list_has(&in->lists[in->n_lists], dst))
		return NO_RULE;
	for (uint32_t i = 0; i < in->n[owner]; i++) {
		if (clause_covers(in, &in->clauses[owner][i], dst, proto, port))
			return in->clauses[owner][i].rule;
	}
	return NO_RULE;
}

/* All of @in, with at most @limit segments; what box_table_add() says. */
static int make(struct arena *mem, struct input *in, uint32_t n_owners, uint32_t limit, struct output *ret)
{
	CLEANUP(box_table_done) struct box_table t = { 0 };
	const struct dst_lists lists = { .items = in->lists, .n = in->n_lists };
	const uint64_t all = UINT64_MAX;
	struct dst_cells cells;
	int r = 0;

	assert_int_equal(dst_cells_divide(mem, &lists, &all, &in->lists[in->n_lists], &cells), 0);
	assert_int_equal(box_table_init(&t, &cells, in->n_lists, limit), 0);
	for (uint32_t owner = 0; owner < n_owners && r == 0; owner++)
		r = box_table_add(&t, owner, in->clauses[owner], in->n[owner], LAYER_NAMED);
	if (r == 0)
		assert_int_equal(box_table_finish(&t, mem, n_owners, &ret->dsts, &ret->lists), 0);
	return r;
}

/* The test cannot go on without it (cmocka's failures do not return, which a static analyser does not know). */
static void must_make(struct arena *mem, struct input *in, uint32_t n_owners, uint32_t limit, struct output *ret)
{
	if (make(mem, in, n_owners, limit, ret) != 0 || ret->lists == NULL)
		abort();
}

static const struct plan_box *find(struct output *out, uint32_t owner, const struct ip_addr *dst, uint8_t proto,
				   uint16_t port)
{
	static const struct plan_device device;
	static const struct plan_addr from;

	out->class = (struct plan_class){ .boxes = out->lists[owner].boxes, .n_boxes = out->lists[owner].n };
	out->plan = (struct plan){ .classes = &out->class, .n_classes = 1, .named = out->dsts, .devices = &device };
	return plan_box_find(&out->plan, &from, dst, proto, port);
}

static void check_probe(const struct input *in, struct output *out, uint32_t round)
{
	struct ip_addr dst = some_addr(roll(2) ? IP_V4 : IP_V6);
	uint8_t proto = roll(2) ? 6 : 17;
	uint16_t port = (uint16_t)(roll(10) == 0 ? UINT16_MAX : roll(30));

	for (uint32_t owner = 0; owner < OWNERS; owner++) {
		const struct plan_box *box = find(out, owner, &dst, proto, port);
		uint32_t want = scan(in, owner, &dst, proto, port), got = box == NULL ? NO_RULE : box->rule;

		if (want != got)
			print_error("round %" PRIu32 ", seed %" PRIu32 "\n", round, seed);
		assert_int_equal(got, want);
	}
}

static bool services_meet(const struct service *a, const struct service *b)
{
	return a->proto == b->proto && a->port_lo <= b->port_hi && b->port_lo <= a->port_hi;
}

static void check_disjoint(const struct output *out)
{
	for (uint32_t i = 1; i < out->dsts.n_ranges; i++)
		assert_true(ip_addr_cmp(&out->dsts.ranges[i - 1].range.last, &out->dsts.ranges[i].range.first) < 0);
	for (uint32_t owner = 0; owner < OWNERS; owner++) {
		const struct box_list *l = &out->lists[owner];

		for (uint32_t i = 1; i < l->n; i++) {
			const struct plan_box *a = &l->boxes[i - 1], *b = &l->boxes[i];

			assert_true(a->dst < b->dst || (a->dst == b->dst && service_cmp(&a->service, &b->service) < 0));
			assert_false(a->dst == b->dst && services_meet(&a->service, &b->service));
		}
	}
}

/* Do all owners do the same with both? */
static bool same_column(const struct output *out, uint32_t a, uint32_t b)
{
	for (uint32_t owner = 0; owner < OWNERS; owner++) {
		const struct box_list *l = &out->lists[owner];
		uint32_t i = 0, k = 0;

		while (i < l->n && l->boxes[i].dst != a)
			i++;
		while (k < l->n && l->boxes[k].dst != b)
			k++;
		for (; i < l->n && l->boxes[i].dst == a; i++, k++) {
			if (k == l->n || l->boxes[k].dst != b || l->boxes[k].rule != l->boxes[i].rule ||
			    service_cmp(&l->boxes[k].service, &l->boxes[i].service) != 0)
				return false;
		}
		if (k < l->n && l->boxes[k].dst == b)
			return false;
	}
	return true;
}

static void lookup_equals_linear_scan(void **state)
{
	seed = 20261121;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(arena_freep) struct arena *mem = arena_new(0);
		struct input in = { .n_lists = 0 };
		struct output out = { .lists = NULL };

		assert_non_null(mem);
		some_input(&in);
		must_make(mem, &in, OWNERS, UINT32_MAX, &out);
		check_disjoint(&out);
		for (uint32_t i = 0; i < PROBES; i++)
			check_probe(&in, &out, round);
		for (uint32_t a = 0; a < out.dsts.n; a++) {
			for (uint32_t b = 0; b < a; b++)
				assert_false(same_column(&out, a, b));
		}
	}
}

/* Only what the kept layer decides is kept, and it is decided over all layers. */
static void a_layer_keeps_what_its_own_clauses_decide(void **state)
{
	static const struct service low[] = { { 6, 0, 100 } }, high[] = { { 6, 50, 200 } };
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	CLEANUP(box_table_done) struct box_table t = { 0 };
	struct ip_range range = { .first = { IP_V4, { 10 } }, .last = { IP_V4, { 10, 0, 0, 255 } } };
	struct dst_list list = { &range, 1 };
	const struct dst_list nothing = { 0 };
	const struct dst_lists lists = { .items = &list, .n = 1 };
	const struct box_clause clauses[] = {
		{ .rule = 0, .list = 0, .services = low, .n_services = 1, .layer = LAYER_WIDE },
		{ .rule = 1, .list = 0, .services = high, .n_services = 1, .layer = LAYER_NAMED },
	};
	const uint64_t use = 1;
	struct dst_cells cells;
	struct plan_dsts dsts;
	struct box_list *boxes;

	assert_int_equal(dst_cells_divide(mem, &lists, &use, &nothing, &cells), 0);
	assert_int_equal(box_table_init(&t, &cells, 1, 10), 0);
	assert_int_equal(box_table_add(&t, 0, clauses, 2, LAYER_NAMED), 0);
	if (box_table_finish(&t, mem, 1, &dsts, &boxes) != 0 || boxes[0].n != 1)
		abort();
	assert_int_equal(boxes[0].boxes[0].service.port_lo, 101);
	assert_int_equal(boxes[0].boxes[0].service.port_hi, 200);
}

static const struct ip_range ten = { .first = { IP_V4, { 10, 0, 0, 0 } }, .last = { IP_V4, { 10, 0, 0, 255 } } };
static const struct ip_range next = { .first = { IP_V4, { 10, 0, 1, 0 } }, .last = { IP_V4, { 10, 0, 1, 255 } } };
static const struct service web[] = { { 6, 80, 80 }, { 6, 443, 443 } };
static const struct service all_tcp[] = { { 6, 0, UINT16_MAX } };

/* One owner with a clause over each of @ranges. */
static void one_owner(struct input *in, const struct ip_range *const *ranges, const struct service *const *services,
		      const uint32_t *n_services, const uint32_t *rules, uint32_t n)
{
	*in = (struct input){ .n_lists = n, .n = { n } };
	for (uint32_t i = 0; i < n; i++) {
		in->lists[i] = (struct dst_list){ ranges[i], 1 };
		in->clauses[0][i] = (struct box_clause){ .rule = rules[i],
							 .list = i,
							 .services = services[i],
							 .n_services = n_services[i],
							 .layer = LAYER_NAMED };
	}
}

static void neighbours_of_one_rule_are_merged(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct output out = { .lists = NULL };
	struct input in;

	one_owner(&in, (const struct ip_range *[]){ &ten, &next }, (const struct service *[]){ all_tcp, all_tcp },
		  (uint32_t[]){ 1, 1 }, (uint32_t[]){ 3, 3 }, 2);
	must_make(mem, &in, 1, 10, &out);
	assert_int_equal(out.lists[0].n, 1);
	assert_int_equal(out.dsts.n, 1);
	assert_int_equal(out.dsts.n_ranges, 1);
	assert_int_equal(ip_addr_cmp(&out.dsts.ranges[0].range.last, &next.last), 0);
}

static void a_port_inside_is_cut_out(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct output out = { .lists = NULL };
	struct input in;

	one_owner(&in, (const struct ip_range *[]){ &ten, &ten }, (const struct service *[]){ web, all_tcp },
		  (uint32_t[]){ 2, 1 }, (uint32_t[]){ 0, 1 }, 2);
	must_make(mem, &in, 1, 10, &out);
	assert_int_equal(out.lists[0].n, 5);
	assert_int_equal(out.lists[0].boxes[0].service.port_hi, 79);
	assert_int_equal(out.lists[0].boxes[1].rule, 0);
	assert_int_equal(out.lists[0].boxes[4].service.port_lo, 444);
}

static void the_limit_is_kept(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct output out = { .lists = NULL };
	struct input in;

	one_owner(&in, (const struct ip_range *[]){ &ten }, (const struct service *[]){ web }, (uint32_t[]){ 2 },
		  (uint32_t[]){ 0 }, 1);
	must_make(mem, &in, 1, 2, &out);
	assert_int_equal(make(mem, &in, 1, 1, &out), -E2BIG);
}

static void no_clauses_no_boxes(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct output out = { .lists = NULL };
	struct ip_addr dst = ten.first;
	struct input in;

	one_owner(&in, NULL, NULL, NULL, NULL, 0);
	must_make(mem, &in, 1, 1, &out);
	assert_int_equal(out.dsts.n, 0);
	assert_null(find(&out, 0, &dst, 6, 80));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookup_equals_linear_scan),
		cmocka_unit_test(a_layer_keeps_what_its_own_clauses_decide),
		cmocka_unit_test(neighbours_of_one_rule_are_merged),
		cmocka_unit_test(a_port_inside_is_cut_out),
		cmocka_unit_test(the_limit_is_kept),
		cmocka_unit_test(no_clauses_no_boxes),
	};

	return cmocka_run_group_tests_name("boxes", tests, NULL, NULL);
}
