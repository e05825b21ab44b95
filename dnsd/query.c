/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of decisions on a query. Called by ask.c with questions, by fetch.c with answers, by learn.c
 * when the kernel has acknowledged.
 *
 *   state      | event              | next
 *   new        | refused or local   | sent
 *   new        | passes, cached     | sent, or held when addresses are learned
 *   new        | passes             | resolving
 *   resolving  | answer, same views | sent, or held when addresses are learned
 *   resolving  | answer, new views  | again, then new: by the views of now, from the cache
 *   resolving  | failure, deadline  | what has expired is sent, or SERVFAIL
 *   held       | ACK                | sent
 *   held       | error or deadline  | SERVFAIL sent
 *
 * Most queries go none of these ways: ask_cached() copies an answer that this view was given before
 * (cache_entry.plain_views). What is remembered there is that nothing is to be decided, and it is forgotten with the
 * views that decided it.
 *
 * A query holds no views: each decision is made by the views of the moment, so that after a swap nothing is decided by
 * the old ones. The client is looked up anew too: it may have gone. */
#include "dnsd/query_inner.h"

#include "dnsd/answer.h"
#include "dnsd/ask.h"
#include "dnsd/local.h"
#include "dnsd/note.h"

#define QUERY_OF_WAIT(w) ((struct query *)(void *)((char *)(w)-offsetof(struct query, wait)))

static void queue_add(struct query_queue *to, struct query *q)
{
	q->next = NULL;
	q->prev = to->last;
	if (to->last != NULL)
		to->last->next = q;
	else
		to->first = q;
	to->last = q;
}

static void queue_remove(struct query_queue *from, struct query *q)
{
	if (q->prev != NULL)
		q->prev->next = q->next;
	else
		from->first = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	else
		from->last = q->prev;
}

void query_release(struct query *q)
{
	struct query_env *env = q->env;

	q->load->queries--;
	client_put(env->clients, q->load);
	free(q->answer);
	q->answer = NULL;
	free(q->change);
	q->change = NULL;
	env->n_queries--;
	q->next = env->unused;
	env->unused = q;
}

static void trace_client(const struct query *q, const struct view_client *client)
{
	const struct views *v = q->env->views;
	const struct plan_split *split;
	struct query_trace *t = q->from.trace;

	if (t == NULL)
		return;
	(void)snprintf(t->device, sizeof(t->device), "%s", client->device);
	t->route = v->views[client->view].route;
	split = route_split(&v->routes[t->route], &q->question.name);
	t->split = split != NULL ? split->suffix : (struct dname){ 0 };
}

static struct query_queue *asked_of(struct query *q)
{
	return q->stale ? &q->env->asked_stale : &q->env->asked;
}

/* Of a failure: validation has something against the answer (RFC 8914 4.2, 4.3, 4.6 to 4.13). */
static bool ede_is_bogus(int ede)
{
	return ede == EDE_DNSKEY_ALGORITHM || ede == EDE_DS_DIGEST ||
	       (ede >= EDE_INDETERMINATE && ede <= EDE_NSEC_MISSING);
}

static void query_failed(struct query *q, const struct cache_entry *e)
{
	q->outcome = ede_is_bogus(e->ede) ? DNS_OUTCOME_BOGUS : DNS_OUTCOME_SERVFAIL;
	query_error(q, RCODE_SERVFAIL, e->ede, cache_entry_text(e));
}

static struct cache_key query_key(const struct query *q, const struct view *view)
{
	return (struct cache_key){ .name = query_name(q),
				   .resolver = q->env->routes[view->route].number,
				   .type = q->question.type,
				   .dnssec_ok = q->question.dnssec_ok,
				   .checking_disabled = (q->question.flags & DNS_CD) != 0 };
}

