/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The system's programs: their end, their complaint, their descriptors. */
#include "gatewayd/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

static int run(const char *script, int keep_fd, int timeout_ms, struct err *e)
{
	char program[] = "sh", flag[] = "-c", text[256];
	char *argv[] = { program, flag, text, NULL };

	(void)snprintf(text, sizeof(text), "%s", script);
	return spawn_wait(argv, keep_fd, timeout_ms, e);
}

static void success_is_zero(void **state)
{
	assert_int_equal(run("exit 0", -1, 5000, NULL), 0);
}

static void failure_says_what_the_program_said(void **state)
{
	struct err e = { 0 };

	assert_int_equal(run("echo bad key >&2; exit 3", -1, 5000, &e), -EIO);
	assert_string_equal(e.msg, "sh: exit code 3: bad key");
}

static void missing_program_is_told(void **state)
{
	char program[] = "no-such-program-here";
	char *argv[] = { program, NULL };

	assert_int_equal(spawn_wait(argv, -1, 5000, NULL), -ENOENT);
}

static void program_without_end_is_killed(void **state)
{
	assert_int_equal(run("exec sleep 60", -1, 20, NULL), -ETIMEDOUT);
}

static void daemon_left_behind_does_not_keep_us(void **state)
{
	assert_int_equal(run("sleep 1 & exit 0", -1, 900, NULL), 0);
}

static void only_the_kept_descriptor_is_inherited(void **state)
{
	CLEANUP(fd_closep) int kept = memfd_create("kept", 0);
	CLEANUP(fd_closep) int other = memfd_create("other", 0);
	char script[128];

	assert_int_equal(write(kept, "x", 1), 1);
	(void)snprintf(script, sizeof(script), "[ \"$(cat /dev/fd/%d)\" = x ] && [ ! -e /dev/fd/%d ]", kept, other);
	assert_int_equal(run(script, kept, 5000, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_is_zero),
		cmocka_unit_test(failure_says_what_the_program_said),
		cmocka_unit_test(missing_program_is_told),
		cmocka_unit_test(program_without_end_is_killed),
		cmocka_unit_test(daemon_left_behind_does_not_keep_us),
		cmocka_unit_test(only_the_kept_descriptor_is_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
