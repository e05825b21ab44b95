/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker: one thread, one event loop, its sockets, its resolver, its learn channel. Started by main.c, which talks to
 * it by mail; everything about a query is in query.c.
 *
 * Each wake handles events and then, before the loop sleeps again, does once what many events asked for: begins queries
 * anew after a swap of views, sends the answers of the wake in one sendmmsg(2) a socket, frees retired resolvers, sets
 * the one timer of the barrier. No query is read before views and learn channel are there, nor while more learn
 * messages wait than LEARN_QUEUE_HIGH: the kernel's socket buffer is the queue then, and drops for us.
 *
 * Views are swapped at once; READY is said when no answer that older views let through is held any more, at the latest
 * after LEARN_DEADLINE_US. */
#include "dnsd/worker.h"

#include "base/clock.h"

#include <event2/event.h>
#include <signal.h>

#include "base/log.h"
#include "base/slice.h"
#include "dnsd/ask.h"
#include "dnsd/command.h"
#include "dnsd/dnstap.h"
#include "dnsd/qlog.h"
#include "dnsd/tcp.h"
#include "dnsd/udp.h"
#include "filter/listregex.h"

#define REGEX_TELL_US 60000000u
#define RETIRED_MAX   64u /* resolvers whose last answers are awaited: a reload a second for the time of a timeout */

struct worker {
	uint32_t index;
	pthread_t thread;
	struct mailbox *mail, *to_main;
	pthread_mutex_t *config_lock;
	struct event_base *base;
	struct event *mail_ev, *learn_ev, *learn_out_ev, *deadline_ev, *qlog_ev;
	struct udp *udp;
	struct tcp *tcp;
	struct snapshot *snapshot, *outgone; /* .outgone: those before, until READY is said */
	struct resolver *retired[RETIRED_MAX];
	uint32_t n_retired;
	size_t cache_bytes;
	uint64_t regex_given_up, regex_told_us; /* so many are counted; not told again before */
	uint32_t n_resolvers;			/* since the start: their numbers */
	uint64_t timer_us;			/* what deadline_ev is set for */
	uint64_t qlog_us;			/* what qlog_ev is set for */
	uint64_t ready_due;			/* generation of which READY is still to be said; 0 = none */
	bool reading, failed;
	struct query_env env;
};

static void worker_fail(struct worker *w, const struct err *e)
{
	struct mail m = { .type = MAIL_FAILED, .worker = w->index, .fd = -1 };

	if (w->failed)
		return;
	w->failed = true;
	/* The peer's end is not our failure: main sees the same on its channel. */
	log_event(e->code == -EPIPE ? LOG_NOTICE : LOG_ERR, "dnsd.worker_failed", "worker=%u error=\"%s\"", w->index,
		  e->msg);
	(void)mailbox_post(w->to_main, &m);
}

/* Each callback begins with it: nothing behind it looks at a clock. */
static void tick(void *arg)
{
	struct worker *w = arg;

	w->env.now_us = clock_monotonic_us();
}

static void command_back(struct worker *w, struct command *c)
{
	struct mail m = { .type = MAIL_COMMAND, .worker = w->index, .fd = -1, .command = c };

	(void)mailbox_post(w->to_main, &m);
}

static void trace_answer(struct worker *w, struct query_trace *trace, const uint8_t *msg, size_t len)
{
	struct command *c = (struct command *)(void *)((char *)trace - offsetof(struct command, trace));

	tick(w);
	command_answered(c, &w->env, msg, len);
	command_back(w, c);
}

static void tap_lost(void *arg)
{
	struct worker *w = arg;
	struct mail m = { .type = MAIL_DNSTAP, .worker = w->index, .fd = -1 };

	(void)mailbox_post(w->to_main, &m);
}

static void send_answer(void *arg, const struct query_from *from, const uint8_t *msg, size_t len)
{
	if (from->trace != NULL)
		trace_answer(arg, from->trace, msg, len);
	else if (from->tcp != NULL)
		tcp_conn_answer(from->tcp, msg, len);
	else if (len != 0)
		udp_answer(from, msg, len);
}

