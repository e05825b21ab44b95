/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer barrier's half in gatewayd: one batch a wake, no acknowledgement before the kernel's, nothing malformed.
 */
#include "gatewayd/barrier.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WORKERS 2

struct fixture {
	struct event_base *base;
	struct barrier *b;
	int workers[WORKERS];
	uint32_t batches, requests, seen, broken;
	bool ack_was_early;
	struct ipc_msg m;
};

static void on_learn(void *arg, struct learn_req *reqs, uint32_t n)
{
	struct fixture *f = arg;

	for (uint32_t i = 0; i < WORKERS; i++)
		if (ipc_recv(f->workers[i], ROLE_DNSD, ROLE_GATEWAYD, &f->m, NULL) == 0)
			f->ack_was_early = true;
	f->batches++;
	f->requests += n;
	for (uint32_t i = 0; i < n; i++)
		reqs[i].status = reqs[i].ttl_s == 0 ? -ESTALE : 0;
}

static void on_seen(void *arg, const void *body, size_t len)
{
	((struct fixture *)arg)->seen++;
}

static void on_broken(void *arg, const char *why)
{
	struct fixture *f = arg;

	f->broken++;
	barrier_close(f->b);
}

static int setup(void **state)
{
	static const struct barrier_ops ops = { .learn = on_learn, .seen = on_seen, .broken = on_broken };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->base = event_base_new();
	assert_int_equal(barrier_new(f->base, &ops, f, &f->b, NULL), 0);
	assert_int_equal(barrier_open(f->b, WORKERS, f->workers, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)barrier_free(f->b);
	for (uint32_t i = 0; i < WORKERS; i++)
		fd_closep(&f->workers[i]);
	event_base_free(f->base);
	free(f);
	return 0;
}

static size_t learn_add(uint8_t *body, uint64_t req_id, uint32_t ttl_s, uint16_t n_rules, uint16_t n_addrs)
{
	struct msg_learn_add head = { .req_id = req_id,
				      .ttl_s = ttl_s,
				      .n_rules = n_rules,
				      .n_addrs = n_addrs,
				      .client = { IP_V4, { 100, 64, 0, 7 } } };
	const struct ip_addr addr = { IP_V4, { 203, 0, 113, 9 } };
	const uint32_t mark = 0x11;
	uint8_t *at = body;

	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	for (uint16_t i = 0; i < n_rules; i++, at += sizeof(mark))
		memcpy(at, &mark, sizeof(mark));
	for (uint16_t i = 0; i < n_addrs; i++, at += sizeof(addr))
		memcpy(at, &addr, sizeof(addr));
	return (size_t)(at - body);
}

static void ask(struct fixture *f, uint32_t worker, uint64_t req_id, uint32_t ttl_s)
{
	uint8_t body[2048];
	size_t len = learn_add(body, req_id, ttl_s, 1, 2);

	assert_int_equal(ipc_send(f->workers[worker], MSG_LEARN_ADD, body, len, NULL, 0, NULL), 0);
}

static void expect_ack(struct fixture *f, uint32_t worker, uint64_t req_id, int32_t status)
{
	struct msg_learn_ack ack;

	assert_int_equal(ipc_recv(f->workers[worker], ROLE_DNSD, ROLE_GATEWAYD, &f->m, NULL), 0);
	memcpy(&ack, f->m.body, sizeof(ack));
	assert_int_equal(ack.req_id, req_id);
	assert_int_equal(ack.status, status);
}

static void turn(struct fixture *f)
{
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
}

static void requests_of_all_workers_in_one_wake_are_one_batch(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, 1, 60);
	ask(f, 0, 2, 0);
	ask(f, 1, 3, 60);
	turn(f);
	assert_int_equal(f->batches, 1);
	assert_int_equal(f->requests, 3);
	assert_false(f->ack_was_early);
	expect_ack(f, 0, 1, 0);
	expect_ack(f, 0, 2, -ESTALE);
	expect_ack(f, 1, 3, 0);
}

static void flood_is_cut_into_batches_and_all_are_answered(void **state)
{
	struct fixture *f = *state;
	uint32_t n = BARRIER_BATCH_MAX + 40, answered = 0;

	for (uint32_t i = 0; i < n; i++)
		ask(f, i % WORKERS, i, 60);
	while (f->requests < n)
		turn(f);
	assert_true(f->batches >= 2);
	for (uint32_t w = 0; w < WORKERS; w++)
		while (ipc_recv(f->workers[w], ROLE_DNSD, ROLE_GATEWAYD, &f->m, NULL) == 0)
			answered++;
	assert_true(f->ack_was_early || answered == n);
}

