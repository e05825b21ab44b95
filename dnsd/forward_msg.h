/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The messages between a forwarder and an upstream. Pure. */
#pragma once

#include "dnsd/packet.h"

/* Header, the longest name, type and class, OPT with padding to the next block. */
#define FORWARD_QUESTION_MAX (DNS_HEADER_LEN + DNAME_MAX + 4u + 11u + 4u + 128u)

/* What is asked of an upstream. Class IN. */
struct forward_question {
	struct dname name;
	uint16_t type;
	bool cd, dnssec_ok;
};

/* Into @buf of FORWARD_QUESTION_MAX bytes. @edns: with OPT, without data of any client; @pad: to a multiple of 128
 * bytes (RFC 8467), needs @edns. Returns the length. */
size_t forward_question_write(uint8_t *buf, const struct forward_question *q, uint16_t id, bool edns, bool pad);

/* @msg is an answer to @q: flags, opcode, question. The sender and .id are the transports' to compare. Answers without
 * the question are taken of those who could not read it (FORMERR, NOTIMP). */
bool forward_answer_matches(const uint8_t *msg, size_t len, const struct forward_question *q);

enum forward_outcome {
	FORWARD_ANSWER = 0, /* for the client: NOERROR, NXDOMAIN, YXDOMAIN */
	FORWARD_TRUNCATED,  /* TC */
	FORWARD_FORMERR,    /* without OPT: it may not know EDNS (RFC 6891 7) */
	FORWARD_FAILURE,    /* SERVFAIL, REFUSED and the like */
	FORWARD_LAME,	    /* a referral: it resolves nothing for us */
};

/* @msg matches. *@ret_ede: the upstream's own reason beside a failure (RFC 8914), or EDE_NONE. */
enum forward_outcome forward_answer_outcome(const uint8_t *msg, size_t len, int *ret_ede);

/* "SERVFAIL", "REFUSED", "rcode 9". @buf: 16 bytes; returned. */
const char *forward_rcode_print(const uint8_t *msg, char *buf);
