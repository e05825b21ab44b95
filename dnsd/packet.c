/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk over a message's records, and the writer of every answer. Called by query.c, reply.c, answer.c and local.c.
 *
 * Sources: RFC 1035 4 (messages), 6891 (EDNS), 8914 (extended errors), 7873 (cookies), 7828 (keepalive), 7830
 * (padding). */
#include "dnsd/packet.h"

#define LABEL_POINTER 0xc0u
#define POINTER_MAX   0x3fffu /* offsets that 14 bits reach */
#define OPTION_HEAD   4u      /* code, length */
#define KEEPALIVE_LEN 2u
#define EDE_CODE_LEN  2u
#define EDNS_DO	      0x8000u

/* A name in a message, passed over without following its pointer: what it points to is read by who needs it. */
static int name_skip(struct rcur *c)
{
	size_t len = 0;

	for (;;) {
		uint8_t label = rcur_u8(c);

		if (c->err != 0 || len > DNAME_MAX)
			return -EBADMSG;
		if (label == 0)
			return 0;
		if ((label & LABEL_POINTER) == LABEL_POINTER) {
			(void)rcur_u8(c);
			return c->err;
		}
		if (label > DNAME_LABEL_MAX || rcur_bytes(c, label) == NULL)
			return -EBADMSG;
		len += label + 1u;
	}
}

int rr_read(struct rcur *c, const uint8_t *msg, struct rr *ret)
{
	struct rr rr = { 0 };

	if (c->at - msg > (ptrdiff_t)DNS_MESSAGE_MAX)
		return -EBADMSG;
	rr.owner = (uint16_t)(c->at - msg);
	if (name_skip(c) != 0)
		return -EBADMSG;
	rr.type = rcur_be16(c);
	rr.class_ = rcur_be16(c);
	rr.ttl_s = rcur_be32(c);
	rr.rdlen = rcur_be16(c);
	if (c->err != 0 || c->at - msg > (ptrdiff_t)DNS_MESSAGE_MAX)
		return -EBADMSG;
	rr.rdata = (uint16_t)(c->at - msg);
	if (rcur_bytes(c, rr.rdlen) == NULL)
		return -EBADMSG;
	*ret = rr;
	return 0;
}

size_t name_expand(const uint8_t *msg, size_t len, size_t at, uint8_t ret[DNAME_MAX])
{
	size_t out = 0, limit = at;

	while (at < len) {
		uint8_t label = msg[at];

		if ((label & LABEL_POINTER) == LABEL_POINTER) {
			size_t to;

			if (len - at < 2)
				return 0;
			to = (size_t)(label & 0x3f) << 8 | msg[at + 1];
			if (to >= limit) /* strictly backwards: it ends */
				return 0;
			at = limit = to;
			continue;
		}
		if (label > DNAME_LABEL_MAX || len - at < label + 1u || out + label + 1u > DNAME_MAX)
			return 0;
		memcpy(ret + out, msg + at, label + 1u);
		out += label + 1u;
		at += label + 1u;
		if (label == 0)
			return out;
	}
	return 0;
}

/* The name written at @at is, without regard to case, these @len bytes. What was written is ours: it is well-formed. */
static bool written_equal(const struct answer_out *o, size_t at, const uint8_t *wire, size_t len)
{
	const uint8_t *msg = o->w.start;
	size_t i = 0;

	while (i < len) {
		while ((msg[at] & LABEL_POINTER) == LABEL_POINTER)
			at = (size_t)(msg[at] & 0x3f) << 8 | msg[at + 1];
		for (size_t end = i + wire[i]; i <= end; i++, at++)
			if (dname_lower(msg[at]) != dname_lower(wire[i]))
				return false;
	}
	return true;
}

static uint8_t wire_labels(const uint8_t *wire, size_t len)
{
	uint8_t n = 0;

	for (size_t i = 0; i < len && wire[i] != 0; i += wire[i] + 1u)
		n++;
	return n;
}

static void name_remember(struct answer_out *o, size_t at, uint8_t labels)
{
	if (o->n_names == COMPRESS_MAX || at > POINTER_MAX)
		return;
	o->names[o->n_names].at = (uint16_t)at;
	o->names[o->n_names].labels = labels;
	o->n_names++;
}

