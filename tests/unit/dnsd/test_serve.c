/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice-dnsd as a whole: a fake gatewayd above it, clients and upstreams around it, in a network namespace. */
#include "gateway_fake.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "dnsd/tcp.h"

#define A     1
#define AAAA  28
#define DS    43
#define HTTPS 65

/* Rules 2 to 19, for first.example. */
#define RULE(n)	    ",{\"mark\":" #n ",\"pos\":\"/grants/1\",\"line\":20,\"names\":[\"first.example\"]}"
#define RULES_LOW   RULE(2) RULE(3) RULE(4) RULE(5) RULE(6) RULE(7) RULE(8) RULE(9) RULE(10)
#define RULES_HIGH  RULE(11) RULE(12) RULE(13) RULE(14) RULE(15) RULE(16) RULE(17) RULE(18) RULE(19)
#define GRANTS_MANY "0,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19"

/* 127.0.0.2: filtered, grants on two names. 127.0.0.3: no filter, resolve-first, recorded. Others are nobody. */
#define VIEWS_BODY(upstreams)                                                                                          \
	"\"lists\":[],\"views\":["                                                                                     \
	"{\"filter\":\"/dns/filters/"                                                                                  \
	"0\",\"route\":0,\"lists\":[],\"block\":[\"||blocked.example^\",\"||tracker.example^\"],"                      \
	"\"allow\":[],\"blockMode\":\"null\",\"resolveFirst\":false,\"flows\":false,\"queries\":\"off\","              \
	"\"grants\":[" GRANTS_MANY "],\"denies\":[1]},"                                                                \
	"{\"filter\":null,\"route\":0,\"lists\":[],\"block\":[],\"allow\":[],\"blockMode\":\"nxdomain\","              \
	"\"resolveFirst\":true,"                                                                                       \
	"\"flows\":true,\"queries\":\"off\",\"grants\":[],\"denies\":[]}],"                                            \
	"\"rules\":[{\"mark\":4711,\"pos\":\"/grants/0\",\"line\":9,\"names\":[\"learned.example\"]},"                 \
	"{\"mark\":4712,\"pos\":\"/denies/1\",\"line\":14,\"names\":[\"denied.example\"]}" RULES_LOW RULES_HIGH "],"   \
	"\"clients\":[{\"addr\":\"127.0.0.2\",\"device\":\"tv\",\"view\":0},"                                          \
	"{\"addr\":\"127.0.0.3\",\"device\":\"pc\",\"view\":1}],"                                                      \
	"\"routes\":[{\"upstreams\":[" upstreams "],"                                                                  \
	"\"splits\":[{\"suffix\":\"corp.example\","                                                                    \
	"\"upstreams\":[{\"kind\":\"udp\",\"addr\":\"127.0.0.1\",\"port\":5302}]}]}],"                                 \
	"\"records\":[{\"name\":\"nas.home.arpa\",\"addr\":\"192.168.1.20\"}]}"

#define UPSTREAM "{\"kind\":\"udp\",\"addr\":\"127.0.0.1\",\"port\":5301}"

static const char views[] = VIEWS_BODY(UPSTREAM);
static const char views_other[] = VIEWS_BODY(UPSTREAM "," UPSTREAM);

static int setup(void **state)
{
	struct gateway *g = *state;

	gateway_open(g, g->binary);
	gateway_start(g, views);
	return 0;
}

static int teardown(void **state)
{
	return gateway_stop(*state);
}

static void plain_name_is_resolved(void **state)
{
	struct answer a;

	ask("127.0.0.2", "PLain.example", A, ASK_NONE, &a);
	assert_int_equal(answer_rcode(&a), 0);
	assert_int_equal(answer_count(&a), 1);
	assert_true(answer_has_addr(&a, "198.51.100.1"));
	assert_true(answer_has(&a, "PLain", 5));
	ask("127.0.0.2", "plain.example", A, ASK_NONE, &a); /* from the cache */
	assert_true(answer_has_addr(&a, "198.51.100.1"));
	ask("127.0.0.2", "noname.example", A, ASK_NONE, &a);
	assert_int_equal(answer_rcode(&a), 3);
}

