/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of decisions on a query. Called by worker.c and tcp.c with messages, by resolver.c with answers, by learn.c
 * when the kernel has acknowledged.
 *
 *   state      | event              | next
 *   new        | refused or local   | sent
 *   new        | passes             | resolving
 *   resolving  | answer, same views | sent, or held when addresses are learned
 *   resolving  | answer, new views  | again, then new: by the views of now, the resolver's cache makes it cheap
 *   resolving  | deadline           | SERVFAIL sent, then freed when the resolver is done
 *   held       | ACK                | sent
 *   held       | error or deadline  | SERVFAIL sent
 *
 * A query holds no views: each decision is made by the views of the moment, so that after a swap nothing is decided by
 * the old ones. The client is looked up anew too: it may have gone. */
#include "dnsd/query.h"

#include <time.h>

#include "dnsd/answer.h"
#include "dnsd/local.h"

struct query {
	struct query *prev, *next; /* in env->asked; .next also in env->unused or env->again */
	struct query_env *env;
	struct query_from from;
	struct ip_addr client;
	struct client_load *load;
	uint64_t generation;	   /* of the views that let it pass */
	struct resolver *resolver; /* that was asked; compared only */
	struct question question;
	uint64_t deadline_us; /* while at the resolver */
	bool expired;	      /* answered already, the resolver still has it */
	int read_rc;	      /* of question_read() */
	struct learn_held held;
	uint8_t *answer; /* while held */
	size_t answer_len;
};

#define QUERY_OF(h) ((struct query *)(void *)((char *)(h)-offsetof(struct query, held)))

static uint64_t clock_us(clockid_t clock)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static size_t query_limit(const struct query *q)
{
	return answer_limit(&q->question, q->from.tcp != NULL);
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
	q->env->send(q->env->arg, &q->from, msg, len > 0 ? (size_t)len : 0);
	query_release(q);
}

static void query_error(struct query *q, uint32_t rcode, int ede, const char *text)
{
	struct query_env *env = q->env;

	query_send(q, env->buf, local_error(&q->question, rcode, ede, text, env->buf, query_limit(q)));
}

