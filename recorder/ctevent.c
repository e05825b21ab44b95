/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conntrack events: called by the loop with each datagram of the event socket, feeds recorder.c.
 *
 * Read here and not with libnetfilter_conntrack: an event costs no allocation, every byte goes through a bounded
 * cursor, and what is malformed is refused as a whole (the library passes over parts that it does not understand). The
 * tests have the library build the messages.
 *
 * Source: linux include/uapi/linux/netlink.h (nlmsghdr, nlattr: host order, 4-byte alignment),
 * include/uapi/linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c
 * (ctnetlink_conntrack_event; values are in network order, addresses and ports too). */
#include "recorder/ctevent.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct attr {
	uint16_t type;
	struct rcur value;
};

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

/* False at the end and on an error, which is in @c. */
static bool attr_next(struct rcur *c, struct attr *ret)
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
	*ret = (struct attr){ .type = type & NLA_TYPE_MASK, .value = rcur_over(value, len - sizeof(struct nlattr)) };
	skip_padding(c, len);
	return true;
}

static uint32_t attr_be32(struct attr *a, int *err)
{
	uint32_t v = rcur_be32(&a->value);

	if (rcur_end(&a->value) != 0)
		*err = -EBADMSG;
	return v;
}

static uint64_t attr_be64(struct attr *a, int *err)
{
	uint64_t v = rcur_be64(&a->value);

	if (rcur_end(&a->value) != 0)
		*err = -EBADMSG;
	return v;
}

static struct ip_addr attr_addr(struct attr *a, uint8_t family, int *err)
{
	struct ip_addr ret = { .family = family };

	rcur_copy(&a->value, ret.bytes, ip_addr_len(&ret));
	if (rcur_end(&a->value) != 0)
		*err = -EBADMSG;
	return ret;
}

static int tuple_ip_read(struct rcur *c, struct flow_tuple *t)
{
	struct attr a;
	int err = 0;

	while (attr_next(c, &a)) {
		switch (a.type) {
		case CTA_IP_V4_SRC:
			t->src = attr_addr(&a, IP_V4, &err);
			break;
		case CTA_IP_V4_DST:
			t->dst = attr_addr(&a, IP_V4, &err);
			break;
		case CTA_IP_V6_SRC:
			t->src = attr_addr(&a, IP_V6, &err);
			break;
		case CTA_IP_V6_DST:
			t->dst = attr_addr(&a, IP_V6, &err);
			break;
		default:
			break;
		}
	}
	return err != 0 ? err : c->err;
}

static int tuple_proto_read(struct rcur *c, struct flow_tuple *t)
{
	struct attr a;
	int err = 0;

	while (attr_next(c, &a)) {
		switch (a.type) {
		case CTA_PROTO_NUM:
			t->proto = rcur_u8(&a.value);
			err = rcur_end(&a.value) != 0 ? -EBADMSG : err;
			break;
		case CTA_PROTO_SRC_PORT:
		case CTA_PROTO_ICMP_ID:
		case CTA_PROTO_ICMPV6_ID:
			t->src_port = rcur_be16(&a.value);
			err = rcur_end(&a.value) != 0 ? -EBADMSG : err;
			break;
		case CTA_PROTO_DST_PORT:
			t->dst_port = rcur_be16(&a.value);
			err = rcur_end(&a.value) != 0 ? -EBADMSG : err;
			break;
		default:
			break;
		}
	}
	return err != 0 ? err : c->err;
}

static int tuple_read(struct rcur *c, struct flow_tuple *ret)
{
	struct flow_tuple t = { 0 };
	struct attr a;
	int r = 0;

	while (r == 0 && attr_next(c, &a)) {
		if (a.type == CTA_TUPLE_IP)
			r = tuple_ip_read(&a.value, &t);
		else if (a.type == CTA_TUPLE_PROTO)
			r = tuple_proto_read(&a.value, &t);
	}
	if (r != 0 || c->err != 0 || t.src.family == IP_NONE || t.src.family != t.dst.family || t.proto == 0)
		return -EBADMSG;
	*ret = t;
	return 0;
}

