/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/cookie.c against the vectors of RFC 9018 appendix A, and beyond them: time, address, secret. */
#include "dnsd/cookie.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECRET	   "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define SECRET_OLD "dd3bdf9344b678b185a6f5cb60fca715"
#define SECRET_NEW "445536bcd2513298075a5d379663c962"
#define T	   1559731985u
#define A1	   "2464c4abcf10c957010000005cf79f111f8130c3eee29480"

static size_t unhex(const char *hex, uint8_t *ret, size_t size)
{
	size_t len = 0;

	assert_int_equal(sodium_hex2bin(ret, size, hex, strlen(hex), NULL, &len, NULL), 0);
	return len;
}

static enum cookie_state check(const char *keys[2], const char *client, const char *cookie, uint32_t now_s,
			       char ret[2 * COOKIE_LEN + 1])
{
	struct msg_cookie_keys k = { 0 };
	struct question q = { .edns = true };
	struct ip_addr addr;
	enum cookie_state state;

	for (; k.n < 2 && keys[k.n] != NULL; k.n++)
		(void)unhex(keys[k.n], k.keys[k.n], COOKIE_KEY_LEN);
	q.cookie_len = (uint8_t)unhex(cookie, q.cookie, sizeof(q.cookie));
	assert_int_equal(ip_addr_parse(client, &addr), 0);
	state = cookie_check(&q, &k, &addr, now_s);
	(void)sodium_bin2hex(ret, 2 * COOKIE_LEN + 1, q.reply.cookie, q.reply.cookie_len);
	return state;
}

static const struct {
	const char *what, *keys[2], *client, *cookie;
	uint32_t now_s;
	enum cookie_state state;
	const char *reply;
} cases[] = {
	{ "A.1", { SECRET }, "198.51.100.100", "2464c4abcf10c957", T, COOKIE_CLIENT_ONLY, A1 },
	{ "A.2",
	  { SECRET },
	  "198.51.100.100",
	  A1,
	  1559734385,
	  COOKIE_VALID,
	  "2464c4abcf10c957010000005cf7a871d4a564a1442aca77" },
	/* The example renews it after two hours, in spite of 4.3; it is good for its reserved bytes while it is young.
	 */
	{ "A.3, young",
	  { SECRET },
	  "203.0.113.203",
	  "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
	  1559727985,
	  COOKIE_VALID,
	  "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5" },
	{ "A.3, as it is",
	  { SECRET },
	  "203.0.113.203",
	  "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
	  1559734700,
	  COOKIE_WRONG,
	  "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e" },
	{ "A.4",
	  { SECRET_NEW, SECRET_OLD },
	  "2001:db8:220:1:59de:d0f4:8769:82b8",
	  "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
	  1559741961,
	  COOKIE_VALID,
	  "22681ab97d52c298010000005cf7c609a6bb79d16625507a" },
	{ "A.4 without the old secret",
	  { SECRET_NEW },
	  "2001:db8:220:1:59de:d0f4:8769:82b8",
	  "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
	  1559741961,
	  COOKIE_WRONG,
	  "22681ab97d52c298010000005cf7c609a6bb79d16625507a" },
	{ "young: the same again", { SECRET }, "198.51.100.100", A1, T + COOKIE_RENEW_S - 1, COOKIE_VALID, A1 },
	{ "another address", { SECRET }, "198.51.100.101", A1, T, COOKIE_WRONG, NULL },
	{ "no secret", { NULL }, "198.51.100.100", A1, T, COOKIE_ABSENT, "" },
	{ "a byte too short",
	  { SECRET },
	  "198.51.100.100",
	  "2464c4abcf10c957010000005cf79f111f8130c3eee294",
	  T,
	  COOKIE_WRONG,
	  A1 },
	{ "another version",
	  { SECRET },
	  "198.51.100.100",
	  "2464c4abcf10c957020000005cf79f111f8130c3eee29480",
	  T,
	  COOKIE_WRONG,
	  A1 },
	{ "hash of another",
	  { SECRET },
	  "198.51.100.100",
	  "2464c4abcf10c957010000005cf79f111f8130c3eee29481",
	  T,
	  COOKIE_WRONG,
	  A1 },
	{ "an hour old", { SECRET }, "198.51.100.100", A1, T + COOKIE_LIFE_S, COOKIE_VALID, NULL },
	{ "above an hour old", { SECRET }, "198.51.100.100", A1, T + COOKIE_LIFE_S + 1, COOKIE_WRONG, NULL },
	{ "five minutes ahead", { SECRET }, "198.51.100.100", A1, T - COOKIE_AHEAD_S, COOKIE_VALID, NULL },
	{ "further ahead", { SECRET }, "198.51.100.100", A1, T - COOKIE_AHEAD_S - 1, COOKIE_WRONG, NULL },
};

static void cookies_are_as_the_rfc_has_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *keys[2] = { cases[i].keys[0], cases[i].keys[1] };
		char reply[2 * COOKIE_LEN + 1];

		if (check(keys, cases[i].client, cases[i].cookie, cases[i].now_s, reply) != cases[i].state)
			fail_msg("%s: state", cases[i].what);
		if (cases[i].reply != NULL && strcmp(reply, cases[i].reply) != 0)
			fail_msg("%s: %s", cases[i].what, reply);
	}
}

/* What we give is good where it was given for, also when the 32 bits of seconds begin anew (2106). */
static void given_cookie_is_good(void **state)
{
	static const uint32_t times[] = { 0, T, UINT32_MAX - 10 };
	const char *keys[2] = { SECRET, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		char first[2 * COOKIE_LEN + 1], again[2 * COOKIE_LEN + 1];

		assert_int_equal(check(keys, "2001:db8::1", "0011223344556677", times[i], first), COOKIE_CLIENT_ONLY);
		assert_int_equal(check(keys, "2001:db8::1", first, times[i] + 3000, again), COOKIE_VALID);
		assert_string_not_equal(first, again);
		assert_int_equal(check(keys, "2001:db8::1", first, times[i] + 20, again), COOKIE_VALID);
		assert_string_equal(first, again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookies_are_as_the_rfc_has_them),
		cmocka_unit_test(given_cookie_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
