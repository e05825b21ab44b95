/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lease table: what must go to the kernel, what is remembered, what ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "gatewayd/learned.h"

#define NOW  UINT64_C(5000000000)
#define S(n) ((n)*UINT64_C(1000000))

struct state {
	struct fixture *f;
	struct learned *l;
};

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL || learned_new(&s->l, NULL) < 0)
		return -1;
	s->f = fixture_new();
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	(void)fixture_free(s->f);
	(void)learned_free(s->l);
	free(s);
	return 0;
}

static const uint32_t names_rule = MARK_NAMES, seen_rule = LEARN_SEEN;

static struct learn_req request(const char *client, const struct ip_addr *addrs, uint32_t n, uint32_t ttl_s)
{
	return (struct learn_req){
		.client = ip(client), .ttl_s = ttl_s, .rules = &names_rule, .n_rules = 1, .addrs = addrs, .n_addrs = n
	};
}

/* Prepare and commit; returns how many operations there were. */
static uint32_t learn(struct state *s, struct learn_req *reqs, uint32_t n, uint64_t now_us)
{
	struct lease_ops ops;
	uint32_t n_ops;

	assert_int_equal(learned_prepare(s->l, &s->f->plan, reqs, n, now_us, &ops, NULL), 0);
	assert_int_equal(learned_commit(s->l, &ops, NULL), 0);
	n_ops = ops.n;
	lease_ops_done(&ops);
	return n_ops;
}

static void an_answer_is_leased_for_its_ttl_and_the_grace(void **state)
{
	struct state *s = *state;
	struct ip_addr client = ip("100.64.0.1"), addr = ip("203.0.113.7");
	struct learn_req req = request("100.64.0.1", &addr, 1, 300);

	assert_int_equal(learn(s, &req, 1, NOW), 1);
	assert_int_equal(req.status, 0);
	assert_true(learned_has(s->l, &client, &addr, MARK_NAMES, NOW + S(300 + LEASE_GRACE_S) - 1));
	assert_false(learned_has(s->l, &client, &addr, MARK_NAMES, NOW + S(300 + LEASE_GRACE_S)));
	assert_false(learned_has(s->l, &client, &addr, MARK_ADDRS, NOW));
}

static void ttls_have_a_floor_and_a_ceiling(void **state)
{
	struct state *s = *state;
	struct ip_addr a = ip("203.0.113.7"), b = ip("203.0.113.8"), client = ip("100.64.0.1");
	struct learn_req reqs[] = { request("100.64.0.1", &a, 1, 0), request("100.64.0.1", &b, 1, UINT32_MAX) };
	uint32_t n;

	assert_int_equal(learn(s, reqs, 2, NOW), 2);
	assert_int_equal(learned_find(s->l, &client, &a, &n)->expires_us, NOW + S(LEASE_TTL_MIN_S + LEASE_GRACE_S));
	assert_int_equal(learned_find(s->l, &client, &b, &n)->expires_us, NOW + S(LEASE_TTL_MAX_S + LEASE_GRACE_S));
}

static void a_lease_that_lasts_long_enough_is_not_written_again(void **state)
{
	struct state *s = *state;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request("100.64.0.1", &addr, 1, 300);

	assert_int_equal(learn(s, &req, 1, NOW), 1);
	assert_int_equal(learn(s, &req, 1, NOW + S(LEASE_SLACK_S)), 0);
	assert_int_equal(req.status, 0);
	assert_int_equal(learn(s, &req, 1, NOW + S(LEASE_SLACK_S) + 1), 1);
	assert_int_equal(learned_count(s->l), 1);
}

static void requests_of_one_wake_are_merged(void **state)
{
	struct state *s = *state;
	struct ip_addr addrs[] = { ip("203.0.113.7"), ip("203.0.113.8"), ip("203.0.113.7") }, client = ip("100.64.0.1");
	struct learn_req reqs[] = { request("100.64.0.1", addrs, 3, 100), request("100.64.0.1", addrs, 1, 500) };
	uint32_t n;

	assert_int_equal(learn(s, reqs, 2, NOW), 2);
	assert_int_equal(learned_find(s->l, &client, &addrs[0], &n)->expires_us, NOW + S(500 + LEASE_GRACE_S));
	assert_int_equal(learned_find(s->l, &client, &addrs[1], &n)->expires_us, NOW + S(100 + LEASE_GRACE_S));
}

static void an_ipv6_address_asked_for_over_ipv4_is_leased_to_the_devices_ipv6_address(void **state)
{
	struct state *s = *state;
	struct ip_addr addr = ip("2001:db8::7"), v4 = ip("100.64.0.1"), v6 = ip("fd00::1");
	struct learn_req req = request("100.64.0.1", &addr, 1, 300);

	assert_int_equal(learn(s, &req, 1, NOW), 1);
	assert_true(learned_has(s->l, &v6, &addr, MARK_NAMES, NOW));
	assert_false(learned_has(s->l, &v4, &addr, MARK_NAMES, NOW));
}

