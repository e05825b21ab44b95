/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sluice/dname.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct dname name(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

static void text_becomes_lower_case_wire_form(void **state)
{
	static const struct {
		const char *text, *printed;
		uint8_t labels, len;
	} cases[] = {
		{ "Example.ORG", "example.org", 2, 13 },
		{ "example.org.", "example.org", 2, 13 },
		{ ".", ".", 0, 1 },
		{ "a", "a", 1, 3 },
		{ "_dmarc.x", "_dmarc.x", 2, 10 },
		{ "a\\.b.c", "a\\.b.c", 2, 7 },
		{ "a\\065.c", "aa.c", 2, 6 },
		{ "\\000.c", "\\000.c", 2, 5 },
	};
	char buf[DNAME_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dname n = name(cases[i].text);

		assert_string_equal(dname_print(&n, buf), cases[i].printed);
		assert_int_equal(n.labels, cases[i].labels);
		assert_int_equal(n.len, cases[i].len);
	}
}

static void bad_text_is_refused(void **state)
{
	static const char *const texts[] = { "", "..", ".a", "a..b", "a\\", "a\\25", "a\\256", "a\\2x5" };
	char label64[66];
	struct dname n;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(dname_parse(texts[i], strlen(texts[i]), &n), -EINVAL);
	memset(label64, 'x', 64);
	assert_int_equal(dname_parse(label64, 63, &n), 0);
	assert_int_equal(dname_parse(label64, 64, &n), -EINVAL);
}

static void length_ends_at_255_bytes(void **state)
{
	char text[300];
	struct dname n;
	size_t len = 0;

	/* 127 labels of one byte: 127 * 2 + 1 = 255 bytes in wire form, the most there is. */
	for (int i = 0; i < 127; i++) {
		text[len++] = 'a';
		text[len++] = '.';
	}
	assert_int_equal(dname_parse(text, len - 1, &n), 0);
	assert_int_equal(n.len, 255);
	assert_int_equal(dname_parse(text, len, &n), 0);
	text[len++] = 'b';
	assert_int_equal(dname_parse(text, len, &n), -EINVAL);
}

static void compressed_name_is_read_and_cursor_stands_behind_it(void **state)
{
	static const uint8_t msg[] = { 0, 3, 'O', 'r', 'G', 0, 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0xc0, 1, 0xff };
	struct rcur c = rcur_over(msg + 6, sizeof(msg) - 6);
	struct dname want = name("example.org"), n;

	assert_int_equal(dname_read(&c, msg, sizeof(msg), &n), 0);
	assert_true(dname_equal(&n, &want));
	assert_int_equal(rcur_u8(&c), 0xff);
}

static void pointers_that_do_not_lead_back_are_refused(void **state)
{
	static const struct {
		uint8_t msg[8];
		size_t len, at;
	} cases[] = {
		{ { 0xc0, 0x00 }, 2, 0 },		      /* to itself */
		{ { 0xc0, 0x02, 0xc0, 0x00 }, 4, 0 },	      /* forward */
		{ { 1, 'a', 0xc0, 0x00 }, 4, 0 },	      /* into its own labels: would never end */
		{ { 1, 'a', 0xc0, 0x04, 0xc0, 0x00 }, 6, 4 }, /* back, then forward again */
		{ { 0, 0xc0 }, 2, 1 },			      /* cut */
		{ { 0x40, 0 }, 2, 0 },			      /* reserved label type */
		{ { 3, 'a', 'b' }, 3, 0 },		      /* label cut */
		{ { 1, 'a' }, 2, 0 },			      /* no end */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rcur c = rcur_over(cases[i].msg + cases[i].at, cases[i].len - cases[i].at);
		struct dname n;

		assert_int_equal(dname_read(&c, cases[i].msg, cases[i].len, &n), -EBADMSG);
		assert_int_equal(c.err, -EBADMSG);
	}
}

static void suffix_and_patterns_hold_whole_labels_only(void **state)
{
	struct dname n = name("www.github.com"), top = name("github.com"), near = name("notgithub.com");
	struct name_pattern exact = { .name = top }, below = { .name = top, .below = true };

	assert_true(dname_in(&n, &top));
	assert_true(dname_in(&top, &top));
	assert_false(dname_in(&near, &top));
	assert_false(dname_in(&top, &n));
	assert_true(name_pattern_match(&exact, &top));
	assert_false(name_pattern_match(&exact, &n));
	assert_true(name_pattern_match(&below, &n));
	assert_false(name_pattern_match(&below, &top));
	assert_false(name_pattern_match(&below, &near));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_becomes_lower_case_wire_form),
		cmocka_unit_test(bad_text_is_refused),
		cmocka_unit_test(length_ends_at_255_bytes),
		cmocka_unit_test(compressed_name_is_read_and_cursor_stands_behind_it),
		cmocka_unit_test(pointers_that_do_not_lead_back_are_refused),
		cmocka_unit_test(suffix_and_patterns_hold_whole_labels_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
