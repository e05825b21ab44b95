/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One UDP socket a worker and address with SO_REUSEPORT: the kernel spreads queries by their flow. Freebind: the
 * tunnel's addresses come and go without us.
 *
 * Sources: socket(7) SO_REUSEPORT, ip(7) IP_FREEBIND and IP_PKTINFO, ipv6(7). */
#include "gatewayd/listen.h"

#include "base/sockaddr.h"
#include "policy/document.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Clients come with TCP after a truncated answer only; accept runs at every wake. */
#define TCP_BACKLOG 128
/* A thousand queries of 4 kB that wait while dnsd is replaced. The kernel doubles and caps it. */
#define UDP_RECEIVE_BYTES (4 << 20)

/* RFC 9715 3.1: answers, of 1,232 bytes at most, are neither cut up by us nor on their way, since of what arrives in
 * pieces some may be forged; and no ICMP that anybody can send makes us believe in a smaller path. A datagram that
 * cannot be cut up needs no number for its pieces either (net/ipv4: ip_select_ident()), which is 2 % of what an answer
 * costs. */
static int fragments_avoid(int fd, uint8_t family)
{
	int v4 = IP_PMTUDISC_PROBE, v6 = IPV6_PMTUDISC_PROBE;

	return family == IP_V6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6))
			       : setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
}

static int set_options(int fd, uint8_t family, bool any, bool tcp)
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
	/* An answer leaves from the address that was asked: where there is one only, the socket has it. */
	if (!tcp && any &&
	    (family == IP_V6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) < 0
			     : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) < 0))
		return -errno;
	if (!tcp && fragments_avoid(fd, family) < 0)
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
	r = fd < 0 ? -errno : set_options(fd, a->family, ip_addr_is_any(a), tcp);
	if (r == 0 && bind(fd, &sa.any, len) < 0)
		r = -errno;
	if (r == 0 && tcp && listen(fd, TCP_BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return err_set(
			e, r, "listen on %s port %u (%s): %s%s", ip_addr_print(a, text), port, tcp ? "TCP" : "UDP",
			strerror(-r),
			r == -EADDRINUSE
				? "; another program has it: give dns.port another number, or listen on other addresses"
				: "");
	*ret_fd = fd_take(&fd);
	return 0;
}

static int add(struct listeners *ret, const struct msg_listen *msg, struct err *e)
{
	struct listener *l = &ret->items[ret->n];
	int r = listener_open(&msg->addr, msg->port, msg->tcp == 1, &l->fd, e);

	if (r < 0)
		return r;
	l->msg = *msg;
	ret->n++;
	return 0;
}

static int add_both(struct listeners *ret, struct msg_listen msg, struct err *e)
{
	int r = 0;

	for (msg.tcp = msg.tls != 0; msg.tcp < 2 && r == 0; msg.tcp++)
		r = add(ret, &msg, e);
	return r;
}

static bool is_tunnels(const struct doc_gateway *g, const struct doc_listen *l)
{
	for (uint32_t i = 0; i < g->tunnel.n_addresses; i++)
		if (l->port == g->dns_port && ip_addr_cmp(&g->tunnel.addresses[i].addr, &l->addr) == 0)
			return true;
	return false;
}

int listeners_open(const struct doc_gateway *g, struct listeners *ret, struct err *e)
{
	int r = 0;

	ret->n = 0;
	ret->items = calloc(((size_t)g->tunnel.n_addresses + g->n_listen) * g->dns_workers * 2, sizeof(*ret->items));
	if (ret->items == NULL)
		return err_set(e, -ENOMEM, "listen: out of memory");
	for (uint32_t w = 0; w < g->dns_workers && r == 0; w++) {
		struct msg_listen msg = { .worker = w, .port = g->dns_port };

		for (uint32_t i = 0; i < g->tunnel.n_addresses && r == 0; i++) {
			msg.addr = g->tunnel.addresses[i].addr;
			r = add_both(ret, msg, e);
		}
		for (uint32_t i = 0; i < g->n_listen && r == 0; i++) {
			const struct doc_listen *l = &g->listen[i];

			msg.addr = l->addr;
			msg.port = l->port;
			msg.tls = l->tls;
			if (!is_tunnels(g, l))
				r = add_both(ret, msg, e);
		}
	}
	return r;
}

void listeners_close(struct listeners *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		fd_closep(&l->items[i].fd);
	free(l->items);
	*l = (struct listeners){ 0 };
}
