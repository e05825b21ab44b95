/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The decomposition into boxes: what it finds equals a scan of the clauses in order, and boxes never overlap. */
#include "base/base.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "policy/boxes.h"

#define ROUNDS	     300
#define CLAUSES_MAX  12
#define RANGES_MAX   5
#define SERVICES_MAX 4
#define PROBES	     400

struct input {
	struct box_clause clauses[CLAUSES_MAX];
	struct ip_range ranges[CLAUSES_MAX][RANGES_MAX];
	struct service services[CLAUSES_MAX][SERVICES_MAX];
	uint32_t n;
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

static void some_clause(struct input *in, uint32_t i)
{
	struct box_clause *c = &in->clauses[i];
	uint32_t n = 1 + roll(RANGES_MAX);

	for (uint32_t k = 0; k < n; k++) {
		uint8_t family = roll(2) ? IP_V4 : IP_V6;
		struct ip_addr a = some_addr(family), b = some_addr(family);
		bool swap = ip_addr_cmp(&a, &b) > 0;

		in->ranges[i][k] = (struct ip_range){ .first = swap ? b : a, .last = swap ? a : b };
	}
	c->rule = roll(8) == 0 ? BOX_HOLE : i;
	c->ranges = in->ranges[i];
	c->n_ranges = (uint32_t)ip_ranges_normalize(in->ranges[i], n);
	n = 1 + roll(SERVICES_MAX);
	for (uint32_t k = 0; k < n; k++)
		in->services[i][k] = some_service();
	c->services = in->services[i];
	c->n_services = services_merge(in->services[i], n);
}

static bool clause_covers(const struct box_clause *c, const struct ip_addr *dst, uint8_t proto, uint16_t port)
{
	bool there = false;

	for (uint32_t i = 0; i < c->n_ranges; i++)
		there = there || ip_range_contains(&c->ranges[i], dst);
	if (!there || c->rule == BOX_HOLE)
		return there;
	for (uint32_t i = 0; i < c->n_services; i++) {
		const struct service *s = &c->services[i];

		if (s->proto == proto && s->port_lo <= port && port <= s->port_hi)
			return true;
	}
	return false;
}

static uint32_t scan(const struct input *in, const struct ip_addr *dst, uint8_t proto, uint16_t port)
{
	for (uint32_t i = 0; i < in->n; i++) {
		if (clause_covers(&in->clauses[i], dst, proto, port))
			return in->clauses[i].rule;
	}
	return BOX_HOLE;
}

static void check_probe(const struct input *in, const struct plan_class *class, uint32_t round)
{
	struct ip_addr dst = some_addr(roll(2) ? IP_V4 : IP_V6);
	uint8_t proto = roll(2) ? 6 : 17;
	uint16_t port = (uint16_t)(roll(10) == 0 ? UINT16_MAX : roll(30));
	const struct plan_box *box = plan_box_find(class, &dst, proto, port);
	uint32_t want = scan(in, &dst, proto, port), got = box == NULL ? BOX_HOLE : box->rule;

	if (want != got)
		print_error("round %" PRIu32 ", seed %" PRIu32 "\n", round, seed);
	assert_int_equal(got, want);
}

static bool services_meet(const struct service *a, const struct service *b)
{
	return a->proto == b->proto && a->port_lo <= b->port_hi && b->port_lo <= a->port_hi;
}

static void check_disjoint(const struct plan_class *class)
{
	for (uint32_t i = 0; i < class->n_boxes; i++) {
		for (uint32_t k = i + 1; k < class->n_boxes; k++) {
			const struct plan_box *a = &class->boxes[i], *b = &class->boxes[k];
			bool apart = ip_addr_cmp(&a->dst.last, &b->dst.first) < 0;
			bool same = ip_addr_cmp(&a->dst.first, &b->dst.first) == 0 &&
				    ip_addr_cmp(&a->dst.last, &b->dst.last) == 0;

			assert_true(apart || same);
			assert_false(!apart && services_meet(&a->service, &b->service));
		}
	}
}

static void lookup_equals_linear_scan(void **state)
{
	seed = 20261121;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(arena_freep) struct arena *mem = arena_new(0);
		struct plan_class class = { 0 };
		struct input in = { .n = 1 + roll(CLAUSES_MAX) };

		assert_non_null(mem);
		for (uint32_t i = 0; i < in.n; i++)
			some_clause(&in, i);
		assert_int_equal(boxes_build(mem, in.clauses, in.n, UINT32_MAX, &class.boxes, &class.n_boxes), 0);
		check_disjoint(&class);
		for (uint32_t i = 0; i < PROBES; i++)
			check_probe(&in, &class, round);
	}
}

static const struct ip_range ten = { .first = { IP_V4, { 10, 0, 0, 0 } }, .last = { IP_V4, { 10, 0, 0, 255 } } };
static const struct ip_range next = { .first = { IP_V4, { 10, 0, 1, 0 } }, .last = { IP_V4, { 10, 0, 1, 255 } } };
static const struct service web[] = { { 6, 80, 80 }, { 6, 443, 443 } };
static const struct service all_tcp[] = { { 6, 0, UINT16_MAX } };

static void neighbours_of_one_rule_are_merged(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct box_clause clauses[] = {
		{ .rule = 3, .ranges = &ten, .n_ranges = 1, .services = all_tcp, .n_services = 1 },
		{ .rule = 3, .ranges = &next, .n_ranges = 1, .services = all_tcp, .n_services = 1 },
	};
	const struct plan_box *boxes;
	uint32_t n;

	assert_int_equal(boxes_build(mem, clauses, 2, 10, &boxes, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(ip_addr_cmp(&boxes[0].dst.last, &next.last), 0);
}

static void a_port_inside_is_cut_out(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct box_clause clauses[] = {
		{ .rule = 0, .ranges = &ten, .n_ranges = 1, .services = web, .n_services = 2 },
		{ .rule = 1, .ranges = &ten, .n_ranges = 1, .services = all_tcp, .n_services = 1 },
	};
	const struct plan_box *boxes;
	uint32_t n;

	assert_int_equal(boxes_build(mem, clauses, 2, 10, &boxes, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(boxes[0].service.port_hi, 79);
	assert_int_equal(boxes[1].rule, 0);
	assert_int_equal(boxes[4].service.port_lo, 444);
}

static void the_limit_is_kept(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct box_clause clause = { .ranges = &ten, .n_ranges = 1, .services = web, .n_services = 2 };
	const struct plan_box *boxes;
	uint32_t n;

	assert_int_equal(boxes_build(mem, &clause, 1, 2, &boxes, &n), 0);
	assert_int_equal(boxes_build(mem, &clause, 1, 1, &boxes, &n), -E2BIG);
}

static void no_clauses_no_boxes(void **state)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct plan_class class = { 0 };
	struct ip_addr dst = ten.first;

	assert_int_equal(boxes_build(mem, NULL, 0, 1, &class.boxes, &class.n_boxes), 0);
	assert_int_equal(class.n_boxes, 0);
	assert_null(plan_box_find(&class, &dst, 6, 80));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookup_equals_linear_scan), cmocka_unit_test(neighbours_of_one_rule_are_merged),
		cmocka_unit_test(a_port_inside_is_cut_out),  cmocka_unit_test(the_limit_is_kept),
		cmocka_unit_test(no_clauses_no_boxes),
	};

	return cmocka_run_group_tests_name("boxes", tests, NULL, NULL);
}
