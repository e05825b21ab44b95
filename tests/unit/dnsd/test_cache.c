/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cache.c: what is found, how it ages, and what goes when there is no room. */
#include "dnsd/cache.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S	    1000000ull
#define CACHE_BYTES 262144u

static struct dname name_of(const char *text)
{
	struct dname n;

	assert_int_equal(dname_parse(text, strlen(text), &n), 0);
	return n;
}

/* "NAME A 192.0.2.1", @n of them, TTLs of @ttl_s and one more each. */
static size_t message(const struct dname *name, uint32_t n, uint32_t ttl_s, uint8_t *buf, size_t size)
{
	static const uint8_t addr[4] = { 192, 0, 2, 1 };
	struct question q = { .type = TYPE_A, .class_ = CLASS_IN, .has_name = true, .name = *name };
	struct answer_out o;

	memcpy(q.sent, name->wire, name->len);
	answer_begin(&o, buf, size, &q, 0, RCODE_NOERROR);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *rdlen = answer_rr_begin(&o, SECTION_ANSWER, name->wire, name->len, TYPE_A, ttl_s + i);

		wcur_bytes(&o.w, addr, sizeof(addr));
		answer_rr_end(&o, rdlen);
	}
	return (size_t)answer_end(&o);
}

static struct cache_entry *entry_of(struct cache *c, const struct cache_key *key, uint32_t n, uint32_t ttl_s)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	size_t len = message(key->name, n, ttl_s, buf, sizeof(buf));
	struct cache_entry *e = cache_entry_new(key, cache_hash(c, key), buf, len, ttl_s, 0);

	assert_non_null(e);
	return e;
}

static struct cache_entry *find(struct cache *c, const struct cache_key *key)
{
	return cache_find(c, key, cache_hash(c, key));
}

static uint32_t ttl_of(const struct cache_entry *e, uint32_t n)
{
	size_t at = e->len - (e->n_ttls - n) * 16u + 6; /* pointer, type, class, TTL, length, address */

	return (uint32_t)e->data[at] << 24 | (uint32_t)e->data[at + 1] << 16 | (uint32_t)e->data[at + 2] << 8 |
	       e->data[at + 3];
}

static void each_part_of_the_key_counts(void **state)
{
	struct cache *c = cache_new(CACHE_BYTES);
	struct dname name = name_of("a.example"), other = name_of("b.example");
	struct cache_key key = { .name = &name, .resolver = 1, .type = TYPE_A }, k;

	cache_put(c, entry_of(c, &key, 1, 60));
	assert_non_null(find(c, &key));
	k = key;
	k.name = &other;
	assert_null(find(c, &k));
	k = key;
	k.resolver = 2;
	assert_null(find(c, &k));
	k = key;
	k.type = TYPE_AAAA;
	assert_null(find(c, &k));
	k = key;
	k.dnssec_ok = true;
	assert_null(find(c, &k));
	k = key;
	k.checking_disabled = true;
	assert_null(find(c, &k));
	cache_free(c);
}

static void ttls_count_down_each_by_itself(void **state)
{
	struct cache *c = cache_new(CACHE_BYTES);
	struct dname name = name_of("a.example");
	struct cache_key key = { .name = &name, .type = TYPE_A };
	struct cache_entry *e = entry_of(c, &key, 3, 60);

	assert_int_equal(e->n_ttls, 3);
	cache_entry_age(e, 1 * S - 1);
	assert_int_equal(ttl_of(e, 0), 60);
	cache_entry_age(e, 59 * S);
	cache_entry_age(e, 59 * S + 1);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(ttl_of(e, i), 1 + i);
	assert_true(cache_entry_fresh(e, 60 * S - 1));
	assert_false(cache_entry_fresh(e, 60 * S));
	assert_true(cache_entry_usable(e, 60 * S));
	cache_entry_age(e, 61 * S);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(ttl_of(e, i), CACHE_STALE_TTL_S);
	assert_true(cache_entry_usable(e, (59 + CACHE_STALE_MAX_S) * S));
	assert_false(cache_entry_usable(e, (60 + CACHE_STALE_MAX_S) * S));
	free(e);
	cache_free(c);
}

static void a_newer_answer_takes_the_older_ones_place(void **state)
{
	struct cache *c = cache_new(CACHE_BYTES);
	struct dname name = name_of("a.example");
	struct cache_key key = { .name = &name, .type = TYPE_A };
	struct cache_size size;

	cache_put(c, entry_of(c, &key, 1, 60));
	cache_put(c, entry_of(c, &key, 2, 60));
	assert_int_equal(find(c, &key)->n_ttls, 2);
	cache_size(c, &size);
	assert_int_equal(size.entries, 1);
	cache_free(c);
}

