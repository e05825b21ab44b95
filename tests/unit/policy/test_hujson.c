/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HuJSON reader: what it accepts, what it refuses and where it says so. */
#include "document_case.h"

static struct hj_node *parse(struct reading *r, const char *text)
{
	reading_init(r, text);
	return hujson_parse(r->mem, r->src, &r->diags);
}

static void accepts_comments_and_trailing_commas(void **state)
{
	struct reading r;
	struct hj_node *n = parse(
		&r,
		"\xef\xbb\xbf// a\n{ /* b */ \"a\": [1, -2.5e1, true, null, \"x\",], // c\n \"B\": {},\n}\n/* d */");
	const struct hj_node *a;

	assert_non_null(n);
	assert_int_equal(n->kind, HJ_OBJECT);
	assert_int_equal(n->n_children, 2);
	a = hj_get(n, "A");
	assert_non_null(a);
	assert_int_equal(a->n_children, 5);
	assert_true(a->child->number == 1);
	assert_true(a->child->next->number == -25);
	assert_true(a->child->next->next->boolean);
	assert_int_equal(a->child->next->next->next->kind, HJ_NULL);
	assert_non_null(hj_get(n, "b"));
	assert_null(hj_get(n, "c"));
	reading_done(&r);
}

static void knows_where_each_node_is(void **state)
{
	struct reading r;
	struct hj_node *n = parse(&r, "{\n  \"a\": [\"xy\"]\n}");
	uint32_t line, col;

	assert_non_null(n);
	source_locate(r.src, n->child->key_span.start, &line, &col);
	assert_int_equal(line, 2);
	assert_int_equal(col, 3);
	source_locate(r.src, n->child->child->span.start, &line, &col);
	assert_int_equal(line, 2);
	assert_int_equal(col, 9);
	assert_int_equal(n->child->child->span.end - n->child->child->span.start, 4);
	reading_done(&r);
}

static void unescapes_strings(void **state)
{
	struct reading r;
	struct hj_node *n = parse(&r, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"");

	assert_non_null(n);
	assert_string_equal(n->string, "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80");
	reading_done(&r);
}

