/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sluice's additions as text: what is read and what is refused. */
#include "document_case.h"

#define IPLISTS	      "\"dns\": {\"iplists\": {\"drop\": {\"file\": \"drop.txt\"}}},"
#define GRANT(dst)    "{" IPLISTS "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"" dst "\"], \"ip\": [\"443\"]}]}"
#define SRC(src)      "{" IPLISTS "\"grants\": [{\"src\": [\"" src "\"], \"dst\": [\"*\"], \"ip\": [\"443\"]}]}"
#define DENY(dst)     "{" IPLISTS "\"denies\": [{\"src\": [\"*\"], \"dst\": [\"" dst "\"], \"ip\": [\"*\"]}]}"
#define ACL(dst)      "{" IPLISTS "\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"" dst "\"]}]}"
#define SET(entries)  "{" IPLISTS "\"ipsets\": {\"ipset:x\": [" entries "]}}"
#define WHEN(when)    "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"443\"], \"when\": " when "}]}"
#define TEST(members) "{\"tests\": [{\"src\": \"a@b.example\", \"accept\": [\"192.0.2.1:443\"]" members "}]}"

static void check(const struct reading_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct reading r;
		const struct doc_policy *p;

		reading_init(&r, cases[i].text);
		p = document_policy(r.mem, r.src, &r.diags);
		reading_expect(&r, p, &cases[i]);
		reading_done(&r);
	}
}

static void countries_networks_and_lists_are_destinations(void **state)
{
	static const struct reading_case cases[] = {
		{ GRANT("geo:DE"), NULL, NULL },
		{ GRANT("geo:XK"), NULL, NULL },
		{ GRANT("asn:1"), NULL, NULL },
		{ GRANT("asn:4294967295"), NULL, NULL },
		{ GRANT("iplist:drop"), NULL, NULL },
		{ DENY("geo:KP"), NULL, NULL },
		{ DENY("iplist:drop"), NULL, NULL },
		{ ACL("geo:DE:443"), NULL, NULL },
		{ ACL("asn:64496:80-90"), NULL, NULL },
		{ ACL("geo:DE"), "P0308", NULL },
		{ ACL("asn:64496"), "P0308", NULL },
		{ GRANT("geo:de"), "P0215", NULL },
		{ GRANT("geo:UK"), "P0215", NULL },
		{ GRANT("geo:DEU"), "P0215", NULL },
		{ GRANT("geo:"), "P0215", NULL },
		{ GRANT("geo:D"), "P0215", NULL },
		{ GRANT("asn:0"), "P0215", NULL },
		{ GRANT("asn:AS64496"), "P0215", NULL },
		{ GRANT("asn:4294967296"), "P0215", NULL },
		{ GRANT("asn:"), "P0215", NULL },
		{ GRANT("asn:007"), "P0215", NULL },
		{ GRANT("asn:99999999999999999999"), "P0215", NULL },
		{ DENY("iplist:dorp"), "P0216", NULL },
		{ DENY("iplist:"), "P0216", NULL },
		{ SRC("geo:DE"), "P0206", NULL },
		{ SRC("iplist:drop"), "P0206", NULL },
		{ TEST(", \"deny\": [\"geo:DE:443\"]"), "P0702", NULL },
		{ "{\"dns\": {\"iplists\": {\"drop\": {}}}}", "P0608", NULL },
		{ "{\"dns\": {\"iplists\": {\"d p\": {\"file\": \"x\"}}}}", "P0607", NULL },
	};

	check(cases, ARRAY_LEN(cases));
}

static void ipsets_take_them(void **state)
{
	static const struct reading_case cases[] = {
		{ SET("\"geo:DE\""), NULL, NULL },
		{ SET("\"add autogroup:internet\", \"remove geo:DE\", \"remove iplist:drop\""), NULL, NULL },
		{ SET("\"add geo:DE\", \"asn:1\", \"remove 192.0.2.1\""), "P0510", NULL },
		{ SET("\"geo:ZZ\""), "P0215", NULL },
		{ SET("\"iplist:nodrop\""), "P0216", NULL },
		{ "{\"ipsets\": {\"ipset:x\": [\"geo:DE\"]}, \"grants\": [{\"src\": [\"ipset:x\"], \"dst\": [\"*\"], "
		  "\"ip\": [\"*\"]}]}",
		  "P0206", NULL },
		{ "{\"ipsets\": {\"ipset:x\": [\"geo:DE\", \"ipset:y\"], \"ipset:y\": [\"ipset:x\"]}}", "P0512", NULL },
	};

	check(cases, ARRAY_LEN(cases));
}

