/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's connection table: dump, delete, events. Non-logging. */
#pragma once

#include "base/err.h"
#include "sluice/addr.h"

struct conntrack;

/* Addresses and ports of one direction; ports are 0 for protocols without them. */
struct ct_tuple {
	struct ip_addr src, dst; /* .family IP_NONE: there is none */
	uint8_t proto;
	uint16_t sport, dport;
};

/* One flow in its original direction as the table's filter chains see it, which is what policy is about: the source
 * before any translation (masquerading comes behind them), the destination after it (a redirection comes before). */
struct ct_flow {
	struct ip_addr src, dst;
	uint8_t proto;
	uint16_t sport, dport;	/* 0 for protocols without ports */
	uint32_t mark;		/* all bits */
	uint32_t status;	/* IPS_* bits */
	uint8_t tcp_state;	/* TCP_CONNTRACK_*; 0 for others */
	struct ct_tuple master; /* of a flow that another has announced (FTP's data): the other's, before translation */
};

/* Open once, before capabilities are dropped; needs CAP_NET_ADMIN later on. @ret: returned, conntrack_free(). */
int conntrack_open(struct conntrack **ret, struct err *e);
struct conntrack *conntrack_free(struct conntrack *ct);
void conntrack_freep(struct conntrack **ct);

enum ct_next { CT_KEEP = 0, CT_CUT, CT_STOP };
/* Every flow of both families, once; what @fn returns CT_CUT for is deleted at once. @ret_cut (may be NULL): how many
 * were, also after an error. -EINTR: the table was changed under the walk, or a piece of it got lost: flows may have
 * been missed, so walk again. Any other error of a deletion does not end the walk and is returned after it. */
int conntrack_each(struct conntrack *ct, enum ct_next (*fn)(void *arg, const struct ct_flow *flow), void *arg,
		   uint32_t *ret_cut, struct err *e);
/* Flows that may still carry packets: not TCP that was closed or is waiting. */
bool ct_flow_alive(const struct ct_flow *flow);

/* A socket that hears of new and ended flows, for the recorder: non-blocking, close-on-exec, with a large buffer; a
 * loss of events shows as ENOBUFS. @ret_fd: the caller's. */
int ct_events_open(int *ret_fd, struct err *e);
