/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cases of tests/cases/formats.txt: lines of lists, one after the other as in a file, and what each says. Argument:
 * the file.
 *
 *	title of a case; one that ends with "(untrusted)" is of a list that may not redirect
 *		| a line of the list, behind "| "
 *		a rule that it says, as rule_text.h writes it; several are several lines like this
 *		skip REASON                     it is skipped, and REASON is part of why
 *		refuse REASON */
#include "filter/listparse.h"
#include "rule_text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CASES_MIN 150u /* a file that is not read must not pass */

struct runner {
	struct list_parser parser;
	struct list_line said;
	const char *path;
	char title[256];
	char line[LIST_LINE_MAX_BYTES + 2];
	uint32_t at, n_lines, n_failed; /* line of the file */
	uint32_t seen;			/* rules of the line that were expected so far */
	bool open;			/* a line whose outcome was not told yet */
};

static void PRINTF_LIKE(2, 3) fail_case(struct runner *r, const char *fmt, ...)
{
	va_list ap;

	r->n_failed++;
	(void)fprintf(stderr, "%s:%" PRIu32 ": %s: ", r->path, r->at, r->title);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

/* The line that was there before: has all of it been told? */
static void line_end(struct runner *r)
{
	char got[RULE_TEXT_MAX] = "nothing";

	if (r->open && r->said.outcome == LIST_APPLIED && r->seen == r->said.n_rules)
		r->open = false;
	if (!r->open)
		return;
	if (r->said.outcome == LIST_APPLIED)
		rule_text(&r->said.rules[r->seen], got);
	fail_case(r, "\"%s\": not expected: %s %s", r->line, got, r->said.why != NULL ? r->said.why : "");
	r->open = false;
}

static void list_line(struct runner *r, const char *text)
{
	line_end(r);
	snprintf(r->line, sizeof(r->line), "%s", text);
	list_parse_line(&r->parser, r->line, strlen(r->line), &r->said);
	r->n_lines++;
	r->seen = 0;
	r->open = true;
	if (r->said.outcome != LIST_APPLIED) {
		assert_int_equal(r->said.n_rules, 0);
		return;
	}
	for (uint32_t i = 0; i < r->said.n_rules; i++) {
		const struct list_rule *rule = &r->said.rules[i];
		struct list_term t;

		/* What the builder takes: terms that are whole, and their line for people. */
		assert_true(list_terms_check(rule->terms, rule->terms_len));
		assert_int_equal(rule->terms_len != 0, list_terms_find(rule->terms, rule->terms_len, TERM_TEXT, &t));
	}
}

static void expect(struct runner *r, const char *want)
{
	bool skip = strncmp(want, "skip ", 5) == 0, refuse = strncmp(want, "refuse ", 7) == 0;
	char got[RULE_TEXT_MAX] = "no rule";

	if (skip || refuse) {
		const char *reason = want + (skip ? 5 : 7);
		enum list_outcome outcome = skip ? LIST_SKIPPED : LIST_REFUSED;

		r->open = false;
		if (r->said.outcome == LIST_APPLIED)
			rule_text(&r->said.rules[0], got);
		if (r->said.outcome != outcome)
			fail_case(r, "\"%s\": expected \"%s\", got %s", r->line, want,
				  r->said.why != NULL ? r->said.why : got);
		else if (strstr(r->said.why, reason) == NULL)
			fail_case(r, "\"%s\": expected \"%s\", got \"%s\"", r->line, want, r->said.why);
		return;
	}
	if (r->said.outcome == LIST_APPLIED && r->seen < r->said.n_rules)
		rule_text(&r->said.rules[r->seen++], got);
	else if (r->said.why != NULL)
		snprintf(got, sizeof(got), "%s", r->said.why);
	r->open = r->said.outcome == LIST_APPLIED;
	if (strcmp(got, want) != 0)
		fail_case(r, "\"%s\": expected \"%s\", got \"%s\"", r->line, want, got);
}

static void case_begin(struct runner *r, const char *title)
{
	line_end(r);
	snprintf(r->title, sizeof(r->title), "%.250s", title);
	memset(&r->parser, 0, sizeof(r->parser));
	r->parser.trusted = strstr(title, "(untrusted)") == NULL;
}

static void every_line_says_what_the_table_says(void **state)
{
	struct runner *r = calloc(1, sizeof(*r));
	FILE *f;
	char buf[LIST_LINE_MAX_BYTES + 64];

	assert_non_null(r);
	r->path = *state;
	f = fopen(r->path, "re");
	assert_non_null(f);
	while (fgets(buf, sizeof(buf), f) != NULL) {
		buf[strcspn(buf, "\n")] = '\0';
		r->at++;
		if (buf[0] == '\0' || buf[0] == '#')
			continue;
		if (buf[0] != '\t')
			case_begin(r, buf);
		else if (strncmp(buf, "\t| ", 3) == 0 || strcmp(buf, "\t|") == 0)
			list_line(r, buf + (buf[2] == '\0' ? 2 : 3));
		else
			expect(r, buf + 1);
	}
	line_end(r);
	assert_int_equal(fclose(f), 0);
	printf("%" PRIu32 " lines\n", r->n_lines);
	assert_true(r->n_lines >= CASES_MIN);
	assert_int_equal(r->n_failed, 0);
	free(r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(every_line_says_what_the_table_says, argc > 1 ? argv[1] : NULL),
	};

	return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