static void what_the_plan_does_not_back_is_stale(void **state)
{
	struct state *s = *state;
	struct ip_addr addr = ip("203.0.113.7");
	uint32_t other = MARK_ADDRS;
	struct learn_req reqs[] = {
		request("100.64.0.9", &addr, 1, 300), /* no device */
		request("100.64.0.2", &addr, 1, 300), /* quarantined */
		request("100.64.0.1", &addr, 1, 300), /* not a rule with names */
		request("100.64.0.1", &addr, 1, 300), /* not resolve-first */
		request("100.64.0.1", &addr, 1, 300),
	};

	reqs[2].rules = &other;
	reqs[3].rules = &seen_rule;
	assert_int_equal(learn(s, reqs, 5, NOW), 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(reqs[i].status, -ESTALE);
	assert_int_equal(reqs[4].status, 0);
	s->f->classes[0].resolve_first = true;
	assert_int_equal(learn(s, &reqs[3], 1, NOW), 1);
	assert_int_equal(reqs[3].status, 0);
}

static void an_address_of_a_device_that_is_not_active_is_passed_over(void **state)
{
	struct state *s = *state;
	struct ip_addr addrs[] = { ip("100.64.0.2"), ip("203.0.113.7") }, client = ip("100.64.0.1");
	struct learn_req req = request("100.64.0.1", addrs, 2, 300);
	struct lease_ops ops;

	assert_int_equal(learn(s, &req, 1, NOW), 1);
	assert_int_equal(req.status, 0);
	assert_false(learned_has(s->l, &client, &addrs[0], MARK_NAMES, NOW));
	/* Active, learned, and then not active any more. */
	s->f->addrs[1].class_id = 0;
	assert_int_equal(learn(s, &req, 1, NOW), 1);
	s->f->addrs[1].class_id = 1;
	assert_int_equal(learned_prune(s->l, &s->f->plan, NULL, &ops, NULL), 0);
	assert_int_equal(ops.n, 1);
	assert_int_equal(ip_addr_cmp(&ops.ops[0].lease.addr, &addrs[0]), 0);
	lease_ops_done(&ops);
}

/* Fill the client up to @n leases. */
static void fill(struct state *s, uint32_t n, uint64_t expires_us)
{
	struct ip_addr client = ip("100.64.0.1");

	for (uint32_t i = 0; i < n; i++) {
		struct lease lease = {
			.addr = { .family = IP_V4, .bytes = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } },
			.mark = MARK_NAMES,
			.expires_us = expires_us,
		};

		assert_int_equal(learned_put(s->l, &client, &lease, NULL), 0);
	}
}

static void a_client_has_so_many_leases_and_no_more(void **state)
{
	struct state *s = *state;
	struct ip_addr a = ip("203.0.113.7"), b = ip("203.0.113.8"), known = ip("10.0.0.1"), client = ip("100.64.0.1");
	struct learn_req at_limit = request("100.64.0.1", &a, 1, 300), over = request("100.64.0.1", &b, 1, 300);
	struct learn_req again = request("100.64.0.1", &known, 1, 3000);
	struct lease lease = { .addr = b, .mark = MARK_NAMES };

	fill(s, LEASES_PER_CLIENT_MAX - 1, NOW + S(100));
	assert_int_equal(learn(s, &at_limit, 1, NOW), 1);
	assert_int_equal(at_limit.status, 0);
	assert_int_equal(learn(s, &over, 1, NOW), 0);
	assert_int_equal(over.status, -ENOSPC);
	assert_int_equal(learn(s, &again, 1, NOW), 1);
	assert_int_equal(again.status, 0);
	assert_int_equal(learned_put(s->l, &client, &lease, NULL), -ENOSPC);
	/* Those that have ended do not count. */
	assert_int_equal(learn(s, &over, 1, NOW + S(101)), 1);
	assert_int_equal(over.status, 0);
}

static void one_wake_cannot_go_over_the_limit_either(void **state)
{
	struct state *s = *state;
	struct ip_addr a[] = { ip("203.0.113.7"), ip("203.0.113.8") }, b = ip("203.0.113.9");
	struct learn_req reqs[] = { request("100.64.0.1", a, 2, 300), request("100.64.0.1", &b, 1, 300) };

	fill(s, LEASES_PER_CLIENT_MAX - 2, NOW + S(100));
	assert_int_equal(learn(s, reqs, 2, NOW), 2);
	assert_int_equal(reqs[0].status, 0);
	assert_int_equal(reqs[1].status, -ENOSPC);
}

