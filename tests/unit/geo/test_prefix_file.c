/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is written is read back, and nothing else is taken for it. */
#include "geo/prefix_file.h"

#include "data.h"

#include <sys/mman.h>

static struct ip_range range(const char *first, const char *last)
{
	struct ip_range r;

	assert_int_equal(ip_addr_parse(first, &r.first), 0);
	assert_int_equal(ip_addr_parse(last, &r.last), 0);
	return r;
}

struct written {
	uint8_t bytes[4096];
	size_t len;
};

static int write_file(const struct prefix_source *sources, uint32_t n, struct written *ret, struct err *e)
{
	int fd = memfd_create("prefixes", MFD_CLOEXEC);
	ssize_t len;
	int r;

	assert_int_not_equal(fd, -1);
	r = prefix_file_write(fd, sources, n, e);
	len = pread(fd, ret->bytes, sizeof(ret->bytes), 0);
	assert_true(len >= 0);
	ret->len = (size_t)len;
	close(fd);
	return r;
}

static void written_is_read_back(void **state)
{
	const struct ip_range de[] = { range("192.0.2.0", "192.0.2.255"), range("2001:db8::", "2001:db8::ffff") };
	const struct prefix_source sources[] = {
		{ .kind = PREFIX_GEO, .key = "DE", .ranges = de, .n_ranges = 2 },
		{ .kind = PREFIX_LIST, .key = "drop" },
	};
	struct prefix_file f;
	struct written w;
	struct err e = { 0 };

	assert_int_equal(write_file(sources, 2, &w, &e), 0);
	assert_int_equal(prefix_file_read(w.bytes, w.len, &f, &e), 0);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.n_ranges, 2);
	assert_int_equal(f.sources[0].kind, PREFIX_GEO);
	assert_string_equal(f.sources[0].key, "DE");
	assert_int_equal(f.sources[0].n_ranges, 2);
	assert_memory_equal(f.sources[0].ranges, de, sizeof(de));
	assert_string_equal(f.sources[1].key, "drop");
	assert_int_equal(f.sources[1].n_ranges, 0);
	prefix_file_done(&f);
}

/* Cut anywhere, or with any one byte changed: refused, or still sorted, disjoint and whole. */
static void what_is_damaged_is_refused_or_harmless(void **state)
{
	const struct ip_range some[] = { range("10.0.0.0", "10.0.0.9"), range("10.0.0.20", "10.0.0.29"),
					 range("fd00::", "fd00::1") };
	const struct prefix_source source = { .kind = PREFIX_ASN, .key = "64496", .ranges = some, .n_ranges = 3 };
	struct prefix_file f;
	struct written w;
	struct err e = { 0 };

	assert_int_equal(write_file(&source, 1, &w, &e), 0);
	for (size_t len = 0; len < w.len; len++)
		assert_int_equal(prefix_file_read(w.bytes, len, &f, &e), -EBADMSG);
	w.bytes[w.len] = 0;
	assert_int_equal(prefix_file_read(w.bytes, w.len + 1, &f, &e), -EBADMSG);
	for (size_t at = 0; at < w.len; at++) {
		uint8_t was = w.bytes[at];

		for (unsigned int v = 0; v < 256; v++) {
			w.bytes[at] = (uint8_t)v;
			if (prefix_file_read(w.bytes, w.len, &f, &e) < 0)
				continue;
			assert_int_equal(f.n, 1);
			for (uint32_t i = 0; i < f.sources[0].n_ranges; i++) {
				const struct ip_range *r = &f.sources[0].ranges[i];

				assert_int_equal(r->first.family, r->last.family);
				assert_true(ip_addr_cmp(&r->first, &r->last) <= 0);
				assert_true(i == 0 || ip_addr_cmp(&r[-1].last, &r->first) < 0);
			}
			prefix_file_done(&f);
		}
		w.bytes[at] = was;
	}
}

static void ranges_that_overlap_or_go_backwards_are_refused(void **state)
{
	const struct ip_range overlap[] = { range("10.0.0.0", "10.0.0.9"), range("10.0.0.9", "10.0.0.19") };
	const struct ip_range backwards[] = { range("10.0.0.9", "10.0.0.0") };
	const struct ip_range mixed[] = { range("10.0.0.0", "fd00::") };
	const struct prefix_source bad[] = {
		{ .kind = PREFIX_GEO, .key = "DE", .ranges = overlap, .n_ranges = 2 },
		{ .kind = PREFIX_GEO, .key = "DE", .ranges = backwards, .n_ranges = 1 },
		{ .kind = PREFIX_GEO, .key = "DE", .ranges = mixed, .n_ranges = 1 },
	};
	struct prefix_file f;
	struct written w;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(write_file(&bad[i], 1, &w, &e), 0);
		assert_int_equal(prefix_file_read(w.bytes, w.len, &f, &e), -EBADMSG);
	}
}

static void limits_are_kept(void **state)
{
	static struct prefix_source many[PREFIX_SOURCES_MAX + 1];
	char key[PREFIX_KEY_MAX + 1];
	struct written w;
	struct err e = { 0 };

	memset(key, 'k', sizeof(key));
	key[PREFIX_KEY_MAX] = '\0';
	many[0] = (struct prefix_source){ .kind = PREFIX_LIST, .key = key };
	assert_int_equal(write_file(many, 1, &w, &e), -EINVAL);
	key[PREFIX_KEY_MAX - 1] = '\0';
	assert_int_equal(write_file(many, 1, &w, &e), 0);
	for (uint32_t i = 0; i <= PREFIX_SOURCES_MAX; i++)
		many[i] = many[0];
	assert_int_equal(write_file(many, PREFIX_SOURCES_MAX + 1, &w, &e), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_is_read_back),
		cmocka_unit_test(what_is_damaged_is_refused_or_harmless),
		cmocka_unit_test(ranges_that_overlap_or_go_backwards_are_refused),
		cmocka_unit_test(limits_are_kept),
	};

	return cmocka_run_group_tests_name("prefix_file", tests, NULL, NULL);
}
