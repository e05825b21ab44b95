/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS messages on the wire: a client's question read (question.c), records walked, an answer written (packet.c). */
#pragma once

#include "sluice/dname.h"

#define DNS_HEADER_LEN	   12u
#define DNS_UDP_PLAIN_MAX  512u	  /* RFC 1035 4.2.1: without EDNS */
#define DNS_UDP_ANSWER_MAX 1232u  /* fits IPv6's minimum MTU: never fragmented (DNS flag day 2020) */
#define DNS_MESSAGE_MAX	   65535u /* RFC 1035 4.2.2: two bytes of length over TCP */
#define DNS_EDE_TEXT_MAX   400u /* the longest reason: list name, line, a rule of one name, a CNAME target cut short */
#define OPT_LEN		   11u	/* of an OPT record without options: root owner, type, class, ttl, rdlen */
#define DNS_PAD_BLOCK	   468u /* RFC 8467 4.1: what answers over an encrypted transport are padded to */

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
	RCODE_NOTAUTH = 9,
	RCODE_BADVERS = 16, /* upper bits in the OPT record */
	RCODE_BADCOOKIE = 23,
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
	TYPE_META_MIN = 128, /* up to 255 no data: questions about questions (RFC 6895 3.1) */
	TYPE_NXNAME = 128,
	TYPE_TSIG = 250,
	TYPE_IXFR = 251,
	TYPE_AXFR = 252,
	TYPE_ANY = 255,
};

enum dns_class { CLASS_IN = 1 };

/* RFC 8914 5.2 and what was registered since (27: RFC 9276, 30: RFC 9824). */
enum dns_ede {
	EDE_NONE = -1,
	EDE_OTHER = 0,
	EDE_DNSKEY_ALGORITHM = 1,
	EDE_DS_DIGEST = 2,
	EDE_STALE = 3,
	EDE_FORGED = 4,
	EDE_INDETERMINATE = 5,
	EDE_DNSSEC_BOGUS = 6,
	EDE_SIGNATURE_EXPIRED = 7,
	EDE_SIGNATURE_NOT_YET = 8,
	EDE_DNSKEY_MISSING = 9,
	EDE_RRSIGS_MISSING = 10,
	EDE_NO_ZONE_KEY = 11,
	EDE_NSEC_MISSING = 12,
	EDE_CACHED_ERROR = 13,
	EDE_NOT_READY = 14,
	EDE_BLOCKED = 15,
	EDE_CENSORED = 16,
	EDE_FILTERED = 17,
	EDE_PROHIBITED = 18,
	EDE_STALE_NXDOMAIN = 19,
	EDE_NOT_AUTHORITATIVE = 20,
	EDE_NOT_SUPPORTED = 21,
	EDE_NO_AUTHORITY = 22,
	EDE_NETWORK_ERROR = 23,
	EDE_INVALID_DATA = 24,
	EDE_SIGNATURE_BEFORE_VALID = 25,
	EDE_TOO_EARLY = 26,
	EDE_NSEC3_ITERATIONS = 27,
	EDE_POLICY = 28,
	EDE_SYNTHESIZED = 29,
	EDE_INVALID_TYPE = 30,
};

/* EDNS options that are read or written. */
enum dns_option {
	OPTION_COOKIE = 10,
	OPTION_KEEPALIVE = 11,
	OPTION_PADDING = 12,
	OPTION_EDE = 15,
};

/* RFC 7873 4; ours are as RFC 9018 has them (cookie.h). */
#define COOKIE_CLIENT_LEN 8u
#define COOKIE_SERVER_MIN 8u
#define COOKIE_SERVER_LEN 16u
#define COOKIE_LEN	  (COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN)
#define COOKIE_MAX	  40u

/* What the OPT record of an answer carries beside an extended error: set by those who know the client and its
 * transport, when the question has been read; nothing of it by question_read(). */
struct answer_edns {
	uint16_t pad_block;	  /* the message is padded to a multiple of it; 0: not */
	uint16_t keepalive_100ms; /* what an idle connection is given (RFC 7828), where .keepalive */
	bool keepalive;
	uint8_t cookie_len;	    /* 0 or COOKIE_LEN */
	uint8_t cookie[COOKIE_LEN]; /* the client's and the server's */
};

/* What a client asked. Plain data. */
struct question {
	uint16_t id, flags;
	uint16_t type, class_;
	uint16_t udp_size; /* the client's; DNS_UDP_PLAIN_MAX without EDNS */
	int16_t ede;	   /* beside an error of question_read(): enum dns_ede or EDE_NONE */
	bool edns, dnssec_ok;
	bool wants_keepalive, wants_padding; /* the option was there; which transports it is for is not looked at */
	bool has_name;			     /* false: the question could not be read, the answer has none */
	uint8_t cookie_len;		     /* 0: none; COOKIE_CLIENT_LEN, or that with 8 to 32 bytes of a server's */
	uint8_t cookie[COOKIE_MAX];
	struct answer_edns reply;
	struct dname name;	 /* lower case */
	uint8_t sent[DNAME_MAX]; /* the same bytes in the client's case (0x20), .name.len of them */
};

