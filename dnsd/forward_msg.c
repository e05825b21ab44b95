/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a forwarder writes and how it takes what comes back. Called by forward.c.
 *
 * Nothing of a client is in a question but name, type, CD and DO: no ECS, no cookie, no case. AD is not asked for and
 * not believed. Sources: RFC 1035 4, RFC 6891 (EDNS; 7: servers that do not know it), RFC 7830 and 8467 (padding), RFC
 * 8914 (extended errors), RFC 5452 9.1 (what an answer must match). */
#include "dnsd/forward_msg.h"

#define OPT_EDE	       15u
#define OPT_PADDING    12u
#define OPT_LEN	       11u
#define OPTION_HEAD    4u
#define EDNS_DO	       0x8000u
#define PAD_BLOCK      128u /* RFC 8467 4.1: questions */
#define ADDITIONAL_MAX 64u  /* records looked through for the OPT record of a failure; it is the only one in most */

/* Behind @len bytes of question. Returns the length with it. */
static size_t opt_write(uint8_t *buf, size_t len, bool dnssec_ok, bool pad)
{
	size_t over = (len + OPT_LEN + OPTION_HEAD) % PAD_BLOCK, fill = over == 0 ? 0 : PAD_BLOCK - over;
	const uint8_t opt[OPT_LEN + OPTION_HEAD] = {
		[2] = TYPE_OPT,
		[3] = DNS_UDP_ANSWER_MAX >> 8,
		[4] = DNS_UDP_ANSWER_MAX & 0xff,
		[7] = dnssec_ok ? EDNS_DO >> 8 : 0,
		[10] = (uint8_t)(OPTION_HEAD + fill), /* from here on with padding only */
		[12] = OPT_PADDING,
		[14] = (uint8_t)fill,
	};

	if (!pad) {
		memcpy(buf + len, opt, OPT_LEN);
		buf[len + OPT_LEN - 1] = 0;
		return len + OPT_LEN;
	}
	memcpy(buf + len, opt, sizeof(opt));
	memset(buf + len + sizeof(opt), 0, fill);
	return len + sizeof(opt) + fill;
}

size_t forward_question_write(uint8_t *buf, const struct forward_question *q, uint16_t id, bool edns, bool pad)
{
	const uint8_t head[DNS_HEADER_LEN] = {
		(uint8_t)(id >> 8), (uint8_t)id, DNS_RD >> 8, q->cd ? DNS_CD : 0, [5] = 1, [11] = edns ? 1 : 0,
	};
	const uint8_t tail[] = { (uint8_t)(q->type >> 8), (uint8_t)q->type, 0, CLASS_IN };
	size_t len = sizeof(head);

	memcpy(buf, head, sizeof(head));
	memcpy(buf + len, q->name.wire, q->name.len);
	len += q->name.len;
	memcpy(buf + len, tail, sizeof(tail));
	len += sizeof(tail);
	return edns ? opt_write(buf, len, q->dnssec_ok, pad) : len;
}

static uint16_t be16_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* The name as we sent it; some upstreams change its case. */
static bool name_matches(const uint8_t *at, const struct dname *name)
{
	if (memcmp(at, name->wire, name->len) == 0)
		return true;
	for (size_t i = 0; i < name->len; i++) {
		uint8_t c = at[i];

		/* A label's length is never a letter: 63 at most. */
		if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != name->wire[i])
			return false;
	}
	return true;
}

bool forward_answer_matches(const uint8_t *msg, size_t len, const struct forward_question *q)
{
	size_t end = DNS_HEADER_LEN + q->name.len;
	uint16_t flags, rcode, n;

	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX)
		return false;
	flags = be16_at(msg + 2);
	rcode = flags & DNS_RCODE;
	n = be16_at(msg + 4);
	if ((flags & DNS_QR) == 0 || (flags & DNS_OPCODE) != 0)
		return false;
	if (n == 0)
		return rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP;
	return n == 1 && len >= end + 4 && name_matches(msg + DNS_HEADER_LEN, &q->name) &&
	       be16_at(msg + end) == q->type && be16_at(msg + end + 2) == CLASS_IN;
}

/* The info code in the OPT record's options, or EDE_NONE. */
static int ede_read(const uint8_t *msg, const struct rr *opt)
{
	struct rcur c = rcur_over(msg + opt->rdata, opt->rdlen);

	while (c.err == 0 && rcur_left(&c) != 0) {
		uint16_t code = rcur_be16(&c), len = rcur_be16(&c);
		const uint8_t *value = rcur_bytes(&c, len);

		if (value != NULL && code == OPT_EDE && len >= 2)
			return be16_at(value);
	}
	return EDE_NONE;
}

/* The OPT record. False: there is none where one is looked for. */
static bool opt_find(const uint8_t *msg, size_t len, struct rr *ret)
{
	struct rcur c = rcur_over(msg, len);
	uint32_t questions = be16_at(msg + 4), rest = be16_at(msg + 6) + be16_at(msg + 8) + be16_at(msg + 10);
	struct dname name;

	(void)rcur_bytes(&c, DNS_HEADER_LEN);
	if (questions == 1 && dname_read(&c, msg, len, &name) == 0)
		(void)rcur_be32(&c);
	for (uint32_t i = 0; i < rest && i < ADDITIONAL_MAX && rr_read(&c, msg, ret) == 0; i++)
		if (ret->type == TYPE_OPT)
			return true;
	return false;
}

/* No data, no denial, and name servers to go to: said by a server that does not resolve. */
static bool is_referral(const uint8_t *msg, size_t len)
{
	struct rcur c = rcur_over(msg, len);
	struct dname name;
	struct rr rr;

	if ((be16_at(msg + 2) & (DNS_RA | DNS_AA)) != 0 || be16_at(msg + 6) != 0 || be16_at(msg + 8) == 0)
		return false;
	(void)rcur_bytes(&c, DNS_HEADER_LEN);
	if (dname_read(&c, msg, len, &name) != 0)
		return false;
	(void)rcur_be32(&c);
	return rr_read(&c, msg, &rr) == 0 && rr.type == TYPE_NS;
}

enum forward_outcome forward_answer_outcome(const uint8_t *msg, size_t len, int *ret_ede)
{
	uint16_t flags = be16_at(msg + 2), rcode = flags & DNS_RCODE;
	struct rr opt;

	*ret_ede = EDE_NONE;
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN && rcode != RCODE_YXDOMAIN) {
		bool edns = opt_find(msg, len, &opt);

		if (edns)
			*ret_ede = ede_read(msg, &opt);
		return rcode == RCODE_FORMERR && !edns ? FORWARD_FORMERR : FORWARD_FAILURE;
	}
	if ((flags & DNS_TC) != 0)
		return FORWARD_TRUNCATED;
	return rcode == RCODE_NOERROR && is_referral(msg, len) ? FORWARD_LAME : FORWARD_ANSWER;
}

const char *forward_rcode_print(const uint8_t *msg, char *buf)
{
	static const char *const names[] = { [RCODE_FORMERR] = "FORMERR",
					     [RCODE_SERVFAIL] = "SERVFAIL",
					     [RCODE_NOTIMP] = "NOTIMP",
					     [RCODE_REFUSED] = "REFUSED" };
	uint16_t rcode = be16_at(msg + 2) & DNS_RCODE;

	if (rcode < ARRAY_LEN(names) && names[rcode] != NULL)
		snprintf(buf, 16, "%s", names[rcode]);
	else
		snprintf(buf, 16, "rcode %u", rcode);
	return buf;
}
