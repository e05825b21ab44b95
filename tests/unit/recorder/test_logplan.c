/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "recorder/logplan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char sample[] =
	"{\"generation\": 41, \"devices\": ["
	"{\"name\": \"web1\", \"addrs\": [\"100.64.0.7\", \"fd7a::7\"], \"flows\": \"full\"},"
	"{\"name\": \"kim\", \"addrs\": [\"100.64.0.3\"], \"flows\": \"pseudonymous\"},"
	"{\"name\": \"none\", \"addrs\": [\"100.64.0.4\"], \"flows\": \"off\"}],"
	"\"rules\": [{\"mark\": 4278190081, \"pos\": \"/grants/1\"}, {\"mark\": 4711, \"pos\": \"/grants/0\"}]}";

static const char address_twice[] =
	"{\"generation\":1,\"devices\":[{\"name\":\"a\",\"addrs\":[\"10.0.0.1\"],\"flows\":\"full\"},"
	"{\"name\":\"b\",\"addrs\":[\"10.0.0.1\"],\"flows\":\"full\"}],\"rules\":[]}";

static struct logplan *parsed(const char *text)
{
	struct logplan *p = NULL;
	struct err e = { 0 };

	assert_int_equal(logplan_parse(text, strlen(text), &p, &e), 0);
	return p;
}

static const struct logplan_device *device(const struct logplan *p, const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return logplan_device_find(p, &a);
}

static void devices_are_found_by_each_address(void **state)
{
	CLEANUP(logplan_freep) struct logplan *p = parsed(sample);

	assert_int_equal(logplan_generation(p), 41);
	assert_string_equal(device(p, "100.64.0.7")->name, "web1");
	assert_ptr_equal(device(p, "fd7a::7"), device(p, "100.64.0.7"));
	assert_int_equal(device(p, "100.64.0.7")->flows, LOG_LEVEL_FULL);
	assert_int_equal(device(p, "100.64.0.3")->flows, LOG_LEVEL_PSEUDONYMOUS);
}

static void nobody_else_is_found(void **state)
{
	CLEANUP(logplan_freep) struct logplan *p = parsed(sample);

	assert_null(device(p, "100.64.0.9"));
	assert_null(device(p, "100.64.0.4"));
	assert_null(device(NULL, "100.64.0.7"));
}

static void rules_are_found_by_our_bits_of_the_mark(void **state)
{
	CLEANUP(logplan_freep) struct logplan *p = parsed(sample);

	assert_string_equal(logplan_rule_find(p, 4711), "/grants/0");
	assert_string_equal(logplan_rule_find(p, 4711 | 0x00420000), "/grants/0");
	assert_string_equal(logplan_rule_find(p, 0xff000001), "/grants/1");
	assert_null(logplan_rule_find(p, 0));
	assert_null(logplan_rule_find(p, 4712));
	assert_null(logplan_rule_find(NULL, 4711));
}

static void an_empty_plan_is_a_plan(void **state)
{
	CLEANUP(logplan_freep) struct logplan *p = parsed("{\"generation\":1,\"devices\":[],\"rules\":[]}");

	assert_null(device(p, "100.64.0.7"));
	assert_null(logplan_rule_find(p, 1));
}

static void malformed_plans_are_refused_whole(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"devices\":[],\"rules\":[]}",
		"{\"generation\":1,\"devices\":{},\"rules\":[]}",
		"{\"generation\":1,\"devices\":[{\"name\":\"a\",\"addrs\":[\"x\"],\"flows\":\"full\"}],\"rules\":[]}",
		"{\"generation\":1,\"devices\":[{\"name\":\"a\",\"addrs\":[1],\"flows\":\"full\"}],\"rules\":[]}",
		"{\"generation\":1,\"devices\":[{\"name\":\"a\",\"addrs\":[],\"flows\":\"all\"}],\"rules\":[]}",
		"{\"generation\":1,\"devices\":[{\"addrs\":[],\"flows\":\"full\"}],\"rules\":[]}",
		"{\"generation\":1,\"devices\":[7],\"rules\":[]}",
		address_twice,
		"{\"generation\":1,\"devices\":[],\"rules\":[{\"mark\":0,\"pos\":\"/a\"}]}",
		"{\"generation\":1,\"devices\":[],\"rules\":[{\"mark\":1}]}",
		"{\"generation\":1,\"devices\":[],\"rules\":[{\"mark\":1e10,\"pos\":\"/a\"}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct logplan *p = NULL;
		struct err e = { 0 };

		assert_int_equal(logplan_parse(bad[i], strlen(bad[i]), &p, &e), -EBADMSG);
		assert_null(p);
		assert_int_equal(e.code, -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_found_by_each_address),	   cmocka_unit_test(nobody_else_is_found),
		cmocka_unit_test(rules_are_found_by_our_bits_of_the_mark), cmocka_unit_test(an_empty_plan_is_a_plan),
		cmocka_unit_test(malformed_plans_are_refused_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
