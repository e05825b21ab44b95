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

/* Before what the policy begins with. */
static void put_tests(struct text *t, const struct text *policy)
{
	static const char *const from[] = { "ana@example.com", "ben@example.com", "group:family", "autogroup:member",
					    "tag:server",      "tag:db",	  "100.64.0.2",	  "autogroup:tagged" };
	static const char *const to[] = {
		"tag:server:22",       "autogroup:member:443",	 "ana@example.com:443", "203.0.113.9:443",
		"100.64.0.7:80",       "[fd7a:115c:a1e0::7]:80", "dns:a.example:443",	"nas:445",
		"autogroup:tagged:53", "[2001:db8::9]:443",	 "198.51.100.9:22",	"tag:tv:443"
	};

	put(t, "{\"tests\": [");
	for (uint32_t i = 0; i < 3; i++) {
		put(t, "{\"src\": \"%s\", %s", PICK(from), roll(2) ? "\"proto\": \"tcp\", " : "");
		put_list(t, "accept", to, ARRAY_LEN(to));
		put(t, ", ");
		put_list(t, "deny", to, ARRAY_LEN(to));
		put(t, "},");
	}
	put(t, "],%s", policy->buf + 1);
}

/* Tests fail for the same devices in the same words, whether the plan is asked first or not. */
static void tests_come_out_alike_with_and_without_a_plan(void **state)
{
	uint32_t failed = 0, held = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(world_done) struct world w;
		struct text policy = { .len = 0 }, tested = { .len = 0 };
		struct diag_list with, without;

		seed = 815 + round * 7919;
		put_policy(&policy);
		put_tests(&tested, &policy);
		world_compile(&w, tested.buf, family_devices);
		diag_init(&with, w.mem);
		diag_init(&without, w.mem);
		assert_int_equal(evaluate_tests(w.policy, w.devices, &w.env, w.plan, NULL, NULL, &with),
				 evaluate_tests(w.policy, w.devices, &w.env, NULL, NULL, NULL, &without));
		assert_int_equal(with.n, without.n);
		for (uint32_t i = 0; i < with.n; i++)
			assert_string_equal(with.items[i].msg, without.items[i].msg);
		failed += with.n_errors != 0;
		held += with.n_errors == 0;
	}
	/* Else half of it was not tried. */
	assert_true(failed != 0 && held != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_and_evaluator_agree),
		cmocka_unit_test(tests_come_out_alike_with_and_without_a_plan),
	};

	return cmocka_run_group_tests_name("agree", tests, NULL, NULL);
}
