/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a query's client is given: the answer that was found, judged by its view, and held until its addresses are in
 * the kernel; or the reason why not. Called by query.c, and by learn.c when the kernel has acknowledged. */
#include "dnsd/query_inner.h"

#include "base/clock.h"
#include "dnsd/answer.h"
#include "dnsd/blocked_text.h"
#include "dnsd/local.h"
#include "dnsd/memo.h"
#include "dnsd/note.h"

#define QUERY_OF_HELD(h) ((struct query *)(void *)((char *)(h)-offsetof(struct query, held)))

size_t query_limit(const struct query *q)
{
	return q->from.trace != NULL ? DNS_FOUND_ANSWER_MAX : answer_limit(&q->question, q->from.tcp != NULL);
}

void query_send(struct query *q, const uint8_t *msg, int len)
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

void query_error(struct query *q, uint32_t rcode, int ede, const char *text)
{
	struct query_env *env = q->env;

	query_send(q, env->buf, local_error(&q->question, rcode, ede, text, env->buf, query_limit(q)));
}

/* Views may go while the answer is awaited: what is told of them is copied. @t may be NULL. */
void query_trace_verdict(struct query_trace *t, const struct name_verdict *v)
{
	if (t == NULL)
		return;
	(void)snprintf(t->list, sizeof(t->list), "%s", v->list != NULL ? v->list : "");
	(void)verdict_rule(v, t->rule, sizeof(t->rule));
	t->line = v->line;
}

static void query_not_ready(struct query *q, int status)
{
	char text[80];

	q->outcome = DNS_OUTCOME_NOT_READY;
	snprintf(text, sizeof(text), "addresses were not let through in time: %s", strerror(-status));
	query_error(q, RCODE_SERVFAIL, EDE_NOT_READY, text);
}

int query_blocked_write(struct query_env *env, const struct query_from *from, const struct question *question,
			const struct view *view, const struct name_verdict *v, const char *text, size_t limit)
{
	const struct blocked_answer a = blocked_answer(view, v, question->type);

	if (a.drop)
		return 0;
	if (a.tcp_only && from->udp != NULL)
		return local_truncated(question, env->buf, limit);
	return local_blocked(question, &a, view->block_ttl_s, view->block_ede, text, env->buf, limit);
}

void query_blocked(struct query *q, const struct view *view, const struct name_verdict *v, enum dns_outcome outcome,
		   const char *text)
{
	struct query_env *env = q->env;

	q->outcome = outcome;
	q->rule = text;
	query_send(q, env->buf, query_blocked_write(env, &q->from, &q->question, view, v, text, query_limit(q)));
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
bool query_deliver(struct query *q, const struct view *view, const struct ip_addr *addrs, uint32_t n_addrs,
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
		what.seen_at_us = clock_realtime_us();
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

/* @target is where the answer sends the client. True: it is blocked, and so is the answer. @asked becomes personal where
 * the verdict is. */
static bool target_blocked(struct query *q, const struct verdict_ask *ask, struct name_verdict *asked,
			   const struct dname *target, uint16_t type)
{
	const struct view *view = ask->view;
	struct name_verdict verdict;
	char text[DNS_EDE_TEXT_MAX + 1];

	verdict_target(ask, asked, target, type, &verdict);
	asked->personal = asked->personal || verdict.personal;
	if (!query_blocks(&verdict, &q->from))
		return false;
	query_trace_verdict(q->from.trace, &verdict);
	blocked_text(view, &verdict, target, text, sizeof(text));
	query_blocked(q, view, &verdict, DNS_OUTCOME_BLOCKED, text);
	return true;
}

/* Aliases, and the targets of HTTPS and SVCB records: with their hints they are aliases that cloak as well.
 * *ret_personal: what is decided holds for this client, and not for its view. */
static bool any_target_blocked(struct query *q, const struct view *view, bool *ret_personal)
{
	const struct reply *r = &q->env->reply;
	struct name_verdict asked;
	struct dname target;
	bool svcb = q->question.type == TYPE_HTTPS || q->question.type == TYPE_SVCB;
	struct verdict_ask ask = { .views = q->env->views,
				   .view = view,
				   .client = views_client(q->env->views, &q->client),
				   .type = q->question.type,
				   .scratch = q->env->scratch };

	/* Judged again: the snapshot may be a newer one than that by which the query was let out. */
	verdict_name(&ask, &q->question.name, &asked);
	for (uint32_t i = 0; i < r->n_chain; i++)
		if (target_blocked(q, &ask, &asked, &r->chain[i], TYPE_CNAME))
			return true;
	for (uint32_t i = 0; i < r->n_rrs && svcb; i++)
		if (reply_target(r, &r->rrs[i], &target) && target_blocked(q, &ask, &asked, &target, q->question.type))
			return true;
	*ret_personal = asked.personal;
	return false;
}

static int stale_ede(const struct query_env *env, const struct cache_entry *e)
{
	if (cache_entry_fresh(e, env->now_us) || e->expires_us == e->stored_us) /* TTL 0: it was asked just now */
		return EDE_NONE;
	return (e->data[3] & DNS_RCODE) == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE;
}

void query_entry(struct query *q, uint32_t n_view, struct cache_entry *e)
{
	struct query_env *env = q->env;
	const struct view *view = &env->views->views[n_view];
	struct reply *r = &env->reply;
	char text[160];
	int ede = stale_ede(env, e), len;
	bool personal = false;

	if (cache_entry_plain(e, env->views->generation, n_view)) {
		query_send(q, env->buf, answer_from_entry(&q->question, e, ede, NULL, env->buf, query_limit(q)));
		return;
	}
	if (reply_read(e->data, e->len, &q->question, r) != 0) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL); /* out of memory while it was made, at worst */
		return;
	}
	if (any_target_blocked(q, view, &personal))
		return;
	if (e->rebind) {
		snprintf(text, sizeof(text),
			 "rebind guard: private address %s from a name that no split sends to a private upstream",
			 cache_entry_text(e));
		query_blocked(q, view, &(const struct name_verdict){ .verdict = DNS_BLOCK }, DNS_OUTCOME_REBIND, text);
		return;
	}
	reply_addrs(r, false); /* the guard has seen it already */
	memo_make(env, e, &q->question);
	len = answer_from_entry(&q->question, e, ede, NULL, env->buf, query_limit(q));
	/* What is remembered of the view is given to its other clients. */
	if (!query_deliver(q, view, r->addrs, r->n_addrs, r->min_ttl_s, len) && !personal)
		cache_entry_set_plain(e, env->views->generation, n_view);
}

void query_blocked_by(struct query *q, const struct view *view, const struct name_verdict *v)
{
	char text[DNS_EDE_TEXT_MAX + 1];

	blocked_text(view, v, NULL, text, sizeof(text));
	query_blocked(q, view, v, DNS_OUTCOME_BLOCKED, text);
}
