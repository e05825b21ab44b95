/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What established flows cost, by ruleset: a bulk TCP download, and small datagrams to and fro. Called by flows.sh.
 * usage: stream_cost MBYTES DATAGRAMS ROUNDS SPEC...    SPEC: a ruleset, see rounds.h; one row of a table for each
 *
 * A device, a gateway and a server on the internet, each in a network namespace, with sockets of the kernel at both
 * ends. One process has both: it writes at one end and reads at the other, so that its processor time is that of all
 * three machines, and waiting is none of it. */
#include "rounds.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SERVER	      "8.8.8.8"
#define OPEN_PORT     8000 /* open to all devices toward the internet */
#define BURST	      32u
#define DATAGRAM      32u
#define PIECE	      (256u << 10)
#define MIB	      1048576.0
#define SOCKET_BUFFER (4 << 20)

enum { TCP_CPU = 0, TCP_RATE, UDP_CPU, UDP_RATE, N_VALUES };

struct bench {
	struct ruleset rules;
	pid_t device, server;
	int udp_device, udp_server, tcp_device, tcp_server;
};

static double mbytes;
static uint32_t datagrams;

static const char setup[] = "set -e\n"
			    "ip link add wg0 type veth peer name eth0 netns %d\n"
			    "ip link add wan0 type veth peer name eth0 netns %d\n"
			    "for i in all default wg0 wan0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done\n"
			    "echo 1 >/proc/sys/net/ipv4/ip_forward\n"
			    "ip addr add 100.127.255.254/32 dev wg0; ip addr add 192.0.2.1/32 dev wan0\n"
			    "ip link set wg0 up; ip link set wan0 up\n"
			    "ip route add 100.64.0.0/10 dev wg0; ip route add default dev wan0\n"
			    "d() { nsenter -n -t %d ip \"$@\"; }\n"
			    "w() { nsenter -n -t %d ip \"$@\"; }\n"
			    "d addr add %s/32 dev eth0; d link set eth0 up\n"
			    "d route add 100.127.255.254 dev eth0; d route add default via 100.127.255.254\n"
			    "w addr add " SERVER "/32 dev eth0; w link set eth0 up\n"
			    "w route add 192.0.2.1 dev eth0; w route add default via 192.0.2.1\n";

static pid_t namespace_new(void)
{
	int pipes[2];
	pid_t pid;
	char c;

	if (pipe(pipes) == -1)
		die("pipe", NULL);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) == -1)
			_exit(1);
		(void)!write(pipes[1], "", 1);
		for (;;)
			(void)pause();
	}
	(void)close(pipes[1]);
	if (pid == -1 || read(pipes[0], &c, 1) != 1)
		die("namespace", NULL);
	(void)close(pipes[0]);
	return pid;
}

/* A socket of that process's namespace. */
static int socket_in(pid_t pid, int type)
{
	CLEANUP(fd_closep) int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_closep) int there = -1;
	int size = SOCKET_BUFFER, on = 1, fd;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (here == -1 || there == -1 || setns(there, CLONE_NEWNET) == -1)
		die(path, NULL);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd == -1 || setns(here, CLONE_NEWNET) == -1)
		die("socket", NULL);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static struct sockaddr_in server_address(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(OPEN_PORT) };

	(void)inet_pton(AF_INET, SERVER, &at.sin_addr);
	return at;
}

