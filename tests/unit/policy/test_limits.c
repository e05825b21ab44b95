/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each limit of a policy: what is at it is taken, what is beyond it is refused with its code. File size, nesting and
 * the number of errors are tried by test_hujson.c. */
#include "world.h"

#include "policy/members.h"

#include "policy/ipset.h"
#include "policy/services.h"

static const char no_devices[] = "{}";

struct text {
	char *bytes;
	size_t len;
	FILE *out;
};

static void text_begin(struct text *t)
{
	*t = (struct text){ 0 };
	t->out = open_memstream(&t->bytes, &t->len);
	assert_non_null(t->out);
}

static void text_done(struct text *t)
{
	free(t->bytes);
}

/* The code of the first error, or "" when the policy is read. */
static const char *reading_error(const char *text)
{
	static char code[16];
	struct arena *mem = arena_new(0);
	struct diag_list diags;
	struct source *src;
	const struct doc_policy *p;

	assert_non_null(mem);
	diag_init(&diags, mem);
	src = source_new(mem, "policy.hujson", text, strlen(text));
	assert_non_null(src);
	p = document_policy(mem, src, &diags);
	assert_int_equal(p == NULL, diags.n_errors != 0);
	(void)snprintf(code, sizeof(code), "%s", diags.n_errors != 0 ? diags.items[0].code : "");
	mem = arena_free(mem);
	return code;
}

static void entries_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"ipsets\": {\"ipset:a\": [", t->out);
	for (uint32_t i = 0; i < n; i++)
		(void)fprintf(t->out, "\"%u.%u.%u.1\",", 1 + (i >> 16), i >> 8 & 255, i & 255);
	(void)fputs("]}}", t->out);
	(void)fclose(t->out);
}

static void an_ipset_has_as_many_entries_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;

	entries_put(&fits, IPSET_ENTRIES_MAX);
	entries_put(&beyond, IPSET_ENTRIES_MAX + 1);
	assert_string_equal(reading_error(fits.bytes), "");
	assert_string_equal(reading_error(beyond.bytes), "P0514");
}

static void nested_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"ipsets\": {", t->out);
	for (uint32_t i = 1; i < n; i++)
		(void)fprintf(t->out, "\"ipset:%03u\": [\"ipset:%03u\"],", i, i + 1);
	(void)fprintf(t->out, "\"ipset:%03u\": [\"192.0.2.1\"]}}", n);
	(void)fclose(t->out);
}

static void ipsets_nest_as_deep_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;

	nested_put(&fits, IPSET_DEPTH_MAX);
	nested_put(&beyond, IPSET_DEPTH_MAX + 1);
	assert_string_equal(reading_error(fits.bytes), "");
	assert_string_equal(reading_error(beyond.bytes), "P0513");
}

static void filters_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"dns\": {\"filters\": [", t->out);
	/* Each twice: equal ones count once. The policy's own is one, too. */
	for (uint32_t i = 1; i < n; i++)
		(void)fprintf(t->out,
			      "{\"src\": [\"*\"], \"upstreams\": [\"9.9.9.%u\"]},"
			      "{\"src\": [\"*\"], \"upstreams\": [\"9.9.9.%u\"]},",
			      i, i);
	(void)fputs("]}}", t->out);
	(void)fclose(t->out);
}

static void there_are_as_many_routes_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;

	filters_put(&fits, PLAN_ROUTES_MAX);
	filters_put(&beyond, PLAN_ROUTES_MAX + 1);
	assert_string_equal(reading_error(fits.bytes), "");
	assert_string_equal(reading_error(beyond.bytes), "P0618");
}

static void aliases_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"dns\": {\"records\": {", t->out);
	for (uint32_t i = 1; i <= n; i++)
		(void)fprintf(t->out, "\"a%u.x\": \"a%u.x\",", i, i - 1);
	(void)fputs("\"a0.x\": [\"192.0.2.1\"]}}}", t->out);
	(void)fclose(t->out);
}

static void aliases_lead_as_far_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;

	aliases_put(&fits, RECORD_ALIASES_MAX);
	aliases_put(&beyond, RECORD_ALIASES_MAX + 1);
	assert_string_equal(reading_error(fits.bytes), "");
	assert_string_equal(reading_error(beyond.bytes), "P0616");
}

