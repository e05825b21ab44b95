/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nflog messages of the kernel to plain data: which packet was refused, and why. Pure: bytes in, drops out. */
#pragma once

#include "base/cursor.h"
#include "sluice/addr.h"
#include "sluice/drop.h"

struct nflog_drop {
	enum drop_reason reason;
	uint32_t mark; /* DROP_DENY: the rule's */
	uint32_t ifindex;
	uint32_t seq; /* of the kernel's messages to this group, from 0; gaps are losses */
	bool has_seq;
	struct ip_addr src, dst;
	uint8_t proto; /* behind extension headers, as far as the message has them */
	bool has_ports;
	uint16_t src_port, dst_port;
};

/* Next drop in a datagram. 1 a drop; 0 the end; -EBADMSG malformed (the rest of the datagram is lost). Messages of
 * another kind, and those with a prefix that is none of ours, are passed over. */
int nflog_next(struct rcur *c, struct nflog_drop *ret);
