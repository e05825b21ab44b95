/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a name. Called by dnsd's workers for the question and each CNAME target, by the policy's DNS tests,
 * by `sluice dns-eval` and `sluice explain`. Reads a snapshot, keeps nothing.
 *
 * A deny of the policy stands before the filter's own exceptions: "refused even where something allows" (design.md,
 * section 4) holds for names as for packets. */
#include "filter/verdict.h"

#include "filter/view_addrs.h"
#include "filter/view_overrides.h"

#define OWN_BLOCK_MASK 1ull /* list 0 of view.own */
#define OWN_ALLOW_MASK 2ull /* list 1 */

static bool rule_matches(const struct view_rule *rule, const struct dname *name)
{
	for (uint32_t i = 0; i < rule->n_names; i++)
		if (name_pattern_match(&rule->names[i], name))
			return true;
	return false;
}

static void pass(struct name_verdict *ret)
{
	ret->verdict = DNS_PASS;
	ret->by = VERDICT_BY_NONE;
	ret->by_exception = ret->personal = false;
	ret->answer = LIST_ANSWER_VIEW;
	ret->line = 0;
	ret->list = ret->pos = NULL;
	ret->texts = NULL;
	ret->match.found = false;
	ret->match.n_rewrites = 0;
}

static void deny(const struct view_rule *rule, struct name_verdict *ret)
{
	ret->verdict = DNS_BLOCK;
	ret->by = VERDICT_BY_DENY;
	ret->list = "policy";
	ret->line = rule->line;
	ret->pos = rule->pos;
}

static bool denied(const struct verdict_ask *ask, const struct dname *name, struct name_verdict *ret)
{
	for (uint32_t i = 0; i < ask->view->n_denies; i++) {
		const struct view_rule *rule = &ask->views->rules[ask->view->denies[i]];

		if (!rule_matches(rule, name))
			continue;
		deny(rule, ret);
		return true;
	}
	return false;
}

static bool addr_denied(const struct verdict_ask *ask, const struct ip_addr *addr, struct name_verdict *ret)
{
	for (uint32_t i = 0; i < ask->view->n_deny_addrs; i++) {
		const struct view_rule *rule = &ask->views->rules[ask->view->deny_addrs[i]];

		if (!view_rule_closes(rule, addr))
			continue;
		deny(rule, ret);
		return true;
	}
	return false;
}

/* What the rules in @mask of @f say. False: nothing. */
static bool judged(const struct verdict_ask *ask, const struct listfile *f, uint64_t mask, const struct dname *name,
		   const struct ip_addr *addr, uint16_t type, bool rewrites, struct name_verdict *ret)
{
	struct list_client client;
	struct list_ask what = { .name = name,
				 .addr = addr,
				 .type = type,
				 .scratch = ask->scratch,
				 /* A filter's own rules are told by it. */
				 .brief = ask->brief && f == ask->views->listfile };
	struct list_term t;

	/* It is of the name that is asked, for which alone rewrites hold. */
	if (rewrites)
		what.probe = ask->probe;
	if (ask->client != NULL) {
		client = (struct list_client){ .addr = ask->client->addr,
					       .device = ask->client->device,
					       .tags = ask->client->tags,
					       .n_tags = ask->client->n_tags };
		what.client = &client;
	}
	(void)listfile_match(f, mask, &what, &ret->match);
	ret->personal = ret->personal || ret->match.personal;
	if (rewrites && ret->match.n_rewrites != 0) {
		ret->match.hit = ret->match.rewrites[0];
		ret->verdict = DNS_REWRITE;
		return true;
	}
	if (!ret->match.found)
		return false;
	ret->by_exception = ret->match.hit.rule.action == LIST_ALLOW;
	ret->verdict = ret->by_exception ? DNS_PASS : DNS_BLOCK;
	if (list_terms_find(ret->match.hit.rule.terms, ret->match.hit.rule.terms_len, TERM_ANSWER, &t))
		ret->answer = (enum list_answer)t.data[0];
	return true;
}

/* The rules written in the filter itself. An "@@" rule among the block rules is the exception that it says. */
static bool own(const struct verdict_ask *ask, uint64_t mask, const struct dname *name, const struct ip_addr *addr,
		uint16_t type, bool rewrites, struct name_verdict *ret)
{
	if (ask->view->own == NULL || !judged(ask, ask->view->own, mask, name, addr, type, rewrites, ret))
		return false;
	/* What is written among the exceptions is one, with or without "@@". */
	if (mask == OWN_ALLOW_MASK) {
		ret->by_exception = true;
		ret->verdict = DNS_PASS;
	}
	ret->by = VERDICT_BY_FILTER;
	ret->list = "filter";
	ret->line = ret->match.hit.line;
	ret->texts = mask == OWN_ALLOW_MASK ? ask->view->own_allow : ask->view->own_block;
	return true;
}

static void by_list(const struct views *v, enum verdict_by by, struct name_verdict *ret)
{
	ret->by = by;
	ret->list = ret->match.hit.list < v->n_lists ? v->lists[ret->match.hit.list] : NULL;
	ret->line = ret->match.hit.line;
}

