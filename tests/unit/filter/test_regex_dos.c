/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expressions that were made to take for ever, and names made for them. What a question costs is bounded by counts of
 * what is run, which are asserted here; times differ between machines. */
#include "filter/listbuild.h"
#include "filter/listregex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* 63 times the letter, three labels of it, then one more: as long as a name may be. */
#define LABEL_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define EVIL	LABEL_A "." LABEL_A "." LABEL_A ".aaaaaaaaaab"

struct made {
	struct list_builder *b;
	void *data;
	struct listfile *f;
	struct list_scratch *s;
	uint32_t line;
};

static void made_begin(struct made *m)
{
	*m = (struct made){ .b = list_builder_new(), .s = list_scratch_new() };
	assert_non_null(m->b);
	assert_non_null(m->s);
}

static int put(struct made *m, enum list_action action, const char *text, struct err *e)
{
	struct list_terms *t = calloc(1, sizeof(*t));
	struct list_rule rule = { .kind = LIST_REGEX, .action = action };
	int r;

	assert_non_null(t);
	list_terms_put_tagged(t, TERM_REGEX, 0, text, strlen(text));
	rule.terms = t->bytes;
	rule.terms_len = t->len;
	r = list_builder_rule(m->b, 5, ++m->line, &rule, e);
	free(t);
	return r;
}

static void made_open(struct made *m)
{
	struct err e = { 0 };
	size_t len;

	if (list_builder_image(m->b, &m->data, &len, &e) < 0 || listfile_open(m->data, len, &m->f, &e) < 0)
		fail_msg("%s", e.msg);
}

static void made_done(struct made *m)
{
	listfile_free(m->f);
	list_builder_free(m->b);
	list_scratch_free(m->s);
	free(m->data);
}

static bool ask(const struct made *m, const char *name, struct list_match *ret)
{
	struct dname n;

	assert_int_equal(dname_parse(name, strlen(name), &n), 0);
	return listfile_match(m->f, UINT64_MAX, &(struct list_ask){ .name = &n, .scratch = m->s }, ret);
}

/* One expression alone. */
static const struct regex_counts *counts_of(struct made *m, enum list_action action, const char *text, bool *ret_held)
{
	struct list_match found;

	made_begin(m);
	if (put(m, action, text, NULL) < 0)
		fail_msg("refused: %s", text);
	made_open(m);
	*ret_held = ask(m, EVIL, &found);
	return list_scratch_counts(m->s);
}

static const char *const evil[] = {
	"(a+)+$",
	"(a|a)*b",
	"(a*)*b",
	"((a+)+)+c?b$",
	"(a|aa)+$",
	"^(?:a?){63}a{63}b",
	"(a+)\\1+\\1+\\1+b",
	"((?:a|(?R))+)+b.b",
	"^(a(?1)?a|a)+b",
	"(.*a){12}c?[^ab]$",
	"(a+a+)+[^ab.]",
	"(?=(a*)*c)",
	"(?<!x)(a|a)+\\.b",
	"(?:(a|b|c|d|e|f)+){1,150}x?$",
	"(a|a(?C1)a)+$",
	"(?|(a+)|(a*))+$",
	"(.*)(.*)(.*)[^ab.]$",
};

static void evil_expressions_are_given_up_counted_and_named(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		for (int allows = 0; allows < 2; allows++) {
			struct made m;
			bool held;
			const struct regex_counts *c =
				counts_of(&m, allows != 0 ? LIST_ALLOW : LIST_BLOCK, evil[i], &held);

			/* Once with few steps, once with many. */
			if (c->given_up != 1 || c->runs > 2)
				fail_msg("%s: given up %u, run %u", evil[i], (unsigned)c->given_up, (unsigned)c->runs);
			assert_ptr_equal(c->file, m.f);
			assert_int_equal(c->list, 5);
			assert_int_equal(c->line, 1);
			assert_int_equal(held, allows == 0); /* where it allows, it opens nothing */
			made_done(&m);
		}
	}
}

static void sound_expressions_are_not(void **state)
{
	static const char *const sound[] = {
		"(\\.|^)((ads?|adv|banner|track(er|ing)?)[0-9]*[-.]){1,3}",
		"^ad([sxv]?[0-9]*|system)[_.-]([^.[:space:]]+\\.){1,}|[_.-]ad([sxv]?[0-9]*|system)[_.-]",
		"^(.+[_.-])?adse?rv(er?|ice)?s?[0-9]*[_.-]",
		"^analytics?[_.-]",
		"(?<=a)\\.a(?!c)",
		"([a-z]{60})\\w+\\.\\1",
		"^(?>a+)\\.",
	};

	for (size_t i = 0; i < ARRAY_LEN(sound); i++) {
		struct made m;
		bool held;
		const struct regex_counts *c = counts_of(&m, LIST_BLOCK, sound[i], &held);

		if (c->given_up != 0 || c->runs > 1)
			fail_msg("%s: given up %u, run %u", sound[i], (unsigned)c->given_up, (unsigned)c->runs);
		made_done(&m);
	}
}

