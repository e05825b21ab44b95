/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the resolver's answer to the client's: nothing is passed through, every record is written again. Called by
 * fetch.c behind reply.c, which decided what is left out, and by query_answer.c.
 *
 * Names in the data are compressed only in the types of RFC 1035 (RFC 3597 4): those are expanded and written anew; the
 * data of all others is copied. The question's name keeps the client's case, since every owner that equals it is a
 * pointer to it. When the records do not fit, the client gets none of them and TC: half an answer would be cached.
 *
 * What is cached has the question in front, as long as every client's is, so that its pointers hold for all of them: an
 * answer from the cache is a copy with the client's id, flags and spelling put in. */
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

/* A SvcParam, but for hints that are not given: RFC 9460 2.2. */
static void param_write(struct answer_out *o, const struct reply *r, uint16_t key, const uint8_t *value, uint16_t len)
{
	uint16_t size = key == SVCB_KEY_IPV4HINT ? 4 : 16, left = 0;
	bool hints = key == SVCB_KEY_IPV4HINT || key == SVCB_KEY_IPV6HINT;
	uint8_t kept[LEARN_ADDRS_MAX * 16];

	for (uint16_t i = 0; hints && i + size <= len; i = (uint16_t)(i + size)) {
		struct ip_addr addr = ip_addr_from_bytes(value + i, size);

		if (!reply_gives(r, &addr) || left + size > sizeof(kept))
			continue;
		memcpy(kept + left, value + i, size);
		left = (uint16_t)(left + size);
	}
	if (hints && left == 0)
		return;
	wcur_be16(&o->w, key);
	wcur_be16(&o->w, hints ? left : len);
	wcur_bytes(&o->w, hints ? kept : value, hints ? left : len);
}

/* reply.c has looked at it: it is well-formed, and its target is not compressed. */
static void svcb_trimmed_write(struct answer_out *o, const struct reply *r, const struct rr *rr)
{
	const uint8_t *data = r->msg + rr->rdata;
	struct rcur c = rcur_over(data, rr->rdlen);
	struct dname target;

	(void)rcur_be16(&c); /* priority */
	if (dname_read(&c, c.at, 0, &target) != 0) {
		o->w.err = -EBADMSG;
		return;
	}
	wcur_bytes(&o->w, data, (size_t)(c.at - data));
	while (rcur_left(&c) != 0) {
		uint16_t key = rcur_be16(&c), len = rcur_be16(&c);
		const uint8_t *value = rcur_bytes(&c, len);

		if (value == NULL) {
			o->w.err = -EBADMSG;
			return;
		}
		param_write(o, r, key, value, len);
	}
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
	if (x->trimmed)
		svcb_trimmed_write(o, r, &x->rr);
	else
		rdata_write(o, r, &x->rr);
	answer_rr_end(o, rdlen);
}

static void alias_write(struct answer_out *o, const struct question *q, const struct answer_alias *alias)
{
	uint8_t *rdlen = answer_rr_begin(o, SECTION_ANSWER, q->sent, q->name.len, TYPE_CNAME, alias->ttl_s);

	answer_name(o, alias->target->wire, alias->target->len);
	answer_rr_end(o, rdlen);
}

int answer_changed(const struct question *q, const struct reply *r, const struct answer_alias *alias, int ede,
		   const char *text, uint8_t *buf, size_t limit)
{
	uint32_t rcode = r->flags & DNS_RCODE;
	struct answer_out o;

	answer_begin(&o, buf, limit, q, 0, rcode);
	if (alias != NULL)
		alias_write(&o, q, alias);
	for (uint32_t i = 0; i < r->n_rrs && o.w.err == 0; i++)
		if (!r->rrs[i].dropped)
			answer_rr(&o, r, &r->rrs[i]);
	if (o.w.err == -EBADMSG)
		return -EBADMSG;
	if (o.w.err != 0 || (size_t)(o.w.end - o.w.at) < answer_opt_room(q, EDE_NONE))
		answer_begin(&o, buf, limit, q, DNS_TC, rcode);
	answer_opt(&o, q, rcode, ede, text);
	return answer_end(&o);
}

int answer_from_reply(const struct question *q, const struct reply *r, uint8_t *buf, size_t limit)
{
	struct answer_out o;

	answer_begin(&o, buf, limit, q, 0, r->flags & DNS_RCODE);
	for (uint32_t i = 0; i < r->n_rrs && o.w.err == 0; i++)
		if (!r->rrs[i].dropped)
			answer_rr(&o, r, &r->rrs[i]);
	return answer_end(&o);
}

static uint16_t entry_flags(const struct question *q, const struct cache_entry *e)
{
	uint16_t flags = (uint16_t)(e->data[2] << 8 | e->data[3]);

	flags |= q->flags & (DNS_RD | DNS_CD);
	if (e->secure && (q->dnssec_ok || (q->flags & DNS_AD) != 0)) /* RFC 6840 5.8 */
		flags |= DNS_AD;
	return flags;
}

int answer_from_entry(const struct question *q, const struct cache_entry *e, int ede, const char *text, uint8_t *buf,
		      size_t limit)
{
	uint16_t flags = entry_flags(q, e);
	struct answer_out o;

	if (e->len + answer_opt_room(q, EDE_NONE) > limit) {
		answer_begin(&o, buf, limit, q, DNS_TC | (flags & DNS_AD), flags & DNS_RCODE);
	} else {
		memcpy(buf, e->data, e->len);
		buf[0] = (uint8_t)(q->id >> 8);
		buf[1] = (uint8_t)q->id;
		buf[2] = (uint8_t)(flags >> 8);
		buf[3] = (uint8_t)flags;
		memcpy(buf + DNS_HEADER_LEN, q->sent, q->name.len);
		answer_resume(&o, buf, e->len, limit);
	}
	answer_opt(&o, q, flags & DNS_RCODE, ede, text);
	return answer_end(&o);
}
