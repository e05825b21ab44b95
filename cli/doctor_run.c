/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/doctor_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#define OUTPUT_MAX     (8u << 20) /* a hundred thousand rules */
#define OUTPUT_STEP    65536
#define OUTPUT_WAIT_MS 5000 /* without another byte */

extern char **environ;

static pid_t spawn(const char *const *argv, int out)
{
	posix_spawn_file_actions_t files;
	char *const *args = (char *const *)(uintptr_t)argv; /* posix_spawn() changes none of them */
	pid_t pid;
	int r;

	if (posix_spawn_file_actions_init(&files) != 0)
		return -1;
	r = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawnp(&pid, argv[0], &files, NULL, args, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	return r == 0 ? pid : -1;
}

/* NULL: no memory, no end in time, or too much. */
static char *read_text(int fd)
{
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;

	while (len < OUTPUT_MAX) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char *more = realloc(text, len + OUTPUT_STEP + 1);
		ssize_t n;

		if (more == NULL)
			return NULL;
		text = more;
		if (poll(&p, 1, OUTPUT_WAIT_MS) <= 0)
			return NULL;
		n = read(fd, text + len, OUTPUT_STEP);
		if (n < 0)
			return NULL;
		len += (size_t)n;
		text[len] = '\0';
		if (n == 0)
			return TAKE(text);
	}
	return NULL;
}

char *command_output(const char *const *argv)
{
	CLEANUP(freep) char *text = NULL;
	int fds[2], status = -1;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return NULL;
	pid = spawn(argv, fds[1]);
	(void)close(fds[1]);
	if (pid > 0) {
		text = read_text(fds[0]);
		if (text == NULL)
			(void)kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
	}
	(void)close(fds[0]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? TAKE(text) : NULL;
}
