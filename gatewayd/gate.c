/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: why these fields of a packet. A mark would be the natural one, but marks belong to others (Tailscale writes all
 * of it on answers), and a conntrack mark cannot be seen outside of netfilter.
 *
 * In by the tunnel: skb->tc_index says where it came from; nobody else uses it, and forwarding leaves it alone.
 *
 * Out by whatever interface: what came from the tunnel, and what goes to the tunnel, needs a priority that the table
 * sets in the chain that accepts it. ip_forward() writes that field before it, so it cannot come from outside. Because
 * translation goes with the table, answers of the internet to devices find no socket here: a reset or an ICMP error
 * would end the devices' connections, so the host's own need that priority, too.
 *
 * What the gate does not stop: what devices send to the gateway's own sockets in the moment without a table. They get
 * no answer.
 *
 * Source: linux net/ipv4/ip_forward.c, net/core/filter.c (tc_cls_act_is_valid_access()), include/uapi/linux/bpf.h,
 * tc-bpf(8). */
#include "gatewayd/gate.h"

#include "gatewayd/rtnl_request.h"

#include <arpa/inet.h>
#include <asm/byteorder.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/syscall.h>

/* Our filter among those of the interface: the first that is asked. */
#define FILTER_PRIORITY 1u
#define FILTER_HANDLE	0x51ceu
#define FILTER_INFO	TC_H_MAKE(FILTER_PRIORITY << 16, htons(ETH_P_ALL))

/* skb->tc_index of what came by the tunnel; 16 bits. */
#define FROM_TUNNEL 0x51ce

struct gate {
	int in, to_tunnel, to_others;
};

#define SKB_FIELD(field) ((int16_t)offsetof(struct __sk_buff, field))
#define LOAD(dst_, field)                                                                                              \
	{                                                                                                              \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (dst_), .src_reg = BPF_REG_6, .off = SKB_FIELD(field)    \
	}
#define STORE(field, src_)                                                                                             \
	{                                                                                                              \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_6, .src_reg = (src_), .off = SKB_FIELD(field)    \
	}
#define MOVE(dst_, src_)                                                                                               \
	{                                                                                                              \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (dst_), .src_reg = (src_)                              \
	}
#define SET(dst_, value)                                                                                               \
	{                                                                                                              \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (dst_), .imm = (value)                                 \
	}
/* Skip @n instructions where @reg is not @value; where it is. */
#define SKIP_UNLESS(reg, value, n)                                                                                     \
	{                                                                                                              \
		.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = (reg), .off = (n), .imm = (value)                        \
	}
#define SKIP_IF(reg, value, n)                                                                                         \
	{                                                                                                              \
		.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = (reg), .off = (n), .imm = (value)                        \
	}
#define SKIP_IF_BITS(reg, bits, n)                                                                                     \
	{                                                                                                              \
		.code = BPF_JMP | BPF_JSET | BPF_K, .dst_reg = (reg), .off = (n), .imm = (bits)                        \
	}
/* Register 0 := a byte of the network header, and so many behind that register 7 says. A packet that ends before it is
 * let through: the program returns 0, TC_ACT_OK. */
#define BYTE(offset)                                                                                                   \
	{                                                                                                              \
		.code = BPF_LD | BPF_ABS | BPF_B, .imm = SKF_NET_OFF + (offset)                                        \
	}
#define BYTE_BEHIND(offset)                                                                                            \
	{                                                                                                              \
		.code = BPF_LD | BPF_IND | BPF_B, .src_reg = BPF_REG_7, .imm = SKF_NET_OFF + (offset)                  \
	}
#define CALCULATE(op, dst_, value)                                                                                     \
	{                                                                                                              \
		.code = BPF_ALU64 | (op) | BPF_K, .dst_reg = (dst_), .imm = (value)                                    \
	}
#define RETURN(action)                                                                                                 \
	SET(BPF_REG_0, action),                                                                                        \
	{                                                                                                              \
		.code = BPF_JMP | BPF_EXIT                                                                             \
	}

#define TCP_FLAGS	   13
#define TCP_RST		   0x04
#define ICMP_UNREACHABLE   3
#define ICMPV6_UNREACHABLE 1
#define IPV4_PROTOCOL	   9
#define IPV6_NEXT_HEADER   6
#define IPV6_HEADER_BYTES  40

static const struct bpf_insn program_in[] = {
	MOVE(BPF_REG_6, BPF_REG_1),
	SET(BPF_REG_2, FROM_TUNNEL),
	STORE(tc_index, BPF_REG_2),
	RETURN(TC_ACT_UNSPEC),
};

