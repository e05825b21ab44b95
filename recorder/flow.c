/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Flow record to bytes and back. Called by recorder.c to write and by cli/flows.c to read.
 *
 * Body: be16 flags (which members follow), u8 level, u8 proto, be64 id, then the members in the order of the flags.
 * Numbers are LEB128 (seven bits a byte, lowest first): most are small. Times are stored as distance before the journal
 * record's own time. The reader accepts nothing that the writer does not produce in length or value range. */
#include "recorder/flow.h"

#include "recorder/pack.h"
#include "sluice/plan.h"

enum flow_flag {
	FLOW_F_CLOSED = 1u << 0,
	FLOW_F_OPENED = 1u << 1,
	FLOW_F_COUNTED = 1u << 2,
	FLOW_F_START = 1u << 3,
	FLOW_F_TUPLE = 1u << 4,
	FLOW_F_NAT = 1u << 5,
	FLOW_F_NAME = 1u << 6,
	FLOW_F_COUNTRY = 1u << 7,
	FLOW_F_AS = 1u << 8,
	FLOW_F_DEVICE = 1u << 9,
	FLOW_F_RULE = 1u << 10,
	FLOW_F_AS_ORG = 1u << 11,
	FLOW_F_ALL = (1u << 12) - 1,
};

struct flow_text flow_text_of(const char *s)
{
	size_t len = s != NULL ? strlen(s) : 0;

	if (len == 0)
		return (struct flow_text){ 0 };
	return (struct flow_text){ .at = s, .len = (uint16_t)(len < FLOW_TEXT_MAX ? len : FLOW_TEXT_MAX) };
}

static void endpoint_write(struct wcur *c, const struct ip_addr *a, uint16_t port)
{
	wcur_u8(c, a->family);
	wcur_bytes(c, a->bytes, pack_addr_bytes(a->family));
	wcur_be16(c, port);
}

static void endpoint_read(struct rcur *c, struct ip_addr *ret, uint16_t *ret_port)
{
	struct ip_addr a = { .family = rcur_u8(c) };
	size_t len = pack_addr_bytes(a.family);

	if (len == 0)
		c->err = -EBADMSG;
	rcur_copy(c, a.bytes, len);
	*ret = a;
	*ret_port = rcur_be16(c);
}

static uint16_t flow_flags(const struct flow_record *f)
{
	uint16_t flags = 0;

	flags |= f->closed ? FLOW_F_CLOSED : 0;
	flags |= f->opened ? FLOW_F_OPENED : 0;
	flags |= f->counted ? FLOW_F_COUNTED : 0;
	flags |= f->start_us != 0 ? FLOW_F_START : 0;
	flags |= pack_addr_bytes(f->src.family) != 0 && pack_addr_bytes(f->dst.family) != 0 ? FLOW_F_TUPLE : 0;
	flags |= pack_addr_bytes(f->nat.family) != 0 ? FLOW_F_NAT : 0;
	flags |= f->name.len != 0 ? FLOW_F_NAME : 0;
	flags |= f->country[0] != 0 ? FLOW_F_COUNTRY : 0;
	flags |= f->as_number != 0 ? FLOW_F_AS : 0;
	flags |= f->as_org.len != 0 ? FLOW_F_AS_ORG : 0;
	flags |= f->device.len != 0 ? FLOW_F_DEVICE : 0;
	flags |= f->rule.len != 0 ? FLOW_F_RULE : 0;
	return flags;
}

