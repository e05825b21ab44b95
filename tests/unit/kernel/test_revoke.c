/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which flows a plan allows, flow by flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "fixture.h"
#include "gatewayd/revoke.h"

#define NOW UINT64_C(5000000000)

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	*state = fixture_free(*state);
	return 0;
}

struct row {
	const char *src, *dst;
	uint8_t proto;
	uint16_t dport;
	uint32_t mark, status;
	enum revoke_reason wanted;
};

static struct ct_flow flow_of(const struct row *r)
{
	return (struct ct_flow){ .src = ip(r->src),
				 .dst = ip(r->dst),
				 .proto = r->proto,
				 .sport = 40000,
				 .dport = r->dport,
				 .mark = r->mark,
				 .status = r->status };
}

static void assert_rows(const struct revoke_env *env, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ct_flow flow = flow_of(&rows[i]);
		enum revoke_reason reason = revoke_decide(env, &flow);

		if (reason != rows[i].wanted)
			fail_msg("row %zu: %s, not %s", i, revoke_reason_name(reason),
				 revoke_reason_name(rows[i].wanted));
	}
}

static void flows_are_judged_like_packets(void **state)
{
	struct fixture *f = *state;
	struct ip_addr local[] = { ip("100.64.0.254"), ip("192.168.1.1") };
	struct ip_prefix nets[] = { { ip("100.64.0.0"), 10 } };
	struct revoke_env env = { .plan = &f->plan,
				  .now_us = NOW,
				  .tunnel_nets = nets,
				  .n_tunnel_nets = 1,
				  .local = local,
				  .n_local = 2,
				  .dns_port = 5300 };
	const struct row rows[] = {
		{ "100.64.0.1", "192.0.2.5", IPPROTO_TCP, 80, MARK_ADDRS, 0, REVOKE_KEEP },
		{ "100.64.0.1", "192.0.2.5", IPPROTO_TCP, 81, MARK_ADDRS, 0, REVOKE_NO_RULE },
		{ "100.64.0.1", "192.0.2.200", IPPROTO_TCP, 80, MARK_ADDRS, 0, REVOKE_DENIED },
		/* Names: the mark, the rule's services; other bits of the mark are not ours. */
		{ "100.64.0.1", "203.0.113.7", IPPROTO_TCP, 443, MARK_NAMES, 0, REVOKE_KEEP },
		{ "100.64.0.1", "203.0.113.7", IPPROTO_TCP, 443, MARK_NAMES | 0x40000, 0, REVOKE_KEEP },
		{ "100.64.0.1", "203.0.113.7", IPPROTO_TCP, 80, MARK_NAMES, 0, REVOKE_NO_RULE },
		{ "100.64.0.1", "203.0.113.7", IPPROTO_TCP, 443, 0x77, 0, REVOKE_NO_RULE },
		{ "100.64.0.1", "203.0.113.7", IPPROTO_TCP, 443, 0, 0, REVOKE_NO_RULE },
		{ "fd00::1", "2001:db8::7", IPPROTO_UDP, 443, MARK_NAMES, 0, REVOKE_KEEP },
		/* A deny wins over the name. */
		{ "100.64.0.1", "192.0.2.200", IPPROTO_TCP, 443, MARK_NAMES, 0, REVOKE_DENIED },
		/* DNS and echo to us; a question to another resolver is seen as it was redirected. */
		{ "100.64.0.1", "100.64.0.254", IPPROTO_UDP, 5300, 0, IPS_DST_NAT, REVOKE_KEEP },
		{ "100.64.0.1", "100.64.0.254", IPPROTO_UDP, 53, 0, 0, REVOKE_NO_RULE },
		{ "100.64.0.1", "8.8.8.8", IPPROTO_UDP, 53, 0, 0, REVOKE_NO_RULE },
		/* What others redirect is judged by where it goes. */
		{ "100.64.0.1", "172.17.0.2", IPPROTO_TCP, 53, 0, IPS_DST_NAT, REVOKE_NO_RULE },
		{ "100.64.0.1", "192.168.1.1", IPPROTO_TCP, 5300, 0, 0, REVOKE_KEEP },
		{ "100.64.0.1", "192.168.1.1", IPPROTO_TCP, 22, 0, 0, REVOKE_NO_RULE },
		{ "100.64.0.1", "100.64.0.254", IPPROTO_ICMP, 0, 0, 0, REVOKE_KEEP },
		{ "100.64.0.1", "198.51.100.1", IPPROTO_ICMP, 0, 0, 0, REVOKE_NO_RULE },
		/* Inactive: not even DNS. */
		{ "100.64.0.2", "100.64.0.254", IPPROTO_UDP, 5300, 0, 0, REVOKE_INACTIVE },
		{ "100.64.0.2", "192.0.2.5", IPPROTO_TCP, 80, MARK_ADDRS, 0, REVOKE_INACTIVE },
		{ "100.64.0.1", "100.64.0.2", IPPROTO_TCP, 443, MARK_NAMES, 0, REVOKE_INACTIVE },
		/* Nobody, us, others. */
		{ "100.64.0.9", "192.0.2.5", IPPROTO_TCP, 80, MARK_ADDRS, 0, REVOKE_UNKNOWN_DEVICE },
		{ "100.64.0.254", "100.64.0.1", IPPROTO_TCP, 22, 0, 0, REVOKE_KEEP },
		{ "100.64.0.254", "100.64.0.2", IPPROTO_TCP, 22, 0, 0, REVOKE_INACTIVE },
		{ "192.168.1.50", "192.168.1.1", IPPROTO_TCP, 22, 0, 0, REVOKE_KEEP },
		/* Begun by others before there was a table. */
		{ "192.168.1.50", "100.64.0.1", IPPROTO_TCP, 22, 0, 0, REVOKE_NO_RULE },
	};

	assert_rows(&env, rows, ARRAY_LEN(rows));
}