/* What the table has let through leaves with neither of the two marks: 7 instructions. */
#define LET_THROUGH                                                                                                    \
	MOVE(BPF_REG_6, BPF_REG_1), LOAD(BPF_REG_2, priority), SKIP_UNLESS(BPF_REG_2, GATE_PASS_PRIORITY, 5),          \
		SET(BPF_REG_3, 0), STORE(priority, BPF_REG_3), STORE(tc_index, BPF_REG_3), RETURN(TC_ACT_UNSPEC)

/* No other IP goes to devices. ARP and other link protocols do. */
static const struct bpf_insn program_to_tunnel[] = {
	LET_THROUGH,
	LOAD(BPF_REG_2, protocol),
	SKIP_IF(BPF_REG_2, __constant_htons(ETH_P_IP), 3),
	SKIP_IF(BPF_REG_2, __constant_htons(ETH_P_IPV6), 2),
	RETURN(TC_ACT_UNSPEC),
	RETURN(TC_ACT_SHOT),
};

/* Nothing else of devices goes elsewhere, nor what this host would say to answers that it should have translated. */
static const struct bpf_insn program_to_others[] = {
	LET_THROUGH,
	LOAD(BPF_REG_2, tc_index),
	SKIP_UNLESS(BPF_REG_2, FROM_TUNNEL, 2),
	RETURN(TC_ACT_SHOT),
	/* Forwarded for others. */
	LOAD(BPF_REG_2, ingress_ifindex),
	SKIP_IF(BPF_REG_2, 0, 2),
	RETURN(TC_ACT_UNSPEC),
	LOAD(BPF_REG_2, protocol),
	SKIP_IF(BPF_REG_2, __constant_htons(ETH_P_IP), 4),
	SET(BPF_REG_7, IPV6_HEADER_BYTES),
	SKIP_IF(BPF_REG_2, __constant_htons(ETH_P_IPV6), 15),
	RETURN(TC_ACT_UNSPEC),
	/* IPv4 */
	BYTE(0),
	CALCULATE(BPF_AND, BPF_REG_0, 0xf),
	CALCULATE(BPF_LSH, BPF_REG_0, 2),
	MOVE(BPF_REG_7, BPF_REG_0),
	BYTE(IPV4_PROTOCOL),
	SKIP_IF(BPF_REG_0, IPPROTO_TCP, 9),
	SKIP_IF(BPF_REG_0, IPPROTO_ICMP, 2),
	RETURN(TC_ACT_UNSPEC),
	BYTE_BEHIND(0),
	SKIP_IF(BPF_REG_0, ICMP_UNREACHABLE, 11),
	RETURN(TC_ACT_UNSPEC),
	/* IPv6 */
	BYTE(IPV6_NEXT_HEADER),
	SKIP_UNLESS(BPF_REG_0, IPPROTO_TCP, 4),
	/* TCP of both */
	BYTE_BEHIND(TCP_FLAGS),
	SKIP_IF_BITS(BPF_REG_0, TCP_RST, 5),
	RETURN(TC_ACT_UNSPEC),
	SKIP_UNLESS(BPF_REG_0, IPPROTO_ICMPV6, 4),
	BYTE_BEHIND(0),
	SKIP_UNLESS(BPF_REG_0, ICMPV6_UNREACHABLE, 2),
	RETURN(TC_ACT_SHOT),
	RETURN(TC_ACT_UNSPEC),
};

static int program_load(const struct bpf_insn *insns, size_t n, const char *name, int *ret, struct err *e)
{
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	(void)snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return err_set(e, -errno, "load BPF program %s: %s", name, strerror(errno));
	*ret = (int)fd;
	return 0;
}

int gate_open(struct gate **ret, struct err *e)
{
	struct gate *g = calloc(1, sizeof(*g));
	int r;

	if (g == NULL)
		return err_set(e, -ENOMEM, "gate: out of memory");
	g->in = g->to_tunnel = g->to_others = -1;
	r = program_load(program_in, ARRAY_LEN(program_in), "sluice_in", &g->in, e);
	if (r == 0)
		r = program_load(program_to_tunnel, ARRAY_LEN(program_to_tunnel), "sluice_tunnel", &g->to_tunnel, e);
	if (r == 0)
		r = program_load(program_to_others, ARRAY_LEN(program_to_others), "sluice_others", &g->to_others, e);
	if (r < 0)
		g = gate_free(g);
	*ret = g;
	return r;
}

