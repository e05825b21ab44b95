/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recorder's role: main.c hands it the channel. First message CONFIG; then it confines itself, and only then opens
 * the journal and the MMDB files. After that: CT_EVENTS (the conntrack event socket), DROP_EVENTS (nflog's), LOG_PLAN,
 * NAME_SEEN, and QUERY_LOG: a channel for each of dnsd's workers, from which QUERIES come.
 *
 * The channel has priority over the event socket: names and plans must be known before the flows that follow them.
 * Before the loop sleeps everything that was recorded in this wake is written.
 *
 * | what fails                     | what happens                                                       |
 * |--------------------------------|--------------------------------------------------------------------|
 * | configuration, confinement     | exit 1 before anything foreign is read                             |
 * | an MMDB file                   | logged, that enrichment stays off                                  |
 * | the journal cannot be opened   | exit 1; gatewayd starts the recorder again                         |
 * | the journal cannot be written  | logged once, queued up to a limit, tried each second; GAP later    |
 * | ENOBUFS on the event socket    | counted, GAP                                                       |
 * | the nflog socket               | logged, refused packets are not told of; flows go on               |
 * | a message of gatewayd is wrong | exit 1: the sibling is broken                                      |
 * | a message of dnsd is wrong     | logged, that channel is closed; flows and other workers go on      |
 * | the channel closes             | everything is written, exit 0                                      | */
#include "recorder/role.h"

#include "base/clock.h"
#include "base/confine.h"
#include "base/ipc.h"
#include "base/log.h"
#include "recorder/dropsock.h"
#include "recorder/journal_seal.h"
#include "recorder/recorder.h"

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Datagrams taken with one recvmmsg(2), and room for each: an event of the kernel has less than 1 KB. */
#define CT_BATCH	32u
#define CT_DATAGRAM_MAX 4096u
/* Events taken after the channel has closed: a full socket buffer of 16 MB, about. */
#define CT_DRAIN_MAX 32768u
/* Messages of the channel in one wake: names of a burst of answers must not keep the events waiting for ever. */
#define MSGS_PER_WAKE 256u
/* dnsd's workers; see BARRIER_WORKERS_MAX of gatewayd. */
#define QUERY_SOURCES_MAX 64u
/* Messages of one worker in one wake, each of some hundred questions. */
#define QUERIES_PER_WAKE 4u

struct role_config {
	uint32_t uid, gid;
	const char *journal, *country, *asn; /* borrowed from .json */
	bool sealed;
	uint8_t seal_to[crypto_box_PUBLICKEYBYTES];
	cJSON *json;
};

struct ct_batch {
	struct mmsghdr msgs[CT_BATCH];
	struct iovec iov[CT_BATCH];
	struct sockaddr_nl from[CT_BATCH];
	uint8_t data[CT_BATCH][CT_DATAGRAM_MAX];
};

/* One worker's questions. */
struct query_source {
	struct recorder_role *role;
	int fd;
	struct event *readable; /* NULL: there is none */
};

struct recorder_role {
	struct role_config config;
	struct event_base *base;
	struct event *channel, *events, *retry, *term;
	int channel_fd, events_fd;
	struct dropsock *drops;
	struct query_source sources[QUERY_SOURCES_MAX];
	struct recorder *recorder;
	struct ipc_msg *msg;
	struct ct_batch *batch;
	bool journal_failing, losing;
	int done; /* 0: serve on; 1: exit 0; negative: exit 1 */
};

static const char *const role_syscalls[] = { "openat", "getdents64", "ftruncate", "fsync", "fdatasync", "flock", NULL };

static bool config_number(const cJSON *j, const char *name, uint32_t *ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);

	if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble >= (double)UINT32_MAX)
		return false;
	*ret = (uint32_t)v->valuedouble;
	return true;
}

/* Absent: NULL, true. */
static bool config_text(const cJSON *j, const char *name, const char **ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);

	*ret = cJSON_IsString(v) ? v->valuestring : NULL;
	return v == NULL || (cJSON_IsString(v) && v->valuestring[0] != '\0');
}

