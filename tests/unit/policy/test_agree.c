/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan against evaluator: random small policies and devices as text, random packets, never two opinions. The seed of a
 * round is printed when one differs; SLUICE_SEED repeats it. */
#include "random_policy.h"

#define ROUNDS	400
#define PACKETS 250

/* Where destinations go by list, the plan may name another rule than the first that accepts; but one that does. */
static bool accepts_too(const struct world *w, const struct packet *pkt, const char *rule)
{
	CLEANUP(freep) struct rule_look *looks = calloc((size_t)w->policy->n_rules + 1, sizeof(*looks));
	struct verdict v;

	assert_non_null(looks);
	evaluate_explain(w->policy, w->devices, &w->env, pkt, looks, &v);
	for (uint32_t i = 0; i < w->policy->n_rules; i++) {
		char pos[RULE_POS_MAX];

		if (looks[i].matches && strcmp(evaluate_rule_pos(looks[i].rule, pos), rule) == 0)
			return looks[i].rule->section != SECTION_DENIES;
	}
	return false;
}

static uint64_t n_by_list;

static bool same_rule(const struct world *w, const struct packet *pkt, const struct verdict *v, const char *rule)
{
	if (strcmp(rule, v->rule) == 0)
		return true;
	if (w->plan->members.n_levels == 0 || v->action != PLAN_ACCEPT || !accepts_too(w, pkt, rule))
		return false;
	n_by_list++;
	return true;
}

static void ask_both(const struct world *w, const struct text *policy, uint32_t first_seed)
{
	struct packet pkt = random_packet();
	const char *rule, *name = PICK(names);
	struct dname dname;
	struct verdict v;
	enum plan_action got;
	char text[IP_TEXT_MAX];

	assert_int_equal(dname_parse(name, strlen(name), &dname), 0);
	if (roll(2))
		pkt.name = &dname;
	evaluate_packet(w->policy, w->devices, &w->env, &pkt, &v);
	got = plan_says(w->plan, &pkt, &rule);
	if (got == v.action && (pkt.name != NULL || same_rule(w, &pkt, &v, rule)))
		return;
	(void)fprintf(stderr, "seed %" PRIu32 "\n%s\n%s -> ", first_seed, policy->buf, ip_addr_print(&pkt.src, text));
	(void)fprintf(stderr, "%s proto %u port %u name %s: plan %d %s, evaluator %d %s (%s)\n",
		      ip_addr_print(&pkt.dst, text), pkt.proto, pkt.port, pkt.name ? name : "-", got, rule, v.action,
		      v.rule, v.reason);
	fail();
}

static void plan_and_evaluator_agree(void **state)
{
	const char *given = getenv("SLUICE_SEED");
	uint32_t levels = 0, base = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 4711;

	for (uint32_t round = 0; round < (given != NULL ? 1 : ROUNDS); round++) {
		CLEANUP(world_done) struct world w;
		struct text policy = { .len = 0 };

		seed = base + round * 7919;
		put_policy(&policy);
		world_compile(&w, policy.buf, family_devices);
		for (uint32_t i = 0; i < PACKETS; i++)
			ask_both(&w, &policy, base + round * 7919);
		levels = w.plan->members.n_levels > levels ? w.plan->members.n_levels : levels;
	}
	/* Else the half of it was not tried. */
	assert_true(given != NULL || (levels > 1 && n_by_list != 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(plan_and_evaluator_agree) };

	return cmocka_run_group_tests_name("agree", tests, NULL, NULL);
}
