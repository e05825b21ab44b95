/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cases of tests/cases/adguard.txt: lines of lists, what each says, and what becomes of names by them: from text
 * through the compiled file to the match. Argument: the file.
 *
 *	title of a case; one that ends with "(untrusted)" is of lists that may not redirect
 *		| a line of the list, behind "| "
 *		KIND.ACTION WHERE …             the rule that it says (rule_text.h)
 *		skip REASON                     it is skipped, and REASON is part of why
 *		refuse REASON
 *		next list                       lines behind it are of another list
 *		? NAME [TYPE] [CLIENT] -> WHAT  what the lists say; NAME may be an address
 *
 * CLIENT is one of the table below. WHAT is "pass"; "block", "allow" or "rewrite" and the line, behind "LIST:" when it
 * is not of the first list; of a rewrite all lines and all answers. */
#include "rule_text.h"

#include "filter/listbuild.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CHECKS_MIN 600u /* a file that is not read must not pass */
#define CASE_LISTS 4u

struct runner {
	const char *path;
	char title[256];
	uint32_t at, n_lines, n_asked, n_failed; /* at: line of the file */
	bool trusted, told;			 /* what the last line says was told */
	struct list_line said;
	char why[256]; /* its own is the builder's */
	char line[LIST_LINE_MAX_BYTES + 64];
	char texts[CASE_LISTS][2 * LIST_LINE_MAX_BYTES];
	uint32_t n_lists;
	void *image; /* of .texts; NULL: to be made */
	struct listfile *file;
};

static const char *const tv_tags[] = { "tag:device-tv", "tag:user-child" };
static const char *const laptop_tags[] = { "tag:device-laptop", "tag:os-linux", "tag:server" };
static const struct list_client clients[] = {
	{ .device = "tv", .tags = tv_tags, .n_tags = 2 },
	{ .device = "laptop", .tags = laptop_tags, .n_tags = 3 },
	{ .device = "Kids Tablet" },
	{ .device = "Frank's laptop" },
	{ .device = "Mary's, John's, and Boris's laptops" },
	{ .device = "a|b\"c$d\\e" },
};
/* As they are written in the table, and their addresses. */
static const char *const client_words[] = { "@tv", "@laptop", "@kids", "@frank", "@mary", "@odd" };
static const char *const client_addrs[] = { "100.70.0.9", "192.168.0.5", "10.9.0.7",
					    "10.9.1.7",	  "2001:db8::5", "127.0.0.1" };
static_assert(ARRAY_LEN(clients) == ARRAY_LEN(client_words) && ARRAY_LEN(clients) == ARRAY_LEN(client_addrs), "all");

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

static void file_drop(struct runner *r)
{
	r->file = listfile_free(r->file);
	free(r->image);
	r->image = NULL;
}

/* Every line is told, but where only what comes of it is asked for. */
static void line_end(struct runner *r)
{
	char got[RULE_TEXT_MAX];

	if (r->told)
		return;
	r->told = true;
	if (r->said.outcome == LIST_APPLIED)
		return;
	snprintf(got, sizeof(got), "%s", r->why);
	fail_case(r, "\"%s\": %s, and nobody expects it", r->line, got);
}

static void keep_line(void *arg, uint32_t list, uint32_t line, const struct list_line *l)
{
	struct runner *r = arg;

	(void)list;
	(void)line;
	r->said = *l;
	snprintf(r->why, sizeof(r->why), "%s", l->why != NULL ? l->why : "");
	for (uint32_t i = 0; i < l->n_rules; i++)
		if (l->rules[i].terms != NULL)
			r->said.rules[i].terms = r->said.terms.bytes;
}

static void read_line(struct runner *r, const char *text)
{
	struct list_builder *b = list_builder_new();
	char buf[LIST_LINE_MAX_BYTES + 66];

	assert_non_null(b);
	if (r->trusted)
		assert_int_equal(list_builder_trust(b, 0, NULL), 0);
	list_builder_watch(b, keep_line, r);
	snprintf(buf, sizeof(buf), "%s\n", text);
	assert_int_equal(list_builder_add_text(b, 0, buf, strlen(buf), NULL, NULL), 0);
	list_builder_free(b);
}

