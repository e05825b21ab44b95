/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Invariants: a child is up exactly while its channel is open here; down() is called once for each up(). What the
 * launcher says of a child that was replaced carries another serial than the one that runs, and is only logged. */
#include "gatewayd/supervise.h"

#include "base/clock.h"
#include "base/log.h"

#include <event2/event.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Control messages a wake: a child cannot keep the loop from others. */
#define MESSAGES_PER_WAKE 64

struct child {
	struct supervisor *s;
	enum role role;
	bool wanted, once, ever_died;
	int fd; /* -1: down */
	int32_t pid;
	uint32_t serial; /* of its start */
	uint32_t restarts, backoff_ms;
	uint64_t since_us;
	struct event *readable, *restart;
};

struct supervisor {
	struct event_base *base;
	struct supervise_ops ops;
	void *arg;
	int launcher_fd;
	struct event *launcher_readable;
	struct child children[ROLE_MAX];
	struct ipc_msg msg; /* one at a time: handlers do not receive */
};

uint32_t supervise_backoff(uint32_t last_ms, uint64_t lived_us, bool ever_died)
{
	if (!ever_died || lived_us >= (uint64_t)RESTART_RESET_S * 1000000)
		return 0;
	if (last_ms == 0)
		return RESTART_FIRST_MS;
	return last_ms * 2 < RESTART_MAX_MS ? last_ms * 2 : RESTART_MAX_MS;
}

static void child_close(struct child *c)
{
	if (c->readable != NULL)
		event_free(c->readable);
	c->readable = NULL;
	fd_closep(&c->fd);
}

static void schedule(struct child *c)
{
	struct timeval tv;

	c->backoff_ms = supervise_backoff(c->backoff_ms, clock_us(CLOCK_BOOTTIME) - c->since_us, c->ever_died);
	c->ever_died = true;
	tv.tv_sec = c->backoff_ms / 1000;
	tv.tv_usec = (c->backoff_ms % 1000) * 1000;
	if (event_add(c->restart, &tv) < 0)
		log_event(LOG_ERR, "child.restart.failed", "role=%s error=\"no timer\"", role_name(c->role));
}

static void child_down(struct child *c, const char *why)
{
	if (c->fd == -1)
		return;
	child_close(c);
	if (c->once)
		c->wanted = false;
	else
		log_event(LOG_WARNING, "child.down", "role=%s pid=%d why=\"%s\"", role_name(c->role), c->pid, why);
	c->s->ops.down(c->s->arg, c->role);
	if (c->wanted)
		schedule(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct supervisor *s = c->s;

	for (int i = 0; i < MESSAGES_PER_WAKE && c->fd != -1; i++) {
		struct err e = { 0 };
		int r = ipc_recv(c->fd, ROLE_GATEWAYD, c->role, &s->msg, &e);

		if (r == -EAGAIN)
			return;
		if (r == 0) {
			r = s->ops.message(s->arg, c->role, &s->msg);
			ipc_msg_done(&s->msg);
			if (r < 0)
				(void)err_set(&e, r, "handler refused %s", msg_name(s->msg.type));
		}
		if (r < 0) {
			child_down(c, e.msg);
			return;
		}
	}
}

static int child_start(struct child *c, struct err *e)
{
	struct msg_start start = { .role = (uint32_t)c->role, .serial = ++c->serial };
	int pair[2];
	int r = ipc_pair(pair, e);

	if (r < 0)
		return r;
	r = ipc_send(c->s->launcher_fd, MSG_START, &start, sizeof(start), &pair[1], 1, e);
	(void)close(pair[1]);
	if (r == 0) {
		c->readable = event_new(c->s->base, pair[0], EV_READ | EV_PERSIST, on_readable, c);
		if (c->readable == NULL || event_add(c->readable, NULL) < 0)
			r = err_set(e, -ENOMEM, "start %s: out of memory", role_name(c->role));
	}
	if (r < 0) {
		if (c->readable != NULL)
			event_free(c->readable);
		c->readable = NULL;
		(void)close(pair[0]);
		return r;
	}
	c->fd = pair[0];
	c->pid = 0;
	c->since_us = clock_us(CLOCK_BOOTTIME);
	if (c->s->ops.up(c->s->arg, c->role, c->fd) < 0)
		child_down(c, "could not be given what it needs");
	return 0;
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct err e = { 0 };

	if (!c->wanted || c->fd != -1)
		return;
	c->restarts++;
	if (child_start(c, &e) < 0) {
		log_event(LOG_ERR, "child.restart.failed", "role=%s error=\"%s\"", role_name(c->role), e.msg);
		schedule(c);
	}
}

static void on_exited(struct supervisor *s, const struct msg_child *m)
{
	struct child *c = &s->children[m->role];
	char why[64];

	if (WIFSIGNALED(m->status))
		(void)snprintf(why, sizeof(why), "signal %d", WTERMSIG(m->status));
	else
		(void)snprintf(why, sizeof(why), "exit code %d", WEXITSTATUS(m->status));
	if (m->pid < 0)
		(void)snprintf(why, sizeof(why), "fork: %s", strerror(m->status));
	if (!c->once || m->status != 0)
		log_event(LOG_NOTICE, "child.exited", "role=%s pid=%d why=\"%s\"", role_name(c->role), m->pid, why);
	if (m->serial == c->serial) {
		/* What it had sent before it ended is still in the channel, and is its due. */
		if (c->fd != -1)
			on_readable(c->fd, EV_READ, c);
		/* Which may have started its successor: a list compiler's result is followed by another compilation. */
		if (m->serial == c->serial)
			child_down(c, why);
	}
}

static void on_launcher(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;
	struct msg_child m;
	struct err e = { 0 };
	int r = ipc_recv(s->launcher_fd, ROLE_GATEWAYD, ROLE_LAUNCHER, &s->msg, &e);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		log_event(LOG_ERR, "launcher.lost", "error=\"%s\"", e.msg);
		(void)event_del(s->launcher_readable);
		s->ops.lost(s->arg);
		return;
	}
	memcpy(&m, s->msg.body, sizeof(m));
	if (m.role >= ROLE_MAX)
		return;
	if (s->msg.type == MSG_EXITED) {
		on_exited(s, &m);
		return;
	}
	if (m.serial == s->children[m.role].serial)
		s->children[m.role].pid = m.pid;
	log_event(LOG_INFO, "child.started", "role=%s pid=%d", role_name((enum role)m.role), m.pid);
}

