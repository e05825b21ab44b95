/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a probe's way means, whose firewall it was, and what to do: the doctor's judgement, without a kernel. */
#include "cli/doctor_judge.h"
#include "cli/doctor_packet.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void mark(struct trace *t, uint32_t id, enum stage s)
{
	struct trace_event ev = { .type = s == STAGE_ENTER ? TRACE_RULE : TRACE_POLICY,
				  .id = id,
				  .family = NFPROTO_INET,
				  .table = DOCTOR_TABLE,
				  .chain = stage_name(s) };

	trace_add(t, &ev);
}

static void marks(struct trace *t, uint32_t id, const enum stage *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mark(t, id, s[i]);
}

static void rule_says(struct trace *t, uint32_t id, const char *table, const char *chain, bool drop)
{
	struct trace_event ev = { .type = TRACE_RULE,
				  .id = id,
				  .family = NFPROTO_IPV4,
				  .table = table,
				  .chain = chain,
				  .handle = 7,
				  .drop = drop,
				  .accept = !drop };

	trace_add(t, &ev);
}

static void a_drop_is_told_with_its_rule(void **state)
{
	static const enum stage way[] = { STAGE_ENTER, STAGE_ROUTING, STAGE_FORWARD_IN };
	struct trace t = { 0 };

	marks(&t, 5, way, ARRAY_LEN(way));
	assert_false(trace_complete(&t));
	rule_says(&t, 5, "filter", "FORWARD", true);
	assert_true(trace_complete(&t) && t.dropped && !trace_arrived(&t));
	assert_string_equal(t.at.chain, "FORWARD");
	assert_int_equal(t.at.handle, 7);
	assert_false(t.at.by_policy);
}

static void other_packets_traces_are_not_ours(void **state)
{
	struct trace t = { 0 };

	rule_says(&t, 9, "filter", "FORWARD", true);
	mark(&t, 9, STAGE_FORWARD_IN);
	assert_false(t.begun || t.dropped);
	mark(&t, 5, STAGE_ENTER);
	rule_says(&t, 9, "filter", "FORWARD", true);
	mark(&t, 9, STAGE_POST_OUT);
	assert_false(trace_complete(&t));
}

static void masquerading_is_seen_by_whose_rule_it_was(void **state)
{
	static const enum stage way[] = { STAGE_ENTER, STAGE_ROUTING, STAGE_FORWARD_IN, STAGE_FORWARD_OUT,
					  STAGE_POST_IN };
	struct trace_event ours = { .type = TRACE_RULE,
				    .id = 5,
				    .family = NFPROTO_INET,
				    .table = "sluice",
				    .chain = "postrouting",
				    .accept = true };
	struct trace a = { 0 }, b = { 0 };

	marks(&a, 5, way, ARRAY_LEN(way));
	trace_add(&a, &ours);
	/* What comes behind it in our table translates nothing, and undoes nothing. */
	ours.chain = "bound";
	trace_add(&a, &ours);
	mark(&a, 5, STAGE_POST_OUT);
	assert_true(trace_arrived(&a) && a.masqueraded);
	marks(&b, 5, way, ARRAY_LEN(way));
	rule_says(&b, 5, "nat", "POSTROUTING", false);
	mark(&b, 5, STAGE_POST_OUT);
	assert_true(trace_arrived(&b) && !b.masqueraded);
	assert_string_equal(b.nat_else.chain, "POSTROUTING");
}

