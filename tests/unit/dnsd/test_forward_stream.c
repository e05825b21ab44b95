/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/forward_stream.c over TCP: truncated answers, connections that are shared, that end, that hang. */
#include "upstream_fake.h"

#include "dnsd/forward_stream.h"

static struct fake_result got[FORWARD_CONN_QUESTIONS];

/* An upstream at one port over UDP and TCP, and a second one over UDP. */
struct net {
	struct fake k;
	int udp, tcp, next;
};

static void net_open(struct net *t)
{
	uint16_t ports[2] = { 0 };
	struct fake_route r;

	*t = (struct net){ 0 };
	t->tcp = fake_socket(SOCK_STREAM, &ports[0]);
	t->udp = fake_socket(SOCK_DGRAM, &ports[0]);
	t->next = fake_socket(SOCK_DGRAM, &ports[1]);
	fake_route(&r, ports, 2, 0);
	fake_open(&t->k, &r, NULL);
}

static void net_close(struct net *t)
{
	fake_close(&t->k);
	close(t->udp);
	close(t->tcp);
	close(t->next);
}

static void ask_truncated(struct net *t, const char *name, struct fake_result *ret)
{
	struct fake_question q;
	struct fake_answer a;

	fake_ask(&t->k, name, TYPE_A, 0, false, ret);
	fake_take(&t->k, t->udp, &q);
	fake_answer(&a, &q, DNS_TC);
	fake_rr_a(&a, name, "203.0.113.66"); /* half an answer is none */
	fake_send(t->udp, &q, &a);
}

static void reply_tcp(int conn, const struct fake_question *q, const char *addr)
{
	struct fake_answer a;

	fake_answer(&a, q, 0);
	fake_rr_a(&a, q->name, addr);
	fake_send_tcp(conn, &a);
}

/* A question that was truncated over UDP and has come over TCP. Returns its connection. */
static int net_open_asked(struct net *t, struct fake_question *q)
{
	int conn;

	net_open(t);
	ask_truncated(t, "a.example", &got[0]);
	conn = fake_accept(&t->k, t->tcp);
	fake_take_tcp(&t->k, conn, q);
	return conn;
}

static void truncated_answer_is_asked_for_over_tcp(void **state)
{
	struct fake_question q;
	struct net t;
	int conn;

	conn = net_open_asked(&t, &q);
	assert_string_equal(q.name, "a.example");
	assert_int_equal(q.len, q.end + 11); /* EDNS, no padding in the clear */
	reply_tcp(conn, &q, "198.51.100.1");
	fake_wait(&t.k, &got[0]);
	assert_true(result_has_addr(&got[0], "198.51.100.1"));
	assert_false(result_has_addr(&got[0], "203.0.113.66"));
	close(conn);
	net_close(&t);
}

static void answer_that_does_not_fit_is_asked_for_over_tcp(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct net t;
	int conn;

	net_open(&t);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got[0]);
	fake_take(&t.k, t.udp, &q);
	fake_answer(&a, &q, 0); /* no TC, but more than we said that we take */
	for (int i = 0; i < 60; i++)
		fake_rr_a(&a, "a.example", "203.0.113.66");
	assert_true(wcur_len(&a.w) > DNS_UDP_ANSWER_MAX);
	fake_send(t.udp, &q, &a);
	conn = fake_accept(&t.k, t.tcp);
	fake_take_tcp(&t.k, conn, &q);
	reply_tcp(conn, &q, "198.51.100.1");
	fake_wait(&t.k, &got[0]);
	assert_true(result_has_addr(&got[0], "198.51.100.1"));
	close(conn);
	net_close(&t);
}

static void answers_come_in_any_order_over_one_connection(void **state)
{
	struct fake_question q[3];
	struct net t;
	int conn;

	net_open(&t);
	ask_truncated(&t, "a.example", &got[0]);
	conn = fake_accept(&t.k, t.tcp);
	fake_take_tcp(&t.k, conn, &q[0]);
	ask_truncated(&t, "b.example", &got[1]);
	fake_take_tcp(&t.k, conn, &q[1]);
	ask_truncated(&t, "c.example", &got[2]);
	fake_take_tcp(&t.k, conn, &q[2]);
	for (int i = 2; i >= 0; i--) {
		char addr[] = "198.51.100.0";

		addr[sizeof(addr) - 2] = (char)('0' + i);
		reply_tcp(conn, &q[i], addr);
		reply_tcp(conn, &q[i], "203.0.113.66"); /* twice: the second is nobody's */
		fake_wait(&t.k, &got[i]);
		assert_true(result_has_addr(&got[i], addr));
	}
	ask_truncated(&t, "d.example", &got[0]); /* the connection is still good */
	fake_take_tcp(&t.k, conn, &q[0]);
	reply_tcp(conn, &q[0], "198.51.100.4");
	fake_wait(&t.k, &got[0]);
	assert_true(fake_none(&t.k, t.tcp, 20));
	close(conn);
	net_close(&t);
}

