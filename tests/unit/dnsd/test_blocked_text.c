/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/blocked_text.c: the reason that clients and logs are told. */
#include "dnsd/blocked_text.h"

#include "dnsd/packet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct view view = { .filter_pos = "/dns/filters/0" };

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

static struct name_verdict by_list(const char *list, uint32_t line, enum list_kind kind, const char *name)
{
	struct name_verdict v = { .verdict = DNS_BLOCK, .by = VERDICT_BY_LIST, .list = list, .line = line };

	v.match.hit.rule = (struct list_rule){ .kind = kind, .action = LIST_BLOCK, .name = name_of(name) };
	return v;
}

static void expect_text(const struct name_verdict *v, const struct blocked_part *part, const char *want)
{
	char got[DNS_EDE_TEXT_MAX + 1];

	blocked_text(&view, v, part, got, sizeof(got));
	assert_string_equal(got, want);
}

static void each_reason_says_where_it_stands(void **state)
{
	static const char *const own[] = { "||x.example^", "/ads[0-9]/" };
	struct name_verdict v = by_list("ads", 1234567890, LIST_SUBTREE, "ads.example");

	(void)state;
	expect_text(&v, NULL, "list ads line 1234567890: ||ads.example^");
	v = by_list("ads", 0, LIST_NAME, "www.ads.example");
	expect_text(&v, NULL, "list ads line 0: www.ads.example");
	v = by_list("ads", 5, LIST_BELOW, "ads.example");
	expect_text(&v, NULL, "list ads line 5: *.ads.example");
	v = (struct name_verdict){ .by = VERDICT_BY_DENY, .list = "policy", .line = 12, .pos = "/denies/1" };
	expect_text(&v, NULL, "policy.hujson line 12: /denies/1");
	v = (struct name_verdict){ .by = VERDICT_BY_CANARY, .list = "policy", .pos = "/dns/canaries" };
	expect_text(&v, NULL, "policy.hujson /dns/canaries: this network's resolver is to be used");
	v = (struct name_verdict){ .by = VERDICT_BY_FILTER, .list = "filter", .line = 2, .texts = own };
	expect_text(&v, NULL, "policy.hujson /dns/filters/0: /ads[0-9]/");
}

static void rules_with_terms_are_told_as_they_were_written(void **state)
{
	struct name_verdict v = by_list("safe", 3, LIST_SUBTREE, "www.example");
	struct list_terms terms = { 0 };

	(void)state;
	list_terms_put(&terms, TERM_TEXT, false, "||www.example^$important", 24);
	v.match.hit.rule.terms = terms.bytes;
	v.match.hit.rule.terms_len = terms.len;
	expect_text(&v, NULL, "list safe line 3: ||www.example^$important");
	v.by = VERDICT_BY_SAFE;
	expect_text(&v, NULL, "list safe line 3: ||www.example^$important");
}

static void parts_of_an_answer_are_named(void **state)
{
	struct name_verdict v = by_list("ads", 1, LIST_SUBTREE, "t.example");
	struct dname target = name_of("x\\032y.t.example");
	struct ip_addr addr;
	struct blocked_part part = { .type = TYPE_CNAME, .target = &target };

	(void)state;
	expect_text(&v, &part, "list ads line 1: ||t.example^ (CNAME target x\\032y.t.example)");
	part.type = TYPE_PTR;
	expect_text(&v, &part, "list ads line 1: ||t.example^ (target x\\032y.t.example)");
	assert_int_equal(ip_addr_parse("2001:db8::7", &addr), 0);
	part = (struct blocked_part){ .type = TYPE_AAAA, .addr = &addr };
	expect_text(&v, &part, "list ads line 1: ||t.example^ (address 2001:db8::7)");
}

static void what_does_not_fit_is_cut(void **state)
{
	struct name_verdict v = by_list("ads", 1, LIST_SUBTREE, "ads.example");
	const char *whole = "list ads line 1: ||ads.example^";
	char got[64];

	(void)state;
	for (size_t size = 1; size <= strlen(whole) + 2; size++) {
		memset(got, '#', sizeof(got));
		blocked_text(&view, &v, NULL, got, size);
		assert_int_equal(strlen(got), size - 1 < strlen(whole) ? size - 1 : strlen(whole));
		assert_memory_equal(got, whole, strlen(got));
		assert_int_equal(got[size], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_says_where_it_stands),
		cmocka_unit_test(rules_with_terms_are_told_as_they_were_written),
		cmocka_unit_test(parts_of_an_answer_are_named),
		cmocka_unit_test(what_does_not_fit_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
