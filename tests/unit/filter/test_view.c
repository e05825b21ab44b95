/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter/view.c: the snapshot from its JSON, and that nothing half-right gets through. */
#include "views_sample.h"

#include "filter/blocking.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct views *sample_new(void)
{
	struct views *v = NULL;
	struct err e = { 0 };

	if (views_new(sample_views, strlen(sample_views), NULL, 0, &v, &e) < 0)
		fail_msg("%s", e.msg);
	return v;
}

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	return a;
}

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

static void every_member_arrives(void **state)
{
	struct views *v = sample_new();
	const struct view *view = &v->views[0];

	assert_int_equal(v->generation, 41);
	assert_int_equal(v->n_lists, 3);
	assert_string_equal(v->lists[1], "threats");
	assert_null(v->listfile);
	assert_int_equal(v->n_views, 2);
	assert_string_equal(view->filter_pos, "/dns/filters/0");
	assert_int_equal(view->lists, 3);
	assert_non_null(view->own);
	assert_string_equal(view->own_block[1], "plain.example");
	assert_string_equal(view->own_allow[0], "||cdn.ads.example^");
	assert_int_equal(view->safe_lists, 4);
	assert_int_equal(view->block_mode, BLOCK_NULL);
	assert_int_equal(view->block_ttl_s, BLOCK_TTL_S);
	assert_int_equal(view->block_ede, 15);
	assert_true(view->resolve_first && view->record_flows);
	assert_int_equal(view->queries, LOG_LEVEL_FULL);
	assert_int_equal(view->n_grants, 2);
	assert_int_equal(view->grants[1], 2);
	assert_int_equal(view->denies[0], 1);
	assert_null(v->views[1].filter_pos);
	assert_null(v->views[1].own);
	assert_int_equal(v->views[1].safe_lists, 0);
	assert_int_equal(v->views[1].block_mode, BLOCK_CUSTOM);
	assert_int_equal(v->views[1].block_addrs[BLOCK_ADDR_V4].family, IP_NONE);
	assert_int_equal(v->views[1].block_addrs[BLOCK_ADDR_V6].bytes[15], 1);
	assert_int_equal(v->views[1].block_ttl_s, 60);
	assert_int_equal(v->views[1].block_ede, 17);
	assert_int_equal(v->rules[0].mark, 4711);
	assert_int_equal(v->rules[0].line, 9);
	assert_string_equal(v->rules[1].pos, "/denies/1");
	assert_false(v->rules[0].names[0].below);
	assert_true(v->rules[0].names[1].below);
	assert_int_equal(v->routes[0].upstreams[0].kind, UPSTREAM_RECURSIVE);
	assert_int_equal(v->routes[0].upstreams[1].kind, UPSTREAM_TLS);
	assert_int_equal(v->routes[0].upstreams[1].port, 853);
	assert_string_equal(v->routes[0].upstreams[1].tls_name, "dns.quad9.net");
	assert_null(v->routes[0].splits[0].upstreams[0].tls_name);
	views_free(v);
}

static void clients_are_found_by_address(void **state)
{
	struct views *v = sample_new();
	struct ip_addr tv4 = addr_of("100.64.0.7"), tv6 = addr_of("fd00::7"), pc = addr_of("100.64.0.9");
	struct ip_addr none = addr_of("100.64.0.8");

	assert_string_equal(views_client(v, &tv4)->device, "tv");
	assert_string_equal(views_client(v, &tv6)->device, "tv");
	assert_int_equal(views_client(v, &pc)->view, 1);
	assert_null(views_client(v, &none));
	views_free(v);
}

static void records_of_a_name_are_together(void **state)
{
	struct views *v = sample_new();
	struct dname nas = name_of("NAS.home.arpa"), below = name_of("x.nas.home.arpa");
	const struct plan_record *r;
	uint32_t n = 7;

	r = records_find(v->records, &nas, &n);
	assert_non_null(r);
	assert_int_equal(n, 2);
	assert_int_equal(r[0].addr.family, IP_V4);
	assert_int_equal(r[1].addr.family, IP_V6);
	assert_null(records_find(v->records, &below, &n));
	assert_int_equal(n, 0);
	views_free(v);
}

static void the_longest_split_suffix_wins(void **state)
{
	struct views *v = sample_new();
	struct dname corp = name_of("git.corp.example"), other = name_of("www.example"), none = name_of("example.org");
	struct dname top = name_of("corp.example"), near = name_of("notcorp.example");

	assert_int_equal(route_split(&v->routes[0], &corp)->suffix.labels, 2);
	assert_int_equal(route_split(&v->routes[0], &top)->suffix.labels, 2);
	assert_int_equal(route_split(&v->routes[0], &near)->suffix.labels, 1);
	assert_int_equal(route_split(&v->routes[0], &other)->suffix.labels, 1);
	assert_null(route_split(&v->routes[0], &none));
	views_free(v);
}

