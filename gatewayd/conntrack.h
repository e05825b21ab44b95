/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's connection table: dump, delete, events. Non-logging. */
#pragma once

#include "base/err.h"
#include "sluice/addr.h"

struct conntrack;

/* One flow in its original direction, before any translation: what policy is about. */
struct ct_flow {
	struct ip_addr src, dst;
	uint8_t proto;
	uint16_t sport, dport; /* 0 for protocols without ports */
	uint32_t mark;	       /* all bits */
	uint32_t status;       /* IPS_* bits */
	uint8_t tcp_state;     /* TCP_CONNTRACK_*; 0 for others */
};

/* Open once, before capabilities are dropped; needs CAP_NET_ADMIN later on. @ret: returned, conntrack_free(). */
int conntrack_open(struct conntrack **ret, struct err *e);
struct conntrack *conntrack_free(struct conntrack *ct);
void conntrack_freep(struct conntrack **ct);

enum ct_next { CT_KEEP = 0, CT_CUT, CT_STOP };
/* Every flow, IPv4 then IPv6; what @fn returns CT_CUT for is deleted at once. @ret_cut (may be NULL): how many were. */
int conntrack_each(struct conntrack *ct, enum ct_next (*fn)(void *arg, const struct ct_flow *flow), void *arg,
		   uint32_t *ret_cut, struct err *e);
/* Flows that may still carry packets: not TCP that was closed or is waiting. */
bool ct_flow_alive(const struct ct_flow *flow);

/* A socket that hears of new and ended flows, for the recorder: non-blocking, close-on-exec, with a large buffer; a
 * loss of events shows as ENOBUFS. @ret_fd: the caller's. */
int ct_events_open(int *ret_fd, struct err *e);