static bool listed(const struct verdict_ask *ask, const struct dname *name, const struct ip_addr *addr, uint16_t type,
		   bool rewrites, struct name_verdict *ret)
{
	const struct views *v = ask->views;

	if (v->listfile == NULL || !judged(ask, v->listfile, ask->view->lists, name, addr, type, rewrites, ret))
		return false;
	by_list(v, VERDICT_BY_LIST, ret);
	return true;
}

/* Rewrites of names that everything else lets pass without a word: an exception is one from safe search, too, as in
 * AdGuard Home. */
static void safe(const struct verdict_ask *ask, const struct dname *name, struct name_verdict *ret)
{
	const struct views *v = ask->views;
	struct name_verdict found;

	if (v->listfile == NULL || ask->view->safe_lists == 0)
		return;
	pass(&found);
	found.personal = ret->personal;
	if (judged(ask, v->listfile, ask->view->safe_lists, name, NULL, ask->type, true, &found) &&
	    found.verdict == DNS_REWRITE) {
		by_list(v, VERDICT_BY_SAFE, &found);
		*ret = found;
	}
	ret->personal = found.personal;
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

/* A pause is of what blocks names; that programs are told to use this resolver is another matter, and they would go on
 * past its end. */
static bool overridden(const struct verdict_ask *ask, const struct dname *name, struct name_verdict *ret)
{
	const struct view_override *o;

	if (ask->views->n_overrides == 0)
		return false;
	o = views_override(ask->views, ask->view, ask->client, name, &ret->personal);
	if (o == NULL || (o->name.len == 0 && ask->views->canaries && is_canary(name)))
		return false;
	ret->verdict = DNS_PASS;
	ret->by = VERDICT_BY_OVERRIDE;
	ret->by_exception = true;
	ret->list = "override";
	ret->line = o->id;
	ret->pos = o->pos;
	return true;
}

static bool canary(const struct views *v, const struct dname *name, struct name_verdict *ret)
{
	if (!v->canaries || !is_canary(name))
		return false;
	ret->verdict = DNS_BLOCK;
	ret->by = VERDICT_BY_CANARY;
	ret->list = "policy";
	ret->pos = "/dns/canaries";
	return true;
}

/* Names that are answered here stand before lists, whose targets they are of, too; denies stand before both. */
static void local(const struct verdict_ask *ask, const struct dname *name, struct name_verdict *ret)
{
	struct local_answer a;

	ret->verdict = DNS_REWRITE;
	ret->by = VERDICT_BY_RECORDS;
	if (!records_answer(ask->views->records, name, RECORD_A, &a))
		return;
	for (uint32_t i = 0; i < a.n_aliases; i++)
		if (denied(ask, &a.targets[i], ret))
			return;
}

void verdict_name(const struct verdict_ask *ask, const struct dname *name, struct name_verdict *ret)
{
	pass(ret);
	if (denied(ask, name, ret))
		return;
	if (records_local(ask->views->records, name)) {
		local(ask, name, ret);
		return;
	}
	if (overridden(ask, name, ret) || own(ask, OWN_ALLOW_MASK, name, NULL, ask->type, true, ret) ||
	    canary(ask->views, name, ret))
		return;
	if (!own(ask, OWN_BLOCK_MASK, name, NULL, ask->type, true, ret) &&
	    !listed(ask, name, NULL, ask->type, true, ret))
		safe(ask, name, ret);
}

void verdict_target(const struct verdict_ask *ask, const struct name_verdict *asked, const struct dname *name,
		    uint16_t type, struct name_verdict *ret)
{
	pass(ret);
	if (denied(ask, name, ret) || asked->by_exception || overridden(ask, name, ret))
		return;
	if (!own(ask, OWN_ALLOW_MASK, name, NULL, type, false, ret) &&
	    !own(ask, OWN_BLOCK_MASK, name, NULL, type, false, ret))
		(void)listed(ask, name, NULL, type, false, ret);
}

void verdict_addr(const struct verdict_ask *ask, const struct name_verdict *asked, const struct ip_addr *addr,
		  uint16_t type, struct name_verdict *ret)
{
	pass(ret);
	if (addr_denied(ask, addr, ret) || asked->by_exception)
		return;
	if (!own(ask, OWN_ALLOW_MASK, NULL, addr, type, false, ret) &&
	    !own(ask, OWN_BLOCK_MASK, NULL, addr, type, false, ret))
		(void)listed(ask, NULL, addr, type, false, ret);
}

const char *verdict_rule(const struct name_verdict *v, char *buf, size_t len)
{
	if (len == 0)
		return buf;
	buf[0] = '\0';
	if (v->pos != NULL)
		snprintf(buf, len, "%s", v->pos);
	else if (v->texts != NULL)
		snprintf(buf, len, "%s", v->texts[v->line - 1]);
	else if (v->by == VERDICT_BY_LIST || v->by == VERDICT_BY_SAFE)
		list_rule_print(&v->match.hit.rule, buf, len);
	return buf;
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
