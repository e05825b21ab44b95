/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recorder reads a message as soon as it is there; at a few hundred bytes a question one message each 100 ms costs
 * nothing, and one for each question would cost as much as its answer.
 *
 * Times are of the calendar there and of CLOCK_MONOTONIC here: the distance is taken with each new buffer, so that a
 * clock that is set is followed within 100 ms without asking it for each question. */
#include "dnsd/qlog.h"

#include "base/clock.h"
#include "base/ipc.h"
#include "dnsd/packet.h"

#define LATENCY_OPEN UINT32_MAX /* it has not left yet */
#define NO_LIST	     UINT32_MAX

static_assert(QLOG_BUFFER_BYTES <= MSG_BODY_MAX, "one message");
static_assert(DNS_LISTS_MAX == LISTS_MAX, "a list's number");

/* Questions of one kind in this minute, .n of them; 0: the slot is free. */
struct qlog_count {
	uint64_t n;
	uint32_t client, list; /* numbers of the views of now */
	uint8_t outcome, reason;
};

struct qlog {
	struct stats *stats;
	int fd; /* -1: there is no recorder for us */
	size_t len;
	size_t unsent; /* from here on latencies are open */
	uint64_t n_questions;
	uint64_t since_us;	      /* of the first in the buffer */
	uint64_t offset_us;	      /* of the calendar to CLOCK_MONOTONIC */
	uint64_t lost, lost_since_us; /* not told yet; of the calendar */
	uint64_t counted_us;	      /* since when; 0: nothing is counted */
	uint32_t n_counts;
	struct qlog_count counts[QLOG_COUNTS_MAX];
	_Alignas(8) uint8_t buf[QLOG_BUFFER_BYTES];
};

/* What is written beside the head. */
struct qlog_parts {
	const struct dname *name;
	const char *list, *rule;
	const struct ip_addr *addrs;
};

struct qlog *qlog_new(struct stats *stats)
{
	struct qlog *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->stats = stats;
	l->fd = -1;
	return l;
}

struct qlog *qlog_free(struct qlog *l)
{
	if (l == NULL)
		return NULL;
	fd_closep(&l->fd);
	free(l);
	return NULL;
}

void qlog_connect(struct qlog *l, int fd)
{
	fd_closep(&l->fd);
	l->fd = fd;
}

bool qlog_wanted(const struct views *v)
{
	for (uint32_t i = 0; i < v->n_views; i++)
		if (v->views[i].queries != LOG_LEVEL_OFF)
			return true;
	return false;
}

static void buffer_begin(struct qlog *l, uint64_t now_us)
{
	struct query_told_head lost = { .kind = QUERY_TOLD_LOST, .len = sizeof(lost) };

	l->since_us = now_us;
	l->offset_us = clock_realtime_us() - clock_monotonic_us();
	if (l->lost == 0)
		return;
	lost.at_us = l->lost_since_us;
	lost.count = l->lost;
	memcpy(l->buf, &lost, sizeof(lost));
	l->len = l->unsent = sizeof(lost);
}

static void buffer_lost(struct qlog *l, uint64_t now_us)
{
	if (l->lost == 0)
		l->lost_since_us = l->since_us + l->offset_us;
	l->lost += l->n_questions;
	l->stats->counts.events[DNS_EVENT_QUERIES_LOST] += l->n_questions;
	l->since_us = now_us; /* when it is tried again */
}

static void buffer_send(struct qlog *l, uint64_t now_us)
{
	bool tells_lost = l->lost != 0;

	if (l->len == 0)
		return;
	qlog_sent(l, now_us);
	if (l->fd != -1 && ipc_send(l->fd, MSG_QUERIES, l->buf, l->len, NULL, 0, NULL) == 0) {
		l->stats->counts.events[DNS_EVENT_QUERIES_TOLD] += l->n_questions;
		if (tells_lost)
			l->lost = 0;
	} else {
		buffer_lost(l, now_us);
	}
	l->len = l->unsent = 0;
	l->n_questions = 0;
}

static void put(struct qlog *l, struct query_told_head *h, const struct qlog_parts *p, uint64_t now_us)
{
	size_t list_len = p->list != NULL ? strnlen(p->list, QUERY_LIST_MAX) : 0;
	size_t rule_len = p->rule != NULL ? strnlen(p->rule, QUERY_RULE_MAX) : 0;
	struct wcur w;

	if (l->len + QUERY_TOLD_MAX > sizeof(l->buf))
		buffer_send(l, clock_monotonic_us());
	if (l->len == 0)
		buffer_begin(l, now_us);
	h->at_us += l->offset_us;
	h->name_len = p->name != NULL ? p->name->len : 0;
	h->list_len = (uint8_t)list_len;
	h->rule_len = (uint8_t)rule_len;
	h->len = (uint16_t)(sizeof(*h) + h->name_len + list_len + rule_len + h->n_addrs * sizeof(struct ip_addr));
	w = wcur_over(l->buf + l->len, sizeof(l->buf) - l->len);
	wcur_bytes(&w, h, sizeof(*h));
	wcur_bytes(&w, p->name != NULL ? p->name->wire : NULL, h->name_len);
	wcur_bytes(&w, p->list, list_len);
	wcur_bytes(&w, p->rule, rule_len);
	wcur_bytes(&w, p->addrs, h->n_addrs * sizeof(struct ip_addr));
	l->len += wcur_len(&w);
	l->n_questions += h->kind == QUERY_TOLD_COUNT ? h->count : 1;
}