/* What has expired instead of nothing. */
static void query_stale(struct query *q, const struct view_client *client)
{
	struct query_env *env = q->env;
	struct cache_key key = query_key(q, &env->views->views[client->view]);
	struct cache_entry *e = cache_find(env->cache, &key, cache_hash(env->cache, &key));

	if (e == NULL || !cache_entry_usable(e, env->now_us)) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_NO_AUTHORITY, "no upstream answered");
		return;
	}
	q->outcome = DNS_OUTCOME_STALE;
	cache_use(e);
	cache_entry_age(e, env->now_us);
	query_entry(q, client->view, e);
}

void query_expire(struct query_env *env)
{
	struct query *q;

	while ((q = env->asked.first) != NULL && q->deadline_us <= env->now_us) {
		queue_remove(&env->asked, q);
		fetch_leave(&q->wait);
		q->outcome = DNS_OUTCOME_TIMED_OUT;
		stats_stage(&env->stats, DNS_STAGE_UPSTREAM, env->now_us - q->asked_us);
		query_error(q, RCODE_SERVFAIL, EDE_NO_AUTHORITY, "no upstream answered in time");
	}
	while ((q = env->asked_stale.first) != NULL && q->deadline_us <= env->now_us) {
		const struct view_client *client = views_client(env->views, &q->client);

		queue_remove(&env->asked_stale, q);
		fetch_leave(&q->wait);
		stats_stage(&env->stats, DNS_STAGE_UPSTREAM, env->now_us - q->asked_us);
		if (client == NULL || q->generation != env->views->generation)
			queue_add(&env->again, q);
		else
			query_stale(q, client);
	}
}

uint64_t query_deadline_us(const struct query_env *env)
{
	uint64_t a = env->asked.first != NULL ? env->asked.first->deadline_us : UINT64_MAX;
	uint64_t b = env->asked_stale.first != NULL ? env->asked_stale.first->deadline_us : UINT64_MAX;

	return a < b ? a : b;
}

void query_fetched(struct fetch_wait *w, struct cache_entry *e, void *arg)
{
	struct query *q = QUERY_OF_WAIT(w);
	struct query_env *env = q->env;
	const struct view_client *client;

	(void)arg;
	stats_stage(&env->stats, DNS_STAGE_UPSTREAM, env->now_us - q->asked_us);
	queue_remove(asked_of(q), q);
	client = q->generation == env->views->generation ? views_client(env->views, &q->client) : NULL;
	if (client == NULL || q->resolver != env->routes[env->views->views[client->view].route].number) {
		stats_event(&env->stats, DNS_EVENT_RESTARTED);
		queue_add(&env->again, q);
		return;
	}
	q->outcome = DNS_OUTCOME_SERVFAIL;
	if (e == NULL) {
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL);
	} else if (!e->failure) {
		q->outcome = q->wait.joined ? DNS_OUTCOME_COALESCED : DNS_OUTCOME_RESOLVED;
		query_entry(q, client->view, e);
	} else if (q->stale && !e->bogus) {
		query_stale(q, client);
	} else {
		query_failed(q, e);
	}
}

/* Ask, and wait. */
static void query_fetch(struct query *q, const struct view *view, const struct cache_key *key, uint64_t hash)
{
	struct query_env *env = q->env;
	bool guard = !route_private_ok(&env->views->routes[view->route], query_name(q));
	int rc;

	q->asked_us = env->now_us;
	q->generation = env->views->generation;
	q->resolver = key->resolver;
	q->deadline_us = env->now_us + (q->stale ? QUERY_STALE_US : QUERY_DEADLINE_US);
	queue_add(asked_of(q), q);
	rc = fetch_ask(env->fetches, env->routes[view->route].resolver, key, hash, guard, &q->wait);
	if (rc == 0)
		return; /* it may be answered and gone */
	queue_remove(asked_of(q), q);
	if (q->stale)
		query_stale(q, views_client(env->views, &q->client));
	else if (rc == -EBUSY)
		query_error(q, RCODE_SERVFAIL, EDE_OTHER, "too many questions for this zone are under way");
	else
		query_error(q, RCODE_SERVFAIL, EDE_NO_AUTHORITY, "the resolver refused the question");
}