static void txt_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fprintf(t->out, "{\"dns\": {\"records\": {\"a.x\": {\"TXT\": \"%0*u\"}}}}", (int)n, 0u);
	(void)fclose(t->out);
}

static void a_record_is_as_long_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;

	txt_put(&fits, RECORD_DATA_MAX - 4); /* four strings, each with its length */
	txt_put(&beyond, RECORD_DATA_MAX - 3);
	assert_string_equal(reading_error(fits.bytes), "");
	assert_string_equal(reading_error(beyond.bytes), "P0617");
}

static void ports_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"192.0.2.1:1", t->out);
	for (uint32_t i = 1; i < n; i++)
		(void)fprintf(t->out, ",%u", 2 * i + 1);
	(void)fputs("\"]}]}", t->out);
	(void)fclose(t->out);
}

static void a_string_has_as_many_ports_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;

	ports_put(&fits, PORTS_PER_STRING_MAX);
	ports_put(&beyond, PORTS_PER_STRING_MAX + 1);
	assert_string_equal(reading_error(fits.bytes), "");
	assert_string_equal(reading_error(beyond.bytes), "P0302");
}

static void compile_expect(struct world *w, const char *code)
{
	int r = plan_compile(w->policy, w->devices, &w->env, &w->diags, &w->plan);

	if (code == NULL)
		diag_print(&w->diags, stderr);
	assert_int_equal(r, code == NULL ? 0 : -E2BIG);
	assert_int_equal(w->diags.n_errors, code != NULL);
	if (code != NULL)
		assert_string_equal(w->diags.items[0].code, code);
}

/* All of the same text: their marks are found one after another, too. */
static void rules_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"grants\": [", t->out);
	for (uint32_t i = 0; i < n; i++)
		(void)fputs("{\"src\": [], \"dst\": [], \"ip\": [\"1\"]},", t->out);
	(void)fputs("]}", t->out);
	(void)fclose(t->out);
}

static void a_plan_has_as_many_rules_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;
	CLEANUP(world_done) struct world w1 = { 0 }, w2 = { 0 };

	rules_put(&fits, PLAN_RULES_MAX);
	rules_put(&beyond, PLAN_RULES_MAX + 1);
	world_read(&w1, fits.bytes, no_devices);
	compile_expect(&w1, NULL);
	world_read(&w2, beyond.bytes, no_devices);
	compile_expect(&w2, "P0902");
}

static void devices_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"devices\": [", t->out);
	for (uint32_t i = 0; i < n; i++)
		(void)fprintf(t->out, "{\"name\": \"d%u\", \"addresses\": [\"100.%u.%u.%u\"], \"user\": \"a@b\"},", i,
			      64 + (i >> 16), i >> 8 & 255, i & 255);
	(void)fputs("]}", t->out);
	(void)fclose(t->out);
}

static void a_plan_has_as_many_devices_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;
	CLEANUP(world_done) struct world w1 = { 0 }, w2 = { 0 };

	devices_put(&fits, PLAN_DEVICES_MAX);
	devices_put(&beyond, PLAN_DEVICES_MAX + 1);
	world_read(&w1, "{\"acls\": []}", fits.bytes);
	compile_expect(&w1, NULL);
	world_read(&w2, "{\"acls\": []}", beyond.bytes);
	compile_expect(&w2, "P0901");
}

/* Addresses that are told apart by a port of their own, each with ports that do not touch. */
static void a_plan_that_needs_too_many_boxes_is_refused(void **state)
{
	CLEANUP(text_done) struct text t;
	CLEANUP(world_done) struct world w = { 0 };
	const uint32_t n_ports = 32700, n_addrs = PLAN_BOXES_MAX / n_ports + 1;

	text_begin(&t);
	(void)fputs("{\"grants\": [{\"src\": [\"*\"], \"dst\": [", t.out);
	for (uint32_t i = 0; i < n_addrs; i++)
		(void)fprintf(t.out, "\"203.0.113.%u\",", i);
	(void)fputs("], \"ip\": [", t.out);
	for (uint32_t i = 0; i < n_ports; i++)
		(void)fprintf(t.out, "\"tcp:%u\",", 2 * i + 1);
	(void)fputs("]},", t.out);
	for (uint32_t i = 0; i < n_addrs; i++)
		(void)fprintf(t.out, "{\"src\": [\"*\"], \"dst\": [\"203.0.113.%u\"], \"ip\": [\"udp:%u\"]},", i,
			      i + 1);
	(void)fputs("]}", t.out);
	(void)fclose(t.out);
	world_read(&w, t.bytes, family_devices);
	compile_expect(&w, "P0904");
}