static void tcp_message(void *arg, struct tcp_conn *conn, const struct ip_addr *client, const uint8_t *msg, size_t len)
{
	struct worker *w = arg;
	bool encrypted = tcp_conn_encrypted(conn);
	struct ask_message m = { .msg = msg,
				 .len = len,
				 .addr = *client,
				 .from = { .tcp = conn,
					   .transport = encrypted ? DNS_TRANSPORT_TLS : DNS_TRANSPORT_TCP,
					   .encrypted = encrypted,
					   .keepalive_100ms = tcp_conn_keepalive(conn) } };

	tick(w);
	tcp_conn_ref(conn);
	if (!ask(&w->env, &m))
		tcp_conn_answer(conn, NULL, 0);
}

static void set_reading(struct worker *w, bool reading)
{
	if (w->reading == reading)
		return;
	w->reading = reading;
	udp_pause(w->udp, !reading);
	tcp_pause(w->tcp, !reading);
}

static void learn_ready(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct err e = { 0 };

	(void)fd;
	tick(w);
	if ((what & EV_READ) != 0 && learn_read(w->env.learn, &e) != 0)
		worker_fail(w, &e);
	else if ((what & EV_WRITE) != 0 && learn_flush(w->env.learn, &e) != 0)
		worker_fail(w, &e);
	if (w->failed)
		(void)event_del(w->learn_ev);
}

static void deadline_ready(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	tick(w);
	learn_expire(w->env.learn, w->env.now_us);
	query_expire(&w->env);
}

/* before_sleep() does the rest. */
static void qlog_ready(evutil_socket_t fd, short what, void *arg)
{
	tick(arg);
}

static int mail_listen(struct worker *w, struct mail *m, struct err *e)
{
	int rc;

	ddr_listen(&w->env.ddr, &m->listen);
	if (m->listen.tcp != 0)
		return tcp_listen(w->tcp, fd_take(&m->fd), m->listen.tls, e);
	rc = udp_listen(w->udp, m->fd, ip_addr_is_any(&m->listen.addr), e);
	if (rc == 0)
		m->fd = -1;
	return rc;
}

static int mail_tls(struct worker *w, struct mail *m, struct err *e)
{
	ddr_name(&w->env.ddr, m->tls_msg.number, m->tls_msg.name);
	return tcp_certificate(w->tcp, m->tls_msg.number, TAKE(m->tls), e);
}

static int mail_channel(struct worker *w, struct mail *m, struct err *e)
{
	int fd = m->fd;

	if (w->env.learn != NULL)
		return err_set(e, -EBADMSG, "a second learn channel");
	w->env.learn = learn_new(fd, query_learned, w);
	if (w->env.learn == NULL)
		return err_set(e, -ENOMEM, "learn channel");
	m->fd = -1;
	w->learn_ev = event_new(w->base, fd, EV_READ | EV_PERSIST, learn_ready, w);
	w->learn_out_ev = event_new(w->base, fd, EV_WRITE, learn_ready, w);
	if (w->learn_ev == NULL || w->learn_out_ev == NULL || event_add(w->learn_ev, NULL) != 0)
		return err_set(e, -ENOMEM, "learn channel");
	return 0;
}

/* The resolver of that configuration, out of those that are there; else a number for a new one. */
static struct query_route route_take(struct worker *w, const char *config)
{
	for (uint32_t i = 0; i < ROUTES_MAX; i++)
		if (w->env.routes[i].resolver != NULL && resolver_same(w->env.routes[i].resolver, config)) {
			struct query_route r = w->env.routes[i];

			w->env.routes[i].resolver = NULL;
			return r;
		}
	return (struct query_route){ .number = ++w->n_resolvers };
}

/* Old ones take no new queries and go with their last. Without a new one everything that we answer ourselves is
 * still answered, and the rest is SERVFAIL: never the old upstreams. */
