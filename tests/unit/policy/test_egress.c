/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways out of the gateway: names in the policy, and what the kernel's program has of them. */
#include "world.h"

#include "policy/lower_nft.h"

static const struct egress ways[] = {
	{ .name = "vpn", .interface = "wg-out", .mark = 0x01000000, .mask = EGRESS_MARKED },
	{ .name = "lab", .kind = EGRESS_TABLE, .table = 51, .mark = 0x02000000, .mask = EGRESS_MARKED },
};
static const struct egress_list both = { ways, ARRAY_LEN(ways) };

#define POLICY(grants) "{" FAMILY_NAMES "\"grants\": [" grants "]}"
#define PLAIN	       "{\"src\": [\"group:family\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"]}"
#define BY_VPN	       "{\"src\": [\"tag:server\"], \"dst\": [\"203.0.113.9\"], \"ip\": [\"tcp:443\"], \"egress\": \"vpn\"}"
#define BY_LAB	       "{\"src\": [\"tag:server\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"], \"egress\": \"lab\"}"
#define BY_NAME                                                                                                        \
	"{\"src\": [\"group:family\"], \"dst\": [\"dns:a.example\"], \"ip\": [\"tcp:443\"], \"egress\": \"vpn\"}"

static int lower(const struct plan *p, const struct egress_list *egress, bool hooks, bool routed, struct nft_prog **ret,
		 struct err *e)
{
	struct ip_prefix net, six;
	struct nft_env env = { .tunnel = "wg0",
			       .tunnel_nets = &net,
			       .n_tunnel_nets = 1,
			       .dns_port = 53,
			       .egress = egress,
			       .routed = &six,
			       .n_routed = routed ? 1 : 0,
			       .hooks = hooks };

	assert_int_equal(ip_prefix_parse("100.64.0.0/10", &net, NULL), 0);
	assert_int_equal(ip_prefix_parse("2001:db8:51::/64", &six, NULL), 0);
	return lower_nft(p, &env, ret, e);
}

/* The program as text; free(). */
static char *program(const char *policy, const struct egress_list *egress, bool hooks, bool routed)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	char *text = NULL;
	size_t len = 0;
	struct err e = { 0 };
	FILE *out = open_memstream(&text, &len);

	world_compile(&w, policy, family_devices);
	assert_int_equal(lower(w.plan, egress, hooks, routed, &prog, &e), 0);
	nft_prog_print(prog, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("no \"%s\" in %s", what, text);
}

static void has_not(const char *text, const char *what)
{
	if (strstr(text, what) != NULL)
		fail_msg("\"%s\" in %s", what, text);
}

static void without_a_way_the_program_is_the_same(void **state)
{
	CLEANUP(freep) char *none = program(POLICY(PLAIN), NULL, true, false);
	CLEANUP(freep) char *unused = program(POLICY(PLAIN), &both, true, false);

	assert_string_equal(none, unused);
	has_not(none, "meta mark");
	has_not(none, "steer");
}

static void only_classes_that_it_concerns_are_steered(void **state)
{
	CLEANUP(freep) char *text = program(POLICY(PLAIN "," BY_VPN), &both, true, false);

	has(text, "meta mark set meta mark & 0x00ffffff | 0x01000000 accept");
	has(text, "type filter hook prerouting priority -140;");
	has(text, "chain steer_class_2 {");
	has_not(text, "chain steer_class_1 {");
	has(text, "oifname != \"wg-out\" counter drop");
}

static void a_table_without_an_interface_is_bound_to_none(void **state)
{
	CLEANUP(freep) char *text = program(POLICY(BY_LAB), &both, true, false);

	has(text, "meta mark set meta mark & 0x00ffffff | 0x02000000 accept");
	has_not(text, "chain bound_2");
	has(text, "map bound {\n\t\ttype mark : verdict\n\t}");
}

static void nodivert_steers_nothing(void **state)
{
	CLEANUP(freep) char *text = program(POLICY(BY_VPN), &both, false, false);

	has(text, "chain steer {");
	has_not(text, "type filter hook");
	has_not(text, "type route hook");
}