static uint8_t reason_of(enum verdict_by by)
{
	switch (by) {
	case VERDICT_BY_DENY:
		return QUERY_REASON_POLICY;
	case VERDICT_BY_RECORDS:
		return QUERY_REASON_RECORDS;
	case VERDICT_BY_CANARY:
		return QUERY_REASON_CANARY;
	case VERDICT_BY_OVERRIDE:
		return QUERY_REASON_OVERRIDE;
	case VERDICT_BY_FILTER:
		return QUERY_REASON_FILTER;
	case VERDICT_BY_LIST:
		return QUERY_REASON_LIST;
	case VERDICT_BY_SAFE:
		return QUERY_REASON_SAFE;
	case VERDICT_BY_NONE:
	case VERDICT_BY_MAX:
		break;
	}
	return QUERY_REASON_NONE;
}

static bool by_list(enum verdict_by by)
{
	return by == VERDICT_BY_LIST || by == VERDICT_BY_SAFE;
}

/* .reason, .line and .flags; the number of the list, or NO_LIST. */
static uint32_t reason_fill(const struct query_env *env, const struct noted_answer *a, struct query_told_head *h)
{
	struct noted_reason r = a->excepted;

	if (a->verdict != NULL && a->verdict->by != VERDICT_BY_NONE)
		r = note_reason(env, a->verdict);
	else if (a->change != NULL)
		r = a->change->reason;
	else if (r.by != VERDICT_BY_NONE && r.generation == env->views->generation)
		h->flags |= QUERY_EXCEPTED;
	if (r.by != VERDICT_BY_NONE && r.generation == env->views->generation) {
		h->reason = reason_of(r.by);
		h->line = r.line;
		return by_list(r.by) ? r.list : NO_LIST;
	}
	h->reason = a->outcome == DNS_OUTCOME_REBIND  ? QUERY_REASON_REBIND
		    : a->outcome == DNS_OUTCOME_LOCAL ? QUERY_REASON_RECORDS
						      : QUERY_REASON_NONE;
	return NO_LIST;
}

static const char *list_name(const struct query_env *env, uint32_t list)
{
	return list < env->views->n_lists ? env->views->lists[list] : NULL;
}

/* Addresses of the answer section, in its order. The message is ours. */
static uint8_t addrs_read(const uint8_t *msg, size_t len, struct ip_addr ret[QUERY_ADDRS_MAX])
{
	struct rcur c = rcur_over(msg, len);
	uint16_t n_questions, n_answers;
	uint8_t n = 0;
	struct rr rr;

	(void)rcur_be32(&c);
	n_questions = rcur_be16(&c);
	n_answers = rcur_be16(&c);
	(void)rcur_be32(&c);
	if (n_answers == 0 || n_questions != 1)
		return 0;
	/* Its name is written out: it is the first. */
	for (uint8_t label = rcur_u8(&c); label != 0 && c.err == 0; label = rcur_u8(&c))
		(void)rcur_bytes(&c, label);
	(void)rcur_be32(&c);
	for (uint16_t i = 0; i < n_answers && n < QUERY_ADDRS_MAX && rr_read(&c, msg, &rr) == 0; i++) {
		bool v4 = rr.type == TYPE_A && rr.rdlen == 4, v6 = rr.type == TYPE_AAAA && rr.rdlen == 16;

		if (!v4 && !v6)
			continue;
		memset(&ret[n], 0, sizeof(ret[n]));
		ret[n].family = v4 ? IP_V4 : IP_V6;
		memcpy(ret[n].bytes, msg + rr.rdata, rr.rdlen);
		n++;
	}
	return n;
}

static void counts_tell(struct qlog *l, const struct query_env *env)
{
	for (uint32_t i = 0; i < QLOG_COUNTS_MAX && l->n_counts != 0; i++) {
		struct qlog_count *c = &l->counts[i];
		struct query_told_head h = { .kind = QUERY_TOLD_COUNT,
					     .level = LOG_LEVEL_COUNTS,
					     .at_us = l->counted_us,
					     .count = c->n,
					     .outcome = c->outcome,
					     .reason = c->reason,
					     .rcode = QUERY_RCODE_NONE };
		struct qlog_parts parts = { 0 };

		if (c->n == 0)
			continue;
		h.client = env->views->clients[c->client].addr;
		parts.list = c->list != NO_LIST ? list_name(env, c->list) : NULL;
		put(l, &h, &parts, env->now_us);
		*c = (struct qlog_count){ 0 };
		l->n_counts--;
	}
	l->counted_us = 0;
}

