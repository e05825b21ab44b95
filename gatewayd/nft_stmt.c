/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: one statement of a program becomes a few expressions of nf_tables' machine. Registers are counted in units of
 * four bytes from NFT_REG32_00 (register 1 of the old numbering is the same as NFT_REG32_00 to _03); a statement begins
 * at the first one again, nothing is carried from one statement to the next.
 *
 * In an inet table the network header may be of either family: a field of IPv4 or IPv6 is read only behind a test of
 * nfproto, which is put in here, once a rule.
 *
 * Source: linux include/uapi/linux/netfilter/nf_tables.h; compared with `nft --debug=netlink`. */
#include "gatewayd/nft_stmt.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include "sluice/drop.h"
#include "sluice/plan.h"

#define NETWORK_SADDR4	  12 /* offsets in the IPv4 and IPv6 headers */
#define NETWORK_DADDR4	  16
#define NETWORK_SADDR6	  8
#define NETWORK_DADDR6	  24
#define TRANSPORT_SPORT	  0
#define TRANSPORT_DPORT	  2 /* the same in TCP, UDP, SCTP, DCCP */
#define TCP_FLAGS_OFFSET  13
#define ICMP6_TYPE_OFFSET 0
#define TCP_SYN		  0x02
#define TCP_RST		  0x04
#define TCPOPT_MSS	  2
#define TCPOPT_MSS_VALUE  2 /* offset and length of the value in the option */

/* What is known of the packet at this point of the rule. */
struct context {
	struct nftnl_rule *rule;
	uint8_t nfproto;
	uint8_t l4proto;
	int err;
};

/* A new expression at the end of the rule. NULL sticks as -ENOMEM. */
static struct nftnl_expr *expr_add(struct context *c, const char *name)
{
	struct nftnl_expr *x = c->err == 0 ? nftnl_expr_alloc(name) : NULL;

	if (x == NULL) {
		if (c->err == 0)
			c->err = -ENOMEM;
		return NULL;
	}
	nftnl_rule_add_expr(c->rule, x);
	return x;
}

static void u32_set(struct context *c, struct nftnl_expr *x, uint16_t attr, uint32_t v)
{
	if (x != NULL)
		nftnl_expr_set_u32(x, attr, v);
}

static void data_set(struct context *c, struct nftnl_expr *x, uint16_t attr, const void *data, uint32_t len)
{
	if (x != NULL && nftnl_expr_set(x, attr, data, len) < 0)
		c->err = -ENOMEM;
}

static void put_cmp(struct context *c, uint32_t reg, bool differs, const void *data, uint32_t len)
{
	struct nftnl_expr *x = expr_add(c, "cmp");

	u32_set(c, x, NFTNL_EXPR_CMP_SREG, reg);
	u32_set(c, x, NFTNL_EXPR_CMP_OP, differs ? NFT_CMP_NEQ : NFT_CMP_EQ);
	data_set(c, x, NFTNL_EXPR_CMP_DATA, data, len);
}

static void put_meta(struct context *c, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *x = expr_add(c, "meta");

	u32_set(c, x, NFTNL_EXPR_META_KEY, key);
	u32_set(c, x, NFTNL_EXPR_META_DREG, reg);
}

