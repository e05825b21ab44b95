/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The prefix of a message says why (policy/lower_drops.c writes it into the rule), its payload is the head of the
 * packet, cut at DROP_SNAPLEN: that what is behind the addresses is missing is no error.
 *
 * Source: linux include/uapi/linux/netfilter/nfnetlink_log.h, net/netfilter/nfnetlink_log.c
 * (__build_packet_message: numbers in network order); RFC 791, RFC 8200 section 4, RFC 4302. */
#include "recorder/nflog.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>

#include "recorder/nlread.h"

#define IPV4_HEADER_MIN	 20u
#define IPV4_OFFSET_MASK 0x1fffu
#define IPV6_OFFSET_MASK 0xfff8u
#define PROTO_SCTP	 132
#define PROTO_UDPLITE	 136
/* More than any sender has a use for; they are in DROP_SNAPLEN bytes anyhow. */
#define IPV6_EXTENSIONS_MAX 8u

static bool hex_u32(const uint8_t *text, size_t len, uint32_t *ret)
{
	uint32_t v = 0;

	if (len != 8)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = text[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

/* "norule", "deny:0123abcd", with or without the NUL behind it. */
static bool prefix_read(const struct rcur *value, struct nflog_drop *d)
{
	size_t len = strnlen((const char *)value->at, rcur_left(value));
	const char *text = (const char *)value->at;

	for (uint32_t reason = 0; reason < DROP_REASON_MAX; reason++) {
		const char *name = drop_reason_name(reason);
		size_t n = strlen(name);

		if (len < n || memcmp(text, name, n) != 0)
			continue;
		d->reason = (enum drop_reason)reason;
		if (reason != DROP_DENY)
			return len == n;
		return len > n && text[n] == ':' && hex_u32(value->at + n + 1, len - n - 1, &d->mark);
	}
	return false;
}

static void ports_read(struct rcur *c, struct nflog_drop *d)
{
	bool ported = d->proto == IPPROTO_TCP || d->proto == IPPROTO_UDP || d->proto == PROTO_SCTP ||
		      d->proto == IPPROTO_DCCP || d->proto == PROTO_UDPLITE;

	if (!ported || c->err != 0 || rcur_left(c) < 4)
		return;
	d->src_port = rcur_be16(c);
	d->dst_port = rcur_be16(c);
	d->has_ports = true;
}

static struct ip_addr addr_read(struct rcur *c, uint8_t family)
{
	struct ip_addr a = { .family = family };

	rcur_copy(c, a.bytes, ip_addr_len(&a));
	return a;
}

static int ipv4_read(struct rcur *c, struct nflog_drop *d)
{
	size_t header_len = (size_t)(rcur_u8(c) & 0xfu) * 4;
	uint16_t offset;

	(void)rcur_bytes(c, 5); /* type of service, length, identification */
	offset = rcur_be16(c) & IPV4_OFFSET_MASK;
	(void)rcur_u8(c); /* time to live */
	d->proto = rcur_u8(c);
	(void)rcur_be16(c); /* checksum */
	d->src = addr_read(c, IP_V4);
	d->dst = addr_read(c, IP_V4);
	if (c->err != 0 || header_len < IPV4_HEADER_MIN)
		return -EBADMSG;
	(void)rcur_bytes(c, header_len - IPV4_HEADER_MIN); /* options */
	if (offset == 0)
		ports_read(c, d);
	return 0;
}

/* Bytes of an extension header that begins with these two; 0: it is none. */
static size_t extension_len(uint8_t proto, uint8_t len)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return ((size_t)len + 1) * 8;
	case IPPROTO_FRAGMENT:
		return 8;
	case IPPROTO_AH:
		return ((size_t)len + 2) * 4;
	default:
		return 0;
	}
}

static int ipv6_read(struct rcur *c, struct nflog_drop *d)
{
	(void)rcur_bytes(c, 6); /* version, class, flow label, length */
	d->proto = rcur_u8(c);
	(void)rcur_u8(c); /* hop limit */
	d->src = addr_read(c, IP_V6);
	d->dst = addr_read(c, IP_V6);
	if (c->err != 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < IPV6_EXTENSIONS_MAX && rcur_left(c) >= 8; i++) {
		const uint8_t *at = c->at;
		size_t len = extension_len(d->proto, at[1]);
		bool later = d->proto == IPPROTO_FRAGMENT && (((uint16_t)(at[2] << 8 | at[3])) & IPV6_OFFSET_MASK) != 0;

		if (len == 0)
			break;
		d->proto = at[0];
		if (later || rcur_bytes(c, len) == NULL)
			return 0;
	}
	ports_read(c, d);
	return 0;
}

static int packet_read(struct rcur *c, struct nflog_drop *d)
{
	uint8_t version = rcur_left(c) != 0 ? c->at[0] >> 4 : 0;

	if (version == 4)
		return ipv4_read(c, d);
	return version == 6 ? ipv6_read(c, d) : -EBADMSG;
}

/* 1: a drop; 0: none of ours; -EBADMSG. */
static int message_read(struct rcur *c, struct nflog_drop *d)
{
	bool ours = false, packet = false;
	struct nl_attr a;
	int err = 0;

	(void)rcur_bytes(c, sizeof(struct nfgenmsg));
	while (err == 0 && nl_attr_next(c, &a)) {
		if (a.type == NFULA_PREFIX) {
			ours = prefix_read(&a.value, d);
		} else if (a.type == NFULA_IFINDEX_INDEV) {
			d->ifindex = nl_attr_be32(&a, &err);
		} else if (a.type == NFULA_SEQ) {
			d->seq = nl_attr_be32(&a, &err);
			d->has_seq = true;
		} else if (a.type == NFULA_PAYLOAD) {
			err = packet_read(&a.value, d);
			packet = true;
		}
	}
	if (err != 0 || c->err != 0)
		return -EBADMSG;
	return ours && packet ? 1 : 0;
}

int nflog_next(struct rcur *c, struct nflog_drop *ret)
{
	struct nl_message m;

	while (nl_message_next(c, &m)) {
		struct nflog_drop d = { 0 };
		int r;

		if (m.type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
			continue;
		r = message_read(&m.body, &d);
		if (r < 0)
			c->err = r;
		if (r == 0)
			continue;
		if (r == 1)
			*ret = d;
		return r;
	}
	return c->err;
}
