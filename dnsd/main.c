/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice-dnsd: the resolver that devices ask, and (as another role of the same binary) the compiler of lists.
 *
 * Born by the launcher with one descriptor, the channel to gatewayd. Confines itself by the first message, then starts
 * its workers; main only passes on: sockets and learn channels to their worker, views to all, VIEWS_READY back when all
 * have switched. Main parses nothing from the network, the workers nothing else. When the channel closes, it exits: the
 * sockets stay open in gatewayd. */
#include <cjson/cJSON.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/slice.h"
#include "dnsd/command.h"
#include "dnsd/keeper.h"
#include "dnsd/listc.h"
#include "dnsd/recursor_config.h"
#include "dnsd/roots.h"
#include "dnsd/tls.h"
#include "dnsd/worker.h"

#define CHANNEL_FD     3
#define ANSWER_WAIT_MS 1000   /* for room in the channel; gatewayd waits two seconds for the whole */
#define CACHE_MIB_MAX  16384u /* of one worker: more names than there are devices to ask for them */
#define WORKERS_MAX    64u    /* one a core; a machine with more has better to do than DNS */
/* Descriptors: sockets of upstream queries (resolver.c: outgoing-range), connections, twice for a retired resolver. */
#define MAIN_NICE     10
#define NOFILE_WANTED 16384u

struct dnsd {
	struct worker *workers[WORKERS_MAX];
	uint64_t ready[WORKERS_MAX]; /* generation by which each answers */
	uint32_t n_workers;
	struct mailbox *mail;
	pthread_mutex_t config_lock;
	struct roots *roots;
	struct keeper *keeper;		     /* NULL: nothing is kept */
	int views_fd, lists_fd, prefixes_fd; /* of the last VIEWS: a changed trust anchor begins from them again */
	bool anchor_due;		     /* ANCHOR is to be said */
	bool validates, unvalidated, look_failed;
	uint64_t announced, started_us;
	uint64_t taps_lost; /* a bit for each worker that wants another connection to the reader of dnstap */
	struct commands *commands;
	bool gatewayd_slow; /* it did not take an answer in time */
	struct ipc_msg in;
};

struct config {
	uint32_t uid, gid, workers, cache_mib;
	struct ratelimit_config limits;
	struct roots *roots;
};

/* Besides the base list: sockets to upstreams, the relays' own (dot.c: listen), and the few files that Landlock leaves
 * (certificates, our own descriptors by name: see recursor.c); what is written to them: roots.c, and libunbound for it.
 */
static const char *const dnsd_syscalls[] = { "socket",	    "connect",	   "bind",	    "listen",	"openat",
					     "access",	    "faccessat",   "stat",	    "fsync",	"rename",
					     "unlink",	    "renameat",	   "faccessat2",    "unlinkat", "renameat2",
					     "setpriority", "getpriority", "sched_setattr", NULL };

static int config_u32(const cJSON *json, const char *name, uint32_t min, uint32_t max, uint32_t *ret, struct err *e)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, name);

	if (!cJSON_IsNumber(v) || v->valuedouble < min || v->valuedouble > max ||
	    v->valuedouble != (double)(uint32_t)v->valuedouble)
		return err_set(e, -EBADMSG, "CONFIG: %s is missing or out of range", name);
	*ret = (uint32_t)v->valuedouble;
	return 0;
}

/* "rateLimit": what is not there is not limited. */
static int config_limits(const cJSON *json, struct ratelimit_config *ret, struct err *e)
{
	const struct {
		const char *name;
		uint32_t *to;
	} members[] = { { "queries", &ret->queries }, { "misses", &ret->misses }, { "errors", &ret->errors } };
	int rc = 0;

	*ret = (struct ratelimit_config){ 0 };
	if (json == NULL)
		return 0;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(members); i++)
		rc = config_u32(json, members[i].name, 0, RATELIMIT_MAX, members[i].to, e);
	return rc;
}

