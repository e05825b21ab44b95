/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor against a launcher that is played by the test: no process is started. */
#include "gatewayd/supervise.h"

#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
	struct event_base *base;
	struct supervisor *s;
	int launcher; /* the test's end */
	int child;    /* the last started child's end, -1 */
	uint32_t starts, ups, downs, lost;
	int up_result, message_result;
	uint32_t serial, serials[4]; /* of the last start; of the children 100 to 103 */
	bool restart_on_message;     /* what a reload does whose lists are compiled, and that is followed by another */
	struct ipc_msg m;
};

static int on_up(void *arg, enum role role, int fd)
{
	struct fixture *f = arg;

	f->ups++;
	return f->up_result;
}

static int on_message(void *arg, enum role role, struct ipc_msg *m)
{
	struct fixture *f = arg;

	if (f->restart_on_message) {
		f->restart_on_message = false;
		supervise_stop(f->s, role);
		assert_int_equal(supervise_start(f->s, role, true, NULL), 0);
	}
	return f->message_result;
}

static void on_down(void *arg, enum role role)
{
	((struct fixture *)arg)->downs++;
}

static void on_lost(void *arg)
{
	((struct fixture *)arg)->lost++;
}

static int setup(void **state)
{
	static const struct supervise_ops ops = {
		.up = on_up, .message = on_message, .down = on_down, .lost = on_lost
	};
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e;
	int pair[2];

	assert_non_null(f);
	f->base = event_base_new();
	assert_int_equal(ipc_pair(pair, &e), 0);
	f->launcher = pair[0];
	f->child = -1;
	assert_int_equal(supervise_new(f->base, pair[1], &ops, f, &f->s, &e), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)supervise_free(f->s);
	fd_closep(&f->launcher);
	fd_closep(&f->child);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
}

/* The START that the supervisor must have sent; the child's end is kept. */
static void expect_start(struct fixture *f, int32_t pid)
{
	struct msg_child started = { .role = ROLE_DNSD, .pid = pid };
	struct msg_start start;

	assert_int_equal(ipc_recv(f->launcher, ROLE_LAUNCHER, ROLE_GATEWAYD, &f->m, NULL), 0);
	assert_int_equal(f->m.type, MSG_START);
	memcpy(&start, f->m.body, sizeof(start));
	assert_true(start.serial > f->serial);
	f->serial = f->serials[pid - 100] = started.serial = start.serial;
	fd_closep(&f->child);
	f->child = fd_take(&f->m.fds[0]);
	assert_int_equal(ipc_send(f->launcher, MSG_STARTED, &started, sizeof(started), NULL, 0, NULL), 0);
}

static void expect_no_start(struct fixture *f)
{
	assert_int_equal(ipc_recv(f->launcher, ROLE_LAUNCHER, ROLE_GATEWAYD, &f->m, NULL), -EAGAIN);
}

static void say_exited(struct fixture *f, int32_t pid)
{
	struct msg_child exited = { .role = ROLE_DNSD, .serial = f->serials[pid - 100], .pid = pid, .status = SIGSEGV };

	assert_int_equal(ipc_send(f->launcher, MSG_EXITED, &exited, sizeof(exited), NULL, 0, NULL), 0);
}

static void first_death_is_answered_at_once_then_pauses_grow_to_the_cap(void **state)
{
	uint32_t ms = supervise_backoff(0, 1000, false);

	assert_int_equal(ms, 0);
	ms = supervise_backoff(ms, 1000, true);
	assert_int_equal(ms, RESTART_FIRST_MS);
	ms = supervise_backoff(ms, 1000, true);
	assert_int_equal(ms, 100);
	for (int i = 0; i < 20; i++)
		ms = supervise_backoff(ms, 1000, true);
	assert_int_equal(ms, RESTART_MAX_MS);
}

static void long_life_resets_the_pause(void **state)
{
	assert_int_equal(supervise_backoff(RESTART_MAX_MS, (uint64_t)RESTART_RESET_S * 1000000, true), 0);
	assert_int_equal(supervise_backoff(RESTART_MAX_MS, (uint64_t)RESTART_RESET_S * 1000000 - 1, true),
			 RESTART_MAX_MS);
}

static void dead_child_is_started_again_with_a_fresh_channel(void **state)
{
	struct fixture *f = *state;
	struct child_state st;

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, false, NULL), 0);
	expect_start(f, 100);
	turn(f);
	say_exited(f, 100);
	turn(f);
	turn(f);
	expect_start(f, 101);
	turn(f);
	supervise_state(f->s, ROLE_DNSD, &st);
	assert_true(st.up);
	assert_int_equal(st.pid, 101);
	assert_int_equal(st.restarts, 1);
	assert_int_equal(f->ups, 2);
	assert_int_equal(f->downs, 1);
}

static void closed_channel_and_exit_are_one_death(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, false, NULL), 0);
	expect_start(f, 100);
	turn(f);
	fd_closep(&f->child);
	say_exited(f, 100);
	turn(f);
	turn(f);
	expect_start(f, 101);
	expect_no_start(f);
	assert_int_equal(f->downs, 1);
}

