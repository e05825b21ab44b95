/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a device is told no.
 *
 * refusal tcp|udp ADDRESS PORT: one line: `answer`, `reset`, `icmp TYPE/CODE`, `icmp6 TYPE/CODE` or `silence`.
 * refusal tcp|udp ADDRESS PORT live: `up` when the other side has answered, then what ends it. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAY_EVERY_MS   100
#define SILENCE_MS     1500
#define LIVE_MAX_MS    60000
#define ERROR_TEXT_MAX 64

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int open_to(const char *proto, const char *addr, const char *port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	bool is_v4 = inet_pton(AF_INET, addr, &v4.sin_addr) == 1;
	int type = strcmp(proto, "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, on = 1, fd;

	if (!is_v4 && inet_pton(AF_INET6, addr, &v6.sin6_addr) != 1)
		return -1;
	fd = socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd != -1 && type == SOCK_DGRAM)
		(void)setsockopt(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_RECVERR : IPV6_RECVERR, &on,
				 sizeof(on));
	if (fd == -1 || (connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
				 is_v4 ? sizeof(v4) : sizeof(v6)) == -1 &&
			 errno != EINPROGRESS))
		return -1;
	return fd;
}

/* The ICMP message behind a UDP socket's error. */
static bool icmp_read(int fd, char ret[ERROR_TEXT_MAX])
{
	char control[512], data[64];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};

	if (recvmsg(fd, &msg, MSG_ERRQUEUE) == -1)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		struct sock_extended_err e;

		memcpy(&e, CMSG_DATA(c), sizeof(e));
		if (e.ee_origin != SO_EE_ORIGIN_ICMP && e.ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		(void)snprintf(ret, ERROR_TEXT_MAX, "%s %u/%u", e.ee_origin == SO_EE_ORIGIN_ICMP ? "icmp" : "icmp6",
			       e.ee_type, e.ee_code);
		return true;
	}
	return false;
}

/* True when something has ended it, which is in @ret. */
static bool ended(int fd, bool tcp, char ret[ERROR_TEXT_MAX])
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (!tcp && icmp_read(fd, ret))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 || error == 0)
		return false;
	(void)snprintf(ret, ERROR_TEXT_MAX, "%s",
		       error == ECONNREFUSED || error == ECONNRESET ? "reset" : strerror(error));
	return true;
}

int main(int argc, char **argv)
{
	bool tcp = argc > 1 && strcmp(argv[1], "tcp") == 0, live = argc == 5, up = false;
	int fd = argc >= 4 ? open_to(argv[1], argv[2], argv[3]) : -1;
	uint64_t end = now_ms() + (live ? LIVE_MAX_MS : SILENCE_MS);
	char why[ERROR_TEXT_MAX] = "silence", buf[64];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd == -1) {
		fputs("usage: refusal tcp|udp ADDRESS PORT [live]\n", stderr);
		return 2;
	}
	while (now_ms() < end) {
		/* Whichever call comes first is told, and only that one. */
		if (send(fd, "x", 1, MSG_NOSIGNAL) == -1 && tcp && (errno == ECONNREFUSED || errno == ECONNRESET)) {
			(void)snprintf(why, sizeof(why), "reset");
			break;
		}
		(void)poll(&p, 1, SAY_EVERY_MS);
		if ((p.revents & POLLERR) && ended(fd, tcp, why))
			break;
		if (!(p.revents & POLLIN) || recv(fd, buf, sizeof(buf), 0) <= 0)
			continue;
		if (!up)
			puts(live ? "up" : "answer");
		(void)fflush(stdout);
		up = true;
		if (!live)
			return 0;
		(void)poll(NULL, 0, SAY_EVERY_MS);
	}
	puts(why);
	return 0;
}
