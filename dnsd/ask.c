/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way of most questions: what was asked before and is given as it is, by the views of now. Nothing is allocated,
 * nothing is locked, and nothing is decided that was not decided by query.c for the same view (cache_entry_plain()).
 * All others go on to query_begin(). Called by worker.c.
 *
 * An entry of a large cache is not in the processor's: fetching it costs more than all the rest that is done for an
 * answer. So messages that came together are read first, while the table's slots and then the entries of all of them
 * are on their way, and answered then. */
#include "dnsd/ask.h"

#include "dnsd/admit.h"
#include "dnsd/answer.h"
#include "dnsd/note.h"

/* unbound has the same tenth. What lives shorter than ten seconds would be asked for at every look. */
#define AHEAD_PART	  10u
#define AHEAD_LIFE_MIN_US 10000000u

bool ask_ahead_due(const struct query_env *env, const struct cache_entry *e)
{
	uint64_t left_us = e->expires_us - env->now_us, life_us = e->expires_us - e->stored_us;

	return left_us * AHEAD_PART <= life_us && life_us >= AHEAD_LIFE_MIN_US && !e->refreshing &&
	       e->retry_us <= env->now_us;
}

void ask_ahead(struct query_env *env, const struct view *view, const struct cache_key *key, uint64_t hash,
	       struct cache_entry *e)
{
	struct resolver *resolver = env->routes[view->route].resolver;
	bool guard = !route_private_ok(&env->views->routes[view->route], key->name);

	if (resolver == NULL)
		return;
	e->refreshing = true;
	stats_event(&env->stats, DNS_EVENT_PREFETCHED);
	if (fetch_ask(env->fetches, resolver, key, hash, guard, NULL) != 0)
		e->refreshing = false;
}

/* Read @m, and say where its answer would be. */
static void ask_read(struct query_env *env, const struct ask_message *m, struct asked *a)
{
	struct question *q = &a->question;

	if (m->from.trace == NULL)
		stats_transport(&env->stats, m->from.transport);
	a->maybe_cached = false;
	a->admit = admit(env, q, &m->from, &m->addr, m->msg, m->len, &a->client);
	if (a->admit != ADMIT_NAME || m->from.trace != NULL || (q->flags & DNS_RD) == 0)
		return;
	a->key = (struct cache_key){ .name = &q->name,
				     .resolver = env->routes[env->views->views[a->client->view].route].number,
				     .type = q->type,
				     .dnssec_ok = q->dnssec_ok,
				     .checking_disabled = (q->flags & DNS_CD) != 0 };
	a->hash = cache_hash(env->cache, &a->key);
	cache_prefetch_slot(env->cache, a->hash);
	a->maybe_cached = true;
}

static bool ask_cached(struct query_env *env, const struct query_from *from, struct asked *a)
{
	struct question *q = &a->question;
	struct cache_entry *e = cache_find(env->cache, &a->key, a->hash);
	struct noted_answer noted;
	int len;

	if (e == NULL || !cache_entry_fresh(e, env->now_us) ||
	    !cache_entry_plain(e, env->views->generation, a->client->view))
		return false;
	cache_use(e);
	cache_entry_age(e, env->now_us);
	len = answer_from_entry(q, e, EDE_NONE, NULL, env->buf, answer_limit(q, from->tcp != NULL));
	noted = (struct noted_answer){
		.outcome = DNS_OUTCOME_CACHED, .type = q->type, .came_us = env->now_us, .msg = env->buf, .len = len
	};
	note_answer(env, from, &a->client->addr, &noted);
	env->send(env->arg, from, env->buf, len > 0 ? (size_t)len : 0);
	if (ask_ahead_due(env, e))
		ask_ahead(env, &env->views->views[a->client->view], &a->key, a->hash, e);
	return true;
}

static bool ask_answer(struct query_env *env, const struct ask_message *m, struct asked *a)
{
	switch (a->admit) {
	case ADMIT_NAME:
		return (a->maybe_cached && ask_cached(env, &m->from, a)) ||
		       query_begin(env, &m->from, &m->addr, &a->question);
	case ADMIT_ANSWERED:
		return true;
	case ADMIT_DROPPED:
	case ADMIT_MAX:
		break;
	}
	return false;
}

bool ask(struct query_env *env, const struct ask_message *message)
{
	ask_read(env, message, &env->asked_now[0]);
	return ask_answer(env, message, &env->asked_now[0]);
}

void ask_batch(struct query_env *env, const struct ask_message *messages, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ask_read(env, &messages[i], &env->asked_now[i]);
	for (uint32_t i = 0; i < n; i++)
		if (env->asked_now[i].maybe_cached)
			cache_prefetch_entry(env->cache, env->asked_now[i].hash);
	for (uint32_t i = 0; i < n; i++)
		(void)ask_answer(env, &messages[i], &env->asked_now[i]);
}
