/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules that are more than a name: conditions, patterns, expressions, addresses, rewrites, $badfilter; and sets of
 * lists. Rules are made here without a parser. */
#include "filter/listbuild.h"
#include "filter/listregex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct made {
	struct list_builder *b;
	void *data;
	size_t len;
	struct listfile *f;
	uint32_t line;
};

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

static void made_begin(struct made *m)
{
	*m = (struct made){ .b = list_builder_new() };
	assert_non_null(m->b);
}

static void made_open(struct made *m)
{
	struct err e = { 0 };

	assert_int_equal(list_builder_image(m->b, &m->data, &m->len, &e), 0);
	if (listfile_open(m->data, m->len, &m->f, &e) < 0)
		fail_msg("%s", e.msg);
}

static void made_done(struct made *m)
{
	listfile_free(m->f);
	list_builder_free(m->b);
	free(m->data);
}

/* One more line in @list. */
static int put(struct made *m, uint32_t list, struct list_rule rule, const struct list_terms *terms)
{
	if (terms != NULL) {
		rule.terms = terms->bytes;
		rule.terms_len = terms->len;
	}
	return list_builder_rule(m->b, list, ++m->line, &rule, NULL);
}

static void put_name(struct made *m, uint32_t list, enum list_kind kind, enum list_action action, const char *name)
{
	assert_int_equal(
		put(m, list, (struct list_rule){ .kind = kind, .action = action, .name = name_of(name) }, NULL), 0);
}

static void put_pattern(struct made *m, uint32_t list, uint8_t anchors, const char *text)
{
	struct list_terms *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	list_terms_put_tagged(t, TERM_PATTERN, anchors, text, strlen(text));
	list_terms_put(t, TERM_TEXT, false, text, strlen(text));
	assert_int_equal(put(m, list, (struct list_rule){ .kind = LIST_PATTERN }, t), 0);
	free(t);
}

static int put_regex(struct made *m, uint32_t list, enum list_action action, uint8_t invert, const char *text)
{
	struct list_terms *t = calloc(1, sizeof(*t));
	int r;

	assert_non_null(t);
	list_terms_put_tagged(t, TERM_REGEX, invert, text, strlen(text));
	list_terms_put(t, TERM_TEXT, false, text, strlen(text) < 200 ? strlen(text) : 200);
	r = put(m, list, (struct list_rule){ .kind = LIST_REGEX, .action = action }, t);
	free(t);
	return r;
}

/* The line of the rule that decides; 0: none. */
static uint32_t line_for(const struct made *m, uint64_t mask, const char *name)
{
	struct dname n = name_of(name);
	struct list_match found;

	return listfile_match_name(m->f, mask, &n, &found) && found.found ? found.hit.line : 0;
}

static void a_name_on_several_lists_is_one_row_with_each_list_s_line(void **state)
{
	struct made m, one;
	size_t len;

	made_begin(&one);
	put_name(&one, 9, LIST_SUBTREE, LIST_BLOCK, "ads.example");
	made_open(&one);
	len = one.len;
	made_done(&one);
	made_begin(&m);
	for (uint32_t list = 0; list < 10; list++)
		put_name(&m, 9 - list, LIST_SUBTREE, LIST_BLOCK, "ads.example");
	made_open(&m);
	for (uint32_t list = 0; list < 10; list++) {
		assert_int_equal(line_for(&m, 1ull << list, "x.ads.example"), 10 - list);
		assert_int_equal(line_for(&m, UINT64_MAX << list, "ads.example"), list < 10 ? 10 - list : 0);
	}
	assert_int_equal(line_for(&m, 1ull << 10, "ads.example"), 0);
	assert_int_equal(m.len - len, 10 * 4);
	made_done(&m);
}

