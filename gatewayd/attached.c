/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: getifaddrs(3), rtnetlink(7). Lost events are no matter: any event leads to a whole reading. */
#include "gatewayd/attached.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

static bool from_sockaddr(const struct sockaddr *sa, struct ip_addr *ret)
{
	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		*ret = (struct ip_addr){ .family = IP_V4 };
		memcpy(ret->bytes, &in.sin_addr, 4);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		*ret = (struct ip_addr){ .family = IP_V6 };
		memcpy(ret->bytes, &in6.sin6_addr, 16);
		return true;
	}
	return false;
}

static struct ip_prefix prefix_of(const struct ip_addr *addr, const struct ip_addr *mask)
{
	struct ip_prefix p = { .addr = *addr };
	uint8_t bytes = ip_addr_len(addr);

	for (uint8_t i = 0; i < bytes; i++) {
		p.addr.bytes[i] &= mask->bytes[i];
		p.len = (uint8_t)(p.len + (uint8_t)__builtin_popcount(mask->bytes[i]));
	}
	return p;
}

static int cmp_prefix(const void *a, const void *b)
{
	const struct ip_prefix *x = a, *y = b;
	int c = ip_addr_cmp(&x->addr, &y->addr);

	return c != 0 ? c : (int)x->len - (int)y->len;
}

static int cmp_addr(const void *a, const void *b)
{
	return ip_addr_cmp(a, b);
}

static uint32_t unique(void *items, uint32_t n, size_t size, int (*cmp)(const void *, const void *))
{
	uint8_t *bytes = items;
	uint32_t kept = 0;

	qsort(items, n, size, cmp);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || cmp(bytes + (kept - 1) * size, bytes + i * size) != 0)
			memmove(bytes + kept++ * size, bytes + i * size, size);
	return kept;
}

static int add_interface(const struct ifaddrs *i, const char *tunnel, struct attached *ret)
{
	struct ip_addr addr, mask;
	struct ip_prefix net;

	if (!from_sockaddr(i->ifa_addr, &addr) || !from_sockaddr(i->ifa_netmask, &mask))
		return 0;
	if (ret->n_local == ATTACHED_MAX || ret->n_nets == ATTACHED_MAX)
		return -E2BIG;
	ret->local[ret->n_local++] = addr;
	net = prefix_of(&addr, &mask);
	/* Others in the tunnel's network are devices, others in loopback's are nobody: of these only our own address,
	 * which may be a public one. */
	if (strcmp(i->ifa_name, tunnel) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0)
		net = (struct ip_prefix){ .addr = addr, .len = (uint8_t)(ip_addr_len(&addr) * 8) };
	/* An interface with a /0 would close the whole Internet. */
	if (net.len != 0)
		ret->nets[ret->n_nets++] = net;
	return 0;
}

int attached_read(const char *tunnel, struct attached *ret, struct err *e)
{
	struct ifaddrs *list;
	int r = 0;

	ret->n_nets = 0;
	ret->n_local = 0;
	if (getifaddrs(&list) < 0)
		return err_set(e, -errno, "read the host's addresses: %s", strerror(errno));
	for (const struct ifaddrs *i = list; i != NULL && r == 0; i = i->ifa_next)
		r = add_interface(i, tunnel, ret);
	freeifaddrs(list);
	if (r < 0)
		return err_set(e, r, "this host has more than %u addresses", ATTACHED_MAX);
	ret->n_nets = unique(ret->nets, ret->n_nets, sizeof(ret->nets[0]), cmp_prefix);
	ret->n_local = unique(ret->local, ret->n_local, sizeof(ret->local[0]), cmp_addr);
	return 0;
}

bool attached_equal(const struct attached *a, const struct attached *b)
{
	if (a->n_nets != b->n_nets || a->n_local != b->n_local)
		return false;
	for (uint32_t i = 0; i < a->n_nets; i++)
		if (cmp_prefix(&a->nets[i], &b->nets[i]) != 0)
			return false;
	for (uint32_t i = 0; i < a->n_local; i++)
		if (ip_addr_cmp(&a->local[i], &b->local[i]) != 0)
			return false;
	return true;
}

int attached_watch(int *ret_fd, struct err *e)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	CLEANUP(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(e, -errno, "watch the host's addresses: %s", strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

void attached_drain(int fd)
{
	char buf[4096];

	/* ENOBUFS is said once and then the queue is readable again. */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
}
