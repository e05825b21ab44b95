/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The enumeration against libmaxminddb's own look-ups, address by address: random ones, and those at the edges of every
 * range that was found. */
#include "geo/mmdb_ranges.h"

#include "data.h"
#include "look_up.h"

#define KEYS_MAX 4096

/* MMDB_open() of libmaxminddb 1.7.1 forgets two blocks when it refuses one of the damaged databases. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb.so";
}

struct subject {
	MMDB_s db;
	enum prefix_kind kind;
	struct mmdb_wanted wanted[KEYS_MAX];
	char keys[KEYS_MAX][12];
	uint32_t n;
	uint32_t asked;
};

static void ask(struct subject *s, const struct ip_addr *a)
{
	char want[12], text[IP_TEXT_MAX];

	if (is_embedded(a))
		return;
	look_up(&s->db, s->kind, a, want);
	s->asked++;
	for (uint32_t i = 0; i < s->n; i++)
		if (ranges_hold(s->wanted[i].ranges, s->wanted[i].n, a) != (strcmp(s->keys[i], want) == 0))
			fail_msg("%s: %s, libmaxminddb says %s", ip_addr_print(a, text), s->keys[i], want);
}

static void key_note(struct subject *s, const char *key)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->keys[i], key) == 0)
			return;
	if (key[0] == '\0' || s->n == KEYS_MAX)
		return;
	(void)snprintf(s->keys[s->n], sizeof(s->keys[0]), "%s", key);
	s->wanted[s->n].key = s->keys[s->n];
	s->n++;
}

/* @step: every so manieth range's edges. */
static void compare(struct subject *s, const char *path, int n_random, uint32_t step)
{
	uint64_t seed = 7;
	struct err e = { 0 };

	for (int i = 0; i < n_random; i++) {
		struct ip_addr a = random_addr(&seed);
		char key[12];

		look_up(&s->db, s->kind, &a, key);
		if (s->n < 300)
			key_note(s, key);
	}
	if (mmdb_ranges_read(path, s->kind, s->wanted, s->n, &e) < 0)
		fail_msg("%s", e.msg);
	seed = 8;
	for (int i = 0; i < n_random; i++) {
		struct ip_addr a = random_addr(&seed);

		ask(s, &a);
	}
	for (uint32_t k = 0; k < s->n; k++) {
		for (uint32_t i = 0; i < s->wanted[k].n; i += step) {
			const struct ip_range *r = &s->wanted[k].ranges[i];
			struct ip_addr beside;

			ask(s, &r->first);
			ask(s, &r->last);
			if (ip_addr_prev(&r->first, &beside))
				ask(s, &beside);
			if (ip_addr_next(&r->last, &beside))
				ask(s, &beside);
			if (i > 0)
				assert_true(ip_addr_cmp(&r[-1].last, &r->first) < 0);
		}
	}
}

static struct subject *opened(const char *path, enum prefix_kind kind)
{
	struct subject *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->kind = kind;
	assert_int_equal(MMDB_open(path, MMDB_MODE_MMAP, &s->db), MMDB_SUCCESS);
	return s;
}

static void closed(struct subject *s)
{
	MMDB_close(&s->db);
	for (uint32_t i = 0; i < s->n; i++)
		free(s->wanted[i].ranges);
	free(s);
}

static void the_labs_databases_agree_with_look_ups(void **state)
{
	static const char *const files[] = { "country.mmdb", "country-nested.mmdb", "asn.mmdb" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[512];
		struct subject *s = opened(fixture(files[i], path), i == 2 ? PREFIX_ASN : PREFIX_GEO);

		key_note(s, i == 2 ? "64500" : "DE");
		key_note(s, i == 2 ? "64501" : "FR");
		key_note(s, i == 2 ? "64502" : "ES");
		compare(s, path, 2000, 1);
		assert_int_equal(s->wanted[0].n, 2);
		assert_int_equal(s->wanted[1].n, 2);
		assert_int_equal(s->wanted[2].n, 0);
		closed(s);
	}
}