/* More sets than a row can number: all is still found, by list. */
static void more_sets_than_can_be_numbered_are_told_apart(void **state)
{
	const uint32_t n = 70000;
	struct made m;
	char name[64];

	made_begin(&m);
	for (uint32_t i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		for (uint32_t list = 0; list < 17; list++)
			if ((i >> list & 1) != 0)
				put_name(&m, list, LIST_NAME, LIST_BLOCK, name);
	}
	made_open(&m);
	for (uint32_t i = 1; i <= n; i += 7) {
		struct dname d;
		struct list_match found;

		snprintf(name, sizeof(name), "n%u.example", i);
		d = name_of(name);
		for (uint32_t list = 0; list < 17; list++) {
			assert_int_equal(listfile_match_name(m.f, 1ull << list, &d, &found), i >> list & 1);
			if ((i >> list & 1) != 0)
				assert_int_equal(found.hit.list, list);
		}
		assert_int_equal(listfile_touch(m.f, &(struct list_ask){ .name = &d }), i);
	}
	made_done(&m);
}

static void patterns_hold_where_their_anchors_say(void **state)
{
	static const struct {
		uint8_t anchors;
		const char *pattern, *name;
		bool holds;
	} cases[] = {
		{ 0, "ads", "www.ads.example", true },
		{ 0, "ads", "heads.example", true },
		{ 0, "ads", "ad.s.example", false },
		{ LIST_ANCHOR_LABEL, "ads", "heads.example", false },
		{ LIST_ANCHOR_LABEL, "ads", "x.adserver.example", true },
		{ LIST_ANCHOR_LABEL | LIST_ANCHOR_END, "ads.example", "x.ads.example", true },
		{ LIST_ANCHOR_LABEL | LIST_ANCHOR_END, "ads.example", "x.ads.example.org", false },
		{ LIST_ANCHOR_LABEL | LIST_ANCHOR_END, "ad*.example", "x.adserver.cdn.example", true },
		{ LIST_ANCHOR_LABEL | LIST_ANCHOR_END, "ad*.example", "x.bad.example", false },
		{ LIST_ANCHOR_LABEL, "a*c*e", "b.a.c.d", false },
		{ LIST_ANCHOR_LABEL, "a*c*e", "b.a.c.d.e", true },
		{ LIST_ANCHOR_BEGIN, "ads.", "ads.example", true },
		{ LIST_ANCHOR_BEGIN, "ads.", "x.ads.example", false },
		{ LIST_ANCHOR_BEGIN | LIST_ANCHOR_END, "a*b", "axxb", true },
		{ LIST_ANCHOR_BEGIN | LIST_ANCHOR_END, "a*b", "axxbc", false },
		{ LIST_ANCHOR_END, ".example", "x.example", true },
		{ LIST_ANCHOR_END, ".example", "x.example.org", false },
		{ 0, "", "any.name", true },
		{ 0, "*x*", "any.name", false },
		{ 0, "a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct made m;

		made_begin(&m);
		put_pattern(&m, 3, cases[i].anchors, cases[i].pattern);
		made_open(&m);
		if ((line_for(&m, 8, cases[i].name) != 0) != cases[i].holds)
			fail_msg("case %zu: %s on %s", i, cases[i].pattern, cases[i].name);
		assert_int_equal(line_for(&m, 4, cases[i].name), 0);
		made_done(&m);
	}
}

/* What they are filed under never hides a match: each beside a list of those that hold. */
static void expressions_are_found_by_what_they_must_contain(void **state)
{
	static const struct {
		const char *regex, *name;
		bool holds;
	} cases[] = {
		{ "(^|\\.)lgsmartad\\.com", "x.lgsmartad.com", true },
		{ "(^|\\.)lgsmartad\\.com", "xlgsmartad.com", false },
		{ "^[a-rt-z][a-z]{10,14}$", "abcdefghijklm", true },
		{ "^([a-z0-9\\-]*\\-)?telemetry(\\-[a-z0-9\\-]*)?\\.[a-z0-9\\-]*\\.", "my-telemetry-a.x.y", true },
		{ "^([a-z0-9\\-]*\\-)?telemetry(\\-[a-z0-9\\-]*)?\\.[a-z0-9\\-]*\\.", "mytelemetry.x.y", false },
		{ "ab?cde", "acde", true },
		{ "ab?cde", "abcde", true },
		{ "abc*de", "abde", true },
		{ "abc+de", "abcccde", true },
		{ "ab{0,2}cd", "acd", true },
		{ "abcd{0}e", "abce", true },
		{ "x(abc|def)?y", "xy", true },
		{ "(abcd|efgh)ijk", "efghijk", true },
		{ "(abcd|efgh)ijk", "abcdijk", true },
		{ "(abcd|e*)z", "z", true },
		{ "ABCdef", "abcdef", true },
		{ "[a]bcd", "abcd", true },
		{ "[ab]bcd", "bbcd", true },
		{ "(?i)Abcd", "abcd", true },
		{ "(?=abcd)a", "abcd", true },
		{ "(?!abcd)a", "axyz", true },
		{ "(?<!x)abcd", "abcd", true },
		{ "\\Qab.d\\E", "ab.d", true },
		{ "a\\.b\\.c", "a.b.c", true },
		{ "(abc)\\1", "abcabc", true },
		{ "(?x)a b c d", "abcd", true },
		{ "[[:alpha:]]bcd", "abcd", true },
		{ "[]x]bcd", "xbcd", true },
		{ "a|bcdefg", "a", true },
		{ "abcd|", "zzzz", true },
		{ "(abcd)+", "abcdabcd", true },
		{ "(?:abcd){2}", "abcdabcd", true },
		{ "(?>abcd|ab)x", "abx", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct made m;

		made_begin(&m);
		assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, cases[i].regex), 0);
		made_open(&m);
		if ((line_for(&m, 1, cases[i].name) != 0) != cases[i].holds)
			fail_msg("case %zu: %s on %s", i, cases[i].regex, cases[i].name);
		made_done(&m);
		made_begin(&m);
		assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 1, cases[i].regex), 0);
		made_open(&m);
		assert_int_equal(line_for(&m, 1, cases[i].name) == 0, cases[i].holds);
		made_done(&m);
	}
}

