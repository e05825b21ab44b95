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
		{ "use-application-dns.net", SPECIAL_NXDOMAIN },
		{ "application-dns.net", SPECIAL_NONE },
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
		{ "8.b.d.0.1.0.0.2.ip6.arpa", SPECIAL_NONE },
		{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", SPECIAL_NXDOMAIN },
		{ "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", SPECIAL_NONE },
		{ "example", SPECIAL_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dname n;

		assert_int_equal(dname_parse(rows[i].name, strlen(rows[i].name), &n), 0);
		if (special_name(&n) != rows[i].what)
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
		uint8_t buf[512];
		int len = local_blocked(&q, rows[i].mode, "why", buf, sizeof(buf));

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
	char text[DNS_EDE_TEXT_MAX + 200];
	uint8_t buf[512];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(local_blocked(&q, BLOCK_NULL, text, buf, sizeof(buf)) <= 512);
	assert_int_equal(buf[2] & 0x02, 0);
	assert_int_equal(buf[7], 1);
}

static void records_of_the_asked_family_only(void **state)
{
	struct plan_record records[2];
	struct question q = ask_for("nas.home.arpa", TYPE_AAAA, false);
	uint8_t buf[512];

	(void)state;
	records[0].name = records[1].name = q.name;
	assert_int_equal(ip_addr_parse("192.168.1.20", &records[0].addr), 0);
	assert_int_equal(ip_addr_parse("fd00::20", &records[1].addr), 0);
	assert_int_equal(local_records(&q, records, 2, 64, buf, sizeof(buf)), 12 + 19 + 28);
	assert_int_equal(buf[7], 1);
	assert_int_equal(buf[2] & 0x04, 0x04);
	q.type = TYPE_MX;
	assert_true(local_records(&q, records, 2, 64, buf, sizeof(buf)) > 0);
	assert_int_equal(buf[7], 0);
	assert_int_equal(buf[9], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_names_are_known),
		cmocka_unit_test(blocked_answers_follow_the_mode),
		cmocka_unit_test(reason_gives_way_to_the_answer),
		cmocka_unit_test(records_of_the_asked_family_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
