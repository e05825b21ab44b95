/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One thread of dnsd; started by main.c, speaks to it by mail.
 *
 * Each look is a context of libunbound of its own, with auto-trust-anchor-file, that asks for the root's keys once and
 * is taken down: that is what unbound-anchor(8) does. The workers' contexts have the trusted keys as text and write
 * nothing. When it is time is in the file (RFC 5011 2.3 computes it from the keys' TTL and signatures).
 *
 * libunbound ends the process when it cannot write the file. So it is asked only when a file of that size could be
 * written a moment before; what remains is a disk that fills in between, and dnsd is started again then. */
#include "dnsd/keeper.h"

#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "dnsd/anchors.h"
#include "dnsd/recursor.h"
#include "dnsd/recursor_config.h"

#define TYPE_DNSKEY  48u
#define LOOK_MAX_S   1296000 /* 15 days, RFC 5011 2.3: a time further off is from a clock that was wrong */
#define RETRY_S	     3600    /* RFC 5011 2.3: not more often than once an hour */
#define WAIT_MAX_S   3600    /* the clock may be set: looked at again */
#define TRY_FILE_LEN ANCHOR_FILE_MAX

struct keeper {
	char file[PATH_MAX];
	pthread_mutex_t *config_lock;
	struct mailbox *to_main;
	pthread_t thread;
	pthread_mutex_t lock; /* of .snapshot */
	pthread_cond_t changed;
	struct snapshot *snapshot;
};

/* What the root said. */
struct look {
	bool done;
	enum resolver_security security;
	char why[200];
};

static void look_done(void *arg, const struct resolver_answer *a)
{
	struct look *l = arg;

	l->done = true;
	l->security = a->msg != NULL ? a->security : RESOLVER_INSECURE;
	snprintf(l->why, sizeof(l->why), "%s", a->text != NULL ? a->text : "the answer was not validated");
}

/* libunbound writes the file beside and renames it. */
static int try_write(const struct keeper *k, struct err *e)
{
	static const char zeros[4096];
	char path[PATH_MAX + 8];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s.try", k->file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	for (size_t n = 0; rc == 0 && n < TRY_FILE_LEN; n += sizeof(zeros)) {
		errno = ENOSPC; /* for a short write */
		if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros))
			rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
	}
	if (rc == 0 && fsync(fd) != 0)
		rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
	(void)close(fd);
	if (unlink(path) != 0 && rc == 0)
		rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
	return rc;
}

static int ask_root(struct event_base *base, struct recursor *r, struct err *e)
{
	static const struct dname root = { .len = 1 };
	struct look l = { 0 };
	int rc = recursor_ask(r, &root, TYPE_DNSKEY, look_done, &l);

	if (rc != 0)
		return err_set(e, rc, "the root's keys cannot be asked for: %s", strerror(-rc));
	while (!l.done && event_base_loop(base, EVLOOP_ONCE) == 0)
		;
	if (!l.done)
		return err_set(e, -EIO, "event loop");
	return l.security == RESOLVER_SECURE ? 0 : err_set(e, -EACCES, "%s", l.why);
}

static int look(const struct keeper *k, const struct route *route, struct err *e)
{
	struct dns_roots roots = *route->roots;
	struct route own = *route;
	struct event_base *base;
	struct recursor *r = NULL;
	int rc = try_write(k, e);

	if (rc != 0)
		return rc;
	roots.anchor_file = k->file;
	own.roots = &roots;
	own.n_splits = 0; /* none of them is the root */
	base = event_base_new();
	rc = base == NULL ? err_set(e, -ENOMEM, "event loop") : recursor_new(base, &own, k->config_lock, &r, e);
	if (rc == 0)
		rc = ask_root(base, r, e);
	(void)recursor_free(r);
	if (base != NULL)
		event_base_free(base);
	return rc;
}

static const struct route *validated_route(const struct snapshot *s)
{
	const struct views *v = snapshot_views(s);

	for (uint32_t i = 0; i < v->n_routes; i++)
		if (recursor_validates(&v->routes[i]))
			return &v->routes[i];
	return NULL;
}