/* The sample with its first @from replaced by @to. */
static int sample_with(const char *from, const char *to, struct err *e)
{
	const char *at = strstr(sample_views, from);
	struct views *v = NULL;
	size_t len;
	char *text;
	FILE *out = open_memstream(&text, &len);
	int r;

	assert_non_null(at);
	assert_non_null(out);
	fprintf(out, "%.*s%s%s", (int)(at - sample_views), sample_views, to, at + strlen(from));
	fclose(out);
	r = views_new(text, len, NULL, 0, &v, e);
	if (r == 0)
		views_free(v);
	free(text);
	return r;
}

static void whatever_is_wrong_is_refused_with_its_path(void **state)
{
	static const struct {
		const char *from, *to, *path;
	} cases[] = {
		{ "\"generation\": 41", "\"generation\": -1", "/generation" },
		{ "\"generation\": 41", "\"generation\": 1.5", "/generation" },
		{ "\"generation\": 41", "\"x\": 41", "/generation" },
		{ "\"lists\": [\"ads\", \"threats\", \"safe\"]", "\"lists\": [\"ads\", 3]", "/lists" },
		{ "\"lists\": [0, 1]", "\"lists\": [0, 3]", "/views/0/lists" },
		{ "\"lists\": [0, 1]", "\"lists\": [-1]", "/views/0/lists" },
		{ "\"lists\": [0, 1]", "\"lists\": [0.5]", "/views/0/lists" },
		{ "\"lists\": [0, 1]", "\"lists\": {}", "/views/0/lists" },
		{ "||own.example^", "own.example##.banner", "policy.hujson /dns/filters/0/block: rule" },
		{ "||own.example^", "# nothing", "policy.hujson /dns/filters/0/block: rule" },
		{ "||nice.own.example^", "@@", "policy.hujson /dns/filters/0/allow: rule" },
		{ "\"blockMode\": \"null\"", "\"blockMode\": \"NULL\"", "/views/0/blockMode" },
		{ "\"blockMode\": \"null\"", "\"blockMode\": 0", "/views/0/blockMode" },
		{ "\"safe\": [2]", "\"safe\": [3]", "/views/0/safe" },
		{ "\"2001:db8::1\"", "\"2001:db8\"", "/views/1/blockAddrs" },
		{ "\"2001:db8::1\"", "\"::1\", \"::2\"", "/views/1/blockAddrs" },
		{ "\"blockTtl\": 60", "\"blockTtl\": 86401", "/views/1/blockTtl" },
		{ "\"blockReason\": \"filtered\"", "\"blockReason\": \"\"", "/views/1/blockReason" },
		{ "\"resolveFirst\": true", "\"resolveFirst\": 1", "/views/0/resolveFirst" },
		{ "\"flows\": true", "\"flows\": null", "/views/0/flows" },
		{ "\"queries\": \"full\"", "\"queries\": \"all\"", "/views/0/queries" },
		{ "\"grants\": [0, 2]", "\"grants\": [3]", "/views/0/grants" },
		{ "\"denies\": [1]", "\"denies\": [4294967297]", "/views/0/denies" },
		{ "\"mark\": 4711", "\"mark\": 4294967296", "/rules/0/mark" },
		{ "\"pos\": \"/grants/0\"", "\"pos\": 0", "/rules/0/pos" },
		{ "*.github.com", "*.", "/rules/0/names" },
		{ "\"100.64.0.9\"", "\"100.64.0\"", "/clients/0/addr" },
		{ "\"100.64.0.9\"", "\"100.64.0.7\"", "/clients" },
		{ "\"device\": \"pc\", \"view\": 1", "\"device\": \"pc\", \"view\": 2", "/clients/0/view" },
		{ "\"kind\": \"recursive\"", "\"kind\": \"https\"", "/routes/0/upstreams/0/kind" },
		{ "\"port\": 853", "\"port\": 65536", "/routes/0/upstreams/1/port" },
		{ "\"suffix\": \"example\"", "\"suffix\": \"a..b\"", "/routes/0/splits/0/suffix" },
		{ "\"addr\": \"10.8.0.54\"", "\"addr\": 1", "/routes/0/splits/1/upstreams/0/addr" },
		{ "\"name\": \"a.home.arpa\"", "\"name\": \"\"", "/records/1/name" },
		{ "{\"name\": \"a.home.arpa\", \"addr\": \"192.168.1.1\"}", "7", "/records/1" },
		{ "{\"generation\"", "[\"generation\"", "not JSON" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		assert_int_equal(sample_with(cases[i].from, cases[i].to, &e), -EBADMSG);
		if (strstr(e.msg, cases[i].path) == NULL)
			fail_msg("%s -> %s: \"%s\" does not name %s", cases[i].from, cases[i].to, e.msg, cases[i].path);
	}
}

static void a_text_cut_anywhere_is_refused(void **state)
{
	for (size_t len = 0; len < strlen(sample_views); len++) {
		char *cut = malloc(len + 1);
		struct views *v = NULL;

		assert_non_null(cut);
		memcpy(cut, sample_views, len);
		assert_int_equal(views_new(cut, len, NULL, 0, &v, NULL), -EBADMSG);
		assert_null(v);
		free(cut);
	}
}

static void a_list_file_that_is_not_ours_is_refused(void **state)
{
	_Alignas(8) static const char junk[128] = "SLUCjunk";
	struct views *v = NULL;

	assert_int_equal(views_new(sample_views, strlen(sample_views), junk, sizeof(junk), &v, NULL), -EBADMSG);
	assert_null(v);
}

static void block_modes_give_their_answers(void **state)
{
	struct blocked_answer a = blocked_by_mode(BLOCK_NULL, BLOCKING_TYPE_A);

	assert_int_equal(a.addr.family, IP_V4);
	assert_int_equal(a.rcode, BLOCKING_RCODE_NOERROR);
	a = blocked_by_mode(BLOCK_NULL, BLOCKING_TYPE_AAAA);
	assert_int_equal(a.addr.family, IP_V6);
	a = blocked_by_mode(BLOCK_NULL, 65);
	assert_int_equal(a.addr.family, IP_NONE);
	assert_int_equal(a.rcode, BLOCKING_RCODE_NOERROR);
	assert_int_equal(blocked_by_mode(BLOCK_NXDOMAIN, 15).rcode, BLOCKING_RCODE_NXDOMAIN);
	assert_int_equal(blocked_by_mode(BLOCK_REFUSED, BLOCKING_TYPE_A).rcode, BLOCKING_RCODE_REFUSED);
	a = blocked_by_mode(BLOCK_NODATA, BLOCKING_TYPE_A);
	assert_int_equal(a.rcode, BLOCKING_RCODE_NOERROR);
	assert_int_equal(a.addr.family, IP_NONE);
	assert_true(blocked_by_mode(BLOCK_DROP, BLOCKING_TYPE_A).drop);
	assert_false(a.drop);
}

static void custom_addresses_are_for_their_family(void **state)
{
	struct view view = { .block_mode = BLOCK_CUSTOM };
	const struct name_verdict v = { .verdict = DNS_BLOCK };
	struct blocked_answer a;

	(void)state;
	assert_int_equal(ip_addr_parse("192.0.2.1", &view.block_addrs[BLOCK_ADDR_V4]), 0);
	a = blocked_answer(&view, &v, BLOCKING_TYPE_A);
	assert_int_equal(ip_addr_cmp(&a.addr, &view.block_addrs[BLOCK_ADDR_V4]), 0);
	assert_false(a.negative);
	/* None of that family, and no type by whose side door there would be one. */
	a = blocked_answer(&view, &v, BLOCKING_TYPE_AAAA);
	assert_int_equal(a.addr.family, IP_NONE);
	assert_true(a.negative);
	a = blocked_answer(&view, &v, 65);
	assert_int_equal(a.addr.family, IP_NONE);
	assert_true(a.negative);
}

static void a_rules_answer_stands_before_the_views(void **state)
{
	const struct view view = { .block_mode = BLOCK_NULL };
	static const struct {
		enum list_answer answer;
		uint8_t rcode;
		bool drop, tcp_only, negative;
	} rows[] = {
		{ LIST_ANSWER_NODATA, BLOCKING_RCODE_NOERROR, false, false, true },
		{ LIST_ANSWER_NXDOMAIN, BLOCKING_RCODE_NXDOMAIN, false, false, true },
		{ LIST_ANSWER_REFUSED, BLOCKING_RCODE_REFUSED, false, false, false },
		{ LIST_ANSWER_SERVFAIL, BLOCKING_RCODE_SERVFAIL, false, false, false },
		{ LIST_ANSWER_DROP, BLOCKING_RCODE_NOERROR, true, false, true },
		{ LIST_ANSWER_TCP_ONLY, BLOCKING_RCODE_NOERROR, false, true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct name_verdict v = { .verdict = DNS_BLOCK, .answer = rows[i].answer };
		const struct blocked_answer a = blocked_answer(&view, &v, BLOCKING_TYPE_A);

		assert_int_equal(a.rcode, rows[i].rcode);
		assert_int_equal(a.drop, rows[i].drop);
		assert_int_equal(a.tcp_only, rows[i].tcp_only);
		assert_int_equal(a.negative, rows[i].negative);
		assert_int_equal(a.addr.family, IP_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_member_arrives),
		cmocka_unit_test(clients_are_found_by_address),
		cmocka_unit_test(records_of_a_name_are_together),
		cmocka_unit_test(the_longest_split_suffix_wins),
		cmocka_unit_test(whatever_is_wrong_is_refused_with_its_path),
		cmocka_unit_test(a_text_cut_anywhere_is_refused),
		cmocka_unit_test(a_list_file_that_is_not_ours_is_refused),
		cmocka_unit_test(block_modes_give_their_answers),
		cmocka_unit_test(custom_addresses_are_for_their_family),
		cmocka_unit_test(a_rules_answer_stands_before_the_views),
	};

	(void)sample_lists;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