static int config_parse(const struct ipc_msg *m, struct config *ret, struct err *e)
{
	cJSON *json = cJSON_ParseWithLength((const char *)m->body, m->len);
	struct config c;
	int rc = json == NULL ? err_set(e, -EBADMSG, "CONFIG: no JSON") : 0;

	if (rc == 0)
		rc = config_u32(json, "uid", 0, INT32_MAX, &c.uid, e);
	if (rc == 0)
		rc = config_u32(json, "gid", 0, INT32_MAX, &c.gid, e);
	if (rc == 0)
		rc = config_u32(json, "workers", 1, WORKERS_MAX, &c.workers, e);
	if (rc == 0)
		rc = config_u32(json, "cacheMiB", 1, CACHE_MIB_MAX, &c.cache_mib, e);
	if (rc == 0)
		rc = config_limits(cJSON_GetObjectItemCaseSensitive(json, "rateLimit"), &c.limits, e);
	if (rc == 0)
		rc = roots_new(json, &c.roots, e);
	cJSON_Delete(json);
	if (rc == 0)
		*ret = c;
	return rc;
}

static void raise_nofile(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return;
	l.rlim_cur = l.rlim_max < NOFILE_WANTED ? l.rlim_max : NOFILE_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &l); /* with fewer it serves fewer at once */
}

static int confine(const struct config *cfg, struct err *e)
{
	static const char *const paths[] = { "/etc/ssl/certs", "/etc/ssl/openssl.cnf" };
	struct confine c = {
		.role = "dnsd",
		.uid = cfg->uid,
		.gid = cfg->gid,
		.restrict_files = true,
		.syscalls = confine_base_syscalls,
		.syscalls2 = dnsd_syscalls,
	};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (access(paths[i], R_OK) == 0)
			c.paths[c.n_paths++] = (struct confine_path){ .path = paths[i], .access = CONFINE_READ };
	if (roots_state(cfg->roots) != NULL)
		c.paths[c.n_paths++] =
			(struct confine_path){ .path = roots_state(cfg->roots), .access = CONFINE_WRITE };
	return confine_enter(&c, e);
}

/* The next message, waited for. */
static int recv_wait(struct dnsd *d, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = CHANNEL_FD, .events = POLLIN };
		int rc = ipc_recv(CHANNEL_FD, ROLE_DNSD, ROLE_GATEWAYD, &d->in, e);

		if (rc != -EAGAIN)
			return rc;
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
	}
}

/* To gatewayd, which may be busy: its queue holds some hundred rows, and main has nothing better to do than wait. What
 * it does not take in time is lost: its own timeout tells. Then nothing is waited for until it speaks again. */
static void answer_command(void *arg, enum msg_type type, const void *body, size_t len)
{
	struct dnsd *d = arg;
	struct pollfd p = { .fd = CHANNEL_FD, .events = POLLOUT };

	if (ipc_send(CHANNEL_FD, type, body, len, NULL, 0, NULL) != -EAGAIN || d->gatewayd_slow)
		return;
	if (poll(&p, 1, ANSWER_WAIT_MS) == 1)
		(void)ipc_send(CHANNEL_FD, type, body, len, NULL, 0, NULL);
	else
		d->gatewayd_slow = true;
}

static int start(struct dnsd *d, struct err *e)
{
	struct config cfg = { 0 };
	int rc = recv_wait(d, e);

	if (rc != 0)
		return rc;
	rc = d->in.type == MSG_CONFIG ? config_parse(&d->in, &cfg, e)
				      : err_set(e, -EBADMSG, "%s before CONFIG", msg_name(d->in.type));
	ipc_msg_done(&d->in);
	if (rc != 0)
		return rc;
	raise_nofile();
	rc = confine(&cfg, e);
	if (rc != 0)
		return rc;
	d->roots = cfg.roots;
	roots_begin(d->roots);
	(void)pthread_mutex_init(&d->config_lock, NULL);
	d->mail = mailbox_new(e);
	if (d->mail == NULL)
		return e->code;
	d->started_us = clock_monotonic_us();
	d->commands = commands_new(answer_command, d);
	if (d->commands == NULL)
		return err_set(e, -ENOMEM, "commands");
	for (; d->n_workers < cfg.workers; d->n_workers++) {
		rc = worker_start(d->n_workers, (size_t)cfg.cache_mib << 20, &cfg.limits, d->mail, &d->config_lock,
				  &d->workers[d->n_workers], e);
		if (rc != 0)
			return rc;
	}
	if (roots_kept_file(d->roots) != NULL) {
		rc = keeper_start(roots_kept_file(d->roots), &d->config_lock, d->mail, &d->keeper, e);
		if (rc != 0)
			return rc;
	}
	log_event(LOG_NOTICE, "dnsd.started", "workers=%u", cfg.workers);
	return 0;
}