/* A rule that is printed says the same when it is read again. */
static void check_again(struct runner *r)
{
	char printed[LIST_TEXT_MAX + 1], before[RULE_TEXT_MAX], after[RULE_TEXT_MAX] = "";

	if (r->said.n_rules != 1 || strlen(r->line) > LIST_TEXT_MAX)
		return;
	rule_text(&r->said.rules[0], before);
	list_rule_print(&r->said.rules[0], printed, sizeof(printed));
	read_line(r, printed);
	if (r->said.n_rules == 1)
		rule_text(&r->said.rules[0], after);
	if (strcmp(before, after) != 0)
		fail_case(r, "\"%s\" is %s, printed \"%s\", which is %s", r->line, before, printed, after);
}

static void list_line(struct runner *r, const char *text)
{
	size_t at = strlen(r->texts[r->n_lists - 1]);

	line_end(r);
	snprintf(r->line, sizeof(r->line), "%.4096s", text);
	snprintf(r->texts[r->n_lists - 1] + at, sizeof(r->texts[0]) - at, "%s\n", text);
	read_line(r, text);
	for (uint32_t i = 0; i < r->said.n_rules; i++)
		assert_true(list_terms_check(r->said.rules[i].terms, r->said.rules[i].terms_len));
	if (r->said.outcome == LIST_APPLIED)
		check_again(r);
	r->n_lines++;
	r->told = false;
	file_drop(r);
}

static void expect(struct runner *r, const char *want)
{
	bool skip = strncmp(want, "skip ", 5) == 0, refuse = strncmp(want, "refuse ", 7) == 0;
	char got[RULE_TEXT_MAX] = "no rule";

	r->told = true;
	if (skip || refuse) {
		const char *reason = want + (skip ? 5 : 7);

		if (r->said.outcome == LIST_APPLIED)
			rule_text(&r->said.rules[0], got);
		else
			snprintf(got, sizeof(got), "%s", r->why);
		if (r->said.outcome != (skip ? LIST_SKIPPED : LIST_REFUSED) || strstr(got, reason) == NULL)
			fail_case(r, "\"%s\": expected \"%s\", got %d \"%s\"", r->line, want, (int)r->said.outcome,
				  got);
		return;
	}
	if (r->said.outcome == LIST_APPLIED)
		rule_text(&r->said.rules[0], got);
	else
		snprintf(got, sizeof(got), "%s", r->why);
	if (strcmp(got, want) != 0)
		fail_case(r, "\"%s\": expected \"%s\", got \"%s\"", r->line, want, got);
}

static void file_make(struct runner *r)
{
	struct list_builder *b = list_builder_new();
	size_t len;

	assert_non_null(b);
	for (uint32_t i = 0; i < r->n_lists; i++) {
		if (r->trusted)
			assert_int_equal(list_builder_trust(b, i, NULL), 0);
		assert_int_equal(list_builder_add_text(b, i, r->texts[i], strlen(r->texts[i]), NULL, NULL), 0);
	}
	assert_int_equal(list_builder_image(b, &r->image, &len, NULL), 0);
	list_builder_free(b);
	assert_int_equal(listfile_open(r->image, len, &r->file, NULL), 0);
}

static void add_place(char *buf, const struct list_hit *hit, char before)
{
	if (hit->list == 0)
		rule_add(buf, "%c%" PRIu32, before, hit->line);
	else
		rule_add(buf, "%c%" PRIu32 ":%" PRIu32, before, hit->list + 1, hit->line);
}

static void add_answers(char *buf, const struct list_hit *hit)
{
	struct list_term t;
	size_t at = 0;

	while (list_terms_next(hit->rule.terms, hit->rule.terms_len, &at, &t))
		if (t.type == TERM_ANSWER || t.type == TERM_CNAME || t.type == TERM_RECORD)
			rule_add_term(buf, &t);
}

