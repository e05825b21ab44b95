/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conntrack events: called by the loop with each datagram of the event socket, feeds recorder.c.
 *
 * Read here and not with libnetfilter_conntrack: an event costs no allocation, every byte goes through a bounded
 * cursor, and what is malformed is refused as a whole (the library passes over parts that it does not understand). The
 * tests have the library build the messages.
 *
 * Source: linux include/uapi/linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c
 * (ctnetlink_conntrack_event; values are in network order, addresses and ports too). */
#include "recorder/ctevent.h"

#include "recorder/nlread.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct ip_addr attr_addr(struct nl_attr *a, uint8_t family, int *err)
{
	struct ip_addr ret = { .family = family };

	rcur_copy(&a->value, ret.bytes, ip_addr_len(&ret));
	if (rcur_end(&a->value) != 0)
		*err = -EBADMSG;
	return ret;
}

static int tuple_ip_read(struct rcur *c, struct flow_tuple *t)
{
	struct nl_attr a;
	int err = 0;

	while (nl_attr_next(c, &a)) {
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
	struct nl_attr a;
	int err = 0;

	while (nl_attr_next(c, &a)) {
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
	struct nl_attr a;
	int r = 0;

	while (r == 0 && nl_attr_next(c, &a)) {
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
	struct nl_attr a;
	int err = 0;

	while (nl_attr_next(c, &a)) {
		if (a.type == CTA_COUNTERS_BYTES)
			*ret_bytes = nl_attr_be64(&a, &err);
		else if (a.type == CTA_COUNTERS_PACKETS)
			*ret_packets = nl_attr_be64(&a, &err);
	}
	return err != 0 ? err : c->err;
}

static int timestamp_read(struct rcur *c, struct flow_event *ev)
{
	struct nl_attr a;
	int err = 0;

	while (nl_attr_next(c, &a)) {
		if (a.type == CTA_TIMESTAMP_START)
			ev->start_us = nl_attr_be64(&a, &err) / 1000;
		else if (a.type == CTA_TIMESTAMP_STOP)
			ev->end_us = nl_attr_be64(&a, &err) / 1000;
	}
	return err != 0 ? err : c->err;
}

static int event_attr_read(struct nl_attr *a, struct flow_event *ev)
{
	int err = 0;

	switch (a->type) {
	case CTA_TUPLE_ORIG:
		return tuple_read(&a->value, &ev->orig);
	case CTA_TUPLE_REPLY:
		return tuple_read(&a->value, &ev->reply);
	case CTA_MARK:
		ev->mark = nl_attr_be32(a, &err);
		return err;
	case CTA_ID:
		ev->ct_id = nl_attr_be32(a, &err);
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
	struct nl_attr a;
	int r = 0;

	(void)rcur_bytes(c, sizeof(struct nfgenmsg));
	while (r == 0 && nl_attr_next(c, &a))
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
	struct nl_message m;

	while (nl_message_next(c, &m)) {
		struct flow_event ev = { 0 };

		if (!event_type(m.type, m.flags, &ev.type))
			continue;
		if (event_read(&m.body, &ev) != 0) {
			c->err = -EBADMSG;
			break;
		}
		*ret = ev;
		return 1;
	}
	return c->err;
}
