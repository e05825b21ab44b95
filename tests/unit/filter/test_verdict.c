/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter/verdict.c: the order in which records, denies, the filter's own rules and the lists decide. */
#include "views_sample.h"

#include "filter/listbuild.h"
#include "filter/verdict.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct snapshot {
	void *lists;
	struct views *views;
};

/* A rule of list 2; a rewrite is to safe.search.example. */
static void add_safe(struct list_builder *b, uint32_t line, const char *name, enum list_action action)
{
	struct list_rule rule = { .kind = LIST_NAME, .action = action };
	struct list_terms terms = { 0 };
	struct dname to;

	assert_int_equal(dname_parse(name, strlen(name), &rule.name), 0);
	assert_int_equal(dname_parse("safe.search.example", 19, &to), 0);
	if (action == LIST_REWRITE) {
		list_terms_put(&terms, TERM_CNAME, false, to.wire, to.len);
		list_terms_put(&terms, TERM_TEXT, false, "safe rule", 9);
		rule.terms = terms.bytes;
		rule.terms_len = terms.len;
	}
	assert_int_equal(list_builder_rule(b, 2, line, &rule, NULL), 0);
}

static int snapshot_setup(void **state)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	struct list_builder *b = list_builder_new();
	size_t len;

	assert_non_null(s);
	assert_non_null(b);
	for (uint32_t i = 0; i < ARRAY_LEN(sample_lists); i++)
		assert_int_equal(list_builder_add_text(b, i, sample_lists[i], strlen(sample_lists[i]), NULL, NULL), 0);
	add_safe(b, 1, "www.search.example", LIST_REWRITE);
	add_safe(b, 2, "ads.example", LIST_REWRITE);
	add_safe(b, 3, "cdn.ads.example", LIST_REWRITE);
	add_safe(b, 4, "passed.example", LIST_BLOCK);
	assert_int_equal(list_builder_image(b, &s->lists, &len, NULL), 0);
	assert_int_equal(views_new(sample_views, strlen(sample_views), s->lists, len, &s->views, NULL), 0);
	list_builder_free(b);
	*state = s;
	return 0;
}

static int snapshot_teardown(void **state)
{
	struct snapshot *s = *state;

	views_free(s->views);
	free(s->lists);
	free(s);
	return 0;
}

static struct name_verdict decide(void **state, uint32_t view, const char *text)
{
	const struct snapshot *s = *state;
	struct name_verdict v;
	struct dname name;

	assert_int_equal(dname_parse(text, strlen(text), &name), 0);
	verdict_name(&(struct verdict_ask){ .views = s->views, .view = &s->views->views[view], .type = RECORD_A },
		     &name, &v);
	return v;
}

/* The verdict on @text as a CNAME target of @asked. */
static struct name_verdict decide_target(void **state, uint32_t view, const char *asked, const char *text)
{
	struct name_verdict of_asked = decide(state, view, asked), v;
	const struct snapshot *s = *state;
	struct dname name;

	assert_int_equal(dname_parse(text, strlen(text), &name), 0);
	verdict_target(&(struct verdict_ask){ .views = s->views, .view = &s->views->views[view], .type = RECORD_A },
		       &of_asked, &name, RECORD_CNAME, &v);
	return v;
}

static void assert_verdict(struct name_verdict v, enum dns_verdict want, bool exception, const char *list,
			   uint32_t line, const char *rule)
{
	char text[VERDICT_RULE_MAX];

	assert_int_equal(v.verdict, want);
	assert_int_equal(v.by_exception, exception);
	if (list == NULL)
		assert_null(v.list);
	else
		assert_string_equal(v.list, list);
	assert_int_equal(v.line, line);
	assert_string_equal(verdict_rule(&v, text, sizeof(text)), rule);
}

static void a_listed_name_is_blocked_by_list_line_and_rule(void **state)
{
	assert_verdict(decide(state, 0, "x.tracker.example"), DNS_BLOCK, false, "ads", 2, "||tracker.example^");
	assert_verdict(decide(state, 0, "exact.example"), DNS_BLOCK, false, "ads", 3, "exact.example");
	assert_verdict(decide(state, 0, "threat.example"), DNS_BLOCK, false, "threats", 1, "||threat.example^");
	assert_verdict(decide(state, 0, "www.exact.example"), DNS_PASS, false, NULL, 0, "");
}

static void an_exception_of_a_list_passes_and_is_named(void **state)
{
	assert_verdict(decide(state, 0, "good.ads.example"), DNS_PASS, true, "ads", 5, "@@||good.ads.example^");
	assert_verdict(decide(state, 0, "bad.ads.example"), DNS_BLOCK, false, "ads", 1, "||ads.example^");
}

static void the_filters_own_rules_stand_before_the_lists(void **state)
{
	assert_verdict(decide(state, 0, "cdn.ads.example"), DNS_PASS, true, "filter", 1, "||cdn.ads.example^");
	assert_verdict(decide(state, 0, "plain.example"), DNS_BLOCK, false, "filter", 2, "plain.example");
	assert_verdict(decide(state, 0, "a.own.example"), DNS_BLOCK, false, "filter", 1, "||own.example^");
}

static void the_filters_exceptions_stand_before_its_blocks(void **state)
{
	assert_verdict(decide(state, 0, "x.nice.own.example"), DNS_PASS, true, "filter", 2, "||nice.own.example^");
}

