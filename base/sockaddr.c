/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sockaddr.h"

#include <string.h>

socklen_t socket_address_of(const struct ip_addr *a, uint16_t port, union socket_address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == IP_V4) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		memcpy(&ret->v4.sin_addr, a->bytes, 4);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(port);
	memcpy(&ret->v6.sin6_addr, a->bytes, 16);
	return sizeof(ret->v6);
}
