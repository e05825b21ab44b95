/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/dnstap.c against a reader that is written by the frame: what is told, of whom, and what becomes of a reader that
 * is slow or goes. */
#include "dnsd/dnstap.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "dnsd/dnstap.pb-c.h"

#define TYPE	  "protobuf:dnstap.Dnstap"
#define FRAME_MAX 70000u

struct fixture {
	struct event_base *base;
	struct stats stats;
	struct dnstap *t;
	int reader;
	uint32_t lost;
	uint8_t frame[FRAME_MAX];
};

static void on_lost(void *arg)
{
	((struct fixture *)arg)->lost++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->base = event_base_new();
	f->t = dnstap_new(f->base, &f->stats, on_lost, f);
	f->reader = -1;
	assert_non_null(f->t);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->t = dnstap_free(f->t);
	fd_closep(&f->reader);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 4; i++)
		assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
}

static void connect_reader(struct fixture *f, int buffer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	if (buffer != 0)
		assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
	fd_closep(&f->reader);
	f->reader = fds[1];
	assert_int_equal(dnstap_connect(f->t, fds[0], NULL), 0);
}

static uint32_t be32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* All of it, turning the loop while there is less. */
static void read_all(struct fixture *f, void *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = recv(f->reader, (unsigned char *)to + at, len - at, MSG_DONTWAIT);

		if (n < 0)
			turn(f);
		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		at += n > 0 ? (size_t)n : 0;
	}
}

/* A control frame of that type with our content type. */
static void expect_control(struct fixture *f, uint32_t type)
{
	uint8_t head[8], body[512];

	read_all(f, head, sizeof(head));
	assert_int_equal(be32(head), 0);
	assert_true(be32(head + 4) <= sizeof(body));
	read_all(f, body, be32(head + 4));
	assert_int_equal(be32(body), type);
	assert_int_equal(be32(head + 4), 12 + strlen(TYPE));
	assert_memory_equal(body + 12, TYPE, strlen(TYPE));
}

static void send_accept(struct fixture *f, const char *type)
{
	uint8_t frame[128] = { 0 };
	size_t len = strlen(type);

	frame[7] = (uint8_t)(12 + len);
	frame[11] = 1; /* ACCEPT */
	frame[15] = 1; /* content type */
	frame[19] = (uint8_t)len;
	memcpy(frame + 20, type, len);
	/* In two pieces: it is a stream. */
	assert_int_equal(send(f->reader, frame, 5, MSG_NOSIGNAL), 5);
	turn(f);
	assert_int_equal(send(f->reader, frame + 5, 15 + len, MSG_NOSIGNAL), 15 + len);
	turn(f);
}

static void begin(struct fixture *f, int buffer)
{
	connect_reader(f, buffer);
	expect_control(f, 4); /* READY */
	send_accept(f, TYPE);
	expect_control(f, 2); /* START */
}

static Dnstap__Dnstap *next_frame(struct fixture *f)
{
	uint8_t head[4];
	Dnstap__Dnstap *tap;

	read_all(f, head, sizeof(head));
	assert_true(be32(head) != 0 && be32(head) <= sizeof(f->frame));
	read_all(f, f->frame, be32(head));
	tap = dnstap__dnstap__unpack(NULL, be32(head), f->frame);
	assert_non_null(tap);
	assert_non_null(tap->message);
	return tap;
}

static struct dnstap_event event_of(uint8_t last, bool response, const uint8_t *msg, size_t len)
{
	struct dnstap_event e = { .response = response,
				  .transport = DNS_TRANSPORT_UDP,
				  .client = { .family = IP_V4, .bytes = { 100, 64, 0, last } },
				  .client_port = 5353,
				  .asked_us = UINT64_C(1700000000123456),
				  .now_us = UINT64_C(1700000001000001),
				  .msg = msg,
				  .len = len };

	return e;
}

static void question_and_answer_are_told(void **state)
{
	struct fixture *f = *state;
	const uint8_t question[] = "question", answer[] = "the answer";
	struct dnstap_event e = event_of(7, false, question, sizeof(question));
	Dnstap__Dnstap *tap;

	assert_false(dnstap_on(f->t));
	begin(f, 0);
	assert_true(dnstap_on(f->t));
	dnstap_add(f->t, &e);
	e = event_of(7, true, answer, sizeof(answer));
	e.rule = "list ads line 3: ||x^";
	e.transport = DNS_TRANSPORT_TLS;
	dnstap_add(f->t, &e);
	dnstap_flush(f->t);
	tap = next_frame(f);
	assert_int_equal(tap->message->type, DNSTAP__MESSAGE__TYPE__CLIENT_QUERY);
	assert_int_equal(tap->message->query_address.len, 4);
	assert_memory_equal(tap->message->query_address.data, "\x64\x40\0\x07", 4);
	assert_int_equal(tap->message->query_port, 5353);
	assert_int_equal(tap->message->query_time_sec, 1700000000);
	assert_int_equal(tap->message->query_time_nsec, 123456000);
	assert_memory_equal(tap->message->query_message.data, question, sizeof(question));
	assert_false(tap->message->has_response_message);
	dnstap__dnstap__free_unpacked(tap, NULL);
	tap = next_frame(f);
	assert_int_equal(tap->message->type, DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE);
	assert_int_equal(tap->message->socket_protocol, DNSTAP__SOCKET_PROTOCOL__DOT);
	assert_int_equal(tap->message->response_time_sec, 1700000001);
	assert_memory_equal(tap->message->response_message.data, answer, sizeof(answer));
	assert_memory_equal(tap->message->policy->rule.data, "list ads line 3: ||x^", 21);
	dnstap__dnstap__free_unpacked(tap, NULL);
	assert_int_equal(f->stats.counts.events[DNS_EVENT_TAP_FRAMES], 2);
	assert_int_equal(f->stats.counts.events[DNS_EVENT_TAP_DROPPED], 0);
}