static int resolvers_replace(struct worker *w, const struct snapshot *s, struct err *e)
{
	const struct views *v = snapshot_views(s);
	struct query_route fresh[ROUTES_MAX] = { 0 };

	if (w->n_retired + ROUTES_MAX > RETIRED_MAX)
		return err_set(e, -E2BIG, "%u changes of upstreams under way", w->n_retired);
	for (uint32_t i = 0; i < v->n_routes; i++) {
		const char *config = snapshot_resolver_config(s, i);
		struct err why = { 0 };

		fresh[i] = route_take(w, config);
		if (fresh[i].resolver == NULL &&
		    resolver_new(w->base, &v->routes[i], config, w->config_lock, &fresh[i].resolver, &why) != 0)
			log_event(LOG_ERR, "dnsd.resolver_failed", "worker=%u error=\"%s\"", w->index, why.msg);
	}
	for (uint32_t i = 0; i < ROUTES_MAX; i++) {
		if (w->env.routes[i].resolver != NULL)
			w->retired[w->n_retired++] = w->env.routes[i].resolver;
		w->env.routes[i] = fresh[i];
	}
	return 0;
}

/* What is counted by numbers of the views that go. */
static void views_change(struct worker *w, const struct views *fresh)
{
	const struct views *old = w->env.views;

	qlog_views_end(w->env.log, &w->env);
	w->env.recording = qlog_wanted(fresh);
	if (old != NULL)
		stats_lists(&w->env.stats, old->lists, old->n_lists, fresh->lists, fresh->n_lists);
}

static int mail_views(struct worker *w, struct mail *m, struct err *e)
{
	int rc = resolvers_replace(w, m->snapshot, e);

	if (rc != 0)
		return rc;
	views_change(w, snapshot_views(m->snapshot));
	/* Lists of millions of names take milliseconds to give back: main does it, with READY. */
	(void)snapshot_unref(w->outgone);
	w->outgone = w->snapshot;
	w->snapshot = TAKE(m->snapshot);
	w->env.views = snapshot_views(w->snapshot);
	(void)ratelimit_clients(w->env.limits, w->env.views->n_clients); /* out of memory: fewer are limited */
	w->ready_due = m->generation;
	return 0;
}

/* In the place of each resolver that keeps a cache of its own, one that knows nothing yet: libunbound cannot be told to
 * forget through its event API. It means the same and keeps its number. */
static int resolvers_renew(struct worker *w, bool *ret_renewed, struct err *e)
{
	for (uint32_t i = 0; w->env.views != NULL && i < w->env.views->n_routes; i++) {
		struct resolver *old = w->env.routes[i].resolver, *fresh = NULL;
		int rc;

		if (old == NULL || !resolver_caches(old))
			continue;
		if (w->n_retired == RETIRED_MAX)
			return err_set(e, -EBUSY, "%u changes of upstreams under way", w->n_retired);
		rc = resolver_new(w->base, &w->env.views->routes[i], snapshot_resolver_config(w->snapshot, i),
				  w->config_lock, &fresh, e);
		if (rc != 0)
			return rc;
		w->retired[w->n_retired++] = old;
		w->env.routes[i].resolver = fresh;
		*ret_renewed = true;
	}
	return 0;
}

static void mail_command(struct worker *w, struct mail *m)
{
	struct command *c = TAKE(m->command);

	if (c->ask.what == DNS_COMMAND_FLUSH)
		c->status = resolvers_renew(w, &c->made_anew, NULL);
	if (command_run(c, &w->env))
		command_back(w, c);
}

