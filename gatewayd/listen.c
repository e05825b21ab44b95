/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One UDP socket a worker and address with SO_REUSEPORT: the kernel spreads queries by their flow. Freebind: the
 * tunnel's addresses come and go without us.
 *
 * Sources: socket(7) SO_REUSEPORT, ip(7) IP_FREEBIND, ipv6(7). */
#include "gatewayd/listen.h"

#include "base/sockaddr.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Clients come with TCP after a truncated answer only; accept runs at every wake. */
#define TCP_BACKLOG 128
/* A thousand queries of 4 kB that wait while dnsd is replaced. The kernel doubles and caps it. */
#define UDP_RECEIVE_BYTES (4 << 20)

static int set_options(int fd, uint8_t family, bool tcp)
{
	int one = 1, size = UDP_RECEIVE_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
		return -errno;
	/* After a restart, connections of the one before may still be in TIME_WAIT. */
	if (tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	if (family == IP_V6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return -errno;
	if (family == IP_V6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one)) < 0
			    : setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) < 0)
		return -errno;
	if (!tcp && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

static int listener_open(const struct ip_addr *a, uint16_t port, bool tcp, int *ret_fd, struct err *e)
{
	union socket_address sa;
	socklen_t len = socket_address_of(a, port, &sa);
	CLEANUP(fd_closep) int fd = -1;
	char text[IP_TEXT_MAX];
	int r;

	fd = socket(sa.any.sa_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -errno : set_options(fd, a->family, tcp);
	if (r == 0 && bind(fd, &sa.any, len) < 0)
		r = -errno;
	if (r == 0 && tcp && listen(fd, TCP_BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, r, "listen on %s port %u (%s): %s%s", ip_addr_print(a, text), port,
			       tcp ? "TCP" : "UDP", strerror(-r),
			       r == -EADDRINUSE ? "; another DNS server has it: give dns.port another number" : "");
	*ret_fd = fd_take(&fd);
	return 0;
}

int listeners_open(const struct ip_addr *addrs, uint32_t n_addrs, uint16_t port, uint32_t workers,
		   struct listeners *ret, struct err *e)
{
	ret->n = 0;
	ret->items = calloc((size_t)n_addrs * workers * 2, sizeof(*ret->items));
	if (ret->items == NULL)
		return err_set(e, -ENOMEM, "listen: out of memory");
	for (uint32_t w = 0; w < workers; w++)
		for (uint32_t i = 0; i < n_addrs; i++)
			for (uint32_t tcp = 0; tcp < 2; tcp++) {
				struct listener *l = &ret->items[ret->n];
				int r = listener_open(&addrs[i], port, tcp == 1, &l->fd, e);

				if (r < 0)
					return r;
				l->msg = (struct msg_listen){ .worker = w, .tcp = tcp, .addr = addrs[i], .port = port };
				ret->n++;
			}
	return 0;
}

void listeners_close(struct listeners *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		fd_closep(&l->items[i].fd);
	free(l->items);
	*l = (struct listeners){ 0 };
}