static void blocked_name_gets_null_address_and_reason(void **state)
{
	struct answer a;

	ask("127.0.0.2", "x.blocked.example", A, ASK_EDNS, &a);
	assert_int_equal(answer_rcode(&a), 0);
	assert_true(answer_has_addr(&a, "0.0.0.0"));
	assert_int_equal(answer_ede(&a), 15);
	assert_true(answer_has(&a, "||blocked.example^", 18));
	ask("127.0.0.2", "blocked.example", HTTPS, ASK_EDNS, &a);
	assert_int_equal(answer_count(&a), 0);
	ask("127.0.0.2", "blocked.example", A, ASK_NONE, &a); /* no EDNS asked, none given */
	assert_int_equal(answer_ede(&a), -1);
	ask("127.0.0.2", "denied.example", A, ASK_EDNS, &a);
	assert_true(answer_has(&a, "/denies/1", 9));
}

static void alias_to_blocked_name_is_blocked(void **state)
{
	struct answer a;

	ask("127.0.0.2", "alias.example", A, ASK_EDNS, &a);
	assert_true(answer_has_addr(&a, "0.0.0.0"));
	assert_true(answer_has(&a, "(CNAME target tracker.example)", 30));
}

static void service_at_blocked_name_is_blocked(void **state)
{
	struct answer a;

	ask("127.0.0.2", "service.example", HTTPS, ASK_EDNS, &a);
	assert_int_equal(answer_count(&a), 0);
	assert_int_equal(answer_ede(&a), 15);
	assert_false(answer_has(&a, "\xc6\x33\x64\x09", 4));
}

static void private_address_of_public_name_is_blocked(void **state)
{
	struct answer a;

	ask("127.0.0.2", "private.example", A, ASK_EDNS, &a);
	assert_false(answer_has_addr(&a, "192.168.1.5"));
	assert_true(answer_has(&a, "rebind guard", 12));
	ask("127.0.0.2", "inside.example", A, ASK_EDNS, &a);
	assert_true(answer_has(&a, "rebind guard", 12));
}

static void split_name_is_asked_of_its_upstream_only(void **state)
{
	struct answer a;

	ask("127.0.0.2", "nas.corp.example", A, ASK_EDNS, &a);
	assert_true(answer_has_addr(&a, "10.8.0.5"));
	fake_split_up(false);
	ask("127.0.0.2", "other.corp.example", A, ASK_EDNS, &a);
	fake_split_up(true);
	assert_int_equal(answer_rcode(&a), 2);
	assert_int_equal(answer_ede(&a), 22);
	assert_int_equal(fake_leaks(), 0);
}

static void split_suffix_is_never_asked_of_its_parent(void **state)
{
	struct answer a;

	ask("127.0.0.2", "corp.example", DS, ASK_EDNS, &a);
	assert_int_equal(fake_leaks(), 0);
	assert_int_equal(answer_rcode(&a), 0);
	assert_int_equal(answer_count(&a), 0);
	ask("127.0.0.2", "CORP.example", DS, ASK_EDNS, &a);
	ask("127.0.0.2", "nas.corp.example", DS, ASK_EDNS, &a);
	ask("127.0.0.2", "corp.example", A, ASK_EDNS, &a);
	assert_true(answer_has_addr(&a, "10.8.0.5"));
	assert_int_equal(fake_leaks(), 0);
}

static void public_answer_does_not_speak_for_split_name(void **state)
{
	struct answer a;

	ask("127.0.0.2", "cross.example", A, ASK_EDNS, &a); /* alias of web.corp.example, with a public address */
	ask("127.0.0.2", "web.corp.example", A, ASK_EDNS, &a);
	assert_true(answer_has_addr(&a, "10.8.0.5"));
	assert_false(answer_has_addr(&a, "198.51.100.66"));
}

