/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Netlink messages and attributes out of a datagram of the kernel, through bounded cursors. Lengths and types are in
 * host order, with padding to four bytes. Source: linux include/uapi/linux/netlink.h (nlmsghdr, nlattr). */
#pragma once

#include "base/cursor.h"

struct nl_attr {
	uint16_t type;
	struct rcur value;
};

struct nl_message {
	uint16_t type, flags;
	struct rcur body;
};

/* False at the end, and on an error, which is in @c. */
bool nl_attr_next(struct rcur *c, struct nl_attr *ret);
bool nl_message_next(struct rcur *c, struct nl_message *ret);
/* The whole value, from network order; one of another length is -EBADMSG in *err. */
uint32_t nl_attr_be32(struct nl_attr *a, int *err);
uint64_t nl_attr_be64(struct nl_attr *a, int *err);
