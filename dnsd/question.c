/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of clients' messages, and the one place that decides which of them are no questions for a resolver. Called
 * by query.c with every message; the table of its decisions is at question_read() in packet.h.
 *
 * On the path of every cached answer: one walk over the name's labels, then the whole name is copied and lower-cased
 * eight bytes at a time. That is sound because the length of a label, at most 63, is no letter. Nothing is allocated,
 * and nothing of an option is looked at twice.
 *
 * Sources: RFC 1035 4 (messages), 5625 and 9619 (QDCOUNT), 6891 (EDNS), 7828 (keepalive), 7830 (padding), 7873
 * (cookies), 8945 and 2931 (signatures), 6895 3.1 (types), 5936 and 1995 (transfers), 8490 (DSO), 9824 (NXNAME). */
#include "dnsd/packet.h"

#define EDNS_DO		  0x8000u
#define EDNS_VERSION(ttl) ((ttl) >> 16 & 0xffu)
/* Records in a question's additional section: OPT, TSIG, SIG(0), and some slack. More is no question. */
#define QUESTION_RRS_MAX 8u

/* ASCII letters of eight bytes at once: a byte's high bit tells, after the additions, on which side of 'A' and 'Z' its
 * low seven bits are. */
static uint64_t lower8(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t low = x & (0x7f * ones);
	uint64_t from_a = low + (0x80 - 'A') * ones, above_z = low + (0x7f - 'Z') * ones;
	uint64_t upper = ~x & (from_a ^ above_z) & (0x80 * ones);

	return x | upper >> 2;
}

static void lower_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	uint64_t x = 0;
	size_t i = 0;

	for (; i + sizeof(x) <= len; i += sizeof(x)) {
		memcpy(&x, from + i, sizeof(x));
		x = lower8(x);
		memcpy(to + i, &x, sizeof(x));
	}
	for (; i < len; i++)
		to[i] = (uint8_t)lower8(from[i]);
}

/* A question's name may not be compressed: there is nothing before it to point to. */
static int name_read(struct rcur *c, struct question *q)
{
	const uint8_t *start = c->at;
	uint8_t labels = 0, label;
	size_t len;

	while ((label = rcur_u8(c)) != 0) {
		if (label > DNAME_LABEL_MAX || rcur_bytes(c, label) == NULL)
			return -EBADMSG;
		labels++;
		if ((size_t)(c->at - start) >= DNAME_MAX)
			return -EBADMSG;
	}
	if (c->err != 0)
		return -EBADMSG;
	len = (size_t)(c->at - start);
	memcpy(q->sent, start, len);
	lower_copy(q->name.wire, start, len);
	q->name.len = (uint8_t)len;
	q->name.labels = labels;
	return 0;
}

/* The answer to the question is this. */
static int refuse(struct question *q, enum dns_rcode rcode, enum dns_ede ede)
{
	q->ede = ede;
	return (int)rcode;
}

/* RFC 7873 5.2.2. Of several the first counts (RFC 7873 4). */
static int cookie_read(struct question *q, const uint8_t *data, uint16_t len)
{
	if (len != COOKIE_CLIENT_LEN && (len < COOKIE_CLIENT_LEN + COOKIE_SERVER_MIN || len > COOKIE_MAX))
		return -EBADMSG;
	if (q->cookie_len != 0)
		return 0;
	memcpy(q->cookie, data, len);
	q->cookie_len = (uint8_t)len;
	return 0;
}

static int options_read(const uint8_t *data, size_t len, struct question *q)
{
	struct rcur c = rcur_over(data, len);

	while (rcur_left(&c) != 0) {
		uint16_t code = rcur_be16(&c), option_len = rcur_be16(&c);
		const uint8_t *option = rcur_bytes(&c, option_len);

		if (option == NULL || (code == OPTION_COOKIE && cookie_read(q, option, option_len) != 0))
			return -EBADMSG;
		if (code == OPTION_KEEPALIVE)
			q->wants_keepalive = option_len == 0; /* RFC 7828 3.2.1: a client names no timeout */
		else if (code == OPTION_PADDING)
			q->wants_padding = true;
	}
	return 0;
}

static int opt_read(const uint8_t *msg, const struct rr *rr, struct question *q)
{
	if (q->edns || msg[rr->owner] != 0) /* RFC 6891 6.1.1: one, owned by the root */
		return RCODE_FORMERR;
	q->edns = true;
	q->udp_size = rr->class_ < DNS_UDP_PLAIN_MAX ? (uint16_t)DNS_UDP_PLAIN_MAX : rr->class_;
	q->dnssec_ok = (rr->ttl_s & EDNS_DO) != 0;
	if (EDNS_VERSION(rr->ttl_s) != 0) /* what its options mean is not known */
		return RCODE_BADVERS;
	return rr->rdlen == 0 || options_read(msg + rr->rdata, rr->rdlen, q) == 0 ? 0 : RCODE_FORMERR;
}

