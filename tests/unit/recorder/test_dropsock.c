/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nflog socket with the real kernel, in a network namespace of its own: what is logged there comes out as DROP
 * messages, and what got lost is counted. Skipped without root, nft and ip. */
#include "recorder/dropsock.h"

#include "base/ipc.h"
#include "gatewayd/nflog.h"
#include "sluice/drop.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SKIP 77

/* No limit here: the test sends as many as it wants to be told of. */
static const char network[] = "ip link set lo up && nft 'table inet t { chain c { type filter hook output priority 0; "
			      "udp dport 9 log prefix \"deny:00001267\" group 21333 snaplen 64; "
			      "udp dport 10 log prefix \"norule\" group 21333 snaplen 64; }; }'";

struct fixture {
	struct event_base *base;
	struct dropsock *sock;
	int channel[2], nflog;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = { 0 };

	assert_non_null(f);
	f->base = event_base_new();
	assert_int_equal(event_base_priority_init(f->base, 2), 0);
	assert_int_equal(ipc_pair(f->channel, &e), 0);
	assert_int_equal(nflog_open(0, &f->nflog, &e), 0);
	assert_int_equal(dropsock_new(f->base, dup(f->nflog), f->channel[1], &f->sock, &e), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->sock = dropsock_free(f->sock);
	event_base_free(f->base);
	fd_closep(&f->channel[0]);
	fd_closep(&f->channel[1]);
	fd_closep(&f->nflog);
	free(f);
	return 0;
}

static void send_to(uint16_t port, uint32_t n)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (uint32_t i = 0; i < n; i++)
		(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a));
	fd_closep(&fd);
}

/* What has come, read and handed on; the last one in @ret. */
static uint32_t drops_read(struct fixture *f, struct msg_drop *ret, uint32_t *ret_lost)
{
	static struct ipc_msg m;
	struct err e = { 0 };
	uint32_t n = 0;

	for (int turn = 0; turn < 100; turn++) {
		(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
		while (ipc_recv(f->channel[0], ROLE_GATEWAYD, ROLE_RECORDER, &m, &e) == 0) {
			assert_int_equal(m.type, MSG_DROP);
			memcpy(ret, m.body, sizeof(*ret));
			*ret_lost += ret->lost;
			n++;
		}
	}
	return n;
}

static void what_the_kernel_logs_is_handed_on(void **state)
{
	struct fixture *f = *state;
	struct msg_drop drop = { 0 };
	uint32_t lost = 0;
	char text[IP_TEXT_MAX];

	send_to(9, 1);
	assert_int_equal(drops_read(f, &drop, &lost), 1);
	assert_int_equal(drop.reason, DROP_DENY);
	assert_int_equal(drop.mark, 0x1267);
	assert_int_equal(drop.proto, 17);
	assert_int_equal(drop.has_ports, 1);
	assert_int_equal(drop.dst_port, 9);
	assert_string_equal(ip_addr_print(&drop.dst, text), "127.0.0.1");
	send_to(10, 2);
	assert_int_equal(drops_read(f, &drop, &lost), 2);
	assert_int_equal(drop.reason, DROP_NO_RULE);
	assert_int_equal(lost, 0);
}

static void what_is_lost_is_counted(void **state)
{
	struct fixture *f = *state;
	struct msg_drop drop;
	uint32_t lost = 0, n, smallest = 1;

	send_to(10, 1);
	assert_int_equal(drops_read(f, &drop, &lost), 1);
	assert_int_equal(setsockopt(f->nflog, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
	send_to(10, 200);
	n = drops_read(f, &drop, &lost);
	/* The first that comes through again tells of them. */
	send_to(10, 1);
	n += drops_read(f, &drop, &lost);
	assert_true(lost > 0);
	assert_int_equal(n + lost, 201);
}

static void a_group_is_one_program_s(void **state)
{
	struct err e = { 0 };
	int fd = -1;

	assert_int_equal(nflog_open(0, &fd, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "21333"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_the_kernel_logs_is_handed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_lost_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_group_is_one_program_s, setup, teardown),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) == -1 || system(network) != 0)
		return SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
