/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interface is left to the routes (0), but for link-local addresses, which mean nothing without it. */
#include "dnsd/udp_local.h"

void udp_local_want(struct udp_local *l, struct msghdr *h)
{
	h->msg_control = l != NULL ? l->bytes : NULL;
	h->msg_controllen = l != NULL ? sizeof(l->bytes) : 0;
}

void udp_local_get(const struct msghdr *h, struct query_from *from)
{
	struct msghdr in = *h; /* CMSG_NXTHDR() takes no const */

	from->local.family = IP_NONE;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&in); c != NULL; c = CMSG_NXTHDR(&in, c)) {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			/* Not .ipi_addr: a broadcast address is nobody's to send from. */
			from->local = ip_addr_from_bytes((const uint8_t *)&v4.ipi_spec_dst, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&v6, CMSG_DATA(c), sizeof(v6));
			if (!IN6_IS_ADDR_MULTICAST(&v6.ipi6_addr))
				from->local = ip_addr_from_bytes(v6.ipi6_addr.s6_addr, 16);
			from->local_if = IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr) ? (uint32_t)v6.ipi6_ifindex : 0;
		}
	}
}

void udp_local_put(struct udp_local *l, const struct query_from *from, struct msghdr *h)
{
	struct in_pktinfo v4 = { 0 };
	struct in6_pktinfo v6 = { .ipi6_ifindex = from->local_if };
	bool six = from->local.family == IP_V6;
	struct cmsghdr *c;

	if (from->local.family == IP_NONE)
		return; /* the kernel chooses */
	h->msg_control = l->bytes;
	h->msg_controllen = six ? CMSG_SPACE(sizeof(v6)) : CMSG_SPACE(sizeof(v4));
	memset(l->bytes, 0, sizeof(l->bytes));
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = six ? CMSG_LEN(sizeof(v6)) : CMSG_LEN(sizeof(v4));
	if (six) {
		memcpy(&v6.ipi6_addr, from->local.bytes, sizeof(v6.ipi6_addr));
		memcpy(CMSG_DATA(c), &v6, sizeof(v6));
	} else {
		memcpy(&v4.ipi_spec_dst, from->local.bytes, sizeof(v4.ipi_spec_dst));
		memcpy(CMSG_DATA(c), &v4, sizeof(v4));
	}
}