/* OPT, and signatures that we cannot check: we have no keys. */
static int additional_read(struct rcur *c, const uint8_t *msg, uint32_t n_rrs, struct question *q)
{
	bool signed_ = false;

	if (n_rrs > QUESTION_RRS_MAX)
		return RCODE_FORMERR;
	for (uint32_t i = 0; i < n_rrs; i++) {
		struct rr rr;
		int rc;

		if (rr_read(c, msg, &rr) != 0 || signed_) /* RFC 8945 5.1: TSIG is the last */
			return RCODE_FORMERR;
		signed_ = rr.type == TYPE_TSIG;
		rc = rr.type == TYPE_OPT ? opt_read(msg, &rr, q) : 0;
		if (rc != 0)
			return rc;
	}
	return signed_ ? RCODE_NOTAUTH : 0;
}

/* A message without a question may ask for a cookie (RFC 7873 5.4). */
static int cookie_only(struct rcur *c, const uint8_t *msg, uint32_t n_rrs, struct question *q)
{
	int rc = additional_read(c, msg, n_rrs, q);

	if (rc != 0)
		return rc;
	return q->cookie_len != 0 ? QUESTION_COOKIE : RCODE_FORMERR;
}

/* What is asked for: 0 when it can be resolved. */
static int kind_check(struct question *q)
{
	if (q->class_ != CLASS_IN)
		return refuse(q, RCODE_REFUSED, EDE_NOT_SUPPORTED);
	if (q->type != 0 && q->type != TYPE_OPT && (q->type < TYPE_META_MIN || q->type >= TYPE_ANY))
		return 0;
	switch (q->type) {
	case 0:
	case TYPE_OPT:
	case TYPE_NXNAME:
	case TYPE_TSIG:
		return refuse(q, RCODE_FORMERR, EDE_INVALID_TYPE);
	case TYPE_AXFR:
	case TYPE_IXFR:
		return refuse(q, RCODE_REFUSED, EDE_NOT_SUPPORTED);
	default: /* TKEY, MAILA, MAILB, and what may come */
		return refuse(q, RCODE_NOTIMP, EDE_NOT_SUPPORTED);
	}
}

static void question_init(struct question *q)
{
	q->has_name = q->edns = q->dnssec_ok = q->wants_keepalive = q->wants_padding = false;
	q->udp_size = DNS_UDP_PLAIN_MAX;
	q->type = q->class_ = 0;
	q->cookie_len = 0;
	q->ede = EDE_NONE;
	q->reply.cookie_len = 0;
	q->reply.keepalive = false;
	q->reply.pad_block = 0;
}

int question_read(const uint8_t *msg, size_t len, struct question *ret)
{
	struct rcur c = rcur_over(msg, len);
	uint16_t counts[4];
	struct rr rr;
	int rc;

	question_init(ret);
	ret->id = rcur_be16(&c);
	ret->flags = rcur_be16(&c);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		counts[i] = rcur_be16(&c);
	if (c.err != 0 || len > DNS_MESSAGE_MAX || (ret->flags & DNS_QR) != 0)
		return -EBADMSG;
	if ((ret->flags & DNS_OPCODE) != 0)
		return refuse(ret, RCODE_NOTIMP, EDE_NOT_SUPPORTED);
	if (counts[0] == 0 && counts[1] == 0 && counts[2] == 0)
		return cookie_only(&c, msg, counts[3], ret);
	if (counts[0] != 1 || (ret->flags & DNS_TC) != 0 || name_read(&c, ret) != 0)
		return RCODE_FORMERR;
	ret->type = rcur_be16(&c);
	ret->class_ = rcur_be16(&c);
	if (c.err != 0)
		return RCODE_FORMERR;
	ret->has_name = true;
	/* RFC 1995 3: IXFR says there which version it has. */
	if (counts[1] != 0 || counts[2] > (ret->type == TYPE_IXFR) || (counts[2] != 0 && rr_read(&c, msg, &rr) != 0))
		return RCODE_FORMERR;
	rc = counts[3] != 0 ? additional_read(&c, msg, counts[3], ret) : 0;
	return rc != 0 ? rc : kind_check(ret);
}
