/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan: canonical, its marks stable, its indices right, its classes as few as can be. */
#include "world.h"

/* Text of the plan; free(). */
static char *print_plan(const struct plan *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	plan_print(p, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static char *plan_text(const char *policy, const char *devices)
{
	CLEANUP(world_done) struct world w;

	world_compile(&w, policy, devices);
	return print_plan(w.plan);
}

static const char *const small = "{" FAMILY_NAMES "\"grants\": ["
				 "{\"src\": [\"group:family\"], \"dst\": [\"nas\"], \"ip\": [\"tcp:445\"]},"
				 "{\"src\": [\"tag:server\"], \"dst\": [\"dns:a.example\"], \"ip\": [\"tcp:443\"]}]}";

static void order_of_devices_means_nothing(void **state)
{
	static const char *const one =
		"{\"users\": [\"ana@example.com\", \"ben@example.com\"], \"devices\": ["
		"{\"name\": \"a\", \"addresses\": [\"100.64.0.2\"], \"user\": \"ana@example.com\"},"
		"{\"name\": \"b\", \"addresses\": [\"100.64.0.1\"], \"tags\": [\"tag:server\"]}]}";
	static const char *const two =
		"{\"users\": [\"ben@example.com\", \"ana@example.com\"], \"devices\": ["
		"{\"name\": \"b\", \"addresses\": [\"100.64.0.1\"], \"tags\": [\"tag:server\"]},"
		"{\"name\": \"a\", \"addresses\": [\"100.64.0.2\"], \"user\": \"ana@example.com\"}]}";
	CLEANUP(freep) char *x = plan_text(small, one), *y = NULL;

	y = plan_text(small, two);
	assert_string_equal(x, y);
}

static void compiling_twice_gives_the_same(void **state)
{
	CLEANUP(freep) char *x = plan_text(small, family_devices);
	CLEANUP(freep) char *y = plan_text(small, family_devices);

	assert_string_equal(x, y);
}

static void devices_that_no_rule_tells_apart_share_a_class(void **state)
{
	CLEANUP(world_done) struct world w;
	struct ip_addr laptop = addr("100.64.0.2"), phone = addr("fd7a:115c:a1e0::3"), web1 = addr("100.64.0.7"),
		       db1 = addr("100.64.0.8"), tv = addr("100.64.0.9"), old = addr("100.64.0.10");

	world_compile(&w, small, family_devices);
	assert_int_equal(w.plan->n_classes, 3);
	assert_int_equal(plan_addr_find(w.plan, &laptop)->class_id, plan_addr_find(w.plan, &phone)->class_id);
	assert_int_equal(plan_addr_find(w.plan, &web1)->class_id, plan_addr_find(w.plan, &db1)->class_id);
	assert_int_equal(plan_addr_find(w.plan, &tv)->class_id, plan_addr_find(w.plan, &old)->class_id);
	assert_int_equal(plan_device_find(w.plan, &old)->state, DEVICE_EXPIRED);
	assert_true(w.plan->classes[plan_addr_find(w.plan, &tv)->class_id].quarantined);
}

static void logs_split_classes_and_set_levels(void **state)
{
	CLEANUP(world_done) struct world w;
	struct ip_addr web1 = addr("100.64.0.7"), db1 = addr("100.64.0.8"), pad = addr("100.64.0.4");

	world_compile(&w,
		      "{" FAMILY_NAMES "\"grants\": [], \"logs\": ["
		      "{\"src\": [\"tag:db\"], \"queries\": \"counts\"},"
		      "{\"src\": [\"tag:server\"], \"flows\": \"full\", \"queries\": \"full\"},"
		      "{\"src\": [\"ana@example.com\"], \"flows\": \"blocked\"}]}",
		      family_devices);
	assert_int_equal(plan_device_find(w.plan, &db1)->flows, LOG_LEVEL_FULL);
	assert_int_equal(plan_device_find(w.plan, &db1)->queries, LOG_LEVEL_COUNTS);
	assert_int_equal(plan_device_find(w.plan, &web1)->queries, LOG_LEVEL_FULL);
	assert_true(w.plan->classes[plan_addr_find(w.plan, &web1)->class_id].record_flows);
	assert_int_equal(plan_device_find(w.plan, &pad)->flows, LOG_LEVEL_BLOCKED);
	assert_false(w.plan->classes[plan_addr_find(w.plan, &pad)->class_id].record_flows);
}

static void marks_outlive_other_rules(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(world_done) struct world v;

	world_compile(&w, small, family_devices);
	world_compile(&v,
		      "{" FAMILY_NAMES "\"grants\": ["
		      "{\"src\": [\"tag:server\"], \"dst\": [\"dns:a.example\"], \"ip\": [\"tcp:443\"]}]}",
		      family_devices);
	assert_int_equal(w.plan->rules[1].mark, v.plan->rules[0].mark);
	assert_string_equal(v.plan->rules[0].pos, "/grants/0");
}

static void marks_are_unique_and_ours(void **state)
{
	CLEANUP(world_done) struct world w;

	/* The same rule four times: one hash. */
	world_compile(&w,
		      "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]},"
		      "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]},"
		      "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]},"
		      "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]}",
		      family_devices);
	assert_int_equal(w.plan->n_rules, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_not_equal(w.plan->rules[i].mark, 0);
		assert_int_equal(w.plan->rules[i].mark & ~CT_MARK_MASK, 0);
		assert_ptr_equal(plan_rule_by_mark(w.plan, w.plan->rules[i].mark), &w.plan->rules[i]);
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(w.plan->rules[i].mark, w.plan->rules[k].mark);
	}
	assert_null(plan_rule_by_mark(w.plan, 0));
}

static void names_with_other_ports_are_rules_of_their_own(void **state)
{
	CLEANUP(world_done) struct world w;
	const struct plan_rule *r;

	world_compile(&w,
		      "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"proto\": \"tcp\","
		      "\"dst\": [\"dns:b.example:443\", \"dns:c.example:80\", \"dns:a.example:443\"]}]}",
		      family_devices);
	assert_int_equal(w.plan->n_rules, 2);
	r = w.plan->rules;
	assert_int_equal(r[0].n_names, 2);
	assert_int_equal(r[1].n_names, 1);
	assert_string_equal(r[0].pos, r[1].pos);
	assert_int_not_equal(r[0].mark, r[1].mark);
	assert_true(plan_rule_serves(&r[0], 6, 443));
	assert_false(plan_rule_serves(&r[0], 6, 80));
	assert_true(plan_rule_serves(&r[1], 6, 80));
	assert_false(plan_rule_serves(&r[1], 17, 80));
	assert_int_equal(w.plan->classes[0].n_name_rules, 2);
}

static void every_address_finds_its_device(void **state)
{
	CLEANUP(world_done) struct world w;
	struct ip_addr stranger = addr("100.64.0.99");

	world_compile(&w, small, family_devices);
	for (uint32_t i = 0; i < w.plan->n_devices; i++) {
		for (uint32_t k = 0; k < w.plan->devices[i].n_addrs; k++)
			assert_ptr_equal(plan_device_find(w.plan, &w.plan->devices[i].addrs[k]), &w.plan->devices[i]);
	}
	assert_null(plan_device_find(w.plan, &stranger));
}

static void no_devices_no_classes(void **state)
{
	CLEANUP(world_done) struct world w;

	world_compile(&w, small, "{\"users\": [], \"devices\": []}");
	assert_int_equal(w.plan->n_classes, 0);
	assert_int_equal(w.plan->n_rules, 2);
}

static void the_guard_is_the_kernels_and_the_evaluators(void **state)
{
	CLEANUP(world_done) struct world w;
	struct ip_addr nas = addr("192.168.1.20"), there = addr("203.0.113.9"), attached = addr("198.18.0.9"),
		       ula = addr("fd00::1"), six = addr("2001:db8::1");

	world_compile(&w, small, family_devices);
	assert_true(compile_guarded(&w.env, &nas));
	assert_true(compile_guarded(&w.env, &attached));
	assert_true(compile_guarded(&w.env, &ula));
	assert_false(compile_guarded(&w.env, &there));
	assert_false(compile_guarded(&w.env, &six));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_of_devices_means_nothing),
		cmocka_unit_test(compiling_twice_gives_the_same),
		cmocka_unit_test(devices_that_no_rule_tells_apart_share_a_class),
		cmocka_unit_test(logs_split_classes_and_set_levels),
		cmocka_unit_test(marks_outlive_other_rules),
		cmocka_unit_test(marks_are_unique_and_ours),
		cmocka_unit_test(names_with_other_ports_are_rules_of_their_own),
		cmocka_unit_test(every_address_finds_its_device),
		cmocka_unit_test(no_devices_no_classes),
		cmocka_unit_test(the_guard_is_the_kernels_and_the_evaluators),
	};

	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