static void a_device_that_was_known_before_is_cut_outside_the_tunnels_networks_too(void **state)
{
	struct fixture *f = *state;
	struct plan without = f->plan;
	struct revoke_env env = { .plan = &without, .old = &f->plan, .now_us = NOW };
	const struct row row = { "100.64.0.1", "192.0.2.5", IPPROTO_TCP, 80, MARK_ADDRS, 0, REVOKE_UNKNOWN_DEVICE };

	without.addrs = f->addrs + 1;
	without.n_addrs = 2;
	assert_rows(&env, &row, 1);
	env.old = NULL;
	assert_rows(&env, &(struct row){ "100.64.0.1", "192.0.2.5", IPPROTO_TCP, 80, MARK_ADDRS, 0, REVOKE_KEEP }, 1);
}

static void a_rule_that_is_no_longer_the_devices_does_not_keep_its_flow(void **state)
{
	struct fixture *f = *state;
	struct revoke_env env = { .plan = &f->plan, .now_us = NOW };
	const struct row row = { "100.64.0.1", "203.0.113.7", IPPROTO_TCP, 443, MARK_NAMES, 0, REVOKE_NO_RULE };

	f->classes[0].n_name_rules = 0;
	assert_rows(&env, &row, 1);
}

static void becoming_resolve_first_cuts_what_was_not_resolved(void **state)
{
	struct fixture *f = *state;
	struct plan old = f->plan;
	struct plan_class old_classes[2] = { f->classes[0], f->classes[1] };
	struct learned *l = NULL;
	struct revoke_env env = { .plan = &f->plan, .old = &old, .now_us = NOW };
	struct lease lease = { .addr = ip("192.0.2.5"), .mark = LEARN_SEEN, .expires_us = NOW + 1 };
	struct ip_addr client = ip("100.64.0.1");
	struct row row = { "100.64.0.1", "192.0.2.5", IPPROTO_TCP, 80, MARK_ADDRS, 0, REVOKE_NOT_RESOLVED };

	assert_int_equal(learned_new(&l, NULL), 0);
	env.leases = l;
	old.classes = old_classes;
	f->classes[0].resolve_first = true;
	assert_rows(&env, &row, 1);
	assert_int_equal(learned_put(l, &client, &lease, NULL), 0);
	row.wanted = REVOKE_KEEP;
	assert_rows(&env, &row, 1);
	/* It was before: its lease may have ended while the flow lives. */
	old_classes[0].resolve_first = true;
	env.now_us = NOW + 10;
	assert_rows(&env, &row, 1);
	(void)learned_free(l);
}

static void a_lease_keeps_what_another_rule_had_opened(void **state)
{
	struct fixture *f = *state;
	struct learned *l = NULL;
	struct revoke_env env = { .plan = &f->plan, .now_us = NOW };
	struct lease lease = { .addr = ip("203.0.113.7"), .mark = MARK_NAMES, .expires_us = NOW + 1 };
	struct ip_addr client = ip("100.64.0.1");
	const uint32_t mark_of_a_rule_that_is_gone = 0x77;
	struct row row = {
		"100.64.0.1", "203.0.113.7", IPPROTO_TCP, 443, mark_of_a_rule_that_is_gone, 0, REVOKE_NO_RULE
	};

	assert_int_equal(learned_new(&l, NULL), 0);
	env.leases = l;
	assert_rows(&env, &row, 1);
	assert_int_equal(learned_put(l, &client, &lease, NULL), 0);
	row.wanted = REVOKE_KEEP;
	assert_rows(&env, &row, 1);
	row.dport = 80; /* no service of that rule */
	row.wanted = REVOKE_NO_RULE;
	assert_rows(&env, &row, 1);
	env.now_us = NOW + 2;
	row.dport = 443;
	assert_rows(&env, &row, 1);
	(void)learned_free(l);
}