static int pass_fd(struct dnsd *d, uint32_t worker, struct mail *m, struct err *e)
{
	if (worker >= d->n_workers)
		return err_set(e, -EBADMSG, "%s for worker %u", msg_name(d->in.type), worker);
	m->worker = worker;
	m->fd = fd_take(&d->in.fds[0]);
	if (mailbox_post(worker_mailbox(d->workers[worker]), m) != 0)
		return err_set(e, -ENOMEM, "mail");
	return 0;
}

static int take_tls(struct dnsd *d, struct err *e)
{
	struct mail m = { .type = MAIL_TLS, .fd = -1 };
	SSL_CTX *ctx = NULL;
	int rc = tls_server_new(d->in.fds[0], d->in.fds[1], &ctx, e);

	memcpy(&m.tls_msg, d->in.body, sizeof(m.tls_msg));
	m.tls_msg.name[sizeof(m.tls_msg.name) - 1] = '\0';
	for (uint32_t i = 0; i < d->n_workers && rc == 0; i++) {
		m.worker = i;
		m.tls = ctx;
		rc = SSL_CTX_up_ref(ctx) == 1 && mailbox_post(worker_mailbox(d->workers[i]), &m) == 0
			     ? 0
			     : err_set(e, -ENOMEM, "mail");
	}
	SSL_CTX_free(ctx);
	return rc;
}

/* Whether there is a route that is validated, and one that would be if there were a trust anchor. */
static void judge_routes(struct dnsd *d, const struct views *v)
{
	bool before = d->unvalidated;

	d->validates = d->unvalidated = false;
	for (uint32_t i = 0; i < v->n_routes; i++) {
		bool validates = recursor_validates(&v->routes[i]);

		d->validates = d->validates || validates;
		d->unvalidated = d->unvalidated || (!validates && recursor_should_validate(&v->routes[i]));
	}
	if (d->unvalidated && !before)
		log_event(LOG_WARNING, "dnsd.unvalidated",
			  "error=\"no trust anchor: install dns-root-data, or give dns.trustAnchor\"");
	d->anchor_due = true;
}