void flow_encode(const struct flow_record *f, uint64_t time_us, struct wcur *c)
{
	uint16_t flags = flow_flags(f);

	wcur_be16(c, flags);
	wcur_u8(c, f->level);
	wcur_u8(c, f->proto);
	wcur_be64(c, f->id);
	if (f->closed)
		pack_varint_write(c, time_us > f->end_us ? time_us - f->end_us : 0);
	if (flags & FLOW_F_COUNTED) {
		pack_varint_write(c, f->tx_bytes);
		pack_varint_write(c, f->tx_packets);
		pack_varint_write(c, f->rx_bytes);
		pack_varint_write(c, f->rx_packets);
	}
	if (flags & FLOW_F_START)
		pack_varint_write(c, time_us > f->start_us ? time_us - f->start_us : 0);
	if (flags & FLOW_F_TUPLE) {
		endpoint_write(c, &f->src, f->src_port);
		endpoint_write(c, &f->dst, f->dst_port);
	}
	if (flags & FLOW_F_NAT)
		endpoint_write(c, &f->nat, f->nat_port);
	if (flags & FLOW_F_NAME) {
		wcur_u8(c, (uint8_t)f->evidence);
		pack_varint_write(c, f->candidates);
		pack_text_write(c, &f->name, FLOW_TEXT_MAX);
	}
	if (flags & FLOW_F_COUNTRY)
		wcur_bytes(c, f->country, sizeof(f->country));
	if (flags & FLOW_F_AS)
		pack_varint_write(c, f->as_number);
	if (flags & FLOW_F_AS_ORG)
		pack_text_write(c, &f->as_org, FLOW_SHORT_TEXT_MAX);
	if (flags & FLOW_F_DEVICE)
		pack_text_write(c, &f->device, FLOW_SHORT_TEXT_MAX);
	if (flags & FLOW_F_RULE)
		pack_text_write(c, &f->rule, FLOW_SHORT_TEXT_MAX);
}

static void name_read(struct rcur *c, struct flow_record *f)
{
	uint8_t evidence = rcur_u8(c);
	uint64_t candidates = pack_varint_read(c);

	f->name = pack_text_read(c, FLOW_TEXT_MAX);
	if ((evidence != FLOW_EVIDENCE_EXACT && evidence != FLOW_EVIDENCE_AMBIGUOUS) || candidates > UINT16_MAX) {
		c->err = -EBADMSG;
		return;
	}
	f->evidence = evidence == FLOW_EVIDENCE_EXACT ? FLOW_EVIDENCE_EXACT : FLOW_EVIDENCE_AMBIGUOUS;
	f->candidates = (uint16_t)candidates;
}

static void as_read(struct rcur *c, struct flow_record *f)
{
	uint64_t number = pack_varint_read(c);

	if (number == 0 || number > UINT32_MAX)
		c->err = -EBADMSG;
	f->as_number = (uint32_t)number;
}

static void fixed_read(struct rcur *c, uint16_t flags, uint64_t time_us, struct flow_record *f)
{
	f->level = rcur_u8(c);
	f->proto = rcur_u8(c);
	f->id = rcur_be64(c);
	if (f->closed)
		f->end_us = pack_before(c, time_us);
	if (flags & FLOW_F_COUNTED) {
		f->tx_bytes = pack_varint_read(c);
		f->tx_packets = pack_varint_read(c);
		f->rx_bytes = pack_varint_read(c);
		f->rx_packets = pack_varint_read(c);
	}
	if (flags & FLOW_F_START)
		f->start_us = pack_before(c, time_us);
}

int flow_decode(const uint8_t *body, size_t len, uint64_t time_us, struct flow_record *ret)
{
	struct rcur c = rcur_over(body, len);
	uint16_t flags = rcur_be16(&c);
	struct flow_record f = { .closed = flags & FLOW_F_CLOSED,
				 .opened = flags & FLOW_F_OPENED,
				 .counted = flags & FLOW_F_COUNTED };

	if ((flags & ~(unsigned)FLOW_F_ALL) != 0)
		return -EBADMSG;
	fixed_read(&c, flags, time_us, &f);
	if (f.level >= LOG_LEVEL_MAX)
		c.err = -EBADMSG;
	if (flags & FLOW_F_TUPLE) {
		endpoint_read(&c, &f.src, &f.src_port);
		endpoint_read(&c, &f.dst, &f.dst_port);
	}
	if (flags & FLOW_F_NAT)
		endpoint_read(&c, &f.nat, &f.nat_port);
	if (flags & FLOW_F_NAME)
		name_read(&c, &f);
	if (flags & FLOW_F_COUNTRY)
		rcur_copy(&c, f.country, sizeof(f.country));
	if (flags & FLOW_F_AS)
		as_read(&c, &f);
	if (flags & FLOW_F_AS_ORG)
		f.as_org = pack_text_read(&c, FLOW_SHORT_TEXT_MAX);
	if (flags & FLOW_F_DEVICE)
		f.device = pack_text_read(&c, FLOW_SHORT_TEXT_MAX);
	if (flags & FLOW_F_RULE)
		f.rule = pack_text_read(&c, FLOW_SHORT_TEXT_MAX);
	if (rcur_end(&c) != 0)
		return -EBADMSG;
	*ret = f;
	return 0;
}
