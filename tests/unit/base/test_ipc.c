/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Channels: what the table allows arrives whole, what it does not is refused and leaks no descriptor. */
#include "base/ipc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

struct channel {
	int fds[2];
	struct ipc_msg m;
	struct err e;
};

static int setup(void **state)
{
	struct channel *c = calloc(1, sizeof(*c));

	*state = c;
	return c == NULL ? -1 : ipc_pair(c->fds, &c->e);
}

static int teardown(void **state)
{
	struct channel *c = *state;

	fd_closep(&c->fds[0]);
	fd_closep(&c->fds[1]);
	free(c);
	return 0;
}

/* The number that the next descriptor would get: unchanged if nothing has leaked. */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* A record as a hostile peer may write it. */
static void raw_send(int fd, uint16_t type, uint16_t n_said, uint32_t len_said, size_t len, uint32_t n_fds)
{
	static uint8_t bytes[8 + MSG_BODY_MAX + 100];
	struct iovec iov = { bytes, 8 + len };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	memcpy(bytes, &type, 2);
	memcpy(bytes + 2, &n_said, 2);
	memcpy(bytes + 4, &len_said, 4);
	if (n_fds != 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (uint32_t i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &null, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), (ssize_t)(8 + len));
	close(null);
}

static void message_arrives_with_its_body(void **state)
{
	struct channel *c = *state;
	struct msg_ready ready = { .generation = 41 };

	assert_int_equal(ipc_send(c->fds[0], MSG_VIEWS_READY, &ready, sizeof(ready), NULL, 0, &c->e), 0);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_GATEWAYD, ROLE_DNSD, &c->m, &c->e), 0);
	assert_int_equal(c->m.type, MSG_VIEWS_READY);
	assert_int_equal(c->m.len, sizeof(ready));
	assert_memory_equal(c->m.body, &ready, sizeof(ready));
	ipc_msg_done(&c->m);
}

static void longest_body_fits(void **state)
{
	struct channel *c = *state;
	uint8_t *body = calloc(1, MSG_BODY_MAX);

	assert_non_null(body);
	body[MSG_BODY_MAX - 1] = 7;
	assert_int_equal(ipc_send(c->fds[0], MSG_CONFIG, body, MSG_BODY_MAX, NULL, 0, &c->e), 0);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_RECORDER, ROLE_GATEWAYD, &c->m, &c->e), 0);
	assert_int_equal(c->m.len, MSG_BODY_MAX);
	assert_int_equal(c->m.body[MSG_BODY_MAX - 1], 7);
	free(body);
}

static void descriptors_arrive_close_on_exec(void **state)
{
	struct channel *c = *state;
	struct msg_snapshot snap = { .generation = 1 };
	CLEANUP(fd_closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fds[3] = { null, null, null };
	int before = next_fd(), kept;

	assert_int_equal(ipc_send(c->fds[0], MSG_VIEWS, &snap, sizeof(snap), fds, 3, &c->e), 0);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_DNSD, ROLE_GATEWAYD, &c->m, &c->e), 0);
	assert_int_equal(c->m.n_fds, 3);
	assert_int_equal(fcntl(c->m.fds[0], F_GETFD), FD_CLOEXEC);
	kept = fd_take(&c->m.fds[0]);
	ipc_msg_done(&c->m);
	assert_true(fcntl(kept, F_GETFD) >= 0);
	close(kept);
	assert_int_equal(next_fd(), before);
}

static void nothing_there_is_eagain_and_closed_is_epipe(void **state)
{
	struct channel *c = *state;

	assert_int_equal(ipc_recv(c->fds[1], ROLE_DNSD, ROLE_GATEWAYD, &c->m, &c->e), -EAGAIN);
	fd_closep(&c->fds[0]);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_DNSD, ROLE_GATEWAYD, &c->m, &c->e), -EPIPE);
	assert_int_equal(ipc_send(c->fds[1], MSG_CONFIG, "{}", 2, NULL, 0, &c->e), -EPIPE);
}

static void wrong_direction_is_refused_without_leak(void **state)
{
	struct channel *c = *state;
	struct msg_start start = { .role = ROLE_DNSD };
	CLEANUP(fd_closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int before = next_fd();

	/* dnsd asks gatewayd to start a process. */
	assert_int_equal(ipc_send(c->fds[0], MSG_START, &start, sizeof(start), &null, 1, &c->e), 0);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_GATEWAYD, ROLE_DNSD, &c->m, &c->e), -EBADMSG);
	assert_int_equal(c->m.n_fds, 0);
	assert_int_equal(next_fd(), before);
	assert_int_equal(ipc_send(c->fds[0], MSG_START, &start, sizeof(start), &null, 1, &c->e), 0);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_LAUNCHER, ROLE_GATEWAYD, &c->m, &c->e), 0);
	ipc_msg_done(&c->m);
}

static void relayed_message_goes_both_legs(void **state)
{
	struct channel *c = *state;
	struct msg_name_seen seen = { .name_len = 0 };

	assert_int_equal(ipc_send(c->fds[0], MSG_NAME_SEEN, &seen, sizeof(seen), NULL, 0, &c->e), 0);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_GATEWAYD, ROLE_DNSD, &c->m, &c->e), 0);
	assert_int_equal(ipc_send(c->fds[1], MSG_NAME_SEEN, c->m.body, c->m.len, NULL, 0, &c->e), 0);
	assert_int_equal(ipc_recv(c->fds[0], ROLE_RECORDER, ROLE_GATEWAYD, &c->m, &c->e), 0);
}

