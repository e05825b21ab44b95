/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariants: one child a role; a START for a role whose child still runs kills that one first, so that a child which
 * hangs can be replaced though gatewayd itself may not signal it. No seccomp filter and no Landlock here: children
 * would inherit them over exec. When gatewayd's end of the channel closes, the children (whose channels close with it)
 * get LAUNCHER_GRACE_MS to end, then they are killed. */
#include "gatewayd/launcher.h"

#include "base/confine.h"
#include "base/ipc.h"
#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#define CHANNEL_FD 3 /* of every role: sluice/msg.h, START */
/* The recorder writes out what it holds: well under a second. */
#define LAUNCHER_GRACE_MS 2000

struct launcher {
	int channel, signals;
	char folder[PATH_MAX];	    /* of our programs */
	pid_t pids[ROLE_MAX];	    /* 0: none */
	uint32_t serials[ROLE_MAX]; /* of their starts */
};

static void self_folder(char ret[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	char *slash;

	ret[n > 0 ? n : 0] = '\0';
	slash = strrchr(ret, '/');
	if (slash != NULL)
		*slash = '\0';
}

/* In the new process. Does not return. */
static void exec_with_channel(int fd, const char *path, char *const argv[])
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* dup2() onto itself would leave close-on-exec set. */
	if (fd == CHANNEL_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, CHANNEL_FD) < 0)
		_exit(126);
	if (close_range(CHANNEL_FD + 1, ~0u, 0) < 0)
		_exit(126);
	(void)execv(path, argv);
	(void)dprintf(STDERR_FILENO, "exec %s: %s\n", path, strerror(errno));
	_exit(127);
}

int launcher_spawn(int *ret_fd, pid_t *ret_pid, struct err *e)
{
	char *argv[] = { (char[]){ "sluice-gatewayd" }, (char[]){ "--role" }, (char[]){ "launcher" }, NULL };
	int pair[2];
	pid_t pid;

	if (ipc_pair(pair, e) < 0)
		return err_wrap(e, "launcher");
	pid = fork();
	if (pid == 0)
		exec_with_channel(pair[1], "/proc/self/exe", argv);
	(void)close(pair[1]);
	if (pid < 0) {
		int code = errno;

		(void)close(pair[0]);
		return err_set(e, -code, "launcher: fork: %s", strerror(code));
	}
	*ret_fd = pair[0];
	*ret_pid = pid;
	return 0;
}

static void report(struct launcher *l, enum msg_type type, uint32_t role, pid_t pid, int status)
{
	struct msg_child m = { .role = role, .serial = l->serials[role], .pid = pid, .status = status };
	struct err e = { 0 };

	if (ipc_send(l->channel, type, &m, sizeof(m), NULL, 0, &e) < 0 && e.code != -EPIPE)
		log_event(LOG_ERR, "launcher.report.failed", "role=%s error=\"%s\"", role_name((enum role)role), e.msg);
}

/* Also of one that is dead already, or about to be: its own status is the one that is reported. */
static void kill_child(struct launcher *l, uint32_t role)
{
	pid_t pid = l->pids[role];
	int status = 0;

	if (pid == 0)
		return;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	l->pids[role] = 0;
	report(l, MSG_EXITED, role, pid, status);
}

static void start_child(struct launcher *l, uint32_t role, uint32_t serial, int fd)
{
	char path[PATH_MAX + 32];
	char *argv[] = { NULL, NULL, NULL, NULL };
	char name[] = "sluice-dnsd", recorder[] = "sluice-recorder", fetch[] = "sluice-fetch", flag[] = "--role";
	char value[16];
	bool own = role == ROLE_RECORDER || role == ROLE_FETCH; /* a program for this role alone */
	pid_t pid;

	argv[0] = role == ROLE_RECORDER ? recorder : role == ROLE_FETCH ? fetch : name;
	(void)snprintf(path, sizeof(path), "%s/%s", l->folder, argv[0]);
	if (!own) {
		(void)snprintf(value, sizeof(value), "%s", role_name((enum role)role));
		argv[1] = flag;
		argv[2] = value;
	}
	kill_child(l, role);
	l->serials[role] = serial;
	pid = fork();
	if (pid == 0)
		exec_with_channel(fd, path, argv);
	if (pid < 0) {
		report(l, MSG_EXITED, role, -1, errno);
		return;
	}
	l->pids[role] = pid;
	report(l, MSG_STARTED, role, pid, 0);
}

