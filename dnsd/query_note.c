/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is written down of questions and answers: the counters of stats.h, and dnstap where the device's policy has it
 * told. Called by admit.c, ask.c and query.c. */
#include "dnsd/query_note.h"

#include <time.h>

#include "dnsd/dnstap.h"

uint64_t realtime_us(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

void query_note(struct query_env *env, enum dns_outcome outcome, uint16_t type, uint64_t came_us, const uint8_t *msg,
		int len)
{
	stats_outcome(&env->stats, outcome);
	if (len >= (int)DNS_HEADER_LEN)
		stats_answer(&env->stats, type, (uint16_t)(msg[2] << 8 | msg[3]));
	if (came_us != env->now_us) {
		stats_stage(&env->stats, DNS_STAGE_WHOLE, env->now_us - came_us);
		return;
	}
	if (env->at_once.n++ == 0)
		env->at_once.since_us = came_us;
	env->at_once.cached += outcome == DNS_OUTCOME_CACHED;
}

void query_sent(struct query_env *env)
{
	const struct query_at_once *a = &env->at_once;

	histogram_add(&env->stats.stages[DNS_STAGE_WHOLE], env->now_us - a->since_us, a->n);
	histogram_add(&env->stats.stages[DNS_STAGE_CACHED], env->now_us - a->since_us, a->cached);
	env->at_once = (struct query_at_once){ 0 };
}

static uint16_t peer_port(const struct query_from *from)
{
	if (from->peer_len == 0)
		return 0;
	return ntohs(from->peer.any.sa_family == AF_INET ? from->peer.v4.sin_port : from->peer.v6.sin6_port);
}

/* To dnstap, if the device's policy has it told. @came_us is of env's clock; told is that of the calendar. */
static void tap(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		enum dns_outcome outcome, struct dnstap_event *event, uint64_t came_us)
{
	const struct view_client *client = views_client(env->views, addr);

	if (client == NULL || from->trace != NULL ||
	    !dnstap_wants(&env->views->views[client->view], event->response, outcome))
		return;
	event->transport = from->transport;
	event->client = *addr;
	event->client_port = peer_port(from);
	event->now_us = realtime_us();
	event->asked_us = event->now_us - (env->now_us - came_us);
	dnstap_add(env->tap, event);
}

void query_tap_answer(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		      enum dns_outcome outcome, const uint8_t *msg, int len, uint64_t came_us, const char *rule)
{
	struct dnstap_event event = { .response = true, .msg = msg, .len = len > 0 ? (size_t)len : 0, .rule = rule };

	if (dnstap_on(env->tap) && len > 0)
		tap(env, from, addr, outcome, &event, came_us);
}

void query_tap_question(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
			const uint8_t *msg, size_t len)
{
	struct dnstap_event event = { .msg = msg, .len = len };

	if (dnstap_on(env->tap))
		tap(env, from, addr, DNS_OUTCOME_MAX, &event, env->now_us);
}
