/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a route means to libunbound, and what libunbound's words mean to a client. */
#include "dnsd/bogus.h"
#include "dnsd/recursor.h"
#include "dnsd/recursor_config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

static struct plan_upstream upstream(const char *addr, enum upstream_kind kind)
{
	struct plan_upstream u = { .kind = kind, .port = kind == UPSTREAM_TLS ? 853 : 53 };

	assert_int_equal(ip_addr_parse(addr, &u.addr), 0);
	return u;
}

static char *config_of(const struct route *route)
{
	char *text = NULL;
	struct err e;

	assert_int_equal(recursor_config(route, &text, &e), 0);
	return text;
}

static bool has(const char *text, const char *line)
{
	return strstr(text, line) != NULL;
}

static void a_route_from_the_root_validates_by_the_anchors_it_is_given(void **state)
{
	struct dns_roots roots = { .anchors = ". 172800 IN DS 1 8 2 AA\n. 172800 IN DS 2 8 2 BB\n", .hints = "/h" };
	struct route route = { .roots = &roots };
	char *text = config_of(&route);

	assert_true(has(text, "module-config: \"validator iterator\"\n"));
	assert_true(has(text, "\ttrust-anchor: \". 172800 IN DS 1 8 2 AA\"\n"));
	assert_true(has(text, "\ttrust-anchor: \". 172800 IN DS 2 8 2 BB\"\n"));
	assert_true(has(text, "\troot-hints: \"/h\"\n"));
	assert_true(has(text, "\taggressive-nsec: yes\n"));
	assert_true(has(text, "\tdo-not-query-localhost: yes\n"));
	assert_false(has(text, "forward-zone"));
	free(text);
	/* The keeper's: libunbound's own file in place of them. */
	roots.anchor_file = "/s/root.key";
	roots.anchor_hold_down_s = 7;
	text = config_of(&route);
	assert_true(has(text, "\tauto-trust-anchor-file: \"/s/root.key\"\n\tadd-holddown: 7\n"));
	assert_false(has(text, "\ttrust-anchor:"));
	free(text);
}

static void without_an_anchor_nothing_is_validated(void **state)
{
	struct dns_roots none = { .anchors = "" };
	struct route route = { .roots = &none }, bare = { 0 };
	char *text = config_of(&route);

	assert_true(has(text, "module-config: \"iterator\"\n"));
	assert_true(recursor_should_validate(&route));
	assert_false(recursor_validates(&route));
	assert_false(recursor_validates(&bare));
	free(text);
}

static void a_forwarder_is_validated_when_that_is_asked_for(void **state)
{
	struct dns_roots roots = { .anchors = ". 172800 IN DS 1 8 2 AA\n" };
	struct plan_upstream up = upstream("192.0.2.53", UPSTREAM_UDP);
	struct route route = { .upstreams = &up, .n_upstreams = 1, .roots = &roots };
	char *plain = config_of(&route), *checked;

	assert_true(has(plain, "module-config: \"iterator\"\n"));
	route.dnssec = true;
	checked = config_of(&route);
	assert_true(has(checked, "module-config: \"validator iterator\"\n"));
	assert_true(has(checked, "forward-zone:\n\tname: \".\"\n\tforward-first: no\n"));
	assert_true(has(checked, "\tforward-addr: 192.0.2.53@53\n"));
	assert_string_not_equal(plain, checked);
	free(plain);
	free(checked);
}

static void split_and_insecure_names_are_not_validated(void **state)
{
	struct plan_upstream up = upstream("192.168.1.53", UPSTREAM_UDP);
	struct plan_split split = { .suffix = name_of("home.arpa"), .upstreams = &up, .n_upstreams = 1 };
	struct dname insecure = name_of("corp.example");
	struct dns_roots roots = { .anchors = ". 1 IN DS 1 8 2 AA\n", .insecure = &insecure, .n_insecure = 1 };
	struct route route = { .splits = &split, .n_splits = 1, .roots = &roots };
	char *text = config_of(&route);

	assert_true(has(text, "\tlocal-zone: \"home.arpa.\" transparent\n\tdomain-insecure: \"home.arpa.\"\n"));
	assert_true(has(text, "\tdomain-insecure: \"corp.example.\"\n"));
	assert_true(has(text, "\taggressive-nsec: no\n"));
	assert_true(has(text, "forward-zone:\n\tname: \"home.arpa.\"\n\tforward-first: no\n"));
	free(text);
}

