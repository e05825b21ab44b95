/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data: tests/fixtures, made by make-mmdb.pl there. */
#include "recorder/enrich.h"

#include "tests/unit/recorder/tmpdir.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *fixture(const char *name, char buf[512])
{
	const char *dir = getenv("SLUICE_FIXTURES");

	(void)snprintf(buf, 512, "%s/%s", dir != NULL ? dir : "tests/fixtures", name);
	return buf;
}

static struct enrich *opened(const char *country, const char *asn)
{
	struct enrich *en = enrich_new();
	struct err e = { 0 };
	char path[512];

	assert_non_null(en);
	if (country != NULL)
		assert_int_equal(enrich_open_country(en, fixture(country, path), &e), 0);
	if (asn != NULL)
		assert_int_equal(enrich_open_asn(en, fixture(asn, path), &e), 0);
	return en;
}

static struct enrich_result find(const struct enrich *en, const char *text)
{
	struct enrich_result r;
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(text, &a), 0);
	enrich_find(en, &a, &r);
	return r;
}

static void check(const struct enrich *en, const char *addr, const char *country, uint32_t asn, const char *org)
{
	struct enrich_result r = find(en, addr);

	assert_memory_equal(r.country, country, 2);
	assert_int_equal(r.as_number, asn);
	assert_int_equal(r.as_org.len, strlen(org));
	if (org[0] != '\0')
		assert_memory_equal(r.as_org.at, org, strlen(org));
}

static void country_and_as_are_found_for_both_families(void **state)
{
	struct enrich *en = opened("country.mmdb", "asn.mmdb");

	check(en, "198.51.100.0", "DE", 64500, "Lab Hosting");
	check(en, "198.51.100.255", "DE", 64500, "Lab Hosting");
	check(en, "203.0.113.9", "FR", 64501, "Lab Transit");
	check(en, "2001:db8:a::1", "DE", 64500, "Lab Hosting");
	check(en, "2001:db8:b:ffff::1", "FR", 64501, "Lab Transit");
	enrich_free(en);
}

static void the_nested_layout_is_read_too(void **state)
{
	struct enrich *en = opened("country-nested.mmdb", NULL);

	check(en, "203.0.113.9", "FR", 0, "");
	enrich_free(en);
}

static void addresses_outside_are_unknown(void **state)
{
	struct enrich *en = opened("country.mmdb", "asn.mmdb");

	check(en, "198.51.101.0", "\0", 0, "");
	check(en, "192.168.1.1", "\0", 0, "");
	check(en, "2001:db8:c::1", "\0", 0, "");
	enrich_free(en);
}

static void without_files_everything_is_unknown(void **state)
{
	struct enrich *en = opened(NULL, NULL);

	check(en, "198.51.100.1", "\0", 0, "");
	enrich_free(en);
}

static void a_file_that_is_no_mmdb_is_refused_and_changes_nothing(void **state)
{
	struct enrich *en = opened(NULL, "asn.mmdb");
	struct err e = { 0 };
	char path[512];

	assert_int_equal(enrich_open_country(en, fixture("make-mmdb.pl", path), &e), -EBADMSG);
	assert_int_equal(enrich_open_country(en, "/nonexistent/c.mmdb", &e), -ENOENT);
	check(en, "198.51.100.1", "\0", 64500, "Lab Hosting");
	enrich_free(en);
}

/* Cut after each 16 bytes: refused or read, never a crash (the sanitizers watch). */
static void cut_files_do_no_harm(void **state)
{
	uint8_t data[4096];
	struct tmpdir t;
	struct err e = { 0 };
	char path[512], cut[128];
	int fd = open(fixture("asn.mmdb", path), O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, data, sizeof(data));

	fd_closep(&fd);
	assert_true(len > 1000);
	assert_int_equal(tmpdir_init(&t), 0);
	(void)snprintf(cut, sizeof(cut), "%s/cut.mmdb", t.path);
	for (ssize_t n = 0; n < len; n += 16) {
		struct enrich *en = enrich_new();

		fd = open(cut, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, data, (size_t)n), n);
		fd_closep(&fd);
		if (enrich_open_asn(en, cut, &e) == 0)
			(void)find(en, "198.51.100.1");
		enrich_free(en);
	}
	tmpdir_done(&t);
}

/* Files that are known to have brought readers down; they are not part of this tree. */
static void damaged_databases_of_others_do_no_harm(void **state)
{
	static const char *const addrs[] = { "1.1.1.1", "8.8.8.8", "255.255.255.255", "2001:db8::1", "::" };
	const char *dir = getenv("SLUICE_SHARED_DATA");
	uint32_t opened_n = 0;
	glob_t found = { 0 };
	char pattern[512];
	struct err e = { 0 };

	(void)snprintf(pattern, sizeof(pattern), "%s/mmdb/bad-data/*/*.mmdb", dir != NULL ? dir : ".");
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct enrich *en = enrich_new();

		assert_non_null(en);
		opened_n += enrich_open_country(en, found.gl_pathv[i], &e) == 0;
		(void)enrich_open_asn(en, found.gl_pathv[i], &e);
		for (size_t k = 0; k < ARRAY_LEN(addrs); k++)
			(void)find(en, addrs[k]);
		enrich_free(en);
	}
	print_message("%zu damaged databases, %u could be opened\n", found.gl_pathc, opened_n);
	globfree(&found);
}

/* MMDB_open() of libmaxminddb 1.7.1 forgets two blocks when it refuses one of them. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb.so";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(country_and_as_are_found_for_both_families),
		cmocka_unit_test(the_nested_layout_is_read_too),
		cmocka_unit_test(addresses_outside_are_unknown),
		cmocka_unit_test(without_files_everything_is_unknown),
		cmocka_unit_test(a_file_that_is_no_mmdb_is_refused_and_changes_nothing),
		cmocka_unit_test(cut_files_do_no_harm),
		cmocka_unit_test(damaged_databases_of_others_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