static void a_deny_of_the_policy_stands_before_every_exception(void **state)
{
	assert_verdict(decide(state, 0, "denied.example"), DNS_BLOCK, false, "policy", 14, "/denies/1");
	assert_verdict(decide_target(state, 0, "plain-name.example", "x.denied.example"), DNS_BLOCK, false, "policy",
		       14, "/denies/1");
}

static void local_records_answer_the_question_and_only_it(void **state)
{
	assert_verdict(decide(state, 0, "nas.home.arpa"), DNS_REWRITE, false, NULL, 0, "");
	assert_verdict(decide(state, 0, "own.example"), DNS_REWRITE, false, NULL, 0, "");
	assert_verdict(decide_target(state, 0, "plain-name.example", "own.example"), DNS_BLOCK, false, "filter", 1,
		       "||own.example^");
	assert_verdict(decide(state, 1, "nas.home.arpa"), DNS_REWRITE, false, NULL, 0, "");
}

static void an_exception_covers_the_chain_of_the_name_but_no_deny(void **state)
{
	assert_verdict(decide_target(state, 0, "good.ads.example", "bad.ads.example"), DNS_PASS, false, NULL, 0, "");
	assert_verdict(decide_target(state, 0, "unlisted.example", "bad.ads.example"), DNS_BLOCK, false, "ads", 1,
		       "||ads.example^");
	assert_verdict(decide_target(state, 0, "good.ads.example", "denied.example"), DNS_BLOCK, false, "policy", 14,
		       "/denies/1");
}

static void without_a_filter_everything_passes(void **state)
{
	assert_verdict(decide(state, 1, "ads.example"), DNS_PASS, false, NULL, 0, "");
	assert_verdict(decide(state, 1, "denied.example"), DNS_PASS, false, NULL, 0, "");
}

static void grants_are_those_of_the_view_and_the_name(void **state)
{
	const struct snapshot *s = *state;
	struct dname github, top, debian;
	uint32_t rules[4];

	assert_int_equal(dname_parse("api.github.com", 14, &github), 0);
	assert_int_equal(dname_parse("github.com", 10, &top), 0);
	assert_int_equal(dname_parse("deb.debian.org", 14, &debian), 0);
	assert_int_equal(verdict_grants(s->views, &s->views->views[0], &github, rules, 4), 2);
	assert_int_equal(rules[0], 0);
	assert_int_equal(rules[1], 2);
	assert_int_equal(verdict_grants(s->views, &s->views->views[0], &github, rules, 1), 1);
	assert_int_equal(verdict_grants(s->views, &s->views->views[0], &top, rules, 4), 0);
	assert_int_equal(verdict_grants(s->views, &s->views->views[0], &debian, rules, 4), 1);
	assert_int_equal(verdict_grants(s->views, &s->views->views[1], &github, rules, 4), 0);
}

static void canaries_stand_between_exceptions_and_blocks(void **state)
{
	struct name_verdict v = decide(state, 0, "use-application-dns.net");

	assert_verdict(v, DNS_BLOCK, false, "policy", 0, "/dns/canaries");
	assert_true(v.by == VERDICT_BY_CANARY);
	assert_true(decide(state, 1, "mask.icloud.com").by == VERDICT_BY_CANARY);
	assert_true(decide(state, 1, "mask-h2.icloud.com").by == VERDICT_BY_CANARY);
	assert_int_equal(decide(state, 1, "icloud.com").verdict, DNS_PASS);
	assert_int_equal(decide(state, 1, "www.mask.icloud.com").verdict, DNS_PASS);
	assert_false(decide(state, 0, "ads.example").by == VERDICT_BY_CANARY);
}

static void safe_search_rewrites_what_nothing_else_speaks_of(void **state)
{
	struct name_verdict v = decide(state, 0, "www.search.example");

	assert_verdict(v, DNS_REWRITE, false, "safe", 1, "safe rule");
	assert_true(v.by == VERDICT_BY_SAFE);
	/* Blocked is blocked, an exception is one from safe search, too, and its list does nothing but rewrite. */
	assert_int_equal(decide(state, 0, "ads.example").by, VERDICT_BY_LIST);
	assert_int_equal(decide(state, 0, "ads.example").verdict, DNS_BLOCK);
	assert_int_equal(decide(state, 0, "cdn.ads.example").verdict, DNS_PASS);
	assert_int_equal(decide(state, 0, "passed.example").verdict, DNS_PASS);
	assert_int_equal(decide(state, 1, "www.search.example").verdict, DNS_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(safe_search_rewrites_what_nothing_else_speaks_of),
		cmocka_unit_test(canaries_stand_between_exceptions_and_blocks),
		cmocka_unit_test(a_listed_name_is_blocked_by_list_line_and_rule),
		cmocka_unit_test(an_exception_of_a_list_passes_and_is_named),
		cmocka_unit_test(the_filters_own_rules_stand_before_the_lists),
		cmocka_unit_test(the_filters_exceptions_stand_before_its_blocks),
		cmocka_unit_test(a_deny_of_the_policy_stands_before_every_exception),
		cmocka_unit_test(local_records_answer_the_question_and_only_it),
		cmocka_unit_test(an_exception_covers_the_chain_of_the_name_but_no_deny),
		cmocka_unit_test(without_a_filter_everything_passes),
		cmocka_unit_test(grants_are_those_of_the_view_and_the_name),
	};

	return cmocka_run_group_tests(tests, snapshot_setup, snapshot_teardown);
}
