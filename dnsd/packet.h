/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS messages on the wire: a client's question read, records walked, an answer written. */
#pragma once

#include "sluice/dname.h"

#define DNS_HEADER_LEN	   12u
#define DNS_UDP_PLAIN_MAX  512u	  /* RFC 1035 4.2.1: without EDNS */
#define DNS_UDP_ANSWER_MAX 1232u  /* fits IPv6's minimum MTU: never fragmented (DNS flag day 2020) */
#define DNS_MESSAGE_MAX	   65535u /* RFC 1035 4.2.2: two bytes of length over TCP */
#define OPT_LEN		   11u	  /* without options: root owner, type, class, ttl, rdlen */
#define DNS_EDE_TEXT_MAX   400u /* the longest reason: list name, line, a rule of one name, a CNAME target cut short */

enum dns_flag {
	DNS_QR = 0x8000,
	DNS_OPCODE = 0x7800,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_AD = 0x0020,
	DNS_CD = 0x0010,
	DNS_RCODE = 0x000f,
};

enum dns_rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_BADVERS = 16, /* upper bits in the OPT record */
};

enum dns_type {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_MB = 7,
	TYPE_MG = 8,
	TYPE_MR = 9,
	TYPE_PTR = 12,
	TYPE_HINFO = 13,
	TYPE_MINFO = 14,
	TYPE_MX = 15,
	TYPE_AAAA = 28,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	TYPE_DS = 43,
	TYPE_RRSIG = 46,
	TYPE_NSEC = 47,
	TYPE_NSEC3 = 50,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	TYPE_IXFR = 251,
	TYPE_AXFR = 252,
	TYPE_ANY = 255,
};

enum dns_class { CLASS_IN = 1 };

/* RFC 8914 */
enum dns_ede {
	EDE_NONE = -1,
	EDE_STALE = 3,
	EDE_DNSSEC_BOGUS = 6,
	EDE_NOT_READY = 14,
	EDE_BLOCKED = 15,
	EDE_PROHIBITED = 18,
	EDE_STALE_NXDOMAIN = 19,
	EDE_NO_AUTHORITY = 22,
	EDE_NETWORK_ERROR = 23,
};

/* What a client asked. Plain data. */
struct question {
	uint16_t id, flags;
	uint16_t type, class_;
	uint16_t udp_size; /* the client's; DNS_UDP_PLAIN_MAX without EDNS */
	bool edns, dnssec_ok;
	bool has_name;		 /* false: the question could not be read, the answer has none */
	struct dname name;	 /* lower case */
	uint8_t sent[DNAME_MAX]; /* the same bytes in the client's case (0x20), .name.len of them */
};

/* Read a client's message. Returns 0: go on by @ret; a positive enum dns_rcode: answer that; -EBADMSG: say nothing (no
 * header, or itself an answer: two servers would talk to each other for ever). @ret is filled as far as it was read. */
int question_read(const uint8_t *msg, size_t len, struct question *ret);

/* One record as it lies in a message. */
struct rr {
	uint16_t owner; /* offsets in the message */
	uint16_t rdata;
	uint16_t rdlen;
	uint16_t type, class_;
	uint32_t ttl_s;
};

/* At @c, which runs over @msg. 0 or -EBADMSG. */
int rr_read(struct rcur *c, const uint8_t *msg, struct rr *ret);

/* Names that were written and may be pointed to. */
#define COMPRESS_MAX 48u /* suffixes of one answer; further names are written out in full */

/* An answer being written. */
struct answer_out {
	struct wcur w;
	uint16_t counts[4];
	struct {
		uint16_t at;
		uint8_t labels;
	} names[COMPRESS_MAX];
	uint32_t n_names;
};

enum dns_section { SECTION_ANSWER = 1, SECTION_AUTHORITY = 2, SECTION_ADDITIONAL = 3 };

/* Header and question (when there is one). @flags beside those copied from the question: AA, AD, TC; @rcode low bits.
 */
void answer_begin(struct answer_out *o, uint8_t *buf, size_t len, const struct question *q, uint16_t flags,
		  uint32_t rcode);
/* A name in wire form without pointers, in any case; compressed where a suffix was written before. */
void answer_name(struct answer_out *o, const uint8_t *wire, size_t len);
/* A record's head, class IN. Returns where the length of its data goes: answer_rr_end() fills it in. */
uint8_t *answer_rr_begin(struct answer_out *o, enum dns_section s, const uint8_t *owner, size_t owner_len,
			 uint16_t type, uint32_t ttl_s);
void answer_rr_end(struct answer_out *o, uint8_t *rdlen);
/* Go on with a message that stands in @buf already, whole, @len bytes of @size. */
void answer_resume(struct answer_out *o, uint8_t *buf, size_t len, size_t size);
/* The OPT record, only when the question had one. @ede: enum dns_ede or EDE_NONE; @text may be NULL; cut to what fits.
 */
void answer_opt(struct answer_out *o, const struct question *q, uint32_t rcode, int ede, const char *text);
/* Counts into the header. Length of the message, or -E2BIG when it did not fit. */
int answer_end(struct answer_out *o);

/* The name at @at in @msg without pointers, case kept. Returns its length, 0 when it is malformed. */
size_t name_expand(const uint8_t *msg, size_t len, size_t at, uint8_t ret[DNAME_MAX]);
