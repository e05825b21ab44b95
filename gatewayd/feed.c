/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A child starts with nothing: everything it works by is in its channel before it has read the first message. */
#include "gatewayd/feed.h"

#include "base/log.h"
#include "gatewayd/command_dns.h"
#include "gatewayd/command_drops.h"
#include "gatewayd/lists_kept.h"
#include "gatewayd/tap.h"

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <limits.h>
#include <time.h>

/* Of one kind of trouble that packets can cause, one line in this many is logged. */
#define LOG_EVERY 1024u

static int send_config(int fd, cJSON *config)
{
	char *text = cJSON_PrintUnformatted(config);
	struct err err = { 0 };
	int r = text == NULL ? -ENOMEM : ipc_send(fd, MSG_CONFIG, text, strlen(text), NULL, 0, &err);

	free(text);
	cJSON_Delete(config);
	return r;
}

static cJSON *config_for(uint32_t uid, uint32_t gid)
{
	cJSON *config = cJSON_CreateObject();

	(void)cJSON_AddNumberToObject(config, "uid", uid);
	(void)cJSON_AddNumberToObject(config, "gid", gid);
	return config;
}

static int send_views(const struct engine *e, int fd)
{
	const struct msg_snapshot snapshot = { .generation = e->now.generation };
	const struct loaded *l = e->now.loaded;
	CLEANUP(fd_closep) int empty = -1;
	int fds[3] = { e->now.views_fd, e->now.lists->compiled, -1 };
	struct err err = { 0 };

	if (l->prefixes != NULL && plan_closes_sources(l->plan))
		fds[2] = l->prefixes->fd;
	if ((fds[1] == -1 || fds[2] == -1) && memfd_sealed("none", NULL, 0, &empty, &err) < 0)
		return err.code;
	for (size_t i = 1; i < ARRAY_LEN(fds); i++)
		if (fds[i] == -1)
			fds[i] = empty;
	return ipc_send(fd, MSG_VIEWS, &snapshot, sizeof(snapshot), fds, ARRAY_LEN(fds), &err);
}

static int send_log_plan(const struct engine *e, int fd)
{
	const struct msg_snapshot snapshot = { .generation = e->now.generation };

	return ipc_send(fd, MSG_LOG_PLAN, &snapshot, sizeof(snapshot), &e->now.log_fd, 1, NULL);
}

static int send_workers(struct engine *e, int fd)
{
	uint32_t n = e->config->doc->dns_workers;
	int fds[BARRIER_WORKERS_MAX];
	struct err err = { 0 };
	int r = barrier_open(e->barrier, n, fds, &err);

	if (r < 0) {
		log_event(LOG_ERR, "learn.open.failed", "error=\"%s\"", err.msg);
		return r;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct msg_worker worker = { .worker = i };

		if (r == 0)
			r = ipc_send(fd, MSG_WORKER, &worker, sizeof(worker), &fds[i], 1, &err);
		fd_closep(&fds[i]);
	}
	return r;
}

static void add_rate_limit(cJSON *config, const struct doc_rate_limit *l)
{
	cJSON *json = cJSON_AddObjectToObject(config, "rateLimit");

	(void)cJSON_AddNumberToObject(json, "queries", l->queries);
	(void)cJSON_AddNumberToObject(json, "misses", l->misses);
	(void)cJSON_AddNumberToObject(json, "errors", l->errors);
}

static cJSON *dnsd_config(const struct engine *e)
{
	const struct doc_gateway *g = e->config->doc;
	cJSON *config = config_for(e->config->dnsd_uid, e->config->dnsd_gid), *insecure;
	char state[PATH_MAX];

	(void)snprintf(state, sizeof(state), "%s/dnsd", g->state_dir);
	(void)cJSON_AddNumberToObject(config, "workers", g->dns_workers);
	(void)cJSON_AddNumberToObject(config, "cacheMiB", g->dns_cache_mib);
	add_rate_limit(config, &e->config->doc->rate_limit);
	(void)cJSON_AddStringToObject(config, "state", state);
	if (g->root_hints != NULL)
		(void)cJSON_AddStringToObject(config, "rootHints", g->root_hints);
	if (g->trust_anchor != NULL)
		(void)cJSON_AddStringToObject(config, "trustAnchor", g->trust_anchor);
	(void)cJSON_AddNumberToObject(config, "holdDown", g->anchor_hold_down_s);
	(void)cJSON_AddBoolToObject(config, "dnssec", g->dnssec);
	insecure = cJSON_AddArrayToObject(config, "insecure");
	for (uint32_t i = 0; g->insecure != NULL && g->insecure[i] != NULL; i++)
		(void)cJSON_AddItemToArray(insecure, cJSON_CreateString(g->insecure[i]));
	return config;
}

