/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "geo/sources.h"

#include "data.h"

static const struct plan_list lists[] = { { .name = "drop", .file = "drop.txt" },
					  { .name = "far", .url = "https://lists.example/far.txt" } };
static const struct doc_need needs[] = {
	{ .kind = PREFIX_GEO, .key = "DE", .text = "geo:DE" },
	{ .kind = PREFIX_ASN, .key = "64501", .text = "asn:64501" },
	{ .kind = PREFIX_LIST, .key = "drop", .text = "iplist:drop" },
	{ .kind = PREFIX_LIST, .key = "far", .text = "iplist:far" },
};
static const struct doc_policy policy = {
	.iplists = lists, .n_iplists = ARRAY_LEN(lists), .needs = needs, .n_needs = ARRAY_LEN(needs)
};

struct folder {
	char dir[64], policy[96];
};

static void file_write(const struct folder *f, const char *name, const char *text)
{
	char path[160];
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	(void)fclose(out);
}

static struct folder folder_new(void)
{
	struct folder f = { .dir = "/tmp/sluice-sources-XXXXXX" };

	assert_non_null(mkdtemp(f.dir));
	(void)snprintf(f.policy, sizeof(f.policy), "%s/policy.hujson", f.dir);
	return f;
}

static void folder_done(const struct folder *f)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
}

static void everything_that_is_named_is_loaded(void **state)
{
	struct folder f = folder_new();
	char country[512], asn[512], option[160];
	const char *options[] = { option };
	struct source_files files = { .country_mmdb = fixture("country.mmdb", country),
				      .asn_mmdb = fixture("asn.mmdb", asn),
				      .policy_file = f.policy,
				      .iplists = options,
				      .n_iplists = 1 };
	struct sources s;
	struct err e = { 0 };

	(void)snprintf(option, sizeof(option), "far=%s/far.txt", f.dir);
	file_write(&f, "drop.txt", "192.0.2.0/24\nnonsense\n");
	file_write(&f, "far.txt", "203.0.113.7\n");
	assert_int_equal(sources_load(&policy, &files, &s, &e), 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.items[0].n_ranges, 2);
	assert_int_equal(s.items[1].n_ranges, 2);
	assert_int_equal(s.items[2].n_ranges, 1);
	assert_int_equal(s.items[3].n_ranges, 1);
	assert_non_null(strstr(s.warning, "line"));
	sources_done(&s);
	folder_done(&f);
}

static void a_file_that_nobody_names_is_left_out(void **state)
{
	struct folder f = folder_new();
	struct source_files files = { .policy_file = f.policy, .state_dir = f.dir };
	struct sources s;
	struct err e = { 0 };

	file_write(&f, "drop.txt", "192.0.2.0/24\n");
	assert_int_equal(sources_load(&policy, &files, &s, &e), 0);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.items[0].key, "drop");
	sources_done(&s);
	folder_done(&f);
}

static void a_file_that_is_named_must_be_there_and_be_good(void **state)
{
	struct folder f = folder_new();
	struct source_files files = { .policy_file = f.policy };
	struct sources s;
	struct err e = { 0 };

	assert_int_equal(sources_load(&policy, &files, &s, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "drop"));
	sources_done(&s);
	file_write(&f, "drop.txt", "<html>\n");
	assert_int_equal(sources_load(&policy, &files, &s, &e), -EBADMSG);
	sources_done(&s);
	file_write(&f, "drop.txt", "192.0.2.0/24\n");
	files.country_mmdb = f.policy;
	assert_int_equal(sources_load(&policy, &files, &s, &e), -ENOENT);
	sources_done(&s);
	file_write(&f, "policy.hujson", "this is no database");
	assert_int_equal(sources_load(&policy, &files, &s, &e), -EBADMSG);
	sources_done(&s);
	folder_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_that_is_named_is_loaded),
		cmocka_unit_test(a_file_that_nobody_names_is_left_out),
		cmocka_unit_test(a_file_that_is_named_must_be_there_and_be_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
