/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions to bytes and back. Called by queries.c to write and by rows.c to read.
 *
 * Body: u8 QUERY_FORM, then questions: be16 flags (which members follow), u8 level, u8 reason, u8 rcode, distance of
 * the time before the record's own, then the members in the order of the flags (pack.h). Several share one journal
 * record, as its head and chain value are as long as a short question. */
#include "recorder/query.h"

#include "recorder/pack.h"
#include "sluice/plan.h"

enum query_member {
	QUERY_F_COUNT = 1u << 0,
	QUERY_F_EXCEPTED = 1u << 1,
	QUERY_F_TYPE = 1u << 2, /* and the latency */
	QUERY_F_LINE = 1u << 3,
	QUERY_F_CLIENT = 1u << 4,
	QUERY_F_UPSTREAM = 1u << 5,
	QUERY_F_ADDRS = 1u << 6,
	QUERY_F_OUTCOME = 1u << 7,
	QUERY_F_DEVICE = 1u << 8,
	QUERY_F_NAME = 1u << 9,
	QUERY_F_LIST = 1u << 10,
	QUERY_F_RULE = 1u << 11,
	QUERY_F_ALL = (1u << 12) - 1,
};

static uint16_t query_flags(const struct query_record *q)
{
	uint16_t flags = 0;

	flags |= q->count != 0 ? QUERY_F_COUNT : 0;
	flags |= q->excepted ? QUERY_F_EXCEPTED : 0;
	flags |= q->type != 0 ? QUERY_F_TYPE : 0;
	flags |= q->line != 0 ? QUERY_F_LINE : 0;
	flags |= pack_addr_bytes(q->client.family) != 0 ? QUERY_F_CLIENT : 0;
	flags |= pack_addr_bytes(q->upstream.family) != 0 ? QUERY_F_UPSTREAM : 0;
	flags |= q->n_addrs != 0 ? QUERY_F_ADDRS : 0;
	flags |= q->outcome.len != 0 ? QUERY_F_OUTCOME : 0;
	flags |= q->device.len != 0 ? QUERY_F_DEVICE : 0;
	flags |= q->name.len != 0 ? QUERY_F_NAME : 0;
	flags |= q->list.len != 0 ? QUERY_F_LIST : 0;
	flags |= q->rule.len != 0 ? QUERY_F_RULE : 0;
	return flags;
}

void query_encode(const struct query_record *q, uint64_t time_us, struct wcur *c)
{
	uint16_t flags = query_flags(q);

	wcur_be16(c, flags);
	wcur_u8(c, q->level);
	wcur_u8(c, q->reason);
	wcur_u8(c, q->rcode);
	pack_varint_write(c, time_us > q->at_us ? time_us - q->at_us : 0);
	if (flags & QUERY_F_COUNT)
		pack_varint_write(c, q->count);
	if (flags & QUERY_F_TYPE) {
		pack_varint_write(c, q->type);
		pack_varint_write(c, q->latency_us);
	}
	if (flags & QUERY_F_LINE)
		pack_varint_write(c, q->line);
	if (flags & QUERY_F_CLIENT)
		pack_addr_write(c, &q->client);
	if (flags & QUERY_F_UPSTREAM) {
		pack_addr_write(c, &q->upstream);
		wcur_be16(c, q->upstream_port);
	}
	if (flags & QUERY_F_ADDRS) {
		wcur_u8(c, q->n_addrs);
		for (uint8_t i = 0; i < q->n_addrs; i++)
			pack_addr_write(c, &q->addrs[i]);
	}
	if (flags & QUERY_F_OUTCOME)
		pack_text_write(c, &q->outcome, FLOW_SHORT_TEXT_MAX);
	if (flags & QUERY_F_DEVICE)
		pack_text_write(c, &q->device, FLOW_SHORT_TEXT_MAX);
	if (flags & QUERY_F_NAME)
		pack_text_write(c, &q->name, FLOW_TEXT_MAX);
	if (flags & QUERY_F_LIST)
		pack_text_write(c, &q->list, FLOW_SHORT_TEXT_MAX);
	if (flags & QUERY_F_RULE)
		pack_text_write(c, &q->rule, FLOW_SHORT_TEXT_MAX);
}

int query_body_begin(struct rcur *c)
{
	uint8_t form = rcur_u8(c);

	if (c->err != 0 || form == 0)
		return -EBADMSG;
	return form == QUERY_FORM ? 0 : -ENOTSUP;
}

static uint64_t number_read(struct rcur *c, uint64_t max)
{
	uint64_t n = pack_varint_read(c);

	if (n == 0 || n > max)
		c->err = -EBADMSG;
	return n;
}

static void numbers_read(struct rcur *c, uint16_t flags, struct query_record *q)
{
	if (flags & QUERY_F_COUNT)
		q->count = number_read(c, UINT64_MAX);
	if (flags & QUERY_F_TYPE) {
		uint64_t latency_us;

		q->type = (uint16_t)number_read(c, UINT16_MAX);
		latency_us = pack_varint_read(c);
		if (latency_us > UINT32_MAX)
			c->err = -EBADMSG;
		q->latency_us = (uint32_t)latency_us;
	}
	if (flags & QUERY_F_LINE)
		q->line = (uint32_t)number_read(c, UINT32_MAX);
}

static void addrs_read(struct rcur *c, uint16_t flags, struct query_record *q)
{
	if (flags & QUERY_F_CLIENT)
		q->client = pack_addr_read(c);
	if (flags & QUERY_F_UPSTREAM) {
		q->upstream = pack_addr_read(c);
		q->upstream_port = rcur_be16(c);
	}
	if ((flags & QUERY_F_ADDRS) == 0)
		return;
	q->n_addrs = rcur_u8(c);
	if (q->n_addrs == 0 || q->n_addrs > QUERY_ADDRS_MAX) {
		c->err = -EBADMSG;
		q->n_addrs = 0;
	}
	for (uint8_t i = 0; i < q->n_addrs; i++)
		q->addrs[i] = pack_addr_read(c);
}

int query_decode(struct rcur *c, uint64_t time_us, struct query_record *ret)
{
	struct query_record q = { 0 };
	uint16_t flags;

	if (rcur_end(c) == 0)
		return 0;
	flags = rcur_be16(c);
	if ((flags & ~(unsigned)QUERY_F_ALL) != 0)
		return -EBADMSG;
	q.excepted = flags & QUERY_F_EXCEPTED;
	q.level = rcur_u8(c);
	q.reason = rcur_u8(c);
	q.rcode = rcur_u8(c);
	if (q.level >= LOG_LEVEL_MAX)
		c->err = -EBADMSG;
	q.at_us = pack_before(c, time_us);
	numbers_read(c, flags, &q);
	addrs_read(c, flags, &q);
	if (flags & QUERY_F_OUTCOME)
		q.outcome = pack_text_read(c, FLOW_SHORT_TEXT_MAX);
	if (flags & QUERY_F_DEVICE)
		q.device = pack_text_read(c, FLOW_SHORT_TEXT_MAX);
	if (flags & QUERY_F_NAME)
		q.name = pack_text_read(c, FLOW_TEXT_MAX);
	if (flags & QUERY_F_LIST)
		q.list = pack_text_read(c, FLOW_SHORT_TEXT_MAX);
	if (flags & QUERY_F_RULE)
		q.rule = pack_text_read(c, FLOW_SHORT_TEXT_MAX);
	if (c->err != 0)
		return -EBADMSG;
	*ret = q;
	return 1;
}