int supervise_new(struct event_base *base, int launcher_fd, const struct supervise_ops *ops, void *arg,
		  struct supervisor **ret, struct err *e)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	bool ok = s != NULL;

	if (s == NULL) {
		(void)close(launcher_fd);
		return err_set(e, -ENOMEM, "supervisor: out of memory");
	}
	s->base = base;
	s->ops = *ops;
	s->arg = arg;
	s->launcher_fd = launcher_fd;
	s->launcher_readable = event_new(base, launcher_fd, EV_READ | EV_PERSIST, on_launcher, s);
	ok = s->launcher_readable != NULL && event_add(s->launcher_readable, NULL) == 0;
	for (uint32_t role = 0; role < ROLE_MAX; role++) {
		struct child *c = &s->children[role];

		*c = (struct child){ .s = s, .role = (enum role)role, .fd = -1 };
		c->restart = evtimer_new(base, on_restart, c);
		ok = ok && c->restart != NULL;
	}
	if (!ok) {
		(void)supervise_free(s);
		return err_set(e, -ENOMEM, "supervisor: out of memory");
	}
	*ret = s;
	return 0;
}

struct supervisor *supervise_free(struct supervisor *s)
{
	if (s == NULL)
		return NULL;
	for (uint32_t role = 0; role < ROLE_MAX; role++) {
		child_close(&s->children[role]);
		if (s->children[role].restart != NULL)
			event_free(s->children[role].restart);
	}
	if (s->launcher_readable != NULL)
		event_free(s->launcher_readable);
	fd_closep(&s->launcher_fd);
	free(s);
	return NULL;
}

int supervise_start(struct supervisor *s, enum role role, bool once, struct err *e)
{
	struct child *c = &s->children[role];

	(void)event_del(c->restart);
	child_close(c);
	c->wanted = true;
	c->once = once;
	return child_start(c, e);
}

void supervise_stop(struct supervisor *s, enum role role)
{
	struct child *c = &s->children[role];

	c->wanted = false;
	(void)event_del(c->restart);
	child_close(c);
}

void supervise_replace(struct supervisor *s, enum role role, const char *why)
{
	child_down(&s->children[role], why);
}

int supervise_fd(const struct supervisor *s, enum role role)
{
	return s->children[role].fd;
}

void supervise_state(const struct supervisor *s, enum role role, struct child_state *ret)
{
	const struct child *c = &s->children[role];

	*ret = (struct child_state){ .up = c->fd != -1, .pid = c->fd != -1 ? c->pid : 0, .restarts = c->restarts };
}

int supervise_send(struct supervisor *s, enum role role, enum msg_type type, const void *body, size_t len,
		   const int *fds, uint32_t n_fds, struct err *e)
{
	struct child *c = &s->children[role];
	int r;

	if (c->fd == -1)
		return err_set(e, -EPIPE, "%s is not running", role_name(role));
	r = ipc_send(c->fd, type, body, len, fds, n_fds, e);
	if (r == -EAGAIN)
		child_down(c, "does not read its messages");
	return r;
}
