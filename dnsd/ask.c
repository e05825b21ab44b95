/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way of most questions: what was asked before and is given as it is, and what is blocked, by the views of now.
 * Nothing is allocated and nothing is locked. An answer goes as it is where query.c has decided so for the same view
 * (cache_entry_plain()), or where a view has nothing but lists, and they say nothing of it (memo.h). All others go on
 * to query_begin(). Called by worker.c.
 *
 * An entry of a large cache is not in the processor's, nor is a row of a large list: fetching them costs more than all
 * the rest that is done for an answer. So messages that came together are read first, while the table's slots, then the
 * entries, and then what the lists have of all of them are on their way, and answered then. */
#include "dnsd/ask.h"

#include "dnsd/admit.h"
#include "dnsd/answer.h"
#include "dnsd/blocked_text.h"
#include "dnsd/dnstap.h"
#include "dnsd/memo.h"
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
	a->maybe_cached = a->absent = false;
	a->probe.file = NULL;
	a->admit = admit(env, q, &m->from, &m->addr, m->msg, m->len, &a->client);
	if (a->admit != ADMIT_NAME || m->from.trace != NULL)
		return;
	a->maybe_cached = true;
	a->key = (struct cache_key){ .name = &q->name,
				     .resolver = env->routes[env->views->views[a->client->view].route].number,
				     .type = q->type,
				     .dnssec_ok = q->dnssec_ok,
				     .checking_disabled = (q->flags & DNS_CD) != 0 };
	a->hash = cache_hash(env->cache, &a->key);
	cache_prefetch_slot(env->cache, a->hash);
}

/* It is there, and this view's lists, rules and guards have nothing to say of it: it goes as it is. */
static bool entry_goes(const struct query_env *env, const struct cache_entry *e, const struct asked *a)
{
	const struct views *v = env->views;
	const struct view *view = &v->views[a->client->view];

	return cache_entry_plain(e, v->generation, a->client->view) ||
	       (view->only_lists && !e->rebind && !e->failure && memo_name_free(e, v, view) &&
		memo_answer_free(e, v, view));
}

static struct cache_entry *entry_fresh(struct query_env *env, const struct asked *a)
{
	struct cache_entry *e = cache_find(env->cache, &a->key, a->hash);

	return e != NULL && cache_entry_fresh(e, env->now_us) && (a->question.flags & DNS_RD) != 0 ? e : NULL;
}

/* The lists will be asked. */
static void ask_probe(struct query_env *env, struct asked *a)
{
	const struct views *v = env->views;
	const struct view *view = &v->views[a->client->view];
	const struct cache_entry *e = entry_fresh(env, a);

	a->absent = e == NULL;
	if (v->listfile != NULL && (view->lists | view->safe_lists) != 0 && (e == NULL || !entry_goes(env, e, a)))
		listfile_probe(v->listfile, &a->question.name, &a->probe);
}

/* @v: by which it passes, or NULL. */
static void send_entry(struct query_env *env, const struct query_from *from, struct asked *a, struct cache_entry *e,
		       const struct name_verdict *v)
{
	struct question *q = &a->question;
	struct noted_answer noted;
	int len;

	cache_use(e);
	cache_entry_age(e, env->now_us);
	len = answer_from_entry(q, e, EDE_NONE, NULL, env->buf, answer_limit(q, from->tcp != NULL));
	noted = (struct noted_answer){ .outcome = DNS_OUTCOME_CACHED,
				       .type = q->type,
				       .came_us = env->now_us,
				       .msg = env->buf,
				       .len = len,
				       .client = a->client,
				       .name = &q->name };
	if (v != NULL)
		noted.excepted = note_exception(env, v);
	note_answer(env, from, &a->client->addr, &noted);
	env->send(env->arg, from, env->buf, len > 0 ? (size_t)len : 0);
	if (ask_ahead_due(env, e))
		ask_ahead(env, &env->views->views[a->client->view], &a->key, a->hash, e);
}