static void wrong_answer_over_tcp_is_not_taken(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct net t;
	int conn;

	conn = net_open_asked(&t, &q);
	fake_answer(&a, &q, 0);
	fake_rr_a(&a, "a.example", "203.0.113.66");
	a.buf[13] ^= 1;
	fake_send_tcp(conn, &a);
	fake_run(&t.k, 30);
	assert_int_equal(got[0].calls, 0);
	reply_tcp(conn, &q, "198.51.100.1");
	fake_wait(&t.k, &got[0]);
	assert_true(result_has_addr(&got[0], "198.51.100.1"));
	close(conn);
	net_close(&t);
}

static void connection_that_ends_has_its_questions_asked_again(void **state)
{
	static const uint8_t garbage[] = { 0, 3, 1, 2, 3 };
	struct fake_question q;
	struct net t;
	int conn;

	net_open(&t);
	for (int how = 0; how < 3; how++) {
		ask_truncated(&t, "a.example", &got[0]);
		ask_truncated(&t, "b.example", &got[1]);
		conn = fake_accept(&t.k, t.tcp);
		fake_take_tcp(&t.k, conn, &q);
		fake_take_tcp(&t.k, conn, &q);
		if (how == 1)
			assert_int_equal(send(conn, garbage, 4, 0), 4); /* half a message */
		if (how == 2)
			assert_int_equal(send(conn, garbage, 5, 0), 5); /* no message */
		else
			close(conn);
		for (int i = 0; i < 2; i++) {
			fake_take(&t.k, t.next, &q);
			fake_reply_a(t.next, &q, "198.51.100.2");
		}
		for (int i = 0; i < 2; i++) {
			fake_wait(&t.k, &got[i]);
			assert_true(result_has_addr(&got[i], "198.51.100.2"));
		}
		if (how == 2)
			close(conn);
	}
	net_close(&t);
}

static void silent_connection_is_given_up(void **state)
{
	struct fake_question q;
	struct net t;
	char byte;
	int conn;

	conn = net_open_asked(&t, &q);
	fake_take(&t.k, t.next, &q);
	fake_reply_a(t.next, &q, "198.51.100.2");
	fake_wait(&t.k, &got[0]);
	assert_true(result_has_addr(&got[0], "198.51.100.2"));
	assert_true(fake_readable(&t.k, conn, WAIT_MS));
	assert_int_equal(recv(conn, &byte, 1, 0), 0); /* closed by the forwarder */
	close(conn);
	net_close(&t);
}

static void closed_tcp_port_leads_to_the_next(void **state)
{
	struct fake_question q;
	struct net t;

	net_open(&t);
	close(t.tcp);
	ask_truncated(&t, "a.example", &got[0]);
	fake_take(&t.k, t.next, &q);
	fake_reply_a(t.next, &q, "198.51.100.2");
	fake_wait(&t.k, &got[0]);
	assert_true(result_has_addr(&got[0], "198.51.100.2"));
	t.tcp = dup(t.udp);
	net_close(&t);
}

static void crowded_connection_gets_a_second_one_beside_it(void **state)
{
	struct fake_question q;
	struct net t;
	int conn[2];

	net_open(&t);
	for (uint32_t i = 0; i <= FORWARD_CONN_CROWDED; i++)
		ask_truncated(&t, "a.example", &got[i]);
	conn[0] = fake_accept(&t.k, t.tcp);
	conn[1] = fake_accept(&t.k, t.tcp);
	for (uint32_t i = 0; i <= FORWARD_CONN_CROWDED; i++) {
		int on = i < FORWARD_CONN_CROWDED ? conn[0] : conn[1];

		fake_take_tcp(&t.k, on, &q);
		reply_tcp(on, &q, "198.51.100.1");
	}
	for (uint32_t i = 0; i <= FORWARD_CONN_CROWDED; i++)
		fake_wait(&t.k, &got[i]);
	close(conn[0]);
	close(conn[1]);
	net_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated_answer_is_asked_for_over_tcp),
		cmocka_unit_test(answer_that_does_not_fit_is_asked_for_over_tcp),
		cmocka_unit_test(answers_come_in_any_order_over_one_connection),
		cmocka_unit_test(wrong_answer_over_tcp_is_not_taken),
		cmocka_unit_test(connection_that_ends_has_its_questions_asked_again),
		cmocka_unit_test(silent_connection_is_given_up),
		cmocka_unit_test(closed_tcp_port_leads_to_the_next),
		cmocka_unit_test(crowded_connection_gets_a_second_one_beside_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