static int send_cookie_keys(const struct engine *e, int fd)
{
	return ipc_send(fd, MSG_COOKIE_KEYS, &e->cookie_keys.msg, sizeof(e->cookie_keys.msg), NULL, 0, NULL);
}

static int up_dnsd(struct engine *e, int fd)
{
	int r;

	r = send_config(fd, dnsd_config(e));
	if (r == 0)
		r = send_workers(e, fd);
	if (r == 0)
		r = query_channels_send(&e->queries, QUERY_END_DNSD, fd, NULL);
	(void)cookie_keys_renew(&e->cookie_keys, boot_us());
	if (r == 0)
		r = send_cookie_keys(e, fd);
	if (r == 0)
		r = dns_tls_send(&e->certs, UINT32_MAX, fd, NULL);
	for (uint32_t i = 0; i < e->listeners.n && r == 0; i++)
		r = ipc_send(fd, MSG_LISTEN, &e->listeners.items[i].msg, sizeof(e->listeners.items[i].msg),
			     &e->listeners.items[i].fd, 1, NULL);
	if (r == 0)
		r = send_views(e, fd);
	if (r == 0)
		tap_start(e->tap, e->config->doc->dns_workers);
	return r;
}

int feed_tap(void *arg, uint32_t worker, int fd)
{
	const struct msg_worker to = { .worker = worker };
	struct engine *e = arg;

	return ipc_send(supervise_fd(e->children, ROLE_DNSD), MSG_DNSTAP, &to, sizeof(to), &fd, 1, NULL);
}

static int send_drops(const struct engine *e, int fd)
{
	uint8_t none = 0;

	return ipc_send(fd, MSG_DROP_EVENTS, &none, sizeof(none), &e->drops_fd, 1, NULL);
}

static int up_recorder(struct engine *e, int fd)
{
	const struct doc_gateway *g = e->config->doc;
	cJSON *config = config_for(e->config->recorder_uid, e->config->recorder_gid);
	char journal[4096];
	uint8_t none = 0;
	int r;

	(void)snprintf(journal, sizeof(journal), "%s/journal", g->state_dir);
	(void)cJSON_AddStringToObject(config, "journal", journal);
	if (g->country_mmdb != NULL)
		(void)cJSON_AddStringToObject(config, "country", g->country_mmdb);
	if (g->asn_mmdb != NULL)
		(void)cJSON_AddStringToObject(config, "asn", g->asn_mmdb);
	if (g->seal_to != NULL)
		(void)cJSON_AddStringToObject(config, "seal_to", g->seal_to);
	r = send_config(fd, config);
	if (r == 0)
		r = ipc_send(fd, MSG_CT_EVENTS, &none, sizeof(none), &e->ct_events_fd, 1, NULL);
	if (r == 0 && e->drops_fd != -1)
		r = send_drops(e, fd);
	if (r == 0)
		r = send_log_plan(e, fd);
	/* Behind the plan: what waits in them is judged by it. */
	return r == 0 ? query_channels_send(&e->queries, QUERY_END_RECORDER, fd, NULL) : r;
}

/* The databases that are asked for. */
static cJSON *listc_config(const struct engine *e)
{
	const struct doc_gateway *g = e->config->doc;
	cJSON *config = config_for(e->config->dnsd_uid, e->config->dnsd_gid);
	const struct prefixes *p = e->reload.prefixes;
	bool country = false, asn = false;

	for (uint32_t i = 0; e->reload.stage == RELOAD_PREFIXES && i < p->n; i++) {
		country = country || p->wants[i].msg.kind == PREFIX_GEO;
		asn = asn || p->wants[i].msg.kind == PREFIX_ASN;
	}
	if (country)
		(void)cJSON_AddStringToObject(config, "country", g->country_mmdb);
	if (asn)
		(void)cJSON_AddStringToObject(config, "asn", g->asn_mmdb);
	return config;
}

static int send_prefixes(const struct engine *e, int fd)
{
	const struct prefixes *p = e->reload.prefixes;
	uint8_t none = 0;
	int r = 0;

	for (uint32_t i = 0; i < p->n && r == 0; i++) {
		const struct prefix_want *w = &p->wants[i];

		if (w->msg.kind == PREFIX_LIST)
			r = ipc_send(fd, MSG_PREFIX_LIST, &w->msg, sizeof(w->msg), &w->fd, 1, NULL);
		else
			r = ipc_send(fd, MSG_PREFIX_WANT, &w->msg, sizeof(w->msg), NULL, 0, NULL);
	}
	return r == 0 ? ipc_send(fd, MSG_PREFIX_COMPILE, &none, sizeof(none), &e->reload.list_fd, 1, NULL) : r;
}

