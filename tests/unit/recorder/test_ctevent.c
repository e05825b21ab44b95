/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The messages are built by libnetfilter_conntrack and libmnl, which know the format independently of us. */
#include "recorder/ctevent.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define START_NS 1790000000123456789ull
#define MSG_MAX	 2048u

static void put_counters(struct nlmsghdr *nlh, uint16_t type, uint64_t packets, uint64_t bytes)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u64(nlh, CTA_COUNTERS_PACKETS, htobe64(packets));
	mnl_attr_put_u64(nlh, CTA_COUNTERS_BYTES, htobe64(bytes));
	mnl_attr_nest_end(nlh, nest);
}

static void put_timestamps(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TIMESTAMP);

	mnl_attr_put_u64(nlh, CTA_TIMESTAMP_START, htobe64(START_NS));
	mnl_attr_put_u64(nlh, CTA_TIMESTAMP_STOP, htobe64(START_NS + 5000000000ull));
	mnl_attr_nest_end(nlh, nest);
}

static struct nlmsghdr *message(void *at, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *g;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	nlh->nlmsg_flags = flags;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->nfgen_family = family;
	return nlh;
}

/* 100.64.0.7:40000 -> 198.51.100.1:443/tcp behind 192.0.2.1:1024. Returns the length. */
static size_t tcp4(void *at, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = message(at, type, flags, AF_INET);
	struct nf_conntrack *ct = nfct_new();

	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u32(ct, ATTR_IPV4_SRC, inet_addr("100.64.0.7"));
	nfct_set_attr_u32(ct, ATTR_IPV4_DST, inet_addr("198.51.100.1"));
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons(40000));
	nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(443));
	nfct_set_attr_u8(ct, ATTR_REPL_L3PROTO, AF_INET);
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_SRC, inet_addr("198.51.100.1"));
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_DST, inet_addr("192.0.2.1"));
	nfct_set_attr_u8(ct, ATTR_REPL_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_SRC, htons(443));
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_DST, htons(1024));
	nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	nfct_set_attr_u32(ct, ATTR_MARK, 4711);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 300);
	assert_int_equal(nfct_nlmsg_build(nlh, ct), 0);
	nfct_destroy(ct);
	mnl_attr_put_u32(nlh, CTA_ID, htonl(0x01020304));
	put_counters(nlh, CTA_COUNTERS_ORIG, 10, 1000);
	put_counters(nlh, CTA_COUNTERS_REPLY, 20, 1ull << 40);
	put_timestamps(nlh);
	return nlh->nlmsg_len;
}

static size_t icmp6(void *at)
{
	struct nlmsghdr *nlh = message(at, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, AF_INET6);
	struct nf_conntrack *ct = nfct_new();
	struct in6_addr src, dst;

	assert_int_equal(inet_pton(AF_INET6, "fd7a::7", &src), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:a::1", &dst), 1);
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET6);
	nfct_set_attr(ct, ATTR_IPV6_SRC, &src);
	nfct_set_attr(ct, ATTR_IPV6_DST, &dst);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_ICMPV6);
	nfct_set_attr_u8(ct, ATTR_ICMP_TYPE, 128);
	nfct_set_attr_u8(ct, ATTR_ICMP_CODE, 0);
	nfct_set_attr_u16(ct, ATTR_ICMP_ID, htons(77));
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
	assert_int_equal(nfct_nlmsg_build(nlh, ct), 0);
	nfct_destroy(ct);
	return nlh->nlmsg_len;
}

static void check_addr(const struct ip_addr *a, const char *want)
{
	char buf[IP_TEXT_MAX];

	assert_string_equal(ip_addr_print(a, buf), want);
}

static void a_new_tcp_flow_is_read(void **state)
{
	_Alignas(8) uint8_t buf[MSG_MAX];
	struct rcur c = rcur_over(buf, tcp4(buf, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL));
	struct flow_event ev;

	assert_int_equal(ctevent_next(&c, &ev), 1);
	assert_int_equal(ev.type, FLOW_EVENT_NEW);
	assert_int_equal(ev.ct_id, 0x01020304);
	assert_int_equal(ev.mark, 4711);
	check_addr(&ev.orig.src, "100.64.0.7");
	check_addr(&ev.orig.dst, "198.51.100.1");
	check_addr(&ev.reply.dst, "192.0.2.1");
	assert_int_equal(ev.orig.proto, 6);
	assert_int_equal(ev.orig.src_port, 40000);
	assert_int_equal(ev.orig.dst_port, 443);
	assert_int_equal(ev.reply.dst_port, 1024);
	assert_int_equal(ev.start_us, START_NS / 1000);
	assert_int_equal(ctevent_next(&c, &ev), 0);
}

