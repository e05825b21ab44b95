/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "geo/zones.h"

#include "data.h"

#include <time.h>

static int32_t table_at(const struct zone_info *z, int64_t t)
{
	uint32_t i = 0;

	while (i + 1 < z->n_offsets && z->offsets[i + 1].from_s <= t)
		i++;
	return z->offsets[i].offset_s;
}

static void tables_say_what_the_c_library_says(void **state)
{
	static const struct doc_zone zones[] = { { .name = "Europe/Paris" },	    { .name = "America/New_York" },
						 { .name = "Australia/Lord_Howe" }, { .name = "Africa/Casablanca" },
						 { .name = "Asia/Kathmandu" },	    { .name = "UTC" } };
	const struct doc_policy p = { .zones = zones, .n_zones = ARRAY_LEN(zones) };
	struct zones z;

	assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
	assert_int_equal(zones_load(&p, &z), 0);
	assert_string_equal(getenv("TZ"), "Asia/Tokyo");
	assert_int_equal(z.n, ARRAY_LEN(zones));
	assert_null(z.names);
	for (uint32_t i = 0; i < z.n; i++) {
		assert_int_equal(setenv("TZ", z.items[i].name, 1), 0);
		tzset();
		for (int64_t t = 1000000000; t < 2500000000; t += 7 * 3600 + 11) {
			time_t when = (time_t)t;
			struct tm tm;

			assert_non_null(localtime_r(&when, &tm));
			assert_int_equal(table_at(&z.items[i], t), tm.tm_gmtoff);
		}
	}
	/* 2026-03-29 01:00 UTC: clocks in Paris go forward. */
	assert_int_equal(table_at(&z.items[0], 1774745999), 3600);
	assert_int_equal(table_at(&z.items[0], 1774746000), 7200);
	zones_done(&z);
}

static void a_zone_that_is_not_there_is_left_out_and_the_others_are_named(void **state)
{
	static const struct doc_zone zones[] = { { .name = "Europe/Pariss" }, { .name = "UTC" } };
	const struct doc_policy p = { .zones = zones, .n_zones = ARRAY_LEN(zones) };
	struct zones z;
	bool found = false;

	assert_int_equal(unsetenv("TZ"), 0);
	assert_int_equal(zones_load(&p, &z), 0);
	assert_null(getenv("TZ"));
	assert_int_equal(z.n, 1);
	assert_non_null(z.names);
	for (uint32_t i = 0; z.names[i] != NULL; i++)
		found = found || strcmp(z.names[i], "Europe/Paris") == 0;
	assert_true(found);
	zones_done(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_say_what_the_c_library_says),
		cmocka_unit_test(a_zone_that_is_not_there_is_left_out_and_the_others_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
