/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ways out of this host that a grant may choose ("egress"): names in gateway.hujson, each of which stands for an
 * interface, a routing table or a routing mark. Who steers a packet there (policy/lower_steer.c) and who makes the
 * routes (gatewayd/egress.c) meet in the packet's mark. */
#pragma once

#include <stdint.h>

#include "sluice/addr.h"

#define EGRESS_NAME_FORM "up to 32 letters, digits, - and _"
#define EGRESS_MAX	 32u /* rules of routing have 100 preferences before Tailscale's */
#define EGRESS_MARKED                                                                                                  \
	0xff000000u /* bits of the packet's mark by which we choose a table: nobody else's (syntax.md 3.2) */

enum egress_kind {
	EGRESS_INTERFACE = 0, /* a routing table of ours leads out of .interface */
	EGRESS_TABLE,	      /* .table, which is the user's */
	EGRESS_MARK,	      /* .mark, by which the user's own rules of routing go */
};

struct egress {
	const char *name;
	enum egress_kind kind;
	const char *interface; /* by which packets must leave; NULL: whichever the table or the mark leads to */
	uint32_t table;
	uint32_t mark, mask; /* in the packet's mark; ours: the number of the way, from 1 on, in EGRESS_MARKED */
};

/* Members of doc_gateway: in the order of the file. */
struct egress_list {
	const struct egress *items;
	uint32_t n;
};

bool egress_name_valid(const char *name);
/* Borrowed from @l; NULL: there is none of that name. */
const struct egress *egress_find(const struct egress_list *l, const char *name);

static inline uint32_t egress_mark(uint32_t index)
{
	return (index + 1) << 24;
}
