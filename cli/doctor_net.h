/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the host's routing says: which way a packet goes, how large it may be. */
#pragma once

#include "base/err.h"
#include "sluice/addr.h"

struct route {
	uint8_t type;	     /* RTN_UNICAST, RTN_LOCAL, RTN_UNREACHABLE... */
	uint32_t oif;	     /* 0: none */
	struct ip_addr from; /* the host's address that goes there, family IP_NONE: not said */
	struct ip_addr via;  /* next hop, family IP_NONE: directly attached */
};

/* @src may be NULL. @iif: as if it had come in there, 0: as if this host sent it. 0; -ENETUNREACH and others of the
 * kernel when there is no way. */
int route_get(const struct ip_addr *dst, const struct ip_addr *src, uint32_t iif, struct route *ret);
/* Bytes, 0: no such interface. */
uint32_t link_mtu(uint32_t index);
/* A file of /proc or /sys as text without the last line's end. 0 or negative errno. */
int small_file_read(const char *path, char *ret, size_t room);
