/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the resolver's answer says: records, the chain of aliases, the addresses. */
#pragma once

#include "dnsd/packet.h"
#include "sluice/addr.h"
#include "sluice/msg.h"

#define CNAME_CHAIN_MAX 12u   /* unbound itself follows 11; a longer chain is refused */
#define REPLY_RRS_MAX	2048u /* of one answer: a message of 64 kB of addresses has more, no honest one does */

struct reply_rr {
	struct rr rr;
	uint8_t section; /* enum dns_section */
	bool dropped;	 /* not for the client */
};

/* One answer, taken apart. Large: one a worker, not on the stack. Borrows the message. */
struct reply {
	const uint8_t *msg;
	size_t len;
	uint16_t flags;
	struct reply_rr rrs[REPLY_RRS_MAX];
	uint32_t n_rrs;
	struct dname chain[CNAME_CHAIN_MAX]; /* CNAME targets from the question's name on */
	uint32_t n_chain;
	struct ip_addr addrs[LEARN_ADDRS_MAX]; /* of records not dropped: A, AAAA, hints of HTTPS and SVCB; each once */
	uint32_t n_addrs;
	uint32_t min_ttl_s;	/* of the records with addresses and of the chain; UINT32_MAX when there are none */
	uint32_t n_private;	/* records dropped for a private address */
	struct ip_addr private; /* the first of those addresses */
};

/* Take @msg apart: bounds, question, chain; records that do not belong to the chain are dropped, and those that the
 * client does not want (@q: DNSSEC records without DO; authority and additional other than SOA and denial proofs).
 * 0; -EBADMSG malformed or of another question; -E2BIG over a limit. */
int reply_read(const uint8_t *msg, size_t len, const struct question *q, struct reply *ret);

/* Collect the addresses. @guard: records with private addresses are dropped (rebind guard). Records beyond
 * LEARN_ADDRS_MAX addresses are dropped. */
void reply_addrs(struct reply *r, bool guard);

/* The host that an HTTPS or SVCB record of the answer sends the client to, when it is another than its owner. */
bool reply_target(const struct reply *r, const struct reply_rr *x, struct dname *ret);
