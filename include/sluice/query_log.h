/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What dnsd tells the recorder of answered questions: the body of QUERIES, records one behind the other, in the
 * machine's own byte order. Told of those devices alone whose policy has their queries recorded; a record has no more
 * than its level allows, so that what may not be recorded does not leave dnsd. */
#pragma once

#include "sluice/addr.h"

/* What decided. The numbers are in journals: added to, never changed. */
#define QUERY_REASON_LIST(X)                                                                                           \
	X(NONE, 0, "none")	   /* nothing speaks of it */                                                          \
	X(POLICY, 1, "policy")	   /* its denies */                                                                    \
	X(RECORDS, 2, "records")   /* the policy's records, devices' names */                                          \
	X(CANARY, 3, "canary")	   /* the policy's canaries */                                                         \
	X(OVERRIDE, 4, "override") /* sluice allow, sluice pause */                                                    \
	X(FILTER, 5, "filter")	   /* a rule in the policy's filter */                                                 \
	X(LIST, 6, "list")                                                                                             \
	X(SAFE, 8, "safesearch")                                                                                       \
	X(REBIND, 7, "rebind") /* a private address from a public name */

enum query_reason {
#define QUERY_REASON_ENUM(name, number, text) QUERY_REASON_##name = (number),
	QUERY_REASON_LIST(QUERY_REASON_ENUM)
#undef QUERY_REASON_ENUM
		QUERY_REASON_MAX = 9
};

enum query_told {
	QUERY_TOLD_ONE = 1, /* a question: levels blocked, pseudonymous, full */
	QUERY_TOLD_COUNT,   /* of a minute, of one device, with one outcome and reason: no names, no types. Level counts
			     */
	QUERY_TOLD_LOST,    /* records that the channel had no room for */
};

enum query_flag {
	QUERY_EXCEPTED = 1u << 0, /* it passed because of an exception: that is what .reason, .list and .line say */
	QUERY_SILENT = 1u << 1,	  /* there was no answer (a rule drops it): .rcode means nothing */
};

#define QUERY_RCODE_NONE 0xffu
#define QUERY_ADDRS_MAX	 8u   /* of an answer: what a browser tries; more are not told */
#define QUERY_RULE_MAX	 255u /* a rule's text is cut at that */
#define QUERY_LIST_MAX	 127u

/* Followed by name[.name_len] in wire form (absent with COUNT), list[.list_len], rule[.rule_len],
 * struct ip_addr addrs[.n_addrs]. */
struct query_told_head {
	uint64_t at_us; /* CLOCK_REALTIME: the question was read; COUNT, LOST: the first of them */
	uint64_t count; /* COUNT, LOST */
	uint32_t latency_us;
	uint32_t line;
	uint16_t len; /* of the record with all that follows */
	uint16_t type;
	uint16_t upstream_port;
	uint8_t kind;	   /* enum query_told */
	uint8_t level;	   /* enum log_level by which it is told */
	uint8_t outcome;   /* enum dns_outcome */
	uint8_t reason;	   /* enum query_reason */
	uint8_t flags;	   /* enum query_flag */
	uint8_t rcode;	   /* or QUERY_RCODE_NONE */
	uint8_t transport; /* enum dns_transport */
	uint8_t n_addrs;
	uint8_t name_len, list_len, rule_len;
	struct ip_addr client;
	struct ip_addr upstream; /* that gave the answer to this question; IP_NONE: none was asked, or not known */
	uint8_t unused[7];
};

#define QUERY_TOLD_MAX                                                                                                 \
	(sizeof(struct query_told_head) + 255 + QUERY_LIST_MAX + QUERY_RULE_MAX +                                      \
	 QUERY_ADDRS_MAX * sizeof(struct ip_addr))

/* "list", "policy", …; "?" of a number that is none. */
const char *query_reason_name(uint8_t reason);