/* Names choose before addresses, and what refuses before both. */
static void names_are_looked_up_before_what_addresses_allow(void **state)
{
	CLEANUP(freep) char *text = program(POLICY(PLAIN "," BY_NAME), &both, true, false);
	const char *decide = strstr(text, "chain decide_1 {"), *steer = strstr(text, "chain steer_class_1 {");

	assert_non_null(decide);
	assert_non_null(steer);
	has(decide, "meta priority vmap @refuse\n\t\tmeta l4proto . th dport @svc_");
	has(text, "map @part1 goto decide_1");
	has(steer, "map @part1 goto steer_decide_1");
	has(text, "chain steer_decide_1 {\n\t\tmeta priority vmap @stay\n\t\tmeta l4proto . th dport @svc_");
}

static void routed_sources_are_translated_on_ways_only(void **state)
{
	CLEANUP(freep) char *plain = program(POLICY(PLAIN), &both, true, true);
	CLEANUP(freep) char *steered = program(POLICY(PLAIN "," BY_VPN), &both, true, true);

	has(plain, "iifname \"wg0\" ip6 saddr @routed6 accept\n\t\tiifname \"wg0\" oifname != \"wg0\" masquerade");
	has_not(plain, "@steered");
	has(steered, "iifname \"wg0\" ct mark & 0xff00ffff @steered oifname != \"wg0\" masquerade\n"
		     "\t\tiifname \"wg0\" ip saddr @routed4 accept");
}

static void a_way_that_the_host_has_not_is_refused(void **state)
{
	CLEANUP(world_done) struct world w;
	struct egress_list one = { ways + 1, 1 };
	struct nft_prog *prog = NULL;
	struct err e = { 0 };

	world_compile(&w, POLICY(BY_VPN), family_devices);
	assert_int_equal(lower(w.plan, &one, true, false, &prog, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/grants/0"));
	plan_freep(&w.plan);
	w.env.egress = &one;
	assert_int_equal(plan_compile(w.policy, w.devices, &w.env, &w.diags, &w.plan), -EINVAL);
	assert_string_equal(w.diags.items[w.diags.n - 1].code, "P1209");
	w.env.egress = &both;
	assert_int_equal(plan_compile(w.policy, w.devices, &w.env, &w.diags, &w.plan), 0);
	assert_string_equal(w.plan->rules[0].egress, "vpn");
}

/* Destinations in many pieces go by list, where it makes no difference who allows: with ways it does. */
static void what_precedes_a_way_is_looked_up_in_order(void **state)
{
	CLEANUP(freep) char *policy = NULL;
	size_t len = 0;

	for (int way = 0; way < 2; way++) {
		CLEANUP(world_done) struct world w;
		FILE *out = open_memstream(&policy, &len);

		(void)fprintf(out,
			      "{" FAMILY_NAMES
			      "\"grants\": [{\"src\": [\"tag:server\"], \"dst\": [\"203.0.113.0/24\"], "
			      "\"ip\": [\"tcp:80\"]%s}",
			      way != 0 ? ", \"egress\": \"vpn\"" : "");
		for (int i = 0; i < 20; i++)
			(void)fprintf(
				out, ", {\"src\": [\"tag:server\"], \"dst\": [\"203.0.113.%d\"], \"ip\": [\"udp:%d\"]}",
				i * 2, 1000 + i);
		(void)fputs("]}", out);
		assert_int_equal(fclose(out), 0);
		world_compile(&w, policy, family_devices);
		assert_int_equal(w.plan->members.n_levels, way != 0 ? 0 : 1);
		free(TAKE(policy));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_way_the_program_is_the_same),
		cmocka_unit_test(only_classes_that_it_concerns_are_steered),
		cmocka_unit_test(a_table_without_an_interface_is_bound_to_none),
		cmocka_unit_test(nodivert_steers_nothing),
		cmocka_unit_test(names_are_looked_up_before_what_addresses_allow),
		cmocka_unit_test(routed_sources_are_translated_on_ways_only),
		cmocka_unit_test(a_way_that_the_host_has_not_is_refused),
		cmocka_unit_test(what_precedes_a_way_is_looked_up_in_order),
	};

	return cmocka_run_group_tests_name("egress", tests, NULL, NULL);
}
