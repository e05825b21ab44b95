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

static void own_hit(const struct list_hit *hit, const char *const *texts, bool exception, struct name_verdict *ret)
{
	ret->by_exception = exception;
	ret->verdict = exception ? DNS_PASS : DNS_BLOCK;
	ret->list = "filter";
	ret->line = hit->line;
	snprintf(ret->rule, sizeof(ret->rule), "%s", texts[hit->line - 1]);
}

/* The rules written in the filter itself. An "@@" rule among the block rules is the exception that it says. */
static bool own_allow(const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	struct list_hit hit;

	if (view->own == NULL || !listfile_match(view->own, OWN_ALLOW_MASK, name, &hit))
		return false;
	own_hit(&hit, view->own_allow, true, ret);
	return true;
}

static bool own_block(const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	struct list_hit hit;

	if (view->own == NULL || !listfile_match(view->own, OWN_BLOCK_MASK, name, &hit))
		return false;
	own_hit(&hit, view->own_block, hit.rule.allow, ret);
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

/* Names by which programs ask whether the network wants them to use resolvers of their own. No address for them means
 * no: Firefox for DNS over HTTPS, Apple's systems for iCloud Private Relay. The answer must be NXDOMAIN or NODATA, an
 * address would mean yes. */
static bool is_canary(const struct dname *name)
{
	static const char *const canaries[] = {
		"\x13use-application-dns\x03net",
		"\x04mask\x06icloud\x03"
		"com",
		"\x07mask-h2\x06icloud\x03"
		"com",
	};

	for (size_t i = 0; i < ARRAY_LEN(canaries); i++)
		if (name->len == strlen(canaries[i]) + 1 && memcmp(name->wire, canaries[i], name->len) == 0)
			return true;
	return false;
}

static bool canary(const struct views *v, const struct dname *name, struct name_verdict *ret)
{
	if (!v->canaries || !is_canary(name))
		return false;
	ret->verdict = DNS_BLOCK;
	ret->canary = true;
	ret->list = "policy";
	snprintf(ret->rule, sizeof(ret->rule), "/dns/canaries");
	return true;
}

/* Names that are answered here stand before lists, whose targets they are of, too; denies stand before both. */
static void local(const struct views *v, const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	struct local_answer a;

	ret->verdict = DNS_REWRITE;
	if (!records_answer(v->records, name, RECORD_A, &a))
		return;
	for (uint32_t i = 0; i < a.n_aliases; i++)
		if (denied(v, view, &a.targets[i], ret))
			return;
}

void verdict_name(const struct views *v, const struct view *view, const struct dname *name, struct name_verdict *ret)
{
	*ret = (struct name_verdict){ .verdict = DNS_PASS };
	if (denied(v, view, name, ret))
		return;
	if (records_local(v->records, name)) {
		local(v, view, name, ret);
		return;
	}
	if (own_allow(view, name, ret) || canary(v, name, ret))
		return;
	if (!own_block(view, name, ret))
		(void)listed(v, view, name, ret);
}

void verdict_target(const struct views *v, const struct view *view, const struct name_verdict *asked,
		    const struct dname *name, struct name_verdict *ret)
{
	*ret = (struct name_verdict){ .verdict = DNS_PASS };
	if (denied(v, view, name, ret) || asked->by_exception)
		return;
	if (!own_allow(view, name, ret) && !own_block(view, name, ret))
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