static void mail_ready(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct mail *m = mailbox_take(w->mail);

	(void)fd;
	(void)what;
	tick(w);
	while (m != NULL) {
		struct mail *next = m->next;
		struct err e = { 0 };
		int rc = -EINVAL;

		switch (m->type) {
		case MAIL_LISTEN:
			rc = mail_listen(w, m, &e);
			break;
		case MAIL_CHANNEL:
			rc = mail_channel(w, m, &e);
			break;
		case MAIL_TLS:
			rc = mail_tls(w, m, &e);
			break;
		case MAIL_VIEWS:
			rc = mail_views(w, m, &e);
			break;
		case MAIL_COOKIE_KEYS:
			w->env.cookie_keys = m->cookie_keys;
			rc = 0;
			break;
		case MAIL_COMMAND:
			mail_command(w, m);
			rc = 0;
			break;
		case MAIL_DNSTAP:
			rc = dnstap_connect(w->env.tap, fd_take(&m->fd), &e);
			break;
		case MAIL_QUERY_LOG:
			qlog_connect(w->env.log, fd_take(&m->fd));
			rc = 0;
			break;
		case MAIL_READY:
		case MAIL_FAILED:
		case MAIL_ANCHOR:
		case MAIL_TYPE_MAX:
			break;
		}
		if (rc != 0)
			worker_fail(w, &e);
		(void)mail_free(m);
		m = next;
	}
}

static void retired_free(struct worker *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_retired; i++) {
		if (resolver_busy(w->retired[i]) == 0)
			(void)resolver_free(w->retired[i]);
		else
			w->retired[n++] = w->retired[i];
	}
	w->n_retired = n;
}

/* One timer for all deadlines. It is not moved when what it was set for is answered: it finds nothing then. */
static void timer_update(struct worker *w)
{
	uint64_t deadline = learn_deadline_us(w->env.learn), left;
	struct timeval tv;

	if (query_deadline_us(&w->env) < deadline)
		deadline = query_deadline_us(&w->env);
	if (deadline == UINT64_MAX || (event_pending(w->deadline_ev, EV_TIMEOUT, NULL) != 0 && w->timer_us <= deadline))
		return;
	left = deadline > w->env.now_us ? deadline - w->env.now_us : 0;
	tv = (struct timeval){ .tv_sec = (time_t)(left / 1000000u), .tv_usec = (suseconds_t)(left % 1000000u) };
	if (event_add(w->deadline_ev, &tv) == 0)
		w->timer_us = deadline;
}

static void reading_update(struct worker *w)
{
	bool able = w->env.learn != NULL && w->env.views != NULL && !w->failed;
	uint32_t waiting = able ? learn_waiting(w->env.learn) : 0;

	if (!able || waiting >= LEARN_QUEUE_HIGH)
		set_reading(w, false);
	else if (waiting <= LEARN_QUEUE_LOW)
		set_reading(w, true);
}

static void ready_update(struct worker *w)
{
	struct mail m = { .type = MAIL_READY, .worker = w->index, .fd = -1, .generation = w->ready_due };

	if (w->ready_due == 0 || (w->env.learn != NULL && learn_generation(w->env.learn) < w->ready_due))
		return;
	w->ready_due = 0;
	m.snapshot = TAKE(w->outgone);
	(void)mailbox_post(w->to_main, &m);
}

/* A list's regular expression that takes too long: counted, and named once in a while. */
static void regex_tell(struct worker *w)
{
	const struct regex_counts *c = list_scratch_counts(w->env.scratch);
	uint64_t n = c->given_up - w->regex_given_up;
	const struct views *v = w->env.views;

	if (n == 0)
		return;
	w->regex_given_up = c->given_up;
	w->env.stats.counts.events[DNS_EVENT_REGEX_GIVEN_UP] += n;
	if (w->env.now_us < w->regex_told_us)
		return;
	w->regex_told_us = w->env.now_us + REGEX_TELL_US;
	log_event(LOG_WARNING, "dnsd.regex_slow", "list=\"%s\" line=%u total=%llu",
		  v != NULL && c->file == v->listfile && c->list < v->n_lists ? v->lists[c->list] : "filter", c->line,
		  (unsigned long long)c->given_up);
}

