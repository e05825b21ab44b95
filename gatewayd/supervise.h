/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Children as gatewayd sees them: started through the launcher, each with a channel; dead ones are started anew at
 * once, those that keep dying with growing pauses. */
#pragma once

#include "base/ipc.h"

struct event_base;
struct supervisor;

/* The first death is answered at once: queries wait in the sockets meanwhile. A child that dies in a loop would use a
 * whole core for starting. */
#define RESTART_FIRST_MS 50u
#define RESTART_MAX_MS	 2000u
#define RESTART_RESET_S	 10u /* a life as long as this was no crash loop */

/* Pure: the pause before the next start. @last_ms: the one before (0 = there was none), @lived_us: the life that ended.
 */
uint32_t supervise_backoff(uint32_t last_ms, uint64_t lived_us, bool ever_died);

struct supervise_ops {
	/* A fresh child: send it what it needs; messages wait in its channel until it reads them. Negative: it is given
	 * up and started again. */
	int (*up)(void *arg, enum role role, int fd);
	/* Borrowed message. Negative: the child is broken, it is replaced. */
	int (*message)(void *arg, enum role role, struct ipc_msg *m);
	/* Its channel is closed already. */
	void (*down)(void *arg, enum role role);
	/* The launcher is gone: nothing can be started any more. */
	void (*lost)(void *arg);
};

struct child_state {
	bool up;
	int32_t pid; /* 0: not known yet */
	uint32_t restarts;
};

/* @launcher_fd: taken over. @ret: returned, supervise_free(). */
int supervise_new(struct event_base *base, int launcher_fd, const struct supervise_ops *ops, void *arg,
		  struct supervisor **ret, struct err *e);
/* Closes every channel, the launcher's last: children end, then it. */
struct supervisor *supervise_free(struct supervisor *s);

/* Start a child, and keep it running unless @once. One that runs already is replaced. */
int supervise_start(struct supervisor *s, enum role role, bool once, struct err *e);
/* End it and do not start it again. down() is not called. */
void supervise_stop(struct supervisor *s, enum role role);
/* It is of no more use: down() is called, and a fresh one started. */
void supervise_replace(struct supervisor *s, enum role role, const char *why);
/* Its channel, -1 when it is down. */
int supervise_fd(const struct supervisor *s, enum role role);
void supervise_state(const struct supervisor *s, enum role role, struct child_state *ret);
/* Send, and replace the child when its queue is full: it has not read for hundreds of messages. */
int supervise_send(struct supervisor *s, enum role role, enum msg_type type, const void *body, size_t len,
		   const int *fds, uint32_t n_fds, struct err *e);