static struct ct_flow announced(const char *src, const char *dst, const char *by, const char *to, uint16_t port)
{
	return (struct ct_flow){
		.src = ip(src),
		.dst = ip(dst),
		.proto = IPPROTO_TCP,
		.sport = 20,
		.dport = 50123,
		.mark = MARK_ADDRS,
		.status = IPS_EXPECTED,
		.master = { .src = ip(by), .dst = ip(to), .proto = IPPROTO_TCP, .sport = 40000, .dport = port },
	};
}

static void an_announced_flow_lives_and_dies_with_the_one_that_announced_it(void **state)
{
	struct fixture *f = *state;
	struct revoke_env env = { .plan = &f->plan, .now_us = NOW };
	struct ct_flow passive = announced("100.64.0.1", "192.0.2.5", "100.64.0.1", "192.0.2.5", 80);
	struct ct_flow active = announced("192.0.2.5", "100.64.0.1", "100.64.0.1", "192.0.2.5", 80);
	struct ct_flow denied = announced("100.64.0.1", "192.0.2.200", "100.64.0.1", "192.0.2.200", 80);
	struct ct_flow inactive = announced("192.0.2.5", "100.64.0.2", "100.64.0.1", "192.0.2.5", 80);

	assert_int_equal(revoke_decide(&env, &passive), REVOKE_KEEP);
	assert_int_equal(revoke_decide(&env, &active), REVOKE_KEEP);
	assert_int_equal(revoke_decide(&env, &denied), REVOKE_DENIED);
	assert_int_equal(revoke_decide(&env, &inactive), REVOKE_INACTIVE);
	active.master.dport = 81;
	assert_int_equal(revoke_decide(&env, &active), REVOKE_NO_RULE);
}

static void a_cut_names_its_device_and_both_rules(void **state)
{
	struct fixture *f = *state;
	struct plan old = f->plan;
	struct revoke_env env = { .plan = &f->plan, .old = &old, .now_us = NOW };
	struct row row = { "100.64.0.1", "192.0.2.200", IPPROTO_TCP, 80, MARK_NAMES, 0, REVOKE_DENIED };
	struct ct_flow flow = flow_of(&row);
	struct revoke_cut cut = revoke_explain(&env, &flow, REVOKE_DENIED);

	assert_ptr_equal(cut.device, &f->devices[0]);
	assert_int_equal(cut.refused->mark, MARK_DENY);
	assert_int_equal(cut.permitted->mark, MARK_NAMES);
	/* A mark of nobody's: what the old tables say. A deny never permitted anything. */
	flow.mark = 0;
	assert_null(revoke_explain(&env, &flow, REVOKE_DENIED).permitted);
	flow.dst = ip("192.0.2.5");
	assert_int_equal(revoke_explain(&env, &flow, REVOKE_NO_RULE).permitted->mark, MARK_ADDRS);
	assert_null(revoke_explain(&env, &flow, REVOKE_NO_RULE).refused);
	/* Without a plan before it nothing is known of why; a device that is gone is found in the old one. */
	env.old = NULL;
	assert_null(revoke_explain(&env, &flow, REVOKE_NO_RULE).permitted);
	env.old = &old;
	f->plan.n_addrs = 0;
	assert_ptr_equal(revoke_explain(&env, &flow, REVOKE_UNKNOWN_DEVICE).device, &f->devices[0]);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(flows_are_judged_like_packets),
		WITH_FIXTURE(a_device_that_was_known_before_is_cut_outside_the_tunnels_networks_too),
		WITH_FIXTURE(a_rule_that_is_no_longer_the_devices_does_not_keep_its_flow),
		WITH_FIXTURE(becoming_resolve_first_cuts_what_was_not_resolved),
		WITH_FIXTURE(a_lease_keeps_what_another_rule_had_opened),
		WITH_FIXTURE(an_announced_flow_lives_and_dies_with_the_one_that_announced_it),
		WITH_FIXTURE(a_cut_names_its_device_and_both_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