/* A thousand expressions are not run a thousand times. */
static void a_name_meets_only_expressions_that_share_a_gram_with_it(void **state)
{
	struct list_scratch *scratch = list_scratch_new();
	struct dname name = name_of("shop.tracker501.example");
	struct list_match found;
	struct made m;
	char text[64];

	assert_non_null(scratch);
	made_begin(&m);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "^[a-z]+\\.tracker%d\\.", i);
		assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, text), 0);
	}
	made_open(&m);
	assert_true(listfile_match(m.f, 1, &(struct list_ask){ .name = &name, .scratch = scratch }, &found));
	assert_int_equal(found.hit.line, 502);
	assert_true(list_scratch_counts(scratch)->runs <= 40);
	name = name_of("www.example.com");
	assert_false(listfile_match(m.f, 1, &(struct list_ask){ .name = &name, .scratch = scratch }, &found));
	made_done(&m);
	list_scratch_free(scratch);
}

static void expressions_that_are_none_are_refused(void **state)
{
	struct made m;
	char text[REGEX_TEXT_MAX + 2];

	made_begin(&m);
	assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, "a(b"), -EINVAL);
	assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, "a\\Cb"), -EINVAL);
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, text), -EINVAL);
	for (uint32_t i = 0; i < LIST_ALWAYS_MAX; i++)
		assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, "^[0-9]$"), 0);
	assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, "^[0-9]$"), -EINVAL);
	assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, "abcd"), 0);
	made_open(&m);
	assert_int_equal(line_for(&m, 1, "xabcdx"), m.line);
	made_done(&m);
}

