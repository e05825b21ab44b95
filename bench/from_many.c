/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LD_PRELOAD: a load generator that knows one source address is to have many. Each datagram socket that it connects is
 * bound first to an address of its own: 127.1.0.1 and on, in steps of SLUICE_BENCH_STEP. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef int connect_fn(int fd, const struct sockaddr *addr, socklen_t len);

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	static uint32_t n;
	connect_fn *next = (connect_fn *)(uintptr_t)dlsym(RTLD_NEXT, "connect");
	const char *step = getenv("SLUICE_BENCH_STEP");
	uint32_t at = 1 + n++ * (step != NULL ? (uint32_t)strtoul(step, NULL, 10) : 1);
	/* 250 to each third byte, as the devices of the bench have them */
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(0x7f010000 | at / 250 << 8 | (at % 250 + 1)) };

	if (next == NULL || bind(fd, (const struct sockaddr *)(const void *)&from, sizeof(from)) != 0)
		return -1;
	return next(fd, addr, len);
}