static int up_listc(struct engine *e, int fd)
{
	const struct lists *lists = e->reload.lists;
	uint8_t none = 0;
	CLEANUP(fd_closep) int keep = -1;
	struct err err = { 0 };
	int r = send_config(fd, listc_config(e));

	if (r < 0 || downloads_feed_listc(e, fd, &r))
		return r;
	if (e->reload.stage == RELOAD_PREFIXES)
		return send_prefixes(e, fd);

	for (uint32_t i = 0; i < lists->n && r == 0; i++) {
		const struct msg_list_source source = { .list = i, .trusted = lists->items[i].trusted };

		if (lists->items[i].fd != -1)
			r = ipc_send(fd, MSG_LIST_SOURCE, &source, sizeof(source), &lists->items[i].fd, 1, NULL);
	}
	/* Without a copy the next start compiles them again: that is all. */
	if (r == 0 && lists_kept_begin(e->config->doc->state_dir, &keep, &err) < 0)
		log_event(LOG_WARNING, "lists.unkept", "error=\"%s\"", err.msg);
	else if (r == 0)
		r = ipc_send(fd, MSG_LIST_KEEP, &none, sizeof(none), &keep, 1, NULL);
	return r == 0 ? ipc_send(fd, MSG_LIST_COMPILE, &none, sizeof(none), &e->reload.list_fd, 1, NULL) : r;
}

static int on_up(void *arg, enum role role, int fd)
{
	struct engine *e = arg;

	if (role == ROLE_DNSD)
		return up_dnsd(e, fd);
	if (role == ROLE_RECORDER)
		return up_recorder(e, fd);
	if (role == ROLE_FETCH)
		return send_config(fd, config_for(e->config->dnsd_uid, e->config->dnsd_gid));
	return role == ROLE_LISTC ? up_listc(e, fd) : -EINVAL;
}

static void on_down(void *arg, enum role role)
{
	struct engine *e = arg;

	if (role == ROLE_DNSD) {
		barrier_close(e->barrier);
		tap_stop(e->tap);
		command_dns_fail(e, "the resolver has just ended: it is started again");
	}
	if (role == ROLE_LISTC)
		engine_lists_lost(e);
	if (role == ROLE_FETCH)
		downloads_fetch_lost(e);
}

static void on_lost(void *arg)
{
	struct engine *e = arg;

	/* Without it no child can be started, and we may not start another: the service manager can. */
	e->exit_code = 1;
	(void)event_base_loopbreak(e->base);
}

/* A recorder that is slow or away costs names, never answers. */
static void on_seen(void *arg, const void *body, size_t len)
{
	struct engine *e = arg;
	int fd = supervise_fd(e->children, ROLE_RECORDER);

	if (fd != -1 && ipc_send(fd, MSG_NAME_SEEN, body, len, NULL, 0, NULL) == 0)
		return;
	if (e->counts.names_dropped++ % LOG_EVERY == 0)
		log_event(LOG_WARNING, "names.dropped", "total=%llu", (unsigned long long)e->counts.names_dropped);
}