void answer_name(struct answer_out *o, const uint8_t *wire, size_t len)
{
	uint8_t labels = wire_labels(wire, len);
	size_t i = 0;

	for (; labels != 0; labels--) {
		/* A name that did not fit was remembered in part; behind that the buffer holds old bytes. */
		if (o->w.err != 0)
			return;
		for (uint32_t k = 0; k < o->n_names; k++) {
			if (o->names[k].labels != labels || !written_equal(o, o->names[k].at, wire + i, len - i))
				continue;
			wcur_be16(&o->w, (uint16_t)(LABEL_POINTER << 8 | o->names[k].at));
			return;
		}
		/* Remembered label by label: what is behind the last one is not written yet. */
		size_t at = wcur_len(&o->w);

		wcur_bytes(&o->w, wire + i, wire[i] + 1u);
		i += wire[i] + 1u;
		if (o->w.err == 0)
			name_remember(o, at, labels);
	}
	wcur_u8(&o->w, 0);
}

void answer_begin(struct answer_out *o, uint8_t *buf, size_t len, const struct question *q, uint16_t flags,
		  uint32_t rcode)
{
	o->w = wcur_over(buf, len);
	memset(o->counts, 0, sizeof(o->counts));
	o->n_names = 0;
	flags = (uint16_t)(flags | DNS_QR | DNS_RA | (q->flags & (DNS_OPCODE | DNS_RD | DNS_CD)) | (rcode & DNS_RCODE));
	wcur_be16(&o->w, q->id);
	wcur_be16(&o->w, flags);
	(void)wcur_room(&o->w, sizeof(o->counts));
	if (!q->has_name)
		return;
	o->counts[0] = 1;
	answer_name(o, q->sent, q->name.len);
	wcur_be16(&o->w, q->type);
	wcur_be16(&o->w, q->class_);
}

void answer_begin_own(struct answer_out *o, uint8_t *buf, size_t len, const struct question *q, uint32_t rcode)
{
	o->w = wcur_over(buf, len);
	memset(o->counts, 0, sizeof(o->counts));
	o->n_names = 0;
	wcur_be16(&o->w, q->id);
	wcur_be16(&o->w,
		  (uint16_t)(DNS_QR | DNS_RA | (q->flags & (DNS_OPCODE | DNS_RD | DNS_CD)) | (rcode & DNS_RCODE)));
	(void)wcur_room(&o->w, sizeof(o->counts));
	o->counts[0] = 1;
	wcur_bytes(&o->w, q->sent, q->name.len);
	wcur_be16(&o->w, q->type);
	wcur_be16(&o->w, q->class_);
}

uint8_t *answer_own_begin(struct answer_out *o, enum dns_section s, uint16_t type, uint32_t ttl_s)
{
	wcur_be16(&o->w, 0xc000 | DNS_HEADER_LEN);
	wcur_be16(&o->w, type);
	wcur_be16(&o->w, CLASS_IN);
	wcur_be32(&o->w, ttl_s);
	o->counts[s]++;
	return wcur_room(&o->w, 2);
}

void answer_resume(struct answer_out *o, uint8_t *buf, size_t len, size_t size)
{
	o->w = wcur_over(buf, size);
	o->w.at = buf + len;
	o->n_names = 0;
	for (size_t i = 0; i < ARRAY_LEN(o->counts); i++)
		o->counts[i] = (uint16_t)(buf[4 + 2 * i] << 8 | buf[5 + 2 * i]);
}

uint8_t *answer_rr_begin(struct answer_out *o, enum dns_section s, const uint8_t *owner, size_t owner_len,
			 uint16_t type, uint32_t ttl_s)
{
	answer_name(o, owner, owner_len);
	wcur_be16(&o->w, type);
	wcur_be16(&o->w, CLASS_IN);
	wcur_be32(&o->w, ttl_s);
	o->counts[s]++;
	return wcur_room(&o->w, 2);
}

void answer_rr_end(struct answer_out *o, uint8_t *rdlen)
{
	size_t len;

	if (rdlen == NULL || o->w.err != 0)
		return;
	len = (size_t)(o->w.at - rdlen) - 2;
	rdlen[0] = (uint8_t)(len >> 8);
	rdlen[1] = (uint8_t)len;
}

