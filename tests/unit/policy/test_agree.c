/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan against evaluator: random small policies and devices as text, random packets, never two opinions. The seed of a
 * round is printed when one differs; SLUICE_SEED repeats it. */
#include "random_policy.h"

#define ROUNDS	400
#define PACKETS 250

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
	if (got == v.action && (pkt.name != NULL || strcmp(rule, v.rule) == 0))
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
	uint32_t base = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 4711;

	for (uint32_t round = 0; round < (given != NULL ? 1 : ROUNDS); round++) {
		CLEANUP(world_done) struct world w;
		struct text policy = { .len = 0 };

		seed = base + round * 7919;
		put_policy(&policy);
		world_compile(&w, policy.buf, family_devices);
		for (uint32_t i = 0; i < PACKETS; i++)
			ask_both(&w, &policy, base + round * 7919);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(plan_and_evaluator_agree) };

	return cmocka_run_group_tests_name("agree", tests, NULL, NULL);
}