static int on_drop(struct engine *e, const struct ipc_msg *m)
{
	struct timespec now;
	struct msg_drop drop;
	int r;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	memcpy(&drop, m->body, sizeof(drop));
	r = drops_note(e->drops, e->now.loaded != NULL ? e->now.loaded->plan : NULL, &drop,
		       (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	command_drops_wake(e);
	return r;
}

static int on_fetched(struct engine *e, const struct ipc_msg *m)
{
	struct msg_fetch_result result;

	memcpy(&result, m->body, sizeof(result));
	result.etag[sizeof(result.etag) - 1] = '\0';
	result.modified[sizeof(result.modified) - 1] = '\0';
	result.text[sizeof(result.text) - 1] = '\0';
	return downloads_result(e, &result);
}

/* What the list compiler says. */
static int on_list_message(struct engine *e, const struct ipc_msg *m)
{
	struct msg_list_counts counts;
	struct msg_list_result result;
	struct msg_list_kept kept;

	if (m->type == MSG_LIST_COUNTS) {
		memcpy(&counts, m->body, sizeof(counts));
		return downloads_counted(e, &counts) ? 0 : engine_lists_counted(e, &counts);
	}
	if (m->type == MSG_LIST_KEPT) {
		memcpy(&kept, m->body, sizeof(kept));
		kept.text[sizeof(kept.text) - 1] = '\0';
		engine_lists_kept(e, &kept);
		return 0;
	}
	memcpy(&result, m->body, sizeof(result));
	result.text[sizeof(result.text) - 1] = '\0';
	if (!downloads_checked(e, &result))
		engine_lists_result(e, &result);
	return 0;
}

static int on_message(void *arg, enum role role, struct ipc_msg *m)
{
	struct engine *e = arg;
	struct msg_prefix_result prefixes;
	struct msg_anchor anchor;
	struct msg_worker worker;
	struct msg_ready ready;

	switch (m->type) {
	case MSG_VIEWS_READY:
		memcpy(&ready, m->body, sizeof(ready));
		engine_views_ready(e, ready.generation);
		return 0;
	case MSG_ANCHOR:
		memcpy(&anchor, m->body, sizeof(anchor));
		if (anchor.state >= ANCHOR_STATE_MAX)
			return -EBADMSG;
		e->anchor = anchor;
		return 0;
	case MSG_NAME_SEEN:
		/* The table allows it from anybody, because it is handed on. */
		if (role != ROLE_DNSD || barrier_seen_check(m->body, m->len) < 0)
			return -EBADMSG;
		on_seen(e, m->body, m->len);
		return 0;
	case MSG_DROP:
		return on_drop(e, m);
	case MSG_DNS_DONE:
	case MSG_DNS_STATS:
	case MSG_DNS_UPSTREAM:
	case MSG_DNS_ENTRY:
	case MSG_DNS_FOUND:
		return command_dns_message(e, m);
	case MSG_DNSTAP_LOST:
		memcpy(&worker, m->body, sizeof(worker));
		return tap_lost(e->tap, worker.worker);
	case MSG_FETCH_RESULT:
		return on_fetched(e, m);
	case MSG_LIST_COUNTS:
	case MSG_LIST_RESULT:
	case MSG_LIST_KEPT:
		return on_list_message(e, m);
	case MSG_PREFIX_RESULT:
		memcpy(&prefixes, m->body, sizeof(prefixes));
		prefixes.text[sizeof(prefixes.text) - 1] = '\0';
		if (!downloads_addresses_checked(e, &prefixes))
			engine_prefix_result(e, &prefixes);
		return 0;
	default:
		return -EBADMSG;
	}
}

static void on_learn(void *arg, struct learn_req *reqs, uint32_t n)
{
	struct engine *e = arg;
	struct err err = { 0 };

	e->counts.learn_requests += n;
	if (e->now.loaded != NULL && e->revocation.old != NULL)
		learned_refuse_denied(e->now.loaded->plan, e->revocation.old->plan, e->now.generation, reqs, n);
	for (uint32_t i = 0; i < n && e->now.loaded == NULL; i++)
		reqs[i].status = -ESTALE;
	if (e->now.loaded != NULL &&
	    nft_learn(netfilter_channel(e), e->learned, e->now.loaded->plan, reqs, n, boot_us(), &err) < 0 &&
	    e->counts.learn_failed++ % LOG_EVERY == 0)
		log_event(LOG_WARNING, "learn.failed", "total=%llu error=\"%s\"",
			  (unsigned long long)e->counts.learn_failed, err.msg);
}

static void on_broken(void *arg, const char *why)
{
	struct engine *e = arg;

	supervise_replace(e->children, ROLE_DNSD, why);
}

void feed_drops(struct engine *e)
{
	int recorder = supervise_fd(e->children, ROLE_RECORDER);

	if (recorder != -1 && send_drops(e, recorder) < 0)
		supervise_replace(e->children, ROLE_RECORDER, "does not take the nflog socket");
}

void feed_cookie_keys(struct engine *e)
{
	int dnsd = supervise_fd(e->children, ROLE_DNSD);

	if (cookie_keys_renew(&e->cookie_keys, boot_us()) && dnsd != -1 && send_cookie_keys(e, dnsd) < 0)
		supervise_replace(e->children, ROLE_DNSD, "does not take the cookies' secret");
}

void feed_plan(struct engine *e)
{
	int dnsd = supervise_fd(e->children, ROLE_DNSD), recorder = supervise_fd(e->children, ROLE_RECORDER);

	/* One that has not even room for this in its channel is replaced, and given all of it then. */
	if (dnsd != -1 && send_views(e, dnsd) < 0)
		supervise_replace(e->children, ROLE_DNSD, "does not take the views");
	if (recorder != -1 && send_log_plan(e, recorder) < 0)
		supervise_replace(e->children, ROLE_RECORDER, "does not take the log plan");
}

const struct supervise_ops feed_children = { .up = on_up, .message = on_message, .down = on_down, .lost = on_lost };
const struct barrier_ops feed_barrier = { .learn = on_learn, .seen = on_seen, .broken = on_broken };