static int counters_read(struct rcur *c, uint64_t *ret_bytes, uint64_t *ret_packets)
{
	struct attr a;
	int err = 0;

	while (attr_next(c, &a)) {
		if (a.type == CTA_COUNTERS_BYTES)
			*ret_bytes = attr_be64(&a, &err);
		else if (a.type == CTA_COUNTERS_PACKETS)
			*ret_packets = attr_be64(&a, &err);
	}
	return err != 0 ? err : c->err;
}

static int timestamp_read(struct rcur *c, struct flow_event *ev)
{
	struct attr a;
	int err = 0;

	while (attr_next(c, &a)) {
		if (a.type == CTA_TIMESTAMP_START)
			ev->start_us = attr_be64(&a, &err) / 1000;
		else if (a.type == CTA_TIMESTAMP_STOP)
			ev->end_us = attr_be64(&a, &err) / 1000;
	}
	return err != 0 ? err : c->err;
}

static int event_attr_read(struct attr *a, struct flow_event *ev)
{
	int err = 0;

	switch (a->type) {
	case CTA_TUPLE_ORIG:
		return tuple_read(&a->value, &ev->orig);
	case CTA_TUPLE_REPLY:
		return tuple_read(&a->value, &ev->reply);
	case CTA_MARK:
		ev->mark = attr_be32(a, &err);
		return err;
	case CTA_ID:
		ev->ct_id = attr_be32(a, &err);
		return err;
	case CTA_COUNTERS_ORIG:
		ev->counted = true;
		return counters_read(&a->value, &ev->orig_bytes, &ev->orig_packets);
	case CTA_COUNTERS_REPLY:
		ev->counted = true;
		return counters_read(&a->value, &ev->reply_bytes, &ev->reply_packets);
	case CTA_TIMESTAMP:
		return timestamp_read(&a->value, ev);
	default:
		return 0;
	}
}

/* The body of one message, after its nlmsghdr. */
static int event_read(struct rcur *c, struct flow_event *ev)
{
	struct attr a;
	int r = 0;

	(void)rcur_bytes(c, sizeof(struct nfgenmsg));
	while (r == 0 && attr_next(c, &a))
		r = event_attr_read(&a, ev);
	if (r != 0 || c->err != 0 || ev->orig.src.family == IP_NONE || ev->reply.src.family == IP_NONE)
		return -EBADMSG;
	return 0;
}

/* NEW comes as IPCTNL_MSG_CT_NEW with NLM_F_CREATE; without it, it is an update. */
static bool event_type(uint16_t type, uint16_t flags, enum flow_event_type *ret)
{
	if (type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE)) {
		*ret = FLOW_EVENT_DESTROY;
		return true;
	}
	*ret = FLOW_EVENT_NEW;
	return type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) && (flags & NLM_F_CREATE) != 0;
}

int ctevent_next(struct rcur *c, struct flow_event *ret)
{
	while (c->err == 0 && rcur_left(c) > 0) {
		uint32_t len = host_u32(c);
		uint16_t type = host_u16(c);
		uint16_t flags = host_u16(c);
		struct flow_event ev = { 0 };
		const uint8_t *rest;
		struct rcur body;

		(void)rcur_bytes(c, 8); /* sequence number, port id */
		if (len < NLMSG_HDRLEN)
			c->err = -EBADMSG;
		rest = rcur_bytes(c, c->err == 0 ? len - NLMSG_HDRLEN : 0);
		if (c->err != 0)
			break;
		body = rcur_over(rest, len - NLMSG_HDRLEN);
		skip_padding(c, len);
		if (!event_type(type, flags, &ev.type))
			continue;
		if (event_read(&body, &ev) != 0) {
			c->err = -EBADMSG;
			break;
		}
		*ret = ev;
		return 1;
	}
	return c->err;
}