static void local_and_special_names_stay_here(void **state)
{
	struct answer a;

	ask("127.0.0.2", "nas.home.arpa", A, ASK_NONE, &a);
	assert_true(answer_has_addr(&a, "192.168.1.20"));
	ask("127.0.0.2", "nas.home.arpa", AAAA, ASK_NONE, &a);
	assert_int_equal(answer_rcode(&a), 0);
	assert_int_equal(answer_count(&a), 0);
	ask("127.0.0.2", "x.home.arpa", A, ASK_NONE, &a);
	assert_int_equal(answer_rcode(&a), 3);
	ask("127.0.0.2", "1.0.168.192.in-addr.arpa", 12, ASK_NONE, &a);
	assert_int_equal(answer_rcode(&a), 3);
	ask("127.0.0.2", "localhost", A, ASK_NONE, &a);
	assert_true(answer_has_addr(&a, "127.0.0.1"));
}

static void unknown_client_is_refused(void **state)
{
	struct answer a;
	int fd;

	ask("127.0.0.9", "plain.example", A, ASK_EDNS, &a);
	assert_int_equal(answer_rcode(&a), 5);
	assert_int_equal(answer_ede(&a), -1); /* it would be longer than the question */
	fd = ask_open("127.0.0.9", SOCK_STREAM);
	tcp_send(fd, 1, "plain.example", A);
	tcp_recv(fd, &a);
	assert_int_equal(answer_rcode(&a), 5);
	assert_int_equal(answer_ede(&a), 18);
	close(fd);
}

static struct msg_learn_add learn_add_next(struct gateway *g, uint32_t *ret_rule)
{
	struct ipc_msg m;
	struct msg_learn_add add;

	assert_true(learn_next(g, &m, 5000));
	assert_int_equal(m.type, MSG_LEARN_ADD);
	memcpy(&add, m.body, sizeof(add));
	memcpy(ret_rule, m.body + sizeof(add), sizeof(*ret_rule));
	return add;
}

static void learned_name_waits_for_the_kernel(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.2", SOCK_DGRAM);
	struct msg_learn_add add;
	struct answer a;
	uint32_t rule;

	ask_send(fd, "learned.example", A, ASK_EDNS);
	add = learn_add_next(g, &rule);
	assert_int_equal(rule, 4711);
	assert_int_equal(add.n_addrs, 1);
	ask_recv(fd, &a, 20);
	assert_int_equal(a.len, 0);
	learn_ack(g, add.req_id, 0);
	ask_recv(fd, &a, 5000);
	assert_true(answer_has_addr(&a, "198.51.100.7"));
	close(fd);
}

static void name_of_many_rules_waits_for_all(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.2", SOCK_DGRAM);
	struct msg_learn_add add[2];
	struct answer a;
	uint32_t rule;

	ask_send(fd, "first.example", A, ASK_EDNS);
	add[0] = learn_add_next(g, &rule);
	add[1] = learn_add_next(g, &rule);
	assert_int_equal(add[0].n_rules + add[1].n_rules, 18);
	learn_ack(g, add[0].req_id, 0);
	ask_recv(fd, &a, 20);
	assert_int_equal(a.len, 0);
	learn_ack(g, add[1].req_id, 0);
	ask_recv(fd, &a, 5000);
	assert_true(answer_has_addr(&a, "198.51.100.3"));
	close(fd);
}

static void no_acknowledgement_means_servfail(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.2", SOCK_DGRAM);
	struct msg_learn_add add;
	struct answer a;
	uint32_t rule;

	ask_send(fd, "learned.example", A, ASK_EDNS);
	add = learn_add_next(g, &rule);
	ask_recv(fd, &a, 5000);
	assert_int_equal(answer_rcode(&a), 2);
	assert_int_equal(answer_ede(&a), 14);
	assert_false(answer_has_addr(&a, "198.51.100.7"));
	learn_ack(g, add.req_id, 0); /* too late: nothing happens */
	ask_send(fd, "learned.example", A, ASK_EDNS);
	add = learn_add_next(g, &rule);
	learn_ack(g, add.req_id, -ESTALE);
	ask_recv(fd, &a, 5000);
	assert_int_equal(answer_rcode(&a), 2);
	assert_int_equal(answer_ede(&a), 14);
	close(fd);
}