/* Timer and buffer of the query log. */
static void qlog_update(struct worker *w)
{
	uint64_t deadline, left;
	struct timeval tv;

	if (qlog_deadline_us(w->env.log) <= w->env.now_us)
		qlog_flush(w->env.log, &w->env);
	deadline = qlog_deadline_us(w->env.log);
	if (deadline == UINT64_MAX || (event_pending(w->qlog_ev, EV_TIMEOUT, NULL) != 0 && w->qlog_us <= deadline))
		return;
	left = deadline > w->env.now_us ? deadline - w->env.now_us : 0;
	tv = (struct timeval){ .tv_sec = (time_t)(left / 1000000u), .tv_usec = (suseconds_t)(left % 1000000u) };
	if (event_add(w->qlog_ev, &tv) == 0)
		w->qlog_us = deadline;
}

static void before_sleep(struct worker *w)
{
	regex_tell(w);
	if (w->env.again.first != NULL) {
		tick(w);
		query_again(&w->env);
	}
	if (w->env.learn != NULL) {
		if (learn_waiting(w->env.learn) != 0)
			(void)event_add(w->learn_out_ev, NULL);
		timer_update(w);
	}
	udp_flush(w->udp);
	if (w->env.at_once.n != 0) {
		tick(w);
		query_sent(&w->env);
	}
	dnstap_flush(w->env.tap);
	qlog_update(w);
	retired_free(w);
	reading_update(w);
	ready_update(w);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	/* An answer does not wait until gatewayd, on the same core, has sealed or freed lists of millions of names. */
	slice_short();
	do
		before_sleep(w);
	while (event_base_loop(w->base, EVLOOP_ONCE) == 0);
	return NULL;
}

static int worker_prepare(struct worker *w, struct err *e)
{
	w->mail = mailbox_new(e);
	if (w->mail == NULL)
		return e->code;
	w->base = event_base_new();
	w->env.clients = client_table_new();
	w->env.scratch = list_scratch_new();
	w->env.cache = cache_new(w->cache_bytes);
	w->env.fetches =
		w->env.cache != NULL ? fetches_new(w->env.cache, &w->env.now_us, query_fetched, tick, w) : NULL;
	w->env.tap = w->base != NULL ? dnstap_new(w->base, &w->env.stats, tap_lost, w) : NULL;
	w->env.log = qlog_new(&w->env.stats);
	w->env.send = send_answer;
	w->env.arg = w;
	tick(w);
	if (w->base == NULL || w->env.clients == NULL || w->env.limits == NULL || w->env.scratch == NULL ||
	    w->env.fetches == NULL || w->env.tap == NULL || w->env.log == NULL)
		return err_set(e, -ENOMEM, "worker %u", w->index);
	w->udp = udp_new(w->base, &w->env, tick, w);
	w->tcp = tcp_new(w->base, w->env.clients, clock_monotonic_us, tcp_message, w);
	w->mail_ev = event_new(w->base, mailbox_fd(w->mail), EV_READ | EV_PERSIST, mail_ready, w);
	w->deadline_ev = event_new(w->base, -1, EV_TIMEOUT, deadline_ready, w);
	w->qlog_ev = event_new(w->base, -1, EV_TIMEOUT, qlog_ready, w);
	if (w->udp == NULL || w->tcp == NULL || w->mail_ev == NULL || w->deadline_ev == NULL || w->qlog_ev == NULL ||
	    event_add(w->mail_ev, NULL) != 0)
		return err_set(e, -ENOMEM, "worker %u", w->index);
	return 0;
}

int worker_start(uint32_t index, size_t cache_bytes, const struct ratelimit_config *limits, struct mailbox *to_main,
		 pthread_mutex_t *config_lock, struct worker **ret, struct err *e)
{
	struct worker *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return err_set(e, -ENOMEM, "worker %u", index);
	w->index = index;
	w->cache_bytes = cache_bytes;
	w->env.limits = ratelimit_new(limits);
	w->to_main = to_main;
	w->config_lock = config_lock;
	rc = worker_prepare(w, e);
	if (rc != 0)
		return rc; /* the process ends: it cannot serve */
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	if (rc != 0)
		return err_set(e, -rc, "thread of worker %u: %s", index, strerror(rc));
	*ret = w;
	return 0;
}

struct mailbox *worker_mailbox(struct worker *w)
{
	return w->mail;
}
