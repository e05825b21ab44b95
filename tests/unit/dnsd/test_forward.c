/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/forward*.c over datagrams: what is asked, what is believed, who is asked next. */
#include "upstream_fake.h"

#include "dnsd/forward_udp.h"
#include "dnsd/upstream.h"

/* Two public upstreams and one for corp.example, and a forwarder that knows them. */
struct two {
	struct fake k;
	int fd[2], split;
	uint16_t port[2], split_port;
};

static struct fake_result got;

static void open_two(struct two *t, uint32_t n)
{
	struct fake_route r;

	*t = (struct two){ 0 };
	for (uint32_t i = 0; i < 2; i++)
		t->fd[i] = fake_socket(SOCK_DGRAM, &t->port[i]);
	t->split = fake_socket(SOCK_DGRAM, &t->split_port);
	fake_route(&r, t->port, n, t->split_port);
	fake_open(&t->k, &r, NULL);
}

static void close_two(struct two *t)
{
	fake_close(&t->k);
	for (uint32_t i = 0; i < 2; i++)
		close(t->fd[i]);
	close(t->split);
}

static void question_carries_nothing_of_the_client(void **state)
{
	static const uint8_t opt[] = { 0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0, 0, 0, 0 };
	static const uint8_t opt_do[] = { 0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0x80, 0, 0, 0 };
	struct fake_question q;
	struct two t;

	open_two(&t, 2);
	fake_ask(&t.k, "Plain.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	assert_string_equal(q.name, "plain.example");
	assert_int_equal(q.msg[2] << 8 | q.msg[3], DNS_RD);
	assert_int_equal(q.len, q.end + sizeof(opt));
	assert_memory_equal(q.msg + q.end, opt, sizeof(opt));
	fake_reply_a(t.fd[0], &q, "198.51.100.1");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.1"));

	fake_ask(&t.k, "plain.example", TYPE_AAAA, DNS_CD, true, &got);
	fake_take(&t.k, t.fd[0], &q);
	assert_int_equal(q.msg[2] << 8 | q.msg[3], DNS_RD | DNS_CD);
	assert_memory_equal(q.msg + q.end, opt_do, sizeof(opt_do));
	fake_reply_rcode(t.fd[0], &q, RCODE_NXDOMAIN);
	fake_wait(&t.k, &got);
	assert_int_equal(result_rcode(&got), RCODE_NXDOMAIN);
	close_two(&t);
}

/* Send @q's answer with @len bytes at @at of the message changed by @mask. */
static void reply_forged(const struct two *t, const struct fake_question *q, size_t at, uint8_t mask)
{
	struct fake_answer a;

	fake_answer(&a, q, 0);
	fake_rr_a(&a, q->name, "203.0.113.66");
	a.buf[at] ^= mask;
	fake_send(t->fd[0], q, &a);
}

static void only_the_answer_to_the_question_is_taken(void **state)
{
	struct sockaddr_in stranger = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct fake_question q;
	struct fake_answer a;
	struct two t;

	assert_int_equal(bind(other, (struct sockaddr *)&stranger, sizeof(stranger)), 0);
	open_two(&t, 1);
	fake_ask(&t.k, "plain.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	reply_forged(&t, &q, 0, 1);	    /* ID */
	reply_forged(&t, &q, 2, 0x80);	    /* a question */
	reply_forged(&t, &q, 2, 0x28);	    /* opcode */
	reply_forged(&t, &q, 5, 3);	    /* two questions */
	reply_forged(&t, &q, 14, 1);	    /* name */
	reply_forged(&t, &q, q.end - 3, 2); /* type */
	reply_forged(&t, &q, q.end - 1, 2); /* class */
	assert_true(sendto(t.fd[0], q.msg, 3, 0, (struct sockaddr *)&q.peer, sizeof(q.peer)) == 3);
	fake_run(&t.k, 50);
	assert_int_equal(got.calls, 0);
	assert_int_equal(forward_ignored(t.k.f), 8);
	fake_answer(&a, &q, 0); /* right in all, but of somebody else: the kernel does not even deliver it */
	fake_rr_a(&a, q.name, "203.0.113.66");
	fake_send(other, &q, &a);
	fake_run(&t.k, 50);
	assert_int_equal(got.calls, 0);
	a.buf[13] ^= 0x20; /* case is no difference */
	a.buf[wcur_len(&a.w) - 1] = 1;
	fake_send(t.fd[0], &q, &a);
	fake_send(t.fd[0], &q, &a); /* a duplicate */
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "203.0.113.1"));
	fake_run(&t.k, 30);
	assert_int_equal(got.calls, 1);
	close(other);
	close_two(&t);
}