static void count_add(struct qlog *l, const struct query_env *env, const struct query_told_head *h, uint32_t client,
		      uint32_t list)
{
	uint32_t at = (client * 31u + list * 7u + h->outcome * 5u + h->reason) % QLOG_COUNTS_MAX;

	if (l->n_counts >= QLOG_COUNTS_MAX / 4 * 3)
		counts_tell(l, env);
	for (;; at = (at + 1) % QLOG_COUNTS_MAX) {
		struct qlog_count *c = &l->counts[at];

		if (c->n == 0) {
			*c = (struct qlog_count){
				.client = client, .list = list, .outcome = h->outcome, .reason = h->reason
			};
			l->n_counts++;
		}
		if (c->client == client && c->list == list && c->outcome == h->outcome && c->reason == h->reason) {
			c->n++;
			break;
		}
	}
	if (l->counted_us == 0)
		l->counted_us = env->now_us;
}

void qlog_views_end(struct qlog *l, const struct query_env *env)
{
	if (env->views != NULL)
		counts_tell(l, env);
}

void qlog_add(struct qlog *l, const struct query_env *env, const struct view_client *client,
	      enum dns_transport transport, const struct noted_answer *a)
{
	struct query_told_head h = { .kind = QUERY_TOLD_ONE,
				     .level = (uint8_t)env->views->views[client->view].queries,
				     .outcome = (uint8_t)a->outcome,
				     .transport = (uint8_t)transport,
				     .rcode = QUERY_RCODE_NONE,
				     .at_us = a->came_us,
				     .type = a->type,
				     .client = client->addr,
				     .upstream = a->upstream,
				     .upstream_port = a->upstream_port };
	struct qlog_parts parts = { .name = a->name };
	struct ip_addr addrs[QUERY_ADDRS_MAX];
	char rule[VERDICT_RULE_MAX];
	uint32_t list = reason_fill(env, a, &h);

	if (h.level == LOG_LEVEL_COUNTS) {
		count_add(l, env, &h, views_client_number(env->views, client), list);
		return;
	}
	h.latency_us = a->came_us == env->now_us		 ? LATENCY_OPEN
		       : env->now_us - a->came_us < LATENCY_OPEN ? (uint32_t)(env->now_us - a->came_us)
								 : LATENCY_OPEN - 1;
	if (a->len >= (int)DNS_HEADER_LEN) {
		h.rcode = a->msg[3] & DNS_RCODE;
		h.n_addrs = addrs_read(a->msg, (size_t)a->len, addrs);
		parts.addrs = addrs;
	} else {
		h.flags |= QUERY_SILENT;
	}
	parts.list = list != NO_LIST ? list_name(env, list) : NULL;
	if (a->verdict != NULL)
		parts.rule = verdict_rule(a->verdict, rule, sizeof(rule));
	else if (a->change != NULL)
		parts.rule = a->change->rule;
	put(l, &h, &parts, env->now_us);
}

void qlog_sent(struct qlog *l, uint64_t now_us)
{
	struct query_told_head h;

	for (; l->unsent < l->len; l->unsent += h.len) {
		uint64_t took;

		memcpy(&h, l->buf + l->unsent, sizeof(h));
		if (h.latency_us != LATENCY_OPEN)
			continue;
		took = now_us + l->offset_us - h.at_us;
		h.latency_us = took < LATENCY_OPEN ? (uint32_t)took : LATENCY_OPEN - 1;
		memcpy(l->buf + l->unsent, &h, sizeof(h));
	}
}

void qlog_flush(struct qlog *l, const struct query_env *env)
{
	if (l->counted_us != 0 && env->now_us - l->counted_us >= QLOG_COUNTS_US)
		counts_tell(l, env);
	if (l->len == 0 && l->lost != 0 && env->now_us - l->since_us >= QLOG_DELAY_US)
		buffer_begin(l, env->now_us - QLOG_DELAY_US);
	if (l->len != 0 && env->now_us - l->since_us >= QLOG_DELAY_US)
		buffer_send(l, env->now_us);
}

uint64_t qlog_deadline_us(const struct qlog *l)
{
	uint64_t buffer = l->len != 0 || l->lost != 0 ? l->since_us + QLOG_DELAY_US : UINT64_MAX;
	uint64_t counts = l->counted_us != 0 ? l->counted_us + QLOG_COUNTS_US : UINT64_MAX;

	return buffer < counts ? buffer : counts;
}
