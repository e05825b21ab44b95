/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the resolver's answer to the client's: nothing is passed through, every record is written again. Called by
 * query.c behind reply.c, which decided what is left out.
 *
 * Names in the data are compressed only in the types of RFC 1035 (RFC 3597 4): those are expanded and written anew; the
 * data of all others is copied. The question's name keeps the client's case, since every owner that equals it is a
 * pointer to it. When the records do not fit, the client gets none of them and TC: half an answer would be cached. */
#include "dnsd/answer.h"

/* How the data of a type is laid out: bytes, then names, then bytes to the end. */
struct layout {
	uint16_t type;
	uint8_t head, names;
};

static const struct layout layouts[] = {
	{ TYPE_NS, 0, 1 }, { TYPE_CNAME, 0, 1 }, { TYPE_PTR, 0, 1 },   { TYPE_MB, 0, 1 }, { TYPE_MG, 0, 1 },
	{ TYPE_MR, 0, 1 }, { TYPE_SOA, 0, 2 },	 { TYPE_MINFO, 0, 2 }, { TYPE_MX, 2, 1 },
};

size_t answer_limit(const struct question *q, bool tcp)
{
	if (tcp)
		return DNS_MESSAGE_MAX;
	if (!q->edns)
		return DNS_UDP_PLAIN_MAX;
	return q->udp_size < DNS_UDP_ANSWER_MAX ? q->udp_size : DNS_UDP_ANSWER_MAX;
}

/* Length in the message of the name at @at: to its end or its pointer. The name was expanded before: it is sound. */
static size_t name_len_at(const uint8_t *msg, size_t at)
{
	size_t from = at;

	while (msg[at] != 0 && (msg[at] & 0xc0) == 0)
		at += msg[at] + 1u;
	return at - from + (msg[at] == 0 ? 1 : 2);
}

static void rdata_write(struct answer_out *o, const struct reply *r, const struct rr *rr)
{
	const struct layout *l = NULL;
	size_t at = rr->rdata, end = at + rr->rdlen;
	uint8_t name[DNAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (layouts[i].type == rr->type)
			l = &layouts[i];
	if (l != NULL) {
		if (end - at < l->head)
			goto malformed;
		wcur_bytes(&o->w, r->msg + at, l->head);
		at += l->head;
		for (uint8_t i = 0; i < l->names; i++) {
			size_t len = name_expand(r->msg, end, at, name);

			if (len == 0)
				goto malformed;
			answer_name(o, name, len);
			at += name_len_at(r->msg, at);
			if (at > end)
				goto malformed;
		}
	}
	wcur_bytes(&o->w, r->msg + at, end - at);
	return;
malformed:
	o->w.err = -EBADMSG;
}

void answer_rr(struct answer_out *o, const struct reply *r, const struct reply_rr *x)
{
	uint8_t name[DNAME_MAX];
	size_t len = name_expand(r->msg, r->len, x->rr.owner, name);
	uint8_t *rdlen;

	if (len == 0) {
		o->w.err = -EBADMSG;
		return;
	}
	rdlen = answer_rr_begin(o, (enum dns_section)x->section, name, len, x->rr.type, x->rr.ttl_s);
	rdata_write(o, r, &x->rr);
	answer_rr_end(o, rdlen);
}

/* What the OPT record needs, kept free behind the records. */
static size_t opt_room(const struct question *q, int ede, const char *text)
{
	if (!q->edns)
		return 0;
	return 11 + (ede == EDE_NONE ? 0 : 6 + (text != NULL ? strnlen(text, DNS_EDE_TEXT_MAX) : 0));
}

int answer_from_reply(const struct question *q, const struct reply *r, bool secure, int ede, const char *text,
		      uint8_t *buf, size_t limit)
{
	uint32_t rcode = r->flags & DNS_RCODE;
	uint16_t flags = 0;
	struct answer_out o;

	if (secure && (q->dnssec_ok || (q->flags & DNS_AD) != 0)) /* RFC 6840 5.8 */
		flags |= DNS_AD;
	answer_begin(&o, buf, limit, q, flags, rcode);
	o.w.end -= opt_room(q, ede, text) < (size_t)(o.w.end - o.w.at) ? opt_room(q, ede, text) : 0;
	for (uint32_t i = 0; i < r->n_rrs && o.w.err == 0; i++)
		if (!r->rrs[i].dropped)
			answer_rr(&o, r, &r->rrs[i]);
	if (o.w.err == -EBADMSG)
		return -EBADMSG;
	if (o.w.err != 0)
		answer_begin(&o, buf, limit, q, DNS_TC, rcode);
	o.w.end = buf + limit;
	answer_opt(&o, q, rcode, ede, text);
	return answer_end(&o);
}