static void each_need_is_listed_once(void **state)
{
	struct reading r;
	const struct doc_policy *p;

	reading_init(
		&r,
		"{" IPLISTS "\"ipsets\": {\"ipset:x\": [\"geo:DE\", \"asn:1\"]},"
		"\"grants\": [{\"src\": [\"*\"], \"dst\": [\"geo:DE\", \"geo:FR\", \"iplist:drop\"], \"ip\": [\"1\"]}],"
		"\"denies\": [{\"src\": [\"*\"], \"dst\": [\"geo:FR\"], \"ip\": [\"*\"]}]}");
	p = document_policy(r.mem, r.src, &r.diags);
	assert_non_null(p);
	assert_int_equal(p->n_needs, 4);
	assert_string_equal(p->needs[0].text, "geo:DE");
	assert_string_equal(p->needs[1].text, "asn:1");
	assert_string_equal(p->needs[2].key, "FR");
	assert_int_equal(p->needs[3].kind, PREFIX_LIST);
	reading_done(&r);
}

static void schedules(void **state)
{
	static const struct reading_case cases[] = {
		{ WHEN("\"Mon-Fri 07:00-21:00 Europe/Paris\""), NULL, NULL },
		{ WHEN("\"daily\""), NULL, NULL },
		{ WHEN("\" sat,SUN  22:00-06:00 \""), NULL, NULL },
		{ WHEN("\"Mon,Wed-Fri\""), NULL, NULL },
		{ WHEN("\"00:00-24:00\""), NULL, NULL },
		{ WHEN("\"America/Argentina/Buenos_Aires\""), NULL, NULL },
		{ WHEN("\"Mon Etc/GMT+5\""), NULL, NULL },
		{ WHEN("[\"Mon\", \"Tue 10:00-11:00\"]"), NULL, NULL },
		{ WHEN("[]"), "P0620", NULL },
		{ WHEN("\"\""), "P0104", NULL },
		{ WHEN("7"), "P0101", NULL },
		{ WHEN("[7]"), "P0101", NULL },
		{ WHEN("\"Mon-\""), "P0620", NULL },
		{ WHEN("\"Mon 7:00-21:00\""), "P0621", NULL },
		{ WHEN("\"07:00\""), "P0621", NULL },
		{ WHEN("\"07:00-07:00\""), "P0621", NULL },
		{ WHEN("\"07:60-08:00\""), "P0621", NULL },
		{ WHEN("\"07:00-24:01\""), "P0621", NULL },
		{ WHEN("\"24:00-07:00\""), "P0621", NULL },
		{ WHEN("\"Mon 07:00-08:00 UTC more\""), "P0620", NULL },
		{ WHEN("\"Europe/Paris Mon\""), "P0620", NULL },
		{ WHEN("\"Mon ../../etc/passwd\""), "P0620", NULL },
		{ WHEN("\"Mon /etc/passwd\""), "P0620", NULL },
		{ "{\"dns\": {\"filters\": [{\"src\": [\"*\"], \"when\": \"daily 20:00-07:00\"}]}}", NULL, NULL },
		{ "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"when\": \"daily\"}]}", "P0102",
		  NULL },
		{ "{\"logs\": [{\"src\": [\"*\"], \"flows\": \"full\", \"when\": \"daily\"}]}", "P0102", NULL },
		{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"], \"when\": \"daily\"}]}",
		  "P0102", NULL },
	};

	check(cases, ARRAY_LEN(cases));
}

static void tests_at_a_time(void **state)
{
	static const struct reading_case cases[] = {
		{ TEST(", \"at\": \"2027-01-31T18:00:00Z\""), NULL, NULL },
		{ TEST(", \"at\": \"2027-01-31T18:00:00+05:30\""), NULL, NULL },
		{ TEST(", \"at\": \"18:00\""), "P0705", NULL },
		{ TEST(", \"at\": 5"), "P0101", NULL },
	};

	check(cases, ARRAY_LEN(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(countries_networks_and_lists_are_destinations),
		cmocka_unit_test(ipsets_take_them),
		cmocka_unit_test(each_need_is_listed_once),
		cmocka_unit_test(schedules),
		cmocka_unit_test(tests_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