static void resolve_first_device_learns_everything(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.3", SOCK_DGRAM);
	struct ipc_msg m;
	struct msg_learn_add add;
	struct answer a;
	uint32_t rule;

	ask_send(fd, "plain.example", A, ASK_NONE);
	assert_true(learn_next(g, &m, 5000));
	assert_int_equal(m.type, MSG_NAME_SEEN);
	add = learn_add_next(g, &rule);
	assert_int_equal(rule, 0);
	learn_ack(g, add.req_id, 0);
	ask_recv(fd, &a, 5000);
	assert_true(answer_has_addr(&a, "198.51.100.1"));
	close(fd);
}

static void tcp_answers_come_as_they_are_ready(void **state)
{
	int fd = ask_open("127.0.0.2", SOCK_STREAM);
	struct answer a;

	tcp_send(fd, 1, "slow.example", A);
	tcp_send(fd, 2, "plain.example", A);
	tcp_send(fd, 3, "blocked.example", A);
	tcp_recv(fd, &a);
	assert_int_not_equal(answer_id(&a), 1);
	tcp_recv(fd, &a);
	assert_int_not_equal(answer_id(&a), 1);
	tcp_recv(fd, &a);
	assert_int_equal(answer_id(&a), 1);
	assert_true(answer_has_addr(&a, "198.51.100.2"));
	close(fd);
}

static void half_closed_connection_gets_its_answers(void **state)
{
	int fd = ask_open("127.0.0.2", SOCK_STREAM);
	struct answer a;

	for (uint16_t i = 0; i < 200; i++)
		tcp_send(fd, i, "plain.example", A);
	shutdown(fd, SHUT_WR);
	for (uint16_t i = 0; i < 200; i++) {
		tcp_recv(fd, &a);
		assert_true(a.len > 0);
	}
	tcp_recv(fd, &a);
	assert_int_equal(a.len, 0);
	close(fd);
}

/* The client takes nothing until dnsd stops reading, then everything: the connection must go on. */
static void connection_goes_on_when_the_client_reads_again(void **state)
{
	int fd = ask_open("127.0.0.2", SOCK_STREAM);
	uint8_t one[64], frames[64 * 100];
	struct answer a;
	size_t len = ask_write(one + 2, sizeof(one) - 2, 9, "x.blocked.example", A, ASK_EDNS) + 2;
	size_t sent = 0, got = 0;

	one[0] = 0;
	one[1] = (uint8_t)(len - 2);
	for (size_t i = 0; i < 100; i++)
		memcpy(frames + i * len, one, len);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&p, 1, 300) != 1)
			break; /* nothing moves any more */
		n = send(fd, frames + sent % len, len * 100 - sent % len, MSG_DONTWAIT);
		assert_true(n > 0);
		sent += (size_t)n;
	}
	assert_true(sent / len > TCP_OUT_HIGH / 150);
	for (; got < sent / len; got++) {
		tcp_recv(fd, &a);
		assert_true(a.len > 0);
	}
	close(fd);
}

static void large_answer_is_truncated_over_udp_only(void **state)
{
	int fd = ask_open("127.0.0.2", SOCK_STREAM);
	struct answer a;

	ask("127.0.0.2", "many.example", A, ASK_NONE, &a);
	assert_true((a.msg[2] & 0x02) != 0);
	assert_int_equal(answer_count(&a), 0);
	tcp_send(fd, 7, "many.example", A);
	tcp_recv(fd, &a);
	assert_int_equal(answer_count(&a), 60);
	close(fd);
}

static void swap_under_load_loses_no_query(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.2", SOCK_DGRAM);
	struct answer a;

	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < 10; k++)
			ask_send(fd, "plain.example", A, ASK_NONE);
		ask_send(fd, "slow.example", A, ASK_NONE);
		gateway_views(g, i % 2 == 0 ? views_other : views, i % 3 == 0);
		for (int k = 0; k < 11; k++) {
			ask_recv(fd, &a, 5000);
			assert_int_equal(answer_rcode(&a), 0);
			assert_int_equal(answer_count(&a), 1);
		}
	}
	gateway_wait_ready(g);
	close(fd);
}

