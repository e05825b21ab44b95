/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gatewayd/tap.c: each worker gets a connection of its own when there is a reader, and none is forgotten. */
#include "gatewayd/tap.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

struct fixture {
	struct event_base *base;
	struct tap *t;
	char folder[32], path[64];
	int reader;
	uint32_t given[4];
	int refuse; /* what dnsd answers */
};

static int on_give(void *arg, uint32_t worker, int fd)
{
	struct fixture *f = arg;

	if (f->refuse != 0)
		return f->refuse;
	assert_true(fd >= 0);
	f->given[worker]++;
	return 0;
}

static void listen_as_reader(struct fixture *f)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", f->path);
	f->reader = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(f->reader >= 0);
	assert_int_equal(bind(f->reader, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(f->reader, 16), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_tap_XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/tap.sock", f->folder);
	f->base = event_base_new();
	f->reader = -1;
	assert_int_equal(tap_new(f->base, f->path, on_give, f, &f->t, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->t = tap_free(f->t);
	fd_closep(&f->reader);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void each_worker_gets_one(void **state)
{
	struct fixture *f = *state;
	const char *error;

	listen_as_reader(f);
	tap_start(f->t, 3);
	assert_int_equal(tap_connected(f->t, &error), 3);
	assert_string_equal(error, "");
	assert_int_equal(f->given[0] + f->given[1] + f->given[2], 3);
	assert_int_equal(f->given[2], 1);
}

static void without_a_reader_it_is_said_and_tried_again(void **state)
{
	struct fixture *f = *state;
	const char *error;

	tap_start(f->t, 2);
	assert_int_equal(tap_connected(f->t, &error), 0);
	assert_non_null(strstr(error, f->path));
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 1); /* the timer */
	listen_as_reader(f);
	assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0); /* until it is due */
	assert_int_equal(tap_connected(f->t, &error), 2);
	assert_string_equal(error, "");
}

static void connection_that_dnsd_does_not_take_is_missing(void **state)
{
	struct fixture *f = *state;
	const char *error;

	listen_as_reader(f);
	f->refuse = -EAGAIN;
	tap_start(f->t, 2);
	assert_int_equal(tap_connected(f->t, &error), 0);
	assert_string_not_equal(error, "");
}

static void lost_one_is_missing_until_dnsd_is_gone(void **state)
{
	struct fixture *f = *state;
	const char *error;

	listen_as_reader(f);
	tap_start(f->t, 2);
	assert_int_equal(tap_lost(f->t, 2), -EBADMSG); /* there is no such worker */
	assert_int_equal(tap_lost(f->t, UINT32_MAX), -EBADMSG);
	assert_int_equal(tap_lost(f->t, 1), 0);
	assert_int_equal(tap_connected(f->t, &error), 1);
	assert_string_not_equal(error, "");
	tap_stop(f->t);
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
	assert_int_equal(tap_lost(f->t, 1), -EBADMSG);
	assert_int_equal(tap_lost(NULL, 0), -EBADMSG); /* dnstap is not configured */
}

static void path_too_long_is_an_error_not_another_path(void **state)
{
	struct fixture *f = *state;
	char path[200];
	struct tap *t;
	const char *error;

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(tap_new(f->base, path, on_give, f, &t, NULL), 0);
	tap_start(t, 1);
	assert_int_equal(tap_connected(t, &error), 0);
	assert_non_null(strstr(error, "longer"));
	(void)tap_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_worker_gets_one, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_reader_it_is_said_and_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(connection_that_dnsd_does_not_take_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_one_is_missing_until_dnsd_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(path_too_long_is_an_error_not_another_path, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
