/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice-dnsd under attack, as a whole: floods, forged sources, cookies, and who is still answered meanwhile. */
#include "gateway_fake.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "dnsd/client.h"
#include "dnsd/zone_load.h"

#define A	   1
#define SILENT	   5303 /* the upstream of dead.example: it never answers */
#define CLIENT(ip) "{\"addr\":\"" ip "\",\"device\":\"d\",\"view\":0}"

static const char views[] =
	"\"lists\":[],\"views\":[{\"filter\":null,\"route\":0,\"lists\":[],\"block\":[\"||blocked.example^\"],"
	"\"allow\":[],\"blockMode\":\"null\",\"resolveFirst\":false,\"flows\":false,\"queries\":\"off\","
	"\"grants\":[],\"denies\":[]}],\"rules\":[],"
	"\"clients\":[" CLIENT("127.0.0.2") "," CLIENT("127.0.0.3") "," CLIENT("127.0.0.4") "," CLIENT(
		"127.0.0.5") "],"
			     "\"routes\":[{\"upstreams\":[{\"kind\":\"udp\",\"addr\":\"127.0.0.1\",\"port\":5301}],"
			     "\"splits\":[{\"suffix\":\"dead.example\","
			     "\"upstreams\":[{\"kind\":\"udp\",\"addr\":\"127.0.0.1\",\"port\":5303}]}]}],"
			     "\"records\":[{\"name\":\"nas.home.arpa\",\"addr\":\"192.168.1.20\"}]}";

#define COOKIE_CLIENT "\x01\x02\x03\x04\x05\x06\x07\x08"

/* A question with EDNS and these options. Returns its length. */
static size_t question(uint8_t *buf, const char *name, const void *options, size_t len)
{
	size_t at = ask_write(buf, 512, 7, name, A, ASK_EDNS);

	buf[at - 1] = (uint8_t)len;
	memcpy(buf + at, options, len);
	return at + len;
}

static size_t question_cookie(uint8_t *buf, const char *name, const uint8_t *cookie, uint8_t len)
{
	uint8_t option[4 + 40] = { 0, 10, 0, len };

	memcpy(option + 4, cookie, len);
	return question(buf, name, option, 4u + len);
}

static void exchange(const char *client, const uint8_t *msg, size_t len, struct answer *ret, int timeout_ms)
{
	int fd = ask_open(client, SOCK_DGRAM);

	assert_int_equal(send(fd, msg, len, 0), len);
	ask_recv(fd, ret, timeout_ms);
	close(fd);
}

/* The cookie of an answer, or NULL. */
static const uint8_t *answer_cookie(const struct answer *a)
{
	static const uint8_t head[] = { 0, 10, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0 };
	const uint8_t *at = a->len > 0 ? memmem(a->msg, (size_t)a->len, head, sizeof(head)) : NULL;

	return at != NULL ? at + 4 : NULL;
}

static void restart(struct gateway *g, const char *limits)
{
	gateway_kill(g);
	g->limits = limits;
	gateway_start(g, views);
}

static void answers_carry_a_cookie_that_is_good(void **state)
{
	uint8_t msg[512], cookie[24];
	struct answer a;
	size_t len = question_cookie(msg, "x.blocked.example", (const uint8_t *)COOKIE_CLIENT, 8);

	restart(*state, NULL);
	exchange("127.0.0.2", msg, len, &a, 5000);
	assert_non_null(answer_cookie(&a));
	memcpy(cookie, answer_cookie(&a), sizeof(cookie));
	len = question_cookie(msg, "plain.example", cookie, 24);
	exchange("127.0.0.2", msg, len, &a, 5000);
	assert_true(answer_has_addr(&a, "198.51.100.1"));
	assert_memory_equal(answer_cookie(&a), cookie, sizeof(cookie)); /* young: the same again */
	gateway_kill(*state);
	gateway_start(*state, views);
	exchange("127.0.0.2", msg, len, &a, 5000);
	assert_memory_equal(answer_cookie(&a), cookie, sizeof(cookie)); /* another dnsd, the same secret */
}