/* What takes too long holds where it blocks, and not where it allows; it is counted and named. */
static void a_run_that_is_given_up_is_counted_and_opens_nothing(void **state)
{
	struct list_scratch *scratch = list_scratch_new();
	struct dname name = name_of(
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
	struct list_ask ask = { .name = &name, .scratch = scratch };
	struct list_match found;
	struct made m;

	assert_non_null(scratch);
	made_begin(&m);
	assert_int_equal(put_regex(&m, 0, LIST_BLOCK, 0, "^(([a-z.])+.)+[A-Z]([a-z])+$"), 0);
	assert_int_equal(put_regex(&m, 1, LIST_ALLOW, 0, "^(([a-z.])+.)+[A-Z]([a-z])+$"), 0);
	made_open(&m);
	assert_true(listfile_match(m.f, 3, &ask, &found));
	assert_int_equal(found.hit.rule.action, LIST_BLOCK);
	assert_true(list_scratch_counts(scratch)->given_up >= 2);
	assert_int_equal(list_scratch_counts(scratch)->line, 2);
	made_done(&m);
	list_scratch_free(scratch);
}

static void conditions_ask_who_and_what_for(void **state)
{
	static const char *const tags[] = { "tag:tv" };
	const struct list_client tv = { .device = "tv", .tags = tags, .n_tags = 1 }, pc = { .device = "pc" };
	struct list_terms *t = calloc(1, sizeof(*t));
	struct dname name = name_of("x.ads.example"), except = name_of("a.b.ads.example"),
		     top = name_of("b.ads.example");
	uint16_t aaaa = 28;
	struct list_match found;
	struct made m;

	assert_non_null(t);
	made_begin(&m);
	list_terms_put(t, TERM_CLIENT_TAG, false, "tag:tv", 6);
	list_terms_put(t, TERM_TYPE, true, &aaaa, sizeof(aaaa));
	list_terms_put(t, TERM_DENYALLOW, false, top.wire, top.len);
	assert_int_equal(put(&m, 0,
			     (struct list_rule){ .kind = LIST_SUBTREE, .name = name_of("ads.example"), .modifiers = 3 },
			     t),
			 0);
	made_open(&m);
	assert_true(listfile_match(m.f, 1, &(struct list_ask){ .name = &name, .type = 1, .client = &tv }, &found));
	assert_true(found.personal);
	assert_false(listfile_match(m.f, 1, &(struct list_ask){ .name = &name, .type = 28, .client = &tv }, &found));
	assert_false(listfile_match(m.f, 1, &(struct list_ask){ .name = &name, .type = 1, .client = &pc }, &found));
	assert_true(found.personal);
	assert_false(listfile_match(m.f, 1, &(struct list_ask){ .name = &name, .type = 1 }, &found));
	assert_false(listfile_match(m.f, 1, &(struct list_ask){ .name = &except, .type = 1, .client = &tv }, &found));
	assert_int_equal(listfile_touch(m.f, &(struct list_ask){ .name = &except }), 1);
	made_done(&m);
	free(t);
}

static void put_important(struct made *m, enum list_action action, uint8_t modifiers, const char *name)
{
	assert_int_equal(put(m, 0,
			     (struct list_rule){ .kind = LIST_SUBTREE,
						 .action = action,
						 .important = true,
						 .modifiers = modifiers,
						 .name = name_of(name) },
			     NULL),
			 0);
}

static void the_order_of_precedence_is_total(void **state)
{
	struct made m;

	made_begin(&m);
	put_name(&m, 1, LIST_SUBTREE, LIST_BLOCK, "a.example");	  /* 1 */
	put_name(&m, 0, LIST_SUBTREE, LIST_BLOCK, "b.a.example"); /* 2: a longer name */
	put_name(&m, 0, LIST_SUBTREE, LIST_ALLOW, "a.example");	  /* 3: an exception, for all that */
	put_important(&m, LIST_BLOCK, 0, "c.b.a.example");	  /* 4: important */
	put_important(&m, LIST_ALLOW, 0, "d.c.b.a.example");	  /* 5 */
	put_important(&m, LIST_BLOCK, 1, "c.b.a.example");	  /* 6: more modifiers than 4 */
	put_name(&m, 0, LIST_NAME, LIST_BLOCK, "e.example");	  /* 7: the name itself before what is below */
	put_name(&m, 0, LIST_SUBTREE, LIST_BLOCK, "e.example");	  /* 8 */
	put_name(&m, 0, LIST_BELOW, LIST_BLOCK, "e.example");	  /* 9 */
	made_open(&m);
	assert_int_equal(line_for(&m, 2, "b.a.example"), 1);
	assert_int_equal(line_for(&m, 3, "b.a.example"), 3);
	assert_int_equal(line_for(&m, 3, "c.b.a.example"), 6);
	assert_int_equal(line_for(&m, 3, "d.c.b.a.example"), 5);
	assert_int_equal(line_for(&m, 1, "e.example"), 7);
	assert_int_equal(line_for(&m, 1, "x.e.example"), 9);
	made_done(&m);
}

static void a_badfilter_takes_away_from_those_who_have_both_lists(void **state)
{
	struct list_rule bad = { .kind = LIST_SUBTREE, .badfilter = true, .name = name_of("ads.example") };
	struct list_terms *t = calloc(1, sizeof(*t));
	struct made m;

	assert_non_null(t);
	made_begin(&m);
	put_name(&m, 0, LIST_SUBTREE, LIST_BLOCK, "ads.example");
	put_name(&m, 1, LIST_NAME, LIST_BLOCK, "ads.example");
	assert_int_equal(put(&m, 2, bad, NULL), 0);
	list_terms_put(t, TERM_CLIENT_TAG, false, "tag:tv", 6);
	list_terms_put(t, TERM_TEXT, false, "one", 3);
	assert_int_equal(
		put(&m, 0,
		    (struct list_rule){ .kind = LIST_SUBTREE, .action = LIST_ALLOW, .name = bad.name, .modifiers = 1 },
		    t),
		0);
	made_open(&m);
	assert_int_equal(line_for(&m, 1, "x.ads.example"), 1);
	assert_int_equal(line_for(&m, 5, "x.ads.example"), 0);
	assert_int_equal(line_for(&m, 7, "x.ads.example"), 0);
	assert_int_equal(line_for(&m, 7, "ads.example"), 2);
	made_done(&m);
	free(t);
}

static void addresses_are_found_by_their_longest_prefix(void **state)
{
	static const char *const prefixes[] = { "192.0.2.0/24",	 "192.0.2.128/25", "192.0.2.200",
						"2001:db8::/32", "0.0.0.0/0",	   "2001:db8::1" };
	struct ip_addr addr;
	struct list_match found;
	struct made m;

	made_begin(&m);
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct list_rule rule = { .kind = LIST_ADDRESS };

		assert_int_equal(ip_prefix_parse(prefixes[i], &rule.prefix, NULL), 0);
		assert_int_equal(put(&m, 0, rule, NULL), 0);
	}
	made_open(&m);
	assert_int_equal(ip_addr_parse("192.0.2.200", &addr), 0);
	assert_true(listfile_match(m.f, 1, &(struct list_ask){ .addr = &addr }, &found));
	assert_int_equal(found.hit.line, 3);
	assert_int_equal(found.hit.rule.prefix.len, 32);
	assert_int_equal(ip_addr_parse("192.0.2.129", &addr), 0);
	assert_true(listfile_match(m.f, 1, &(struct list_ask){ .addr = &addr }, &found));
	assert_int_equal(found.hit.line, 2);
	assert_int_equal(ip_addr_parse("198.51.100.1", &addr), 0);
	assert_true(listfile_match(m.f, 1, &(struct list_ask){ .addr = &addr }, &found));
	assert_int_equal(found.hit.line, 5);
	assert_int_equal(ip_addr_parse("2001:db8::1", &addr), 0);
	assert_true(listfile_match(m.f, 1, &(struct list_ask){ .addr = &addr }, &found));
	assert_int_equal(found.hit.line, 6);
	assert_int_equal(ip_addr_parse("2001:db9::1", &addr), 0);
	assert_false(listfile_match(m.f, 1, &(struct list_ask){ .addr = &addr }, &found));
	assert_int_equal(line_for(&m, 1, "x.example"), 0);
	made_done(&m);
}