static int config_read(struct role_config *c, const uint8_t *body, size_t len, struct err *e)
{
	const char *seal_to = NULL;

	c->json = cJSON_ParseWithLength((const char *)body, len);
	if (!config_number(c->json, "uid", &c->uid) || !config_number(c->json, "gid", &c->gid) ||
	    !config_text(c->json, "journal", &c->journal) || c->journal == NULL ||
	    !config_text(c->json, "country", &c->country) || !config_text(c->json, "asn", &c->asn) ||
	    !config_text(c->json, "seal_to", &seal_to))
		return err_set(e, -EBADMSG, "configuration: malformed");
	if (seal_to == NULL)
		return 0;
	if (journal_key_parse(seal_to, c->seal_to) != 0)
		return err_set(e, -EBADMSG, "configuration: seal_to is no public key in hex or base64");
	c->sealed = true;
	return 0;
}

static int config_receive(struct recorder_role *role, struct err *e)
{
	struct pollfd p = { .fd = role->channel_fd, .events = POLLIN };
	int r;

	do {
		if (poll(&p, 1, -1) == -1 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
		r = ipc_recv(role->channel_fd, ROLE_RECORDER, ROLE_GATEWAYD, role->msg, e);
	} while (r == -EAGAIN);
	if (r != 0)
		return r;
	r = role->msg->type == MSG_CONFIG
		    ? config_read(&role->config, role->msg->body, role->msg->len, e)
		    : err_set(e, -EBADMSG, "%s before the configuration", msg_name(role->msg->type));
	ipc_msg_done(role->msg);
	return r;
}

/* A file that is not there cannot be a Landlock rule, and is no reason not to record. */
static void drop_missing(const char **path)
{
	if (*path == NULL || access(*path, R_OK) == 0)
		return;
	log_event(LOG_WARNING, "recorder.mmdb", "file=%s error=\"%s\", recording without it", *path, strerror(errno));
	*path = NULL;
}

static int role_confine(struct role_config *c, struct err *e)
{
	struct confine conf = { .role = "recorder",
				.uid = c->uid,
				.gid = c->gid,
				.restrict_files = true,
				.syscalls = confine_base_syscalls,
				.syscalls2 = role_syscalls };

	drop_missing(&c->country);
	drop_missing(&c->asn);
	conf.paths[conf.n_paths++] = (struct confine_path){ c->journal, CONFINE_WRITE };
	if (c->country != NULL)
		conf.paths[conf.n_paths++] = (struct confine_path){ c->country, CONFINE_READ };
	if (c->asn != NULL)
		conf.paths[conf.n_paths++] = (struct confine_path){ c->asn, CONFINE_READ };
	return confine_enter(&conf, e);
}

static struct enrich *enrich_start(const struct role_config *c)
{
	struct enrich *en = enrich_new();
	struct err e = { 0 };

	if (en == NULL)
		return NULL;
	if (c->country != NULL && enrich_open_country(en, c->country, &e) != 0)
		log_event(LOG_WARNING, "recorder.mmdb", "error=\"%s\", recording without it", e.msg);
	if (c->asn != NULL && enrich_open_asn(en, c->asn, &e) != 0)
		log_event(LOG_WARNING, "recorder.mmdb", "error=\"%s\", recording without it", e.msg);
	return en;
}

static int recorder_start(struct recorder_role *role, struct err *e)
{
	CLEANUP(fd_closep) int dir = -1;
	struct journal_options o = { .segment_max = JOURNAL_SEGMENT_MAX_BYTES, .now_us = clock_realtime_us() };
	struct journal_opened how = { 0 };
	struct journal *journal = NULL;
	struct enrich *enrich;
	struct pseudonym key;
	int r;

	assert(role->config.journal != NULL); /* config_read() */
	dir = open(role->config.journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return err_set(e, -errno, "journal %s: %s", role->config.journal, strerror(errno));
	o.dir_fd = dir;
	o.seal_to = role->config.sealed ? role->config.seal_to : NULL;
	r = pseudonym_init(&key, dir, NULL, e);
	if (r == 0)
		r = journal_open(&o, &journal, &how, e);
	if (r != 0)
		return r;
	if (how.cut_bytes != 0)
		log_event(LOG_WARNING, "recorder.recovered", "segment=%u cut_bytes=%llu", how.segment,
			  (unsigned long long)how.cut_bytes);
	if (how.damaged)
		log_event(LOG_ERR, "recorder.damaged", "segment=%u: the one before it is damaged, left as it is",
			  how.segment);
	enrich = enrich_start(&role->config);
	if (enrich == NULL)
		journal = journal_free(journal);
	role->recorder = enrich != NULL ? recorder_new(journal, enrich, &key) : NULL;
	pseudonym_done(&key);
	return role->recorder != NULL ? 0 : err_set(e, -ENOMEM, "out of memory");
}

static void events_lost(struct recorder_role *role, uint64_t now)
{
	recorder_events_lost(role->recorder, now);
	if (!role->losing)
		log_event(LOG_WARNING, "recorder.gap", "the kernel dropped events");
	role->losing = true;
}

/* Returns the number of datagrams taken. */
static uint32_t batch_take(struct recorder_role *role, uint64_t now)
{
	struct ct_batch *b = role->batch;
	int n;

	for (uint32_t i = 0; i < CT_BATCH; i++) {
		b->iov[i] = (struct iovec){ .iov_base = b->data[i], .iov_len = CT_DATAGRAM_MAX };
		b->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i],
						      .msg_namelen = sizeof(b->from[i]),
						      .msg_iov = &b->iov[i],
						      .msg_iovlen = 1 };
	}
	n = recvmmsg(role->events_fd, b->msgs, CT_BATCH, MSG_DONTWAIT, NULL);
	if (n == -1) {
		if (errno == ENOBUFS)
			events_lost(role, now);
		else if (errno != EAGAIN && errno != EINTR)
			role->done = -errno; /* no socket that we could go on with */
		return 0;
	}
	for (int i = 0; i < n; i++) {
		/* Only the kernel has port id 0. */
		if (b->msgs[i].msg_hdr.msg_namelen != sizeof(struct sockaddr_nl) || b->from[i].nl_pid != 0)
			continue;
		/* A cut one ends inside a message: counted as malformed. */
		recorder_datagram(role->recorder, b->data[i], b->msgs[i].msg_len, now);
	}
	return (uint32_t)n;
}