/* Unpacked into a file of its own, unlink() by the caller. */
static const char *unpack_to(const char *name, char ret[64])
{
	char path[512], command[700];
	int fd;

	if (shared(name, path) == NULL)
		return NULL;
	(void)snprintf(ret, 64, "/tmp/sluice-mmdb-XXXXXX");
	fd = mkstemp(ret);
	assert_int_not_equal(fd, -1);
	(void)close(fd);
	(void)snprintf(command, sizeof(command), "zcat -f '%s' >'%s'", path, ret);
	assert_int_equal(system(command), 0);
	return ret;
}

/* "ip TAB length TAB record": the same answers, made by another program. */
static void table_compare(struct subject *s, const char *name)
{
	char path[512], line[600];
	uint32_t n = 0;
	FILE *f;

	if (shared(name, path) == NULL)
		return;
	f = unpacked(path);
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		char *tab = strchr(line, '\t'), want[12] = "", *at;
		struct ip_addr a;

		if (line[0] == '#' || tab == NULL)
			continue;
		*tab = '\0';
		if (ip_addr_parse(line, &a) < 0 || is_embedded(&a))
			continue;
		at = strstr(tab + 1, "\"country_code\": \"");
		if (at != NULL)
			(void)snprintf(want, 3, "%s", at + strlen("\"country_code\": \""));
		at = strstr(tab + 1, "\"autonomous_system_number\": ");
		if (at != NULL)
			(void)snprintf(want, sizeof(want), "%lu",
				       strtoul(at + strlen("\"autonomous_system_number\": "), NULL, 10));
		for (uint32_t i = 0; i < s->n; i++)
			if (ranges_hold(s->wanted[i].ranges, s->wanted[i].n, &a) != (strcmp(s->keys[i], want) == 0))
				fail_msg("%s: %s, the table says %s", line, s->keys[i], want);
		n++;
	}
	(void)pclose(f);
	print_message("%s: %u rows agree\n", name, n);
	assert_true(n > 5000);
}

static void databases_of_the_world_agree_with_look_ups(void **state)
{
	static const struct {
		const char *db, *table;
		enum prefix_kind kind;
	} dbs[] = {
		{ "mmdb/geo-whois-asn-country.mmdb.gz", "mmdb/geo-whois-asn-country.lookups.tsv.gz", PREFIX_GEO },
		{ "mmdb/asn-routeviews-dbip.mmdb.gz", "mmdb/asn-routeviews-dbip.lookups.tsv.gz", PREFIX_ASN },
	};

	for (size_t i = 0; i < ARRAY_LEN(dbs); i++) {
		char path[64];
		struct subject *s;
		uint32_t n = 0;

		if (unpack_to(dbs[i].db, path) == NULL)
			skip();
		s = opened(path, dbs[i].kind);
		compare(s, path, 4000, 101);
		for (uint32_t k = 0; k < s->n; k++)
			n += s->wanted[k].n;
		print_message("%s: %u keys, %u ranges, %u addresses agree\n", dbs[i].db, s->n, n, s->asked);
		assert_true(s->n > 80);
		table_compare(s, dbs[i].table);
		closed(s);
		(void)unlink(path);
	}
}

static void test_databases_agree_with_look_ups(void **state)
{
	static const struct {
		const char *db;
		enum prefix_kind kind;
		const char *key;
	} dbs[] = {
		{ "mmdb/test-data/GeoIP2-Country-Test.mmdb", PREFIX_GEO, "GB" },
		{ "mmdb/test-data/GeoLite2-Country-Test.mmdb", PREFIX_GEO, "SE" },
		{ "mmdb/test-data/GeoIP2-City-Test.mmdb", PREFIX_GEO, "US" },
		{ "mmdb/test-data/GeoLite2-ASN-Test.mmdb", PREFIX_ASN, "1221" },
		{ "mmdb/test-data/GeoIP2-ISP-Test.mmdb", PREFIX_ASN, "7018" },
		{ "mmdb/test-data/MaxMind-DB-test-ipv4-24.mmdb", PREFIX_GEO, "DE" },
		{ "mmdb/test-data/MaxMind-DB-no-ipv4-search-tree.mmdb", PREFIX_GEO, "DE" },
	};

	for (size_t i = 0; i < ARRAY_LEN(dbs); i++) {
		struct subject *s;
		char path[512];

		if (shared(dbs[i].db, path) == NULL)
			skip();
		s = opened(path, dbs[i].kind);
		key_note(s, dbs[i].key);
		compare(s, path, 20000, 1);
		print_message("%s: %u keys, %u ranges of %s, %u addresses\n", dbs[i].db, s->n, s->wanted[0].n,
			      s->keys[0], s->asked);
		closed(s);
	}
}

