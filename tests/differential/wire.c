/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets as conntrack accepts them as the beginning of a flow. The number stands behind a magic word in the payload; a
 * SYN has none, there it is the sequence number, which NAT leaves alone and a reset acknowledges. */
#include "wire.h"

#include <net/ethernet.h>

#define MAGIC	   "SLUI"
#define SEQ_BASE   0x51000000u
#define SEQ_MASK   0xff000000u
#define HEADER4	   20
#define HEADER6	   40
#define L4_MAX	   64
#define TCP_SYN	   0x02
#define TCP_RST	   0x04
#define ECHO4	   8
#define ECHO6	   128
#define UNREACH4   3
#define UNREACH6   1
#define INIT_BYTES 20 /* RFC 9260 3.3.2 */
#define HOPS	   64

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* Over the pseudo-header (RFC 9293 3.1, RFC 8200 8.1) and @l4. */
static uint16_t checksum(const struct packet *pkt, const uint8_t *l4, size_t len, bool pseudo)
{
	uint32_t s = 0;

	if (pseudo) {
		s = sum(s, pkt->src.bytes, ip_addr_len(&pkt->src));
		s = sum(s, pkt->dst.bytes, ip_addr_len(&pkt->dst));
		s += (uint32_t)len + pkt->proto;
	}
	return fold(sum(s, l4, len));
}

static void put_number(uint8_t *p, uint32_t number)
{
	memcpy(p, MAGIC, 4);
	put32(p + 4, number);
}

static size_t build_tcp(const struct packet *pkt, uint16_t sport, uint32_t number, uint8_t *l4)
{
	put16(l4, sport);
	put16(l4 + 2, pkt->port);
	put32(l4 + 4, SEQ_BASE | number);
	l4[12] = 5 << 4;
	l4[13] = TCP_SYN;
	put16(l4 + 14, 65535);
	put16(l4 + 16, checksum(pkt, l4, 20, true));
	return 20;
}

static size_t build_udp(const struct packet *pkt, uint16_t sport, uint32_t number, uint8_t *l4)
{
	put16(l4, sport);
	put16(l4 + 2, pkt->port);
	put16(l4 + 4, 16);
	put_number(l4 + 8, number);
	put16(l4 + 6, checksum(pkt, l4, 16, true));
	return 16;
}

static size_t build_echo(const struct packet *pkt, uint16_t id, uint32_t number, uint8_t *l4)
{
	l4[0] = pkt->proto == 1 ? ECHO4 : ECHO6;
	put16(l4 + 4, id);
	put_number(l4 + 8, number);
	put16(l4 + 2, checksum(pkt, l4, 16, pkt->proto != 1));
	return 16;
}

/* The CRC is not right: the test's namespace does not check it (nf_conntrack_checksum). */
static size_t build_sctp(const struct packet *pkt, uint16_t sport, uint32_t number, uint8_t *l4)
{
	put16(l4, sport);
	put16(l4 + 2, pkt->port);
	l4[12] = 1; /* INIT */
	put16(l4 + 14, INIT_BYTES);
	put32(l4 + 16, 0x01010101);
	put_number(l4 + 20, number);
	return 12 + INIT_BYTES;
}

/* GRE version 0 of protocol IPv4, or anything. */
static size_t build_other(uint32_t number, uint8_t *l4)
{
	put16(l4 + 2, ETHERTYPE_IP);
	put_number(l4 + 4, number);
	return 12;
}

static size_t build_l4(const struct packet *pkt, uint16_t sport, uint32_t number, uint8_t *l4)
{
	switch (pkt->proto) {
	case 1:
	case 58:
		return build_echo(pkt, sport, number, l4);
	case 6:
		return build_tcp(pkt, sport, number, l4);
	case 17:
		return build_udp(pkt, sport, number, l4);
	case 132:
		return build_sctp(pkt, sport, number, l4);
	default:
		return build_other(number, l4);
	}
}

size_t wire_build(const struct packet *pkt, uint16_t sport, uint32_t number, const uint8_t to_mac[6], uint8_t *frame)
{
	bool six = pkt->dst.family == IP_V6;
	uint8_t *ip = frame + ETHER_HDR_LEN;
	size_t header = six ? HEADER6 : HEADER4, len;

	memset(frame, 0, WIRE_FRAME_MAX);
	memcpy(frame, to_mac, 6);
	frame[6] = 2;
	put16(frame + 12, six ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	len = build_l4(pkt, sport, number, ip + header);
	if (six) {
		ip[0] = 6 << 4;
		put16(ip + 4, (uint32_t)len);
		ip[6] = pkt->proto;
		ip[7] = HOPS;
		memcpy(ip + 8, pkt->src.bytes, 16);
		memcpy(ip + 24, pkt->dst.bytes, 16);
	} else {
		ip[0] = 4 << 4 | HEADER4 / 4;
		put16(ip + 2, (uint32_t)(HEADER4 + len));
		ip[8] = HOPS;
		ip[9] = pkt->proto;
		memcpy(ip + 12, pkt->src.bytes, 4);
		memcpy(ip + 16, pkt->dst.bytes, 4);
		put16(ip + 10, fold(sum(0, ip, HEADER4)));
	}
	return ETHER_HDR_LEN + header + len;
}

/* The number of a SYN, or of the SYN that a reset answers. */
static bool tcp_number(const uint8_t *tcp, enum wire_kind *ret_kind, uint32_t *ret_number)
{
	uint32_t seq = get32(tcp + 4);

	*ret_kind = WIRE_PACKET;
	if ((tcp[13] & TCP_RST) != 0) {
		seq = get32(tcp + 8) - 1;
		*ret_kind = WIRE_REFUSAL;
	}
	*ret_number = seq & ~SEQ_MASK;
	return (seq & SEQ_MASK) == SEQ_BASE;
}

/* Of an IP packet that begins at @ip. */
static enum wire_kind parse_ip(const uint8_t *ip, size_t len, uint32_t *ret_number)
{
	size_t header = ip[0] >> 4 == 6 ? HEADER6 : HEADER4;
	enum wire_kind kind;
	const uint8_t *found;
	uint8_t proto;

	if (len < header + 8)
		return WIRE_OTHER;
	proto = ip[0] >> 4 == 6 ? ip[6] : ip[9];
	if ((proto == 1 && header == HEADER4 && ip[header] == UNREACH4) ||
	    (proto == 58 && header == HEADER6 && ip[header] == UNREACH6))
		return parse_ip(ip + header + 8, len - header - 8, ret_number) == WIRE_PACKET ? WIRE_REFUSAL
											      : WIRE_OTHER;
	if (proto == 6 && len >= header + 14)
		return tcp_number(ip + header, &kind, ret_number) ? kind : WIRE_OTHER;
	found = memmem(ip + header, len - header, MAGIC, 4);
	if (found == NULL || (size_t)(found - ip) + 8 > len)
		return WIRE_OTHER;
	*ret_number = get32(found + 4);
	return WIRE_PACKET;
}

enum wire_kind wire_parse(const uint8_t *frame, size_t len, uint32_t *ret_number)
{
	if (len < ETHER_HDR_LEN + HEADER4)
		return WIRE_OTHER;
	return parse_ip(frame + ETHER_HDR_LEN, len - ETHER_HDR_LEN, ret_number);
}