/* A second without anything is the end: what is measured never waits. */
static void timeout_set(int fd)
{
	struct timeval t = { .tv_sec = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

static void tcp_open(struct bench *b)
{
	struct sockaddr_in at = server_address();
	int listening = socket_in(b->server, SOCK_STREAM);

	b->tcp_device = socket_in(b->device, SOCK_STREAM);
	if (bind(listening, (struct sockaddr *)&at, sizeof(at)) == -1 || listen(listening, 1) == -1 ||
	    connect(b->tcp_device, (struct sockaddr *)&at, sizeof(at)) == -1)
		die("TCP through the gateway", NULL);
	b->tcp_server = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	(void)close(listening);
	if (b->tcp_server == -1)
		die("accept", NULL);
}

static void udp_open(struct bench *b)
{
	struct sockaddr_in at = server_address(), from = { 0 };
	socklen_t len = sizeof(from);
	char c = 0;

	b->udp_server = socket_in(b->server, SOCK_DGRAM);
	b->udp_device = socket_in(b->device, SOCK_DGRAM);
	timeout_set(b->udp_server);
	timeout_set(b->udp_device);
	if (bind(b->udp_server, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    connect(b->udp_device, (struct sockaddr *)&at, sizeof(at)) == -1 || send(b->udp_device, &c, 1, 0) != 1 ||
	    recvfrom(b->udp_server, &c, 1, 0, (struct sockaddr *)&from, &len) != 1 ||
	    connect(b->udp_server, (struct sockaddr *)&from, len) == -1)
		die("UDP through the gateway", NULL);
}

static void round_tcp(const struct bench *b, double *values)
{
	static char piece[PIECE];
	double cpu = cpu_us(), wall = wall_us(), left = mbytes * MIB;

	while (left > 0) {
		ssize_t n = send(b->tcp_server, piece, sizeof(piece), MSG_DONTWAIT);

		if (n == -1 && errno != EAGAIN)
			die("send", NULL);
		while ((n = recv(b->tcp_device, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
			left -= (double)n;
	}
	values[TCP_CPU] = (cpu_us() - cpu) / mbytes;
	values[TCP_RATE] = mbytes * MIB * 8 / 1e3 / (wall_us() - wall);
	/* What is still on its way is none of the next round's. */
	timeout_set(b->tcp_device);
	(void)shutdown(b->tcp_server, SHUT_WR);
	while (recv(b->tcp_device, piece, sizeof(piece), 0) > 0)
		;
}

static void burst(int from, int to)
{
	char data[DATAGRAM] = { 0 };

	for (uint32_t i = 0; i < BURST; i++) {
		if (send(from, data, sizeof(data), 0) != sizeof(data))
			die("send", NULL);
	}
	for (uint32_t i = 0; i < BURST; i++) {
		if (recv(to, data, sizeof(data), 0) != sizeof(data))
			die("a datagram was lost", NULL);
	}
}

static void round_udp(const struct bench *b, double *values)
{
	double cpu = cpu_us(), wall = wall_us();
	uint32_t n = 0;

	for (; n < datagrams; n += 2 * BURST) {
		burst(b->udp_device, b->udp_server);
		burst(b->udp_server, b->udp_device);
	}
	values[UDP_CPU] = (cpu_us() - cpu) / n;
	values[UDP_RATE] = n * 1e3 / (wall_us() - wall);
}

static void bench_round(void *ctx, double *values)
{
	struct bench *b = ctx;

	tcp_open(b);
	round_tcp(b, values);
	(void)close(b->tcp_device);
	(void)close(b->tcp_server);
	udp_open(b);
	round_udp(b, values);
	(void)close(b->udp_device);
	(void)close(b->udp_server);
}

static void *bench_begin(const char *spec)
{
	struct bench *b = zeroed(1, sizeof(*b));
	char script[sizeof(setup) + 128], device[IP_TEXT_MAX];
	struct ip_addr addr;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	(void)sched_setaffinity(0, sizeof(cpu), &cpu);
	b->device = namespace_new();
	b->server = namespace_new();
	if (unshare(CLONE_NEWNET) == -1)
		die("namespace", NULL);
	/* Rules about wg0 go by its name: they may be there before it. */
	b->rules = ruleset_load(spec);
	addr = ruleset_device(&b->rules, 1);
	(void)snprintf(script, sizeof(script), setup, (int)b->device, (int)b->server, (int)b->device, (int)b->server,
		       ip_addr_print(&addr, device));
	if (system(script) != 0)
		die("network", NULL);
	return b;
}

static void bench_end(void *ctx)
{
	struct bench *b = ctx;

	(void)kill(b->device, SIGKILL);
	(void)kill(b->server, SIGKILL);
}

int main(int argc, char **argv)
{
	struct rounds_of of = { .begin = bench_begin, .round = bench_round, .end = bench_end, .n_values = N_VALUES };
	double(*m)[ROUNDS_VALUES_MAX];

	if (argc < 5) {
		(void)fprintf(stderr, "usage: stream_cost MBYTES DATAGRAMS ROUNDS SPEC...\n");
		return 2;
	}
	mbytes = strtod(argv[1], NULL);
	datagrams = (uint32_t)strtoul(argv[2], NULL, 10);
	of.n_rounds = (uint32_t)strtoul(argv[3], NULL, 10);
	if (mbytes <= 0 || datagrams == 0 || of.n_rounds == 0)
		die("nothing to measure", NULL);
	m = rounds_run(&of, argv + 4, (uint32_t)(argc - 4));
	for (int i = 0; i < argc - 4; i++)
		(void)printf("| %s | %.1f | %.0f | %.1f | %.3f | %.0f | %.1f |\n", argv[4 + i], m[i][TCP_RATE],
			     m[i][TCP_CPU], 100 * m[0][TCP_CPU] / m[i][TCP_CPU], m[i][UDP_CPU], m[i][UDP_RATE],
			     100 * m[0][UDP_CPU] / m[i][UDP_CPU]);
	free(m);
	return 0;
}
