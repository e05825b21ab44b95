/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Confinement from inside: each attempt runs in a child of its own, which must be refused or killed for it. Needs root,
 * as the daemons do at their start. */
#include "base/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define TEST_ID 64799 /* nobody's */

#define WORKED	     0
#define NOT_CONFINED 10 /* confine_enter() failed */
#define REFUSED	     11 /* the attempt gave an error */

static const struct confine plain = {
	.role = "test", .uid = TEST_ID, .gid = TEST_ID, .restrict_files = true, .syscalls = confine_base_syscalls
};

typedef int (*attempt_fn)(void);

/* Exit code of the child, or -signal. */
static int run(const struct confine *c, attempt_fn attempt)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };
		struct err e = { 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		if (confine_enter(c, &e) < 0) {
			(void)dprintf(STDERR_FILENO, "%s\n", e.msg);
			_exit(NOT_CONFINED);
		}
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void *thread_main(void *arg)
{
	return arg;
}

static int what_every_role_does(void)
{
	struct timespec ts;
	pthread_t t;
	int fds[2];
	void *p = malloc(1 << 20);
	int one = 1;

	free(p);
	if (clock_gettime(CLOCK_REALTIME, &ts) < 0 || pipe2(fds, O_CLOEXEC) < 0 || ioctl(fds[0], FIONBIO, &one) < 0)
		return REFUSED;
	if (pthread_create(&t, NULL, thread_main, NULL) != 0 || pthread_join(t, NULL) != 0)
		return REFUSED;
	return WORKED;
}

static int open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? REFUSED : WORKED;
}

static int make_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? REFUSED : WORKED;
}

static int exec_a_program(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	return execve("/bin/true", argv, argv + 1) < 0 ? REFUSED : WORKED;
}

static int trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? REFUSED : WORKED;
}

static int fork_a_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? REFUSED : WORKED;
}

static int become_root(void)
{
	return setuid(0) < 0 ? REFUSED : WORKED;
}

static int push_into_the_terminal(void)
{
	char c = 'x';

	return ioctl(STDERR_FILENO, TIOCSTI, &c) < 0 ? REFUSED : WORKED;
}

static int is_not_dumpable_and_dies_with_its_parent(void)
{
	int sig = 0;

	if (prctl(PR_GET_PDEATHSIG, &sig) < 0)
		return REFUSED;
	return prctl(PR_GET_DUMPABLE) == 0 && sig == SIGKILL ? WORKED : REFUSED;
}

static void what_every_role_needs_works(void **state)
{
	assert_int_equal(run(&plain, what_every_role_does), WORKED);
	assert_int_equal(run(&plain, is_not_dumpable_and_dies_with_its_parent), WORKED);
}

static void forbidden_calls_kill(void **state)
{
	assert_int_equal(run(&plain, make_a_socket), -SIGSYS);
	assert_int_equal(run(&plain, exec_a_program), -SIGSYS);
	assert_int_equal(run(&plain, trace), -SIGSYS);
	assert_int_equal(run(&plain, fork_a_process), -SIGSYS);
	assert_int_equal(run(&plain, become_root), -SIGSYS);
	assert_int_equal(run(&plain, push_into_the_terminal), -SIGSYS);
}

static void files_are_refused_not_deadly(void **state)
{
	assert_int_equal(run(&plain, open_a_file), REFUSED);
}

static void landlock_alone_refuses_files_and_programs(void **state)
{
	struct confine c = plain;

	c.syscalls = NULL;
	assert_int_equal(run(&c, open_a_file), REFUSED);
	assert_int_equal(run(&c, exec_a_program), REFUSED);
	assert_int_equal(run(&c, become_root), REFUSED);
}

static const char *const file_calls[] = { "openat", "unlinkat", NULL };

static char scratch[] = "/tmp/test_confine_XXXXXX";

static int write_in_scratch(void)
{
	char path[64];
	CLEANUP(fd_closep) int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/file", scratch);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || unlinkat(AT_FDCWD, path, 0) < 0)
		return REFUSED;
	return open_a_file() == REFUSED ? WORKED : NOT_CONFINED;
}

static void listed_paths_stay_open_as_listed(void **state)
{
	struct confine c = plain;

	assert_non_null(mkdtemp(scratch));
	assert_int_equal(chown(scratch, TEST_ID, TEST_ID), 0);
	c.syscalls2 = file_calls;
	c.paths[0] = (struct confine_path){ scratch, CONFINE_WRITE };
	c.n_paths = 1;
	assert_int_equal(run(&c, write_in_scratch), WORKED);
	c.paths[0].access = CONFINE_READ;
	assert_int_equal(run(&c, write_in_scratch), REFUSED);
	assert_int_equal(rmdir(scratch), 0);
}

static const char *const socket_calls[] = { "socket", "read", NULL };

static void second_list_adds_to_the_first(void **state)
{
	struct confine c = plain;

	c.syscalls2 = socket_calls;
	assert_int_equal(run(&c, make_a_socket), WORKED);
}

static int chown_to_another(void)
{
	CLEANUP(fd_closep) int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 && fchown(fd, TEST_ID, TEST_ID) < 0 && errno == EPERM ? REFUSED : WORKED;
}

static void kept_root_cannot_give_files_away(void **state)
{
	static const int caps[] = { CAP_NET_ADMIN };
	struct confine c = { .role = "test", .keep_uid = true, .outlives_parent = true, .caps = caps, .n_caps = 1 };

	assert_int_equal(run(&c, chown_to_another), REFUSED);
}

static int nothing(void)
{
	return WORKED;
}

static void bad_tables_fail_closed(void **state)
{
	static const char *const typo[] = { "opennat", NULL };
	struct confine c = plain;

	c.syscalls2 = typo;
	assert_int_equal(run(&c, nothing), NOT_CONFINED);
	c = plain;
	c.uid = 0;
	assert_int_equal(run(&c, nothing), NOT_CONFINED);
	c = plain;
	c.paths[0] = (struct confine_path){ "/does/not/exist", CONFINE_READ };
	c.n_paths = 1;
	assert_int_equal(run(&c, nothing), NOT_CONFINED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_every_role_needs_works),
		cmocka_unit_test(forbidden_calls_kill),
		cmocka_unit_test(files_are_refused_not_deadly),
		cmocka_unit_test(landlock_alone_refuses_files_and_programs),
		cmocka_unit_test(listed_paths_stay_open_as_listed),
		cmocka_unit_test(second_list_adds_to_the_first),
		cmocka_unit_test(kept_root_cannot_give_files_away),
		cmocka_unit_test(bad_tables_fail_closed),
	};

	if (geteuid() != 0) {
		(void)fprintf(stderr, "needs root\n");
		return 77; /* meson: skipped */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
