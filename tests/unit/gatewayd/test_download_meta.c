/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a download is due, which text may take another's place, and what is kept of it. */
#include "gatewayd/download_meta.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DAY_S 86400
#define NOW_S 1800000000

static int64_t due(const struct download_meta *m, bool have, uint32_t refresh_s)
{
	return download_due_s(m, have, refresh_s, /* jitter= */ 0, NOW_S);
}

static void a_missing_text_is_due_at_once(void **state)
{
	const struct download_meta m = { .looked_s = NOW_S - 10 };

	assert_true(due(&m, false, DAY_S) == NOW_S);
	assert_true(due(&m, false, 0) == NOW_S);
}

static void a_text_is_due_a_refresh_after_the_last_look(void **state)
{
	const struct download_meta m = { .looked_s = NOW_S - 100, .tried_s = NOW_S - 1 };

	assert_true(due(&m, true, DAY_S) == NOW_S - 100 + DAY_S);
	assert_true(due(&m, true, 0) == INT64_MAX);
}

static void jitter_adds_a_tenth_at_most(void **state)
{
	const struct download_meta m = { .looked_s = NOW_S };

	for (uint32_t i = 0; i < 100000; i += 17) {
		int64_t at = download_due_s(&m, true, DAY_S, i, NOW_S) - NOW_S;

		assert_true(at >= DAY_S && at <= DAY_S + DAY_S / 10);
	}
	assert_true(download_due_s(&m, true, DAY_S, 1000, NOW_S) != download_due_s(&m, true, DAY_S, 2000, NOW_S));
}

static void failures_put_it_off_for_longer_and_longer(void **state)
{
	struct download_meta m = { .tried_s = NOW_S, .failures = 1 };

	assert_int_equal(download_retry_s(1), 60);
	assert_int_equal(download_retry_s(2), 120);
	assert_int_equal(download_retry_s(9), 60 << 8);
	assert_int_equal(download_retry_s(10), 6 * 3600);
	assert_int_equal(download_retry_s(UINT32_MAX), 6 * 3600);
	/* Also where there is no text yet, and where it would never be looked for by itself. */
	assert_true(due(&m, false, DAY_S) == NOW_S + 60);
	assert_true(due(&m, true, 0) == NOW_S + 60);
	m.failures = 30;
	assert_true(due(&m, true, DAY_S) == NOW_S + 6 * 3600);
}

static void a_clock_that_was_set_back_puts_nothing_off(void **state)
{
	const struct download_meta m = { .looked_s = NOW_S + 1000 * (int64_t)DAY_S };

	assert_true(due(&m, true, DAY_S) == NOW_S + DAY_S);
}

static void a_text_with_a_tenth_is_taken_and_one_with_less_is_not(void **state)
{
	char why[200];

	assert_true(download_may_replace(100, 1000, why, sizeof(why)));
	assert_false(download_may_replace(99, 1000, why, sizeof(why)));
	assert_non_null(strstr(why, "99 rules where the one in force has 1000"));
	assert_true(download_may_replace(1, 0, why, sizeof(why)));
	assert_true(download_may_replace(1, 9, why, sizeof(why)));
	assert_false(download_may_replace(0, 0, why, sizeof(why)));
}

static void what_is_kept_is_read_again(void **state)
{
	struct download_meta m = { .url = "https://x.example/a?b=\"c\"",
				   .etag = "W/\"1\"",
				   .modified = "Thu, 01 Jan 1970 00:00:00 GMT",
				   .sha256 = "00ff",
				   .bytes = 1,
				   .rules = 2,
				   .skipped = 3,
				   .refused = 4,
				   .fetched_s = NOW_S,
				   .looked_s = NOW_S + 1,
				   .tried_s = NOW_S + 2,
				   .failures = 5,
				   .error = "it's \\ gone" };
	struct download_meta back;
	char *text = download_meta_print(&m);

	assert_true(download_meta_parse(text, strlen(text), &back));
	assert_memory_equal(&m, &back, sizeof(m));
	free(text);
}

static void what_somebody_has_edited_is_left_out(void **state)
{
	static const char text[] =
		"{\"etag\": 5, \"rules\": -1, \"failures\": 1e300, \"looked\": \"x\", \"url\": \"u\"}";
	static const struct download_meta empty = { .url = "u" };
	struct download_meta m;

	assert_true(download_meta_parse(text, strlen(text), &m));
	assert_memory_equal(&m, &empty, sizeof(m));
	assert_false(download_meta_parse("[", 1, &m));
	assert_int_equal(m.url[0], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_text_is_due_at_once),
		cmocka_unit_test(a_text_is_due_a_refresh_after_the_last_look),
		cmocka_unit_test(jitter_adds_a_tenth_at_most),
		cmocka_unit_test(failures_put_it_off_for_longer_and_longer),
		cmocka_unit_test(a_clock_that_was_set_back_puts_nothing_off),
		cmocka_unit_test(a_text_with_a_tenth_is_taken_and_one_with_less_is_not),
		cmocka_unit_test(what_is_kept_is_read_again),
		cmocka_unit_test(what_somebody_has_edited_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
