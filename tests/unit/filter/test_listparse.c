/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter/listparse.c: a table of lines as real lists have them, and what becomes of each. */
#include "filter/listparse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Rules are written as "||a^ |b^ @@||c^": subtree, name alone, exception. */
struct line_case {
	const char *line;
	enum list_outcome outcome;
	const char *want; /* rules when applied; else part of why */
};

static void print_rules(const struct list_line *l, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < l->n_rules && at < len; i++) {
		char name[DNAME_TEXT_MAX];

		at += (size_t)snprintf(
			buf + at, len - at, "%s%s%s%s^", i > 0 ? " " : "", l->rules[i].action == LIST_ALLOW ? "@@" : "",
			l->rules[i].kind == LIST_SUBTREE ? "||" : "|", dname_print(&l->rules[i].name, name));
	}
}

static void check_cases(const struct line_case *cases, size_t n)
{
	struct list_line *l = malloc(sizeof(*l));
	char got[4096];

	assert_non_null(l);
	for (size_t i = 0; i < n; i++) {
		list_parse_line(&(struct list_parser){ .trusted = true }, cases[i].line, strlen(cases[i].line), l);
		print_rules(l, got, sizeof(got));
		if (l->outcome != cases[i].outcome)
			fail_msg("\"%s\": outcome %d (%s), wanted %d", cases[i].line, (int)l->outcome,
				 l->why != NULL ? l->why : got, (int)cases[i].outcome);
		if (l->outcome == LIST_APPLIED) {
			assert_null(l->why);
			assert_string_equal(got, cases[i].want);
		} else {
			assert_int_equal(l->n_rules, 0);
			assert_non_null(l->why);
			if (strstr(l->why, cases[i].want) == NULL)
				fail_msg("\"%s\": why \"%s\", wanted \"%s\"", cases[i].line, l->why, cases[i].want);
		}
	}
	free(l);
}

