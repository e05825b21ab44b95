/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cases of tests/cases/formats.txt: lines of lists, one after the other as in a file, and what each says. Argument:
 * the file.
 *
 *	title of a case; one that ends with "(untrusted)" is of a list that may not redirect
 *		| a line of the list, behind "| "
 *		KIND.ACTION WHERE [TERM…]       a rule that it says; several are several lines like this
 *		skip REASON                     it is skipped, and REASON is part of why
 *		refuse REASON */
#include "filter/listparse.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#define CASES_MIN 150u /* a file that is not read must not pass */
#define RULE_MAX  1024u

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

static const char *const kinds[] = { [LIST_CLIENT_ADDRESS] = "client",
				     [LIST_NAME] = "name",
				     [LIST_BELOW] = "below",
				     [LIST_SUBTREE] = "subtree",
				     [LIST_ADDRESS] = "address",
				     [LIST_PATTERN] = "pattern",
				     [LIST_REGEX] = "regex" };
static const char *const actions[] = {
	[LIST_BLOCK] = "block", [LIST_ALLOW] = "allow", [LIST_REWRITE] = "rewrite", [LIST_KEEP] = "keep"
};
static const char *const answers[] = {
	[LIST_ANSWER_VIEW] = "VIEW",	     [LIST_ANSWER_NODATA] = "NODATA",	  [LIST_ANSWER_NXDOMAIN] = "NXDOMAIN",
	[LIST_ANSWER_REFUSED] = "REFUSED",   [LIST_ANSWER_SERVFAIL] = "SERVFAIL", [LIST_ANSWER_DROP] = "DROP",
	[LIST_ANSWER_TCP_ONLY] = "TCP-ONLY",
};
static_assert(ARRAY_LEN(kinds) == LIST_KIND_MAX && ARRAY_LEN(actions) == LIST_ACTION_MAX &&
		      ARRAY_LEN(answers) == LIST_ANSWER_MAX,
	      "names");

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

static void PRINTF_LIKE(2, 3) add(char *buf, const char *fmt, ...)
{
	size_t at = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf + at, RULE_MAX - at, fmt, ap);
	va_end(ap);
}

/* "A/300/192.0.2.1"; the data of other types as hexadecimal digits. */
static void add_record(char *buf, const struct list_term *t)
{
	const uint8_t *data;
	char text[IP_TEXT_MAX];
	uint16_t type, len;
	uint32_t ttl_s;

	list_term_record(t, &type, &ttl_s, &data, &len);
	if (ldns_rr_descript(type)->_name != NULL)
		add(buf, " %s/%" PRIu32 "/", ldns_rr_descript(type)->_name, ttl_s);
	else
		add(buf, " TYPE%u/%" PRIu32 "/", type, ttl_s);
	if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) {
		const struct ip_addr a = ip_addr_from_bytes(data, len);

		add(buf, "%s", ip_addr_print(&a, text));
		return;
	}
	for (uint16_t i = 0; i < len; i++)
		add(buf, "%02x", data[i]);
}

static void add_term(char *buf, const struct list_term *t)
{
	char name[DNAME_TEXT_MAX];
	struct dname dname;
	uint16_t type;

	switch (t->type) {
	case TERM_CNAME:
	case TERM_CNAME_BELOW:
		list_term_name(t, &dname);
		add(buf, " %s%s", t->type == TERM_CNAME ? "CNAME=" : "CNAME=*.", dname_print(&dname, name));
		break;
	case TERM_TYPE:
		memcpy(&type, t->data, sizeof(type));
		add(buf, " type=%s%s", t->denied ? "!" : "", ldns_rr_descript(type)->_name);
		break;
	case TERM_ANSWER:
		add(buf, " %s", answers[t->data[0]]);
		break;
	case TERM_RECORD:
		add_record(buf, t);
		break;
	case TERM_PATTERN:
	case TERM_REGEX:
	case TERM_TEXT:
		break;
	case TERM_CLIENT_NET:
	case TERM_CLIENT_NAME:
	case TERM_CLIENT_TAG:
	case TERM_DENYALLOW:
	case TERM_MAX:
		add(buf, " term-%d", (int)t->type);
		break;
	}
}

/* Where the rule holds. */
static void add_where(char *buf, const struct list_rule *rule)
{
	char text[DNAME_TEXT_MAX];
	struct list_term t;

	switch (rule->kind) {
	case LIST_NAME:
	case LIST_BELOW:
	case LIST_SUBTREE:
		add(buf, " %s", dname_print(&rule->name, text));
		break;
	case LIST_ADDRESS:
	case LIST_CLIENT_ADDRESS:
		add(buf, " %s", ip_prefix_print(&rule->prefix, text));
		break;
	case LIST_PATTERN:
		assert_true(list_terms_find(rule->terms, rule->terms_len, TERM_PATTERN, &t));
		add(buf, " %.*s%s", t.len - 1, (const char *)t.data + 1, (t.data[0] & LIST_ANCHOR_END) != 0 ? "$" : "");
		break;
	case LIST_REGEX:
		assert_true(list_terms_find(rule->terms, rule->terms_len, TERM_REGEX, &t));
		add(buf, " %s%.*s", t.data[0] != 0 ? "!" : "", t.len - 1, (const char *)t.data + 1);
		break;
	case LIST_KIND_MAX:
		break;
	}
}

static void rule_print(const struct list_rule *rule, char *buf)
{
	struct list_term t;
	size_t at = 0;

	buf[0] = '\0';
	add(buf, "%s.%s", kinds[rule->kind], actions[rule->action]);
	add_where(buf, rule);
	while (list_terms_next(rule->terms, rule->terms_len, &at, &t))
		add_term(buf, &t);
}

/* The line that was there before: has all of it been told? */
static void line_end(struct runner *r)
{
	char got[RULE_MAX] = "nothing";

	if (r->open && r->said.outcome == LIST_APPLIED && r->seen == r->said.n_rules)
		r->open = false;
	if (!r->open)
		return;
	if (r->said.outcome == LIST_APPLIED)
		rule_print(&r->said.rules[r->seen], got);
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
	char got[RULE_MAX] = "no rule";

	if (skip || refuse) {
		const char *reason = want + (skip ? 5 : 7);
		enum list_outcome outcome = skip ? LIST_SKIPPED : LIST_REFUSED;

		r->open = false;
		if (r->said.outcome == LIST_APPLIED)
			rule_print(&r->said.rules[0], got);
		if (r->said.outcome != outcome)
			fail_case(r, "\"%s\": expected \"%s\", got %s", r->line, want,
				  r->said.why != NULL ? r->said.why : got);
		else if (strstr(r->said.why, reason) == NULL)
			fail_case(r, "\"%s\": expected \"%s\", got \"%s\"", r->line, want, r->said.why);
		return;
	}
	if (r->said.outcome == LIST_APPLIED && r->seen < r->said.n_rules)
		rule_print(&r->said.rules[r->seen++], got);
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
