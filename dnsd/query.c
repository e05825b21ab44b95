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
#include "dnsd/query.h"

#include "dnsd/answer.h"
#include "dnsd/ask.h"
#include "dnsd/local.h"
#include "dnsd/note.h"

#define EDE_BOGUS_LAST 12 /* NSEC Missing: RFC 8914 4.7 to 4.13 are kinds of bogus */

struct query {
	struct query *prev, *next; /* in one of env's queues, or .next in env->unused */
	struct query_env *env;
	struct query_from from;
	struct ip_addr client;
	struct client_load *load;
	enum dns_outcome outcome;	     /* as far as it is known: of the answer that is sent next */
	uint64_t came_us, asked_us, held_us; /* when it was read, went to a resolver, was held */
	const char *rule;		     /* that blocks it; while it is answered */
	uint64_t generation;		     /* of the views that let it pass */
	uint32_t resolver;		     /* number of the one that was asked */
	struct question question;
	uint64_t deadline_us; /* while it waits for a resolver */
	bool stale;	      /* an answer that has expired was there when it was asked */
	struct fetch_wait wait;
	struct learn_held held;
	uint8_t *answer; /* while held */
	size_t answer_len;
};

#define QUERY_OF_HELD(h) ((struct query *)(void *)((char *)(h)-offsetof(struct query, held)))
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

static size_t query_limit(const struct query *q)
{
	return q->from.trace != NULL ? DNS_FOUND_ANSWER_MAX : answer_limit(&q->question, q->from.tcp != NULL);
}

static void query_release(struct query *q)
{
	struct query_env *env = q->env;

	q->load->queries--;
	client_put(env->clients, q->load);
	free(q->answer);
	q->answer = NULL;
	env->n_queries--;
	q->next = env->unused;
	env->unused = q;
}

static void query_send(struct query *q, const uint8_t *msg, int len)
{
	const struct noted_answer noted = { .outcome = q->outcome,
					    .type = q->question.type,
					    .came_us = q->came_us,
					    .msg = msg,
					    .len = len,
					    .rule = q->rule };

	note_answer(q->env, &q->from, &q->client, &noted);
	q->env->send(q->env->arg, &q->from, msg, len > 0 ? (size_t)len : 0);
	query_release(q);
}

static void query_error(struct query *q, uint32_t rcode, int ede, const char *text)
{
	struct query_env *env = q->env;

	query_send(q, env->buf, local_error(&q->question, rcode, ede, text, env->buf, query_limit(q)));
}