static void reap(struct launcher *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (uint32_t role = 0; role < ROLE_MAX; role++)
			if (l->pids[role] == pid) {
				l->pids[role] = 0;
				report(l, MSG_EXITED, role, pid, status);
			}
}

/* false: gatewayd is gone, or no gatewayd of ours. */
static bool receive(struct launcher *l, struct ipc_msg *m)
{
	struct err e = { 0 };
	struct msg_start start;
	int r = ipc_recv(l->channel, ROLE_LAUNCHER, ROLE_GATEWAYD, m, &e);

	if (r == -EAGAIN)
		return true;
	if (r < 0) {
		if (r != -EPIPE)
			log_event(LOG_ERR, "launcher.refused", "error=\"%s\"", e.msg);
		return false;
	}
	memcpy(&start, m->body, sizeof(start));
	if (start.role == ROLE_DNSD || start.role == ROLE_LISTC || start.role == ROLE_RECORDER ||
	    start.role == ROLE_FETCH)
		start_child(l, start.role, start.serial, m->fds[0]);
	ipc_msg_done(m);
	return true;
}

static bool children_left(const struct launcher *l)
{
	for (uint32_t role = 0; role < ROLE_MAX; role++)
		if (l->pids[role] != 0)
			return true;
	return false;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void end_children(struct launcher *l)
{
	int64_t deadline = now_ms() + LAUNCHER_GRACE_MS;
	int64_t left;

	for (;;) {
		struct pollfd p = { .fd = l->signals, .events = POLLIN };
		struct signalfd_siginfo info;
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			for (uint32_t role = 0; role < ROLE_MAX; role++)
				if (l->pids[role] == pid)
					l->pids[role] = 0;
		left = deadline - now_ms();
		if (!children_left(l) || left <= 0)
			break;
		if (poll(&p, 1, (int)left) > 0)
			(void)!read(l->signals, &info, sizeof(info));
	}
	for (uint32_t role = 0; role < ROLE_MAX; role++)
		kill_child(l, role);
}

static int launcher_confine(struct err *e)
{
	static const int caps[] = { CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL };
	const struct confine c = { .role = "launcher", .keep_uid = true, .caps = caps, .n_caps = ARRAY_LEN(caps) };

	return confine_enter(&c, e);
}

static int launcher_open(struct launcher *l)
{
	sigset_t chld;

	self_folder(l->folder);
	/* A terminal's Ctrl-C is gatewayd's to handle: it ends the children in order. */
	(void)setsid();
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &chld, NULL) < 0)
		return -errno;
	l->signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals < 0 ? -errno : 0;
}

int launcher_main(void)
{
	struct launcher l = { .channel = CHANNEL_FD, .signals = -1 };
	struct ipc_msg *m = calloc(1, sizeof(*m));
	struct err e = { 0 };
	bool up = true;

	log_init("launcher", LOG_INFO);
	/* So that children do not inherit it next to their own. */
	if (m == NULL || fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0 || launcher_open(&l) < 0) {
		free(m);
		return 1;
	}
	if (launcher_confine(&e) < 0) {
		log_event(LOG_ERR, "launcher.confine.failed", "error=\"%s\"", e.msg);
		free(m);
		return 1;
	}
	while (up) {
		struct pollfd p[2] = { { .fd = l.channel, .events = POLLIN }, { .fd = l.signals, .events = POLLIN } };
		struct signalfd_siginfo info;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents != 0) {
			(void)!read(l.signals, &info, sizeof(info));
			reap(&l);
		}
		if (p[0].revents != 0)
			up = receive(&l, m);
	}
	end_children(&l);
	free(m);
	return 0;
}
