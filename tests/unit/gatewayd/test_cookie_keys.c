/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gatewayd/cookie_keys.c: the secret is made anew when it is due, and the one before stays good. */
#include "gatewayd/cookie_keys.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void secret_rolls_over_and_the_last_one_stays(void **state)
{
	struct cookie_keys k = { 0 };
	struct msg_cookie_keys before;

	(void)state;
	assert_true(cookie_keys_renew(&k, 5));
	assert_int_equal(k.msg.n, 1);
	before = k.msg;
	assert_false(cookie_keys_renew(&k, 4 + COOKIE_KEY_LIFE_US));
	assert_memory_equal(&k.msg, &before, sizeof(before));
	for (uint64_t i = 1; i < 4; i++) {
		assert_true(cookie_keys_renew(&k, 5 + i * COOKIE_KEY_LIFE_US));
		assert_int_equal(k.msg.n, 2);
		assert_memory_equal(k.msg.keys[1], before.keys[0], COOKIE_KEY_LEN);
		assert_memory_not_equal(k.msg.keys[0], before.keys[0], COOKIE_KEY_LEN);
		before = k.msg;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(secret_rolls_over_and_the_last_one_stays) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