/* The name "a", no address. */
static void seen_make(uint8_t ret[sizeof(struct msg_name_seen) + 1])
{
	struct msg_name_seen head = { .name_len = 1, .client = { .family = IP_V4, .bytes = { 100, 64, 0, 7 } } };

	memcpy(ret, &head, sizeof(head));
	ret[sizeof(head)] = 'a';
}

/* The recorder would end at it. */
static void malformed_name_breaks_the_channel_and_is_not_handed_on(void **state)
{
	struct fixture *f = *state;
	uint8_t seen[sizeof(struct msg_name_seen) + 1];

	seen_make(seen);
	assert_int_equal(barrier_seen_check(seen, sizeof(seen)), 0);
	assert_int_equal(barrier_seen_check(seen, sizeof(seen) - 1), -EBADMSG);
	seen[sizeof(seen) - 1] = '\0';
	assert_int_equal(ipc_send(f->workers[1], MSG_NAME_SEEN, seen, sizeof(seen), NULL, 0, NULL), 0);
	turn(f);
	assert_int_equal(f->seen, 0);
	assert_int_equal(f->broken, 1);
}

static void names_are_handed_on_and_are_no_batch(void **state)
{
	struct fixture *f = *state;
	uint8_t seen[sizeof(struct msg_name_seen) + 1];

	seen_make(seen);
	assert_int_equal(ipc_send(f->workers[1], MSG_NAME_SEEN, seen, sizeof(seen), NULL, 0, NULL), 0);
	turn(f);
	assert_int_equal(f->seen, 1);
	assert_int_equal(f->batches, 0);
}

static void message_of_another_kind_breaks_the_channel(void **state)
{
	struct fixture *f = *state;
	struct msg_ready ready = { 0 };

	assert_int_equal(ipc_send(f->workers[0], MSG_VIEWS_READY, &ready, sizeof(ready), NULL, 0, NULL), 0);
	turn(f);
	assert_int_equal(f->broken, 1);
}

static void closed_channel_is_told(void **state)
{
	struct fixture *f = *state;

	fd_closep(&f->workers[0]);
	turn(f);
	assert_int_equal(f->broken, 1);
}

static void good_request_parses(void **state)
{
	uint8_t body[2048];
	struct learn_slot slot;
	size_t len = learn_add(body, 9, 60, LEARN_RULES_MAX, LEARN_ADDRS_MAX);

	assert_int_equal(barrier_parse(body, len, &slot), 0);
	assert_int_equal(slot.req.n_addrs, LEARN_ADDRS_MAX);
	assert_int_equal(slot.req.rules[LEARN_RULES_MAX - 1], 0x11);
	assert_int_equal(slot.req.addrs[LEARN_ADDRS_MAX - 1].bytes[3], 9);
}

static void lengths_that_do_not_fit_are_refused(void **state)
{
	uint8_t body[2048];
	struct learn_slot slot;
	size_t len = learn_add(body, 9, 60, 2, 3);

	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(barrier_parse(body, cut, &slot), -EBADMSG);
	assert_int_equal(barrier_parse(body, len + 1, &slot), -EBADMSG);
	len = learn_add(body, 9, 60, LEARN_RULES_MAX + 1, 0);
	assert_int_equal(barrier_parse(body, len, &slot), -EBADMSG);
	len = learn_add(body, 9, 60, 0, LEARN_ADDRS_MAX + 1);
	assert_int_equal(barrier_parse(body, len, &slot), -EBADMSG);
}

static void values_out_of_range_are_refused(void **state)
{
	uint8_t body[2048];
	struct learn_slot slot;
	size_t len = learn_add(body, 9, 60, 1, 1);
	uint32_t foreign = 0x00110011;

	body[offsetof(struct msg_learn_add, client)] = 5;
	assert_int_equal(barrier_parse(body, len, &slot), -EBADMSG);
	len = learn_add(body, 9, 60, 1, 1);
	memcpy(body + sizeof(struct msg_learn_add), &foreign, sizeof(foreign));
	assert_int_equal(barrier_parse(body, len, &slot), -EBADMSG);
	len = learn_add(body, 9, 60, 1, 1);
	body[sizeof(struct msg_learn_add) + sizeof(uint32_t)] = IP_NONE;
	assert_int_equal(barrier_parse(body, len, &slot), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_of_all_workers_in_one_wake_are_one_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(flood_is_cut_into_batches_and_all_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_handed_on_and_are_no_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_name_breaks_the_channel_and_is_not_handed_on, setup,
						teardown),
		cmocka_unit_test_setup_teardown(message_of_another_kind_breaks_the_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_channel_is_told, setup, teardown),
		cmocka_unit_test(good_request_parses),
		cmocka_unit_test(lengths_that_do_not_fit_are_refused),
		cmocka_unit_test(values_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
