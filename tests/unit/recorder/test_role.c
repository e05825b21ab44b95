/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recorder as it runs: a confined process, a real conntrack event socket, flows over the loopback of a network
 * namespace of its own. Skipped without root, or where nft and ip are not to be had. */
#include "recorder/role.h"

#include "base/ipc.h"
#include "base/log.h"
#include "recorder/rows.h"
#include "tests/unit/recorder/tmpdir.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define SKIP	     77
#define RECORDER_UID 64702
#define WAIT_MAX_MS  5000
#define ROWS_MAX     16

static const char network[] =
	"ip link set lo up && ip addr add 100.64.0.7/32 dev lo && ip addr add 198.51.100.1/32 dev lo && "
	"nft 'table inet t { chain c { type filter hook output priority 0; ct state new ct mark set 0x1267; }; }' && "
	"echo 1 > /proc/sys/net/netfilter/nf_conntrack_acct";

static const char plan[] =
	"{\"generation\":1,\"devices\":[{\"name\":\"web1\",\"addrs\":[\"100.64.0.7\"],\"flows\":\"full\"}],"
	"\"rules\":[{\"mark\":4711,\"pos\":\"/grants/0\"}]}";

struct fixture {
	struct tmpdir dir;
	int channel, events;
	pid_t pid;
};

struct kept {
	struct row row;
	char device[32], name[64], rule[32];
};

static int event_socket(void)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int groups[] = { NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_DESTROY };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		assert_int_equal(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(int)), 0);
	return fd;
}

