/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: RFC 791, RFC 8200, RFC 9293, RFC 768; checksums RFC 1071. */
#include "cli/doctor_packet.h"

#include <netinet/in.h>

#define IP4_BYTES	 20
#define IP6_BYTES	 40
#define TCP_BYTES	 20
#define UDP_BYTES	 8
#define PROBE_TTL	 64
#define TCP_WINDOW	 1024
#define TCP_CHECK_OFFSET 16
#define UDP_CHECK_OFFSET 6

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint32_t sum16(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	if (len % 2 != 0)
		sum += (uint32_t)data[len - 1] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t transport_build(const struct probe_packet *p, uint8_t *at)
{
	size_t len = p->proto == IPPROTO_TCP ? TCP_BYTES : UDP_BYTES;
	uint32_t sum = (uint32_t)p->proto + (uint32_t)len;
	uint16_t check;

	memset(at, 0, len);
	put16(at, p->sport);
	put16(at + 2, p->dport);
	if (p->proto == IPPROTO_TCP) {
		at[7] = 1; /* sequence number */
		at[11] = p->answer ? 2 : 0;
		at[12] = TCP_BYTES / 4 << 4;
		at[13] = p->answer ? 0x10 : 0x02;
		put16(at + 14, TCP_WINDOW);
	} else {
		put16(at + 4, UDP_BYTES);
	}
	sum = sum16(sum, p->src.bytes, ip_addr_len(&p->src));
	sum = sum16(sum, p->dst.bytes, ip_addr_len(&p->dst));
	check = sum_fold(sum16(sum, at, len));
	/* In UDP 0 means that there is none. */
	put16(at + (p->proto == IPPROTO_TCP ? TCP_CHECK_OFFSET : UDP_CHECK_OFFSET),
	      check == 0 && p->proto == IPPROTO_UDP ? 0xffff : check);
	return len;
}

size_t probe_packet_build(const struct probe_packet *p, uint8_t buf[PROBE_BYTES_MAX])
{
	bool v4 = p->src.family == IP_V4;
	size_t header = v4 ? IP4_BYTES : IP6_BYTES, len;

	memset(buf, 0, header);
	len = transport_build(p, buf + header);
	if (v4) {
		buf[0] = 0x45;
		put16(buf + 2, (uint32_t)(header + len));
		buf[6] = 0x40; /* do not fragment */
		buf[8] = PROBE_TTL;
		buf[9] = p->proto;
		memcpy(buf + 12, p->src.bytes, 4);
		memcpy(buf + 16, p->dst.bytes, 4);
		put16(buf + 10, sum_fold(sum16(0, buf, header)));
	} else {
		buf[0] = 0x60;
		put16(buf + 4, (uint32_t)len);
		buf[6] = p->proto;
		buf[7] = PROBE_TTL;
		memcpy(buf + 8, p->src.bytes, 16);
		memcpy(buf + 24, p->dst.bytes, 16);
	}
	return header + len;
}
