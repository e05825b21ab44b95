/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a policy that names three countries and five networks gets out of databases, by the code that listc runs (read,
 * written to a file of prefixes, read back), against libmaxminddb's look-ups: every range's edges and the addresses
 * beside them, and random ones. With the databases of the world where they are at hand, else with the lab's. Damaged
 * databases are refused by name or give some ranges; never harm (this runs with sanitizers, too). */
#include "geo/prefix_file.h"
#include "geo/sources.h"

#include "data.h"
#include "look_up.h"

#include <sys/mman.h>

#define SAMPLES_MIN 100000u
#define COUNTRIES   3u
#define NETWORKS    5u

/* MMDB_open() of libmaxminddb 1.7.1 forgets two blocks when it refuses one of the damaged databases. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb.so";
}

static struct doc_need need(enum prefix_kind kind, const char *key)
{
	return (struct doc_need){ .kind = kind, .key = key, .text = key };
}

/* Where one of the two databases is: the world's, unpacked into a file that unpacked_done() takes away, or the lab's.
 */
struct database {
	char path[512];
	bool temporary;
};

static void database_find(struct database *d, const char *packed, const char *lab)
{
	char from[512], command[1100], name[] = "/tmp/sluice-mmdb-XXXXXX";
	int fd;

	*d = (struct database){ .temporary = shared(packed, from) != NULL };
	if (!d->temporary) {
		(void)fixture(lab, d->path);
		return;
	}
	fd = mkstemp(name);
	assert_int_not_equal(fd, -1);
	(void)close(fd);
	(void)snprintf(d->path, sizeof(d->path), "%s", name);
	(void)snprintf(command, sizeof(command), "zcat -f '%s' >'%s'", from, name);
	assert_int_equal(system(command), 0);
}

static void database_done(const struct database *d)
{
	if (d->temporary)
		(void)unlink(d->path);
}

struct check {
	MMDB_s db[2]; /* by kind: countries, networks */
	const struct prefix_file *got;
	uint32_t asked, found;
	uint32_t by_family[2];
};

/* All keys of the address's both databases. */
static void ask(struct check *c, const struct ip_addr *a)
{
	char says[2][LOOK_UP_KEY], text[IP_TEXT_MAX];

	if (is_embedded(a))
		return;
	look_up(&c->db[0], PREFIX_GEO, a, says[0]);
	look_up(&c->db[1], PREFIX_ASN, a, says[1]);
	for (uint32_t i = 0; i < c->got->n; i++) {
		const struct prefix_source *s = &c->got->sources[i];
		const char *want = says[s->kind == PREFIX_ASN];
		bool held = ranges_hold(s->ranges, s->n_ranges, a);

		if (held != (strcmp(s->key, want) == 0))
			fail_msg("%s: %s %s, libmaxminddb says %s", ip_addr_print(a, text), held ? "in" : "not in",
				 s->key, want[0] != '\0' ? want : "nothing");
		c->found += held;
	}
	c->asked++;
	c->by_family[a->family == IP_V6]++;
}

static void ask_edges(struct check *c, const struct prefix_source *s)
{
	for (uint32_t i = 0; i < s->n_ranges; i++) {
		struct ip_addr beside;

		ask(c, &s->ranges[i].first);
		ask(c, &s->ranges[i].last);
		if (ip_addr_prev(&s->ranges[i].first, &beside))
			ask(c, &beside);
		if (ip_addr_next(&s->ranges[i].last, &beside))
			ask(c, &beside);
	}
}

/* Somewhere between the edges of one of its ranges. */
static void ask_inside(struct check *c, const struct prefix_source *s, uint64_t *seed)
{
	struct ip_addr random = random_addr(seed), a;
	const struct ip_range *r;
	uint8_t at = 0, len;

	if (s->n_ranges == 0)
		return;
	r = &s->ranges[(*seed >> 20) % s->n_ranges];
	len = ip_addr_len(&r->first);
	a = r->first;
	while (at < len && a.bytes[at] == r->last.bytes[at])
		at++;
	for (uint8_t i = at; i < len; i++)
		a.bytes[i] ^= (uint8_t)((random.bytes[i % 4] + i) & (r->first.bytes[i] ^ r->last.bytes[i]));
	ask(c, ip_range_contains(r, &a) ? &a : &r->last);
}

