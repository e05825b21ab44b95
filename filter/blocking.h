/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a blocked name is answered with: block mode and query type to rcode and address. Pure.
 *
 * NXDOMAIN and REFUSED are said for every type: a name that does not exist for A exists for no type (RFC 8020). The
 * null mode has an address for A and AAAA and an empty answer for all else, HTTPS and SVCB among them, so that no
 * client learns an address by a side door. */
#pragma once

#include "sluice/plan.h"

/* The few numbers needed here (RFC 1035 3.2.2, 4.1.1; RFC 3596). */
#define BLOCKING_TYPE_A		1u
#define BLOCKING_TYPE_AAAA	28u
#define BLOCKING_RCODE_NOERROR	0u
#define BLOCKING_RCODE_NXDOMAIN 3u
#define BLOCKING_RCODE_REFUSED	5u

struct blocked_answer {
	uint8_t rcode;
	struct ip_addr addr; /* family IP_NONE: no record in the answer */
};

static inline struct blocked_answer blocked_answer(enum block_mode mode, uint16_t qtype)
{
	struct blocked_answer a = { .rcode = BLOCKING_RCODE_NOERROR };

	switch (mode) {
	case BLOCK_NULL:
		a.addr.family = qtype == BLOCKING_TYPE_A ? IP_V4 : qtype == BLOCKING_TYPE_AAAA ? IP_V6 : IP_NONE;
		break;
	case BLOCK_NXDOMAIN:
		a.rcode = BLOCKING_RCODE_NXDOMAIN;
		break;
	case BLOCK_REFUSED:
		a.rcode = BLOCKING_RCODE_REFUSED;
		break;
	case BLOCK_NODATA:
	case BLOCK_CUSTOM: /* its addresses are the view's */
	case BLOCK_DROP:
	case BLOCK_MODE_MAX:
		break;
	}
	return a;
}
