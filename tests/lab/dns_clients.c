/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients of DNS over TCP that behave badly, or oddly: for dns-transports.sh.
 *
 *   dns_clients slow ADDRESS PORT N SECONDS   N clients, each with an address of 127.0.0.0/8 of its own, each a byte of
 * a question a second; who is closed comes back dns_clients reset ADDRESS PORT N NAME     N questions, each connection
 * reset before the answer dns_clients half ADDRESS PORT N NAME      N questions at once, then FIN; prints how many
 * answers came until the other side's */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 4000u
#define SECOND_MS   1000

struct slow {
	int fd; /* -1: closed */
	unsigned int sent;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* @from: 0, or the address to come from. */
static int client(const struct sockaddr_in *to, uint32_t from, int flags)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(from) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd == -1)
		fail("socket");
	if (from != 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0)
		fail("bind");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 && errno != EINPROGRESS) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* A question for the addresses of @name, with its frame. Returns the length. */
static size_t question(uint8_t *buf, const char *name, uint16_t id)
{
	uint8_t *at = buf + 14;

	memset(buf, 0, 14);
	buf[2] = (uint8_t)(id >> 8);
	buf[3] = (uint8_t)id;
	buf[4] = 1; /* recursion desired */
	buf[7] = 1; /* one question */
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		*at++ = (uint8_t)len;
		memcpy(at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	memcpy(at, "\0\0\1\0\1", 5);
	at += 5;
	buf[1] = (uint8_t)(at - buf - 2);
	return (size_t)(at - buf);
}

static long long now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int run_slow(const struct sockaddr_in *to, unsigned int n, int seconds)
{
	static struct slow clients[CLIENTS_MAX];
	struct rlimit files = { .rlim_cur = CLIENTS_MAX + 64, .rlim_max = CLIENTS_MAX + 64 };
	long long end = now_ms() + (long long)seconds * SECOND_MS;
	unsigned long opened = 0, bytes = 0;
	uint8_t msg[512];

	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)question(msg, "slow.example.org", 1);
	for (unsigned int i = 0; i < n; i++)
		clients[i].fd = -1;
	while (now_ms() < end) {
		for (unsigned int i = 0; i < n; i++) {
			struct slow *c = &clients[i];
			uint8_t byte;

			/* Never the whole question. */
			if (c->fd != -1 && (c->sent >= 20 || send(c->fd, msg + c->sent, 1, MSG_NOSIGNAL) != 1 ||
					    recv(c->fd, &byte, 1, MSG_DONTWAIT) == 0)) {
				(void)close(c->fd);
				c->fd = -1;
			} else if (c->fd != -1) {
				c->sent++;
				bytes++;
			}
			if (c->fd == -1) {
				c->fd = client(to, 0x7f010001u + i / 250 * 256 + i % 250, SOCK_NONBLOCK);
				c->sent = 0;
				opened += c->fd != -1;
			}
		}
		(void)poll(NULL, 0, SECOND_MS);
	}
	printf("clients=%u opened=%lu bytes=%lu\n", n, opened, bytes);
	return opened >= n ? 0 : 1;
}

static int run_reset(const struct sockaddr_in *to, unsigned int n, const char *name)
{
	static const struct linger at_once = { .l_onoff = 1 };
	uint8_t msg[512];
	unsigned int done = 0;

	for (unsigned int i = 0; i < n; i++) {
		int fd = client(to, 0, 0);
		size_t len = question(msg, name, (uint16_t)i);

		if (fd == -1)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		done += send(fd, msg, len, MSG_NOSIGNAL) == (ssize_t)len;
		(void)close(fd);
	}
	printf("reset=%u\n", done);
	return done == n ? 0 : 1;
}

static int run_half(const struct sockaddr_in *to, unsigned int n, const char *name)
{
	static uint8_t got[1 << 20];
	struct timeval limit = { .tv_sec = 6 };
	int fd = client(to, 0, 0);
	size_t len = 0, at = 0;
	unsigned int answers = 0;
	ssize_t one;

	if (fd == -1)
		fail("connect");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (unsigned int i = 0; i < n; i++) {
		uint8_t msg[512];
		size_t msg_len = question(msg, name, (uint16_t)i);

		if (send(fd, msg, msg_len, MSG_NOSIGNAL) != (ssize_t)msg_len)
			fail("send");
	}
	(void)shutdown(fd, SHUT_WR);
	while (len < sizeof(got) && (one = recv(fd, got + len, sizeof(got) - len, 0)) > 0)
		len += (size_t)one;
	while (len - at >= 2 && len - at >= 2u + ((size_t)got[at] << 8 | got[at + 1])) {
		at += 2u + ((size_t)got[at] << 8 | got[at + 1]);
		answers++;
	}
	printf("answers=%u\n", answers);
	return answers == n && at == len ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	unsigned long n;

	if (argc != 6 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		(void)fprintf(stderr, "usage: dns_clients slow|reset|half ADDRESS PORT N SECONDS|NAME\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
	n = strtoul(argv[4], NULL, 10);
	if (n == 0 || n > CLIENTS_MAX)
		return 2;
	if (strcmp(argv[1], "slow") == 0)
		return run_slow(&to, (unsigned int)n, (int)strtol(argv[5], NULL, 10));
	if (strcmp(argv[1], "reset") == 0)
		return run_reset(&to, (unsigned int)n, argv[5]);
	return run_half(&to, (unsigned int)n, argv[5]);
}