/* Networks that lie in each other, each with a port of its own, in one that single hosts cut into pieces. */
static void overlaps_put(struct text *t, uint32_t n)
{
	text_begin(t);
	(void)fputs("{\"grants\": [", t->out);
	for (uint32_t i = 0; i < 20; i++)
		(void)fprintf(t->out, "{\"src\": [\"*\"], \"dst\": [\"10.0.0.%u\"], \"ip\": [\"udp:%u\"]},", i * 2,
			      i + 1);
	/* From 10.0.0.0 to the last of these hosts and beyond: all are cut by all of them. */
	for (uint32_t i = 0; i < n; i++)
		(void)fprintf(t->out, "{\"src\": [\"*\"], \"dst\": [\"ipset:s%u\"], \"ip\": [\"tcp:%u\"]},", i, i + 1);
	(void)fputs("], \"ipsets\": {", t->out);
	for (uint32_t i = 0; i < n; i++)
		(void)fprintf(t->out, "\"ipset:s%u\": [\"10.0.0.0-10.0.1.%u\"],", i, i);
	(void)fputs("}}", t->out);
	(void)fclose(t->out);
}

static void an_address_is_in_as_many_overlaps_as_the_limit(void **state)
{
	CLEANUP(text_done) struct text fits, beyond;
	CLEANUP(world_done) struct world w1 = { 0 }, w2 = { 0 };

	overlaps_put(&fits, MEMBER_LEVELS_MAX);
	overlaps_put(&beyond, MEMBER_LEVELS_MAX + 1);
	world_read(&w1, fits.bytes, family_devices);
	compile_expect(&w1, NULL);
	assert_int_equal(w1.plan->members.n_levels, MEMBER_LEVELS_MAX);
	world_read(&w2, beyond.bytes, family_devices);
	compile_expect(&w2, "P0906");
}

/* As many addresses that do not touch as there may be, and one more; all together they are one destination. */
static void a_plan_of_too_many_ranges_is_refused(void **state)
{
	const uint32_t n = PLAN_RANGES_MAX + 1;
	struct ip_range *ranges = calloc(n, sizeof(*ranges));
	struct prefix_source source = { .kind = PREFIX_LIST, .key = "many", .ranges = ranges, .n_ranges = n - 1 };
	CLEANUP(world_done) struct world w = { 0 };

	assert_non_null(ranges);
	for (uint32_t i = 0; i < n; i++) {
		ranges[i].first = (struct ip_addr){
			IP_V4, { (uint8_t)(i >> 23), (uint8_t)(i >> 15), (uint8_t)(i >> 7), (uint8_t)(i << 1) }
		};
		ranges[i].last = ranges[i].first;
	}
	world_read(&w,
		   "{\"grants\": [], \"denies\": [{\"src\": [\"*\"], \"dst\": [\"iplist:many\"], \"ip\": [\"*\"]}],"
		   "\"dns\": {\"iplists\": {\"many\": {\"file\": \"many.txt\"}}}}",
		   family_devices);
	w.env.prefixes = &source;
	w.env.n_prefixes = 1;
	compile_expect(&w, NULL);
	plan_freep(&w.plan);
	source.n_ranges = n;
	compile_expect(&w, "P0905");
	free(ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipset_has_as_many_entries_as_the_limit),
		cmocka_unit_test(ipsets_nest_as_deep_as_the_limit),
		cmocka_unit_test(there_are_as_many_routes_as_the_limit),
		cmocka_unit_test(aliases_lead_as_far_as_the_limit),
		cmocka_unit_test(a_record_is_as_long_as_the_limit),
		cmocka_unit_test(a_string_has_as_many_ports_as_the_limit),
		cmocka_unit_test(a_plan_has_as_many_rules_as_the_limit),
		cmocka_unit_test(a_plan_has_as_many_devices_as_the_limit),
		cmocka_unit_test(a_plan_that_needs_too_many_boxes_is_refused),
		cmocka_unit_test(an_address_is_in_as_many_overlaps_as_the_limit),
		cmocka_unit_test(a_plan_of_too_many_ranges_is_refused),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
