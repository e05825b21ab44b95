/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nflog messages, built by libmnl, with packets as the kernel cuts them. */
#include "recorder/nflog.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MSG_MAX 2048u

/* 100.64.0.7:40000 -> 198.51.100.1:443/tcp */
static const uint8_t tcp4[] = { 0x45, 0,  0,   60, 0,	 1,    0x40, 0,	   64, 6, 0, 0, 100, 64, 0, 7,
				198,  51, 100, 1,  0x9c, 0x40, 0x01, 0xbb, 0,  0, 0, 0, 0,   0,	 0 };

struct message {
	_Alignas(8) uint8_t buf[MSG_MAX];
	size_t len;
};

static void put(struct message *m, const char *prefix, uint32_t seq, const void *packet, size_t len)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(m->buf + m->len);
	struct nfulnl_msg_packet_hdr head = { .hook = 2 };
	struct nfgenmsg *g;

	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->nfgen_family = AF_INET;
	mnl_attr_put(nlh, NFULA_PACKET_HDR, sizeof(head), &head);
	if (prefix != NULL)
		mnl_attr_put_strz(nlh, NFULA_PREFIX, prefix);
	mnl_attr_put_u32(nlh, NFULA_IFINDEX_INDEV, htonl(3));
	mnl_attr_put_u32(nlh, NFULA_SEQ, htonl(seq));
	mnl_attr_put(nlh, NFULA_PAYLOAD, len, packet);
	m->len += MNL_ALIGN(nlh->nlmsg_len);
}

static int read_one(const struct message *m, struct nflog_drop *ret)
{
	struct rcur c = rcur_over(m->buf, m->len);

	return nflog_next(&c, ret);
}

static int read_packet(const void *packet, size_t len, struct nflog_drop *ret)
{
	struct message m = { .len = 0 };

	put(&m, "norule", 1, packet, len);
	return read_one(&m, ret);
}

static void check_addr(const struct ip_addr *a, const char *want)
{
	char buf[IP_TEXT_MAX];

	assert_string_equal(ip_addr_print(a, buf), want);
}

static void a_refused_tcp_packet_is_read(void **state)
{
	struct message m = { .len = 0 };
	struct nflog_drop d;

	put(&m, "deny:0123abcd", 7, tcp4, sizeof(tcp4));
	assert_int_equal(read_one(&m, &d), 1);
	assert_int_equal(d.reason, DROP_DENY);
	assert_int_equal(d.mark, 0x0123abcd);
	assert_int_equal(d.ifindex, 3);
	assert_true(d.has_seq);
	assert_int_equal(d.seq, 7);
	check_addr(&d.src, "100.64.0.7");
	check_addr(&d.dst, "198.51.100.1");
	assert_int_equal(d.proto, 6);
	assert_true(d.has_ports);
	assert_int_equal(d.src_port, 40000);
	assert_int_equal(d.dst_port, 443);
}

static void every_reason_but_a_deny_is_its_prefix(void **state)
{
	for (uint32_t reason = 0; reason < DROP_REASON_MAX; reason++) {
		struct message m = { .len = 0 };
		struct nflog_drop d;

		put(&m, drop_reason_name(reason), 0, tcp4, sizeof(tcp4));
		assert_int_equal(read_one(&m, &d), reason == DROP_DENY ? 0 : 1);
		if (reason != DROP_DENY)
			assert_int_equal(d.reason, reason);
	}
}

static void prefixes_of_others_are_passed_over(void **state)
{
	static const char *const foreign[] = {
		"",
		"nor",
		"norules",
		"deny",
		"deny:",
		"deny:123",
		"deny:0123abcde",
		"deny:0123ABCD",
		"denied:0123abcd",
		"x norule",
		"unknown ",
	};
	struct message m = { .len = 0 };
	struct nflog_drop d;
	struct rcur c;

	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		put(&m, foreign[i], 0, tcp4, sizeof(tcp4));
	put(&m, NULL, 0, tcp4, sizeof(tcp4));
	put(&m, "spoofed", 9, tcp4, sizeof(tcp4));
	c = rcur_over(m.buf, m.len);
	assert_int_equal(nflog_next(&c, &d), 1);
	assert_int_equal(d.reason, DROP_SPOOFED);
	assert_int_equal(nflog_next(&c, &d), 0);
}

