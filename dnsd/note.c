/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counting is two or three increments. What is answered in the callback that read it has taken no time by env->now_us:
 * how long it took is measured once for all of them, when the worker has sent what it has. */
#include "dnsd/note.h"

#include "base/clock.h"

#include "base/sockaddr.h"
#include "dnsd/dnstap.h"
#include "dnsd/qlog.h"

static uint16_t peer_port(const struct query_from *from)
{
	if (from->peer_len == 0)
		return 0;
	return ntohs(from->peer.any.sa_family == AF_INET ? from->peer.v4.sin_port : from->peer.v6.sin6_port);
}

/* To dnstap, if the device's policy has it told. @came_us is of env's clock; what is told is of the calendar. */
static void tap(struct query_env *env, const struct query_from *from, const struct view_client *client,
		enum dns_outcome outcome, struct dnstap_event *event, uint64_t came_us)
{
	if (!dnstap_wants(&env->views->views[client->view], event->response, outcome))
		return;
	event->transport = from->transport;
	event->client = client->addr;
	event->client_port = peer_port(from);
	event->now_us = clock_realtime_us();
	event->asked_us = event->now_us - (env->now_us - came_us);
	dnstap_add(env->tap, event);
}

void note_question(struct query_env *env, const struct query_from *from, const struct view_client *client,
		   const uint8_t *msg, size_t len)
{
	struct dnstap_event event = { .msg = msg, .len = len };

	if (dnstap_on(env->tap) && from->trace == NULL)
		tap(env, from, client, DNS_OUTCOME_MAX, &event, env->now_us);
}

void note_dropped(struct query_env *env, const struct query_from *from, enum dns_outcome outcome)
{
	if (from->trace == NULL)
		stats_outcome(&env->stats, outcome);
}

static void tap_answer(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		       const struct noted_answer *a)
{
	struct dnstap_event event = { .response = true, .msg = a->msg, .len = (size_t)a->len, .rule = a->rule };
	/* By the views of now: a device that has just been taken out of the logs is told of no more. */
	const struct view_client *client = views_client(env->views, addr);

	if (client != NULL)
		tap(env, from, client, a->outcome, &event, a->came_us);
}

static void record_answer(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
			  const struct noted_answer *a)
{
	const struct view_client *client = a->client != NULL ? a->client : views_client(env->views, addr);

	if (client != NULL && a->name != NULL &&
	    note_wants(&env->views->views[client->view], a->outcome, a->verdict != NULL || a->change != NULL))
		qlog_add(env->log, env, client, from->transport, a);
}

/* Lists have their numbers of the views of now. */
static void count_list(struct query_env *env, const struct noted_answer *a)
{
	struct noted_reason r;

	if (a->verdict != NULL)
		r = note_reason(env, a->verdict);
	else if (a->change != NULL && a->change->reason.generation == env->views->generation)
		r = a->change->reason;
	else
		return;
	if (r.by == VERDICT_BY_LIST || r.by == VERDICT_BY_SAFE)
		env->stats.counts.lists[r.list % DNS_LISTS_MAX]++;
}

void note_answer(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		 const struct noted_answer *a)
{
	if (from->trace != NULL) {
		from->trace->outcome = a->outcome;
		return;
	}
	stats_outcome(&env->stats, a->outcome);
	if (a->len >= (int)DNS_HEADER_LEN)
		stats_answer(&env->stats, a->type, (uint16_t)(a->msg[2] << 8 | a->msg[3]));
	count_list(env, a);
	if (dnstap_on(env->tap) && a->len > 0)
		tap_answer(env, from, addr, a);
	if (env->recording)
		record_answer(env, from, addr, a);
	if (a->came_us != env->now_us) {
		stats_stage(&env->stats, DNS_STAGE_WHOLE, env->now_us - a->came_us);
		return;
	}
	if (env->at_once.n++ == 0)
		env->at_once.since_us = a->came_us;
	env->at_once.cached += a->outcome == DNS_OUTCOME_CACHED;
}

void query_sent(struct query_env *env)
{
	const struct query_at_once *a = &env->at_once;

	histogram_add(&env->stats.stages[DNS_STAGE_WHOLE], env->now_us - a->since_us, a->n);
	histogram_add(&env->stats.stages[DNS_STAGE_CACHED], env->now_us - a->since_us, a->cached);
	if (env->log != NULL)
		qlog_sent(env->log, env->now_us);
	env->at_once = (struct query_at_once){ 0 };
}
