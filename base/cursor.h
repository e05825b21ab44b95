/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bounded reading and writing of wire bytes, with an error that sticks: after the first failure reads give 0 and
 * writes do nothing, and the caller tests once at the end. _be is network order, _host the machine's own. */
#pragma once

#include "base/base.h"

struct rcur {
	const uint8_t *at, *end;
	int err; /* 0 or -EBADMSG */
};

static inline struct rcur rcur_over(const void *buf, size_t len)
{
	return (struct rcur){ .at = buf, .end = (const uint8_t *)buf + len };
}

static inline size_t rcur_left(const struct rcur *c)
{
	return (size_t)(c->end - c->at);
}

/* @len bytes at the cursor, borrowed from the buffer; NULL with the error set when there are fewer. */
static inline const uint8_t *rcur_bytes(struct rcur *c, size_t len)
{
	const uint8_t *p = c->at;

	if (c->err != 0 || rcur_left(c) < len) {
		c->err = -EBADMSG;
		return NULL;
	}
	c->at += len;
	return p;
}

static inline void rcur_copy(struct rcur *c, void *to, size_t len)
{
	const uint8_t *p = rcur_bytes(c, len);

	if (p != NULL)
		memcpy(to, p, len);
	else
		memset(to, 0, len);
}

static inline uint8_t rcur_u8(struct rcur *c)
{
	const uint8_t *p = rcur_bytes(c, 1);

	return p != NULL ? p[0] : 0;
}

static inline uint16_t rcur_be16(struct rcur *c)
{
	const uint8_t *p = rcur_bytes(c, 2);

	return p != NULL ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t rcur_be32(struct rcur *c)
{
	const uint8_t *p = rcur_bytes(c, 4);

	return p != NULL ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t rcur_be64(struct rcur *c)
{
	uint64_t high = rcur_be32(c);

	return high << 32 | rcur_be32(c);
}

/* 0 when everything was consumed without an error, else -EBADMSG. */
static inline int rcur_end(const struct rcur *c)
{
	return c->err == 0 && c->at == c->end ? 0 : -EBADMSG;
}

struct wcur {
	uint8_t *start, *at, *end;
	int err; /* 0 or -E2BIG */
};

static inline struct wcur wcur_over(void *buf, size_t len)
{
	return (struct wcur){ .start = buf, .at = buf, .end = (uint8_t *)buf + len };
}

static inline size_t wcur_len(const struct wcur *c)
{
	return (size_t)(c->at - c->start);
}

/* Room for @len bytes to be filled by the caller; NULL with the error set when there is less. */
static inline uint8_t *wcur_room(struct wcur *c, size_t len)
{
	uint8_t *p = c->at;

	if (c->err != 0 || (size_t)(c->end - c->at) < len) {
		c->err = -E2BIG;
		return NULL;
	}
	c->at += len;
	return p;
}

static inline void wcur_bytes(struct wcur *c, const void *from, size_t len)
{
	uint8_t *p = wcur_room(c, len);

	if (p != NULL && len != 0)
		memcpy(p, from, len);
}

static inline void wcur_u8(struct wcur *c, uint8_t v)
{
	wcur_bytes(c, &v, 1);
}

static inline void wcur_be16(struct wcur *c, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wcur_bytes(c, b, sizeof(b));
}

static inline void wcur_be32(struct wcur *c, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	wcur_bytes(c, b, sizeof(b));
}

static inline void wcur_be64(struct wcur *c, uint64_t v)
{
	wcur_be32(c, (uint32_t)(v >> 32));
	wcur_be32(c, (uint32_t)v);
}
