/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of this host's addresses a datagram was sent to, and that the answer leaves from it: for sockets that have all
 * addresses. Those with one address do without. Sources: ip(7) IP_PKTINFO, RFC 3542 6. */
#pragma once

#include <netinet/in.h>

#include "dnsd/query.h"

/* Control data of one datagram, either way. */
struct udp_local {
	_Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static_assert(sizeof(struct in6_pktinfo) >= sizeof(struct in_pktinfo), "room for either");

/* Before recvmmsg(2): @l takes what comes; NULL: nothing is wanted. */
void udp_local_want(struct udp_local *l, struct msghdr *h);
/* After it: into @from->local; family IP_NONE when the kernel did not say. */
void udp_local_get(const struct msghdr *h, struct query_from *from);
/* Before sendmmsg(2): by @from->local, as control data in @l. */
void udp_local_put(struct udp_local *l, const struct query_from *from, struct msghdr *h);