/* RFC 7873 5.4 */
static void cookie_alone_is_answered(void **state)
{
	uint8_t msg[64] = { 0, 7, [11] = 1, [14] = 41, [22] = 12, [24] = 10, [26] = 8 };
	struct answer a;

	(void)state;
	memcpy(msg + 27, COOKIE_CLIENT, 8);
	exchange("127.0.0.2", msg, 35, &a, 5000);
	assert_int_equal(answer_rcode(&a), 0);
	assert_int_equal(a.len, 12 + 11 + 28);
	assert_non_null(answer_cookie(&a));
	msg[22] = 28;
	msg[26] = 24; /* with a server's that is none */
	exchange("127.0.0.2", msg, 51, &a, 5000);
	assert_int_equal(answer_rcode(&a), 23 & 15);
	assert_int_equal(a.msg[12 + 5], 23 >> 4);
	assert_non_null(answer_cookie(&a));
}

static void without_recursion_only_own_data_is_told(void **state)
{
	uint8_t msg[512];
	struct answer a;
	size_t len;

	(void)state;
	ask("127.0.0.2", "plain.example", A, ASK_NONE, &a); /* it is in the cache now */
	assert_true(answer_has_addr(&a, "198.51.100.1"));
	len = ask_write(msg, sizeof(msg), 7, "plain.example", A, ASK_EDNS);
	msg[2] = 0;
	exchange("127.0.0.2", msg, len, &a, 5000);
	assert_int_equal(answer_rcode(&a), 5);
	assert_int_equal(answer_ede(&a), 20);
	len = ask_write(msg, sizeof(msg), 7, "nas.home.arpa", A, ASK_EDNS);
	msg[2] = 0;
	exchange("127.0.0.2", msg, len, &a, 5000);
	assert_true(answer_has_addr(&a, "192.168.1.20"));
}

static void strangers_win_nothing(void **state)
{
	uint8_t msg[512];
	struct answer a;
	unsigned answered = 0;
	int fd;

	restart(*state, "{\"queries\":0,\"misses\":0,\"errors\":20}");
	for (unsigned i = 0; i < 80; i++) {
		size_t len = question_cookie(msg, "plain.example", (const uint8_t *)COOKIE_CLIENT, 8);

		exchange("127.0.9.9", msg, len, &a, i < 20 ? 5000 : 5);
		assert_true(a.len <= (int)len);
		if (a.len > 0)
			assert_int_equal(answer_rcode(&a), 5);
		answered += a.len > 0;
	}
	assert_in_range(answered, 40, 65);	  /* the burst, and what a second of testing adds */
	fd = ask_open("127.0.9.10", SOCK_STREAM); /* proved: it is told why, although its network is over the limit */
	tcp_send(fd, 1, "plain.example", A);
	tcp_recv(fd, &a);
	assert_int_equal(answer_rcode(&a), 5);
	assert_true(answer_has(&a, "not a registered", 16));
	close(fd);
	ask("127.0.0.2", "plain.example", A, ASK_NONE, &a);
	assert_true(answer_has_addr(&a, "198.51.100.1"));
}

/* With "queries" on. */
static void unproved_address_is_asked_to_prove_itself(void **state)
{
	unsigned answered = 0, truncated = 0, nothing = 0;
	uint8_t msg[512], cookie[24];
	struct answer a;
	size_t len;
	int fd;

	restart(*state, "{\"queries\":1,\"misses\":0,\"errors\":0}");
	fd = ask_open("127.0.0.2", SOCK_DGRAM);
	for (unsigned i = 0; i < 100; i++)
		ask_send(fd, "x.blocked.example", A, ASK_NONE);
	for (ask_recv(fd, &a, 1000); a.len > 0; ask_recv(fd, &a, 300)) {
		if ((a.msg[2] & 2) != 0)
			truncated++;
		else
			answered++;
	}
	close(fd);
	nothing = 100 - answered - truncated;
	assert_in_range(answered, 2, 6);
	assert_in_range(truncated, 45, 50);
	assert_in_range(nothing, 45, 50);

	len = question_cookie(msg, "plain.example", (const uint8_t *)COOKIE_CLIENT, 8);
	for (unsigned i = 0; i < 3; i++) /* a token or two may have come meanwhile */
		exchange("127.0.0.2", msg, len, &a, 5000);
	assert_int_equal(answer_rcode(&a), 23 & 15);
	assert_non_null(answer_cookie(&a));
	memcpy(cookie, answer_cookie(&a), sizeof(cookie));
	len = question_cookie(msg, "plain.example", cookie, 24);
	for (unsigned i = 0; i < 20; i++) {
		exchange("127.0.0.2", msg, len, &a, 5000);
		assert_true(answer_has_addr(&a, "198.51.100.1"));
	}
}