static void hosts_lines_block_exact_names(void **state)
{
	static const struct line_case cases[] = {
		{ "0.0.0.0 ads.example", LIST_APPLIED, "|ads.example^" },
		{ "127.0.0.1\tads.example", LIST_APPLIED, "|ads.example^" },
		{ ":: ads.example", LIST_APPLIED, "|ads.example^" },
		{ "203.0.113.9 ads.example", LIST_APPLIED, "|ads.example^" },
		{ "0.0.0.0 a.example b.example  c.example ", LIST_APPLIED, "|a.example^ |b.example^ |c.example^" },
		{ "  0.0.0.0 ADS.Example.\r", LIST_APPLIED, "|ads.example^" },
		{ "0.0.0.0 ads.example # a comment", LIST_APPLIED, "|ads.example^" },
		{ "0.0.0.0 ads.example#x", LIST_APPLIED, "|ads.example^" },
		{ "0.0.0.0 ads.example##x", LIST_APPLIED, "|ads.example^" },
		{ "0.0.0.0 _dmarc.ads_x.example", LIST_APPLIED, "|_dmarc.ads_x.example^" },
		{ "0.0.0.0 r1---sn-2imeyn7k.c.2mdn.net", LIST_APPLIED, "|r1---sn-2imeyn7k.c.2mdn.net^" },
		{ "127.0.0.1 localhost", LIST_SKIPPED, "preamble" },
		{ "127.0.0.1 localhost localhost.localdomain local", LIST_SKIPPED, "preamble" },
		{ "fe80::1%lo0 localhost", LIST_SKIPPED, "preamble" },
		{ "ff02::3 ip6-allhosts", LIST_SKIPPED, "preamble" },
		{ "255.255.255.255 broadcasthost", LIST_SKIPPED, "preamble" },
		{ "0.0.0.0 0.0.0.0", LIST_SKIPPED, "preamble" },
		{ "0.0.0.0 0.0.0.0.beeglivesex.com", LIST_APPLIED, "|0.0.0.0.beeglivesex.com^" },
		{ "0.0.0.0 # nothing", LIST_SKIPPED, "address" },
		{ "0.0.0.0 good.example b\xc3\xbcse.example", LIST_REFUSED, "not ASCII" },
		{ "0.0.0.0 a..example", LIST_REFUSED, "empty label" },
		{ "0.0.0.0 ||ads.example^", LIST_REFUSED, "character" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void domain_and_wildcard_lines(void **state)
{
	static const struct line_case cases[] = {
		{ "ads.example", LIST_APPLIED, "|ads.example^" },
		{ "ads.example   # comment", LIST_APPLIED, "|ads.example^" },
		{ "xn--bcher-kva.example", LIST_APPLIED, "|xn--bcher-kva.example^" },
		{ "*.ads.example", LIST_APPLIED, "||ads.example^" },
		{ ".ads.example", LIST_APPLIED, "||ads.example^" },
		{ "*.com", LIST_APPLIED, "||com^" },
		{ "localhost", LIST_REFUSED, "without a dot" },
		{ "0.0.0.0.beeglivesex.com", LIST_APPLIED, "|0.0.0.0.beeglivesex.com^" },
		{ "192.0.2.0.1", LIST_SKIPPED, "address" },
		{ "<html>", LIST_REFUSED, "without a dot" },
		{ "<a.example>", LIST_REFUSED, "character" },
		{ "b\xc3\xbc"
		  "cher.example",
		  LIST_REFUSED, "ASCII" },
		{ ".", LIST_REFUSED, "empty name" },
		{ "*.", LIST_REFUSED, "empty name" },
		{ "..ads.example", LIST_REFUSED, "empty label" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void comments_and_cosmetic_rules_are_skipped(void **state)
{
	static const struct line_case cases[] = {
		{ "", LIST_SKIPPED, "blank" },
		{ " \t\r", LIST_SKIPPED, "blank" },
		{ "! Title: list", LIST_SKIPPED, "comment" },
		{ "# 0.0.0.0 ads.example", LIST_SKIPPED, "comment" },
		{ "[Adblock Plus 2.0]", LIST_SKIPPED, "comment" },
		{ "; zone", LIST_SKIPPED, "comment" },
		{ "##.banner", LIST_SKIPPED, "comment" },
		{ "a.example##.banner", LIST_SKIPPED, "cosmetic" },
		{ "a.example#@#.banner", LIST_SKIPPED, "cosmetic" },
		{ "a.example#?#div:has(.ad)", LIST_SKIPPED, "cosmetic" },
		{ "a.example#$#body { x }", LIST_SKIPPED, "cosmetic" },
		{ "a.example#%#//scriptlet('x')", LIST_SKIPPED, "cosmetic" },
		{ "a.example#@$#body", LIST_SKIPPED, "cosmetic" },
		{ "a.example,b.example##.x", LIST_SKIPPED, "cosmetic" },
		{ "a.example$$script[tag-content=\"x\"]", LIST_SKIPPED, "cosmetic" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

/* @labels of @len bytes each, dots between. */
static size_t long_name(char *buf, size_t labels, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < labels; i++) {
		if (i > 0)
			buf[at++] = '.';
		memset(buf + at, 'a', len);
		at += len;
	}
	return at;
}

static void limits_hold_at_and_one_past(void **state)
{
	struct list_line *l = malloc(sizeof(*l));
	char buf[LIST_LINE_MAX_BYTES + 2];
	size_t n;

	assert_non_null(l);
	n = long_name(buf, 2, DNAME_LABEL_MAX);
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, n, l);
	assert_int_equal(l->outcome, LIST_APPLIED);
	n = long_name(buf, 2, DNAME_LABEL_MAX + 1);
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, n, l);
	assert_string_equal(l->why, "label longer than 63 bytes");
	/* 3 x 64 + 62 = 254 wire bytes with lengths, + root = 255. */
	n = long_name(buf, 3, 63);
	buf[n++] = '.';
	n += long_name(buf + n, 1, 61);
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, n, l);
	assert_int_equal(l->outcome, LIST_APPLIED);
	assert_int_equal(l->rules[0].name.len, DNAME_MAX);
	buf[n++] = 'a';
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, n, l);
	assert_int_equal(l->outcome, LIST_REFUSED);

	memcpy(buf, "0.0.0.0", 7);
	n = 7;
	for (int i = 0; i < LIST_NAMES_PER_LINE_MAX; i++, n += 4)
		memcpy(buf + n, " a.b", 4);
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, n, l);
	assert_int_equal(l->n_rules, LIST_NAMES_PER_LINE_MAX);
	memcpy(buf + n, " a.b", 4);
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, n + 4, l);
	assert_int_equal(l->outcome, LIST_REFUSED);
	assert_int_equal(l->n_rules, 0);

	memset(buf, ' ', sizeof(buf));
	memcpy(buf, "a.b", 3);
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, LIST_LINE_MAX_BYTES, l);
	assert_int_equal(l->outcome, LIST_APPLIED);
	list_parse_line(&(struct list_parser){ .trusted = true }, buf, LIST_LINE_MAX_BYTES + 1, l);
	assert_int_equal(l->outcome, LIST_REFUSED);
	free(l);
}

static void nul_and_high_bytes_are_refused(void **state)
{
	struct list_line *l = malloc(sizeof(*l));

	assert_non_null(l);
	list_parse_line(&(struct list_parser){ .trusted = true }, "a.exa\0mple", 10, l);
	assert_int_equal(l->outcome, LIST_REFUSED);
	list_parse_line(&(struct list_parser){ .trusted = true }, "\0", 1, l);
	assert_int_equal(l->outcome, LIST_REFUSED);
	list_parse_line(&(struct list_parser){ .trusted = true }, "\xff\xfe", 2, l);
	assert_int_equal(l->outcome, LIST_REFUSED);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_lines_block_exact_names),
		cmocka_unit_test(domain_and_wildcard_lines),
		cmocka_unit_test(comments_and_cosmetic_rules_are_skipped),
		cmocka_unit_test(limits_hold_at_and_one_past),
		cmocka_unit_test(nul_and_high_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