/* The recorder's uid may not be able to walk to the source tree. */
static void copy_fixture(const struct tmpdir *t, const char *name)
{
	char path[512];
	uint8_t buf[8192];
	int from, to;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", getenv("SLUICE_FIXTURES"), name);
	from = open(path, O_RDONLY | O_CLOEXEC);
	n = read(from, buf, sizeof(buf));
	assert_true(n > 0);
	to = openat(t->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(fchmod(to, 0644), 0);
	assert_int_equal(write(to, buf, (size_t)n), n);
	fd_closep(&from);
	fd_closep(&to);
}

static void send_plan(int channel)
{
	struct msg_snapshot m = { .generation = 1 };
	struct err e = { 0 };
	int fd = -1;

	assert_int_equal(memfd_sealed("log-plan", plan, strlen(plan), &fd, &e), 0);
	assert_int_equal(ipc_send(channel, MSG_LOG_PLAN, &m, sizeof(m), &fd, 1, &e), 0);
	fd_closep(&fd);
}

static void send_name(int channel, const char *name, const char *addr)
{
	struct timespec ts;
	uint8_t buf[256];
	struct msg_name_seen m = { .ttl_s = 60, .name_len = (uint16_t)strlen(name), .n_addrs = 1 };
	struct wcur c = wcur_over(buf, sizeof(buf));
	struct err e = { 0 };
	struct ip_addr a;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	m.at_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
	assert_int_equal(ip_addr_parse("100.64.0.7", &m.client), 0);
	assert_int_equal(ip_addr_parse(addr, &a), 0);
	wcur_bytes(&c, &m, sizeof(m));
	wcur_bytes(&c, name, strlen(name));
	wcur_bytes(&c, &a, sizeof(a));
	assert_int_equal(ipc_send(channel, MSG_NAME_SEEN, buf, wcur_len(&c), NULL, 0, &e), 0);
}

static void role_start(struct fixture *f)
{
	struct err e = { 0 };
	char config[512];
	int pair[2], len;

	assert_int_equal(ipc_pair(pair, &e), 0);
	f->pid = fork();
	if (f->pid == 0) {
		(void)close(pair[0]);
		(void)close(f->events);
		log_init("recorder", LOG_WARNING);
		_exit(recorder_role_run(pair[1]));
	}
	fd_closep(&pair[1]);
	f->channel = pair[0];
	len = snprintf(config, sizeof(config),
		       "{\"uid\":%d,\"gid\":%d,\"journal\":\"%s\",\"country\":\"%s/country.mmdb\","
		       "\"asn\":\"%s/make-mmdb.pl\"}", /* no MMDB: recording goes on without it */
		       RECORDER_UID, RECORDER_UID, f->dir.path, f->dir.path, f->dir.path);
	assert_int_equal(ipc_send(f->channel, MSG_CONFIG, config, (size_t)len, NULL, 0, &e), 0);
	assert_int_equal(ipc_send(f->channel, MSG_CT_EVENTS, "", 1, &f->events, 1, &e), 0);
	send_plan(f->channel);
}

static int role_stop(struct fixture *f)
{
	int status = -1;

	fd_closep(&f->channel);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = 0;
	return status;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(tmpdir_init(&f->dir), 0);
	copy_fixture(&f->dir, "country.mmdb");
	copy_fixture(&f->dir, "make-mmdb.pl");
	assert_int_equal(fchown(f->dir.fd, RECORDER_UID, RECORDER_UID), 0);
	f->events = event_socket();
	role_start(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->pid > 0) {
		(void)kill(f->pid, SIGKILL);
		(void)waitpid(f->pid, NULL, 0);
	}
	fd_closep(&f->channel);
	fd_closep(&f->events);
	tmpdir_done(&f->dir);
	free(f);
	return 0;
}

static int udp_socket(const char *addr, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(addr) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* @n datagrams of 100 bytes from there to 198.51.100.1:5000, one back. */
static void talk(const char *from, uint16_t port, int n)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(5000),
				  .sin_addr.s_addr = inet_addr("198.51.100.1") };
	int server = udp_socket("198.51.100.1", 5000), client = udp_socket(from, port);
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	char buf[100] = { 0 };

	for (int i = 0; i < n; i++)
		assert_int_equal(sendto(client, buf, sizeof(buf), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(buf));
	assert_int_equal(recvfrom(server, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &peer_len), sizeof(buf));
	assert_int_equal(sendto(server, buf, 50, 0, (struct sockaddr *)&peer, peer_len), 50);
	assert_int_equal(recv(client, buf, sizeof(buf), 0), 50);
	fd_closep(&server);
	fd_closep(&client);
}

static void flows_end(void)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	uint32_t family = AF_INET;

	assert_non_null(h);
	assert_int_equal(nfct_query(h, NFCT_Q_FLUSH, &family), 0);
	(void)nfct_close(h);
}

static size_t read_rows(const struct fixture *f, struct kept ret[ROWS_MAX])
{
	struct rows_options o = { .dir_fd = f->dir.fd };
	CLEANUP(rows_freep) struct rows *rows = NULL;
	struct row row;
	size_t n = 0;

	assert_int_equal(rows_new(&o, &rows, NULL), 0);
	while (n < ROWS_MAX && (rows_next(rows, &row, NULL) == 1 || rows_next_open(rows, &row))) {
		struct kept *k = &ret[n++];

		k->row = row;
		(void)snprintf(k->device, sizeof(k->device), "%.*s", row.flow.device.len, row.flow.device.at);
		(void)snprintf(k->name, sizeof(k->name), "%.*s", row.flow.name.len, row.flow.name.at);
		(void)snprintf(k->rule, sizeof(k->rule), "%.*s", row.flow.rule.len, row.flow.rule.at);
	}
	assert_int_equal(rows_damaged(rows), 0);
	return n;
}

static size_t wait_rows(const struct fixture *f, size_t want, struct kept ret[ROWS_MAX])
{
	size_t n = read_rows(f, ret);

	for (int ms = 0; n < want && ms < WAIT_MAX_MS; ms += 10) {
		(void)usleep(10000);
		n = read_rows(f, ret);
	}
	return n;
}

