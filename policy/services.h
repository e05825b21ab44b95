/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Protocols and ports of rules as text: "443", "80-443,8080", "tcp:443", "icmp:*", proto names (Tailscale's grammar).
 */
#pragma once

#include "policy/reader.h"

/* A list of more ports than this in one string is refused: each takes memory and a kernel element per destination. */
#define PORTS_PER_STRING_MAX 1024

#define PROTO_ICMP  1
#define PROTO_TCP   6
#define PROTO_UDP   17
#define PROTO_ICMP6 58
#define PROTO_SCTP  132

/* Which protocols the rules of a policy open: what a deny of everything must close. */
struct proto_set {
	uint64_t bits[4];
};

struct service_list {
	const struct service *items; /* sorted, disjoint, touching ones joined */
	uint32_t n;
};

static inline void proto_set_add(struct proto_set *s, uint8_t proto)
{
	s->bits[proto / 64] |= 1ull << (proto % 64);
}

static inline bool proto_set_has(const struct proto_set *s, uint8_t proto)
{
	return (s->bits[proto / 64] >> (proto % 64) & 1) != 0;
}

bool proto_has_ports(uint8_t proto);
/* Name or decimal number, 1-255. 0 or -EINVAL. */
int proto_lookup(const char *text, uint8_t *ret);
/* The same of a "proto" member. 0 or -EINVAL (reported). */
int proto_parse(struct doc_reader *r, struct span at, const char *text, uint8_t *ret);
/* One port of a test: "443"; "0" for protocols without ports. 0 or -EINVAL (not reported). */
int port_parse(const char *text, uint16_t *ret);

/* The ports of an ACL destination ("443", "80,8000-8100", "*") with the rule's proto, 0 = none given: then TCP and UDP
 * on these ports, and ICMP. 0 or -EINVAL (reported). */
int services_of_ports(struct doc_reader *r, struct span at, const char *ports, uint8_t proto, struct service_list *ret);
/* The "ip" list of a grant or, with @deny, of a deny. A plain port of a grant implies ICMP, of a deny it does not (who
 * closes a port does not ask for ping to stop); "*" of a deny is every protocol of @opened. */
int services_of_ip(struct doc_reader *r, const struct hj_node *list, const struct proto_set *opened, bool deny,
		   struct service_list *ret);