/* Views may go while the answer is awaited: what is told of them is copied. @t may be NULL. */
static void trace_verdict(struct query_trace *t, const struct name_verdict *v)
{
	if (t == NULL)
		return;
	(void)snprintf(t->list, sizeof(t->list), "%s", v->list != NULL ? v->list : "");
	(void)snprintf(t->rule, sizeof(t->rule), "%s", v->list != NULL ? v->rule : "");
	t->line = v->line;
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

static void query_not_ready(struct query *q, int status)
{
	char text[80];

	q->outcome = DNS_OUTCOME_NOT_READY;
	snprintf(text, sizeof(text), "addresses were not let through in time: %s", strerror(-status));
	query_error(q, RCODE_SERVFAIL, EDE_NOT_READY, text);
}

/* Why a name is blocked, for people: "list ads line 1234: ||ads.example^". */
static void blocked_text(const struct view *view, const struct name_verdict *v, const struct dname *target, char *ret,
			 size_t size)
{
	char name[DNAME_TEXT_MAX];
	int n;

	if (v->list == NULL)
		n = snprintf(ret, size, "blocked");
	else if (v->canary)
		n = snprintf(ret, size, "policy.hujson %s: this network's resolver is to be used", v->rule);
	else if (strcmp(v->list, "policy") == 0)
		n = snprintf(ret, size, "policy.hujson line %u: %s", v->line, v->rule);
	else if (strcmp(v->list, "filter") == 0)
		n = snprintf(ret, size, "policy.hujson %s: %s", view->filter_pos != NULL ? view->filter_pos : "filter",
			     v->rule);
	else
		n = snprintf(ret, size, "list %s line %u: %s", v->list, v->line, v->rule);
	if (target != NULL && n > 0 && (size_t)n < size)
		snprintf(ret + n, size - (size_t)n, " (CNAME target %s)", dname_print(target, name));
}

static void query_blocked(struct query *q, enum block_mode mode, enum dns_outcome outcome, const char *text)
{
	struct query_env *env = q->env;

	q->outcome = outcome;
	q->rule = text;
	query_send(q, env->buf, local_blocked(&q->question, mode, text, env->buf, query_limit(q)));
}

/* Marks of the rules that the answer is learned for. One more than learn_add() takes when there are too many. */
static uint32_t query_rules(const struct query *q, const struct view *view, uint32_t rules[LEARN_RULES_ALL_MAX + 1])
{
	const struct views *v = q->env->views;
	uint32_t n = verdict_grants(v, view, &q->question.name, rules, LEARN_RULES_ALL_MAX);

	if (n == LEARN_RULES_ALL_MAX)
		return n + 1;
	for (uint32_t i = 0; i < n; i++)
		rules[i] = v->rules[rules[i]].mark;
	if (view->resolve_first)
		rules[n++] = LEARN_SEEN;
	return n;
}

/* The answer is in env->buf. Send it, or hold it until what it says is in the kernel. Returns false when there was
 * nothing to hold it for. */
static bool query_deliver(struct query *q, const struct view *view, const struct ip_addr *addrs, uint32_t n_addrs,
			  uint32_t ttl_s, int len)
{
	struct query_env *env = q->env;
	uint32_t rules[LEARN_RULES_ALL_MAX + 1];
	char name[DNAME_TEXT_MAX];
	struct learn_what what = {
		.generation = env->views->generation,
		.ttl_s = ttl_s == 0 ? 1 : ttl_s,
		.client = &q->client,
		.rules = rules,
		.addrs = addrs,
		.n_addrs = n_addrs,
	};
	bool seen = view->record_flows && (q->question.type == TYPE_A || q->question.type == TYPE_AAAA);
	int rc;

	if (n_addrs != 0)
		what.n_rules = query_rules(q, view, rules);
	if (len <= 0 || n_addrs == 0 || (what.n_rules == 0 && !seen)) {
		query_send(q, env->buf, len);
		return false;
	}
	if (q->from.trace != NULL && !q->from.trace->open) {
		query_send(q, env->buf, len);
		return true;
	}
	if (seen) {
		what.seen_name = dname_print(&q->question.name, name);
		what.seen_at_us = note_realtime_us();
	}
	q->answer = malloc((size_t)len);
	rc = q->answer == NULL || env->learn == NULL ? -ENOMEM : learn_add(env->learn, &q->held, &what, env->now_us);
	if (rc < 0) {
		query_not_ready(q, rc);
		return true;
	}
	if (rc == 0) {
		query_send(q, env->buf, len);
		return true;
	}
	memcpy(q->answer, env->buf, (size_t)len);
	q->answer_len = (size_t)len;
	q->held_us = env->now_us;
	stats_event(&env->stats, DNS_EVENT_HELD);
	return true;
}

void query_learned(struct learn_held *h, int status, void *arg)
{
	struct query *q = QUERY_OF_HELD(h);

	(void)arg;
	stats_stage(&q->env->stats, DNS_STAGE_BARRIER, q->env->now_us - q->held_us);
	if (status == 0) {
		query_send(q, q->answer, (int)q->answer_len);
		return;
	}
	query_not_ready(q, status);
}

/* @target is where the answer sends the client. True: it is blocked, and so is the answer. */
static bool target_blocked(struct query *q, const struct view *view, const struct name_verdict *asked,
			   const struct dname *target)
{
	struct name_verdict verdict;
	char text[DNS_EDE_TEXT_MAX + 1];

	verdict_target(q->env->views, view, asked, target, &verdict);
	if (verdict.verdict != DNS_BLOCK)
		return false;
	trace_verdict(q->from.trace, &verdict);
	blocked_text(view, &verdict, target, text, sizeof(text));
	query_blocked(q, view->block_mode, DNS_OUTCOME_BLOCKED, text);
	return true;
}

/* Aliases, and the targets of HTTPS and SVCB records: with their hints they are aliases that cloak as well. */
static bool any_target_blocked(struct query *q, const struct view *view)
{
	const struct reply *r = &q->env->reply;
	struct name_verdict asked;
	struct dname target;
	bool svcb = q->question.type == TYPE_HTTPS || q->question.type == TYPE_SVCB;

	if (r->n_chain == 0 && !svcb)
		return false;
	/* Judged again: the snapshot may be a newer one than that by which the query was let out. */
	verdict_name(q->env->views, view, &q->question.name, &asked);
	for (uint32_t i = 0; i < r->n_chain; i++)
		if (target_blocked(q, view, &asked, &r->chain[i]))
			return true;
	for (uint32_t i = 0; i < r->n_rrs && svcb; i++)
		if (reply_target(r, &r->rrs[i], &target) && target_blocked(q, view, &asked, &target))
			return true;
	return false;
}

static int stale_ede(const struct query_env *env, const struct cache_entry *e)
{
	if (cache_entry_fresh(e, env->now_us) || e->expires_us == e->stored_us) /* TTL 0: it was asked just now */
		return EDE_NONE;
	return (e->data[3] & DNS_RCODE) == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE;
}

/* An entry that is no failure, decided for this client. */
static void query_entry(struct query *q, uint32_t n_view, struct cache_entry *e)
{
	struct query_env *env = q->env;
	const struct view *view = &env->views->views[n_view];
	struct reply *r = &env->reply;
	char text[160];
	int ede = stale_ede(env, e), len;

	if (cache_entry_plain(e, env->views->generation, n_view)) {
		query_send(q, env->buf, answer_from_entry(&q->question, e, ede, NULL, env->buf, query_limit(q)));
		return;
	}
	if (reply_read(e->data, e->len, &q->question, r) != 0) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL); /* out of memory while it was made, at worst */
		return;
	}
	if (any_target_blocked(q, view))
		return;
	if (e->rebind) {
		snprintf(text, sizeof(text),
			 "rebind guard: private address %s from a name that no split sends to a private upstream",
			 cache_entry_text(e));
		query_blocked(q, view->block_mode, DNS_OUTCOME_REBIND, text);
		return;
	}
	reply_addrs(r, false); /* the guard has seen it already */
	len = answer_from_entry(&q->question, e, ede, NULL, env->buf, query_limit(q));
	if (!query_deliver(q, view, r->addrs, r->n_addrs, r->min_ttl_s, len))
		cache_entry_set_plain(e, env->views->generation, n_view);
}

