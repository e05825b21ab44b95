/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looks up a name that nobody has asked for and connects to the answered address at once, many times: is the first SYN
 * let through every time? What a real client does between the two takes longer; nothing here does.
 *
 * barrier_cycle RESOLVER NAME%d A|AAAA PORT FIRST COUNT; PORT 0: look up only. One line:
 *   n=100 lost=0 failed=0 lookup_p50_us=310 lookup_p99_us=612
 * lost: the SYN was sent twice (TCP_INFO), or no connection came; the name is on standard error. failed: no answer.
 *
 * barrier_cycle serve PORT: accepts and closes, with a queue that does not run over and lose SYNs of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CYCLES_MAX	   100000
#define ANSWER_TIMEOUT_MS  3000
#define SERVE_BACKLOG	   1024
#define CONNECT_TIMEOUT_MS 900 /* below the second after which the kernel sends the SYN again */

struct tally {
	uint32_t lost, failed, n_us;
	uint32_t *us;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The address in the first record of the wanted type; false when there is none. */
static bool answer_address(const uint8_t *msg, int len, int type, uint8_t *ret)
{
	ns_msg m;
	ns_rr rr;

	if (ns_initparse(msg, len, &m) != 0 || ns_msg_getflag(m, ns_f_rcode) != ns_r_noerror)
		return false;
	for (int i = 0; i < ns_msg_count(m, ns_s_an); i++) {
		if (ns_parserr(&m, ns_s_an, i, &rr) != 0)
			return false;
		if ((int)ns_rr_type(rr) == type && ns_rr_rdlen(rr) == (type == ns_t_a ? 4 : 16)) {
			memcpy(ret, ns_rr_rdata(rr), ns_rr_rdlen(rr));
			return true;
		}
	}
	return false;
}

static bool lookup(int fd, const char *name, int type, uint8_t *ret_addr, struct tally *t)
{
	uint8_t query[512], answer[4096];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int len = res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, query, sizeof(query));
	uint64_t from = now_us();

	if (len <= 0 || send(fd, query, (size_t)len, 0) != len)
		return false;
	while (poll(&p, 1, ANSWER_TIMEOUT_MS) == 1) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);

		if (n < 12 || memcmp(answer, query, 2) != 0) /* a late answer to another question */
			continue;
		t->us[t->n_us++] = (uint32_t)(now_us() - from);
		return answer_address(answer, (int)n, type, ret_addr);
	}
	return false;
}

/* True when the first SYN was answered. */
static bool connect_once(int type, const uint8_t *addr, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct sockaddr *to = type == ns_t_a ? (void *)&in : (void *)&in6;
	socklen_t to_len = type == ns_t_a ? sizeof(in) : sizeof(in6);
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t error_len = sizeof(error);
	struct tcp_info info = { 0 };
	socklen_t info_len = sizeof(info);
	bool good = false;

	memcpy(&in.sin_addr, addr, 4);
	memcpy(&in6.sin6_addr, addr, 16);
	if (fd == -1)
		return false;
	if ((connect(fd, to, to_len) == 0 || errno == EINPROGRESS) && poll(&p, 1, CONNECT_TIMEOUT_MS) == 1 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) == 0 && error == 0 &&
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) == 0)
		good = info.tcpi_total_retrans == 0;
	close(fd);
	return good;
}

static int serve(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)strtol(port, NULL, 10)) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1 || listen(fd, SERVE_BACKLOG) == -1) {
		perror("serve");
		return 1;
	}
	for (;;) {
		int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (one != -1)
			close(one);
	}
}

static int us_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int resolver_socket(const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || inet_pton(AF_INET, address, &in.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&in, sizeof(in)) == -1) {
		perror(address);
		return -1;
	}
	return fd;
}

/* @pattern with @n in place of its "%d". */
static void name_print(char *buf, size_t size, const char *pattern, long n)
{
	const char *mark = strstr(pattern, "%d");

	if (mark != NULL)
		snprintf(buf, size, "%.*s%ld%s", (int)(mark - pattern), pattern, n, mark + 2);
	else
		snprintf(buf, size, "%s", pattern);
}

int main(int argc, char **argv)
{
	struct tally t = { 0 };
	uint8_t addr[16] = { 0 };
	char name[256];
	long first, count;
	int type, port, fd;

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc != 7) {
		fputs("usage: barrier_cycle RESOLVER NAME%d A|AAAA PORT FIRST COUNT | serve PORT\n", stderr);
		return 2;
	}
	type = strcmp(argv[3], "AAAA") == 0 ? ns_t_aaaa : ns_t_a;
	port = (int)strtol(argv[4], NULL, 10);
	first = strtol(argv[5], NULL, 10);
	count = strtol(argv[6], NULL, 10);
	if (count < 1 || count > CYCLES_MAX || res_init() != 0)
		return 2;
	t.us = calloc((size_t)count, sizeof(*t.us));
	fd = resolver_socket(argv[1]);
	if (t.us == NULL || fd == -1)
		return 1;

	for (long i = first; i < first + count; i++) {
		name_print(name, sizeof(name), argv[2], i);
		if (!lookup(fd, name, type, addr, &t)) {
			t.failed++;
			fprintf(stderr, "# failed: %s\n", name);
		} else if (port != 0 && !connect_once(type, addr, (uint16_t)port)) {
			t.lost++;
			fprintf(stderr, "# lost: %s\n", name);
		}
	}
	qsort(t.us, t.n_us, sizeof(*t.us), us_cmp);
	printf("n=%ld lost=%" PRIu32 " failed=%" PRIu32 " lookup_p50_us=%" PRIu32 " lookup_p99_us=%" PRIu32 "\n", count,
	       t.lost, t.failed, t.n_us != 0 ? t.us[t.n_us / 2] : 0, t.n_us != 0 ? t.us[t.n_us * 99 / 100] : 0);
	free(t.us);
	close(fd);
	return t.lost + t.failed == 0 ? 0 : 1;
}