static void silent_upstream_leads_to_the_next(void **state)
{
	struct fake_question q, q2;
	struct two t;

	open_two(&t, 2);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	fake_take(&t.k, t.fd[1], &q2);
	assert_memory_equal(q2.msg + 2, q.msg + 2, q.len - 2);
	assert_int_not_equal(q.peer.sin_port, q2.peer.sin_port);
	fake_reply_a(t.fd[1], &q2, "198.51.100.2");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.2"));
	fake_reply_a(t.fd[0], &q, "198.51.100.1"); /* nobody waits any more */
	fake_run(&t.k, 30);
	assert_int_equal(got.calls, 1);
	close_two(&t);
}

static void late_answer_counts_when_it_is_the_first(void **state)
{
	struct fake_question q;
	struct two t;

	open_two(&t, 2);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	assert_true(fake_readable(&t.k, t.fd[1], WAIT_MS)); /* asked in the meantime, and silent */
	fake_reply_a(t.fd[0], &q, "198.51.100.1");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.1"));
	close_two(&t);
}

static void refusal_leads_to_the_next_at_once(void **state)
{
	static const uint16_t rcodes[] = { RCODE_SERVFAIL, RCODE_REFUSED, RCODE_NOTIMP, RCODE_NOTAUTH };
	struct fake_question q;
	struct two t;

	open_two(&t, 2);
	for (size_t i = 0; i < ARRAY_LEN(rcodes); i++) {
		fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
		fake_take(&t.k, t.fd[0], &q);
		fake_reply_rcode(t.fd[0], &q, rcodes[i]);
		assert_true(fake_readable(&t.k, t.fd[1], 100));
		fake_take(&t.k, t.fd[1], &q);
		fake_reply_a(t.fd[1], &q, "198.51.100.2");
		fake_wait(&t.k, &got);
		assert_true(result_has_addr(&got, "198.51.100.2"));
	}
	close_two(&t);
}

static void referral_is_no_answer(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct two t;

	open_two(&t, 2);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	fake_answer(&a, &q, 0);
	fake_rr_name(&a, SECTION_AUTHORITY, "example", TYPE_NS, "ns.example");
	a.buf[3] &= 0x7f; /* not RA */
	fake_send(t.fd[0], &q, &a);
	fake_take(&t.k, t.fd[1], &q);
	fake_reply_a(t.fd[1], &q, "198.51.100.2");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.2"));
	close_two(&t);
}

