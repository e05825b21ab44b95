/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a query's client is given: the answer that was found, judged by its view, and held until its addresses are in
 * the kernel; or the reason why not. Called by query.c, and by learn.c when the kernel has acknowledged. */
#include "dnsd/query_inner.h"

#include "base/clock.h"
#include "dnsd/answer.h"
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
	/* Its answer may be another one than that of its rule: a failure. */
	bool changed = q->change != NULL && q->rule == q->change->text;
	const struct noted_answer noted = { .outcome = q->outcome,
					    .type = q->question.type,
					    .came_us = q->came_us,
					    .msg = msg,
					    .len = len,
					    .rule = q->rule,
					    .name = &q->question.name,
					    .verdict = q->verdict,
					    .change = changed ? &q->change->noted : NULL,
					    .excepted = q->excepted,
					    .upstream = q->wait.upstream,
					    .upstream_port = q->wait.upstream_port };

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

	int len = query_blocked_write(env, &q->from, &q->question, view, v, text, query_limit(q));

	q->outcome = len == 0 ? DNS_OUTCOME_DROPPED_RULE : outcome;
	q->rule = text;
	q->verdict = v;
	query_send(q, env->buf, len);
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

static int stale_ede(const struct query_env *env, const struct cache_entry *e)
{
	if (cache_entry_fresh(e, env->now_us) || e->expires_us == e->stored_us) /* TTL 0: it was asked just now */
		return EDE_NONE;
	return (e->data[3] & DNS_RCODE) == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE;
}

const struct question *query_asked(const struct query *q, struct question *room)
{
	const struct dname *name = query_name(q);

	if (name == &q->question.name)
		return &q->question;
	*room = q->question;
	room->name = *name;
	memcpy(room->sent, name->wire, name->len);
	return room;
}

bool query_change(struct query *q)
{
	if (q->change == NULL)
		q->change = malloc(sizeof(*q->change));
	if (q->change == NULL)
		return false;
	q->change->target.len = q->change->target.labels = 0;
	q->change->text[0] = '\0';
	return true;
}

/* The alias leads back to the name. */
static bool is_loop(const struct query *q)
{
	const struct reply *r = &q->env->reply;

	for (uint32_t i = 0; i < r->n_chain; i++)
		if (dname_equal(&r->chain[i], &q->question.name))
			return true;
	return false;
}

void query_changed(struct query *q, const struct view *view)
{
	struct query_env *env = q->env;
	const struct query_change *c = q->change;
	const struct reply *r = &env->reply;
	const struct answer_alias alias = { .target = &c->target, .ttl_s = c->ttl_s };
	bool aliased = c->target.len != 0;
	uint32_t ttl_s = aliased && c->ttl_s < r->min_ttl_s ? c->ttl_s : r->min_ttl_s;
	int len;

	if (aliased && is_loop(q)) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_OTHER, "the name that a rule puts in its place leads back to it");
		return;
	}
	len = answer_changed(&q->question, r, aliased ? &alias : NULL, EDE_FORGED, c->text, env->buf, query_limit(q));
	if (len < 0) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_INVALID_DATA, NULL);
		return;
	}
	q->rule = c->text;
	(void)query_deliver(q, view, r->addrs, r->n_addrs, ttl_s, len);
}

/* What remains of it when the forbidden parts are left out. */
static void query_trimmed(struct query *q, const struct view *view, const struct judgement *j)
{
	struct blocked_part part;
	bool rewritten = q->change != NULL;

	if (!rewritten && !query_change(q)) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL);
		return;
	}
	judgement_part(j, &part);
	if (q->from.trace == NULL)
		stats_event(&q->env->stats, DNS_EVENT_TRIMMED);
	if (!rewritten) {
		blocked_text(view, &j->v, &part, q->change->text, sizeof(q->change->text));
		note_change(q->env, &j->v, &q->change->noted);
	}
	query_changed(q, view);
}

/* The verdict that let the name go on, as far as what it leads to hangs on it. It was made by these views: else the
 * query would have been begun anew. */
static void query_verdict(const struct query *q, struct name_verdict *ret)
{
	ret->verdict = q->change != NULL ? DNS_REWRITE : DNS_PASS;
	ret->by = VERDICT_BY_NONE;
	ret->by_exception = q->by_exception;
	ret->personal = q->personal;
	ret->match.found = false;
	ret->match.n_rewrites = 0;
}

static void query_rebind(struct query *q, const struct view *view, const struct cache_entry *e)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "rebind guard: private address %s from a name that no split sends to a private upstream",
		 cache_entry_text(e));
	query_blocked(q, view, &(const struct name_verdict){ .verdict = DNS_BLOCK }, DNS_OUTCOME_REBIND, text);
}

void query_entry(struct query *q, uint32_t n_view, struct cache_entry *e)
{
	struct query_env *env = q->env;
	const struct view *view = &env->views->views[n_view];
	struct reply *r = &env->reply;
	struct name_verdict verdict;
	struct blocked_part part;
	struct question room;
	const struct question *as = query_asked(q, &room);
	struct judgement j;
	int ede = stale_ede(env, e), len;
	bool plain;

	if (q->change == NULL && cache_entry_plain(e, env->views->generation, n_view)) {
		query_send(q, env->buf, answer_from_entry(&q->question, e, ede, NULL, env->buf, query_limit(q)));
		return;
	}
	if (reply_read(e->data, e->len, as, r) != 0) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL); /* out of memory while it was made, at worst */
		return;
	}
	reply_addrs(r, false); /* the guard has seen it already */
	memo_make(env, e, as); /* before anything is left out of it */
	query_verdict(q, &verdict);
	query_judge(q, view, as, &verdict, &j);
	if (j.is == JUDGED_BLOCKED) {
		judgement_part(&j, &part);
		query_trace_verdict(q->from.trace, &j.v);
		query_blocked_by(q, view, &j.v, &part);
		return;
	}
	if (e->rebind) {
		query_rebind(q, view, e);
		return;
	}
	if (q->change != NULL)
		q->outcome = DNS_OUTCOME_REWRITTEN;
	if (j.is == JUDGED_TRIMMED) {
		query_trimmed(q, view, &j);
		return;
	}
	if (q->change != NULL) {
		query_changed(q, view);
		return;
	}
	/* Others of this view are given it without a decision only where nothing in the decision was about this one. */
	plain = !q->personal && !j.personal;
	len = answer_from_entry(&q->question, e, ede, NULL, env->buf, query_limit(q));
	if (!query_deliver(q, view, r->addrs, r->n_addrs, r->min_ttl_s, len) && plain)
		cache_entry_set_plain(e, env->views->generation, n_view);
}

void query_blocked_by(struct query *q, const struct view *view, const struct name_verdict *v,
		      const struct blocked_part *part)
{
	char text[DNS_EDE_TEXT_MAX + 1];

	blocked_text(view, v, part, text, sizeof(text));
	query_blocked(q, view, v, DNS_OUTCOME_BLOCKED, text);
}