/* Text of at most @room bytes, not cut inside a UTF-8 character. */
static size_t text_fit(const char *text, size_t room)
{
	size_t len = text != NULL ? strnlen(text, DNS_EDE_TEXT_MAX) : 0;

	if (len <= room)
		return len;
	while (room > 0 && ((uint8_t)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

static void option_head(struct answer_out *o, enum dns_option code, size_t len)
{
	wcur_be16(&o->w, (uint16_t)code);
	wcur_be16(&o->w, (uint16_t)len);
}

/* Takes an option of @len bytes out of @room if there is so much. */
static bool option_fits(size_t *room, size_t len)
{
	if (*room < OPTION_HEAD + len)
		return false;
	*room -= OPTION_HEAD + len;
	return true;
}

size_t answer_opt_room(const struct question *q, int ede)
{
	size_t len = OPT_LEN;

	if (!q->edns)
		return 0;
	if (q->reply.cookie_len != 0)
		len += OPTION_HEAD + q->reply.cookie_len;
	if (q->reply.keepalive)
		len += OPTION_HEAD + KEEPALIVE_LEN;
	return ede != EDE_NONE ? len + OPTION_HEAD + EDE_CODE_LEN : len;
}

/* To a multiple of the block, or as near as the limit lets it (RFC 8467 4.1). */
static void answer_pad(struct answer_out *o, uint16_t block)
{
	size_t len, over, room = (size_t)(o->w.end - o->w.at);
	uint8_t *zero;

	if (block == 0 || o->w.err != 0 || room < OPTION_HEAD)
		return;
	over = (wcur_len(&o->w) + OPTION_HEAD) % block;
	len = over != 0 ? block - over : 0;
	if (len > room - OPTION_HEAD)
		len = room - OPTION_HEAD;
	option_head(o, OPTION_PADDING, len);
	zero = wcur_room(&o->w, len);
	if (zero != NULL)
		memset(zero, 0, len);
}

void answer_opt(struct answer_out *o, const struct question *q, uint32_t rcode, int ede, const char *text)
{
	const struct answer_edns *e = &q->reply;
	size_t left = (size_t)(o->w.end - o->w.at), text_len;
	size_t room = left < OPT_LEN ? 0 : left - OPT_LEN;
	bool cookie, keepalive;
	uint8_t *rdlen;

	if (!q->edns)
		return;
	cookie = e->cookie_len != 0 && option_fits(&room, e->cookie_len);
	keepalive = e->keepalive && option_fits(&room, KEEPALIVE_LEN);
	wcur_u8(&o->w, 0);
	wcur_be16(&o->w, TYPE_OPT);
	wcur_be16(&o->w, DNS_UDP_ANSWER_MAX);
	wcur_be32(&o->w, (rcode >> 4) << 24 | (q->dnssec_ok ? EDNS_DO : 0));
	rdlen = wcur_room(&o->w, 2);
	if (cookie) {
		option_head(o, OPTION_COOKIE, e->cookie_len);
		wcur_bytes(&o->w, e->cookie, e->cookie_len);
	}
	if (keepalive) {
		option_head(o, OPTION_KEEPALIVE, KEEPALIVE_LEN);
		wcur_be16(&o->w, e->keepalive_100ms);
	}
	if (ede != EDE_NONE && option_fits(&room, EDE_CODE_LEN)) {
		text_len = text_fit(text, room);
		option_head(o, OPTION_EDE, EDE_CODE_LEN + text_len);
		wcur_be16(&o->w, (uint16_t)ede);
		wcur_bytes(&o->w, text, text_len);
	}
	answer_pad(o, e->pad_block);
	answer_rr_end(o, rdlen);
	o->counts[SECTION_ADDITIONAL]++;
}

int answer_end(struct answer_out *o)
{
	uint8_t *at = o->w.start + 4;

	if (o->w.err != 0)
		return o->w.err;
	for (size_t i = 0; i < ARRAY_LEN(o->counts); i++) {
		*at++ = (uint8_t)(o->counts[i] >> 8);
		*at++ = (uint8_t)o->counts[i];
	}
	return (int)wcur_len(&o->w);
}
