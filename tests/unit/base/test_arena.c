/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"
#include "base/cursor.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void allocations_are_zeroed_aligned_and_apart(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(0);
	uint8_t *last = NULL;

	assert_non_null(a);
	for (size_t len = 1; len < 9000; len = len * 2 + 1) {
		uint8_t *p = arena_alloc(a, len);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, len);
		assert_ptr_not_equal(p, last);
		last = p;
	}
}

static void limit_holds_and_reset_gives_it_back(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1000);

	assert_non_null(arena_alloc(a, 900));
	assert_null(arena_alloc(a, 200));
	assert_null(arena_alloc(a, SIZE_MAX - 3));
	assert_null(arena_array(a, SIZE_MAX / 2, 3));
	arena_reset(a);
	assert_int_equal(arena_used_bytes(a), 0);
	assert_non_null(arena_alloc(a, 900));
}

static void reset_memory_is_zero_again(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(0);

	memset(arena_alloc(a, 64), 0xaa, 64);
	arena_reset(a);
	for (int i = 0; i < 4; i++)
		assert_int_equal(((uint8_t *)arena_alloc(a, 16))[5], 0);
}

static void text_is_copied_and_formatted(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(0);

	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(arena_printf(a, "%s-%d", "x", 42), "x-42");
}

static void cursor_error_sticks(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
	struct rcur c = rcur_over(bytes, sizeof(bytes));

	assert_int_equal(rcur_be32(&c), 0x01020304);
	assert_int_equal(rcur_be16(&c), 0);
	assert_int_equal(c.err, -EBADMSG);
	assert_int_equal(rcur_u8(&c), 0); /* one byte is left, but the error stays */
	assert_int_equal(rcur_end(&c), -EBADMSG);
}

static void writer_stops_at_the_end(void **state)
{
	uint8_t buf[6];
	struct wcur w = wcur_over(buf, sizeof(buf));

	wcur_be32(&w, 7);
	wcur_be32(&w, 8);
	wcur_u8(&w, 9);
	assert_int_equal(w.err, -E2BIG);
	assert_int_equal(wcur_len(&w), 4);
}

static void error_context_comes_first(void **state)
{
	struct err e = { 0 };

	assert_int_equal(err_set(&e, -ENOSPC, "set %s: no room", "l4_7"), -ENOSPC);
	assert_int_equal(err_wrap(&e, "apply plan %d", 41), -ENOSPC);
	assert_string_equal(e.msg, "apply plan 41: set l4_7: no room");
	assert_int_equal(e.code, -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
		cmocka_unit_test(limit_holds_and_reset_gives_it_back),
		cmocka_unit_test(reset_memory_is_zero_again),
		cmocka_unit_test(text_is_copied_and_formatted),
		cmocka_unit_test(cursor_error_sticks),
		cmocka_unit_test(writer_stops_at_the_end),
		cmocka_unit_test(error_context_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