static void only_what_the_policy_lets_be_told_is_wanted(void **state)
{
	struct view view = { 0 };

	(void)state;
	for (uint32_t level = 0; level < LOG_LEVEL_MAX; level++)
		for (uint32_t outcome = 0; outcome < DNS_OUTCOME_MAX; outcome++) {
			bool refused = outcome == DNS_OUTCOME_BLOCKED || outcome == DNS_OUTCOME_REBIND;
			bool all = level == LOG_LEVEL_FULL;

			view.queries = level;
			assert_int_equal(dnstap_wants(&view, false, outcome), all);
			assert_int_equal(dnstap_wants(&view, true, outcome),
					 all || (level == LOG_LEVEL_BLOCKED && refused));
		}
}

static void what_comes_before_the_reader_is_ready_waits(void **state)
{
	struct fixture *f = *state;
	struct dnstap_event e = event_of(1, true, (const uint8_t *)"early", 5);

	connect_reader(f, 0);
	dnstap_add(f->t, &e);
	dnstap_flush(f->t);
	expect_control(f, 4);
	send_accept(f, TYPE);
	expect_control(f, 2);
	dnstap__dnstap__free_unpacked(next_frame(f), NULL);
}

static void reader_of_something_else_is_left(void **state)
{
	struct fixture *f = *state;

	connect_reader(f, 0);
	expect_control(f, 4);
	send_accept(f, "protobuf:other.Thing");
	assert_int_equal(f->lost, 1);
	connect_reader(f, 0);
	assert_int_equal(send(f->reader, "HTTP/1.1 400 Bad Request", 24, MSG_NOSIGNAL), 24);
	turn(f);
	assert_int_equal(f->lost, 2);
}

static void slow_reader_costs_frames_and_never_waits(void **state)
{
	struct fixture *f = *state;
	static uint8_t msg[1000];
	struct dnstap_event e = event_of(1, true, msg, sizeof(msg));
	uint64_t told, dropped;

	begin(f, 4096);
	for (uint32_t i = 0; i < 1000; i++) {
		memcpy(msg, &i, sizeof(i));
		dnstap_add(f->t, &e);
		dnstap_flush(f->t);
	}
	told = f->stats.counts.events[DNS_EVENT_TAP_FRAMES];
	dropped = f->stats.counts.events[DNS_EVENT_TAP_DROPPED];
	assert_int_equal(told + dropped, 1000);
	assert_true(told >= DNSTAP_QUEUE_BYTES / 1200 && told < 500);
	for (uint64_t i = 0; i < told; i++) {
		Dnstap__Dnstap *tap = next_frame(f);
		uint32_t number;

		/* In order, whole, over the ring's end too. */
		memcpy(&number, tap->message->response_message.data, sizeof(number));
		assert_int_equal(tap->message->response_message.len, sizeof(msg));
		assert_int_equal(number, i);
		dnstap__dnstap__free_unpacked(tap, NULL);
	}
	assert_int_equal(f->lost, 0);
}

/* Many times around the ring, with frames of all sizes. */
static void ring_goes_round(void **state)
{
	struct fixture *f = *state;
	static uint8_t msg[65535];

	begin(f, 0);
	for (uint32_t i = 0; i < 400; i++) {
		size_t len = 100 + (i * 7919u) % 60000u;
		struct dnstap_event e = event_of(1, true, msg, len);
		Dnstap__Dnstap *tap;

		memcpy(msg, &i, sizeof(i));
		msg[len - 1] = (uint8_t)i;
		dnstap_add(f->t, &e);
		dnstap_flush(f->t);
		tap = next_frame(f);
		assert_int_equal(tap->message->response_message.len, len);
		assert_memory_equal(tap->message->response_message.data, msg, len);
		dnstap__dnstap__free_unpacked(tap, NULL);
	}
	assert_int_equal(f->stats.counts.events[DNS_EVENT_TAP_DROPPED], 0);
}

static void next_reader_begins_with_a_whole_frame(void **state)
{
	struct fixture *f = *state;
	static uint8_t msg[20000];
	struct dnstap_event e = event_of(1, true, msg, sizeof(msg));
	uint8_t part[5000];
	Dnstap__Dnstap *tap;

	begin(f, 4096);
	memset(msg, 1, sizeof(msg));
	dnstap_add(f->t, &e);
	memset(msg, 2, sizeof(msg));
	dnstap_add(f->t, &e);
	dnstap_flush(f->t);
	read_all(f, part, sizeof(part)); /* the reader goes in the middle of the first */
	fd_closep(&f->reader);
	turn(f);
	assert_int_equal(f->lost, 1);
	assert_true(dnstap_on(f->t));
	memset(msg, 3, sizeof(msg));
	dnstap_add(f->t, &e); /* while nobody reads */
	begin(f, 0);
	for (uint8_t i = 1; i <= 3; i++) {
		tap = next_frame(f);
		assert_int_equal(tap->message->response_message.len, sizeof(msg));
		assert_int_equal(tap->message->response_message.data[19999], i);
		dnstap__dnstap__free_unpacked(tap, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(question_and_answer_are_told, setup, teardown),
		cmocka_unit_test(only_what_the_policy_lets_be_told_is_wanted),
		cmocka_unit_test_setup_teardown(what_comes_before_the_reader_is_ready_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(reader_of_something_else_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_reader_costs_frames_and_never_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(ring_goes_round, setup, teardown),
		cmocka_unit_test_setup_teardown(next_reader_begins_with_a_whole_frame, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
