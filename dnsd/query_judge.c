/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One verdict on all that an answer leads to: aliases, the hosts of HTTPS, SVCB and PTR records, addresses, and hints.
 * Called by query_answer.c with what was found, and by query_rewrite.c with what rules put in its place.
 *
 * A forbidden alias blocks the answer, since all behind it hangs on it; of all else the forbidden part is left out, and
 * the answer is blocked when nothing is left. */
#include "dnsd/query_inner.h"

/* It is forbidden: the first of these is what is told. */
static bool forbids(struct query *q, const struct name_verdict *v, struct judgement *j)
{
	bool first;

	j->personal = j->personal || v->personal;
	if (!query_blocks(v, &q->from)) {
		/* Over UDP it would be. */
		j->personal = j->personal || v->verdict == DNS_BLOCK;
		return false;
	}
	first = j->is == JUDGED_PASSES;
	j->is = JUDGED_TRIMMED;
	if (first)
		j->v = *v;
	return first;
}

static bool judge_target(struct query *q, const struct verdict_ask *ask, const struct name_verdict *asked,
			 const struct dname *target, uint16_t type, struct judgement *j)
{
	struct name_verdict v;

	verdict_target(ask, asked, target, type, &v);
	if (forbids(q, &v, j)) {
		j->is_addr = false;
		j->type = type;
		j->target = *target;
	}
	return query_blocks(&v, &q->from);
}

static bool judge_addr(struct query *q, const struct verdict_ask *ask, const struct name_verdict *asked,
		       const struct ip_addr *addr, struct judgement *j)
{
	uint16_t type = addr->family == IP_V4 ? TYPE_A : TYPE_AAAA;
	struct name_verdict v;

	verdict_addr(ask, asked, addr, type, &v);
	if (forbids(q, &v, j)) {
		j->is_addr = true;
		j->type = type;
		j->addr = *addr;
	}
	return query_blocks(&v, &q->from);
}

void query_judge(struct query *q, const struct view *view, const struct question *as, const struct name_verdict *asked,
		 struct judgement *ret)
{
	struct reply *r = &q->env->reply;
	bool forbidden[LEARN_ADDRS_MAX] = { false };
	struct dname target;
	const struct verdict_ask ask = { .views = q->env->views,
					 .view = view,
					 .client = views_client(q->env->views, &q->client),
					 .type = as->type,
					 .scratch = q->env->scratch };

	ret->is = JUDGED_PASSES;
	ret->personal = false;
	for (uint32_t i = 0; i < r->n_chain; i++) {
		if (!judge_target(q, &ask, asked, &r->chain[i], TYPE_CNAME, ret))
			continue;
		ret->is = JUDGED_BLOCKED;
		return;
	}
	for (uint32_t i = 0; i < r->n_rrs; i++) {
		struct reply_rr *x = &r->rrs[i];

		if (x->rr.type == as->type && reply_target(r, x, &target))
			x->dropped = judge_target(q, &ask, asked, &target, as->type, ret);
	}
	for (uint32_t i = 0; i < r->n_addrs; i++)
		forbidden[i] = judge_addr(q, &ask, asked, &r->addrs[i], ret);
	if (ret->is != JUDGED_PASSES && reply_trim(r, as, forbidden) == 0)
		ret->is = JUDGED_BLOCKED;
}

void judgement_part(const struct judgement *j, struct blocked_part *ret)
{
	ret->type = j->type;
	ret->target = j->is_addr ? NULL : &j->target;
	ret->addr = j->is_addr ? &j->addr : NULL;
}
