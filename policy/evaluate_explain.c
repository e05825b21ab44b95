/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evaluator's looks at rules, in words. */
#include "policy/evaluate.h"

#include <inttypes.h>

static const char *const section_names[] = {
	[SECTION_ACLS] = "acls",
	[SECTION_GRANTS] = "grants",
	[SECTION_DENIES] = "denies",
};
static_assert(ARRAY_LEN(section_names) == SECTION_MAX, "names");

const char *evaluate_rule_pos(const struct doc_rule *rule, char buf[RULE_POS_MAX])
{
	(void)snprintf(buf, RULE_POS_MAX, "/%s/%" PRIu32, section_names[rule->section], rule->index);
	return buf;
}

const char *evaluate_look_print(const struct rule_look *l, char buf[LOOK_TEXT_MAX])
{
	char why[160] = "";

	if (l->src == NULL) {
		(void)snprintf(buf, LOOK_TEXT_MAX, "source no");
		return buf;
	}
	if (l->guard != NULL)
		(void)snprintf(why, sizeof(why), " (guarded: %s)", l->guard);
	else if (l->unknown != NULL)
		(void)snprintf(why, sizeof(why), " (%.60s: its addresses are not known here)", l->unknown);
	else if (l->dst != NULL)
		(void)snprintf(why, sizeof(why), " (%.100s)", l->dst->sel.text);
	(void)snprintf(buf, LOOK_TEXT_MAX, "source yes (%.60s), destination %s%s, protocol and port %s%s", l->src->text,
		       l->to ? "yes" : "no", why, l->service ? "yes" : "no",
		       l->in_hours ? "" : ", but not at this time");
	return buf;
}

/* Parts that fit: where to counts most, when least. */
static int nearness(const struct rule_look *l)
{
	if (l->src == NULL || l->dst == NULL)
		return 0;
	return 1 + (l->to ? 4 : l->guard != NULL || l->unknown != NULL ? 2 : 0) + 2 * l->service + l->in_hours;
}

const struct rule_look *evaluate_nearest(const struct rule_look *looks, uint32_t n)
{
	const struct rule_look *best = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (looks[i].rule->section != SECTION_DENIES &&
		    nearness(&looks[i]) > (best != NULL ? nearness(best) : 2))
			best = &looks[i];
	}
	return best;
}

const char *evaluate_egress(const struct rule_look *looks, uint32_t n)
{
	const struct doc_rule *way = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (!looks[i].matches || looks[i].rule->section == SECTION_DENIES)
			continue;
		if (looks[i].by_name)
			return looks[i].rule->egress;
		if (way == NULL)
			way = looks[i].rule;
	}
	return way != NULL ? way->egress : NULL;
}