static void put_payload(struct context *c, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	struct nftnl_expr *x = expr_add(c, "payload");

	u32_set(c, x, NFTNL_EXPR_PAYLOAD_BASE, base);
	u32_set(c, x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	u32_set(c, x, NFTNL_EXPR_PAYLOAD_LEN, len);
	u32_set(c, x, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void put_ct(struct context *c, uint32_t key, uint16_t reg_attr, uint32_t reg)
{
	struct nftnl_expr *x = expr_add(c, "ct");

	u32_set(c, x, NFTNL_EXPR_CT_KEY, key);
	u32_set(c, x, reg_attr, reg);
}

static void put_bitwise_at(struct context *c, uint32_t reg, const void *mask, const void * xor, uint32_t len)
{
	struct nftnl_expr *x = expr_add(c, "bitwise");

	u32_set(c, x, NFTNL_EXPR_BITWISE_SREG, reg);
	u32_set(c, x, NFTNL_EXPR_BITWISE_DREG, reg);
	u32_set(c, x, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	u32_set(c, x, NFTNL_EXPR_BITWISE_LEN, len);
	data_set(c, x, NFTNL_EXPR_BITWISE_MASK, mask, len);
	data_set(c, x, NFTNL_EXPR_BITWISE_XOR, xor, len);
}

static void put_bitwise(struct context *c, const void *mask, const void * xor, uint32_t len)
{
	put_bitwise_at(c, NFT_REG32_00, mask, xor, len);
}

static void put_immediate(struct context *c, const void *data, uint32_t len)
{
	struct nftnl_expr *x = expr_add(c, "immediate");

	u32_set(c, x, NFTNL_EXPR_IMM_DREG, NFT_REG32_00);
	data_set(c, x, NFTNL_EXPR_IMM_DATA, data, len);
}

static void put_nfproto(struct context *c, uint8_t nfproto, bool differs)
{
	if (c->nfproto == nfproto && !differs)
		return;
	put_meta(c, NFT_META_NFPROTO, NFT_REG32_00);
	put_cmp(c, NFT_REG32_00, differs, &nfproto, sizeof(nfproto));
	if (!differs)
		c->nfproto = nfproto;
}

static void put_l4proto(struct context *c, uint8_t l4proto, bool differs)
{
	if (c->l4proto == l4proto && !differs)
		return;
	put_meta(c, NFT_META_L4PROTO, NFT_REG32_00);
	put_cmp(c, NFT_REG32_00, differs, &l4proto, sizeof(l4proto));
	if (!differs)
		c->l4proto = l4proto;
}

uint8_t nft_field_len(enum nft_field field)
{
	switch (field) {
	case NFT_F_IP_SADDR:
	case NFT_F_IP_DADDR:
	case NFT_F_NUMBER:
	case NFT_F_CT_MARK:
		return 4;
	case NFT_F_IP6_SADDR:
	case NFT_F_IP6_DADDR:
	case NFT_F_IIFNAME:
	case NFT_F_OIFNAME:
		return 16;
	case NFT_F_L4PROTO:
	case NFT_F_ICMP6_TYPE:
		return 1;
	case NFT_F_TH_DPORT:
		return 2;
	case NFT_F_MAX:
		break;
	}
	return 0;
}

static uint8_t field_room(enum nft_field field)
{
	return (uint8_t)((nft_field_len(field) + 3u) & ~3u);
}

uint8_t nft_key_len(const enum nft_field *fields, uint8_t n_fields)
{
	uint8_t len = 0;

	for (uint8_t i = 0; i < n_fields; i++)
		len = (uint8_t)(len + field_room(fields[i]));
	return len;
}

static void put_ct_mark_field(struct context *c, uint32_t reg)
{
	uint32_t ours = CT_MARK_MASK, zero = 0;

	put_ct(c, NFT_CT_MARK, NFTNL_EXPR_CT_DREG, reg);
	put_bitwise_at(c, reg, &ours, &zero, sizeof(ours));
}

static void put_field(struct context *c, enum nft_field field, uint32_t reg)
{
	switch (field) {
	case NFT_F_IP_SADDR:
		put_payload(c, NFT_PAYLOAD_NETWORK_HEADER, NETWORK_SADDR4, 4, reg);
		return;
	case NFT_F_IP_DADDR:
		put_payload(c, NFT_PAYLOAD_NETWORK_HEADER, NETWORK_DADDR4, 4, reg);
		return;
	case NFT_F_IP6_SADDR:
		put_payload(c, NFT_PAYLOAD_NETWORK_HEADER, NETWORK_SADDR6, 16, reg);
		return;
	case NFT_F_IP6_DADDR:
		put_payload(c, NFT_PAYLOAD_NETWORK_HEADER, NETWORK_DADDR6, 16, reg);
		return;
	case NFT_F_L4PROTO:
		put_meta(c, NFT_META_L4PROTO, reg);
		return;
	case NFT_F_TH_DPORT:
		put_payload(c, NFT_PAYLOAD_TRANSPORT_HEADER, TRANSPORT_DPORT, 2, reg);
		return;
	case NFT_F_IIFNAME:
		put_meta(c, NFT_META_IIFNAME, reg);
		return;
	case NFT_F_OIFNAME:
		put_meta(c, NFT_META_OIFNAME, reg);
		return;
	case NFT_F_NUMBER:
		put_meta(c, NFT_META_PRIORITY, reg);
		return;
	case NFT_F_CT_MARK:
		put_ct_mark_field(c, reg);
		return;
	case NFT_F_ICMP6_TYPE:
		put_payload(c, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP6_TYPE_OFFSET, 1, reg);
		return;
	case NFT_F_MAX:
		break;
	}
	c->err = -EINVAL;
}

static void put_byteorder(struct context *c, uint32_t reg, uint32_t size)
{
	struct nftnl_expr *x = expr_add(c, "byteorder");

	u32_set(c, x, NFTNL_EXPR_BYTEORDER_SREG, reg);
	u32_set(c, x, NFTNL_EXPR_BYTEORDER_DREG, reg);
	u32_set(c, x, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	u32_set(c, x, NFTNL_EXPR_BYTEORDER_LEN, size);
	u32_set(c, x, NFTNL_EXPR_BYTEORDER_SIZE, size);
}

/* Write the scratch number, from the first register. */
static void put_number(struct context *c)
{
	struct nftnl_expr *x = expr_add(c, "meta");

	u32_set(c, x, NFTNL_EXPR_META_KEY, NFT_META_PRIORITY);
	u32_set(c, x, NFTNL_EXPR_META_SREG, NFT_REG32_00);
}

/* Is the set one with intervals? A number among ports can only be in one: all that we look up by port have them. */
static bool number_in_intervals(const struct nft_stmt *s)
{
	for (uint8_t i = 0; i < s->n_fields; i++) {
		if (s->fields[i] == NFT_F_TH_DPORT)
			return true;
	}
	return false;
}

static void put_lookup(struct context *c, const struct nft_stmt *s)
{
	uint32_t reg = NFT_REG32_00;
	struct nftnl_expr *x;

	if (s->n_fields == 0 || s->n_fields > NFT_KEY_FIELDS_MAX || s->set == NULL) {
		c->err = -EINVAL;
		return;
	}
	for (uint8_t i = 0; i < s->n_fields; i++) {
		if (s->fields[i] == NFT_F_IP_SADDR || s->fields[i] == NFT_F_IP_DADDR)
			put_nfproto(c, NFPROTO_IPV4, false);
		if (s->fields[i] == NFT_F_IP6_SADDR || s->fields[i] == NFT_F_IP6_DADDR)
			put_nfproto(c, NFPROTO_IPV6, false);
	}
	for (uint8_t i = 0; i < s->n_fields; i++) {
		put_field(c, s->fields[i], reg);
		if (s->fields[i] == NFT_F_NUMBER && number_in_intervals(s))
			put_byteorder(c, reg, sizeof(uint32_t));
		reg += field_room(s->fields[i]) / 4u;
	}
	x = expr_add(c, "lookup");
	u32_set(c, x, NFTNL_EXPR_LOOKUP_SREG, NFT_REG32_00);
	if (x != NULL && nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, s->set) < 0)
		c->err = -ENOMEM;
	if (s->kind == NFT_S_VMAP)
		u32_set(c, x, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	if (s->invert)
		u32_set(c, x, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	if (s->kind == NFT_S_NUMBER_OF) {
		u32_set(c, x, NFTNL_EXPR_LOOKUP_DREG, NFT_REG32_00);
		put_number(c);
	}
}

static void put_ct_state(struct context *c, const struct nft_stmt *s)
{
	uint32_t zero = 0;

	put_ct(c, NFT_CT_STATE, NFTNL_EXPR_CT_DREG, NFT_REG32_00);
	put_bitwise(c, &s->value, &zero, sizeof(zero));
	put_cmp(c, NFT_REG32_00, /* differs= */ !s->invert, &zero, sizeof(zero));
}

static void put_port(struct context *c, const struct nft_stmt *s, uint32_t offset)
{
	uint16_t port = htons((uint16_t)s->value);

	put_payload(c, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(port), NFT_REG32_00);
	put_cmp(c, NFT_REG32_00, s->invert, &port, sizeof(port));
}

/* Of the flags in @mask those in @set are there and no others; @differs: anything else. */
static void put_tcp_flags(struct context *c, uint8_t mask, uint8_t set, bool differs)
{
	uint8_t zero = 0;

	put_l4proto(c, IPPROTO_TCP, false);
	put_payload(c, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, 1, NFT_REG32_00);
	put_bitwise(c, &mask, &zero, 1);
	put_cmp(c, NFT_REG32_00, differs, &set, 1);
}

static void put_saddr4(struct context *c, const struct nft_stmt *s)
{
	uint32_t mask = htonl(s->bits == 0 ? 0 : UINT32_MAX << (32 - s->bits)), net = htonl(s->value), zero = 0;

	put_nfproto(c, NFPROTO_IPV4, false);
	put_payload(c, NFT_PAYLOAD_NETWORK_HEADER, NETWORK_SADDR4, sizeof(net), NFT_REG32_00);
	if (s->bits < 32)
		put_bitwise(c, &mask, &zero, sizeof(mask));
	put_cmp(c, NFT_REG32_00, s->invert, &net, sizeof(net));
}

static void put_fib_local(struct context *c, const struct nft_stmt *s)
{
	uint32_t local = RTN_LOCAL;
	struct nftnl_expr *x = expr_add(c, "fib");

	u32_set(c, x, NFTNL_EXPR_FIB_DREG, NFT_REG32_00);
	u32_set(c, x, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	u32_set(c, x, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	put_cmp(c, NFT_REG32_00, s->invert, &local, sizeof(local));
}

static void put_fib_oif(struct context *c, const struct nft_stmt *s)
{
	char name[NFT_IFNAME_MAX] = { 0 };
	struct nftnl_expr *x = expr_add(c, "fib");

	u32_set(c, x, NFTNL_EXPR_FIB_DREG, NFT_REG32_00);
	u32_set(c, x, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIFNAME);
	u32_set(c, x, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	(void)snprintf(name, sizeof(name), "%s", s->name);
	put_cmp(c, NFT_REG32_00, s->invert, name, sizeof(name));
}

static void put_fib_astray(struct context *c)
{
	uint32_t none = 0;
	struct nftnl_expr *x = expr_add(c, "fib");

	u32_set(c, x, NFTNL_EXPR_FIB_DREG, NFT_REG32_00);
	u32_set(c, x, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIF);
	u32_set(c, x, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF);
	put_cmp(c, NFT_REG32_00, /* differs= */ false, &none, sizeof(none));
}

static void put_meta_mark(struct context *c, const struct nft_stmt *s)
{
	uint32_t keep = ~s->mask;
	struct nftnl_expr *x;

	put_meta(c, NFT_META_MARK, NFT_REG32_00);
	put_bitwise(c, &keep, &s->value, sizeof(keep));
	x = expr_add(c, "meta");
	u32_set(c, x, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	u32_set(c, x, NFTNL_EXPR_META_SREG, NFT_REG32_00);
}

/* The bits that are not ours stay as they are. */
static void put_ct_mark(struct context *c, uint32_t value)
{
	uint32_t keep = ~CT_MARK_MASK, ours = value & CT_MARK_MASK;

	put_ct(c, NFT_CT_MARK, NFTNL_EXPR_CT_DREG, NFT_REG32_00);
	put_bitwise(c, &keep, &ours, sizeof(keep));
	put_ct(c, NFT_CT_MARK, NFTNL_EXPR_CT_SREG, NFT_REG32_00);
}

static void put_ct_event(struct context *c, uint32_t mask)
{
	put_immediate(c, &mask, sizeof(mask));
	put_ct(c, NFT_CT_EVENTMASK, NFTNL_EXPR_CT_SREG, NFT_REG32_00);
}

static void put_mss_clamp(struct context *c)
{
	struct nftnl_expr *x = expr_add(c, "rt");

	u32_set(c, x, NFTNL_EXPR_RT_KEY, NFT_RT_TCPMSS);
	u32_set(c, x, NFTNL_EXPR_RT_DREG, NFT_REG32_00);
	put_byteorder(c, NFT_REG32_00, sizeof(uint16_t));
	x = expr_add(c, "exthdr");
	u32_set(c, x, NFTNL_EXPR_EXTHDR_SREG, NFT_REG32_00);
	if (x != NULL)
		nftnl_expr_set_u8(x, NFTNL_EXPR_EXTHDR_TYPE, TCPOPT_MSS);
	u32_set(c, x, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	u32_set(c, x, NFTNL_EXPR_EXTHDR_OFFSET, TCPOPT_MSS_VALUE);
	u32_set(c, x, NFTNL_EXPR_EXTHDR_LEN, TCPOPT_MSS_VALUE);
}

static void put_ifname(struct context *c, uint32_t key, const struct nft_stmt *s)
{
	char name[NFT_IFNAME_MAX] = "";

	(void)snprintf(name, sizeof(name), "%s", s->name);
	put_meta(c, key, NFT_REG32_00);
	put_cmp(c, NFT_REG32_00, s->invert, name, sizeof(name));
}

static void put_redirect(struct context *c, uint32_t value)
{
	uint16_t port = htons((uint16_t)value);
	struct nftnl_expr *x;

	put_immediate(c, &port, sizeof(port));
	x = expr_add(c, "redir");
	u32_set(c, x, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFT_REG32_00);
	u32_set(c, x, NFTNL_EXPR_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

/* A reset can only answer TCP: the rule says so before, or ICMP it is. */
static void put_reject(struct context *c)
{
	bool tcp = c->l4proto == IPPROTO_TCP;
	struct nftnl_expr *x = expr_add(c, "reject");

	u32_set(c, x, NFTNL_EXPR_REJECT_TYPE, tcp ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
	if (x != NULL)
		nftnl_expr_set_u8(x, NFTNL_EXPR_REJECT_CODE, tcp ? 0 : NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}

static void put_object(struct context *c, const struct nft_stmt *s, uint32_t type)
{
	struct nftnl_expr *x = expr_add(c, "objref");

	u32_set(c, x, NFTNL_EXPR_OBJREF_IMM_TYPE, type);
	if (s->object == NULL)
		c->err = -EINVAL;
	else if (x != NULL && nftnl_expr_set_str(x, NFTNL_EXPR_OBJREF_IMM_NAME, s->object) < 0)
		c->err = -ENOMEM;
}

static void put_log(struct context *c, const struct nft_stmt *s)
{
	struct nftnl_expr *x = expr_add(c, "log");

	if (s->prefix == NULL) {
		c->err = -EINVAL;
		return;
	}
	if (x != NULL) {
		nftnl_expr_set_u16(x, NFTNL_EXPR_LOG_GROUP, (uint16_t)s->value);
		if (nftnl_expr_set_str(x, NFTNL_EXPR_LOG_PREFIX, s->prefix) < 0)
			c->err = -ENOMEM;
	}
	u32_set(c, x, NFTNL_EXPR_LOG_SNAPLEN, DROP_SNAPLEN);
}

uint32_t nft_verdict_code(enum nft_verdict verdict)
{
	switch (verdict) {
	case NFT_V_ACCEPT:
		return NF_ACCEPT;
	case NFT_V_RETURN:
		return (uint32_t)NFT_RETURN;
	case NFT_V_JUMP:
		return (uint32_t)NFT_JUMP;
	case NFT_V_GOTO:
		return (uint32_t)NFT_GOTO;
	case NFT_V_DROP:
	case NFT_V_NONE:
		break;
	}
	return NF_DROP;
}

static void put_verdict(struct context *c, const struct nft_stmt *s)
{
	bool to_chain = s->verdict == NFT_V_JUMP || s->verdict == NFT_V_GOTO;
	struct nftnl_expr *x;

	if (s->verdict == NFT_V_NONE || to_chain != (s->chain != NULL)) {
		c->err = -EINVAL;
		return;
	}
	x = expr_add(c, "immediate");
	u32_set(c, x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	u32_set(c, x, NFTNL_EXPR_IMM_VERDICT, nft_verdict_code(s->verdict));
	if (x != NULL && to_chain && nftnl_expr_set_str(x, NFTNL_EXPR_IMM_CHAIN, s->chain) < 0)
		c->err = -ENOMEM;
}

static void put_counter(struct context *c, const struct nft_stmt *s)
{
	if (s->object != NULL)
		put_object(c, s, NFT_OBJECT_COUNTER);
	else
		(void)expr_add(c, "counter");
}

static void put_stmt(struct context *c, const struct nft_stmt *s)
{
	switch (s->kind) {
	case NFT_S_MATCH:
	case NFT_S_VMAP:
	case NFT_S_NUMBER_OF:
		put_lookup(c, s);
		return;
	case NFT_S_NUMBER:
		put_immediate(c, &s->value, sizeof(s->value));
		put_number(c);
		return;
	case NFT_S_IIFNAME:
	case NFT_S_OIFNAME:
		put_ifname(c, s->kind == NFT_S_IIFNAME ? NFT_META_IIFNAME : NFT_META_OIFNAME, s);
		return;
	case NFT_S_CT_STATE:
		put_ct_state(c, s);
		return;
	case NFT_S_L4PROTO:
		put_l4proto(c, (uint8_t)s->value, s->invert);
		return;
	case NFT_S_DPORT:
	case NFT_S_SPORT:
		put_port(c, s, s->kind == NFT_S_DPORT ? TRANSPORT_DPORT : TRANSPORT_SPORT);
		return;
	case NFT_S_TCP_SYN:
		put_tcp_flags(c, TCP_SYN | TCP_RST, TCP_SYN, s->invert);
		return;
	case NFT_S_TCP_RST:
		put_tcp_flags(c, TCP_RST, TCP_RST, false);
		return;
	case NFT_S_NFPROTO:
		put_nfproto(c, s->value == IP_V6 ? NFPROTO_IPV6 : NFPROTO_IPV4, s->invert);
		return;
	case NFT_S_SADDR4:
		put_saddr4(c, s);
		return;
	case NFT_S_FIB_LOCAL:
		put_fib_local(c, s);
		return;
	case NFT_S_FIB_OIF:
		put_fib_oif(c, s);
		return;
	case NFT_S_FIB_ASTRAY:
		put_fib_astray(c);
		return;
	case NFT_S_META_MARK:
		put_meta_mark(c, s);
		return;
	case NFT_S_CT_MARK:
		put_ct_mark(c, s->value);
		return;
	case NFT_S_CT_EVENT:
		put_ct_event(c, s->value);
		return;
	case NFT_S_MSS_CLAMP:
		put_mss_clamp(c);
		return;
	case NFT_S_COUNTER:
		put_counter(c, s);
		return;
	case NFT_S_LIMIT:
		put_object(c, s, NFT_OBJECT_LIMIT);
		return;
	case NFT_S_LOG:
		put_log(c, s);
		return;
	case NFT_S_MASQUERADE:
		(void)expr_add(c, "masq");
		return;
	case NFT_S_REDIRECT:
		put_redirect(c, s->value);
		return;
	case NFT_S_REJECT:
		put_reject(c);
		return;
	case NFT_S_VERDICT:
		put_verdict(c, s);
		return;
	case NFT_S_MAX:
		break;
	}
	c->err = -EINVAL;
}

int nft_rule_exprs(struct nftnl_rule *r, const struct nft_rule *rule)
{
	struct context c = { .rule = r };

	for (uint32_t i = 0; i < rule->n_stmts && c.err == 0; i++)
		put_stmt(&c, &rule->stmts[i]);
	return c.err;
}