static void options_of_ipv4_are_skipped(void **state)
{
	uint8_t packet[64] = { 0 };
	struct nflog_drop d;

	memcpy(packet, tcp4, 20);
	packet[0] = 0x4f; /* 60 bytes of header */
	packet[9] = 17;
	packet[62] = 53;
	packet[63] = 1;
	assert_int_equal(read_packet(packet, sizeof(packet), &d), 1);
	assert_int_equal(d.proto, 17);
	assert_true(d.has_ports);
	assert_int_equal(d.dst_port, 53 << 8 | 1);
	/* Cut within the options, and behind them. */
	assert_int_equal(read_packet(packet, 40, &d), 1);
	assert_false(d.has_ports);
	assert_int_equal(read_packet(packet, 62, &d), 1);
	assert_false(d.has_ports);
}

static void a_later_fragment_has_no_ports(void **state)
{
	uint8_t packet[sizeof(tcp4)], *offset = packet + 6;
	struct nflog_drop d;

	memcpy(packet, tcp4, sizeof(tcp4));
	offset[1] = 1;
	assert_int_equal(read_packet(packet, sizeof(packet), &d), 1);
	assert_false(d.has_ports);
}

static void icmp_has_no_ports(void **state)
{
	uint8_t packet[sizeof(tcp4)];
	struct nflog_drop d;

	memcpy(packet, tcp4, sizeof(tcp4));
	packet[9] = 1;
	assert_int_equal(read_packet(packet, sizeof(packet), &d), 1);
	assert_int_equal(d.proto, 1);
	assert_false(d.has_ports);
}

/* fd7a::7 -> 2001:db8::1 with @next behind the header. */
static void ipv6_header(uint8_t packet[40], uint8_t next)
{
	memset(packet, 0, 40);
	packet[0] = 0x60;
	packet[6] = next;
	assert_int_equal(inet_pton(AF_INET6, "fd7a::7", packet + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", packet + 24), 1);
}

static void extension_headers_are_skipped(void **state)
{
	uint8_t packet[64] = { 0 };
	struct nflog_drop d;

	ipv6_header(packet, 0);
	packet[40] = 44; /* hop-by-hop, 8 bytes; then the first fragment */
	packet[48] = 17;
	packet[56] = 0x10;
	packet[57] = 0x01;
	packet[58] = 0x00;
	packet[59] = 0x7b;
	assert_int_equal(read_packet(packet, sizeof(packet), &d), 1);
	check_addr(&d.src, "fd7a::7");
	check_addr(&d.dst, "2001:db8::1");
	assert_int_equal(d.proto, 17);
	assert_true(d.has_ports);
	assert_int_equal(d.dst_port, 123);
	/* A later one. */
	packet[51] = 8;
	assert_int_equal(read_packet(packet, sizeof(packet), &d), 1);
	assert_int_equal(d.proto, 17);
	assert_false(d.has_ports);
	/* One that is longer than what there is: what is known is told. */
	packet[41] = 200;
	assert_int_equal(read_packet(packet, sizeof(packet), &d), 1);
	assert_false(d.has_ports);
}

static void a_packet_without_addresses_is_malformed(void **state)
{
	uint8_t packet[64] = { 0 };
	struct nflog_drop d;

	assert_int_equal(read_packet(tcp4, 19, &d), -EBADMSG);
	assert_int_equal(read_packet(tcp4, 0, &d), -EBADMSG);
	ipv6_header(packet, 6);
	assert_int_equal(read_packet(packet, 39, &d), -EBADMSG);
	assert_int_equal(read_packet(packet, 40, &d), 1);
	packet[0] = 0x50;
	assert_int_equal(read_packet(packet, 64, &d), -EBADMSG);
	packet[0] = 0x44; /* a header of 16 bytes */
	assert_int_equal(read_packet(packet, 64, &d), -EBADMSG);
}

static void a_message_that_is_cut_anywhere_is_no_drop(void **state)
{
	struct message m = { .len = 0 };
	struct nflog_drop d;

	put(&m, "norule", 1, tcp4, sizeof(tcp4));
	for (size_t len = 1; len < m.len - 3; len++) {
		struct rcur c = rcur_over(m.buf, len);

		assert_int_equal(nflog_next(&c, &d), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_tcp_packet_is_read),
		cmocka_unit_test(every_reason_but_a_deny_is_its_prefix),
		cmocka_unit_test(prefixes_of_others_are_passed_over),
		cmocka_unit_test(options_of_ipv4_are_skipped),
		cmocka_unit_test(a_later_fragment_has_no_ports),
		cmocka_unit_test(icmp_has_no_ports),
		cmocka_unit_test(extension_headers_are_skipped),
		cmocka_unit_test(a_packet_without_addresses_is_malformed),
		cmocka_unit_test(a_message_that_is_cut_anywhere_is_no_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
