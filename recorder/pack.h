/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How numbers, texts and addresses lie in a journal record's body. Numbers are LEB128 (seven bits a byte, lowest
 * first): most are small. */
#pragma once

#include "recorder/flow.h"

#define VARINT_MAX_BYTES 10 /* 64 bits in sevens */

static inline void pack_varint_write(struct wcur *c, uint64_t v)
{
	while (v >= 0x80) {
		wcur_u8(c, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	wcur_u8(c, (uint8_t)v);
}

static inline uint64_t pack_varint_read(struct rcur *c)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < VARINT_MAX_BYTES; i++) {
		uint8_t b = rcur_u8(c);

		if (i == VARINT_MAX_BYTES - 1 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if ((b & 0x80) == 0)
			return v;
	}
	c->err = -EBADMSG;
	return 0;
}

static inline void pack_text_write(struct wcur *c, const struct flow_text *t, size_t max)
{
	size_t len = t->len < max ? t->len : max;

	pack_varint_write(c, len);
	wcur_bytes(c, t->at, len);
}

static inline struct flow_text pack_text_read(struct rcur *c, size_t max)
{
	uint64_t len = pack_varint_read(c);
	const uint8_t *p;

	if (len == 0 || len > max) {
		c->err = -EBADMSG;
		return (struct flow_text){ 0 };
	}
	p = rcur_bytes(c, (size_t)len);
	if (p == NULL)
		return (struct flow_text){ 0 };
	return (struct flow_text){ .at = (const char *)p, .len = (uint16_t)len };
}

/* Of .bytes that are stored; 0: the family is none that is. */
static inline size_t pack_addr_bytes(uint8_t family)
{
	if (family == IP_V4)
		return 4;
	if (family == IP_V6)
		return 16;
	return family == FLOW_ADDR_PSEUDONYM ? FLOW_PSEUDONYM_LEN : 0;
}

/* A time that is stored as its distance before @time_us. */
static inline uint64_t pack_before(struct rcur *c, uint64_t time_us)
{
	uint64_t distance = pack_varint_read(c);

	if (distance >= time_us) {
		c->err = -EBADMSG;
		return 0;
	}
	return time_us - distance;
}

static inline void pack_addr_write(struct wcur *c, const struct ip_addr *a)
{
	wcur_u8(c, a->family);
	wcur_bytes(c, a->bytes, pack_addr_bytes(a->family));
}

static inline struct ip_addr pack_addr_read(struct rcur *c)
{
	struct ip_addr a = { .family = rcur_u8(c) };
	size_t len = pack_addr_bytes(a.family);

	if (len == 0)
		c->err = -EBADMSG;
	rcur_copy(c, a.bytes, len);
	return a;
}