/* Each alone would be bounded, and together they would not. */
static void many_evil_expressions_cost_no_more_than_a_few(void **state)
{
	const uint32_t n = LIST_ALWAYS_MAX;
	struct list_match found;
	struct regex_counts *c;
	struct made m;

	made_begin(&m);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(put(&m, LIST_ALLOW, "([ab]+a+)+[^ab.]", NULL), 0);
	made_open(&m);
	c = list_scratch_counts(m.s);
	assert_false(ask(&m, EVIL, &found));
	assert_int_equal(c->line, REGEX_GIVEN_UP_MAX); /* the last that was run; the others were not begun */
	assert_true(c->runs <= 2 * REGEX_GIVEN_UP_MAX);
	/* The next question begins anew. */
	c->runs = 0;
	assert_false(ask(&m, EVIL, &found));
	assert_true(c->runs > 0 && c->runs <= 2 * REGEX_GIVEN_UP_MAX);
	made_done(&m);
}

/* Those that take nearly as much as they may are not given up, and yet only a few of them may. */
static void costly_expressions_are_few(void **state)
{
	const uint32_t n = 500;
	struct list_match found;
	struct regex_counts *c;
	struct made m;
	char text[64];

	made_begin(&m);
	for (uint32_t i = 0; i < n; i++) {
		/* Some 2,000 steps at the name's first label: more than sound ones, far less than the limit. */
		snprintf(text, sizeof(text), "^(?:.*a){2}x{0,%u}[^a.]a", i + 1);
		assert_int_equal(put(&m, LIST_ALLOW, text, NULL), 0);
	}
	made_open(&m);
	c = list_scratch_counts(m.s);
	(void)ask(&m, LABEL_A ".b", &found);
	assert_true(c->given_up > 0);
	assert_true(c->runs <= REGEX_COSTLY_MAX * 2 + REGEX_GIVEN_UP_MAX);
	made_done(&m);
}

/* All have a text in common, so that none is left out for want of it. */
static void sound_expressions_are_bounded_by_their_number(void **state)
{
	struct list_match found;
	struct regex_counts *c;
	struct made m;
	char text[64];

	made_begin(&m);
	for (uint32_t i = 0; i < REGEX_RUNS_MAX + 500; i++) {
		snprintf(text, sizeof(text), "aaaaaaaa.*x{1,%u}y", i % 200 + 1);
		assert_int_equal(put(&m, LIST_BLOCK, text, NULL), 0);
	}
	made_open(&m);
	c = list_scratch_counts(m.s);
	assert_true(ask(&m, EVIL, &found)); /* those that were not run hold */
	assert_true(c->runs <= REGEX_RUNS_MAX + REGEX_COSTLY_MAX);
	assert_true(c->given_up > 0);
	made_done(&m);
}

static void refused(struct made *m, const char *text, const char *why)
{
	struct err e = { 0 };

	assert_int_equal(put(m, LIST_BLOCK, text, &e), -EINVAL);
	if (strstr(e.msg, why) == NULL)
		fail_msg("%.60s: %s", text, e.msg);
}

static void what_is_too_large_is_refused_with_its_limit(void **state)
{
	char *text = calloc(1, 5000);
	struct made m;

	assert_non_null(text);
	made_begin(&m);
	memset(text, 'a', 4000);
	refused(&m, text, "longer"); /* REGEX_TEXT_MAX */
	memset(text, '(', 600);
	memset(text + 600, ')', 600);
	text[1200] = '\0';
	refused(&m, text, "parentheses are too deeply nested");
	refused(&m, "a\\Cb", "\\C");
	refused(&m, "(*UTF)a", "UTF");
	refused(&m, "(?:(?:[a-f]|[g-z]x){1,60}){1,20}", "too large");
	refused(&m, "(?<=a*)b", "lookbehind");
	/* 900 alternatives are one expression like any other. */
	for (size_t i = 0; i < 900; i++)
		memcpy(text + i * 2, "a|", 2);
	text[1799] = '\0';
	assert_int_equal(put(&m, LIST_BLOCK, text, NULL), 0);
	made_done(&m);
	free(text);
}

static void thousands_without_a_literal_are_refused(void **state)
{
	struct made m;

	made_begin(&m);
	for (uint32_t i = 0; i < LIST_ALWAYS_MAX; i++)
		assert_int_equal(put(&m, LIST_BLOCK, "[ab]+", NULL), 0);
	refused(&m, "[ab]+", "LIST_ALWAYS_MAX");
	assert_int_equal(put(&m, LIST_BLOCK, "track[0-9]", NULL), 0); /* with one they are still taken */
	made_done(&m);
}

static void compiled_size_of_all_is_bounded(void **state)
{
	struct err e = { 0 };
	struct made m;
	uint32_t n = 0;

	made_begin(&m);
	while (put(&m, LIST_BLOCK, "track(?:[a-c]+[d-f]*){1,200}", &e) == 0)
		assert_in_range(++n, 1, REGEXES_MAX);
	assert_non_null(strstr(e.msg, "REGEXES_BYTES_MAX"));
	assert_in_range(n, REGEXES_BYTES_MAX / 65536, REGEXES_BYTES_MAX / 10000);
	made_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(evil_expressions_are_given_up_counted_and_named),
		cmocka_unit_test(sound_expressions_are_not),
		cmocka_unit_test(many_evil_expressions_cost_no_more_than_a_few),
		cmocka_unit_test(costly_expressions_are_few),
		cmocka_unit_test(sound_expressions_are_bounded_by_their_number),
		cmocka_unit_test(what_is_too_large_is_refused_with_its_limit),
		cmocka_unit_test(thousands_without_a_literal_are_refused),
		cmocka_unit_test(compiled_size_of_all_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
