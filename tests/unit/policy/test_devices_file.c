/* SPDX-License-Identifier: GPL-3.0-or-later */
/* devices.hujson: what a device must have, and what may belong to one device only. */
#include "document_case.h"

#include "policy/rfc3339.h"

#define KEY	     "\"key\": \"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\""
#define DEV(members) "{\"name\": \"tv\", \"addresses\": [\"100.64.0.7\"], \"user\": \"ana@example.com\"" members "}"
#define ONE(members) "{\"devices\": [" DEV(members) "]}"

static void reads_all_of_a_device(void **state)
{
	struct reading r;
	const struct doc_devices *d;
	const struct doc_device *dev;

	reading_init(
		&r,
		"{\"users\": [\"ana@example.com\"], \"devices\": ["
		"{\"name\": \"web1\", \"addresses\": [\"100.64.0.7\", \"fd7a::7\"], \"tags\": [\"tag:server\", "
		"\"tag:web\"], " KEY ","
		"\"routes\": [\"192.168.7.0/24\"], \"expires\": \"2027-01-31T18:00:00Z\", \"state\": \"quarantined\"},"
		"{\"name\": \"phone\", \"addresses\": [\"100.64.0.8\"], \"user\": \"ana@example.com\"}]}");
	d = document_devices(r.mem, r.src, &r.diags);
	assert_non_null(d);
	assert_int_equal(r.diags.n, 0);
	assert_string_equal(d->users[0], "ana@example.com");
	assert_null(d->users[1]);
	assert_int_equal(d->n_devices, 2);
	dev = &d->devices[0];
	assert_string_equal(dev->name, "web1");
	assert_int_equal(dev->n_addrs, 2);
	assert_int_equal(dev->addrs[1].family, IP_V6);
	assert_null(dev->user);
	assert_string_equal(dev->tags[1], "tag:web");
	assert_null(dev->tags[2]);
	assert_int_equal(dev->n_routes, 1);
	assert_int_equal(dev->expires_s, 1801418400);
	assert_int_equal(dev->state, DEVICE_QUARANTINED);
	dev = &d->devices[1];
	assert_string_equal(dev->user, "ana@example.com");
	assert_null(dev->tags[0]);
	assert_null(dev->key);
	assert_int_equal(dev->expires_s, 0);
	assert_int_equal(dev->state, DEVICE_ACTIVE);
	reading_done(&r);
}