static void failure_names_the_upstream_and_its_reason(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	char text[64];
	struct two t;

	open_two(&t, 1);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	fake_answer(&a, &q, RCODE_SERVFAIL);
	wcur_bytes(&a.w, "\0\0\x29\x04\xd0\0\0\0\0\0\x06\0\x0f\0\x02\0\x06", 17); /* OPT with EDE 6 */
	a.buf[11] = 1;
	fake_send(t.fd[0], &q, &a);
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	assert_int_equal(got.ede, EDE_DNSSEC_BOGUS);
	snprintf(text, sizeof(text), "127.0.0.1#%u: SERVFAIL", t.port[0]);
	assert_string_equal(got.text, text);

	fake_ask(&t.k, "b.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	fake_reply_rcode(t.fd[0], &q, RCODE_REFUSED);
	fake_wait(&t.k, &got);
	assert_int_equal(got.ede, EDE_NO_AUTHORITY);
	assert_non_null(strstr(got.text, "REFUSED"));
	close_two(&t);
}

static void closed_port_leads_to_the_next_at_once(void **state)
{
	struct fake_question q;
	struct two t;

	open_two(&t, 2);
	close(t.fd[0]);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	assert_true(fake_readable(&t.k, t.fd[1], 100));
	fake_take(&t.k, t.fd[1], &q);
	fake_reply_a(t.fd[1], &q, "198.51.100.2");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.2"));
	t.fd[0] = fake_socket(SOCK_DGRAM, &t.port[0]);
	close_two(&t);
}

static void closed_ports_end_in_a_network_error(void **state)
{
	struct two t;
	char text[80];

	open_two(&t, 1);
	close(t.fd[0]);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	assert_int_equal(got.ede, EDE_NETWORK_ERROR);
	snprintf(text, sizeof(text), "127.0.0.1#%u: Connection refused", t.port[0]);
	assert_string_equal(got.text, text);
	t.fd[0] = fake_socket(SOCK_DGRAM, &t.port[0]);
	close_two(&t);
}

static void unreachable_network_leads_to_the_next(void **state)
{
	struct fake_question q;
	struct fake_route r;
	struct two t;

	open_two(&t, 1);
	fake_close(&t.k);
	fake_route(&r, t.port, 2, 0);
	r.ups[1] = r.ups[0];
	/* 2001:db8::1 from a host without IPv6, or nobody's address: an error, or silence. */
	r.ups[0].addr = (struct ip_addr){ .family = IP_V6, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	fake_open(&t.k, &r, NULL);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	fake_reply_a(t.fd[0], &q, "198.51.100.2");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.2"));
	close_two(&t);
}

static void silence_ends_before_the_client_gives_up(void **state)
{
	struct upstream_status s[2]; /* the split's, and ours */
	char text[64];
	struct two t;

	open_two(&t, 1);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_run(&t.k, (int)(FORWARD_DEADLINE_US / 1000) - 200);
	assert_int_equal(got.calls, 0);
	fake_wait(&t.k, &got);
	assert_int_equal(got.ede, EDE_NO_AUTHORITY);
	snprintf(text, sizeof(text), "127.0.0.1#%u: no answer", t.port[0]);
	assert_string_equal(got.text, text);
	assert_int_equal(forward_status(t.k.f, s, 2), 2);
	assert_int_equal(s[0].port, t.split_port);
	assert_true(s[1].down);
	assert_in_range(s[1].sent, 3, FORWARD_TRIES_MAX);
	assert_in_range(s[1].timeouts, 3, FORWARD_TRIES_MAX);
	assert_int_equal(s[1].answered, 0);
	close_two(&t);
}

static void upstream_without_edns_is_asked_without(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct two t;

	open_two(&t, 1);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	q.end = DNS_HEADER_LEN; /* it did not understand the question */
	fake_answer(&a, &q, RCODE_FORMERR);
	a.buf[5] = 0;
	fake_send(t.fd[0], &q, &a);
	fake_take(&t.k, t.fd[0], &q);
	assert_int_equal(q.len, q.end);
	assert_int_equal(q.msg[11], 0);
	fake_reply_a(t.fd[0], &q, "198.51.100.1");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.1"));
	fake_ask(&t.k, "b.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	assert_int_equal(q.len, q.end);
	fake_reply_rcode(t.fd[0], &q, RCODE_FORMERR); /* to a question without EDNS: that is its answer */
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	assert_non_null(strstr(got.text, "FORMERR"));
	close_two(&t);
}

static void formerr_of_an_upstream_with_edns_is_its_answer(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct two t;

	open_two(&t, 2);
	fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	fake_answer(&a, &q, RCODE_FORMERR);
	wcur_bytes(&a.w, q.msg + q.end, q.len - q.end); /* OPT */
	a.buf[11] = 1;
	fake_send(t.fd[0], &q, &a);
	fake_take(&t.k, t.fd[1], &q);
	fake_reply_a(t.fd[1], &q, "198.51.100.2");
	fake_wait(&t.k, &got);
	fake_ask(&t.k, "b.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q);
	assert_int_equal(q.len, q.end + 11); /* with EDNS as before */
	fake_reply_a(t.fd[0], &q, "198.51.100.1");
	fake_wait(&t.k, &got);
	close_two(&t);
}

static void malformed_alias_leads_to_the_next(void **state)
{
	struct fake_question q;
	struct fake_answer a;
	struct two t;

	open_two(&t, 2);
	for (int kind = 0; kind < 3; kind++) {
		fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
		fake_take(&t.k, t.fd[0], &q);
		fake_answer(&a, &q, 0);
		if (kind == 0) { /* the name of the target points to itself */
			uint16_t at = (uint16_t)(0xc000 | (wcur_len(&a.w) + 11 + 10));

			fake_rr(&a, SECTION_ANSWER, "a.example", TYPE_CNAME,
				(uint8_t[]){ (uint8_t)(at >> 8), (uint8_t)at }, 2);
		} else if (kind == 1) { /* an alias of itself */
			fake_rr_name(&a, SECTION_ANSWER, "a.example", TYPE_CNAME, "a.example");
		} else { /* more records announced than there are */
			fake_rr_name(&a, SECTION_ANSWER, "b.example", TYPE_A, "b.example");
			a.buf[7] = 9;
		}
		fake_send(t.fd[0], &q, &a);
		fake_take(&t.k, t.fd[1], &q);
		fake_reply_a(t.fd[1], &q, "198.51.100.2");
		fake_wait(&t.k, &got);
		assert_true(result_has_addr(&got, "198.51.100.2"));
	}
	close_two(&t);
}

static bool is_down(const struct two *t, uint32_t i)
{
	struct upstream_status s[3]; /* the split's is the first */

	assert_int_equal(forward_status(t->k.f, s, 3), 3);
	assert_int_equal(s[1 + i].port, t->port[i]);
	return s[1 + i].down;
}

/* One question that the second upstream answers, and whatever the first one got meanwhile is lost. */
static bool second_answers(struct two *t)
{
	struct fake_question q, lost;
	bool first_was_asked = false;

	fake_ask(&t->k, "a.example", TYPE_A, 0, false, &got);
	fake_take(&t->k, t->fd[1], &q);
	fake_reply_a(t->fd[1], &q, "198.51.100.2");
	fake_wait(&t->k, &got);
	while (fake_readable(&t->k, t->fd[0], 0)) {
		fake_take(&t->k, t->fd[0], &lost);
		first_was_asked = true;
	}
	return first_was_asked;
}

static void upstream_that_is_down_is_tried_beside_the_other(void **state)
{
	struct fake_question q;
	struct two t;

	open_two(&t, 2);
	for (int i = 0; i < 20 && !is_down(&t, 0); i++)
		(void)second_answers(&t);
	assert_true(is_down(&t, 0));
	assert_false(is_down(&t, 1));
	assert_false(second_answers(&t)); /* no question waits for the one that is down */
	fake_run(&t.k, (int)(UPSTREAM_PROBE_MIN_US / 1000) + 20);
	assert_true(second_answers(&t));
	assert_true(is_down(&t, 0));
	assert_false(second_answers(&t));
	fake_run(&t.k, (int)(2 * UPSTREAM_PROBE_MIN_US / 1000) + 20);
	fake_ask(&t.k, "c.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q); /* the next probe; its answer counts as any other's */
	fake_reply_a(t.fd[0], &q, "198.51.100.1");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "198.51.100.1"));
	assert_false(is_down(&t, 0));
	fake_take(&t.k, t.fd[1], &q);
	fake_ask(&t.k, "d.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.fd[0], &q); /* the first again */
	fake_reply_a(t.fd[0], &q, "198.51.100.1");
	fake_wait(&t.k, &got);
	close_two(&t);
}

static void questions_of_a_burst_share_ports_and_no_more(void **state)
{
	static struct fake_result all[100];
	struct fake_question q[100];
	uint16_t seen[100];
	uint32_t n_ports = 0;
	struct two t;

	open_two(&t, 1);
	for (int i = 0; i < 100; i++)
		fake_ask(&t.k, "a.example", TYPE_A, 0, false, &all[i]);
	for (int i = 0; i < 100; i++) {
		uint32_t k = 0;

		fake_take(&t.k, t.fd[0], &q[i]);
		while (k < n_ports && seen[k] != q[i].peer.sin_port)
			k++;
		if (k == n_ports)
			seen[n_ports++] = q[i].peer.sin_port;
		for (int j = 0; j < i; j++) /* one port, one ID: one question */
			assert_true(q[j].peer.sin_port != q[i].peer.sin_port || memcmp(q[j].msg, q[i].msg, 2) != 0);
	}
	assert_int_equal(n_ports, (100 + FORWARD_BURST - 1) / FORWARD_BURST);
	for (int i = 99; i >= 0; i--)
		fake_reply_a(t.fd[0], &q[i], "198.51.100.1");
	for (int i = 0; i < 100; i++)
		fake_wait(&t.k, &all[i]);
	for (int i = 0; i < 5; i++) { /* behind the burst each question has a new port */
		fake_run(&t.k, (int)(FORWARD_BURST_US / 1000) + 5);
		fake_ask(&t.k, "a.example", TYPE_A, 0, false, &got);
		fake_take(&t.k, t.fd[0], &q[0]);
		for (uint32_t k = 0; k < n_ports; k++)
			assert_int_not_equal(seen[k], q[0].peer.sin_port);
		seen[n_ports++] = q[0].peer.sin_port;
		fake_reply_a(t.fd[0], &q[0], "198.51.100.1");
		fake_wait(&t.k, &got);
	}
	close_two(&t);
}

static void limit_of_questions_is_kept(void **state)
{
	struct dname n;
	struct two t;
	static struct fake_result one;

	open_two(&t, 1);
	close(t.fd[0]); /* so that they all end soon */
	assert_int_equal(dname_parse("a.example", 9, &n), 0);
	for (uint32_t i = 0; i < FORWARD_ASKS_MAX; i++)
		fake_ask(&t.k, "a.example", TYPE_A, 0, false, &one);
	assert_int_equal(forward_ask(t.k.f, &n, TYPE_A, 0, false, NULL, NULL), -E2BIG);
	one.calls = 0;
	for (int i = 0; i < 500 && one.calls < FORWARD_ASKS_MAX; i++)
		fake_run(&t.k, 10);
	assert_int_equal(one.calls, FORWARD_ASKS_MAX);
	t.fd[0] = fake_socket(SOCK_DGRAM, &t.port[0]);
	close_two(&t);
}

static void split_is_asked_of_its_own_upstream_only(void **state)
{
	struct fake_question q;
	struct two t;

	open_two(&t, 2);
	fake_ask(&t.k, "nas.corp.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.split, &q);
	fake_reply_a(t.split, &q, "10.8.0.5");
	fake_wait(&t.k, &got);
	assert_true(result_has_addr(&got, "10.8.0.5"));
	fake_ask(&t.k, "nas.corp.example", TYPE_A, 0, false, &got);
	fake_take(&t.k, t.split, &q);
	fake_reply_rcode(t.split, &q, RCODE_SERVFAIL);
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	fake_ask(&t.k, "nas.corp.example", TYPE_A, 0, false, &got); /* silent */
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	close(t.split);
	fake_ask(&t.k, "corp.example", TYPE_A, 0, false, &got); /* away */
	fake_wait(&t.k, &got);
	assert_int_equal(got.len, 0);
	assert_true(fake_none(&t.k, t.fd[0], 50));
	assert_true(fake_none(&t.k, t.fd[1], 0));
	t.split = fake_socket(SOCK_DGRAM, &t.split_port);
	close_two(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_carries_nothing_of_the_client),
		cmocka_unit_test(only_the_answer_to_the_question_is_taken),
		cmocka_unit_test(silent_upstream_leads_to_the_next),
		cmocka_unit_test(late_answer_counts_when_it_is_the_first),
		cmocka_unit_test(refusal_leads_to_the_next_at_once),
		cmocka_unit_test(referral_is_no_answer),
		cmocka_unit_test(failure_names_the_upstream_and_its_reason),
		cmocka_unit_test(closed_port_leads_to_the_next_at_once),
		cmocka_unit_test(closed_ports_end_in_a_network_error),
		cmocka_unit_test(unreachable_network_leads_to_the_next),
		cmocka_unit_test(silence_ends_before_the_client_gives_up),
		cmocka_unit_test(upstream_without_edns_is_asked_without),
		cmocka_unit_test(formerr_of_an_upstream_with_edns_is_its_answer),
		cmocka_unit_test(malformed_alias_leads_to_the_next),
		cmocka_unit_test(upstream_that_is_down_is_tried_beside_the_other),
		cmocka_unit_test(questions_of_a_burst_share_ports_and_no_more),
		cmocka_unit_test(limit_of_questions_is_kept),
		cmocka_unit_test(split_is_asked_of_its_own_upstream_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
