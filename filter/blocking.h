/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a blocked name is answered with: the view's way, or the one that the rule asks for, and the query's type, to
 * rcode and address. Pure.
 *
 * NXDOMAIN and REFUSED are said for every type: a name that does not exist for A exists for no type (RFC 8020). The
 * null mode and the policy's own addresses are for A and AAAA, with an empty answer for all else, HTTPS and SVCB among
 * them, so that no client learns an address by a side door. */
#pragma once

#include "filter/verdict.h"

/* The few numbers needed here (RFC 1035 3.2.2, 4.1.1; RFC 3596). */
#define BLOCKING_TYPE_A		1u
#define BLOCKING_TYPE_AAAA	28u
#define BLOCKING_RCODE_NOERROR	0u
#define BLOCKING_RCODE_SERVFAIL 2u
#define BLOCKING_RCODE_NXDOMAIN 3u
#define BLOCKING_RCODE_REFUSED	5u

struct blocked_answer {
	bool drop;     /* nothing is said */
	bool tcp_only; /* over UDP nothing but TC; over others as if it were not blocked */
	bool negative; /* empty, with an SOA */
	uint8_t rcode;
	struct ip_addr addr; /* family IP_NONE: no record in the answer */
};

static inline struct blocked_answer blocked_by_mode(enum block_mode mode, uint16_t qtype)
{
	struct blocked_answer a = { .rcode = BLOCKING_RCODE_NOERROR };

	switch (mode) {
	case BLOCK_NULL:
		a.addr.family = qtype == BLOCKING_TYPE_A ? IP_V4 : qtype == BLOCKING_TYPE_AAAA ? IP_V6 : IP_NONE;
		a.negative = a.addr.family == IP_NONE;
		break;
	case BLOCK_NXDOMAIN:
		a.rcode = BLOCKING_RCODE_NXDOMAIN;
		a.negative = true;
		break;
	case BLOCK_REFUSED:
		a.rcode = BLOCKING_RCODE_REFUSED;
		break;
	case BLOCK_DROP:
		a.drop = true;
		break;
	case BLOCK_CUSTOM: /* its addresses are the view's */
	case BLOCK_NODATA:
	case BLOCK_MODE_MAX:
		a.negative = true;
		break;
	}
	return a;
}

static inline struct blocked_answer blocked_by_view(const struct view *view, uint16_t qtype)
{
	struct blocked_answer a = blocked_by_mode(view->block_mode, qtype);

	if (view->block_mode != BLOCK_CUSTOM || (qtype != BLOCKING_TYPE_A && qtype != BLOCKING_TYPE_AAAA))
		return a;
	a.addr = view->block_addrs[qtype == BLOCKING_TYPE_A ? BLOCK_ADDR_V4 : BLOCK_ADDR_V6];
	a.negative = a.addr.family == IP_NONE;
	return a;
}

/* @v is a block. */
static inline struct blocked_answer blocked_answer(const struct view *view, const struct name_verdict *v,
						   uint16_t qtype)
{
	struct blocked_answer a = { .negative = true };

	if (v->by == VERDICT_BY_CANARY)
		return blocked_by_mode(BLOCK_NXDOMAIN, qtype);
	switch (v->answer) {
	case LIST_ANSWER_VIEW:
	case LIST_ANSWER_MAX:
		return blocked_by_view(view, qtype);
	case LIST_ANSWER_NXDOMAIN:
		return blocked_by_mode(BLOCK_NXDOMAIN, qtype);
	case LIST_ANSWER_REFUSED:
		return blocked_by_mode(BLOCK_REFUSED, qtype);
	case LIST_ANSWER_SERVFAIL:
		a.rcode = BLOCKING_RCODE_SERVFAIL;
		a.negative = false;
		break;
	case LIST_ANSWER_DROP:
		a.drop = true;
		break;
	case LIST_ANSWER_TCP_ONLY:
		a.tcp_only = true;
		break;
	case LIST_ANSWER_NODATA:
		break;
	}
	return a;
}
