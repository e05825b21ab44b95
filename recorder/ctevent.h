/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conntrack event messages of the kernel to plain data. Pure: bytes in, events out. */
#pragma once

#include "base/cursor.h"
#include "sluice/addr.h"

/* What one wake of the loop takes from the socket: names and plans must not wait behind a burst of flows. A datagram of
 * the kernel holds one event as a rule. */
#define CT_EVENTS_PER_WAKE 256u

enum flow_event_type { FLOW_EVENT_NEW = 0, FLOW_EVENT_DESTROY };

struct flow_tuple {
	struct ip_addr src, dst;
	uint8_t proto;
	uint16_t src_port, dst_port; /* 0 for protocols without ports; ICMP: the id and 0 */
};

struct flow_event {
	enum flow_event_type type;
	uint32_t ct_id; /* the kernel's: a keyed hash that stays for the life of the flow */
	uint32_t mark;
	struct flow_tuple orig, reply;
	uint64_t start_us, end_us; /* CLOCK_REALTIME as the kernel stamped it; 0 without nf_conntrack_timestamp */
	bool counted;		   /* nf_conntrack_acct was on */
	uint64_t orig_bytes, orig_packets, reply_bytes, reply_packets;
};

/* Next event in a datagram. 1 an event; 0 the end; -EBADMSG malformed (the rest of the datagram is lost). Messages that
 * are no NEW or DESTROY are passed over. */
int ctevent_next(struct rcur *c, struct flow_event *ret);
