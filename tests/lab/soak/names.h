/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The world of the soak test: which names there are, what is true of each, and when which upstream fails. Both sides
 * work it out for themselves: the upstreams to answer, the clients to judge. An address is a hash of the name and of
 * the upstream that gave it, so an answer that belongs to another name, or comes from the other upstream, is seen.
 *
 *   p<N>.example.org        addresses                 the public upstream's
 *   s<N>.corp.example.com   addresses                 the split upstream's alone
 *   b<N>.ads.example.net    on a block list
 *   r<N>.home.arpa          a record of the policy    its address changes with the policy
 *   c<N>.example.org        alias of p<N>
 *   k<N>.example.org        alias of b<N>             blocked for its target
 *   x<N>.example.org        does not exist
 *   v<N>.example.org        an IPv4 address, no IPv6 address
 *   t<N>.example.org        3,000 bytes of text       too large for UDP
 *   f<N>.flip.example.org   as p                      blocked by policy b
 *   g<N>.moved.example.com  addresses                 the split upstream's by policy a, public by policy b */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SOAK_NAME_MAX	64 /* all names above are shorter */
#define SOAK_ADDRS_MAX	3
#define SOAK_RECORDS	16 /* r0 to r15 */
#define SOAK_TEXTS	12 /* character strings of a t name */
#define SOAK_TEXT_BYTES 250
#define SOAK_TTL_MAX_S	60 /* of all that the upstreams say */
#define SOAK_SPLIT_ZONE ".corp.example.com"

enum soak_kind {
	SOAK_PUBLIC,
	SOAK_SPLIT,
	SOAK_BLOCKED,
	SOAK_RECORD,
	SOAK_ALIAS,
	SOAK_CLOAKED,
	SOAK_MISSING,
	SOAK_NO_V6,
	SOAK_LARGE,
	SOAK_FLIP,
	SOAK_MOVED,
	SOAK_KIND_MAX
};

enum soak_side { SIDE_PUBLIC, SIDE_SPLIT, SIDE_MAX };

enum soak_fault { FAULT_NONE, FAULT_SILENT, FAULT_SERVFAIL, FAULT_TC, FAULT_SLOW, FAULT_MAX };

/* What is true of a name and a type. Without addresses, text and target: no data. */
struct soak_want {
	uint16_t rcode;
	uint32_t ttl_s;
	bool v6, text;
	unsigned int n_addrs;
	uint8_t addrs[SOAK_ADDRS_MAX][16]; /* of an IPv4 address the first 4 */
	char target[SOAK_NAME_MAX];	   /* of the alias; "" = none */
};

/* The name of a kind. @ret: in lower case, without a dot at the end. */
void soak_name(enum soak_kind kind, unsigned int n, char ret[SOAK_NAME_MAX]);

/* What the upstream of @side says. @name: lower case, without the last dot; @type: DNS type. */
void soak_zone(enum soak_side side, const char *name, uint16_t type, struct soak_want *ret);

/* What a client must get for the n-th name of a kind while policy 'a' or 'b' is in force. */
void soak_expect(enum soak_kind kind, unsigned int n, uint16_t type, char policy, struct soak_want *ret);

/* Whether the answer is the other upstream's business: the side that is asked for it by that policy. A kind that is not
 * asked of any upstream gives SIDE_MAX. */
enum soak_side soak_side_of(enum soak_kind kind, char policy);

/* The fault of an upstream, @ms after the start of the soak. Every @period_s one of them fails in one way for a fifth
 * of that time; then it works again. */
enum soak_fault soak_fault(enum soak_side side, uint64_t ms, unsigned int period_s);

/* Milliseconds, CLOCK_MONOTONIC: the start of the soak is told in it to all programs. */
uint64_t soak_now_ms(void);