static struct query_queue *asked_of(struct query *q)
{
	return q->stale ? &q->env->asked_stale : &q->env->asked;
}

/* What validation has against an answer. */
static bool ede_is_bogus(int ede)
{
	return ede >= EDE_DNSSEC_BOGUS && ede <= EDE_BOGUS_LAST;
}

static void query_failed(struct query *q, const struct cache_entry *e)
{
	q->outcome = ede_is_bogus(e->ede) ? DNS_OUTCOME_BOGUS : DNS_OUTCOME_SERVFAIL;
	query_error(q, RCODE_SERVFAIL, e->ede, cache_entry_text(e));
}

static struct cache_key query_key(const struct query *q, const struct view *view)
{
	return (struct cache_key){ .name = &q->question.name,
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
	bool guard = !route_private_ok(&env->views->routes[view->route], &q->question.name);
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
	cache_entry_age(e, env->now_us);
	query_entry(q, n_view, e);
	if (due)
		ask_ahead(env, &env->views->views[n_view], &again, hash, e);
}

static void query_resolve(struct query *q, const struct view_client *client)
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

/* Names and types that are never asked of an upstream. False: not one of them. */
static bool query_special(struct query *q, const struct view *view)
{
	struct query_env *env = q->env;
	uint8_t labels = 0;
	enum special special = special_name(&q->question.name, &labels);
	bool split = route_split(&env->views->routes[view->route], &q->question.name) != NULL;
	int len;

	if (ddr_is_name(&q->question.name)) {
		q->outcome = DNS_OUTCOME_SPECIAL;
		query_send(q, env->buf, ddr_answer(&q->question, &env->ddr, env->buf, query_limit(q)));
		return true;
	}
	/* DS belongs to the parent's side of a cut, and libunbound asks there: for the suffix itself, and for an alias
	 * of it, that is the public upstream. Nothing below a split is validated (resolver.c): there is none. */
	if (split ? q->question.type != TYPE_DS : special == SPECIAL_NONE)
		return false;
	q->outcome = DNS_OUTCOME_SPECIAL;
	if (split)
		len = local_negative(&q->question, RCODE_NOERROR, EDE_NONE, NULL, env->buf, query_limit(q));
	else
		len = local_special(&q->question, special, labels,
				    records_exist(env->views->records, &q->question.name), env->buf, query_limit(q));
	query_send(q, env->buf, len);
	return true;
}

static void query_start(struct query *q)
{
	struct query_env *env = q->env;
	const struct view_client *client = views_client(env->views, &q->client);
	const struct view *view;
	struct name_verdict verdict;
	char text[DNS_EDE_TEXT_MAX + 1];

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
	verdict_name(env->views, view, &q->question.name, &verdict);
	trace_client(q, client);
	trace_verdict(q->from.trace, &verdict);
	switch (verdict.verdict) {
	case DNS_BLOCK:
		blocked_text(view, &verdict, NULL, text, sizeof(text));
		query_blocked(q, verdict.canary ? BLOCK_NXDOMAIN : view->block_mode, DNS_OUTCOME_BLOCKED, text);
		return;
	case DNS_REWRITE:
		query_records(q, view);
		return;
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

		query_start(q);
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
	}
	return q;
}

bool query_begin(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		 const struct question *question)
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
	query_start(q);
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