static void misses_of_one_client_are_limited(void **state)
{
	unsigned resolved = 0, limited = 0;
	struct answer a;
	char name[64];

	restart(*state, "{\"queries\":0,\"misses\":5,\"errors\":0}");
	ask("127.0.0.2", "plain.example", A, ASK_EDNS, &a);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "r%u.example", i);
		ask("127.0.0.2", name, A, ASK_EDNS, &a);
		if (answer_rcode(&a) == 0) {
			resolved++;
			continue;
		}
		assert_int_equal(answer_rcode(&a), 2);
		assert_int_equal(answer_ede(&a), 0);
		assert_true(answer_has(&a, "rate limit", 10));
		limited++;
	}
	assert_true(resolved >= 9);
	assert_true(limited >= 20);
	ask("127.0.0.2", "plain.example", A, ASK_EDNS, &a); /* from the cache: no miss */
	assert_true(answer_has_addr(&a, "198.51.100.1"));
	ask("127.0.0.2", "nas.home.arpa", A, ASK_EDNS, &a);
	assert_true(answer_has_addr(&a, "192.168.1.20"));
	ask("127.0.0.3", "other.example", A, ASK_EDNS, &a); /* another client's are its own */
	assert_int_equal(answer_rcode(&a), 0);
}

/* Everything that was sent before has been read. */
static void settle(void)
{
	struct answer a = { 0 };
	uint8_t msg[512];
	size_t len = ask_write(msg, sizeof(msg), 7, "nas.home.arpa", A, ASK_NONE);

	for (int i = 0; i < 20 && a.len == 0; i++)
		exchange("127.0.0.5", msg, len, &a, 500);
	assert_true(a.len > 0);
}

static int flood(const char *client, unsigned n)
{
	int fd = ask_open(client, SOCK_DGRAM);
	char name[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s-%u.dead.example", client + 8, i);
		ask_send(fd, name, A, ASK_EDNS);
		if (i % 64 == 63)
			settle(); /* the socket's buffer is not what is tested */
	}
	settle();
	return fd;
}

/* Two clients fill a zone whose server is silent; a third is told so, and everything else is answered at once. */
static void flood_below_one_zone_leaves_the_others_alone(void **state)
{
	struct answer a;
	int fds[2];
	char name[64];

	static_assert(2 * CLIENT_QUERIES_MAX >= ZONE_LOAD_MAX, "two clients are enough");
	restart(*state, "{\"queries\":0,\"misses\":2000,\"errors\":0}");
	fds[0] = flood("127.0.0.2", CLIENT_QUERIES_MAX + 100);
	fds[1] = flood("127.0.0.3", CLIENT_QUERIES_MAX + 100);
	ask("127.0.0.4", "one-more.dead.example", A, ASK_EDNS, &a);
	assert_int_equal(answer_rcode(&a), 2);
	assert_int_equal(answer_ede(&a), 0);
	assert_true(answer_has(&a, "this zone", 9));
	for (unsigned i = 0; i < 200; i++) {
		int fd = ask_open(i % 2 == 0 ? "127.0.0.4" : "127.0.0.5", SOCK_DGRAM);

		snprintf(name, sizeof(name), "m%u.example", i);
		ask_send(fd, name, A, ASK_EDNS);
		ask_recv(fd, &a, 1000); /* what waits for the dead is answered after four seconds */
		close(fd);
		assert_true(a.len > 0);
		assert_int_equal(answer_rcode(&a), 0);
	}
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	static struct gateway g;
	struct sockaddr_in silent = { .sin_family = AF_INET,
				      .sin_port = htons(SILENT),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(answers_carry_a_cookie_that_is_good, &g),
		cmocka_unit_test_prestate(cookie_alone_is_answered, &g),
		cmocka_unit_test_prestate(without_recursion_only_own_data_is_told, &g),
		cmocka_unit_test_prestate(strangers_win_nothing, &g),
		cmocka_unit_test_prestate(unproved_address_is_asked_to_prove_itself, &g),
		cmocka_unit_test_prestate(misses_of_one_client_are_limited, &g),
		cmocka_unit_test_prestate(flood_below_one_zone_leaves_the_others_alone, &g),
	};
	int rc = fake_net(), fd;

	if (rc != 0 || argc < 2)
		return 77;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&silent, sizeof(silent)) != 0)
		return 1;
	gateway_open(&g, argv[1]);
	gateway_start(&g, views);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return gateway_stop(&g) != 0 ? 1 : rc;
}