static void a_destroyed_flow_brings_its_counters(void **state)
{
	_Alignas(8) uint8_t buf[MSG_MAX];
	struct rcur c = rcur_over(buf, tcp4(buf, IPCTNL_MSG_CT_DELETE, 0));
	struct flow_event ev;

	assert_int_equal(ctevent_next(&c, &ev), 1);
	assert_int_equal(ev.type, FLOW_EVENT_DESTROY);
	assert_true(ev.counted);
	assert_int_equal(ev.orig_packets, 10);
	assert_int_equal(ev.orig_bytes, 1000);
	assert_int_equal(ev.reply_packets, 20);
	assert_int_equal(ev.reply_bytes, 1ull << 40);
	assert_int_equal(ev.end_us, START_NS / 1000 + 5000000);
}

static void an_icmp_flow_over_ipv6_is_read(void **state)
{
	_Alignas(8) uint8_t buf[MSG_MAX];
	struct rcur c = rcur_over(buf, icmp6(buf));
	struct flow_event ev;

	assert_int_equal(ctevent_next(&c, &ev), 1);
	check_addr(&ev.orig.src, "fd7a::7");
	check_addr(&ev.orig.dst, "2001:db8:a::1");
	assert_int_equal(ev.orig.proto, 58);
	assert_int_equal(ev.orig.src_port, 77);
	assert_int_equal(ev.orig.dst_port, 0);
	assert_false(ev.counted);
}

static void updates_and_other_messages_are_passed_over(void **state)
{
	_Alignas(8) uint8_t buf[2 * MSG_MAX];
	size_t len = tcp4(buf, IPCTNL_MSG_CT_NEW, /* flags= */ 0);
	struct flow_event ev;
	struct rcur c;

	len += tcp4(buf + len, IPCTNL_MSG_CT_GET, 0);
	len += tcp4(buf + len, IPCTNL_MSG_CT_DELETE, 0);
	c = rcur_over(buf, len);
	assert_int_equal(ctevent_next(&c, &ev), 1);
	assert_int_equal(ev.type, FLOW_EVENT_DESTROY);
	assert_int_equal(ctevent_next(&c, &ev), 0);
}

static void every_cut_message_is_refused(void **state)
{
	_Alignas(8) uint8_t buf[MSG_MAX];
	size_t len = tcp4(buf, IPCTNL_MSG_CT_DELETE, 0);
	struct flow_event ev;

	for (size_t n = 1; n < len; n++) {
		uint8_t *exact = malloc(n); /* so that a sanitizer sees a byte too far */
		struct rcur c = rcur_over(exact, n);

		assert_non_null(exact);
		memcpy(exact, buf, n);
		assert_int_equal(ctevent_next(&c, &ev), -EBADMSG);
		free(exact);
	}
}

static void no_altered_byte_does_harm(void **state)
{
	_Alignas(8) uint8_t buf[MSG_MAX];
	size_t len = tcp4(buf, IPCTNL_MSG_CT_DELETE, 0);
	uint8_t *copy = malloc(len);
	struct flow_event ev;

	assert_non_null(copy);
	for (size_t i = 0; i < len * 256; i++) {
		struct rcur c = rcur_over(copy, len);
		int r;

		memcpy(copy, buf, len);
		copy[i / 256] = (uint8_t)i;
		for (unsigned n = 0; (r = ctevent_next(&c, &ev)) == 1; n++)
			assert_true(n < len / NLMSG_HDRLEN);
		assert_true(r == 0 || r == -EBADMSG);
	}
	free(copy);
}

static void an_attribute_of_a_wrong_length_is_refused(void **state)
{
	static const uint16_t types[] = { CTA_MARK, CTA_ID, CTA_TUPLE_ORIG, CTA_COUNTERS_ORIG, CTA_TIMESTAMP };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		_Alignas(8) uint8_t buf[MSG_MAX];
		struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
		struct flow_event ev;
		struct rcur c;

		(void)tcp4(buf, IPCTNL_MSG_CT_DELETE, 0);
		mnl_attr_put(nlh, types[i], 3, "abc");
		c = rcur_over(buf, nlh->nlmsg_len);
		assert_int_equal(ctevent_next(&c, &ev), -EBADMSG);
	}
}

static void a_message_without_a_tuple_is_refused(void **state)
{
	_Alignas(8) uint8_t buf[MSG_MAX];
	struct nlmsghdr *nlh = message(buf, IPCTNL_MSG_CT_DELETE, 0, AF_INET);
	struct rcur c = rcur_over(buf, nlh->nlmsg_len);
	struct flow_event ev;

	assert_int_equal(ctevent_next(&c, &ev), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_tcp_flow_is_read),
		cmocka_unit_test(a_destroyed_flow_brings_its_counters),
		cmocka_unit_test(an_icmp_flow_over_ipv6_is_read),
		cmocka_unit_test(updates_and_other_messages_are_passed_over),
		cmocka_unit_test(every_cut_message_is_refused),
		cmocka_unit_test(no_altered_byte_does_harm),
		cmocka_unit_test(an_attribute_of_a_wrong_length_is_refused),
		cmocka_unit_test(a_message_without_a_tuple_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