static void rewrites_stand_beside_and_are_cancelled(void **state)
{
	struct list_terms *t = calloc(1, sizeof(*t));
	struct dname name = name_of("x.example");
	struct list_rule rule = {
		.kind = LIST_SUBTREE, .action = LIST_REWRITE, .modifiers = 1, .name = name_of("example")
	};
	struct list_match found;
	struct made m;

	assert_non_null(t);
	made_begin(&m);
	list_terms_put_record(t, 1, 0, "\x01\x02\x03\x04", 4);
	assert_int_equal(put(&m, 0, rule, t), 0);
	t->len = 0;
	list_terms_put_record(t, 1, 0, "\x01\x02\x03\x05", 4);
	assert_int_equal(put(&m, 0, rule, t), 0);
	rule.important = true;
	assert_int_equal(put(&m, 0, rule, t), 0);
	rule.important = false;
	rule.action = LIST_KEEP;
	assert_int_equal(put(&m, 1, rule, t), 0);    /* that one answer */
	assert_int_equal(put(&m, 2, rule, NULL), 0); /* all of them */
	made_open(&m);
	assert_true(listfile_match_name(m.f, 1, &name, &found));
	assert_false(found.found);
	assert_int_equal(found.n_rewrites, 3);
	assert_int_equal(found.rewrites[0].line, 3);
	assert_int_equal(found.rewrites[1].line, 1);
	assert_true(listfile_match_name(m.f, 3, &name, &found));
	assert_int_equal(found.n_rewrites, 2);
	assert_int_equal(found.rewrites[1].line, 1);
	assert_true(listfile_match_name(m.f, 5, &name, &found));
	assert_int_equal(found.n_rewrites, 1);
	assert_int_equal(found.rewrites[0].line, 3);
	made_done(&m);
	free(t);
}