struct gate *gate_free(struct gate *g)
{
	if (g == NULL)
		return NULL;
	fd_closep(&g->in);
	fd_closep(&g->to_tunnel);
	fd_closep(&g->to_others);
	free(g);
	return NULL;
}

static struct tcmsg *tc_init(struct rtnl_request *q, uint16_t type, uint16_t flags, uint32_t ifindex)
{
	struct tcmsg *tc;

	rtnl_request_init(q, type, (uint16_t)(NLM_F_ACK | flags));
	tc = mnl_nlmsg_put_extra_header(q->nlh, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	return tc;
}

/* What filters hang on. One that is there, ours or another's, is used. */
static int clsact_add(uint32_t ifindex, struct err *e)
{
	struct rtnl_request q;
	struct tcmsg *tc = tc_init(&q, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex);
	int r;

	tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	tc->tcm_parent = TC_H_CLSACT;
	mnl_attr_put_strz(q.nlh, TCA_KIND, "clsact");
	r = rtnl_request_run(&q, NULL, NULL);
	return r < 0 && r != -EEXIST ? err_set(e, r, "gate: clsact: %s", strerror(-r)) : 0;
}

static int filter_put(uint32_t ifindex, uint32_t parent, int prog, const char *name, struct err *e)
{
	struct rtnl_request q;
	struct tcmsg *tc = tc_init(&q, RTM_NEWTFILTER, NLM_F_CREATE, ifindex);
	struct nlattr *options;
	int r;

	tc->tcm_handle = FILTER_HANDLE;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, parent);
	tc->tcm_info = FILTER_INFO;
	mnl_attr_put_strz(q.nlh, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(q.nlh, TCA_OPTIONS);
	mnl_attr_put_u32(q.nlh, TCA_BPF_FD, (uint32_t)prog);
	mnl_attr_put_strz(q.nlh, TCA_BPF_NAME, name);
	mnl_attr_put_u32(q.nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(q.nlh, options);
	r = rtnl_request_run(&q, NULL, NULL);
	return r < 0 ? err_set(e, r, "gate: filter %s: %s", name, strerror(-r)) : 0;
}

int gate_attach_tunnel(const struct gate *g, uint32_t ifindex, struct err *e)
{
	int r = clsact_add(ifindex, e);

	if (r == 0)
		r = filter_put(ifindex, TC_H_MIN_INGRESS, g->in, "sluice_in", e);
	return r == 0 ? filter_put(ifindex, TC_H_MIN_EGRESS, g->to_tunnel, "sluice_tunnel", e) : r;
}

int gate_attach_other(const struct gate *g, uint32_t ifindex, struct err *e)
{
	int r = clsact_add(ifindex, e);

	return r == 0 ? filter_put(ifindex, TC_H_MIN_EGRESS, g->to_others, "sluice_others", e) : r;
}

/* 0 where there is none: no clsact (-EINVAL), no filter of that kind, priority or handle (-ENOENT). */
static int filter_take(uint32_t ifindex, uint32_t parent, struct err *e)
{
	struct rtnl_request q;
	struct tcmsg *tc = tc_init(&q, RTM_DELTFILTER, 0, ifindex);
	int r;

	tc->tcm_handle = FILTER_HANDLE;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, parent);
	tc->tcm_info = FILTER_INFO;
	mnl_attr_put_strz(q.nlh, TCA_KIND, "bpf");
	r = rtnl_request_run(&q, NULL, NULL);
	if (r == 0 || r == -ENOENT || r == -EINVAL || r == -EOPNOTSUPP)
		return 0;
	return err_set(e, r, "gate: take a filter away: %s", strerror(-r));
}

int gate_detach(uint32_t ifindex, struct err *e)
{
	int r = filter_take(ifindex, TC_H_MIN_INGRESS, e);

	return r == 0 ? filter_take(ifindex, TC_H_MIN_EGRESS, e) : r;
}

static int on_filter(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type == RTM_NEWTFILTER && tc->tcm_handle == FILTER_HANDLE && tc->tcm_info == FILTER_INFO)
		*(bool *)arg = true;
	return MNL_CB_OK;
}

bool gate_is_closed(uint32_t ifindex)
{
	struct rtnl_request q;
	struct tcmsg *tc;
	bool found = false;

	rtnl_request_init(&q, RTM_GETTFILTER, NLM_F_DUMP);
	tc = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	return rtnl_request_run(&q, on_filter, &found) == 0 && found;
}