static void what_has_ended_is_forgotten(void **state)
{
	struct state *s = *state;
	struct ip_addr a = ip("203.0.113.7"), b = ip("203.0.113.8"), client = ip("100.64.0.1");
	struct learn_req reqs[] = { request("100.64.0.1", &a, 1, 30), request("100.64.0.1", &b, 1, 300) };
	uint32_t n;

	assert_int_equal(learn(s, reqs, 2, NOW), 2);
	assert_int_equal(learned_expire(s->l, NOW + S(90) - 1), 0);
	assert_int_equal(learned_expire(s->l, NOW + S(90)), 1);
	assert_null(learned_find(s->l, &client, &a, &n));
	assert_non_null(learned_find(s->l, &client, &b, &n));
	assert_int_equal(learned_expire(s->l, NOW + S(9000)), 1);
	assert_int_equal(learned_count(s->l), 0);
}

static void a_living_flow_renews_the_lease_that_it_uses(void **state)
{
	struct state *s = *state;
	struct ip_addr addr = ip("203.0.113.7"), client = ip("100.64.0.1");
	struct learn_req req = request("100.64.0.1", &addr, 1, 30);
	struct lease_ops ops = { 0 };
	uint64_t late = NOW + S(90 - LEASE_RENEW_BEFORE_S);

	assert_int_equal(learn(s, &req, 1, NOW), 1);
	assert_int_equal(learned_ending(s->l, late - 1, LEASE_RENEW_BEFORE_S), 0);
	assert_int_equal(learned_renew(s->l, &client, &addr, MARK_NAMES, late - 1, &ops, NULL), 0);
	assert_int_equal(ops.n, 0);
	assert_int_equal(learned_ending(s->l, late, LEASE_RENEW_BEFORE_S), 1);
	assert_int_equal(learned_renew(s->l, &client, &addr, MARK_ADDRS, late, &ops, NULL), 0);
	assert_int_equal(ops.n, 0); /* a flow of another rule */
	assert_int_equal(learned_renew(s->l, &client, &addr, MARK_NAMES, late, &ops, NULL), 0);
	assert_int_equal(learned_renew(s->l, &client, &addr, MARK_NAMES, late, &ops, NULL), 0);
	lease_ops_unique(&ops);
	assert_int_equal(ops.n, 1);
	assert_int_equal(learned_commit(s->l, &ops, NULL), 0);
	assert_true(learned_has(s->l, &client, &addr, MARK_NAMES, late + S(LEASE_RENEW_S) - 1));
	lease_ops_done(&ops);
}

static void a_plan_that_does_not_back_them_takes_leases_away(void **state)
{
	struct state *s = *state;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req req = request("100.64.0.1", &addr, 1, 300);
	struct lease_ops ops;

	assert_int_equal(learn(s, &req, 1, NOW), 1);
	assert_int_equal(learned_prune(s->l, &s->f->plan, NULL, &ops, NULL), 0);
	assert_int_equal(ops.n, 0);
	lease_ops_done(&ops);
	s->f->classes[0].n_name_rules = 0;
	assert_int_equal(learned_prune(s->l, &s->f->plan, NULL, &ops, NULL), 0);
	assert_int_equal(ops.n, 1);
	assert_int_equal(ops.ops[0].lease.mark, MARK_NAMES);
	assert_int_equal(learned_count(s->l), 0);
	lease_ops_done(&ops);
}

static int count_up(void *arg, const struct ip_addr *client, const struct lease *lease)
{
	struct ip_addr *last = arg;

	assert_true(last->family == IP_NONE || ip_addr_cmp(last, &lease->addr) < 0);
	*last = lease->addr;
	return 0;
}

static void leases_are_told_in_order(void **state)
{
	struct state *s = *state;
	struct ip_addr addrs[] = { ip("203.0.113.9"), ip("203.0.113.1"), ip("203.0.113.5") }, last = { 0 };
	struct learn_req req = request("100.64.0.1", addrs, 3, 300);

	assert_int_equal(learn(s, &req, 1, NOW), 3);
	assert_int_equal(learned_each(s->l, count_up, &last), 0);
	assert_int_equal(ip_addr_cmp(&last, &addrs[0]), 0);
}

int main(void)
{
#define WITH_STATE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_STATE(an_answer_is_leased_for_its_ttl_and_the_grace),
		WITH_STATE(ttls_have_a_floor_and_a_ceiling),
		WITH_STATE(a_lease_that_lasts_long_enough_is_not_written_again),
		WITH_STATE(requests_of_one_wake_are_merged),
		WITH_STATE(an_ipv6_address_asked_for_over_ipv4_is_leased_to_the_devices_ipv6_address),
		WITH_STATE(what_the_plan_does_not_back_is_stale),
		WITH_STATE(an_address_of_a_device_that_is_not_active_is_passed_over),
		WITH_STATE(a_client_has_so_many_leases_and_no_more),
		WITH_STATE(one_wake_cannot_go_over_the_limit_either),
		WITH_STATE(what_has_ended_is_forgotten),
		WITH_STATE(a_living_flow_renews_the_lease_that_it_uses),
		WITH_STATE(a_plan_that_does_not_back_them_takes_leases_away),
		WITH_STATE(leases_are_told_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