static void a_probe_finds_what_a_look_finds(void **state)
{
	struct made m;
	char text[64];

	made_begin(&m);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "n%d.example", i * 2);
		put_name(&m, 0, i % 2 == 0 ? LIST_NAME : LIST_SUBTREE, LIST_BLOCK, text);
	}
	made_open(&m);
	for (int i = 0; i < 20000; i++) {
		struct list_match with, without;
		struct list_probe probe;
		struct dname name;

		snprintf(text, sizeof(text), "%sn%d.example", i % 3 == 0 ? "a.b." : "", i);
		name = name_of(text);
		listfile_probe(m.f, &name, &probe);
		listfile_probe_rows(&probe);
		assert_int_equal(listfile_match(m.f, 1, &(struct list_ask){ .name = &name, .probe = &probe }, &with),
				 listfile_match_name(m.f, 1, &name, &without));
		if (with.found)
			assert_int_equal(with.hit.line, without.hit.line);
	}
	made_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_on_several_lists_is_one_row_with_each_list_s_line),
		cmocka_unit_test(more_sets_than_can_be_numbered_are_told_apart),
		cmocka_unit_test(patterns_hold_where_their_anchors_say),
		cmocka_unit_test(expressions_are_found_by_what_they_must_contain),
		cmocka_unit_test(a_name_meets_only_expressions_that_share_a_gram_with_it),
		cmocka_unit_test(expressions_that_are_none_are_refused),
		cmocka_unit_test(a_run_that_is_given_up_is_counted_and_opens_nothing),
		cmocka_unit_test(conditions_ask_who_and_what_for),
		cmocka_unit_test(the_order_of_precedence_is_total),
		cmocka_unit_test(a_badfilter_takes_away_from_those_who_have_both_lists),
		cmocka_unit_test(addresses_are_found_by_their_longest_prefix),
		cmocka_unit_test(rewrites_stand_beside_and_are_cancelled),
		cmocka_unit_test(a_probe_finds_what_a_look_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