static void on_events(evutil_socket_t fd, short what, void *arg)
{
	struct recorder_role *role = arg;
	uint64_t now = clock_realtime_us();
	uint32_t taken = 0, n;

	do {
		n = batch_take(role, now);
		taken += n;
	} while (n == CT_BATCH && taken < CT_EVENTS_PER_WAKE);
}

/* What was in the socket when the channel closed is recorded still; new events do not keep us. */
static void events_drain(struct recorder_role *role)
{
	for (uint32_t taken = 0; role->events_fd != -1 && taken < CT_DRAIN_MAX; taken += CT_BATCH) {
		if (batch_take(role, clock_realtime_us()) == 0)
			break;
	}
}

static int events_set(struct recorder_role *role, int fd)
{
	if (role->events != NULL)
		event_free(role->events);
	role->events = NULL;
	fd_closep(&role->events_fd);
	role->events_fd = fd;
	role->events = event_new(role->base, fd, EV_READ | EV_PERSIST, on_events, role);
	if (role->events == NULL || event_priority_set(role->events, 1) != 0 || event_add(role->events, NULL) != 0)
		return -ENOMEM;
	return 0;
}

/* A plan that cannot be read leaves nobody recorded: the old one may name a device that has opted out since. */
static int plan_set(struct recorder_role *role, int fd, struct err *e)
{
	const void *text = NULL;
	struct logplan *plan = NULL;
	size_t len = 0;
	int r = memfd_map(fd, &text, &len, e);

	if (r == 0)
		r = logplan_parse(text, len, &plan, e);
	if (text != NULL)
		(void)munmap((void *)(uintptr_t)text, len);
	recorder_plan_set(role->recorder, plan);
	if (r != 0) {
		log_event(LOG_ERR, "recorder.plan", "error=\"%s\", recording nothing", e->msg);
		return r;
	}
	log_event(LOG_INFO, "recorder.plan", "generation=%llu", (unsigned long long)logplan_generation(plan));
	return 0;
}

