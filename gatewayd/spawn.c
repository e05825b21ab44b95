/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program gets a session of its own (a terminal's Ctrl-C is not for it, nor for the daemon that it may leave
 * behind), no descriptor of ours but @keep_fd, and /dev/null as its input. Of what it prints the first bytes are kept
 * for the error message. */
#include "gatewayd/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define OUTPUT_MAX 160 /* of a program's complaint: fits struct err */

static int find_program(const char *name, char ret[64])
{
	static const char *const folders[] = { "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin" };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		(void)snprintf(ret, 64, "%s/%s", folders[i], name);
		if (access(ret, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static void exec_program(const char *path, char *const argv[], int keep_fd, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int last = (unsigned int)(keep_fd > STDERR_FILENO ? keep_fd : STDERR_FILENO);
	sigset_t none;

	(void)setsid();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	if (keep_fd > STDERR_FILENO && fcntl(keep_fd, F_SETFD, 0) < 0)
		_exit(126);
	if (keep_fd > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, last - 1, 0);
	(void)close_range(last + 1, ~0u, 0);
	(void)execv(path, argv);
	_exit(127);
}

/* A file and not a pipe: a daemon that keeps it open does not keep us waiting. */
static int output_file(struct err *e)
{
	int fd = (int)syscall(SYS_memfd_create, "output", 0x1U /* MFD_CLOEXEC */);

	return fd < 0 ? err_set(e, -errno, "memfd: %s", strerror(errno)) : fd;
}

static int wait_for(pid_t pid, int timeout_ms, int *ret_status)
{
	CLEANUP(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	do
		n = pidfd < 0 ? 0 : poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		(void)kill(pid, SIGKILL);
	(void)waitpid(pid, ret_status, 0);
	return n <= 0 ? -ETIMEDOUT : 0;
}

static int describe(const char *name, int status, int out, struct err *e)
{
	char text[OUTPUT_MAX + 1];
	ssize_t n = pread(out, text, OUTPUT_MAX, 0);

	if (n < 0)
		n = 0;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	if (WIFSIGNALED(status))
		return err_set(e, -EIO, "%s: killed by signal %d: %s", name, WTERMSIG(status), text);
	return err_set(e, -EIO, "%s: exit code %d: %s", name, WEXITSTATUS(status), text);
}

int spawn_wait(char *const argv[], int keep_fd, int timeout_ms, struct err *e)
{
	CLEANUP(fd_closep) int out = -1;
	char path[64];
	int status = 0;
	pid_t pid;

	if (find_program(argv[0], path) < 0)
		return err_set(e, -ENOENT, "there is no program %s", argv[0]);
	out = output_file(e);
	if (out < 0)
		return e != NULL ? e->code : -EIO;
	pid = fork();
	if (pid == 0)
		exec_program(path, argv, keep_fd, out);
	if (pid < 0)
		return err_set(e, -errno, "fork: %s", strerror(errno));
	if (wait_for(pid, timeout_ms, &status) < 0)
		return err_set(e, -ETIMEDOUT, "%s: no end within %d ms", argv[0], timeout_ms);
	return status == 0 ? 0 : describe(argv[0], status, out, e);
}