static void a_flow_is_recorded_with_name_rule_country_and_counters(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	send_name(f->channel, "www.example", "198.51.100.1");
	talk("100.64.0.7", 40000, 3);
	talk("127.0.0.1", 40001, 1); /* the host's own */
	flows_end();
	assert_int_equal(role_stop(f), 0);
	assert_int_equal(read_rows(f, k), 1);
	assert_true(k[0].row.flow.closed && k[0].row.flow.opened && k[0].row.flow.counted);
	assert_string_equal(k[0].device, "web1");
	assert_string_equal(k[0].name, "www.example");
	assert_string_equal(k[0].rule, "/grants/0");
	assert_memory_equal(k[0].row.flow.country, "DE", 2);
	assert_int_equal(k[0].row.flow.as_number, 0);
	assert_int_equal(k[0].row.flow.proto, 17);
	assert_int_equal(k[0].row.flow.src_port, 40000);
	assert_int_equal(k[0].row.flow.dst_port, 5000);
	assert_int_equal(k[0].row.flow.tx_packets, 3);
	assert_int_equal(k[0].row.flow.tx_bytes, 3 * 128);
	assert_int_equal(k[0].row.flow.rx_packets, 1);
	assert_int_equal(k[0].row.flow.rx_bytes, 78);
	assert_true(k[0].row.flow.start_us <= k[0].row.flow.end_us);
}

/* As if it had been killed within a write. */
static void tear_journal(const struct fixture *f)
{
	int fd = openat(f->dir.fd, "000001.jnl", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, "\0\0\0\x20\1\0", 6), 6);
	fd_closep(&fd);
}

static void an_open_flow_is_visible_and_survives_a_killed_recorder(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	send_name(f->channel, "www.example", "198.51.100.1");
	talk("100.64.0.7", 40002, 1);
	assert_int_equal(wait_rows(f, 1, k), 1);
	assert_false(k[0].row.flow.closed);
	assert_string_equal(k[0].name, "www.example");
	assert_int_equal(kill(f->pid, SIGKILL), 0);
	(void)role_stop(f);
	tear_journal(f);
	role_start(f);
	flows_end();
	assert_int_equal(role_stop(f), 0);
	assert_int_equal(read_rows(f, k), 3);
	assert_int_equal(k[0].row.gap, ROW_GAP_TORN);
	assert_int_equal(k[0].row.count, 6);
	assert_int_equal(k[1].row.gap, ROW_GAP_RESTART);
	assert_true(k[2].row.flow.closed);
	assert_false(k[2].row.flow.opened);
	assert_string_equal(k[2].name, "www.example");
	assert_true(k[2].row.flow.start_us != 0);
}

static void events_that_the_kernel_dropped_are_a_gap(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];
	int smallest = 1, status;
	bool gap = false;

	talk("100.64.0.7", 41000, 1);
	assert_int_equal(wait_rows(f, 1, k), 1);
	assert_int_equal(kill(f->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(f->pid, &status, WUNTRACED), f->pid);
	assert_int_equal(setsockopt(f->events, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
	for (uint16_t port = 41001; port < 41100; port++)
		talk("100.64.0.7", port, 1);
	assert_int_equal(kill(f->pid, SIGCONT), 0);
	for (int ms = 0; !gap && ms < WAIT_MAX_MS; ms += 10) {
		size_t n = read_rows(f, k);

		(void)usleep(10000);
		for (size_t i = 0; i < n; i++)
			gap = gap || (k[i].row.kind == ROW_GAP && k[i].row.gap == ROW_GAP_EVENTS);
	}
	assert_true(gap);
	assert_int_equal(role_stop(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_flow_is_recorded_with_name_rule_country_and_counters, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_open_flow_is_visible_and_survives_a_killed_recorder, setup,
						teardown),
		cmocka_unit_test_setup_teardown(events_that_the_kernel_dropped_are_a_gap, setup, teardown),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) == -1 || system(network) != 0)
		return SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
