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
	bool trimmed;	 /* HTTPS, SVCB: without the hints that reply_gives() does not know */
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

/* Another host that a record of the answer leads to: an HTTPS or SVCB record's, when it is another than its owner; a
 * PTR record's; an alias's. */
bool reply_target(const struct reply *r, const struct reply_rr *x, struct dname *ret);

/* Keys of HTTPS and SVCB records that hold addresses (RFC 9460 7.3). */
#define SVCB_KEY_IPV4HINT 4u
#define SVCB_KEY_IPV6HINT 6u

/* Behind reply_addrs(): leave out addresses, forbidden[i] that of .addrs[i], beside records that the caller has
 * dropped. A hint goes out of its record; the record goes where it says that it is of no use without. Signatures of
 * what was asked for go, too: they cover the whole set. Addresses and TTL are those of what stays. Returns how many
 * records of the asked type are left. */
uint32_t reply_trim(struct reply *r, const struct question *q, const bool *forbidden);
/* It is among the addresses. */
bool reply_gives(const struct reply *r, const struct ip_addr *addr);
