/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sluice/addr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static void what_is_parsed_prints_the_same(void **state)
{
	static const char *const texts[] = { "0.0.0.0", "100.64.0.7",	     "255.255.255.255",
					     "::",	"fd7a:115c:a1e0::1", "2001:db8::1:0:0:1" };
	char buf[IP_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ip_addr a = addr(texts[i]);

		assert_string_equal(ip_addr_print(&a, buf), texts[i]);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = { "",	 "1.2.3",	 "1.2.3.4.5", "256.0.0.1",
					     "1.2.3.4 ", "fe80::1%eth0", "::g",	      "01.2.3.4" };
	struct ip_addr a;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(ip_addr_parse(texts[i], &a), -EINVAL);
}

static void prefix_clears_host_bits_and_says_so(void **state)
{
	struct ip_prefix p;
	char buf[IP_TEXT_MAX];
	bool host_bits;

	assert_int_equal(ip_prefix_parse("10.1.2.3/13", &p, &host_bits), 0);
	assert_true(host_bits);
	assert_string_equal(ip_prefix_print(&p, buf), "10.0.0.0/13");
	assert_int_equal(ip_prefix_parse("2001:db8::/32", &p, &host_bits), 0);
	assert_false(host_bits);
	assert_int_equal(ip_prefix_parse("192.0.2.9", &p, &host_bits), 0);
	assert_int_equal(p.len, 32);
	assert_false(host_bits);
}

static void prefix_of_odd_length_text_is_refused(void **state)
{
	static const char *const texts[] = { "10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/08", "10.0.0.0/-1",
					     "::/129",	    "10.0.0.0/8/8", "/8",	   "10.0.0.0/4294967304" };
	struct ip_prefix p;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(ip_prefix_parse(texts[i], &p, NULL), -EINVAL);
}

static void prefix_contains_exactly_its_range(void **state)
{
	static const struct {
		const char *prefix, *in_first, *in_last, *before, *after;
	} cases[] = {
		{ "100.64.0.0/10", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0" },
		{ "192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0" },
		{ "fd00::/9", "fd00::", "fd7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fcff::1", "fd80::" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_addr first = addr(cases[i].in_first), last = addr(cases[i].in_last);
		struct ip_addr before = addr(cases[i].before), after = addr(cases[i].after);
		struct ip_prefix p;
		struct ip_range r;

		assert_int_equal(ip_prefix_parse(cases[i].prefix, &p, NULL), 0);
		r = ip_prefix_range(&p);
		assert_int_equal(ip_addr_cmp(&r.first, &first), 0);
		assert_int_equal(ip_addr_cmp(&r.last, &last), 0);
		assert_true(ip_prefix_contains(&p, &first) && ip_prefix_contains(&p, &last));
		assert_false(ip_prefix_contains(&p, &before) || ip_prefix_contains(&p, &after));
	}
}

static void no_address_is_behind_the_last(void **state)
{
	struct ip_addr last4 = addr("255.255.255.255"), first6 = addr("::"), out;

	assert_false(ip_addr_next(&last4, &out));
	assert_false(ip_addr_prev(&first6, &out));
	last4 = addr("10.0.255.255");
	assert_true(ip_addr_next(&last4, &out));
	first6 = addr("10.1.0.0");
	assert_int_equal(ip_addr_cmp(&out, &first6), 0);
}

static void ranges_that_touch_become_one(void **state)
{
	struct ip_range r[] = {
		{ addr("10.0.0.8"), addr("10.0.0.9") },		{ addr("10.0.0.0"), addr("10.0.0.3") },
		{ addr("10.0.0.4"), addr("10.0.0.5") },		{ addr("10.0.0.1"), addr("10.0.0.2") },
		{ addr("255.0.0.0"), addr("255.255.255.255") }, { addr("::"), addr("::1") },
	};
	struct ip_addr five = addr("10.0.0.5");

	assert_int_equal(ip_ranges_normalize(r, ARRAY_LEN(r)), 4);
	assert_int_equal(ip_addr_cmp(&r[0].last, &five), 0);
	assert_int_equal(r[3].first.family, IP_V6);
	assert_int_equal(ip_ranges_normalize(r, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_parsed_prints_the_same),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(prefix_clears_host_bits_and_says_so),
		cmocka_unit_test(prefix_of_odd_length_text_is_refused),
		cmocka_unit_test(prefix_contains_exactly_its_range),
		cmocka_unit_test(no_address_is_behind_the_last),
		cmocka_unit_test(ranges_that_touch_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
