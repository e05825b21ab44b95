/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/learn.c: nothing leaves before its acknowledgement, and nothing waits for ever. */
#include "dnsd/learn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/ipc.h"

struct fixture {
	struct learn *l;
	int gateway; /* the other end */
	uint32_t n_done;
	struct learn_held *done[2048];
	int status[2048];
};

static void done(struct learn_held *h, int status, void *arg)
{
	struct fixture *f = arg;

	assert_false(h->held);
	f->done[f->n_done] = h;
	f->status[f->n_done++] = status;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pair[2];

	if (f == NULL || ipc_pair(pair, NULL) != 0)
		return -1;
	f->gateway = pair[0];
	f->l = learn_new(pair[1], done, f);
	*state = f;
	return f->l == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)learn_free(f->l);
	(void)close(f->gateway);
	free(f);
	return 0;
}

static const struct ip_addr client = { .family = IP_V4, .bytes = { 100, 64, 0, 7 } };
static const struct ip_addr addrs[2] = { { .family = IP_V4, .bytes = { 198, 51, 100, 1 } },
					 { .family = IP_V4, .bytes = { 198, 51, 100, 2 } } };
static const uint32_t marks[LEARN_RULES_ALL_MAX] = { 4711, 4712 };

static struct learn_what what(uint32_t n_rules, const char *seen)
{
	return (struct learn_what){ .generation = 5,
				    .ttl_s = 60,
				    .client = &client,
				    .rules = marks,
				    .n_rules = n_rules,
				    .addrs = addrs,
				    .n_addrs = 2,
				    .seen_name = seen };
}

static uint64_t next_add(struct fixture *f, uint32_t n_rules)
{
	struct ipc_msg m;
	struct msg_learn_add add;

	assert_int_equal(ipc_recv(f->gateway, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL), 0);
	assert_int_equal(m.type, MSG_LEARN_ADD);
	memcpy(&add, m.body, sizeof(add));
	assert_int_equal(add.n_rules, n_rules);
	assert_int_equal(add.n_addrs, 2);
	assert_int_equal(add.ttl_s, 60);
	assert_int_equal(m.len, sizeof(add) + n_rules * 4 + sizeof(addrs));
	assert_memory_equal(m.body + sizeof(add), marks, n_rules < 2 ? 4 : 8);
	assert_memory_equal(m.body + sizeof(add) + n_rules * 4, addrs, sizeof(addrs));
	return add.req_id;
}

static void ack(struct fixture *f, uint64_t id, int32_t status)
{
	struct msg_learn_ack a = { .req_id = id, .status = status };

	assert_int_equal(ipc_send(f->gateway, MSG_LEARN_ACK, &a, sizeof(a), NULL, 0, NULL), 0);
	assert_int_equal(learn_read(f->l, NULL), 0);
}

static void no_answer_before_the_ack(void **state)
{
	struct fixture *f = *state;
	struct learn_held h;
	struct learn_what w = what(2, NULL);
	uint64_t id;

	assert_int_equal(learn_add(f->l, &h, &w, 1000), 1);
	id = next_add(f, 2);
	assert_int_equal(learn_read(f->l, NULL), 0);
	assert_int_equal(f->n_done, 0);
	assert_true(h.held);
	assert_int_equal(learn_generation(f->l), 5);
	ack(f, id, 0);
	assert_int_equal(f->n_done, 1);
	assert_ptr_equal(f->done[0], &h);
	assert_int_equal(f->status[0], 0);
	assert_int_equal(learn_generation(f->l), UINT64_MAX);
}

static void acks_in_any_order_find_their_answer(void **state)
{
	struct fixture *f = *state;
	struct learn_held h[3];
	struct learn_what w = what(1, NULL);
	uint64_t id[3];

	for (int i = 0; i < 3; i++) {
		assert_int_equal(learn_add(f->l, &h[i], &w, 1000), 1);
		id[i] = next_add(f, 1);
	}
	ack(f, id[1], 0);
	ack(f, id[2], -ENOSPC);
	ack(f, id[0], 0);
	ack(f, id[0], 0);      /* twice */
	ack(f, id[2] + 77, 0); /* nobody's */
	assert_int_equal(f->n_done, 3);
	assert_ptr_equal(f->done[0], &h[1]);
	assert_ptr_equal(f->done[1], &h[2]);
	assert_int_equal(f->status[1], -ENOSPC);
	assert_ptr_equal(f->done[2], &h[0]);
}

static void deadline_is_a_tenth_of_a_second(void **state)
{
	struct fixture *f = *state;
	struct learn_held h[2];
	struct learn_what w = what(1, NULL);
	uint64_t id;

	assert_int_equal(learn_deadline_us(f->l), UINT64_MAX);
	assert_int_equal(learn_add(f->l, &h[0], &w, 1000), 1);
	assert_int_equal(learn_add(f->l, &h[1], &w, 2000), 1);
	assert_int_equal(learn_deadline_us(f->l), 1000 + LEARN_DEADLINE_US);
	learn_expire(f->l, 1000 + LEARN_DEADLINE_US - 1);
	assert_int_equal(f->n_done, 0);
	learn_expire(f->l, 1000 + LEARN_DEADLINE_US);
	assert_int_equal(f->n_done, 1);
	assert_ptr_equal(f->done[0], &h[0]);
	assert_int_equal(f->status[0], -ETIMEDOUT);
	id = next_add(f, 1);
	ack(f, id, 0); /* too late */
	assert_int_equal(f->n_done, 1);
	assert_true(h[1].held);
}

