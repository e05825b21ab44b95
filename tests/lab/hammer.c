/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device does while the kernel's table is treated badly: it knocks at closed doors, and listens to an open one.
 *
 * hammer knock PORT ADDRESS...   a UDP datagram and a SYN to each address every millisecond, until SIGTERM: sent=N
 * hammer tick PORT               accepts on all addresses, and sends 64 bytes every 5 ms to whoever has connected
 * hammer hear ADDRESS PORT       connects to that and reads until SIGTERM: bytes=N worst_ms=N ended=no|yes
 *                                worst_ms: the longest time without a byte; ended: by the other side, or by an error */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KNOCK_EVERY_US 1000
#define TICK_EVERY_US  5000
#define TICK_BYTES     64
#define LISTENERS_MAX  64

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	ended = sig;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

static socklen_t address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		memcpy(ret, &in6, sizeof(in6));
		return sizeof(in6);
	}
	fprintf(stderr, "hammer: %s is no address\n", text);
	exit(2);
}

/* A socket of each kind, new each time: a SYN of its own, and no memory of an earlier refusal. */
static unsigned int knock_once(const struct sockaddr_storage *to, socklen_t len)
{
	int udp = socket(to->ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int tcp = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	unsigned int sent = 0;

	if (udp >= 0 && sendto(udp, "knock", 5, 0, (const struct sockaddr *)to, len) == 5)
		sent++;
	if (tcp >= 0 && connect(tcp, (const struct sockaddr *)to, len) == -1 && errno == EINPROGRESS)
		sent++;
	if (udp >= 0)
		close(udp);
	if (tcp >= 0)
		close(tcp);
	return sent;
}

static int knock(uint16_t port, int n, char **texts)
{
	uint64_t sent = 0;

	while (!ended) {
		for (int i = 0; i < n; i++) {
			struct sockaddr_storage to;
			socklen_t len = address(texts[i], port, &to);

			sent += knock_once(&to, len);
		}
		pause_us(KNOCK_EVERY_US);
	}
	printf("sent=%" PRIu64 "\n", sent);
	return sent == 0;
}

static int tick(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
	static const char bytes[TICK_BYTES];
	int listeners[LISTENERS_MAX], n = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, LISTENERS_MAX) < 0) {
		perror("hammer tick");
		return 1;
	}
	while (!ended) {
		int peer = n < LISTENERS_MAX ? accept4(fd, NULL, NULL, SOCK_NONBLOCK) : -1;

		if (peer >= 0)
			listeners[n++] = peer;
		for (int i = 0; i < n; i++) {
			if (send(listeners[i], bytes, sizeof(bytes), MSG_NOSIGNAL) >= 0 || errno == EAGAIN)
				continue;
			close(listeners[i]);
			listeners[i--] = listeners[--n];
		}
		pause_us(TICK_EVERY_US);
	}
	return 0;
}

static int hear(const char *text, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t len = address(text, port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM, 0);
	uint64_t bytes = 0, worst_us = 0, last_us;
	bool gone = false;

	if (connect(fd, (struct sockaddr *)&to, len) < 0) {
		perror("hammer hear");
		return 1;
	}
	last_us = now_us();
	while (!ended && !gone) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char buf[4096];
		ssize_t n = poll(&p, 1, 100) == 1 ? recv(fd, buf, sizeof(buf), 0) : -2;
		uint64_t waited_us = now_us() - last_us;

		worst_us = waited_us > worst_us ? waited_us : worst_us;
		gone = n == 0 || (n == -1 && errno != EINTR);
		if (n <= 0)
			continue;
		bytes += (uint64_t)n;
		last_us = now_us();
	}
	printf("bytes=%" PRIu64 " worst_ms=%" PRIu64 " ended=%s\n", bytes, worst_us / 1000, gone ? "yes" : "no");
	return gone || bytes == 0;
}

static uint16_t port(const char *text)
{
	return (uint16_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };

	sigaction(SIGTERM, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 4 && strcmp(argv[1], "knock") == 0)
		return knock(port(argv[2]), argc - 3, argv + 3);
	if (argc == 3 && strcmp(argv[1], "tick") == 0)
		return tick(port(argv[2]));
	if (argc == 4 && strcmp(argv[1], "hear") == 0)
		return hear(argv[2], port(argv[3]));
	fputs("usage: hammer knock PORT ADDRESS... | tick PORT | hear ADDRESS PORT\n", stderr);
	return 2;
}