static void query_not_ready(struct query *q, int status)
{
	char text[80];

	q->env->counts.not_ready++;
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

static void query_blocked(struct query *q, enum block_mode mode, const char *text)
{
	struct query_env *env = q->env;

	env->counts.blocked++;
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

/* The answer is in env->buf. Send it, or hold it until what it says is in the kernel. */
static void query_deliver(struct query *q, const struct view *view, const struct ip_addr *addrs, uint32_t n_addrs,
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

	if (len <= 0) {
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL);
		return;
	}
	if (n_addrs != 0)
		what.n_rules = query_rules(q, view, rules);
	if (n_addrs == 0 || (what.n_rules == 0 && !seen)) {
		query_send(q, env->buf, len);
		return;
	}
	if (seen) {
		what.seen_name = dname_print(&q->question.name, name);
		what.seen_at_us = clock_us(CLOCK_REALTIME);
	}
	q->answer = malloc((size_t)len);
	rc = q->answer == NULL || env->learn == NULL
		     ? -ENOMEM
		     : learn_add(env->learn, &q->held, &what, clock_us(CLOCK_MONOTONIC));
	if (rc < 0) {
		query_not_ready(q, rc);
		return;
	}
	if (rc == 0) {
		query_send(q, env->buf, len);
		return;
	}
	memcpy(q->answer, env->buf, (size_t)len);
	q->answer_len = (size_t)len;
	env->counts.held++;
}

void query_learned(struct learn_held *h, int status, void *arg)
{
	struct query *q = QUERY_OF(h);

	(void)arg;
	if (status == 0) {
		query_send(q, q->answer, (int)q->answer_len);
		return;
	}
	if (status == -ETIMEDOUT)
		q->env->counts.timed_out++;
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
	blocked_text(view, &verdict, target, text, sizeof(text));
	query_blocked(q, view->block_mode, text);
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

static void query_reply(struct query *q, const struct view *view, bool secure)
{
	struct query_env *env = q->env;
	struct reply *r = &env->reply;
	char text[160], addr[IP_TEXT_MAX];
	int len;

	if (any_target_blocked(q, view))
		return;
	reply_addrs(r, !views_private_ok(env->views, view, &q->question.name));
	if (r->n_private != 0 && r->n_addrs == 0) {
		env->counts.rebind++;
		snprintf(text, sizeof(text),
			 "rebind guard: private address %s from a name that no split sends to a private upstream",
			 ip_addr_print(&r->private, addr));
		query_blocked(q, view->block_mode, text);
		return;
	}
	env->counts.resolved++;
	len = answer_from_reply(&q->question, r, secure, EDE_NONE, NULL, env->buf, query_limit(q));
	query_deliver(q, view, r->addrs, r->n_addrs, r->min_ttl_s, len);
}

static void again_add(struct query_env *env, struct query *q)
{
	q->next = NULL;
	if (env->again_last != NULL)
		env->again_last->next = q;
	else
		env->again = q;
	env->again_last = q;
}

static void asked_add(struct query_env *env, struct query *q)
{
	q->expired = false;
	q->deadline_us = clock_us(CLOCK_MONOTONIC) + QUERY_DEADLINE_US;
	q->next = NULL;
	q->prev = env->asked_last;
	if (q->prev != NULL)
		q->prev->next = q;
	else
		env->asked = q;
	env->asked_last = q;
}

static void asked_remove(struct query_env *env, struct query *q)
{
	if (q->prev != NULL)
		q->prev->next = q->next;
	else
		env->asked = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	else
		env->asked_last = q->prev;
}

void query_expire(struct query_env *env, uint64_t now_us)
{
	struct query *q;

	while ((q = env->asked) != NULL && q->deadline_us <= now_us) {
		int len = local_error(&q->question, RCODE_SERVFAIL, EDE_NO_AUTHORITY, "no upstream answered in time",
				      env->buf, query_limit(q));

		asked_remove(env, q);
		q->expired = true;
		env->counts.expired++;
		env->send(env->arg, &q->from, env->buf, len > 0 ? (size_t)len : 0);
	}
}

uint64_t query_deadline_us(const struct query_env *env)
{
	return env->asked != NULL ? env->asked->deadline_us : UINT64_MAX;
}

static void query_resolved(void *arg, const struct resolver_answer *a)
{
	struct query *q = arg;
	struct query_env *env = q->env;
	const struct view_client *client;

	if (q->expired) {
		query_release(q);
		return;
	}
	asked_remove(env, q);
	client = q->generation == env->views->generation ? views_client(env->views, &q->client) : NULL;
	if (client == NULL || q->resolver != env->resolvers[env->views->views[client->view].route]) {
		env->counts.restarted++;
		again_add(env, q);
		return;
	}
	if (a->msg == NULL || (a->security == RESOLVER_BOGUS && (q->question.flags & DNS_CD) == 0)) {
		query_error(q, RCODE_SERVFAIL, a->ede, a->text);
		return;
	}
	if (reply_read(a->msg, a->len, &q->question, &env->reply) != 0) {
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL);
		return;
	}
	query_reply(q, &env->views->views[client->view], a->security == RESOLVER_SECURE);
}

static void query_resolve(struct query *q, const struct view *view)
{
	struct query_env *env = q->env;

	q->generation = env->views->generation;
	q->resolver = env->resolvers[view->route];
	if (q->resolver == NULL) {
		query_error(q, RCODE_SERVFAIL, EDE_NO_AUTHORITY, "the resolver could not be started: see the log");
		return;
	}
	asked_add(env, q);
	if (resolver_ask(q->resolver, &q->question.name, q->question.type, q->question.flags & DNS_CD,
			 q->question.dnssec_ok, query_resolved, q) == 0)
		return; /* it may be answered and gone */
	asked_remove(env, q);
	query_error(q, RCODE_SERVFAIL, EDE_NO_AUTHORITY, "the resolver refused the question");
}

static void query_records(struct query *q, const struct view *view)
{
	struct query_env *env = q->env;
	struct ip_addr addrs[LEARN_ADDRS_MAX];
	struct name_verdict asked = { .verdict = DNS_REWRITE };
	struct local_answer a;
	uint32_t n_addrs = 0;
	int len;

	(void)records_answer(env->views->records, &q->question.name, q->question.type, &a);
	for (uint32_t i = 0; i < a.n_aliases; i++)
		if (target_blocked(q, view, &asked, &a.targets[i]))
			return;
	for (uint32_t i = 0; i < a.n && n_addrs < LEARN_ADDRS_MAX; i++)
		if (a.records[i].type == q->question.type && a.records[i].addr.family != IP_NONE)
			addrs[n_addrs++] = a.records[i].addr;
	env->counts.local++;
	len = local_records(&q->question, &a, LEARN_ADDRS_MAX, env->buf, query_limit(q));
	query_deliver(q, view, addrs, n_addrs, local_answer_ttl_s(&a, q->question.type), len);
}

/* Names and types that are never asked of an upstream. False: not one of them. */
static bool query_special(struct query *q, const struct view *view)
{
	struct query_env *env = q->env;
	uint8_t labels = 0;
	enum special special = special_name(&q->question.name, &labels);
	bool split = route_split(&env->views->routes[view->route], &q->question.name) != NULL;
	int len;

	/* DS belongs to the parent's side of a cut, and libunbound asks there: for the suffix itself, and for an alias
	 * of it, that is the public upstream. Nothing below a split is validated (resolver.c): there is none. */
	if (split ? q->question.type != TYPE_DS : special == SPECIAL_NONE)
		return false;
	env->counts.local++;
	if (split)
		len = local_negative(&q->question, RCODE_NOERROR, EDE_NONE, NULL, env->buf, query_limit(q));
	else
		len = local_special(&q->question, special, labels,
				    records_exist(env->views->records, &q->question.name), env->buf, query_limit(q));
	query_send(q, env->buf, len);
	return true;
}

/* Types that are no data: TKEY, TSIG, transfers, MAILA, MAILB (RFC 6895 3.1), and OPT. ANY is answered. */
static bool type_is_meta(uint16_t type)
{
	return type == 0 || type == TYPE_OPT || (type >= 128 && type < 256);
}

static void query_start(struct query *q)
{
	struct query_env *env = q->env;
	const struct view_client *client = views_client(env->views, &q->client);
	const struct view *view;
	struct name_verdict verdict;
	char text[DNS_EDE_TEXT_MAX + 1];

	if (client == NULL) {
		env->counts.refused++;
		query_error(q, RCODE_REFUSED, EDE_PROHIBITED, "not a registered, active device");
		return;
	}
	if (q->read_rc != 0) {
		env->counts.malformed++;
		query_error(q, (uint32_t)q->read_rc, EDE_NONE, NULL);
		return;
	}
	if (q->question.class_ == CLASS_IN && q->question.type == TYPE_ANY) {
		query_send(q, env->buf, local_any(&q->question, env->buf, query_limit(q)));
		return;
	}
	if (q->question.class_ != CLASS_IN || type_is_meta(q->question.type)) {
		env->counts.refused++;
		query_error(q, RCODE_REFUSED, EDE_NONE, NULL);
		return;
	}
	view = &env->views->views[client->view];
	verdict_name(env->views, view, &q->question.name, &verdict);
	switch (verdict.verdict) {
	case DNS_BLOCK:
		blocked_text(view, &verdict, NULL, text, sizeof(text));
		query_blocked(q, verdict.canary ? BLOCK_NXDOMAIN : view->block_mode, text);
		return;
	case DNS_REWRITE:
		query_records(q, view);
		return;
	case DNS_PASS:
	case DNS_VERDICT_MAX:
		break;
	}
	if (!query_special(q, view))
		query_resolve(q, view);
}

void query_again(struct query_env *env)
{
	struct query *q = env->again;

	env->again = env->again_last = NULL;
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

bool query_ask(struct query_env *env, const struct query_from *from, const struct ip_addr *client, const uint8_t *msg,
	       size_t len)
{
	struct client_load *load;
	struct query *q;

	env->counts.queries++;
	if (env->n_queries >= QUERIES_MAX || (q = query_get(env)) == NULL) {
		env->counts.dropped_full++;
		return false;
	}
	q->read_rc = question_read(msg, len, &q->question);
	load = q->read_rc >= 0 ? client_get(env->clients, client) : NULL;
	if (load == NULL || load->queries >= CLIENT_QUERIES_MAX) {
		if (load != NULL)
			env->counts.dropped_client++;
		else
			env->counts.malformed++;
		q->next = env->unused;
		env->unused = q;
		return false;
	}
	load->queries++;
	env->n_queries++;
	q->load = load;
	q->from = *from;
	q->client = *client;
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
