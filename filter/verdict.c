/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a name. Called by dnsd's workers for the question and each CNAME target, by the policy's DNS tests,
 * by `sluice dns-eval` and `sluice explain`. Reads a snapshot, keeps nothing.
 *
 * A deny of the policy stands before the filter's own exceptions: "refused even where something allows" (design.md,
 * section 4) holds for names as for packets. */
#include "filter/verdict.h"

#define OWN_BLOCK_MASK 1ull /* list 0 of view.own */
#define OWN_ALLOW_MASK 2ull /* list 1 */

static bool rule_matches(const struct view_rule *rule, const struct dname *name)
{
	for (uint32_t i = 0; i < rule->n_names; i++)
		if (name_pattern_match(&rule->names[i], name))
			return true;
	return false;
}

static bool denied(const struct views *v, const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	for (uint32_t i = 0; i < view->n_denies; i++) {
		const struct view_rule *rule = &v->rules[view->denies[i]];

		if (!rule_matches(rule, name))
			continue;
		ret->verdict = DNS_BLOCK;
		ret->list = "policy";
		ret->line = rule->line;
		snprintf(ret->rule, sizeof(ret->rule), "%s", rule->pos);
		return true;
	}
	return false;
}

/* The rules written in the filter itself. An "@@" rule among the block rules is the exception that it says. */
static bool own_rule(const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	struct list_hit hit;
	const char *text;
	bool allow;

	if (view->own == NULL)
		return false;
	allow = listfile_match(view->own, OWN_ALLOW_MASK, name, &hit);
	if (!allow && !listfile_match(view->own, OWN_BLOCK_MASK, name, &hit))
		return false;
	text = allow ? view->own_allow[hit.line - 1] : view->own_block[hit.line - 1];
	ret->by_exception = allow || hit.rule.allow;
	ret->verdict = ret->by_exception ? DNS_PASS : DNS_BLOCK;
	ret->list = "filter";
	ret->line = hit.line;
	snprintf(ret->rule, sizeof(ret->rule), "%s", text);
	return true;
}

static bool listed(const struct views *v, const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	struct list_hit hit;

	if (v->listfile == NULL || !listfile_match(v->listfile, view->lists, name, &hit))
		return false;
	ret->by_exception = hit.rule.allow;
	ret->verdict = hit.rule.allow ? DNS_PASS : DNS_BLOCK;
	ret->list = hit.list < v->n_lists ? v->lists[hit.list] : NULL;
	ret->line = hit.line;
	list_rule_print(&hit.rule, ret->rule, sizeof(ret->rule));
	return true;
}

void verdict_name(const struct views *v, const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	uint32_t n_records;

	*ret = (struct name_verdict){ .verdict = DNS_PASS };
	if (denied(v, view, name, ret))
		return;
	if (views_records(v, name, &n_records) != NULL)
		ret->verdict = DNS_REWRITE;
	else if (!own_rule(view, name, ret))
		(void)listed(v, view, name, ret);
}

void verdict_target(const struct views *v, const struct view *view, const struct name_verdict *asked,
		    const struct dname *name, struct name_verdict *ret)
{
	*ret = (struct name_verdict){ .verdict = DNS_PASS };
	if (denied(v, view, name, ret) || asked->by_exception)
		return;
	if (!own_rule(view, name, ret))
		(void)listed(v, view, name, ret);
}

uint32_t verdict_grants(const struct views *v, const struct view *view, const struct dname *name, uint32_t *ret,
			uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < view->n_grants && n < max; i++)
		if (rule_matches(&v->rules[view->grants[i]], name))
			ret[n++] = view->grants[i];
	return n;
}