static void read_any(const char *path, enum prefix_kind kind)
{
	struct mmdb_wanted wanted[2] = { { .key = kind == PREFIX_GEO ? "US" : "1" }, { .key = "DE" } };
	struct err e = { 0 };
	int r = mmdb_ranges_read(path, kind, wanted, kind == PREFIX_GEO ? 2 : 1, &e);

	if (r < 0)
		assert_true(e.msg[0] != '\0');
	free(wanted[0].ranges);
	free(wanted[1].ranges);
}

static void folder_read(const char *name)
{
	char dir[512], path[1024];
	const struct dirent *entry;
	DIR *d;

	if (shared(name, dir) == NULL)
		skip();
	d = opendir(dir);
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		read_any(path, PREFIX_GEO);
		read_any(path, PREFIX_ASN);
	}
	(void)closedir(d);
}

static void damaged_databases_are_refused_or_read_without_harm(void **state)
{
	folder_read("mmdb/bad-data/libmaxminddb");
	folder_read("mmdb/bad-data/maxminddb-golang");
	folder_read("mmdb/bad-data/maxminddb-python");
	folder_read("mmdb/test-data");
}

static void a_loop_in_the_tree_is_refused(void **state)
{
	struct mmdb_wanted wanted = { .key = "DE" };
	char path[512], copy[] = "/tmp/sluice-loop-XXXXXX", *bytes;
	struct err e = { 0 };
	FILE *f = fopen(fixture("country.mmdb", path), "re"), *out;
	size_t len;
	int fd = mkstemp(copy);

	assert_non_null(f);
	bytes = malloc(1u << 20);
	assert_non_null(bytes);
	len = fread(bytes, 1, 1u << 20, f);
	(void)fclose(f);
	/* Both records of the first node, of 24 bits each: back to the first node. */
	memset(bytes, 0, 6);
	out = fdopen(fd, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	(void)fclose(out);
	assert_int_equal(mmdb_ranges_read(copy, PREFIX_GEO, &wanted, 1, &e), -EBADMSG);
	free(wanted.ranges);
	free(bytes);
	(void)unlink(copy);
	assert_int_equal(mmdb_ranges_read("/nowhere.mmdb", PREFIX_GEO, &wanted, 1, &e), -ENOENT);
}

/* Any byte of a small database changed: an error or some ranges, never harm, and never long. */
static void changed_bytes_do_no_harm(void **state)
{
	char path[512], copy[] = "/tmp/sluice-fuzz-XXXXXX", *bytes = malloc(1u << 20);
	FILE *f = fopen(fixture("country.mmdb", path), "re");
	uint32_t seed = 3;
	size_t len;
	int fd = mkstemp(copy);

	assert_non_null(f);
	assert_non_null(bytes);
	len = fread(bytes, 1, 1u << 20, f);
	(void)fclose(f);
	assert_int_equal(write(fd, bytes, len), len);
	for (int round = 0; round < 2000; round++) {
		size_t at;
		char was;

		seed = seed * 1664525u + 1013904223u;
		at = seed % len;
		was = (char)(seed >> 24);
		assert_int_equal(pwrite(fd, &was, 1, (off_t)at), 1);
		read_any(copy, PREFIX_GEO);
		assert_int_equal(pwrite(fd, bytes + at, 1, (off_t)at), 1);
	}
	(void)close(fd);
	(void)unlink(copy);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_labs_databases_agree_with_look_ups),
		cmocka_unit_test(databases_of_the_world_agree_with_look_ups),
		cmocka_unit_test(test_databases_agree_with_look_ups),
		cmocka_unit_test(damaged_databases_are_refused_or_read_without_harm),
		cmocka_unit_test(a_loop_in_the_tree_is_refused),
		cmocka_unit_test(changed_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
