/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/stats.c against exact quantiles of the same values. */
#include "dnsd/stats.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N 20000u

/* xorshift: the same values in each run. */
static uint64_t next_value(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* The value of which @permille are not greater. */
static uint64_t exact(const uint64_t *sorted, uint32_t n, uint32_t permille)
{
	uint64_t rank = ((uint64_t)n * permille + 999) / 1000;

	return sorted[rank == 0 ? 0 : rank - 1];
}

static void check_against(const uint64_t *sorted, uint32_t n, const struct histogram *h)
{
	static const uint32_t permilles[] = { 1, 10, 250, 500, 750, 900, 990, 999, 1000 };

	assert_int_equal(histogram_count(h), n);
	for (size_t i = 0; i < ARRAY_LEN(permilles); i++) {
		uint64_t want = exact(sorted, n, permilles[i]), got = histogram_quantile(h, permilles[i]);

		assert_true(got >= want);
		assert_true(got - want <= want / 32);
	}
	assert_int_equal(h->max_us, sorted[n - 1]);
}

static void quantiles_are_exact_to_a_thirty_second(void **state)
{
	static uint64_t values[N];
	uint64_t seed = 88172645463325252u;

	(void)state;
	/* From all magnitudes alike, from some only, and all small. */
	for (uint32_t bits = 1; bits <= HISTOGRAM_BITS; bits++) {
		struct histogram h = { 0 };

		for (uint32_t i = 0; i < N; i++) {
			values[i] = next_value(&seed) >> (64 - 1 - next_value(&seed) % bits);
			histogram_add(&h, values[i], 1);
		}
		qsort(values, N, sizeof(values[0]), by_value);
		check_against(values, N, &h);
	}
}

static void small_values_are_exact(void **state)
{
	(void)state;
	for (uint64_t us = 0; us < 64; us++) {
		struct histogram h = { 0 };

		histogram_add(&h, us, 3);
		histogram_add(&h, 1000000, 2);
		assert_int_equal(histogram_quantile(&h, 500), us);
	}
}

/* Neighbours never change places: a greater value is never in a smaller bucket. */
static void borders_keep_their_order(void **state)
{
	uint64_t before = 0;

	(void)state;
	for (uint32_t bit = 1; bit < HISTOGRAM_BITS; bit++)
		for (int64_t d = -1; d <= 1; d++) {
			struct histogram h = { 0 };
			uint64_t us = (uint64_t)((INT64_C(1) << bit) + d), got;

			histogram_add(&h, us, 2);
			histogram_add(&h, UINT64_C(1) << 40, 1);
			got = histogram_quantile(&h, 500);
			assert_true(got >= us && got >= before);
			before = got;
		}
}

static void none_and_one(void **state)
{
	struct histogram h = { 0 };
	struct dns_latency l;

	(void)state;
	histogram_latency(&h, &l);
	assert_int_equal(l.count, 0);
	assert_int_equal(l.p50_us, 0);
	assert_int_equal(l.max_us, 0);
	histogram_add(&h, 777777, 1);
	histogram_latency(&h, &l);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.p50_us, 777777);
	assert_int_equal(l.p999_us, 777777);
}

static void what_is_too_long_is_told_by_its_greatest(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	histogram_add(&h, UINT64_MAX, 1);
	histogram_add(&h, UINT64_C(1) << HISTOGRAM_BITS, 1);
	assert_int_equal(histogram_quantile(&h, 500), UINT64_MAX);
	assert_int_equal(histogram_count(&h), 2);
}

static void merging_is_adding(void **state)
{
	static uint64_t values[N];
	struct histogram parts[3] = { 0 }, sum = { 0 };
	uint64_t seed = 42;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		values[i] = next_value(&seed) >> (64 - 20);
		histogram_add(&parts[i % 3], values[i], 1);
	}
	for (uint32_t i = 0; i < 3; i++)
		histogram_merge(&sum, &parts[i]);
	qsort(values, N, sizeof(values[0]), by_value);
	check_against(values, N, &sum);
}

static void counters_are_merged_member_by_member(void **state)
{
	static struct stats a, b;

	(void)state;
	stats_outcome(&a, DNS_OUTCOME_CACHED);
	stats_outcome(&b, DNS_OUTCOME_CACHED);
	stats_outcome(&b, DNS_OUTCOME_DROPPED_STRANGER);
	stats_event(&b, DNS_EVENT_TAP_DROPPED);
	stats_transport(&a, DNS_TRANSPORT_TLS);
	stats_answer(&b, 28, 0x8380 | 3);   /* AAAA: TC, NXDOMAIN */
	stats_answer(&b, 4711, 0x8180 | 9); /* no type, no rcode of ours */
	stats_stage(&b, DNS_STAGE_WHOLE, 12);
	stats_merge(&a, &b);
	assert_int_equal(a.counts.outcomes[DNS_OUTCOME_CACHED], 2);
	assert_int_equal(a.counts.outcomes[DNS_OUTCOME_DROPPED_STRANGER], 1);
	assert_int_equal(a.counts.outcomes[DNS_OUTCOME_RESOLVED], 0);
	assert_int_equal(a.counts.events[DNS_EVENT_TAP_DROPPED], 1);
	assert_int_equal(a.counts.events[DNS_EVENT_TRUNCATED], 1);
	assert_int_equal(a.counts.transports[DNS_TRANSPORT_TLS], 1);
	assert_int_equal(a.counts.rcodes[3], 1);
	assert_int_equal(a.counts.rcodes[DNS_RCODE_OTHER], 1);
	assert_int_equal(a.counts.qtypes[DNS_QTYPE_AAAA], 1);
	assert_int_equal(a.counts.qtypes[DNS_QTYPE_OTHER], 1);
	assert_int_equal(histogram_quantile(&a.stages[DNS_STAGE_WHOLE], 500), 12);
}

static void every_member_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < DNS_OUTCOME_MAX; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(dns_outcome_name(i), dns_outcome_name(k));
	assert_string_equal(dns_outcome_name(DNS_OUTCOME_CACHED), "cached");
	assert_string_equal(dns_qtype_name(DNS_QTYPE_OTHER), "other");
	assert_string_equal(dns_qtype_name(stats_qtype(65)), "HTTPS");
	assert_string_equal(dns_rcode_name(3), "NXDOMAIN");
	assert_string_equal(dns_stage_name(DNS_STAGE_WHOLE), "whole");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_exact_to_a_thirty_second),
		cmocka_unit_test(small_values_are_exact),
		cmocka_unit_test(borders_keep_their_order),
		cmocka_unit_test(none_and_one),
		cmocka_unit_test(what_is_too_long_is_told_by_its_greatest),
		cmocka_unit_test(merging_is_adding),
		cmocka_unit_test(counters_are_merged_member_by_member),
		cmocka_unit_test(every_member_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