static void a_failure_says_why_and_until_when(void **state)
{
	struct cache *c = cache_new(CACHE_BYTES);
	struct dname name = name_of("a.example");
	struct cache_key key = { .name = &name, .type = TYPE_A };
	struct cache_entry *e;

	cache_put(c, cache_failure_new(&key, cache_hash(c, &key), EDE_NO_AUTHORITY, "nobody answers", 4, 7 * S));
	e = find(c, &key);
	assert_true(e->failure);
	assert_false(cache_entry_fresh(e, 7 * S));
	assert_false(cache_entry_usable(e, 7 * S));
	assert_int_equal(e->ede, EDE_NO_AUTHORITY);
	assert_string_equal(cache_entry_text(e), "nobody answers");
	assert_int_equal(e->retry_us, (7 + 4) * S);
	cache_free(c);
}

static void flood_of(struct cache *c, uint32_t n, const char *below)
{
	for (uint32_t i = 0; i < n; i++) {
		char text[64];
		struct dname name;
		struct cache_key key = { .name = &name, .type = TYPE_A };

		snprintf(text, sizeof(text), "%u.%s", i, below);
		name = name_of(text);
		cache_put(c, entry_of(c, &key, 1, 60));
	}
}

static void names_asked_for_once_do_not_push_out_those_asked_for_again(void **state)
{
	struct cache *c = cache_new(CACHE_BYTES);
	struct cache_size size;
	uint32_t left = 0;

	for (uint32_t i = 0; i < 100; i++) {
		char text[64];
		struct dname name;
		struct cache_key key = { .name = &name, .type = TYPE_A };

		snprintf(text, sizeof(text), "%u.used.example", i);
		name = name_of(text);
		cache_put(c, entry_of(c, &key, 1, 60));
		assert_non_null(find(c, &key));
		cache_use(find(c, &key));
	}
	flood_of(c, 100000, "flood.example");
	for (uint32_t i = 0; i < 100; i++) {
		char text[64];
		struct dname name;
		struct cache_key key = { .name = &name, .type = TYPE_A };

		snprintf(text, sizeof(text), "%u.used.example", i);
		name = name_of(text);
		left += find(c, &key) != NULL;
	}
	assert_int_equal(left, 100);
	cache_size(c, &size);
	assert_true(size.bytes <= size.limit && size.limit <= CACHE_BYTES);
	assert_true(size.evicted > 90000);
	cache_free(c);
}

static void an_answer_too_large_for_the_cache_is_not_kept(void **state)
{
	struct cache *c = cache_new(CACHE_BYTES);
	struct dname name = name_of("a.example"), big = name_of("big.example");
	struct cache_key key = { .name = &name, .type = TYPE_A }, large = { .name = &big, .type = TYPE_A };

	cache_put(c, entry_of(c, &key, 1, 60));
	cache_put(c, entry_of(c, &large, 2000, 60));
	assert_null(find(c, &large));
	assert_non_null(find(c, &key));
	cache_free(c);
}

static void flush_takes_the_name_what_is_below_or_all(void **state)
{
	struct cache *c = cache_new(CACHE_BYTES);
	struct dname top = name_of("example"), near = name_of("1.a.example"), a = name_of("a.example");

	flood_of(c, 3, "a.example");
	flood_of(c, 3, "b.example");
	flood_of(c, 1, "notexample");
	assert_int_equal(cache_flush(c, &near, false), 1);
	assert_int_equal(cache_flush(c, &a, false), 0);
	assert_int_equal(cache_flush(c, &a, true), 2);
	assert_int_equal(cache_flush(c, &top, true), 3);
	assert_int_equal(cache_flush(c, NULL, true), 1);
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_of_the_key_counts),
		cmocka_unit_test(ttls_count_down_each_by_itself),
		cmocka_unit_test(a_newer_answer_takes_the_older_ones_place),
		cmocka_unit_test(a_failure_says_why_and_until_when),
		cmocka_unit_test(names_asked_for_once_do_not_push_out_those_asked_for_again),
		cmocka_unit_test(an_answer_too_large_for_the_cache_is_not_kept),
		cmocka_unit_test(flush_takes_the_name_what_is_below_or_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