static void refuses_what_is_missing_or_wrong(void **state)
{
	static const struct reading_case cases[] = {
		{ "{}", NULL, NULL },
		{ ONE(""), NULL, NULL },
		{ "{\"users\": [], \"devices\": [" DEV("") "]}", NULL, "P1107" },
		{ "{\"device\": []}", "P0102", NULL },
		{ ONE(", \"nmae\": 1"), "P0102", NULL },
		{ "{\"devices\": [{\"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:a\"]}]}", "P1113", NULL },
		{ "{\"devices\": [{\"name\": \"a b\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:a\"]}]}",
		  "P1102", NULL },
		{ "{\"devices\": [{\"name\": \"-a\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:a\"]}]}",
		  "P1102", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"tags\": [\"tag:a\"]}]}", "P1103", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [], \"tags\": [\"tag:a\"]}]}", "P1103", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"100.64.0.7/32\"], \"tags\": [\"tag:a\"]}]}",
		  "P1104", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"::\"], \"tags\": [\"tag:a\"]}]}", "P1104", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"127.0.0.1\", \"127.9.0.1\", \"::1\"], \"tags\": "
		  "[\"tag:a\"]}]}",
		  NULL, NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"127.0.0.1\", \"100.64.0.7\"], \"tags\": "
		  "[\"tag:a\"]}]}",
		  "P1116", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"::1\"], \"tags\": [\"tag:a\"], " KEY "}]}",
		  "P1116", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"::1\"], \"tags\": [\"tag:a\"], \"routes\": "
		  "[\"10.0.0.0/8\"]}]}",
		  "P1116", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"ff02::1\"], \"tags\": [\"tag:a\"]}]}", "P1104",
		  NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"100.64.0.7\"]}]}", "P1108", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"100.64.0.7\"], \"tags\": []}]}", "P1108", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"a\"]}]}", "P1109",
		  NULL },
		{ ONE(", \"tags\": [\"tag:a\"]"), "P1108", NULL },
		{ "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"100.64.0.7\"], \"user\": \"ana\"}]}", "P1106",
		  NULL },
		{ ONE(", \"routes\": [\"10.0.0.0/33\"]"), "P1105", NULL },
		{ ONE(", \"routes\": [\"0.0.0.0/0\"]"), "P1105", NULL },
		{ ONE(", \"key\": \"x\""), "P1110", NULL },
		{ ONE(", \"key\": \"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh=\""), "P1110", NULL },
		{ ONE(", \"key\": \"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8DgA\""), "P1110", NULL },
		{ ONE(", \"state\": \"actve\""), "P1111", NULL },
		{ ONE(", \"expires\": \"tomorrow\""), "P1112", NULL },
		{ ONE(", \"expires\": 5"), "P0101", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;

		reading_init(&r, cases[i].text);
		reading_expect(&r, document_devices(r.mem, r.src, &r.diags), &cases[i]);
		reading_done(&r);
	}
}

static void duplicates_are_errors_that_name_both_places(void **state)
{
	static const char *const cases[] = {
		"{\"devices\": [" DEV("") ", {\"name\": \"x\", \"addresses\": [\"100.64.0.7\"], \"user\": \"a@b\"}]}",
		"{\"devices\": [" DEV("") ", {\"name\": \"TV\", \"addresses\": [\"100.64.0.8\"], \"user\": \"a@b\"}]}",
		"{\"devices\": [" DEV(
			", " KEY) ", {\"name\": \"x\", \"addresses\": [\"100.64.0.8\"], \"user\": \"a@b\", " KEY "}]}",
		"{\"devices\": [{\"name\": \"x\", \"addresses\": [\"fd00::1\", \"fd00:0::1\"], \"user\": \"a@b\"}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;

		reading_init(&r, cases[i]);
		assert_null(document_devices(r.mem, r.src, &r.diags));
		assert_int_equal(r.diags.n_errors, 1);
		assert_string_equal(r.diags.items[0].code, "P1101");
		assert_true(r.diags.items[0].related.start < r.diags.items[0].at.start);
		reading_done(&r);
	}
}

static void a_tag_that_the_policy_does_not_know_is_a_warning(void **state)
{
	static const char text[] = "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"10.0.0.1\"], "
				   "\"tags\": [\"tag:server\", \"tag:sever\"]}]}";
	struct reading r;
	const struct doc_policy *p;
	const struct doc_devices *d;

	reading_init(&r, "{\"tagOwners\": {\"tag:server\": []}}");
	p = document_policy(r.mem, r.src, &r.diags);
	r.src = source_new(r.mem, "devices.hujson", text, sizeof(text) - 1);
	d = document_devices(r.mem, r.src, &r.diags);
	assert_non_null(p);
	assert_non_null(d);
	document_check_devices(p, d, &r.diags);
	assert_int_equal(r.diags.n_errors, 0);
	assert_int_equal(r.diags.n, 1);
	assert_string_equal(r.diags.items[0].code, "P1114");
	assert_ptr_equal(r.diags.items[0].src, r.src);
	assert_non_null(strstr(r.diags.items[0].msg, "tag:server"));
	reading_done(&r);
}

/* Warned of: what matches nobody now. Silent: what matches one address, whoever has it. */
static void a_source_that_no_device_has_is_a_warning(void **state)
{
	static const char policy[] = "{\"hosts\": {\"lan\": \"10.50.0.0/16\"}, \"ipsets\": {\"ipset:s\": "
				     "[\"10.60.0.0-10.60.0.9\", \"fd00::1\"], \"ipset:t\": [\"10.60.0.0/16\"]}, "
				     "\"grants\": [{\"src\": [\"10.0.0.0/24\", \"10.0.0.2\", \"lan\", \"ipset:s\", "
				     "\"ipset:t\", \"*\"], \"dst\": [\"192.0.2.1\"], \"ip\": [\"*\"]}]}";
	static const char text[] = "{\"devices\": [{\"name\": \"a\", \"addresses\": [\"10.0.0.1\", \"fd00::1\"], "
				   "\"user\": \"ana@example.com\", \"routes\": [\"10.50.0.0/16\"]}]}";
	static const char *const nobodys[] = { "10.0.0.2:", "lan:", "ipset:t:" };
	struct reading r;
	const struct doc_policy *p;
	const struct doc_devices *d;

	reading_init(&r, policy);
	p = document_policy(r.mem, r.src, &r.diags);
	d = document_devices(r.mem, source_new(r.mem, "devices.hujson", text, sizeof(text) - 1), &r.diags);
	assert_non_null(p);
	assert_non_null(d);
	assert_int_equal(r.diags.n, 0);
	document_check_devices(p, d, &r.diags);
	assert_int_equal(r.diags.n_errors, 0);
	assert_int_equal(r.diags.n, ARRAY_LEN(nobodys));
	for (size_t i = 0; i < ARRAY_LEN(nobodys); i++) {
		assert_string_equal(r.diags.items[i].code, "P1115");
		assert_ptr_equal(r.diags.items[i].src, r.src);
		assert_non_null(strstr(r.diags.items[i].msg, nobodys[i]));
	}
	reading_done(&r);
}

static void times_are_read_with_their_offset(void **state)
{
	static const struct {
		const char *text;
		int64_t time; /* -1: refused */
	} cases[] = {
		{ "1970-01-02T00:00:00Z", 86400 },
		{ "2000-02-29T23:59:60z", 951868800 },
		{ "2024-02-29T12:00:00.123+02:00", 1709200800 },
		{ "2038-01-19 03:14:08Z", 2147483648 },
		{ "1970-01-01T00:00:00Z", 1 },
		{ "0001-01-01T00:00:00Z", 1 },
		{ "9999-12-31T23:59:59-23:59", 253402387139 },
		{ "2023-02-29T00:00:00Z", -1 },
		{ "2023-13-01T00:00:00Z", -1 },
		{ "2023-01-00T00:00:00Z", -1 },
		{ "2023-01-01", -1 },
		{ "2023-01-01T00:00:00", -1 },
		{ "2023-01-01T24:00:00Z", -1 },
		{ "2023-01-01T00:00:00.Z", -1 },
		{ "2023-01-01T00:00:00+24:00", -1 },
		{ "2023-01-01T00:00:00Z ", -1 },
		{ "", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t t = -1;

		assert_int_equal(rfc3339_parse(cases[i].text, &t), cases[i].time == -1 ? -EINVAL : 0);
		assert_int_equal(t, cases[i].time);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_of_a_device),
		cmocka_unit_test(refuses_what_is_missing_or_wrong),
		cmocka_unit_test(duplicates_are_errors_that_name_both_places),
		cmocka_unit_test(a_tag_that_the_policy_does_not_know_is_a_warning),
		cmocka_unit_test(a_source_that_no_device_has_is_a_warning),
		cmocka_unit_test(times_are_read_with_their_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
