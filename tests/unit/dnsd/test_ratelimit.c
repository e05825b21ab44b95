/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/ratelimit.c: rates and bursts by a set clock, and who shares a limit with whom. */
#include "dnsd/ratelimit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S 1000000ull /* of microseconds */

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static uint32_t misses(struct ratelimit *r, uint32_t client, uint32_t n, uint64_t now_us)
{
	uint32_t passed = 0;

	while (n-- > 0)
		passed += ratelimit_miss(r, client, now_us);
	return passed;
}

static uint32_t errors(struct ratelimit *r, const char *who, bool registered, uint32_t n, uint64_t now_us)
{
	struct ip_addr a = addr(who);
	uint32_t passed = 0;

	while (n-- > 0)
		passed += ratelimit_error(r, &a, registered, now_us);
	return passed;
}

static void a_client_has_a_burst_and_then_its_rate(void **state)
{
	const struct ratelimit_config config = { .misses = 200 };
	struct ratelimit *r = ratelimit_new(&config);

	(void)state;
	assert_non_null(r);
	assert_int_equal(ratelimit_clients(r, 2), 0);
	assert_int_equal(misses(r, 0, 1000, 50 * S), 400);
	assert_int_equal(misses(r, 0, 1000, 50 * S + 4999), 0);
	assert_int_equal(misses(r, 0, 1000, 50 * S + 5000), 1);
	assert_int_equal(misses(r, 0, 1000, 51 * S), 199);
	assert_int_equal(misses(r, 1, 1000, 51 * S), 400); /* another one's are its own */
	assert_int_equal(misses(r, 0, 1000, 1000 * S), 400);
	assert_int_equal(ratelimit_counts(r)->misses, 600 + 1000 + 999 + 801 + 600 + 600);
	r = ratelimit_free(r);
}

/* Over an hour, asked every millisecond: no more and no less than the rate, whatever it is. */
static void rate_holds_in_the_long_run(void **state)
{
	static const uint32_t rates[] = { 1, 3, 7, 100, 999 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		const struct ratelimit_config config = { .misses = rates[i] };
		struct ratelimit *r = ratelimit_new(&config);
		uint64_t passed = 0, most = (uint64_t)rates[i] * (3600 + RATELIMIT_BURST_S);

		assert_int_equal(ratelimit_clients(r, 1), 0);
		for (uint64_t ms = 0; ms < 3600000; ms++)
			passed += ratelimit_miss(r, 0, 7 * S + ms * 1000);
		assert_in_range(passed, most - rates[i] / 100 - 4, most + 4);
		r = ratelimit_free(r);
	}
}

static void reload_forgets_and_numbers_beyond_are_not_limited(void **state)
{
	const struct ratelimit_config config = { .misses = 1, .queries = 1 };
	struct ratelimit *r = ratelimit_new(&config);

	(void)state;
	assert_int_equal(misses(r, 0, 10, S), 10); /* no clients yet */
	assert_int_equal(ratelimit_clients(r, 1), 0);
	assert_int_equal(misses(r, 0, 10, S), 2);
	assert_int_equal(misses(r, 1, 10, S), 10);
	assert_int_equal(ratelimit_clients(r, 2), 0);
	assert_int_equal(misses(r, 1, 10, S), 2);
	assert_int_equal(misses(r, 0, 10, S), 2);
	assert_int_equal(ratelimit_clients(r, 0), 0);
	r = ratelimit_free(r);
}

static void off_means_off(void **state)
{
	const struct ratelimit_config config = { 0 };
	struct ratelimit *r = ratelimit_new(&config);

	(void)state;
	assert_int_equal(ratelimit_clients(r, 1), 0);
	assert_int_equal(misses(r, 0, 100000, S), 100000);
	assert_int_equal(errors(r, "192.0.2.1", false, 100000, S), 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(ratelimit_query(r, 0, false, false, S), RATELIMIT_PASS);
	r = ratelimit_free(r);
}

static void over_the_rate_addresses_must_be_proved(void **state)
{
	const struct ratelimit_config config = { .queries = 10 };
	struct ratelimit *r = ratelimit_new(&config);
	uint32_t seen[RATELIMIT_VERDICT_MAX] = { 0 };

	(void)state;
	assert_int_equal(ratelimit_clients(r, 1), 0);
	for (int i = 0; i < 120; i++)
		seen[ratelimit_query(r, 0, false, false, S)]++;
	assert_int_equal(seen[RATELIMIT_PASS], 20);
	assert_int_equal(seen[RATELIMIT_TRUNCATE], 50);
	assert_int_equal(seen[RATELIMIT_DROP], 50);
	assert_int_equal(ratelimit_query(r, 0, false, true, S), RATELIMIT_BADCOOKIE);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ratelimit_query(r, 0, true, true, S), RATELIMIT_PASS);
	assert_int_equal(ratelimit_query(r, 0, false, false, 2 * S), RATELIMIT_PASS);
	assert_int_equal(ratelimit_counts(r)->dropped, 50);
	assert_int_equal(ratelimit_counts(r)->truncated, 50);
	assert_int_equal(ratelimit_counts(r)->badcookie, 1);
	r = ratelimit_free(r);
}

static void strangers_share_a_limit_with_their_network(void **state)
{
	const struct ratelimit_config config = { .errors = 20 };
	struct ratelimit *r = ratelimit_new(&config);

	(void)state;
	assert_int_equal(errors(r, "192.0.2.1", false, 30, S), 30);
	assert_int_equal(errors(r, "192.0.2.200", false, 30, S), 10);
	assert_int_equal(errors(r, "192.0.3.1", false, 30, S), 30);
	assert_int_equal(errors(r, "2001:db8:0:ff::1", false, 50, S), 40);
	assert_int_equal(errors(r, "2001:db8:0:1:9::", false, 50, S), 0);
	assert_int_equal(errors(r, "2001:db8:0:100::1", false, 50, S), 40);
	/* Those that we know are one each, and not their network. */
	assert_int_equal(errors(r, "192.0.2.1", true, 50, S), 40);
	assert_int_equal(errors(r, "192.0.2.2", true, 50, S), 40);
	assert_int_equal(ratelimit_counts(r)->errors, 20 + 10 + 50 + 10 + 10 + 10);
	r = ratelimit_free(r);
}

/* A million networks, each once: the one that floods stays limited all the while. */
static void crowd_does_not_hide_who_floods(void **state)
{
	const struct ratelimit_config config = { .errors = 20 };
	struct ratelimit *r = ratelimit_new(&config);
	uint32_t flood = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		struct ip_addr a = { .family = IP_V4,
				     .bytes = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		a.bytes[0] = (uint8_t)(11 + i % 64);
		(void)ratelimit_error(r, &a, false, S + i);
		flood += errors(r, "198.51.100.1", false, 1, S + i);
	}
	assert_in_range(flood, 20, 20 * (1 + RATELIMIT_BURST_S));
	r = ratelimit_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_a_burst_and_then_its_rate),
		cmocka_unit_test(rate_holds_in_the_long_run),
		cmocka_unit_test(reload_forgets_and_numbers_beyond_are_not_limited),
		cmocka_unit_test(off_means_off),
		cmocka_unit_test(over_the_rate_addresses_must_be_proved),
		cmocka_unit_test(strangers_share_a_limit_with_their_network),
		cmocka_unit_test(crowd_does_not_hide_who_floods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