/* Begin from the last VIEWS and the roots of now. */
static int give_views(struct dnsd *d, uint64_t generation, struct err *e)
{
	struct snapshot *s = NULL;
	int rc;

	/* Lists of millions of names are looked through here, while workers, which have begun by now, answer. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), MAIN_NICE);
	slice_short();
	rc = snapshot_new(d->views_fd, d->lists_fd, d->prefixes_fd, roots_now(d->roots), &s, e);

	if (rc != 0)
		return rc;
	if (generation != 0 && snapshot_views(s)->generation != generation)
		rc = err_set(e, -EBADMSG, "views of another generation than their message says");
	judge_routes(d, snapshot_views(s));
	if (d->keeper != NULL)
		keeper_views(d->keeper, s);
	for (uint32_t i = 0; rc == 0 && i < d->n_workers; i++) {
		struct mail m = { .type = MAIL_VIEWS,
				  .worker = i,
				  .fd = -1,
				  .snapshot = snapshot_ref(s),
				  .generation = snapshot_views(s)->generation };

		if (mailbox_post(worker_mailbox(d->workers[i]), &m) != 0)
			rc = err_set(e, -ENOMEM, "mail");
	}
	(void)snapshot_unref(s);
	return rc;
}

static int take_views(struct dnsd *d, struct err *e)
{
	struct msg_snapshot head;

	memcpy(&head, d->in.body, sizeof(head));
	fd_closep(&d->views_fd);
	fd_closep(&d->lists_fd);
	fd_closep(&d->prefixes_fd);
	d->views_fd = fd_take(&d->in.fds[0]);
	d->lists_fd = fd_take(&d->in.fds[1]);
	d->prefixes_fd = fd_take(&d->in.fds[2]);
	return give_views(d, head.generation, e);
}

/* The keeper has looked. What is trusted now comes into force as new views do: a new context beside the old. */
static int take_anchor(struct dnsd *d, bool failed, struct err *e)
{
	struct err why = { 0 };
	int rc = roots_reread(d->roots, &why);

	d->look_failed = failed;
	d->anchor_due = true;
	if (rc < 0) {
		log_event(LOG_ERR, "dnsd.anchor_damaged", "error=\"%s\"", why.msg);
		roots_begin(d->roots);
		return 0;
	}
	if (rc == 0)
		return 0;
	log_event(LOG_NOTICE, "dnsd.anchor_changed", "file=%s keys=%u pending=%u", roots_kept_file(d->roots),
		  roots_anchors(d->roots)->n, roots_anchors(d->roots)->n_pending);
	return give_views(d, 0, e);
}

/* A look-up is one worker's, the others' parts are like its own; the rest is asked of all. */
static int take_command(struct dnsd *d, struct err *e)
{
	struct msg_dns_command ask;
	uint32_t n;

	memcpy(&ask, d->in.body, sizeof(ask));
	n = ask.what == DNS_COMMAND_LOOKUP ? 1 : d->n_workers;
	if (commands_begin(d->commands, &ask, n) != 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct mail m = { .type = MAIL_COMMAND, .worker = i, .fd = -1 };
		int rc = command_new(&ask, i, &m.command, e);

		if (rc != 0)
			return rc;
		if (mailbox_post(worker_mailbox(d->workers[i]), &m) != 0)
			return err_set(e, -ENOMEM, "mail");
	}
	return 0;
}

static int take_cookie_keys(struct dnsd *d, struct err *e)
{
	struct mail m = { .type = MAIL_COOKIE_KEYS, .fd = -1 };
	int rc = 0;

	memcpy(&m.cookie_keys, d->in.body, sizeof(m.cookie_keys));
	if (m.cookie_keys.n == 0 || m.cookie_keys.n > ARRAY_LEN(m.cookie_keys.keys))
		return err_set(e, -EBADMSG, "COOKIE_KEYS: %u of them", m.cookie_keys.n);
	for (uint32_t i = 0; rc == 0 && i < d->n_workers; i++) {
		m.worker = i;
		if (mailbox_post(worker_mailbox(d->workers[i]), &m) != 0)
			rc = err_set(e, -ENOMEM, "mail");
	}
	return rc;
}

static int dispatch(struct dnsd *d, struct err *e)
{
	struct mail m = { .fd = -1 };
	struct msg_worker worker;

	switch (d->in.type) {
	case MSG_LISTEN:
		m.type = MAIL_LISTEN;
		memcpy(&m.listen, d->in.body, sizeof(m.listen));
		return pass_fd(d, m.listen.worker, &m, e);
	case MSG_WORKER:
		m.type = MAIL_CHANNEL;
		memcpy(&worker, d->in.body, sizeof(worker));
		return pass_fd(d, worker.worker, &m, e);
	case MSG_QUERY_LOG:
		m.type = MAIL_QUERY_LOG;
		memcpy(&worker, d->in.body, sizeof(worker));
		return pass_fd(d, worker.worker, &m, e);
	case MSG_TLS:
		return take_tls(d, e);
	case MSG_VIEWS:
		return take_views(d, e);
	case MSG_DNS_COMMAND:
		return take_command(d, e);
	case MSG_DNSTAP:
		m.type = MAIL_DNSTAP;
		memcpy(&worker, d->in.body, sizeof(worker));
		return pass_fd(d, worker.worker, &m, e);
	case MSG_COOKIE_KEYS:
		return take_cookie_keys(d, e);
	default: /* checked by ipc_recv() to be for us, but not now */
		return err_set(e, -EBADMSG, "%s unexpected", msg_name(d->in.type));
	}
}

static int channel_read(struct dnsd *d, struct err *e)
{
	int rc;

	while ((rc = ipc_recv(CHANNEL_FD, ROLE_DNSD, ROLE_GATEWAYD, &d->in, e)) == 0) {
		d->gatewayd_slow = false;
		rc = dispatch(d, e);
		ipc_msg_done(&d->in);
		if (rc != 0)
			return rc;
	}
	return rc == -EAGAIN ? 0 : rc;
}

static int mail_read(struct dnsd *d, struct err *e)
{
	struct mail *m = mailbox_take(d->mail), *next;
	int rc = 0;

	for (; m != NULL; m = next) {
		next = m->next;
		if (m->type == MAIL_READY)
			d->ready[m->worker] = m->generation;
		else if (m->type == MAIL_ANCHOR)
			rc = rc == 0 ? take_anchor(d, m->failed, e) : rc;
		else if (m->type == MAIL_COMMAND)
			commands_part(d->commands, TAKE(m->command), clock_monotonic_us() - d->started_us);
		else if (m->type == MAIL_DNSTAP)
			d->taps_lost |= UINT64_C(1) << m->worker;
		else
			rc = err_set(e, -EIO, "worker %u failed", m->worker);
		(void)mail_free(m);
	}
	return rc;
}

/* Say which generation all workers answer by. *@ret_wait: it is to be said when the channel has room. */
static int announce(struct dnsd *d, bool *ret_wait, struct err *e)
{
	struct msg_ready msg = { .generation = UINT64_MAX };
	int rc;

	*ret_wait = false;
	for (uint32_t i = 0; i < d->n_workers; i++)
		if (d->ready[i] < msg.generation)
			msg.generation = d->ready[i];
	if (msg.generation == d->announced)
		return 0;
	rc = ipc_send(CHANNEL_FD, MSG_VIEWS_READY, &msg, sizeof(msg), NULL, 0, e);
	if (rc == -EAGAIN) {
		*ret_wait = true;
		return 0;
	}
	if (rc == 0) {
		d->announced = msg.generation;
		log_event(LOG_INFO, "dnsd.views", "gen=%llu", (unsigned long long)msg.generation);
	}
	return rc;
}

/* As announce(), of the trust anchor. */
static int announce_anchor(struct dnsd *d, bool *ret_wait, struct err *e)
{
	const struct anchors *a = roots_anchors(d->roots);
	struct msg_anchor msg = {
		.state = d->unvalidated	     ? ANCHOR_MISSING
			 : !d->validates     ? ANCHOR_UNUSED
			 : d->keeper == NULL ? ANCHOR_FIXED
					     : ANCHOR_KEPT,
		.trusted = a->n,
		.pending = a->n_pending,
		.failed = d->look_failed,
		.last_success_s = a->last_success_s,
		.next_probe_s = a->next_probe_s,
	};
	int rc;

	if (!d->anchor_due)
		return 0;
	rc = ipc_send(CHANNEL_FD, MSG_ANCHOR, &msg, sizeof(msg), NULL, 0, e);
	if (rc == -EAGAIN) {
		*ret_wait = true;
		return 0;
	}
	d->anchor_due = false;
	return rc;
}

static int tell_taps(struct dnsd *d, bool *ret_wait, struct err *e)
{
	for (uint32_t i = 0; d->taps_lost != 0 && i < d->n_workers; i++) {
		const struct msg_worker msg = { .worker = i };
		int rc = 0;

		if ((d->taps_lost >> i & 1) != 0)
			rc = ipc_send(CHANNEL_FD, MSG_DNSTAP_LOST, &msg, sizeof(msg), NULL, 0, e);
		if (rc == -EAGAIN) {
			*ret_wait = true;
			return 0;
		}
		if (rc != 0)
			return rc;
		d->taps_lost &= ~(UINT64_C(1) << i);
	}
	return 0;
}

static int serve(struct dnsd *d, struct err *e)
{
	bool wait = false;

	for (;;) {
		struct pollfd p[] = { { .fd = CHANNEL_FD, .events = (short)(POLLIN | (wait ? POLLOUT : 0)) },
				      { .fd = mailbox_fd(d->mail), .events = POLLIN } };
		int rc = 0;

		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
		if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
			rc = channel_read(d, e);
		if (rc == 0 && (p[1].revents & POLLIN) != 0)
			rc = mail_read(d, e);
		if (rc == 0)
			rc = announce(d, &wait, e);
		if (rc == 0)
			rc = announce_anchor(d, &wait, e);
		if (rc == 0)
			rc = tell_taps(d, &wait, e);
		if (rc != 0)
			return rc;
	}
}

static int dnsd_main(void)
{
	struct dnsd *d = calloc(1, sizeof(*d));
	struct err e = { 0 };
	int rc;

	log_init("dnsd", LOG_INFO);
	(void)signal(SIGPIPE, SIG_IGN); /* connections end while they are written to */
	if (d == NULL)
		return 1;
	d->views_fd = d->lists_fd = d->prefixes_fd = -1;
	rc = start(d, &e);
	if (rc == 0)
		rc = serve(d, &e);
	if (rc == -EPIPE) {
		log_event(LOG_NOTICE, "dnsd.stopped", "reason=\"channel closed\"");
		_exit(0); /* threads are running: nothing of theirs may be taken down under them */
	}
	log_event(LOG_ERR, "dnsd.failed", "error=\"%s\"", e.msg);
	_exit(1);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--role") == 0 && strcmp(argv[2], "dnsd") == 0)
		return dnsd_main();
	if (argc == 3 && strcmp(argv[1], "--role") == 0 && strcmp(argv[2], "listc") == 0)
		return listc_main(CHANNEL_FD);
	fprintf(stderr, "sluice-dnsd is started by sluice-gatewayd\n");
	return 2;
}