static void refuses_what_is_no_hujson(void **state)
{
	static const struct reading_case cases[] = {
		{ "", "P0003", NULL },
		{ "{", "P0003", NULL },
		{ "[1", "P0002", NULL },
		{ "[1 2]", "P0002", NULL },
		{ "[,]", "P0003", NULL },
		{ "[1,,2]", "P0003", NULL },
		{ "{,}", "P0003", NULL },
		{ "{\"a\" 1}", "P0002", NULL },
		{ "{a: 1}", "P0003", NULL },
		{ "{'a': 1}", "P0003", NULL },
		{ "{} {}", "P0002", NULL },
		{ "yes", "P0003", NULL },
		{ "truely", "P0003", NULL },
		{ "\"abc", "P0004", NULL },
		{ "\"a\nb\"", "P0004", NULL },
		{ "\"a\\", "P0004", NULL },
		{ "/* x", "P0005", NULL },
		{ "[1] /* x *", "P0005", NULL },
		{ "\"\\x\"", "P0006", NULL },
		{ "\"\\u0000\"", "P0006", NULL },
		{ "\"\\u12\"", "P0006", NULL },
		{ "\"\\ud800\"", "P0006", NULL },
		{ "\"\\udc00\\ud800\"", "P0006", NULL },
		{ "\"\\ud800\\u0041\"", "P0006", NULL },
		{ "\"\t\"", "P0006", NULL },
		{ "\"\xff\"", "P0007", NULL },
		{ "\"\xc0\x80\"", "P0007", NULL },
		{ "\"\xed\xa0\x80\"", "P0007", NULL },
		{ "\"\xe2\x82\"", "P0007", NULL },
		{ "01", "P0008", NULL },
		{ "-", "P0008", NULL },
		{ "1.", "P0008", NULL },
		{ "1e+", "P0008", NULL },
		{ "0x10", "P0002", NULL },
		{ "{\"a\": 1, \"A\": 2}", "P0010", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;
		struct hj_node *n = parse(&r, cases[i].text);

		reading_expect(&r, n, &cases[i]);
		reading_done(&r);
	}
}

static void refuses_a_nul_byte(void **state)
{
	static const char text[] = "{\"a\": \"x\0y\"}";
	struct reading r;

	reading_init(&r, "");
	r.src = source_new(r.mem, "nul", text, sizeof(text) - 1);
	assert_null(hujson_parse(r.mem, r.src, &r.diags));
	r.src = source_new(r.mem, "nul", "{}\0", 3);
	assert_null(hujson_parse(r.mem, r.src, &r.diags));
	reading_done(&r);
}

static char *nested(int depth)
{
	char *text = calloc(1, (size_t)depth * 2 + 1);

	assert_non_null(text);
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	return text;
}

static void nests_to_the_limit_and_no_deeper(void **state)
{
	CLEANUP(freep) char *fits = nested(HUJSON_DEPTH_MAX);
	CLEANUP(freep) char *deeper = nested(HUJSON_DEPTH_MAX + 1);
	struct reading r;

	assert_non_null(parse(&r, fits));
	reading_done(&r);
	assert_null(parse(&r, deeper));
	assert_true(reading_said(&r, "P0009"));
	reading_done(&r);
}

static void finds_duplicates_in_large_objects_and_names_both_places(void **state)
{
	char text[1024] = "{";
	size_t len = 1;
	struct reading r;

	for (int i = 0; i < 40; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\"m%d\": %d, ", i, i);
	(void)snprintf(text + len, sizeof(text) - len, "\"M7\": 0}");
	assert_null(parse(&r, text));
	assert_int_equal(r.diags.n_errors, 1);
	assert_string_equal(r.diags.items[0].code, "P0010");
	assert_ptr_equal(r.diags.items[0].related_src, r.src);
	assert_true(r.diags.items[0].related.start < r.diags.items[0].at.start);
	reading_done(&r);
}

static void says_so_when_memory_ends(void **state)
{
	struct arena *big = arena_new(0), *small = arena_new(64);
	struct source *src = source_new(big, "m", "[1,2,3,4,5,6,7,8,9,10]", 22);
	struct diag_list diags;

	diag_init(&diags, big);
	assert_null(hujson_parse(small, src, &diags));
	assert_string_equal(diags.items[0].code, "P0001");
	(void)arena_free(small);
	(void)arena_free(big);
}

static void keeps_errors_when_the_list_is_full_of_notes(void **state)
{
	struct reading r;

	reading_init(&r, "abc");
	for (int i = 0; i < DIAG_MAX + 5; i++)
		(void)diag_add(&r.diags, DIAG_NOTE, "P1001", r.src, (struct span){ 0, 1 }, "note");
	assert_int_equal(r.diags.n, DIAG_MAX);
	(void)diag_add(&r.diags, DIAG_ERROR, "P0101", r.src, (struct span){ 0, 1 }, "error");
	assert_int_equal(r.diags.n, DIAG_MAX);
	assert_true(reading_said(&r, "P0101"));
	for (int i = 0; i < 2 * DIAG_MAX; i++)
		(void)diag_add(&r.diags, DIAG_ERROR, "P0102", r.src, (struct span){ 0, 1 }, "error");
	assert_int_equal(r.diags.n, DIAG_MAX);
	assert_int_equal(r.diags.n_errors, 2 * DIAG_MAX + 1);
	assert_string_equal(r.diags.items[0].code, "P0101");
	reading_done(&r);
}

static void suggests_what_is_near(void **state)
{
	static const char *const names[] = { "group:family", "group:kids", "tag:tv", "acls", NULL };

	assert_string_equal(diag_suggest("group:famliy", names), "group:family");
	assert_string_equal(diag_suggest("GROUP:KIDS", names), "group:kids");
	assert_string_equal(diag_suggest("acl", names), "acls");
	assert_null(diag_suggest("somebody@example.com", names));
	assert_null(diag_suggest("", names));
}

static void prints_line_caret_and_related_place(void **state)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	struct reading r;
	struct diag *d;

	reading_init(&r, "ab\n\tcde\x1b[2Jf\n");
	d = diag_add(&r.diags, DIAG_ERROR, "P0203", r.src, (struct span){ 4, 7 }, "no \x1b[31m%s", "cde");
	diag_relate(d, r.src, (struct span){ 0, 2 }, "it is here");
	assert_non_null(f);
	diag_print(&r.diags, f);
	(void)fclose(f);
	assert_string_equal(out, "test.hujson:2:2: error P0203: no ?[31mcde\n"
				 "    \tcde [2Jf\n"
				 "    \t^~~\n"
				 "  test.hujson:1:1: it is here\n"
				 "    ab\n"
				 "    ^~\n");
	free(out);
	reading_done(&r);
}

static void prints_json_lines(void **state)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	struct reading r;

	reading_init(&r, "x");
	(void)diag_add(&r.diags, DIAG_WARNING, "P1001", r.src, (struct span){ 0, 1 }, "a \"quoted\" \\ word");
	assert_non_null(f);
	diag_print_json(&r.diags, f);
	(void)fclose(f);
	assert_string_equal(out,
			    "{\"file\":\"test.hujson\",\"line\":1,\"col\":1,\"level\":\"warning\",\"code\":\"P1001\","
			    "\"message\":\"a \\\"quoted\\\" \\\\ word\"}\n");
	free(out);
	reading_done(&r);
}

static void refuses_text_that_is_too_long(void **state)
{
	struct arena *mem = arena_new(0);

	assert_null(source_new(mem, "long", NULL, SOURCE_MAX_BYTES + 1));
	(void)arena_free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_comments_and_trailing_commas),
		cmocka_unit_test(knows_where_each_node_is),
		cmocka_unit_test(unescapes_strings),
		cmocka_unit_test(refuses_what_is_no_hujson),
		cmocka_unit_test(refuses_a_nul_byte),
		cmocka_unit_test(nests_to_the_limit_and_no_deeper),
		cmocka_unit_test(finds_duplicates_in_large_objects_and_names_both_places),
		cmocka_unit_test(says_so_when_memory_ends),
		cmocka_unit_test(keeps_errors_when_the_list_is_full_of_notes),
		cmocka_unit_test(suggests_what_is_near),
		cmocka_unit_test(prints_line_caret_and_related_place),
		cmocka_unit_test(prints_json_lines),
		cmocka_unit_test(refuses_text_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