/* As listc hands it to gatewayd. */
static void through_a_file(const struct sources *s, struct prefix_file *ret, void **ret_map, size_t *ret_len)
{
	int fd = memfd_create("prefixes", MFD_CLOEXEC);
	struct err e = { 0 };
	off_t len;

	assert_int_not_equal(fd, -1);
	assert_int_equal(prefix_file_write(fd, s->items, s->n, &e), 0);
	len = lseek(fd, 0, SEEK_END);
	*ret_len = (size_t)len;
	*ret_map = mmap(NULL, *ret_len, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(*ret_map, MAP_FAILED);
	(void)close(fd);
	if (prefix_file_read(*ret_map, *ret_len, ret, &e) < 0)
		fail_msg("%s", e.msg);
}

static void three_countries_and_five_networks_agree_with_look_ups(void **state)
{
	static const char *const world[] = { "CH", "NZ", "ZA", "3320", "3303", "2119", "15169", "13335" };
	static const char *const lab[] = { "DE", "FR", "ES", "64500", "64501", "64502", "64503", "64504" };
	struct doc_need needs[COUNTRIES + NETWORKS];
	struct doc_policy policy = { .needs = needs, .n_needs = ARRAY_LEN(needs) };
	struct database country, asn;
	struct prefix_file got;
	struct source_files files = { 0 };
	struct check c = { 0 };
	struct sources s;
	struct err e = { 0 };
	uint64_t seed = 11;
	size_t len;
	void *map;

	database_find(&country, "mmdb/geo-whois-asn-country.mmdb.gz", "country.mmdb");
	database_find(&asn, "mmdb/asn-routeviews-dbip.mmdb.gz", "asn.mmdb");
	files.country_mmdb = country.path;
	files.asn_mmdb = asn.path;
	for (uint32_t i = 0; i < ARRAY_LEN(needs); i++)
		needs[i] = need(i < COUNTRIES ? PREFIX_GEO : PREFIX_ASN, (country.temporary ? world : lab)[i]);
	if (sources_load(&policy, &files, &s, &e) < 0)
		fail_msg("%s", e.msg);
	through_a_file(&s, &got, &map, &len);
	assert_int_equal(got.n, ARRAY_LEN(needs));
	c.got = &got;
	assert_int_equal(MMDB_open(country.path, MMDB_MODE_MMAP, &c.db[0]), MMDB_SUCCESS);
	assert_int_equal(MMDB_open(asn.path, MMDB_MODE_MMAP, &c.db[1]), MMDB_SUCCESS);
	for (uint32_t i = 0; i < got.n; i++) {
		ask_edges(&c, &got.sources[i]);
		/* The world's have all of them, in both families; the lab's do not have them all. */
		if (country.temporary) {
			assert_true(got.sources[i].n_ranges > 1);
			assert_int_equal(got.sources[i].ranges[0].first.family, IP_V4);
			assert_int_equal(got.sources[i].ranges[got.sources[i].n_ranges - 1].first.family, IP_V6);
		}
		print_message("%s %s: %u ranges\n", got.sources[i].kind == PREFIX_GEO ? "country" : "network",
			      got.sources[i].key, got.sources[i].n_ranges);
	}
	print_message("%u addresses at edges\n", c.asked);
	while (c.asked < SAMPLES_MIN || c.by_family[0] < SAMPLES_MIN / 4 || c.by_family[1] < SAMPLES_MIN / 4) {
		struct ip_addr a = random_addr(&seed);

		ask(&c, &a);
		ask_inside(&c, &got.sources[(seed >> 33) % got.n], &seed);
	}
	print_message("%s databases: %u addresses agree (%u IPv4, %u IPv6), %u of them in one of the eight\n",
		      country.temporary ? "the world's" : "the lab's", c.asked, c.by_family[0], c.by_family[1],
		      c.found);
	assert_true(c.found > 0);
	MMDB_close(&c.db[0]);
	MMDB_close(&c.db[1]);
	prefix_file_done(&got);
	(void)munmap(map, len);
	sources_done(&s);
	database_done(&country);
	database_done(&asn);
}

/* As both kinds. Returns in how many of them it was refused; then it is named. */
static uint32_t refusals(const char *path)
{
	const struct doc_need needs[] = { need(PREFIX_GEO, "US"), need(PREFIX_ASN, "1") };
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		struct doc_policy policy = { .needs = &needs[i], .n_needs = 1 };
		struct source_files files = { .country_mmdb = path, .asn_mmdb = path };
		struct err e = { 0 };
		struct sources s;

		if (sources_load(&policy, &files, &s, &e) < 0) {
			assert_non_null(strstr(e.msg, path));
			n++;
		}
		sources_done(&s);
	}
	return n;
}

static void damaged_databases_are_refused_by_name(void **state)
{
	static const char *const folders[] = { "mmdb/bad-data/libmaxminddb", "mmdb/bad-data/maxminddb-golang",
					       "mmdb/bad-data/maxminddb-python" };
	uint32_t files = 0, refused = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char dir[512], path[1024];
		const struct dirent *entry;
		DIR *d = shared(folders[i], dir) != NULL ? opendir(dir) : NULL;

		while (d != NULL && (entry = readdir(d)) != NULL) {
			uint32_t n;

			if (entry->d_name[0] == '.')
				continue;
			(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
			n = refusals(path);
			print_message("%s: %s\n", entry->d_name,
				      n == 2   ? "refused"
				      : n == 1 ? "refused as one kind"
					       : "survived");
			files++;
			refused += n != 0;
		}
		if (d != NULL)
			(void)closedir(d);
	}
	print_message("%u damaged databases of others: %u refused\n", files, refused);
	assert_true(files == 0 || refused > 0);
}

/* The lab's own, cut off anywhere: what everybody has at hand. */
static void databases_cut_off_are_refused_by_name(void **state)
{
	static const char *const names[] = { "country.mmdb", "country-nested.mmdb", "asn.mmdb" };
	uint32_t refused = 0, files = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[512], copy[] = "/tmp/sluice-cut-XXXXXX", *bytes;
		int fd = mkstemp(copy);
		size_t len;

		bytes = slurp(unpacked(fixture(names[i], path)), &len);
		assert_int_equal(write(fd, bytes, len), len);
		for (size_t cut = len - 1; cut > 0; cut -= cut > 61 ? 61 : cut) {
			assert_int_equal(ftruncate(fd, (off_t)cut), 0);
			refused += refusals(copy) != 0;
			files++;
		}
		(void)close(fd);
		(void)unlink(copy);
		free(bytes);
	}
	print_message("%u cut off: %u refused\n", files, refused);
	assert_true(refused > files / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_countries_and_five_networks_agree_with_look_ups),
		cmocka_unit_test(damaged_databases_are_refused_by_name),
		cmocka_unit_test(databases_cut_off_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