static void ready_waits_for_held_answers(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.2", SOCK_DGRAM);
	struct answer a;
	uint32_t rule;

	ask_send(fd, "learned.example", A, ASK_EDNS);
	(void)learn_add_next(g, &rule);
	gateway_views(g, views, true); /* READY comes behind the deadline, and the answer before it */
	ask_recv(fd, &a, 0);
	assert_int_equal(answer_ede(&a), 14);
	close(fd);
}

static void successor_answers_what_waited(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.2", SOCK_DGRAM);
	struct answer a;

	gateway_kill(g);
	ask_send(fd, "plain.example", A, ASK_NONE);
	gateway_start(g, views);
	ask_recv(fd, &a, 5000);
	assert_true(answer_has_addr(&a, "198.51.100.1"));
	close(fd);
}

static void flood_of_learned_names_is_answered(void **state)
{
	struct gateway *g = *state;
	int fd = ask_open("127.0.0.3", SOCK_DGRAM);
	struct ipc_msg m;
	struct answer a;
	unsigned n = 0;

	for (int round = 0; round < 20; round++) {
		for (int k = 0; k < 50; k++)
			ask_send(fd, "plain.example", A, ASK_NONE);
		for (int k = 0; k < 100; k++) { /* NAME_SEEN and LEARN_ADD each */
			struct msg_learn_add add;

			assert_true(learn_next(g, &m, 5000));
			memcpy(&add, m.body, sizeof(add));
			if (m.type == MSG_LEARN_ADD)
				learn_ack(g, add.req_id, 0);
		}
		for (int k = 0; k < 50; k++) {
			ask_recv(fd, &a, 5000);
			n += answer_has_addr(&a, "198.51.100.1");
		}
	}
	assert_int_equal(n, 1000);
	close(fd);
}

int main(int argc, char **argv)
{
	static struct gateway g;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(plain_name_is_resolved, &g),
		cmocka_unit_test_prestate(blocked_name_gets_null_address_and_reason, &g),
		cmocka_unit_test_prestate(alias_to_blocked_name_is_blocked, &g),
		cmocka_unit_test_prestate(service_at_blocked_name_is_blocked, &g),
		cmocka_unit_test_prestate(private_address_of_public_name_is_blocked, &g),
		cmocka_unit_test_prestate(split_name_is_asked_of_its_upstream_only, &g),
		cmocka_unit_test_prestate(split_suffix_is_never_asked_of_its_parent, &g),
		cmocka_unit_test_prestate(public_answer_does_not_speak_for_split_name, &g),
		cmocka_unit_test_prestate(local_and_special_names_stay_here, &g),
		cmocka_unit_test_prestate(unknown_client_is_refused, &g),
		cmocka_unit_test_prestate(learned_name_waits_for_the_kernel, &g),
		cmocka_unit_test_prestate(name_of_many_rules_waits_for_all, &g),
		cmocka_unit_test_prestate(no_acknowledgement_means_servfail, &g),
		cmocka_unit_test_prestate(resolve_first_device_learns_everything, &g),
		cmocka_unit_test_prestate(tcp_answers_come_as_they_are_ready, &g),
		cmocka_unit_test_prestate(half_closed_connection_gets_its_answers, &g),
		cmocka_unit_test_prestate(connection_goes_on_when_the_client_reads_again, &g),
		cmocka_unit_test_prestate(large_answer_is_truncated_over_udp_only, &g),
		cmocka_unit_test_prestate(swap_under_load_loses_no_query, &g),
		cmocka_unit_test_prestate(ready_waits_for_held_answers, &g),
		cmocka_unit_test_prestate(successor_answers_what_waited, &g),
		cmocka_unit_test_prestate(flood_of_learned_names_is_answered, &g),
	};
	int rc = fake_net();

	if (rc != 0 || argc < 2)
		return 77;
	g.binary = argv[1];
	{
		void *state = &g;

		(void)setup(&state);
		rc = cmocka_run_group_tests(tests, NULL, NULL);
		return teardown(&state) != 0 ? 1 : rc;
	}
}