static void exit_of_the_one_before_does_not_touch_its_successor(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, false, NULL), 0);
	expect_start(f, 100);
	turn(f);
	supervise_replace(f->s, ROLE_DNSD, "test");
	turn(f);
	expect_start(f, 101);
	say_exited(f, 100);
	turn(f);
	assert_true(supervise_fd(f->s, ROLE_DNSD) != -1);
	assert_int_equal(f->downs, 1);
}

static void message_against_the_table_replaces_the_child(void **state)
{
	struct fixture *f = *state;
	struct msg_list_result r = { 0 };

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, false, NULL), 0);
	expect_start(f, 100);
	/* LIST_RESULT is listc's to send. */
	assert_int_equal(ipc_send(f->child, MSG_LIST_RESULT, &r, sizeof(r), NULL, 0, NULL), 0);
	turn(f);
	assert_int_equal(f->downs, 1);
}

static void refused_message_replaces_the_child(void **state)
{
	struct fixture *f = *state;
	struct msg_ready r = { 0 };

	f->message_result = -EBADMSG;
	assert_int_equal(supervise_start(f->s, ROLE_DNSD, false, NULL), 0);
	expect_start(f, 100);
	assert_int_equal(ipc_send(f->child, MSG_VIEWS_READY, &r, sizeof(r), NULL, 0, NULL), 0);
	turn(f);
	assert_int_equal(f->downs, 1);
}

static void child_that_runs_once_is_not_started_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, true, NULL), 0);
	expect_start(f, 100);
	turn(f);
	say_exited(f, 100);
	turn(f);
	turn(f);
	expect_no_start(f);
	assert_int_equal(f->downs, 1);
}

static void exit_does_not_touch_the_successor_that_the_last_message_led_to(void **state)
{
	struct fixture *f = *state;
	struct msg_ready r = { 0 };

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, true, NULL), 0);
	expect_start(f, 100);
	turn(f);
	f->restart_on_message = true;
	/* In this order they are readable, so the death is heard of first. */
	say_exited(f, 100);
	assert_int_equal(ipc_send(f->child, MSG_VIEWS_READY, &r, sizeof(r), NULL, 0, NULL), 0);
	turn(f);
	expect_start(f, 101);
	assert_true(supervise_fd(f->s, ROLE_DNSD) != -1);
}

/* The launcher may speak of a child that has done its work and been replaced before anybody listened. */
static void what_is_said_late_of_the_one_before_does_not_touch_its_successor(void **state)
{
	struct fixture *f = *state;
	struct child_state st;

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, true, NULL), 0);
	expect_start(f, 100);
	say_exited(f, 100);
	supervise_stop(f->s, ROLE_DNSD);
	assert_int_equal(supervise_start(f->s, ROLE_DNSD, true, NULL), 0);
	/* Only now STARTED and EXITED of the first are read. */
	turn(f);
	turn(f);
	assert_true(supervise_fd(f->s, ROLE_DNSD) != -1);
	assert_int_equal(f->downs, 0);
	expect_start(f, 101);
	turn(f);
	supervise_state(f->s, ROLE_DNSD, &st);
	assert_int_equal(st.pid, 101);
}

static void stopped_child_is_not_started_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(supervise_start(f->s, ROLE_DNSD, false, NULL), 0);
	expect_start(f, 100);
	turn(f);
	supervise_stop(f->s, ROLE_DNSD);
	say_exited(f, 100);
	turn(f);
	expect_no_start(f);
	assert_int_equal(f->downs, 0);
}

static void child_that_does_not_read_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct msg_snapshot snap = { 0 };
	int fd = f->launcher;
	int r;

	assert_int_equal(supervise_start(f->s, ROLE_RECORDER, false, NULL), 0);
	do
		r = supervise_send(f->s, ROLE_RECORDER, MSG_LOG_PLAN, &snap, sizeof(snap), &fd, 1, NULL);
	while (r == 0);
	assert_int_equal(f->downs, 1);
	assert_int_equal(supervise_fd(f->s, ROLE_RECORDER), -1);
}

static void lost_launcher_is_told_once(void **state)
{
	struct fixture *f = *state;

	fd_closep(&f->launcher);
	turn(f);
	turn(f);
	assert_int_equal(f->lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_death_is_answered_at_once_then_pauses_grow_to_the_cap),
		cmocka_unit_test(long_life_resets_the_pause),
		cmocka_unit_test_setup_teardown(dead_child_is_started_again_with_a_fresh_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_channel_and_exit_are_one_death, setup, teardown),
		cmocka_unit_test_setup_teardown(exit_of_the_one_before_does_not_touch_its_successor, setup, teardown),
		cmocka_unit_test_setup_teardown(message_against_the_table_replaces_the_child, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_message_replaces_the_child, setup, teardown),
		cmocka_unit_test_setup_teardown(child_that_runs_once_is_not_started_again, setup, teardown),
		cmocka_unit_test_setup_teardown(exit_does_not_touch_the_successor_that_the_last_message_led_to, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_said_late_of_the_one_before_does_not_touch_its_successor, setup,
						teardown),
		cmocka_unit_test_setup_teardown(stopped_child_is_not_started_again, setup, teardown),
		cmocka_unit_test_setup_teardown(child_that_does_not_read_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_launcher_is_told_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