static void where_it_was_lost(void **state)
{
	static const struct {
		enum stage passed[6];
		size_t n;
		const char *says;
		bool in_hook;
	} cases[] = {
		{ { STAGE_MAX }, 0, "before the first hook", false },
		{ { STAGE_ENTER }, 1, "prerouting", true },
		{ { STAGE_ENTER, STAGE_ROUTING }, 2, "in routing", false },
		{ { STAGE_ENTER, STAGE_ROUTING, STAGE_FORWARD_IN }, 3, "hook forward", true },
		{ { STAGE_ENTER, STAGE_ROUTING, STAGE_FORWARD_IN, STAGE_FORWARD_OUT }, 4, "behind", false },
		{ { STAGE_ENTER, STAGE_ROUTING, STAGE_FORWARD_IN, STAGE_FORWARD_OUT, STAGE_POST_IN },
		  5,
		  "postrouting",
		  true },
		{ { STAGE_ENTER, STAGE_ROUTING, STAGE_INPUT_IN }, 3, "hook input", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trace t = { 0 };

		marks(&t, 1, cases[i].passed, cases[i].n);
		assert_non_null(strstr(trace_lost_print(&t), cases[i].says));
		assert_int_equal(trace_lost_in_hook(&t), cases[i].in_hook);
	}
}

static struct place place_in(uint8_t family, const char *table, const char *chain, bool legacy)
{
	struct place p = { .family = family, .legacy = legacy, .by_policy = true };

	(void)snprintf(p.table, sizeof(p.table), "%s", table);
	(void)snprintf(p.chain, sizeof(p.chain), "%s", chain);
	return p;
}

static void a_table_is_whose_chains_stand_in_it(void **state)
{
	static const struct chain_name docker[] = { { NFPROTO_IPV4, false, "filter", "FORWARD" },
						    { NFPROTO_IPV4, false, "filter", "DOCKER-USER" } };
	static const struct chain_name both[] = { { NFPROTO_IPV4, false, "filter", "DOCKER-USER" },
						  { NFPROTO_IPV4, false, "filter", "ufw-before-forward" } };
	struct place forward = place_in(NFPROTO_IPV4, "filter", "FORWARD", false);
	struct place input = place_in(NFPROTO_IPV4, "filter", "INPUT", false);
	struct place legacy = place_in(NFPROTO_IPV4, "filter", "FORWARD", true);
	struct place ts = place_in(NFPROTO_IPV4, "filter", "ts-input", false);
	struct place firewalld = place_in(NFPROTO_INET, "firewalld", "filter_FORWARD", false);
	struct place ours = place_in(NFPROTO_INET, "sluice", "class_1", false);

	assert_int_equal(neighbour_of(&forward, docker, 2), NEIGHBOUR_DOCKER);
	assert_int_equal(neighbour_of(&input, docker, 2), NEIGHBOUR_NONE);
	assert_int_equal(neighbour_of(&legacy, docker, 2), NEIGHBOUR_NONE);
	assert_int_equal(neighbour_of(&forward, both, 2), NEIGHBOUR_UFW);
	assert_int_equal(neighbour_of(&ts, NULL, 0), NEIGHBOUR_TAILSCALE);
	assert_int_equal(neighbour_of(&firewalld, NULL, 0), NEIGHBOUR_FIREWALLD);
	assert_int_equal(neighbour_of(&ours, docker, 2), NEIGHBOUR_SLUICE);
	assert_int_equal(neighbours_found(both, 2), 1u << NEIGHBOUR_DOCKER | 1u << NEIGHBOUR_UFW);
}

static void fix_is(const struct place *p, enum neighbour who, enum probe_way way, uint8_t family, const char *want)
{
	struct fix_context ctx = { .neighbour = who, .way = way, .tunnel = "wg0", .ip_family = family, .port = 53 };
	struct check c = { 0 };

	fix_for(&c, p, &ctx);
	if (strncmp(c.fix, want, strlen(want)) != 0)
		fail_msg("%s", c.fix);
}

static void the_fix_is_in_its_managers_words(void **state)
{
	struct place forward = place_in(NFPROTO_IPV4, "filter", "FORWARD", false);
	struct place legacy = place_in(NFPROTO_IPV6, "filter", "FORWARD", true);
	struct place mine = place_in(NFPROTO_INET, "mine", "way", false);

	fix_is(&forward, NEIGHBOUR_DOCKER, WAY_OUT, IP_V4,
	       "iptables -I DOCKER-USER -i wg0 -j ACCEPT\n"
	       "iptables -I DOCKER-USER -o wg0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
	fix_is(&legacy, NEIGHBOUR_DOCKER, WAY_BACK, IP_V6, "ip6tables-legacy -I DOCKER-USER -i wg0 -j ACCEPT\n");
	fix_is(&forward, NEIGHBOUR_UFW, WAY_OUT, IP_V4, "ufw route allow in on wg0");
	fix_is(&forward, NEIGHBOUR_UFW, WAY_DNS, IP_V4, "ufw allow in on wg0");
	fix_is(&forward, NEIGHBOUR_UFW, WAY_TUNNEL, IP_V4, "ufw allow 53/udp");
	fix_is(&mine, NEIGHBOUR_FIREWALLD, WAY_OUT, IP_V4,
	       "firewall-cmd --permanent --zone=trusted --add-interface=wg0 && firewall-cmd --reload");
	fix_is(&forward, NEIGHBOUR_NONE, WAY_OUT, IP_V4, "iptables -I FORWARD -i wg0 -j ACCEPT\n");
	fix_is(&mine, NEIGHBOUR_NONE, WAY_OUT, IP_V4, "nft insert rule inet mine way iifname \"wg0\" accept\n");
	fix_is(&mine, NEIGHBOUR_NONE, WAY_TUNNEL, IP_V4, "nft insert rule inet mine way udp dport 53 accept");
	fix_is(&mine, NEIGHBOUR_SLUICE, WAY_OUT, IP_V4, "sluice reload");
}

static const char save_before[] = "# Generated by iptables-save\n*filter\n:INPUT ACCEPT [10:100]\n"
				  ":FORWARD DROP [3:180]\n:DOCKER-USER - [0:0]\n"
				  "[5:300] -A FORWARD -i wg0 -p tcp -m tcp --dport 443 -j DROP\n"
				  "[8:300] -A FORWARD -i wg0 -j ACCEPT\nCOMMIT\n";

static void legacy_rules_are_found_by_their_counters(void **state)
{
	static const char rule_rose[] = "# Generated by iptables-save\n*filter\n:INPUT ACCEPT [90:100]\n"
					":FORWARD DROP [4:180]\n:DOCKER-USER - [0:0]\n"
					"[12:720] -A FORWARD -i wg0 -p tcp -m tcp --dport 443 -j DROP\n"
					"[80:300] -A FORWARD -i wg0 -j ACCEPT\nCOMMIT\n";
	static const char policy_rose[] = "# Generated by iptables-save\n*filter\n:INPUT ACCEPT [90:100]\n"
					  ":FORWARD DROP [10:600]\n:DOCKER-USER - [0:0]\n"
					  "[5:300] -A FORWARD -i wg0 -p tcp -m tcp --dport 443 -j DROP\n"
					  "[80:300] -A FORWARD -i wg0 -j ACCEPT\nCOMMIT\n";
	static const char changed[] = "# Generated by iptables-save\n*filter\n:OUTPUT ACCEPT [90:100]\n"
				      ":FORWARD DROP [10:600]\nCOMMIT\n";
	struct place p = { .family = NFPROTO_IPV4 };
	char text[256];

	assert_true(legacy_find(save_before, rule_rose, 7, &p));
	assert_string_equal(place_print(&p, text, sizeof(text)),
			    "iptables-legacy table ip filter, chain FORWARD, rule: "
			    "-A FORWARD -i wg0 -p tcp -m tcp --dport 443 -j DROP");
	assert_true(legacy_find(save_before, policy_rose, 7, &p));
	assert_true(p.by_policy && p.legacy);
	assert_string_equal(p.table, "filter");
	assert_string_equal(p.chain, "FORWARD");
	assert_false(legacy_find(save_before, save_before, 7, &p));
	assert_false(legacy_find(save_before, changed, 7, &p));
	assert_false(legacy_find("", "", 7, &p));
}

static void legacy_chains_are_read(void **state)
{
	struct chain_name chains[4];

	assert_int_equal(legacy_chains(save_before, NFPROTO_IPV4, chains, ARRAY_LEN(chains)), 3);
	assert_string_equal(chains[2].chain, "DOCKER-USER");
	assert_string_equal(chains[2].table, "filter");
	assert_true(chains[2].legacy);
	assert_int_equal(legacy_chains(save_before, NFPROTO_IPV4, chains, 1), 1);
}

static void a_rules_text_is_found_by_its_handle(void **state)
{
	static const char listing[] = "table inet mine { # handle 3\n\tchain way { # handle 7\n"
				      "\t\ttcp dport 1 accept # handle 17\n\t\ttcp dport 2 drop # handle 1\n\t}\n}\n";
	struct place p = { .handle = 1 };

	rule_text_find(listing, &p);
	assert_string_equal(p.rule, "tcp dport 2 drop");
	p = (struct place){ .handle = 17 };
	rule_text_find(listing, &p);
	assert_string_equal(p.rule, "tcp dport 1 accept");
	p = (struct place){ .handle = 7 };
	rule_text_find(listing, &p);
	assert_string_equal(p.rule, "");
}

/* RFC 1071: over data with its checksum the sum is all ones. */
static uint16_t sum_over(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void packet_adds_up(const char *src, const char *dst, uint8_t proto, size_t header, size_t want)
{
	struct probe_packet p = { .proto = proto, .sport = 61001, .dport = 443 };
	uint8_t buf[PROBE_BYTES_MAX];
	size_t len, body;

	assert_int_equal(ip_addr_parse(src, &p.src), 0);
	assert_int_equal(ip_addr_parse(dst, &p.dst), 0);
	len = probe_packet_build(&p, buf);
	assert_int_equal(len, want);
	body = len - header;
	if (header == 20)
		assert_int_equal(sum_over(0, buf, header), 0xffff);
	/* The pseudo header: both addresses lie one behind the other in front of what is summed. */
	assert_int_equal(sum_over(proto + (uint32_t)body, buf + (header == 20 ? 12 : 8), len - (header == 20 ? 12 : 8)),
			 0xffff);
}

static void packets_have_good_checksums(void **state)
{
	packet_adds_up("100.64.0.10", "203.0.113.9", IPPROTO_TCP, 20, 40);
	packet_adds_up("100.64.0.10", "203.0.113.9", IPPROTO_UDP, 20, 28);
	packet_adds_up("fd5a:51ce::10", "2001:db8::1", IPPROTO_TCP, 40, 60);
	packet_adds_up("fd5a:51ce::10", "2001:db8::1", IPPROTO_UDP, 40, 48);
}

static void a_report_fails_when_a_check_does(void **state)
{
	static struct report r;

	report_add(&r, "a", CHECK_OK, "fine");
	report_add(&r, "b", CHECK_WARN, "look");
	assert_false(report_fails(&r));
	check_fix(check_fix(report_add(&r, "c", CHECK_FAIL, "broken"), "one"), "two %d", 2);
	assert_true(report_fails(&r));
	assert_string_equal(r.items[2].fix, "one\ntwo 2");
	/* More than there is room for is no overrun, and a failure stays one. */
	for (uint32_t i = 0; i < 2 * REPORT_MAX; i++)
		report_add(&r, "d", CHECK_FAIL, "more");
	assert_int_equal(r.n, REPORT_MAX);
	assert_true(report_fails(&r));
}

static void full_tables_and_wrong_clocks_are_told(void **state)
{
	assert_int_equal(conntrack_level(0, 262144), CHECK_OK);
	assert_int_equal(conntrack_level(79, 100), CHECK_OK);
	assert_int_equal(conntrack_level(80, 100), CHECK_WARN);
	assert_int_equal(conntrack_level(98, 100), CHECK_FAIL);
	assert_int_equal(conntrack_level(ULONG_MAX / 2, ULONG_MAX), CHECK_OK);
	assert_int_equal(clock_level(0, true), CHECK_FAIL);
	assert_int_equal(clock_level(1795719904, true), CHECK_OK);
	assert_int_equal(clock_level(1795719904, false), CHECK_WARN);
	assert_int_equal(certificate_level(true, 8 * 86400, 0), CHECK_OK);
	assert_int_equal(certificate_level(true, 6 * 86400, 0), CHECK_WARN);
	assert_int_equal(certificate_level(true, 100, 100), CHECK_FAIL);
	assert_int_equal(certificate_level(false, 8 * 86400, 0), CHECK_FAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drop_is_told_with_its_rule),
		cmocka_unit_test(other_packets_traces_are_not_ours),
		cmocka_unit_test(masquerading_is_seen_by_whose_rule_it_was),
		cmocka_unit_test(where_it_was_lost),
		cmocka_unit_test(a_table_is_whose_chains_stand_in_it),
		cmocka_unit_test(the_fix_is_in_its_managers_words),
		cmocka_unit_test(legacy_rules_are_found_by_their_counters),
		cmocka_unit_test(legacy_chains_are_read),
		cmocka_unit_test(a_rules_text_is_found_by_its_handle),
		cmocka_unit_test(packets_have_good_checksums),
		cmocka_unit_test(a_report_fails_when_a_check_does),
		cmocka_unit_test(full_tables_and_wrong_clocks_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
