/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter/rewrite.c: what several rewrites come to together. */
#include "filter/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

struct rules {
	struct list_terms terms[3];
	struct name_verdict v;
};

/* The next rule's terms, of list @list line @line. */
static struct list_terms *rule_add(struct rules *r, uint32_t list, uint32_t line)
{
	struct list_hit *hit = &r->v.match.rewrites[r->v.match.n_rewrites];
	struct list_terms *t = &r->terms[r->v.match.n_rewrites++];

	hit->list = list;
	hit->line = line;
	hit->rule.action = LIST_REWRITE;
	hit->rule.terms = t->bytes;
	return t;
}

static void add_name(struct rules *r, enum list_term_type type, const char *text, uint32_t line)
{
	struct dname to = name_of(text);
	struct list_terms *t = rule_add(r, 1, line);

	list_terms_put(t, type, false, to.wire, to.len);
}

static void add_answer(struct rules *r, enum list_answer answer, uint32_t line)
{
	uint8_t byte = (uint8_t)answer;

	list_terms_put(rule_add(r, 0, line), TERM_ANSWER, false, &byte, 1);
}

static void add_record(struct rules *r, uint16_t type, uint32_t ttl_s, const char *data, uint32_t line)
{
	struct list_terms *t = rule_add(r, 0, line);

	list_terms_put(t, TERM_TEXT, false, "a rule", 6); /* what is no record is passed over */
	list_terms_put_record(t, type, ttl_s, data, strlen(data));
}

static void choose(struct rules *r, const char *name, struct rewrite *ret)
{
	static const char *const lists[] = { "one", "two" };
	const struct views views = { .lists = lists, .n_lists = 2 };
	struct dname n = name_of(name);

	for (uint32_t i = 0; i < r->v.match.n_rewrites; i++)
		r->v.match.rewrites[i].rule.terms_len = r->terms[i].len;
	r->v.by = VERDICT_BY_LIST;
	r->v.verdict = DNS_REWRITE;
	rewrite_choose(&r->v, &views, &n, ret);
}

static void a_name_stands_before_an_answer_and_that_before_records(void **state)
{
	static struct rules r;
	struct rewrite w;
	struct dname want = name_of("b.example");

	(void)state;
	memset(&r, 0, sizeof(r));
	add_record(&r, 1, 60, "\1\2\3\4", 7);
	add_answer(&r, LIST_ANSWER_REFUSED, 8);
	add_name(&r, TERM_CNAME, "b.example", 9);
	choose(&r, "a.example", &w);
	assert_int_equal(w.kind, REWRITE_ALIAS);
	assert_true(dname_equal(&w.target, &want));
	/* And the rule that is told is that one. */
	assert_int_equal(r.v.line, 9);
	assert_string_equal(r.v.list, "two");

	r.v.match.n_rewrites = 2;
	choose(&r, "a.example", &w);
	assert_int_equal(w.kind, REWRITE_ANSWER);
	assert_int_equal(w.answer, LIST_ANSWER_REFUSED);
	assert_int_equal(r.v.line, 8);
	assert_string_equal(r.v.list, "one");

	r.v.match.n_rewrites = 1;
	choose(&r, "a.example", &w);
	assert_int_equal(w.kind, REWRITE_RECORDS);
	assert_int_equal(r.v.line, 7);
}

static void the_name_is_put_before_a_wildcard_target(void **state)
{
	static struct rules r;
	struct rewrite w;
	struct dname want = name_of("x.ads.example.garden.example");
	char name[DNAME_MAX * 2] = "";

	(void)state;
	memset(&r, 0, sizeof(r));
	add_name(&r, TERM_CNAME_BELOW, "garden.example", 1);
	choose(&r, "x.ads.example", &w);
	assert_int_equal(w.kind, REWRITE_ALIAS);
	assert_true(dname_equal(&w.target, &want));

	/* 241 bytes and 16 are one too many: blocked, and not let pass. */
	for (size_t i = 0; i < 119; i++)
		memcpy(name + 2 * i, "a.", 2);
	name[2 * 119 - 1] = '\0';
	choose(&r, name, &w);
	assert_int_equal(w.kind, REWRITE_ALIAS);
	assert_int_equal(w.target.len, 239 - 1 + 16);
	memcpy(name + 2 * 119 - 1, "aa", 3);
	choose(&r, name, &w);
	assert_int_equal(w.kind, REWRITE_ANSWER);
	assert_int_equal(w.answer, LIST_ANSWER_VIEW);
}

static void a_name_that_leads_to_itself_is_not_rewritten(void **state)
{
	static struct rules r;
	struct rewrite w;

	(void)state;
	memset(&r, 0, sizeof(r));
	add_name(&r, TERM_CNAME, "a.example", 1);
	choose(&r, "a.example", &w);
	assert_int_equal(w.kind, REWRITE_NOTHING);
}

static void records_of_all_rules_come_in_their_order(void **state)
{
	static struct rules r;
	struct rewrite w;
	struct rewrite_at at = { 0 };
	struct rewrite_record got;

	(void)state;
	memset(&r, 0, sizeof(r));
	add_record(&r, 1, 60, "\1\2\3\4", 1);
	list_terms_put_record(&r.terms[0], 16, 0, "\2hi", 3);
	add_record(&r, 28, 0, "0123456789abcdef", 2);
	choose(&r, "a.example", &w);
	assert_int_equal(w.kind, REWRITE_RECORDS);
	assert_true(rewrite_record_next(&r.v, &at, &got));
	assert_int_equal(got.type, 1);
	assert_int_equal(got.ttl_s, 60);
	assert_int_equal(got.len, 4);
	assert_memory_equal(got.data, "\1\2\3\4", 4);
	assert_true(rewrite_record_next(&r.v, &at, &got));
	assert_int_equal(got.type, 16);
	assert_int_equal(got.ttl_s, 0);
	assert_memory_equal(got.data, "\2hi", 3);
	assert_true(rewrite_record_next(&r.v, &at, &got));
	assert_int_equal(got.type, 28);
	assert_memory_equal(got.data, "0123456789abcdef", 16);
	assert_false(rewrite_record_next(&r.v, &at, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_stands_before_an_answer_and_that_before_records),
		cmocka_unit_test(the_name_is_put_before_a_wildcard_target),
		cmocka_unit_test(a_name_that_leads_to_itself_is_not_rewritten),
		cmocka_unit_test(records_of_all_rules_come_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
