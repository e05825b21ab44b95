/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings are written when they differ, and put back: on files of our own. */
#include "gatewayd/sysctl.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char path[] = "/tmp/test_sysctl_XXXXXX";

static void put(const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static char first(void)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	assert_int_equal(read(fd, &c, 1), 1);
	return c;
}

static void changed_value_is_put_back(void **state)
{
	struct sysctls s = { 0 };

	put("0\n");
	assert_int_equal(sysctl_set(&s, path, "1", NULL), 0);
	assert_int_equal(first(), '1');
	sysctl_restore(&s);
	assert_int_equal(first(), '0');
}

static void value_that_was_right_is_left_alone(void **state)
{
	struct sysctls s = { 0 };

	put("1\n");
	assert_int_equal(sysctl_set(&s, path, "1", NULL), 0);
	assert_int_equal(s.n, 0);
	put("0\n");
	sysctl_restore(&s);
	assert_int_equal(first(), '0');
}

static void a_value_set_twice_goes_back_to_the_first(void **state)
{
	struct sysctls s = { 0 };

	put("1\n");
	assert_int_equal(sysctl_set(&s, path, "2", NULL), 0);
	/* As an interface does that went and came back. */
	put("0\n");
	assert_int_equal(sysctl_set(&s, path, "2", NULL), 0);
	assert_int_equal(first(), '2');
	assert_int_equal(s.n, 1);
	sysctl_restore(&s);
	assert_int_equal(first(), '1');
}

static void missing_setting_is_named(void **state)
{
	struct sysctls s = { 0 };
	struct err e = { 0 };

	assert_int_equal(sysctl_set(&s, "/proc/sys/net/no/such", "1", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/proc/sys/net/no/such"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changed_value_is_put_back),
		cmocka_unit_test(value_that_was_right_is_left_alone),
		cmocka_unit_test(a_value_set_twice_goes_back_to_the_first),
		cmocka_unit_test(missing_setting_is_named),
	};
	int fd = mkstemp(path);
	int failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	return failed;
}
