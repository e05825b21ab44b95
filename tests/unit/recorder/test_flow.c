/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "recorder/flow.h"

#include "sluice/plan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define T0 1790000000000000ull

static struct flow_record full_record(void)
{
	struct flow_record f = { .id = 0x1122334455667788,
				 .start_us = T0 - 5000000,
				 .end_us = T0 - 7,
				 .closed = true,
				 .opened = true,
				 .counted = true,
				 .level = LOG_LEVEL_FULL,
				 .proto = 6,
				 .src_port = 40000,
				 .dst_port = 443,
				 .nat_port = 40001,
				 .evidence = FLOW_EVIDENCE_AMBIGUOUS,
				 .candidates = 3,
				 .country = { 'D', 'E' },
				 .as_number = 4200000000u,
				 .tx_bytes = UINT64_MAX,
				 .tx_packets = 127,
				 .rx_bytes = 128,
				 .rx_packets = 0 };

	assert_int_equal(ip_addr_parse("fd7a::7", &f.src), 0);
	assert_int_equal(ip_addr_parse("2001:db8:a::1", &f.dst), 0);
	assert_int_equal(ip_addr_parse("192.0.2.1", &f.nat), 0);
	f.device = flow_text_of("web1");
	f.rule = flow_text_of("/grants/0");
	f.name = flow_text_of("deb.example");
	f.as_org = flow_text_of("Lab Hosting");
	return f;
}

static void same_text(struct flow_text a, struct flow_text b)
{
	assert_int_equal(a.len, b.len);
	if (a.len != 0)
		assert_memory_equal(a.at, b.at, a.len);
}

static size_t encoded(const struct flow_record *f, uint8_t buf[FLOW_BODY_MAX])
{
	struct wcur c = wcur_over(buf, FLOW_BODY_MAX);

	flow_encode(f, T0, &c);
	assert_int_equal(c.err, 0);
	return wcur_len(&c);
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct flow_record f = full_record(), g;
	uint8_t buf[FLOW_BODY_MAX];

	assert_int_equal(flow_decode(buf, encoded(&f, buf), T0, &g), 0);
	same_text(f.device, g.device);
	same_text(f.rule, g.rule);
	same_text(f.name, g.name);
	same_text(f.as_org, g.as_org);
	f.device = f.rule = f.name = f.as_org = g.device = g.rule = g.name = g.as_org = (struct flow_text){ 0 };
	assert_int_equal(f.id, g.id);
	assert_int_equal(f.start_us, g.start_us);
	assert_int_equal(f.end_us, g.end_us);
	assert_int_equal(f.tx_bytes, g.tx_bytes);
	assert_int_equal(f.rx_bytes, g.rx_bytes);
	assert_int_equal(f.as_number, g.as_number);
	assert_int_equal(f.candidates, g.candidates);
	assert_int_equal(f.evidence, g.evidence);
	assert_int_equal(ip_addr_cmp(&f.src, &g.src), 0);
	assert_int_equal(ip_addr_cmp(&f.dst, &g.dst), 0);
	assert_int_equal(ip_addr_cmp(&f.nat, &g.nat), 0);
	assert_int_equal(f.nat_port, g.nat_port);
	assert_true(g.closed && g.opened && g.counted);
}

static void the_longest_record_fits(void **state)
{
	static char text[FLOW_TEXT_MAX + 100];
	struct flow_record f = full_record(), g;
	uint8_t buf[FLOW_BODY_MAX];

	memset(text, 'x', sizeof(text) - 1);
	f.device = f.rule = f.name = f.as_org = flow_text_of(text);
	f.tx_packets = f.rx_bytes = f.rx_packets = UINT64_MAX;
	assert_int_equal(flow_decode(buf, encoded(&f, buf), T0, &g), 0);
	assert_int_equal(g.name.len, FLOW_TEXT_MAX);
	assert_int_equal(g.device.len, FLOW_SHORT_TEXT_MAX);
}

static void an_empty_record_comes_back(void **state)
{
	struct flow_record f = { .level = LOG_LEVEL_COUNTS }, g;
	uint8_t buf[FLOW_BODY_MAX];

	assert_int_equal(flow_decode(buf, encoded(&f, buf), T0, &g), 0);
	assert_false(g.closed);
	assert_int_equal(g.start_us, 0);
	assert_int_equal(g.src.family, IP_NONE);
}

static void every_cut_and_every_addition_is_refused(void **state)
{
	struct flow_record f = full_record(), g;
	uint8_t buf[FLOW_BODY_MAX + 1] = { 0 };
	size_t len = encoded(&f, buf);

	for (size_t n = 0; n < len; n++)
		assert_int_equal(flow_decode(buf, n, T0, &g), -EBADMSG);
	assert_int_equal(flow_decode(buf, len + 1, T0, &g), -EBADMSG);
}

static void values_out_of_range_are_refused(void **state)
{
	struct flow_record f = full_record(), g;
	uint8_t buf[FLOW_BODY_MAX];
	size_t len = encoded(&f, buf);

	buf[0] |= 0x80; /* an unknown flag */
	assert_int_equal(flow_decode(buf, len, T0, &g), -EBADMSG);
	buf[0] &= 0x7f;
	buf[2] = LOG_LEVEL_MAX;
	assert_int_equal(flow_decode(buf, len, T0, &g), -EBADMSG);
	buf[2] = LOG_LEVEL_FULL;
	assert_int_equal(flow_decode(buf, len, T0, &g), 0);
	assert_int_equal(flow_decode(buf, len, /* time_us= */ 10, &g), -EBADMSG); /* began before 1970 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(the_longest_record_fits),
		cmocka_unit_test(an_empty_record_comes_back),
		cmocka_unit_test(every_cut_and_every_addition_is_refused),
		cmocka_unit_test(values_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