static void source_close(struct query_source *s)
{
	if (s->readable == NULL)
		return;
	event_free(s->readable);
	s->readable = NULL;
	fd_closep(&s->fd);
}

/* A dnsd that says nonsense is not heard any more, by us, until it is another one that we are given. */
static void on_queries(evutil_socket_t fd, short what, void *arg)
{
	struct query_source *s = arg;
	struct recorder_role *role = s->role;
	struct err e = { 0 };

	for (uint32_t i = 0; i < QUERIES_PER_WAKE; i++) {
		int r = ipc_recv(s->fd, ROLE_RECORDER, ROLE_DNSD, role->msg, &e);

		if (r == -EAGAIN)
			return;
		if (r == 0 && role->msg->type != MSG_QUERIES)
			r = err_set(&e, -EBADMSG, "unexpected %s", msg_name(role->msg->type));
		if (r == 0 &&
		    recorder_queries(role->recorder, role->msg->body, role->msg->len, clock_realtime_us()) != 0)
			r = err_set(&e, -EBADMSG, "malformed QUERIES");
		ipc_msg_done(role->msg);
		if (r != 0) {
			log_event(LOG_ERR, "recorder.queries",
				  "error=\"%s\", queries of that worker are not recorded any more", e.msg);
			source_close(s);
			return;
		}
	}
}

static int source_set(struct recorder_role *role, uint32_t worker, int fd, struct err *e)
{
	struct query_source *s = worker < QUERY_SOURCES_MAX ? &role->sources[worker] : NULL;

	if (s == NULL) {
		fd_closep(&fd);
		return err_set(e, -EBADMSG, "QUERY_LOG of worker %u", worker);
	}
	source_close(s);
	*s = (struct query_source){ .role = role, .fd = fd };
	s->readable = event_new(role->base, fd, EV_READ | EV_PERSIST, on_queries, s);
	if (s->readable == NULL || event_priority_set(s->readable, 1) != 0 || event_add(s->readable, NULL) != 0)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int message_handle(struct recorder_role *role, struct ipc_msg *m, struct err *e)
{
	struct msg_worker worker;

	switch (m->type) {
	case MSG_QUERY_LOG:
		memcpy(&worker, m->body, sizeof(worker));
		return source_set(role, worker.worker, fd_take(&m->fds[0]), e);
	case MSG_CT_EVENTS:
		return events_set(role, fd_take(&m->fds[0])) == 0 ? 0 : err_set(e, -ENOMEM, "out of memory");
	case MSG_DROP_EVENTS:
		role->drops = dropsock_free(role->drops);
		return dropsock_new(role->base, fd_take(&m->fds[0]), role->channel_fd, &role->drops, e);
	case MSG_LOG_PLAN:
		return plan_set(role, m->fds[0], e);
	case MSG_NAME_SEEN:
		/* Out of memory loses a name, no more. */
		return recorder_name_seen(role->recorder, m->body, m->len) == -EBADMSG
			       ? err_set(e, -EBADMSG, "malformed NAME_SEEN")
			       : 0;
	default:
		return err_set(e, -EBADMSG, "unexpected %s", msg_name(m->type));
	}
}

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct recorder_role *role = arg;
	struct err e = { 0 };

	for (uint32_t i = 0; i < MSGS_PER_WAKE && role->done == 0; i++) {
		int r = ipc_recv(role->channel_fd, ROLE_RECORDER, ROLE_GATEWAYD, role->msg, &e);

		if (r == -EAGAIN)
			return;
		if (r == 0) {
			r = message_handle(role, role->msg, &e);
			ipc_msg_done(role->msg);
		} else if (r == -EPIPE) {
			role->done = 1;
			return;
		}
		if (r != 0) {
			log_event(LOG_ERR, "recorder.channel", "error=\"%s\"", e.msg);
			role->done = r;
		}
	}
}

static void on_term(evutil_socket_t sig, short what, void *arg)
{
	struct recorder_role *role = arg;

	role->done = 1;
}

/* Its work is what the loop does before it sleeps. */
static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct recorder_role *role = arg;

	role->losing = false;
}