/* Why a name is blocked has readers: an extended error, dnstap, the query log. */
static bool reason_wanted(const struct query_env *env, const struct view *view, const struct question *q)
{
	return q->edns || dnstap_on(env->tap) || view->queries != LOG_LEVEL_OFF;
}

static void send_blocked(struct query_env *env, const struct query_from *from, const struct asked *a,
			 const struct name_verdict *v)
{
	const struct view *view = &env->views->views[a->client->view];
	const struct question *q = &a->question;
	struct noted_answer noted = { .outcome = DNS_OUTCOME_BLOCKED, .type = q->type, .came_us = env->now_us };
	char text[DNS_EDE_TEXT_MAX + 1];

	text[0] = '\0';
	if (reason_wanted(env, view, q))
		blocked_text(view, v, NULL, text, sizeof(text));
	noted.len = query_blocked_write(env, from, q, view, v, text, answer_limit(q, from->tcp != NULL));
	if (noted.len == 0)
		noted.outcome = DNS_OUTCOME_DROPPED_RULE;
	noted.msg = env->buf;
	noted.rule = text;
	noted.verdict = v;
	noted.client = a->client;
	noted.name = &q->name;
	note_answer(env, from, &a->client->addr, &noted);
	env->send(env->arg, from, env->buf, noted.len > 0 ? (size_t)noted.len : 0);
}

/* By what is known now: from the cache, or blocked. False: it takes longer; *ret_judged: @verdict is that on the name.
 */
static bool ask_now(struct query_env *env, const struct query_from *from, struct asked *a, struct name_verdict *verdict,
		    bool *ret_judged)
{
	const struct view *view = &env->views->views[a->client->view];
	struct cache_entry *e = a->absent ? NULL : entry_fresh(env, a);
	struct verdict_ask ask = { .views = env->views,
				   .view = view,
				   .client = a->client,
				   .type = a->question.type,
				   .scratch = env->scratch,
				   .probe = &a->probe,
				   .brief = !reason_wanted(env, view, &a->question) };

	if (e != NULL && entry_goes(env, e, a)) {
		send_entry(env, from, a, e, NULL);
		return true;
	}
	if (a->question.type == TYPE_ANY)
		return false;
	verdict_name(&ask, &a->question.name, verdict);
	*ret_judged = true;
	if (query_blocks(verdict, from)) {
		send_blocked(env, from, a, verdict);
		return true;
	}
	/* An exception lets all pass that the answer leads to. */
	if (e == NULL || verdict->verdict != DNS_PASS || !view->only_lists || e->rebind || e->failure ||
	    !cache_entry_has_memo(e, env->views->generation) ||
	    !(verdict->by_exception || memo_answer_free(e, env->views, view)))
		return false;
	send_entry(env, from, a, e, verdict);
	return true;
}

static bool ask_answer(struct query_env *env, const struct ask_message *m, struct asked *a)
{
	struct name_verdict verdict;
	bool judged = false;

	switch (a->admit) {
	case ADMIT_NAME:
		return (a->maybe_cached && ask_now(env, &m->from, a, &verdict, &judged)) ||
		       query_begin(env, &m->from, &m->addr, &a->question, judged ? &verdict : NULL);
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
	struct asked *asked = env->asked_now;

	for (uint32_t i = 0; i < n; i++)
		ask_read(env, &messages[i], &asked[i]);
	for (uint32_t i = 0; i < n; i++)
		if (asked[i].maybe_cached)
			cache_prefetch_entry(env->cache, asked[i].hash);
	for (uint32_t i = 0; i < n; i++)
		if (asked[i].maybe_cached)
			ask_probe(env, &asked[i]);
	for (uint32_t i = 0; i < n; i++)
		if (asked[i].maybe_cached)
			listfile_probe_rows(&asked[i].probe);
	for (uint32_t i = 0; i < n; i++)
		(void)ask_answer(env, &messages[i], &asked[i]);
}