/* question_read(): no question, but a cookie is asked for (RFC 7873 5.4). Higher than any rcode. */
#define QUESTION_COOKIE 0x10000

/* Read a client's message. Every decision on malformed and odd questions is made here:
 *
 *   condition, the first that holds                        | what is done            | source
 *   shorter than a header, longer than 65,535 bytes        | nothing                 | RFC 1035 4.1.1
 *   QR: itself an answer                                   | nothing: two servers    | RFC 5625 6.4
 *                                                          | would talk for ever     |
 *   opcode IQUERY, STATUS, NOTIFY, UPDATE, DSO, any but 0  | NOTIMP, header only     | RFC 3425 3, 1996 3.11,
 *                                                          |                         | 2136 3.1, 8490 5.1.1
 *   QDCOUNT 0, no other record but an OPT with COOKIE      | the cookie              | RFC 7873 5.4
 *   QDCOUNT not 1                                          | FORMERR                 | RFC 9619 4
 *   TC: a question that is not whole                       | FORMERR                 | RFC 1035 4.1.1
 *   name compressed, a label of another kind, above 255    | FORMERR                 | RFC 1035 2.3.4, 4.1.4
 *     bytes, cut off; type or class cut off                |                         |
 *   records in answer or authority (IXFR: one SOA may be)  | FORMERR                 | RFC 1995 3
 *   more than 8 further records, or one that is cut off    | FORMERR                 |
 *   two OPTs, OPT not owned by the root                    | FORMERR                 | RFC 6891 6.1.1
 *   EDNS version above 0                                   | BADVERS                 | RFC 6891 6.1.3
 *   an option that is longer than its record               | FORMERR                 | RFC 6891 6.1.2
 *   COOKIE of a length that none has                       | FORMERR                 | RFC 7873 5.2.2
 *   TSIG that is not last                                  | FORMERR                 | RFC 8945 5.1
 *   TSIG: we have no keys; unsigned, without TSIG of ours  | NOTAUTH                 | RFC 8945 5.2
 *   class other than IN: CH (version.bind, id.server), HS, | REFUSED, EDE 21         | RFC 4892 (what of a server
 *     NONE, ANY                                            |                         | is told is its operator's)
 *   type 0, OPT, TSIG, NXNAME                              | FORMERR, EDE 30         | RFC 6895 3.1, 9824 3.5
 *   AXFR, IXFR: no zones are served                        | REFUSED, EDE 21         | RFC 5936 2.2.1, 1995
 *   TKEY, MAILA, MAILB, other types from 128 to 254        | NOTIMP, EDE 21          | RFC 2930 4, 6895 3.1
 *   the rest                                               | go on                   |
 *
 * Gone on with, and for whom it is to look at: ANY (one HINFO, RFC 8482); RD clear (own data, else REFUSED, EDE 20:
 * what is in the cache tells what others have asked for; RFC 8914 4.21). Not looked at: SIG(0) (RFC 2931: we verify
 * none), AA, RA, Z, the rcode, bytes behind the last record, options that are not known. A UDP size below 512 is 512
 * (RFC 6891 6.2.3). AD and CD are in .flags (RFC 6840 5.7, 5.9), DO in .dnssec_ok.
 *
 * Returns 0: go on by @ret; QUESTION_COOKIE; another positive value, an enum dns_rcode: answer that, with .ede;
 * -EBADMSG: nothing is said. @ret is filled as far as it was read, .reply with nothing. */
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
/* The quick way of short answers: the question @q, which has a name, and behind it records of that name only, whose
 * data has no names that are to be compressed. */
void answer_begin_own(struct answer_out *o, uint8_t *buf, size_t len, const struct question *q, uint32_t rcode);
uint8_t *answer_own_begin(struct answer_out *o, enum dns_section s, uint16_t type, uint32_t ttl_s);
/* Go on with a message that stands in @buf already, whole, @len bytes of @size. */
void answer_resume(struct answer_out *o, uint8_t *buf, size_t len, size_t size);
/* The OPT record, only when the question had one, with @q->reply. @ede: enum dns_ede or EDE_NONE; @text may be NULL.
 * What does not fit is left out, the text first (cut), then the extended error, keepalive, cookie; padding takes what
 * is left (RFC 7830 4: it is the last). The record itself fits, or answer_end() says that it did not. */
void answer_opt(struct answer_out *o, const struct question *q, uint32_t rcode, int ede, const char *text);
/* Bytes to keep free for that, text and padding left out; 0 without EDNS. */
size_t answer_opt_room(const struct question *q, int ede);
/* Counts into the header. Length of the message, or -E2BIG when it did not fit. */
int answer_end(struct answer_out *o);

/* The name at @at in @msg without pointers, case kept. Returns its length, 0 when it is malformed. */
size_t name_expand(const uint8_t *msg, size_t len, size_t at, uint8_t ret[DNAME_MAX]);