static void loopback_is_asked_only_where_it_may_be_meant(void **state)
{
	struct plan_upstream v4 = upstream("127.0.0.1", UPSTREAM_UDP), v6 = upstream("::1", UPSTREAM_UDP),
			     tls = upstream("9.9.9.9", UPSTREAM_TLS), other = upstream("9.9.9.9", UPSTREAM_UDP);
	struct dns_roots own = { .hints = "/h", .hints_own = true };
	const struct {
		struct route route;
		bool asks;
	} cases[] = {
		{ { 0 }, false },
		{ { .upstreams = &other, .n_upstreams = 1 }, false },
		{ { .upstreams = &v4, .n_upstreams = 1 }, true },
		{ { .upstreams = &v6, .n_upstreams = 1 }, true },
		{ { .upstreams = &tls, .n_upstreams = 1 }, true }, /* dot.c's relay */
		{ { .roots = &own }, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = config_of(&cases[i].route);

		assert_int_equal(has(text, "do-not-query-localhost: no\n"), cases[i].asks);
		free(text);
	}
}

static void words_become_codes(void **state)
{
	static const struct {
		const char *why;
		int ede;
	} cases[] = {
		{ "validation failure <a. A IN>: signature expired from 192.0.2.1", 7 },
		{ "validation failure <a. A IN>: signature before inception date from 192.0.2.1", 8 },
		{ "validation failure <a. A IN>: No DNSKEY record from 192.0.2.1 for key a.", 9 },
		{ "validation failure <a. A IN>: no keys have a DS with algorithm RSASHA256 from 192.0.2.1", 9 },
		{ "validation failure <a. A IN>: no signatures from 192.0.2.1", 10 },
		{ "validation failure <a. A IN>: dnskey without ZSK flag from 192.0.2.1 for key a.", 11 },
		{ "validation failure <a. A IN>: no signatures over NSECs from 192.0.2.1 for DS a.", 12 },
		{ "validation failure <a. A IN>: nameerror proof failed from 192.0.2.1", 12 },
		{ "validation failure <a. A IN>: signature crypto failed from 192.0.2.1", 6 },
		/* The first cause, not where it led. */
		{ "validation failure <a. A IN>: signature expired for <b. A IN>, no signatures", 7 },
		{ "", 6 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(bogus_ede(cases[i].why), cases[i].ede);
}

static void a_reason_is_kept_for_when_it_is_not_said_again(void **state)
{
	struct bogus *b = bogus_new();
	struct dname name = name_of("www.expired.lab"), other = name_of("www.other.lab");
	const char *text;

	assert_non_null(b);
	assert_int_equal(bogus_why(b, &name, TYPE_A, "validation failure <x>: signature expired", &text), 7);
	assert_int_equal(bogus_why(b, &name, TYPE_A, "validation failure <x>: misc failure", &text), 7);
	assert_string_equal(text, "validation failure <x>: signature expired");
	assert_int_equal(bogus_why(b, &name, TYPE_A, NULL, &text), 7);
	assert_int_equal(bogus_why(b, &name, TYPE_AAAA, NULL, &text), 6);
	assert_int_equal(bogus_why(b, &other, TYPE_A, NULL, &text), 6);
	assert_string_equal(text, "validation failure");
	(void)bogus_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_from_the_root_validates_by_the_anchors_it_is_given),
		cmocka_unit_test(without_an_anchor_nothing_is_validated),
		cmocka_unit_test(a_forwarder_is_validated_when_that_is_asked_for),
		cmocka_unit_test(split_and_insecure_names_are_not_validated),
		cmocka_unit_test(loopback_is_asked_only_where_it_may_be_meant),
		cmocka_unit_test(words_become_codes),
		cmocka_unit_test(a_reason_is_kept_for_when_it_is_not_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