static void before_sleep(struct recorder_role *role)
{
	struct timeval second = { .tv_sec = 1 };
	struct err e = { 0 };
	int r = recorder_flush(role->recorder, clock_realtime_us(), &e);

	if (r != 0 && !role->journal_failing)
		log_event(LOG_ERR, "recorder.journal", "error=\"%s\", trying again each second", e.msg);
	if (r == 0 && role->journal_failing)
		log_event(LOG_NOTICE, "recorder.journal", "writing again");
	role->journal_failing = r != 0;
	if ((recorder_pending(role->recorder) || role->losing || r != 0) &&
	    !event_pending(role->retry, EV_TIMEOUT, NULL))
		(void)event_add(role->retry, &second);
}

static int loop_init(struct recorder_role *role, struct err *e)
{
	role->base = event_base_new();
	if (role->base == NULL || event_base_priority_init(role->base, 2) != 0)
		return err_set(e, -ENOMEM, "event loop");
	role->channel = event_new(role->base, role->channel_fd, EV_READ | EV_PERSIST, on_channel, role);
	role->retry = evtimer_new(role->base, on_retry, role);
	role->term = evsignal_new(role->base, SIGTERM, on_term, role);
	if (role->channel == NULL || role->retry == NULL || role->term == NULL ||
	    event_priority_set(role->channel, 0) != 0 || event_priority_set(role->retry, 0) != 0 ||
	    event_priority_set(role->term, 0) != 0 || event_add(role->channel, NULL) != 0 ||
	    event_add(role->term, NULL) != 0)
		return err_set(e, -ENOMEM, "event loop");
	return 0;
}

static int role_start(struct recorder_role *role, struct err *e)
{
	int r;

	role->msg = malloc(sizeof(*role->msg));
	role->batch = calloc(1, sizeof(*role->batch));
	if (role->msg == NULL || role->batch == NULL || sodium_init() < 0)
		return err_set(e, -ENOMEM, "out of memory");
	r = config_receive(role, e);
	if (r == 0)
		r = loop_init(role, e);
	if (r == 0)
		r = role_confine(&role->config, e);
	return r == 0 ? recorder_start(role, e) : r;
}

static void event_freep(struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
}

static void role_done(struct recorder_role *role)
{
	role->recorder = recorder_free(role->recorder);
	role->drops = dropsock_free(role->drops);
	for (uint32_t i = 0; i < QUERY_SOURCES_MAX; i++)
		source_close(&role->sources[i]);
	event_freep(&role->channel);
	event_freep(&role->events);
	event_freep(&role->retry);
	event_freep(&role->term);
	if (role->base != NULL)
		event_base_free(role->base);
	fd_closep(&role->events_fd);
	cJSON_Delete(role->config.json);
	free(role->msg);
	free(role->batch);
}

static void stopped_log(const struct recorder_stats *s)
{
	log_event(LOG_INFO, "recorder.stopped",
		  "opened=%llu closed=%llu events_lost=%llu malformed=%llu queries=%llu queries_lost=%llu",
		  (unsigned long long)s->opened, (unsigned long long)s->closed, (unsigned long long)s->events_lost,
		  (unsigned long long)s->malformed, (unsigned long long)s->queries.recorded,
		  (unsigned long long)s->queries.lost);
}

int recorder_role_run(int channel_fd)
{
	struct recorder_role role = { .channel_fd = channel_fd, .events_fd = -1 };
	struct err e = { 0 };
	int r = role_start(&role, &e);

	if (r != 0) {
		log_event(LOG_ERR, "recorder.start", "error=\"%s\"", e.msg);
		role_done(&role);
		return 1;
	}
	log_event(LOG_INFO, "recorder.started", "journal=%s sealed=%d", role.config.journal, role.config.sealed);
	while (role.done == 0) {
		if (event_base_loop(role.base, EVLOOP_ONCE) != 0)
			role.done = -EIO;
		before_sleep(&role);
	}
	if (role.done > 0)
		events_drain(&role);
	stopped_log(recorder_stats(role.recorder));
	role_done(&role);
	return role.done > 0 ? 0 : 1;
}
