/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names that rules rewrite. Called by query.c.
 *
 *   rewrite     | what is done
 *   other name  | it is resolved as a question of this client, by the view's routes, from the same cache; the client is
 *               | given an alias to it, and what it leads to. Records of the policy and special names are answered here
 *   answer code | as of a blocked name
 *   records     | those of the asked type; NODATA when there are only others
 *
 * Rewrites do not hold for what they lead to, so that none leads to another: there is no loop. Blocks do hold for
 * another name, and for its answer. Records stand for themselves, as those of the policy: but for what the policy
 * denies. */
#include "dnsd/query_inner.h"

#include "dnsd/answer.h"
#include "dnsd/local.h"
#include "filter/rewrite.h"

/* The message of @len bytes in env->buf answers @as: it is @q's answer, as far as it is not denied. */
static void rewrite_made(struct query *q, const struct view *view, const struct question *as, int len)
{
	/* Lists have nothing to say of what we say ourselves. */
	const struct name_verdict asked = { .verdict = DNS_PASS, .by_exception = true };
	struct query_env *env = q->env;
	CLEANUP(freep) void *msg = len > 0 ? malloc((size_t)len) : NULL;
	struct judgement j;
	struct blocked_part part;

	if (msg != NULL)
		memcpy(msg, env->buf, (size_t)len);
	if (msg == NULL || reply_read(msg, (size_t)len, as, &env->reply) != 0) {
		q->outcome = DNS_OUTCOME_SERVFAIL;
		query_error(q, RCODE_SERVFAIL, EDE_OTHER, "the rule's answer could not be made");
		return;
	}
	reply_addrs(&env->reply, false);
	query_judge(q, view, as, &asked, &j);
	if (j.is == JUDGED_BLOCKED) {
		judgement_part(&j, &part);
		query_trace_verdict(q->from.trace, &j.v);
		query_blocked_by(q, view, &j.v, &part);
		return;
	}
	q->outcome = DNS_OUTCOME_REWRITTEN;
	query_changed(q, view);
}

static void rewrite_records(struct query *q, const struct view *view, const struct name_verdict *v)
{
	struct query_env *env = q->env;
	struct question room;
	const struct question *as = query_asked(q, &room);

	rewrite_made(q, view, as, local_rewritten(as, v, view->block_ttl_s, env->buf, sizeof(env->buf)));
}

static void rewrite_alias(struct query *q, const struct view_client *client, const struct name_verdict *v)
{
	struct query_env *env = q->env;
	const struct view *view = &env->views->views[client->view];
	const struct verdict_ask ask = {
		.views = env->views, .view = view, .client = client, .type = q->question.type, .scratch = env->scratch
	};
	const struct blocked_part part = { .type = TYPE_CNAME, .target = &q->change->target };
	struct name_verdict target;
	struct local_answer local;
	struct question room;
	const struct question *as = query_asked(q, &room);
	int len;

	verdict_target(&ask, v, &q->change->target, TYPE_CNAME, &target);
	if (query_blocks(&target, &q->from)) {
		query_trace_verdict(q->from.trace, &target);
		query_blocked_by(q, view, &target, &part);
		return;
	}
	if (records_answer(env->views->records, &as->name, as->type, &local))
		len = local_records(as, &local, LEARN_ADDRS_MAX, env->buf, sizeof(env->buf));
	else
		len = query_special_write(env, view, as, sizeof(env->buf));
	if (len != 0)
		rewrite_made(q, view, as, len);
	else
		query_resolve(q, client);
}

bool query_rewrite(struct query *q, const struct view_client *client, struct name_verdict *v)
{
	const struct view *view = &q->env->views->views[client->view];
	struct rewrite rewrite;

	rewrite_choose(v, q->env->views, &q->question.name, &rewrite);
	query_trace_verdict(q->from.trace, v);
	switch (rewrite.kind) {
	case REWRITE_NOTHING:
	case REWRITE_KIND_MAX:
		q->by_exception = true;
		return false;
	case REWRITE_ANSWER:
		v->verdict = DNS_BLOCK;
		v->answer = rewrite.answer;
		if (!query_blocks(v, &q->from))
			return false;
		query_blocked_by(q, view, v, NULL);
		return true;
	case REWRITE_ALIAS:
	case REWRITE_RECORDS:
		break;
	}
	if (!query_change(q)) {
		query_error(q, RCODE_SERVFAIL, EDE_NONE, NULL);
		return true;
	}
	blocked_text(view, v, NULL, q->change->text, sizeof(q->change->text));
	note_change(q->env, v, &q->change->noted);
	q->change->target = rewrite.target;
	q->change->ttl_s = view->block_ttl_s;
	if (rewrite.kind == REWRITE_ALIAS)
		rewrite_alias(q, client, v);
	else
		rewrite_records(q, view, v);
	return true;
}
