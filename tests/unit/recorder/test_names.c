/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "recorder/names.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S  1000000ull
#define T0 (1790000000ull * S)

static struct ip_addr ip(const char *text)
{
	struct ip_addr a = { 0 };

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static void add(struct names *n, const char *client, const char *addr, const char *name, uint64_t at_us, uint32_t ttl_s)
{
	struct ip_addr c = ip(client), a = ip(addr);

	assert_int_equal(names_add(n, &c, &a, flow_text_of(name), at_us, ttl_s), 0);
}

static struct name_evidence find(struct names *n, const char *client, const char *addr, uint64_t when_us)
{
	struct ip_addr c = ip(client), a = ip(addr);
	struct name_evidence e;

	names_find(n, &c, &a, when_us, &e);
	return e;
}

static void one_name_is_exact(void **state)
{
	struct names *n = names_new(16);
	struct name_evidence e;

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0, 60);
	e = find(n, "100.64.0.7", "198.51.100.1", T0 + S);
	assert_int_equal(e.evidence, FLOW_EVIDENCE_EXACT);
	assert_int_equal(e.candidates, 1);
	assert_string_equal(e.name, "a.example");
	names_free(n);
}

static void the_same_name_twice_stays_exact(void **state)
{
	struct names *n = names_new(16);

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0, 60);
	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0 + 30 * S, 60);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", T0 + 40 * S).evidence, FLOW_EVIDENCE_EXACT);
	assert_int_equal(names_count(n), 1);
	names_free(n);
}

static void two_names_are_ambiguous_and_the_later_is_shown(void **state)
{
	struct names *n = names_new(16);
	struct name_evidence e;

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0, 60);
	add(n, "100.64.0.7", "198.51.100.1", "b.example", T0 + S, 60);
	e = find(n, "100.64.0.7", "198.51.100.1", T0 + 2 * S);
	assert_int_equal(e.evidence, FLOW_EVIDENCE_AMBIGUOUS);
	assert_int_equal(e.candidates, 2);
	assert_string_equal(e.name, "b.example");
	names_free(n);
}

static void a_name_is_no_evidence_for_another_client(void **state)
{
	struct names *n = names_new(16);

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0, 60);
	assert_int_equal(find(n, "100.64.0.8", "198.51.100.1", T0).evidence, FLOW_EVIDENCE_NONE);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.2", T0).evidence, FLOW_EVIDENCE_NONE);
	assert_null(find(n, "100.64.0.8", "198.51.100.1", T0).name);
	names_free(n);
}

static void a_name_ends_after_ttl_and_grace(void **state)
{
	struct names *n = names_new(16);
	uint64_t end_us = T0 + 60 * S + NAMES_GRACE_US;

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0, 60);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", end_us).evidence, FLOW_EVIDENCE_EXACT);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", end_us + 1).evidence, FLOW_EVIDENCE_NONE);
	names_free(n);
}

static void an_ended_name_makes_the_other_exact_again(void **state)
{
	struct names *n = names_new(16);
	struct name_evidence e;

	add(n, "100.64.0.7", "198.51.100.1", "short.example", T0, 1);
	add(n, "100.64.0.7", "198.51.100.1", "long.example", T0, 3600);
	e = find(n, "100.64.0.7", "198.51.100.1", T0 + 2 * S + NAMES_GRACE_US);
	assert_int_equal(e.evidence, FLOW_EVIDENCE_EXACT);
	assert_string_equal(e.name, "long.example");
	names_free(n);
}

static void a_name_seen_later_is_no_evidence_for_before(void **state)
{
	struct names *n = names_new(16);

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0 + 10 * S, 60);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", T0).evidence, FLOW_EVIDENCE_NONE);
	names_free(n);
}

static void a_name_seen_again_after_its_end_does_not_cover_the_time_between(void **state)
{
	struct names *n = names_new(16);
	uint64_t later_us = T0 + 10000 * S;

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0, 1);
	add(n, "100.64.0.7", "198.51.100.1", "a.example", later_us, 1);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", later_us - 5000 * S).evidence, FLOW_EVIDENCE_NONE);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", later_us).evidence, FLOW_EVIDENCE_EXACT);
	names_free(n);
}

static void over_the_limit_the_least_used_pair_goes(void **state)
{
	struct names *n = names_new(3);

	add(n, "100.64.0.7", "198.51.100.1", "a.example", T0, 60);
	add(n, "100.64.0.7", "198.51.100.2", "b.example", T0, 60);
	add(n, "100.64.0.7", "198.51.100.3", "c.example", T0, 60);
	assert_int_equal(names_evicted(n), 0);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", T0).evidence, FLOW_EVIDENCE_EXACT); /* used */
	add(n, "100.64.0.7", "2001:db8::4", "d.example", T0, 60);
	assert_int_equal(names_count(n), 3);
	assert_int_equal(names_evicted(n), 1);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.1", T0).evidence, FLOW_EVIDENCE_EXACT);
	assert_int_equal(find(n, "100.64.0.7", "198.51.100.2", T0).evidence, FLOW_EVIDENCE_NONE);
	names_free(n);
}

static void names_of_one_pair_are_bounded(void **state)
{
	struct names *n = names_new(16);
	struct name_evidence e;
	char name[32];

	for (uint32_t i = 0; i <= NAMES_PER_PAIR_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		add(n, "100.64.0.7", "198.51.100.1", name, T0 + i, 60);
	}
	e = find(n, "100.64.0.7", "198.51.100.1", T0 + S);
	assert_int_equal(e.candidates, NAMES_PER_PAIR_MAX);
	assert_string_equal(e.name, name);
	assert_int_equal(names_evicted(n), 1);
	names_free(n);
}

static void names_that_cannot_be_are_refused(void **state)
{
	struct names *n = names_new(16);
	struct ip_addr a = ip("198.51.100.1");

	assert_int_equal(names_add(n, &a, &a, (struct flow_text){ 0 }, T0, 60), -EINVAL);
	assert_int_equal(names_add(n, &a, &a, (struct flow_text){ .at = "a\0b", .len = 3 }, T0, 60), -EINVAL);
	assert_int_equal(names_count(n), 0);
	names_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_name_is_exact),
		cmocka_unit_test(the_same_name_twice_stays_exact),
		cmocka_unit_test(two_names_are_ambiguous_and_the_later_is_shown),
		cmocka_unit_test(a_name_is_no_evidence_for_another_client),
		cmocka_unit_test(a_name_ends_after_ttl_and_grace),
		cmocka_unit_test(an_ended_name_makes_the_other_exact_again),
		cmocka_unit_test(a_name_seen_later_is_no_evidence_for_before),
		cmocka_unit_test(a_name_seen_again_after_its_end_does_not_cover_the_time_between),
		cmocka_unit_test(over_the_limit_the_least_used_pair_goes),
		cmocka_unit_test(names_of_one_pair_are_bounded),
		cmocka_unit_test(names_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
