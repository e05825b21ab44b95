/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a new deny on a name takes back: leases, requests by older views, live flows; and what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "fixture.h"
#include "gatewayd/name_denies.h"
#include "gatewayd/revoke.h"

#define NOW UINT64_C(5000000000)

static const uint32_t deny_index[] = { 2 };

/* Two plans that differ in the deny on names of ana's view. */
struct state {
	struct fixture *f;
	struct plan old;
	struct plan_view view, view_old;
	struct name_pattern denied;
};

static struct name_pattern pattern(const char *text)
{
	struct name_pattern p = { .below = strncmp(text, "*.", 2) == 0 };
	const char *name = p.below ? text + 2 : text;

	assert_int_equal(dname_parse(name, strlen(name), &p.name), 0);
	return p;
}

static int setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->f = fixture_new();
	s->denied = pattern("example.org"); /* what the fixture's grant allows */
	s->f->rules[2].names = &s->denied;
	s->f->rules[2].n_names = 1;
	s->view = (struct plan_view){ .denies = deny_index, .n_denies = 1 };
	s->f->plan.views = &s->view;
	s->f->plan.n_views = 1;
	s->old = s->f->plan;
	s->old.views = &s->view_old;
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct state *s = *state;

	(void)fixture_free(s->f);
	free(s);
	return 0;
}

static const struct plan_rule *denied(const struct state *s, const char *client)
{
	struct ip_addr addr = ip(client);

	return name_denied_since(&s->f->plan, &s->old, &addr, &s->f->rules[1]);
}

static void a_deny_that_was_there_before_takes_nothing_back(void **state)
{
	struct state *s = *state;
	struct ip_addr addr = ip("100.64.0.1");

	assert_ptr_equal(denied(s, "100.64.0.1"), &s->f->rules[2]);
	assert_null(denied(s, "100.64.0.9"));
	assert_null(name_denied_since(&s->f->plan, NULL, &addr, &s->f->rules[1]));
	s->view_old = s->view;
	assert_null(denied(s, "100.64.0.1"));
}

static void only_rules_whose_names_it_meets(void **state)
{
	static const struct {
		const char *grant, *deny;
		bool meets;
	} rows[] = {
		{ "a.example", "a.example", true },	 { "a.example", "b.example", false },
		{ "*.example", "a.example", true },	 { "*.example", "example", false },
		{ "a.example", "*.example", true },	 { "example", "*.example", false },
		{ "*.a.example", "*.example", true },	 { "*.example", "*.a.example", true },
		{ "*.a.example", "*.b.example", false }, { "*.example", "*.example", true },
		{ "*.le", "a.example", false },
	};
	struct state *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct name_pattern grant = pattern(rows[i].grant);

		s->denied = pattern(rows[i].deny);
		s->f->rules[1].names = &grant;
		if ((denied(s, "100.64.0.1") != NULL) != rows[i].meets)
			fail_msg("grant %s, deny %s", rows[i].grant, rows[i].deny);
	}
}

static void its_leases_go_and_others_stay(void **state)
{
	struct state *s = *state;
	struct learned *l = NULL;
	struct lease lease = { .addr = ip("203.0.113.7"), .mark = MARK_NAMES, .expires_us = NOW + 1 };
	struct ip_addr client = ip("100.64.0.1");
	struct lease_ops ops;

	assert_int_equal(learned_new(&l, NULL), 0);
	assert_int_equal(learned_put(l, &client, &lease, NULL), 0);
	assert_int_equal(learned_prune(l, &s->f->plan, NULL, &ops, NULL), 0);
	assert_int_equal(ops.n, 0);
	lease_ops_done(&ops);
	s->denied = pattern("other.example");
	assert_int_equal(learned_prune(l, &s->f->plan, &s->old, &ops, NULL), 0);
	assert_int_equal(ops.n, 0);
	lease_ops_done(&ops);
	s->denied = pattern("example.org");
	assert_int_equal(learned_prune(l, &s->f->plan, &s->old, &ops, NULL), 0);
	assert_int_equal(ops.n, 1);
	assert_false(learned_has(l, &client, &lease.addr, MARK_NAMES, NOW));
	lease_ops_done(&ops);
	(void)learned_free(l);
}

static void what_older_views_let_through_is_not_learned(void **state)
{
	struct state *s = *state;
	const uint32_t mark = MARK_NAMES;
	struct ip_addr addr = ip("203.0.113.7");
	struct learn_req reqs[] = {
		{ .client = ip("100.64.0.1"),
		  .generation = 6,
		  .ttl_s = 60,
		  .rules = &mark,
		  .n_rules = 1,
		  .addrs = &addr,
		  .n_addrs = 1 },
		{ .client = ip("100.64.0.1"),
		  .generation = 7,
		  .ttl_s = 60,
		  .rules = &mark,
		  .n_rules = 1,
		  .addrs = &addr,
		  .n_addrs = 1 },
	};
	struct learned *l = NULL;
	struct lease_ops ops;

	assert_int_equal(learned_new(&l, NULL), 0);
	learned_refuse_denied(&s->f->plan, &s->old, 7, reqs, 2);
	assert_int_equal(learned_prepare(l, &s->f->plan, reqs, 2, NOW, &ops, NULL), 0);
	assert_int_equal(reqs[0].status, -ESTALE);
	assert_int_equal(reqs[1].status, 0);
	assert_int_equal(ops.n, 1);
	lease_ops_done(&ops);
	(void)learned_free(l);
}

static void its_flows_are_cut_unless_they_are_allowed_anew(void **state)
{
	struct state *s = *state;
	struct learned *l = NULL;
	struct lease lease = { .addr = ip("203.0.113.7"), .mark = MARK_NAMES, .expires_us = NOW + 1 };
	struct revoke_env env = { .plan = &s->f->plan, .old = &s->old, .now_us = NOW };
	struct ct_flow flow = { .src = ip("100.64.0.1"),
				.dst = lease.addr,
				.proto = IPPROTO_TCP,
				.sport = 40000,
				.dport = 443,
				.mark = MARK_NAMES };

	assert_int_equal(learned_new(&l, NULL), 0);
	env.leases = l;
	assert_int_equal(revoke_decide(&env, &flow), REVOKE_KEEP);
	env.denies_of = &s->old;
	assert_int_equal(revoke_decide(&env, &flow), REVOKE_DENIED);
	assert_ptr_equal(revoke_explain(&env, &flow, REVOKE_DENIED).refused, &s->f->rules[2]);
	assert_int_equal(revoke_explain(&env, &flow, REVOKE_DENIED).permitted->mark, MARK_NAMES);
	assert_int_equal(learned_put(l, &flow.src, &lease, NULL), 0);
	assert_int_equal(revoke_decide(&env, &flow), REVOKE_KEEP);
	(void)learned_free(l);
}

int main(void)
{
#define WITH_PLANS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_PLANS(a_deny_that_was_there_before_takes_nothing_back),
		WITH_PLANS(only_rules_whose_names_it_meets),
		WITH_PLANS(its_leases_go_and_others_stay),
		WITH_PLANS(what_older_views_let_through_is_not_learned),
		WITH_PLANS(its_flows_are_cut_unless_they_are_allowed_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