/* From now, by what the file says: when libunbound wants to, or when half of a hold-down has gone by, as one that is
 * shorter than libunbound's hour must be seen to pass. 0 also when the file cannot be read: main begins it anew. */
static uint64_t due_in_s(const struct keeper *k, uint64_t hold_down_s)
{
	uint64_t now = (uint64_t)time(NULL), at = 0;
	struct anchors a = { 0 };
	struct err e;

	if (anchors_read_file(k->file, &a, &e) == 0) {
		at = a.last_success_s + hold_down_s / 2;
		if (a.next_probe_s < at)
			at = a.next_probe_s;
		anchors_done(&a);
	}
	return at > now && at - now <= LOOK_MAX_S ? at - now : 0;
}

static void look_once(struct keeper *k, const struct route *route)
{
	struct mail m = { .type = MAIL_ANCHOR, .fd = -1 };
	struct err e = { 0 };

	m.failed = look(k, route, &e) != 0;
	if (m.failed)
		log_event(LOG_WARNING, "dnsd.anchor_look_failed", "file=%s error=\"%s\"", k->file, e.msg);
	(void)mailbox_post(k->to_main, &m);
}

/* With .lock held; returns with it held. */
static void wait_s(struct keeper *k, uint64_t s)
{
	struct timespec until = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(s < WAIT_MAX_S ? s : WAIT_MAX_S);
	(void)pthread_cond_timedwait(&k->changed, &k->lock, &until);
}

/* One turn: look if it is time, else wait for it. With .lock held; returns with it held. @not_before: after a look that
 * changed nothing in the file, so that it is not repeated at once. */
static void keeper_turn(struct keeper *k, uint64_t *not_before_s)
{
	struct snapshot *s = k->snapshot != NULL ? snapshot_ref(k->snapshot) : NULL;
	const struct route *route = s != NULL ? validated_route(s) : NULL;
	uint64_t now = (uint64_t)time(NULL), hold_down, in;

	if (route == NULL) {
		(void)snapshot_unref(s);
		wait_s(k, WAIT_MAX_S);
		return;
	}
	hold_down = route->roots->anchor_hold_down_s;
	in = due_in_s(k, hold_down);
	if (now<*not_before_s && * not_before_s - now <= RETRY_S && * not_before_s - now> in)
		in = *not_before_s - now;
	if (in == 0) {
		(void)pthread_mutex_unlock(&k->lock);
		look_once(k, route);
		(void)pthread_mutex_lock(&k->lock);
		*not_before_s = (uint64_t)time(NULL) + (hold_down / 2 < RETRY_S ? hold_down / 2 : RETRY_S);
	}
	(void)snapshot_unref(s);
	if (in != 0)
		wait_s(k, in);
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	uint64_t not_before_s = 0;

	(void)pthread_mutex_lock(&k->lock);
	for (;;)
		keeper_turn(k, &not_before_s);
	return NULL;
}

int keeper_start(const char *file, pthread_mutex_t *config_lock, struct mailbox *to_main, struct keeper **ret,
		 struct err *e)
{
	struct keeper *k = calloc(1, sizeof(*k));
	int rc;

	if (k == NULL)
		return err_set(e, -ENOMEM, "keeper");
	snprintf(k->file, sizeof(k->file), "%s", file);
	k->config_lock = config_lock;
	k->to_main = to_main;
	(void)pthread_mutex_init(&k->lock, NULL);
	(void)pthread_cond_init(&k->changed, NULL);
	rc = pthread_create(&k->thread, NULL, keeper_main, k);
	if (rc != 0) {
		free(k);
		return err_set(e, -rc, "thread of the keeper: %s", strerror(rc));
	}
	*ret = k;
	return 0;
}

void keeper_views(struct keeper *k, struct snapshot *s)
{
	(void)pthread_mutex_lock(&k->lock);
	(void)snapshot_unref(k->snapshot);
	k->snapshot = snapshot_ref(s);
	(void)pthread_cond_signal(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
}
