/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/local.c: special names, blocked answers, local records. */
#include "dnsd/local.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct question ask_for(const char *name, uint16_t type, bool edns)
{
	struct question q = {
		.id = 9, .type = type, .class_ = CLASS_IN, .edns = edns, .has_name = true, .udp_size = 512
	};

	assert_int_equal(dname_parse(name, strlen(name), &q.name), 0);
	memcpy(q.sent, q.name.wire, q.name.len);
	return q;
}

static void special_names_are_known(void **state)
{
	static const struct {
		const char *name;
		enum special what;
	} rows[] = {
		{ "localhost", SPECIAL_LOCALHOST },
		{ "a.localhost", SPECIAL_LOCALHOST },
		{ "notlocalhost", SPECIAL_NONE },
		{ "localhost.example", SPECIAL_NONE },
		{ "home.arpa", SPECIAL_NXDOMAIN },
		{ "x.home.arpa", SPECIAL_NXDOMAIN },
		{ "arpa", SPECIAL_NONE },
		{ "printer.local", SPECIAL_NXDOMAIN },
		{ "x.internal", SPECIAL_NXDOMAIN },
		{ "x.onion", SPECIAL_NXDOMAIN },
		{ "_dns.resolver.arpa", SPECIAL_NXDOMAIN },
		{ "default.service.arpa", SPECIAL_NXDOMAIN },
		{ "x.alt", SPECIAL_NXDOMAIN },
		{ "alt.example", SPECIAL_NONE },
		{ "ipv4only.arpa", SPECIAL_NONE },
		{ "170.0.0.192.in-addr.arpa", SPECIAL_NONE },
		{ "use-application-dns.net", SPECIAL_NONE },
		{ "10.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "1.2.3.10.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "1.0.168.192.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "192.in-addr.arpa", SPECIAL_NONE },
		{ "1.1.1.1.in-addr.arpa", SPECIAL_NONE },
		{ "15.172.in-addr.arpa", SPECIAL_NONE },
		{ "16.172.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "31.172.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "32.172.in-addr.arpa", SPECIAL_NONE },
		{ "63.100.in-addr.arpa", SPECIAL_NONE },
		{ "64.100.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "127.100.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "128.100.in-addr.arpa", SPECIAL_NONE },
		{ "254.169.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "010.in-addr.arpa", SPECIAL_NONE },
		{ "d.f.ip6.arpa", SPECIAL_NXDOMAIN },
		{ "8.e.f.ip6.arpa", SPECIAL_NXDOMAIN },
		{ "b.e.f.ip6.arpa", SPECIAL_NXDOMAIN },
		{ "c.e.f.ip6.arpa", SPECIAL_NONE },
		{ "e.f.ip6.arpa", SPECIAL_NONE },
		{ "d.0.1.0.0.2.ip6.arpa", SPECIAL_NONE },
		{ "8.b.d.0.1.0.0.2.ip6.arpa", SPECIAL_NXDOMAIN },
		{ "9.b.d.0.1.0.0.2.ip6.arpa", SPECIAL_NONE },
		{ "2.0.192.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "3.0.192.in-addr.arpa", SPECIAL_NONE },
		{ "1.100.51.198.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "113.0.203.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "255.255.255.255.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "254.255.255.255.in-addr.arpa", SPECIAL_NONE },
		{ "x.0.in-addr.arpa", SPECIAL_NXDOMAIN },
		{ "in-addr.arpa", SPECIAL_NONE },
		{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", SPECIAL_NXDOMAIN },
		{ "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", SPECIAL_NONE },
		{ "example", SPECIAL_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dname n;

		assert_int_equal(dname_parse(rows[i].name, strlen(rows[i].name), &n), 0);
		if (special_name(&n, NULL) != rows[i].what)
			fail_msg("%s", rows[i].name);
	}
}

static void blocked_answers_follow_the_mode(void **state)
{
	static const struct {
		enum block_mode mode;
		uint16_t type;
		uint8_t rcode, answers, authority;
	} rows[] = {
		{ BLOCK_NULL, TYPE_A, 0, 1, 0 },     { BLOCK_NULL, TYPE_AAAA, 0, 1, 0 },
		{ BLOCK_NULL, TYPE_HTTPS, 0, 0, 1 }, { BLOCK_NULL, TYPE_MX, 0, 0, 1 },
		{ BLOCK_NXDOMAIN, TYPE_A, 3, 0, 1 }, { BLOCK_NODATA, TYPE_A, 0, 0, 1 },
		{ BLOCK_REFUSED, TYPE_A, 5, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct question q = ask_for("ads.example", rows[i].type, true);
		const struct blocked_answer a = blocked_by_mode(rows[i].mode, rows[i].type);
		uint8_t buf[512];
		int len = local_blocked(&q, &a, 10, EDE_BLOCKED, "why", buf, sizeof(buf));

		assert_true(len > 0);
		assert_int_equal(buf[3] & 0x0f, rows[i].rcode);
		assert_int_equal(buf[7], rows[i].answers);
		assert_int_equal(buf[9], rows[i].authority);
		assert_int_equal(buf[11], 1);
		assert_memory_equal(buf + len - 9, "\0\x0f\0\5\0\x0fwhy", 9);
	}
}

static void reason_gives_way_to_the_answer(void **state)
{
	struct question q = ask_for("ads.example", TYPE_A, true);
	const struct blocked_answer a = blocked_by_mode(BLOCK_NULL, TYPE_A);
	char text[DNS_EDE_TEXT_MAX + 200];
	uint8_t buf[512];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(local_blocked(&q, &a, 10, EDE_BLOCKED, text, buf, sizeof(buf)) <= 512);
	assert_int_equal(buf[2] & 0x02, 0);
	assert_int_equal(buf[7], 1);
}

static void special_answers_have_the_zone_they_are_in(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		bool exists;
		uint8_t rcode, answers, authority;
	} rows[] = {
		{ "x.y.home.arpa", TYPE_A, false, 3, 0, 1 },	{ "lab.home.arpa", TYPE_A, true, 0, 0, 1 },
		{ "home.arpa", TYPE_A, false, 0, 0, 1 },	{ "home.arpa", TYPE_SOA, false, 0, 1, 0 },
		{ "10.in-addr.arpa", TYPE_NS, false, 0, 1, 0 }, { "localhost", TYPE_A, false, 0, 1, 0 },
		{ "a.localhost", TYPE_AAAA, false, 0, 1, 0 },	{ "a.localhost", TYPE_MX, false, 0, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct question q = ask_for(rows[i].name, rows[i].type, false);
		uint8_t buf[512], labels = 0;
		enum special what = special_name(&q.name, &labels);
		int len = local_special(&q, what, labels, rows[i].exists, buf, sizeof(buf));

		assert_true(len > 0);
		assert_int_equal(buf[2] & 0x04, 0x04);
		if ((buf[3] & 0x0f) != rows[i].rcode || buf[7] != rows[i].answers || buf[9] != rows[i].authority)
			fail_msg("%s type %u", rows[i].name, rows[i].type);
	}
}

static void the_soa_is_the_zones(void **state)
{
	struct question q = ask_for("x.y.home.arpa", TYPE_A, false);
	uint8_t buf[512];

	(void)state;
	assert_true(local_special(&q, SPECIAL_NXDOMAIN, 2, false, buf, sizeof(buf)) > 0);
	/* A pointer to "home.arpa" in the question, behind "x" and "y". */
	assert_memory_equal(buf + 12 + q.name.len + 4, "\xc0\x10\0\6", 4);
}

static void records_of_the_asked_type_only(void **state)
{
	static const uint8_t txt[] = "\x02hi";
	struct plan_record records[3] = { 0 };
	struct question q = ask_for("nas.home.arpa", TYPE_AAAA, false);
	struct local_answer a = { .records = records, .n = 3 };
	uint8_t buf[512];

	(void)state;
	records[0] = (struct plan_record){ .name = q.name, .type = RECORD_A, .ttl_s = 60 };
	records[1] = (struct plan_record){ .name = q.name, .type = RECORD_AAAA, .ttl_s = 60 };
	records[2] = (struct plan_record){ .name = q.name, .type = RECORD_TXT, .ttl_s = 7, .data = txt, .data_len = 3 };
	assert_int_equal(ip_addr_parse("192.168.1.20", &records[0].addr), 0);
	assert_int_equal(ip_addr_parse("fd00::20", &records[1].addr), 0);
	assert_int_equal(local_records(&q, &a, 64, buf, sizeof(buf)), 12 + 19 + 28);
	assert_int_equal(buf[7], 1);
	assert_int_equal(buf[2] & 0x04, 0x04);
	q.type = RECORD_TXT;
	assert_int_equal(local_records(&q, &a, 64, buf, sizeof(buf)), 12 + 19 + 15);
	assert_memory_equal(buf + 12 + 19 + 2 + 4, "\0\0\0\7\0\3\2hi", 9);
	q.type = TYPE_MX;
	assert_true(local_records(&q, &a, 64, buf, sizeof(buf)) > 0);
	assert_int_equal(buf[7], 0);
	assert_int_equal(buf[9], 1);
}

static void aliases_are_owned_one_by_the_other(void **state)
{
	struct question q = ask_for("www.home.arpa", TYPE_A, false);
	struct question target = ask_for("nas.home.arpa", TYPE_A, false);
	struct plan_record alias = {
		.name = q.name, .type = RECORD_CNAME, .ttl_s = 60, .data = target.name.wire, .data_len = target.name.len
	};
	struct plan_record addr = { .name = target.name, .type = RECORD_A, .ttl_s = 60 };
	struct local_answer a = {
		.aliases = { &alias }, .targets = { target.name }, .n_aliases = 1, .records = &addr, .n = 1
	};
	uint8_t buf[512];

	(void)state;
	assert_int_equal(ip_addr_parse("192.168.1.20", &addr.addr), 0);
	/* Header, question; pointer, head and "nas" with a pointer; pointer to that, head and address. */
	assert_int_equal(local_records(&q, &a, 64, buf, sizeof(buf)), 12 + 19 + 12 + 6 + 12 + 4);
	assert_int_equal(buf[7], 2);
	assert_memory_equal(buf + 31, "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3nas\xc0\x10", 18);
	assert_memory_equal(buf + 49, "\xc0\x2b\0\1\0\1\0\0\0\x3c\0\4\xc0\xa8\x01\x14", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_names_are_known),
		cmocka_unit_test(blocked_answers_follow_the_mode),
		cmocka_unit_test(reason_gives_way_to_the_answer),
		cmocka_unit_test(special_answers_have_the_zone_they_are_in),
		cmocka_unit_test(the_soa_is_the_zones),
		cmocka_unit_test(records_of_the_asked_type_only),
		cmocka_unit_test(aliases_are_owned_one_by_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