static void said_text(const struct list_match *m, char *buf)
{
	buf[0] = '\0';
	if (m->n_rewrites == 0) {
		rule_add(buf, "%s", m->found ? rule_actions[m->hit.rule.action] : "pass");
		if (m->found)
			add_place(buf, &m->hit, ' ');
		return;
	}
	rule_add(buf, "rewrite");
	for (uint32_t i = 0; i < m->n_rewrites; i++)
		add_place(buf, &m->rewrites[i], i == 0 ? ' ' : ',');
	for (uint32_t i = 0; i < m->n_rewrites; i++)
		add_answers(buf, &m->rewrites[i]);
}

static void ask(struct runner *r, char *text)
{
	char *want = strstr(text, " -> "), got[RULE_TEXT_MAX];
	struct list_ask ask = { .type = LDNS_RR_TYPE_A };
	struct list_client client;
	struct list_match match;
	struct ip_addr addr;
	struct dname name;
	char *save = NULL, *word;

	line_end(r);
	assert_non_null(want);
	*want = '\0';
	want += 4;
	if (r->image == NULL)
		file_make(r);
	word = strtok_r(text, " ", &save);
	if (ip_addr_parse(word, &addr) == 0) {
		ask.addr = &addr;
		ask.type = addr.family == IP_V4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
	} else {
		assert_int_equal(dname_parse(word, strlen(word), &name), 0);
		ask.name = &name;
	}
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		if (word[0] != '@') {
			ask.type = (uint16_t)ldns_get_rr_type_by_name(word);
			assert_int_not_equal(ask.type, 0);
			continue;
		}
		for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
			if (strcmp(word, client_words[i]) != 0)
				continue;
			client = clients[i];
			assert_int_equal(ip_addr_parse(client_addrs[i], &client.addr), 0);
			ask.client = &client;
		}
		assert_non_null(ask.client);
	}
	(void)listfile_match(r->file, (1ull << r->n_lists) - 1, &ask, &match);
	said_text(&match, got);
	r->n_asked++;
	if (strcmp(got, want) != 0)
		fail_case(r, "%s: expected \"%s\", got \"%s\"", text, want, got);
}

static void case_begin(struct runner *r, const char *title)
{
	line_end(r);
	file_drop(r);
	snprintf(r->title, sizeof(r->title), "%.250s", title);
	r->trusted = strstr(title, "(untrusted)") == NULL;
	memset(r->texts, 0, sizeof(r->texts));
	r->n_lists = 1;
}

static void table_line(struct runner *r, char *buf)
{
	if (buf[0] == '\0' || buf[0] == '#')
		return;
	if (buf[0] != '\t')
		return case_begin(r, buf);
	if (strncmp(buf, "\t| ", 3) == 0)
		return list_line(r, buf + 3);
	if (strncmp(buf, "\t? ", 3) == 0)
		return ask(r, buf + 3);
	if (strcmp(buf, "\tnext list") != 0)
		return expect(r, buf + 1);
	assert_true(r->n_lists < CASE_LISTS);
	r->n_lists++;
}

static void every_line_and_every_name_is_as_the_table_says(void **state)
{
	struct runner *r = calloc(1, sizeof(*r));
	char buf[LIST_LINE_MAX_BYTES + 64];
	FILE *f;

	assert_non_null(r);
	r->path = *state;
	r->told = true;
	f = fopen(r->path, "re");
	assert_non_null(f);
	while (fgets(buf, sizeof(buf), f) != NULL) {
		buf[strcspn(buf, "\n")] = '\0';
		r->at++;
		table_line(r, buf);
	}
	line_end(r);
	file_drop(r);
	assert_int_equal(fclose(f), 0);
	printf("%" PRIu32 " lines of lists, %" PRIu32 " names\n", r->n_lines, r->n_asked);
	assert_true(r->n_lines + r->n_asked >= CHECKS_MIN);
	assert_int_equal(r->n_failed, 0);
	free(r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(every_line_and_every_name_is_as_the_table_says, argc > 1 ? argv[1] : NULL),
	};

	return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