static void more_rules_than_a_message_holds_need_every_ack(void **state)
{
	struct fixture *f = *state;
	struct learn_held h;
	struct learn_what w = what(LEARN_RULES_ALL_MAX, NULL);
	uint64_t first, id;
	struct ipc_msg m;

	assert_int_equal(learn_add(f->l, &h, &w, 0), 1);
	first = next_add(f, LEARN_RULES_MAX);
	for (uint32_t i = LEARN_RULES_MAX; i < LEARN_RULES_ALL_MAX; i += LEARN_RULES_MAX) {
		assert_int_equal(ipc_recv(f->gateway, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL), 0);
		memcpy(&id, m.body, sizeof(id));
		assert_int_equal(id, first + i / LEARN_RULES_MAX);
	}
	while (first < id) {
		ack(f, first++, 0);
		assert_int_equal(f->n_done, 0);
	}
	ack(f, id, 0);
	assert_int_equal(f->n_done, 1);
	w.n_rules = LEARN_RULES_ALL_MAX + 1;
	assert_int_equal(learn_add(f->l, &h, &w, 0), -EINVAL);
}

static void name_seen_goes_first_and_holds_nothing(void **state)
{
	struct fixture *f = *state;
	struct learn_held h;
	struct learn_what w = what(0, "deb.debian.org");
	struct ipc_msg m;
	struct msg_name_seen seen;

	assert_int_equal(learn_add(f->l, &h, &w, 0), 0);
	assert_false(h.held);
	assert_int_equal(ipc_recv(f->gateway, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL), 0);
	assert_int_equal(m.type, MSG_NAME_SEEN);
	memcpy(&seen, m.body, sizeof(seen));
	assert_int_equal(seen.name_len, 14);
	assert_memory_equal(m.body + sizeof(seen), "deb.debian.org", 14);
	assert_memory_equal(m.body + sizeof(seen) + 14, addrs, sizeof(addrs));
}

static void full_channel_holds_and_keeps_the_order(void **state)
{
	struct fixture *f = *state;
	static struct learn_held h[2000];
	struct learn_what w = what(1, "a.example"), seen_only = what(0, "b.example");
	uint32_t n = 0;
	uint64_t last = 0;
	struct ipc_msg m;

	while (learn_waiting(f->l) == 0 && n < ARRAY_LEN(h) - 1)
		assert_int_equal(learn_add(f->l, &h[n++], &w, 0), 1);
	assert_true(learn_waiting(f->l) > 0);
	/* Nothing to acknowledge, but it must be on its way before the answer is. */
	assert_int_equal(learn_add(f->l, &h[n++], &seen_only, 0), 1);
	for (;;) {
		int rc = ipc_recv(f->gateway, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL);

		if (rc == -EAGAIN && learn_waiting(f->l) == 0)
			break;
		if (rc == -EAGAIN) {
			assert_int_equal(learn_flush(f->l, NULL), 0);
			continue;
		}
		assert_int_equal(rc, 0);
		if (m.type != MSG_LEARN_ADD)
			continue;
		uint64_t id;

		memcpy(&id, m.body, sizeof(id));
		assert_true(id > last);
		last = id;
		ack(f, id, 0);
	}
	assert_int_equal(f->n_done, n);
}

static void expired_answers_leave_the_queue_alone(void **state)
{
	struct fixture *f = *state;
	static struct learn_held h[2000];
	struct learn_what w = what(1, NULL);
	uint32_t n = 0;
	struct ipc_msg m;

	while (learn_waiting(f->l) < 3 && n < ARRAY_LEN(h))
		assert_int_equal(learn_add(f->l, &h[n++], &w, 0), 1);
	learn_expire(f->l, LEARN_DEADLINE_US);
	assert_int_equal(f->n_done, n);
	memset(h, 0xff, sizeof(h)); /* they are gone: nobody may look */
	while (ipc_recv(f->gateway, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL) == 0)
		;
	assert_int_equal(learn_flush(f->l, NULL), 0);
	assert_int_equal(learn_waiting(f->l), 0);
	assert_int_equal(f->n_done, n);
}

static void closed_channel_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct learn_held h;
	struct learn_what w = what(1, NULL);

	(void)close(f->gateway);
	f->gateway = -1;
	assert_true(learn_add(f->l, &h, &w, 0) < 0);
	assert_false(h.held);
	assert_int_equal(learn_read(f->l, NULL), -EPIPE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_answer_before_the_ack),
		TEST(acks_in_any_order_find_their_answer),
		TEST(deadline_is_a_tenth_of_a_second),
		TEST(more_rules_than_a_message_holds_need_every_ack),
		TEST(name_seen_goes_first_and_holds_nothing),
		TEST(full_channel_holds_and_keeps_the_order),
		TEST(expired_answers_leave_the_queue_alone),
		TEST(closed_channel_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
