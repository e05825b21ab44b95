/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/ddr.c: what is told of DNS over TLS. */
#include "dnsd/ddr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct msg_listen at(const char *address, uint16_t port, uint8_t tls)
{
	struct msg_listen l = { .tcp = 1, .port = port, .tls = tls };

	assert_int_equal(ip_addr_parse(address, &l.addr), 0);
	return l;
}

static void listens(struct ddr *d, const char *address, uint16_t port, uint8_t tls)
{
	struct msg_listen l = at(address, port, tls);

	ddr_listen(d, &l);
}

/* Asks, and takes the answer's header apart. Returns its length. */
static int asked(const struct ddr *d, const char *name, uint16_t type, uint8_t *buf, size_t limit, uint32_t *ret_rcode,
		 uint32_t *ret_answers)
{
	struct question q = { .type = type, .class_ = CLASS_IN, .has_name = true, .ede = EDE_NONE };
	int len;

	assert_int_equal(dname_parse(name, strlen(name), &q.name), 0);
	memcpy(q.sent, q.name.wire, q.name.len);
	assert_true(ddr_is_name(&q.name));
	len = ddr_answer(&q, d, buf, limit);
	assert_true(len >= (int)DNS_HEADER_LEN);
	*ret_rcode = buf[3] & DNS_RCODE;
	*ret_answers = (uint32_t)buf[6] << 8 | buf[7];
	return len;
}

static void a_named_listener_is_told_with_its_addresses(void **state)
{
	static const uint8_t rdata[] = "\0\1\3dns\4home\7example\0"
				       "\0\1\0\4\3dot"
				       "\0\3\0\2\3\125"
				       "\0\4\0\10\144\100\0\1\300\250\1\1"
				       "\0\6\0\20\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
	struct ddr d = { 0 };
	uint8_t buf[DNS_UDP_ANSWER_MAX];
	uint32_t rcode, n;
	int len;

	(void)state;
	listens(&d, "100.64.0.1", 853, 1);
	listens(&d, "127.0.0.1", 853, 1); /* no hint: whoever is told would ask itself */
	listens(&d, "192.168.1.1", 853, 1);
	listens(&d, "fd00::1", 853, 1);
	listens(&d, "100.64.0.1", 53, 0);
	ddr_name(&d, 1, "dns.home.example");
	len = asked(&d, "_dns.resolver.arpa", TYPE_SVCB, buf, sizeof(buf), &rcode, &n);
	assert_int_equal(rcode, RCODE_NOERROR);
	assert_int_equal(n, 1);
	assert_memory_equal(buf + len - (sizeof(rdata) - 1), rdata, sizeof(rdata) - 1);
	/* Too large for the client: it asks by TCP. */
	(void)asked(&d, "_dns.resolver.arpa", TYPE_SVCB, buf, 100, &rcode, &n);
	assert_int_equal(n, 0);
	assert_true((buf[2] & (DNS_TC >> 8)) != 0);
}

static void where_all_addresses_listen_none_is_told(void **state)
{
	struct ddr d = { 0 };
	uint8_t buf[DNS_UDP_ANSWER_MAX];
	uint32_t rcode, n;
	int len;

	(void)state;
	listens(&d, "0.0.0.0", 8853, 2);
	listens(&d, "10.0.0.1", 8853, 2);
	ddr_name(&d, 2, "dns.home.example");
	len = asked(&d, "_dns.resolver.arpa", TYPE_SVCB, buf, sizeof(buf), &rcode, &n);
	assert_int_equal(n, 1);
	assert_memory_equal(buf + len - 6, "\0\3\0\2\42\225", 6);
}

static void without_a_name_there_is_nothing(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		uint32_t rcode;
	} cases[] = {
		{ "_dns.resolver.arpa", TYPE_SVCB, RCODE_NOERROR },    { "_dns.resolver.arpa", TYPE_A, RCODE_NOERROR },
		{ "resolver.arpa", TYPE_SVCB, RCODE_NOERROR },	       { "x.resolver.arpa", TYPE_SVCB, RCODE_NXDOMAIN },
		{ "x._dns.resolver.arpa", TYPE_SVCB, RCODE_NXDOMAIN },
	};
	struct ddr d = { 0 };
	struct dname other;

	(void)state;
	listens(&d, "100.64.0.1", 853, 1);
	ddr_name(&d, 1, "");
	ddr_name(&d, DDR_CERTS_MAX, "beyond.example");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t buf[DNS_UDP_ANSWER_MAX];
		uint32_t rcode, n;

		(void)asked(&d, cases[i].name, cases[i].type, buf, sizeof(buf), &rcode, &n);
		assert_int_equal(rcode, cases[i].rcode);
		assert_int_equal(n, 0);
		assert_int_equal(buf[9], 1); /* the SOA, by which that is remembered */
	}
	assert_int_equal(dname_parse("myresolver.arpa", 15, &other), 0);
	assert_false(ddr_is_name(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_named_listener_is_told_with_its_addresses),
		cmocka_unit_test(where_all_addresses_listen_none_is_told),
		cmocka_unit_test(without_a_name_there_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