static void sender_is_held_to_the_table(void **state)
{
	struct channel *c = *state;
	struct msg_ready ready = { 0 };

	assert_int_equal(ipc_send(c->fds[0], (enum msg_type)999, &ready, 8, NULL, 0, &c->e), -EINVAL);
	assert_int_equal(ipc_send(c->fds[0], MSG_VIEWS_READY, &ready, 7, NULL, 0, &c->e), -EINVAL);
	assert_int_equal(ipc_send(c->fds[0], MSG_VIEWS_READY, &ready, 8, &c->fds[0], 1, &c->e), -EINVAL);
}

static void malformed_records_are_refused(void **state)
{
	static const struct {
		uint16_t type, n_said;
		uint32_t len_said;
		size_t len;
		uint32_t n_fds;
	} bad[] = {
		{ 999, 0, 8, 8, 0 },				      /* unknown type */
		{ MSG_VIEWS_READY, 0, 7, 7, 0 },		      /* too short */
		{ MSG_VIEWS_READY, 0, 9, 9, 0 },		      /* too long */
		{ MSG_VIEWS_READY, 0, 4000, 8, 0 },		      /* header lies about the length */
		{ MSG_VIEWS_READY, 1, 8, 8, 1 },		      /* descriptor where none belongs */
		{ MSG_VIEWS_READY, 0, 8, 8, 2 },		      /* descriptors that the header hides */
		{ MSG_VIEWS_READY, 0, 8, 8, 8 },		      /* more than the buffer takes */
		{ MSG_CONFIG, 0, MSG_BODY_MAX, MSG_BODY_MAX + 9, 0 }, /* longer than a record may be */
	};
	struct channel *c = *state;
	int before = next_fd();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		enum role self = bad[i].type == MSG_CONFIG ? ROLE_DNSD : ROLE_GATEWAYD;
		enum role peer = bad[i].type == MSG_CONFIG ? ROLE_GATEWAYD : ROLE_DNSD;

		raw_send(c->fds[0], bad[i].type, bad[i].n_said, bad[i].len_said, bad[i].len, bad[i].n_fds);
		assert_int_equal(ipc_recv(c->fds[1], self, peer, &c->m, &c->e), -EBADMSG);
		assert_int_equal(next_fd(), before);
	}
}

static void record_shorter_than_its_header_is_refused(void **state)
{
	struct channel *c = *state;

	assert_int_equal(send(c->fds[0], "abc", 3, MSG_NOSIGNAL), 3);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_GATEWAYD, ROLE_DNSD, &c->m, &c->e), -EBADMSG);
}

static void full_queue_is_eagain_after_hundreds_of_learn_messages(void **state)
{
	struct channel *c = *state;
	uint8_t body[sizeof(struct msg_learn_add) + 4 + sizeof(struct ip_addr)] = { 0 };
	uint32_t n = 0;
	int r;

	while ((r = ipc_send(c->fds[0], MSG_LEARN_ADD, body, sizeof(body), NULL, 0, &c->e)) == 0)
		n++;
	assert_int_equal(r, -EAGAIN);
	assert_true(n >= 100);
	assert_int_equal(ipc_recv(c->fds[1], ROLE_GATEWAYD, ROLE_DNSD, &c->m, &c->e), 0);
}

static void sealed_memfd_maps_and_cannot_be_changed(void **state)
{
	struct channel *c = *state;
	CLEANUP(fd_closep) int fd = -1;
	const void *p = NULL;
	size_t len = 0;
	union {
		const void *in;
		void *out;
	} map;

	assert_int_equal(memfd_sealed("test", "hello", 5, &fd, &c->e), 0);
	assert_true(pwrite(fd, "x", 1, 0) < 0);
	assert_true(ftruncate(fd, 1) < 0);
	assert_int_equal(memfd_map(fd, &p, &len, &c->e), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(p, "hello", 5);
	map.in = p;
	assert_int_equal(munmap(map.out, len), 0);
}

static void empty_memfd_maps_to_null(void **state)
{
	struct channel *c = *state;
	CLEANUP(fd_closep) int fd = -1;
	const void *p = c;
	size_t len = 9;

	assert_int_equal(memfd_sealed("test", NULL, 0, &fd, &c->e), 0);
	assert_int_equal(memfd_map(fd, &p, &len, &c->e), 0);
	assert_null(p);
	assert_int_equal(len, 0);
}

static void unsealed_memfd_and_other_descriptors_are_refused(void **state)
{
	struct channel *c = *state;
	CLEANUP(fd_closep) int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CLEANUP(fd_closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const void *p;
	size_t len;

	assert_int_equal(memfd_map(fd, &p, &len, &c->e), -EBADMSG);
	assert_int_equal(memfd_map(null, &p, &len, &c->e), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(message_arrives_with_its_body, setup, teardown),
		cmocka_unit_test_setup_teardown(longest_body_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_arrive_close_on_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_there_is_eagain_and_closed_is_epipe, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_direction_is_refused_without_leak, setup, teardown),
		cmocka_unit_test_setup_teardown(relayed_message_goes_both_legs, setup, teardown),
		cmocka_unit_test_setup_teardown(sender_is_held_to_the_table, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_records_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(record_shorter_than_its_header_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(full_queue_is_eagain_after_hundreds_of_learn_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(sealed_memfd_maps_and_cannot_be_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_memfd_maps_to_null, setup, teardown),
		cmocka_unit_test_setup_teardown(unsealed_memfd_and_other_descriptors_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
