/* SPDX-License-Identifier: GPL-3.0-or-later */
/* flood ADDRESS PORT COUNT PER_MS: that many UDP datagrams, so many in each millisecond: steadily, as a device sends
 * that does not care for answers. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec next, ms = { .tv_nsec = 1000000 };
	struct sockaddr_in to = { .sin_family = AF_INET };
	unsigned long count, per_ms;
	int fd;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fputs("usage: flood ADDRESS PORT COUNT PER_MS\n", stderr);
		return 2;
	}
	to.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
	count = strtoul(argv[3], NULL, 10);
	per_ms = strtoul(argv[4], NULL, 10);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd == -1) {
		perror("flood: socket");
		return 1;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &next);
	for (unsigned long i = 1; i <= count; i++) {
		/* What is refused comes back as an error of the next one. */
		(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		if (i % per_ms != 0)
			continue;
		next.tv_nsec += ms.tv_nsec;
		if (next.tv_nsec >= 1000000000L) {
			next.tv_nsec -= 1000000000L;
			next.tv_sec++;
		}
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
			;
	}
	return close(fd) == 0 ? 0 : 1;
}
