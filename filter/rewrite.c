/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order is AdGuard Home's: another name stands before all else, an answer code before records. Called by
 * dnsd/query_rewrite.c. */
#include "filter/rewrite.h"

/* The term of any of the two types in the first rule that has one; *ret_rule is its number. */
static bool term_find(const struct name_verdict *v, enum list_term_type a, enum list_term_type b, struct list_term *ret,
		      uint32_t *ret_rule)
{
	for (uint32_t i = 0; i < v->match.n_rewrites; i++) {
		const struct list_rule *r = &v->match.rewrites[i].rule;

		if (!list_terms_find(r->terms, r->terms_len, a, ret) &&
		    !list_terms_find(r->terms, r->terms_len, b, ret))
			continue;
		*ret_rule = i;
		return true;
	}
	return false;
}

/* @name in front of the target. False: together they are too long. */
static bool put_before(const struct dname *name, struct dname *target)
{
	struct dname n = *name;

	if (n.len - 1u + target->len > DNAME_MAX)
		return false;
	memcpy(n.wire + n.len - 1, target->wire, target->len);
	n.len = (uint8_t)(n.len - 1 + target->len);
	n.labels = (uint8_t)(n.labels + target->labels);
	*target = n;
	return true;
}

static void choose_alias(const struct list_term *t, const struct dname *name, struct rewrite *ret)
{
	ret->kind = REWRITE_ALIAS;
	list_term_name(t, &ret->target);
	if (t->type == TERM_CNAME_BELOW && !put_before(name, &ret->target)) {
		ret->kind = REWRITE_ANSWER;
		ret->answer = LIST_ANSWER_VIEW;
	} else if (dname_equal(&ret->target, name)) {
		ret->kind = REWRITE_NOTHING;
	}
}

void rewrite_choose(struct name_verdict *v, const struct views *views, const struct dname *name, struct rewrite *ret)
{
	struct list_term t;
	uint32_t rule = 0;

	ret->kind = REWRITE_RECORDS;
	ret->answer = LIST_ANSWER_VIEW;
	ret->target.len = ret->target.labels = 0;
	if (term_find(v, TERM_CNAME, TERM_CNAME_BELOW, &t, &rule)) {
		choose_alias(&t, name, ret);
	} else if (term_find(v, TERM_ANSWER, TERM_ANSWER, &t, &rule)) {
		ret->kind = REWRITE_ANSWER;
		ret->answer = (enum list_answer)t.data[0];
	}
	v->match.hit = v->match.rewrites[rule];
	v->line = v->match.hit.line;
	if (v->texts == NULL)
		v->list = v->match.hit.list < views->n_lists ? views->lists[v->match.hit.list] : NULL;
}

bool rewrite_record_next(const struct name_verdict *v, struct rewrite_at *at, struct rewrite_record *ret)
{
	struct list_term t;

	for (; at->rule < v->match.n_rewrites; at->rule++, at->term = 0) {
		const struct list_rule *r = &v->match.rewrites[at->rule].rule;

		while (list_terms_next(r->terms, r->terms_len, &at->term, &t)) {
			if (t.type != TERM_RECORD)
				continue;
			list_term_record(&t, &ret->type, &ret->ttl_s, &ret->data, &ret->len);
			return true;
		}
	}
	return false;
}
