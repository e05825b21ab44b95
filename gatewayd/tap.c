/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reader may come and go as it likes: what is missing is tried again every TAP_RETRY_MS. Connecting to a unix socket
 * never waits: a reader whose backlog is full is tried later. */
#include "gatewayd/tap.h"

#include "base/log.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <sys/un.h>

struct tap {
	const char *path;
	tap_give_fn give;
	void *arg;
	struct event *retry;
	uint32_t n_workers;
	uint64_t missing; /* a bit for each worker without a connection */
	bool told;	  /* the log knows that the reader is away */
	struct err error;
};

static int reader_connect(const char *path, int *ret, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(fd_closep) int fd = -1;

	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >= sizeof(sa.sun_path))
		return err_set(e, -ENAMETOOLONG, "dns.dnstap: %s: longer than a socket's path may be", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_set(e, -errno, "dns.dnstap: socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1)
		return err_set(e, -errno, "dns.dnstap: %s: %s", path, strerror(errno));
	*ret = fd_take(&fd);
	return 0;
}

static int worker_connect(struct tap *t, uint32_t worker, struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;
	int r = reader_connect(t->path, &fd, e);

	if (r == 0) {
		r = t->give(t->arg, worker, fd);
		if (r < 0)
			return err_set(e, r, "dns.dnstap: dnsd does not take the connection: %s", strerror(-r));
	}
	return r;
}

/* Said once when it goes, once when it is there. */
static void tell(struct tap *t, int r, const struct err *e)
{
	if (r < 0 && !t->told)
		log_event(LOG_WARNING, "dnstap.away", "error=\"%s\"", e->msg);
	else if (r == 0)
		log_event(LOG_NOTICE, "dnstap.connected", "path=\"%s\"", t->path);
	t->told = r < 0;
}

static void connect_missing(struct tap *t)
{
	const struct timeval wait = { .tv_sec = TAP_RETRY_MS / 1000, .tv_usec = TAP_RETRY_MS % 1000 * 1000 };
	struct err e = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < t->n_workers && r == 0; i++) {
		if ((t->missing >> i & 1) == 0)
			continue;
		r = worker_connect(t, i, &e);
		if (r == 0)
			t->missing &= ~(UINT64_C(1) << i);
	}
	tell(t, r, &e);
	t->error = e;
	if (r < 0)
		(void)event_add(t->retry, &wait);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	connect_missing(arg);
}

int tap_new(struct event_base *base, const char *path, tap_give_fn give, void *arg, struct tap **ret, struct err *e)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (t != NULL) {
		*t = (struct tap){ .path = path, .give = give, .arg = arg };
		t->retry = evtimer_new(base, on_retry, t);
	}
	if (t == NULL || t->retry == NULL) {
		(void)tap_free(t);
		return err_set(e, -ENOMEM, "dnstap: out of memory");
	}
	*ret = t;
	return 0;
}

struct tap *tap_free(struct tap *t)
{
	if (t == NULL)
		return NULL;
	if (t->retry != NULL)
		event_free(t->retry);
	free(t);
	return NULL;
}

void tap_start(struct tap *t, uint32_t n_workers)
{
	if (t == NULL)
		return;
	assert(n_workers > 0 && n_workers <= TAP_WORKERS_MAX);
	t->n_workers = n_workers;
	t->missing = UINT64_MAX >> (TAP_WORKERS_MAX - n_workers);
	connect_missing(t);
}

void tap_stop(struct tap *t)
{
	if (t == NULL)
		return;
	t->n_workers = 0;
	t->missing = 0;
	(void)event_del(t->retry);
}

int tap_lost(struct tap *t, uint32_t worker)
{
	const struct timeval wait = { .tv_sec = TAP_RETRY_MS / 1000, .tv_usec = TAP_RETRY_MS % 1000 * 1000 };

	if (t == NULL || worker >= t->n_workers)
		return -EBADMSG;
	t->missing |= UINT64_C(1) << worker;
	(void)err_set(&t->error, -EPIPE, "dns.dnstap: %s: the reader has gone", t->path);
	if (!t->told)
		log_event(LOG_WARNING, "dnstap.away", "error=\"%s\"", t->error.msg);
	t->told = true;
	/* Not at once: one that accepts and closes would keep us busy. */
	if (event_pending(t->retry, EV_TIMEOUT, NULL) == 0)
		(void)event_add(t->retry, &wait);
	return 0;
}

uint32_t tap_connected(const struct tap *t, const char **ret_error)
{
	*ret_error = t->missing != 0 ? t->error.msg : "";
	return t->n_workers - (uint32_t)__builtin_popcountll(t->missing);
}