static void query_cached(struct query *q, uint32_t n_view, const struct cache_key *key, uint64_t hash,
			 struct cache_entry *e)
{
	struct query_env *env = q->env;
	bool due = ask_ahead_due(env, e);
	struct dname name = *key->name; /* the query is gone when it is answered */
	struct cache_key again = *key;

	again.name = &name;
	q->outcome = DNS_OUTCOME_CACHED;
	cache_use(e);
	cache_entry_age(e, env->now_us);
	query_entry(q, n_view, e);
	if (due)
		ask_ahead(env, &env->views->views[n_view], &again, hash, e);
}

void query_resolve(struct query *q, const struct view_client *client)
{
	struct query_env *env = q->env;
	uint32_t n_view = client->view;
	const struct view *view = &env->views->views[n_view];
	struct cache_key key = query_key(q, view);
	uint64_t hash = cache_hash(env->cache, &key);
	struct cache_entry *e = cache_find(env->cache, &key, hash);

	if ((q->question.flags & DNS_RD) == 0) {
		q->outcome = DNS_OUTCOME_REFUSED;
		query_error(q, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, "recursion was not asked for (RD)");
		return;
	}
	q->outcome = DNS_OUTCOME_SERVFAIL;
	q->stale = e != NULL && cache_entry_usable(e, env->now_us);
	if (q->stale && cache_entry_fresh(e, env->now_us)) {
		query_cached(q, n_view, &key, hash, e);
	} else if (e != NULL && e->retry_us > env->now_us) {
		if (q->stale)
			query_stale(q, client);
		else
			query_failed(q, e);
	} else if (env->routes[view->route].resolver == NULL) {
		query_error(q, RCODE_SERVFAIL, EDE_NO_AUTHORITY, "the resolver could not be started: see the log");
	} else if (q->from.trace != NULL ||
		   ratelimit_miss(env->limits, views_client_number(env->views, client), env->now_us)) {
		query_fetch(q, view, &key, hash);
	} else if (q->stale) {
		query_stale(q, client);
	} else {
		q->outcome = DNS_OUTCOME_RATE_LIMITED;
		query_error(q, RCODE_SERVFAIL, EDE_OTHER, "rate limit: too many names that are not in the cache");
	}
}

static void query_records(struct query *q, const struct view *view)
{
	struct query_env *env = q->env;
	struct ip_addr addrs[LEARN_ADDRS_MAX];
	struct local_answer a;
	uint32_t n_addrs = 0;
	int len;

	(void)records_answer(env->views->records, &q->question.name, q->question.type, &a);
	for (uint32_t i = 0; i < a.n && n_addrs < LEARN_ADDRS_MAX; i++)
		if (a.records[i].type == q->question.type && a.records[i].addr.family != IP_NONE)
			addrs[n_addrs++] = a.records[i].addr;
	q->outcome = DNS_OUTCOME_LOCAL;
	len = local_records(&q->question, &a, LEARN_ADDRS_MAX, env->buf, query_limit(q));
	(void)query_deliver(q, view, addrs, n_addrs, local_answer_ttl_s(&a, q->question.type), len);
}

int query_special_write(struct query_env *env, const struct view *view, const struct question *as, size_t limit)
{
	uint8_t labels = 0;
	enum special special = special_name(&as->name, &labels);
	bool split = route_split(&env->views->routes[view->route], &as->name) != NULL;

	/* DS belongs to the parent's side of a cut, and libunbound asks there: for the suffix itself, and for an alias
	 * of it, that is the public upstream. Nothing below a split is validated (resolver.c): there is none. */
	if (split && as->type == TYPE_DS)
		return local_negative(as, RCODE_NOERROR, EDE_NONE, NULL, env->buf, limit);
	if (split || special == SPECIAL_NONE)
		return 0;
	return local_special(as, special, labels, records_exist(env->views->records, &as->name), env->buf, limit);
}

