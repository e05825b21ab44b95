/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "recorder/nlread.h"

#include <linux/netlink.h>

static uint16_t host_u16(struct rcur *c)
{
	uint16_t v = 0;

	rcur_copy(c, &v, sizeof(v));
	return v;
}

static uint32_t host_u32(struct rcur *c)
{
	uint32_t v = 0;

	rcur_copy(c, &v, sizeof(v));
	return v;
}

/* Skip to the next multiple of four; the last one of a buffer may lack the padding. */
static void skip_padding(struct rcur *c, size_t len)
{
	size_t pad = (4 - len % 4) % 4;

	(void)rcur_bytes(c, pad < rcur_left(c) ? pad : rcur_left(c));
}

bool nl_attr_next(struct rcur *c, struct nl_attr *ret)
{
	uint16_t len, type;
	const uint8_t *value;

	if (c->err != 0 || rcur_left(c) == 0)
		return false;
	len = host_u16(c);
	type = host_u16(c);
	if (len < sizeof(struct nlattr))
		c->err = -EBADMSG;
	value = rcur_bytes(c, c->err == 0 ? len - sizeof(struct nlattr) : 0);
	if (c->err != 0)
		return false;
	*ret = (struct nl_attr){ .type = type & NLA_TYPE_MASK, .value = rcur_over(value, len - sizeof(struct nlattr)) };
	skip_padding(c, len);
	return true;
}

bool nl_message_next(struct rcur *c, struct nl_message *ret)
{
	const uint8_t *rest;
	uint32_t len;

	if (c->err != 0 || rcur_left(c) == 0)
		return false;
	len = host_u32(c);
	ret->type = host_u16(c);
	ret->flags = host_u16(c);
	(void)rcur_bytes(c, 8); /* sequence number, port id */
	if (len < NLMSG_HDRLEN)
		c->err = -EBADMSG;
	rest = rcur_bytes(c, c->err == 0 ? len - NLMSG_HDRLEN : 0);
	if (c->err != 0)
		return false;
	ret->body = rcur_over(rest, len - NLMSG_HDRLEN);
	skip_padding(c, len);
	return true;
}

uint32_t nl_attr_be32(struct nl_attr *a, int *err)
{
	uint32_t v = rcur_be32(&a->value);

	if (rcur_end(&a->value) != 0)
		*err = -EBADMSG;
	return v;
}

uint64_t nl_attr_be64(struct nl_attr *a, int *err)
{
	uint64_t v = rcur_be64(&a->value);

	if (rcur_end(&a->value) != 0)
		*err = -EBADMSG;
	return v;
}
