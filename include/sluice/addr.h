/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IPv4 and IPv6 addresses, prefixes and ranges: plain data, text only at the edges. */
#pragma once

#include "base/base.h"

/* The numbers go over IPC and into journals: they stay. */
enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

#define IP_TEXT_MAX 64 /* INET6_ADDRSTRLEN (46), a prefix length or a second half of a range fits */

struct ip_addr {
	uint8_t family;	   /* enum ip_family */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, the rest zero */
};

struct ip_prefix {
	struct ip_addr addr; /* bits behind len are zero after ip_prefix_parse() */
	uint8_t len;	     /* bits: 0-32 or 0-128 */
};

struct ip_range {
	struct ip_addr first, last; /* inclusive, same family */
};

static inline uint8_t ip_addr_len(const struct ip_addr *a)
{
	return a->family == IP_V4 ? 4 : a->family == IP_V6 ? 16 : 0;
}

/* Exactly one address in text, no blanks, no zone id. 0 or -EINVAL. */
int ip_addr_parse(const char *text, struct ip_addr *ret);
/* "a/len" or a bare address (full length). Host bits set: accepted and cleared, *ret_host_bits (may be NULL) tells. */
int ip_prefix_parse(const char *text, struct ip_prefix *ret, bool *ret_host_bits);
/* From a packet: @len 4 or 16. */
struct ip_addr ip_addr_from_bytes(const uint8_t *bytes, size_t len);
/* Returns @buf, which holds at least IP_TEXT_MAX bytes. */
const char *ip_addr_print(const struct ip_addr *a, char *buf);
const char *ip_prefix_print(const struct ip_prefix *p, char *buf);

/* RFC 1918, CGNAT, loopback, link-local, ULA, unspecified, multicast, reserved, and the IPv6 forms of them:
 * IPv4-mapped, IPv4-compatible, 6to4, NAT64 (RFC 6052, RFC 8215). */
bool ip_addr_private(const struct ip_addr *a);
/* 127.0.0.0/8 or ::1: a program of this host, by itself. */
bool ip_addr_is_loopback(const struct ip_addr *a);
/* 0.0.0.0 or ::, as which a socket is bound to all addresses. */
bool ip_addr_is_any(const struct ip_addr *a);

/* Order: IPv4 before IPv6, then by value. */
int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b);
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
bool ip_range_contains(const struct ip_range *r, const struct ip_addr *a);
struct ip_range ip_prefix_range(const struct ip_prefix *p);
/* Neighbour address; false when there is none (all ones, all zeros). */
bool ip_addr_next(const struct ip_addr *a, struct ip_addr *ret);
bool ip_addr_prev(const struct ip_addr *a, struct ip_addr *ret);

/* Sort and merge in place to disjoint ranges, touching ones joined; returns the new count. */
size_t ip_ranges_normalize(struct ip_range *ranges, size_t n);
/* @from without @what, both sorted and disjoint, to @ret, which has room for @n + @n_what; returns the new count. */
size_t ip_ranges_subtract(const struct ip_range *from, size_t n, const struct ip_range *what, size_t n_what,
			  struct ip_range *ret);