/* Names and types that are never asked of an upstream. False: not one of them. */
static bool query_special(struct query *q, const struct view *view)
{
	struct query_env *env = q->env;
	int len;

	if (ddr_is_name(&q->question.name))
		len = ddr_answer(&q->question, &env->ddr, env->buf, query_limit(q));
	else
		len = query_special_write(env, view, &q->question, query_limit(q));
	if (len == 0)
		return false;
	q->outcome = DNS_OUTCOME_SPECIAL;
	query_send(q, env->buf, len);
	return true;
}

/* @known: what was decided about the name just now, or NULL. */
static void query_start(struct query *q, struct name_verdict *known)
{
	struct query_env *env = q->env;
	const struct view_client *client = views_client(env->views, &q->client);
	const struct view *view;
	struct name_verdict own;
	enum dns_verdict verdict;

	free(q->change);
	q->change = NULL;
	q->outcome = DNS_OUTCOME_REFUSED;
	if (client == NULL) {
		query_error(q, RCODE_REFUSED, EDE_PROHIBITED, "not a registered, active device");
		return;
	}
	if (q->question.type == TYPE_ANY) {
		q->outcome = DNS_OUTCOME_SPECIAL;
		query_send(q, env->buf, local_any(&q->question, env->buf, query_limit(q)));
		return;
	}
	view = &env->views->views[client->view];
	if (known == NULL) {
		verdict_name(&(struct verdict_ask){ .views = env->views,
						    .view = view,
						    .client = client,
						    .type = q->question.type,
						    .scratch = env->scratch },
			     &q->question.name, &own);
		known = &own;
	}
	q->by_exception = known->by_exception;
	/* What holds for one transport is for no one else, either. */
	q->personal = known->personal || known->answer == LIST_ANSWER_TCP_ONLY;
	verdict = known->verdict == DNS_BLOCK && !query_blocks(known, &q->from) ? DNS_PASS : known->verdict;
	q->excepted = note_exception(env, known);
	trace_client(q, client);
	query_trace_verdict(q->from.trace, known);
	switch (verdict) {
	case DNS_BLOCK:
		query_blocked_by(q, view, known, NULL);
		return;
	case DNS_REWRITE:
		if (known->by == VERDICT_BY_RECORDS) {
			query_records(q, view);
			return;
		}
		if (query_rewrite(q, client, known))
			return;
		break;
	case DNS_PASS:
	case DNS_VERDICT_MAX:
		break;
	}
	if (!query_special(q, view))
		query_resolve(q, client);
}

void query_again(struct query_env *env)
{
	struct query *q = env->again.first;

	env->again = (struct query_queue){ 0 };
	while (q != NULL) {
		struct query *next = q->next;

		query_start(q, NULL);
		q = next;
	}
}

static struct query *query_get(struct query_env *env)
{
	struct query *q = env->unused;

	if (q != NULL) {
		env->unused = q->next;
		return q;
	}
	q = malloc(sizeof(*q));
	if (q != NULL) {
		q->env = env;
		q->answer = NULL;
		q->change = NULL;
	}
	return q;
}

bool query_begin(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		 const struct question *question, struct name_verdict *known)
{
	struct client_load *load;
	struct query *q;

	load = env->n_queries < QUERIES_MAX ? client_get(env->clients, addr) : NULL;
	q = load != NULL && load->queries < CLIENT_QUERIES_MAX ? query_get(env) : NULL;
	if (q == NULL) {
		note_dropped(env, from, load == NULL ? DNS_OUTCOME_DROPPED_FULL : DNS_OUTCOME_DROPPED_CLIENT);
		if (load != NULL)
			client_put(env->clients, load);
		return false;
	}
	load->queries++;
	env->n_queries++;
	q->question = *question;
	q->load = load;
	q->from = *from;
	q->client = *addr;
	q->came_us = env->now_us;
	q->rule = NULL;
	q->verdict = NULL;
	q->wait.upstream.family = IP_NONE;
	query_start(q, known);
	return true;
}

void query_env_done(struct query_env *env)
{
	for (struct query *q = env->unused, *next; q != NULL; q = next) {
		next = q->next;
		free(q);
	}
	env->unused = NULL;
}
