/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: the marks are chains at both ends of each hook. Most hold no rule: a traced packet reports every chain that it
 * goes through. The last ones drop the probe just before conntrack would confirm its entry (priority INT_MAX), so that
 * neither the packet nor a connection is left of it; and by the connection as it was before any translation, as a probe
 * that is masqueraded has other addresses by then.
 *
 * Sources: linux net/netfilter/nf_tables_trace.c, nf_tables_api.c (owner), include/uapi/linux/netfilter/nf_tables.h. */
#include "cli/doctor_trace.h"

#include "base/grow.h"
#include "gatewayd/nft_channel.h"
#include "gatewayd/nft_encode.h"
#include "sluice/prog.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/trace.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#define CHAIN_ANSWERS "answers"
#define TRACE_IDLE_MS 250 /* messages are made while the packet is on its way, which takes microseconds */
#define TRACE_BYTES   (64u << 10)

struct tracer {
	struct nft_channel *ch;
	int traces; /* subscribed to NFNLGRP_NFTRACE */
	bool armed, plain;
};

/* A rule being made; errors stick. */
struct rule {
	struct nftnl_rule *r;
	int err;
};

static struct nftnl_expr *expr_add(struct rule *rule, const char *name)
{
	struct nftnl_expr *x = rule->err == 0 ? nftnl_expr_alloc(name) : NULL;

	if (x == NULL)
		rule->err = -ENOMEM;
	else
		nftnl_rule_add_expr(rule->r, x);
	return x;
}

static void u32_set(struct nftnl_expr *x, uint16_t attr, uint32_t v)
{
	if (x != NULL)
		nftnl_expr_set_u32(x, attr, v);
}

static void put_equal(struct rule *rule, const void *data, uint32_t len)
{
	struct nftnl_expr *x = expr_add(rule, "cmp");

	u32_set(x, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	u32_set(x, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	if (x != NULL && nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, data, len) < 0)
		rule->err = -ENOMEM;
}

static void put_meta_equal(struct rule *rule, uint32_t key, uint8_t value)
{
	struct nftnl_expr *x = expr_add(rule, "meta");

	u32_set(x, NFTNL_EXPR_META_KEY, key);
	u32_set(x, NFTNL_EXPR_META_DREG, NFT_REG_1);
	put_equal(rule, &value, sizeof(value));
}

static void put_payload_equal(struct rule *rule, uint32_t base, uint32_t offset, const void *data, uint32_t len)
{
	struct nftnl_expr *x = expr_add(rule, "payload");

	u32_set(x, NFTNL_EXPR_PAYLOAD_BASE, base);
	u32_set(x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	u32_set(x, NFTNL_EXPR_PAYLOAD_LEN, len);
	u32_set(x, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	put_equal(rule, data, len);
}

static void put_ct_equal(struct rule *rule, uint32_t key, const void *data, uint32_t len)
{
	struct nftnl_expr *x = expr_add(rule, "ct");

	u32_set(x, NFTNL_EXPR_CT_KEY, key);
	u32_set(x, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	if (x != NULL)
		nftnl_expr_set_u8(x, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
	put_equal(rule, data, len);
}

static void put_drop(struct rule *rule)
{
	struct nftnl_expr *x = expr_add(rule, "immediate");

	u32_set(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	u32_set(x, NFTNL_EXPR_IMM_VERDICT, NF_DROP);
}

static void put_trace_on(struct rule *rule)
{
	static const uint8_t on = 1;
	struct nftnl_expr *x = expr_add(rule, "immediate");

	u32_set(x, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	if (x != NULL && nftnl_expr_set(x, NFTNL_EXPR_IMM_DATA, &on, sizeof(on)) < 0)
		rule->err = -ENOMEM;
	x = expr_add(rule, "meta");
	u32_set(x, NFTNL_EXPR_META_KEY, NFT_META_NFTRACE);
	u32_set(x, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

static void put_family(struct rule *rule, const struct probe_packet *p)
{
	put_meta_equal(rule, NFT_META_NFPROTO, p->src.family == IP_V4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

static void put_addr(struct rule *rule, bool source, const struct ip_addr *a)
{
	uint32_t offset = a->family == IP_V4 ? (source ? 12 : 16) : (source ? 8 : 24);

	put_payload_equal(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, a->bytes, ip_addr_len(a));
}

static void put_tuple(struct rule *rule, const struct probe_packet *p)
{
	uint16_t sport = htons(p->sport), dport = htons(p->dport);

	put_family(rule, p);
	put_addr(rule, true, &p->src);
	put_addr(rule, false, &p->dst);
	put_meta_equal(rule, NFT_META_L4PROTO, p->proto);
	put_payload_equal(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, &sport, sizeof(sport));
	put_payload_equal(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, &dport, sizeof(dport));
}

static void put_original(struct rule *rule, const struct probe_packet *p)
{
	bool v4 = p->src.family == IP_V4;
	uint16_t sport = htons(p->sport), dport = htons(p->dport);

	put_family(rule, p);
	put_ct_equal(rule, v4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6, p->src.bytes, ip_addr_len(&p->src));
	put_ct_equal(rule, v4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6, p->dst.bytes, ip_addr_len(&p->dst));
	put_meta_equal(rule, NFT_META_L4PROTO, p->proto);
	put_ct_equal(rule, NFT_CT_PROTO_SRC, &sport, sizeof(sport));
	put_ct_equal(rule, NFT_CT_PROTO_DST, &dport, sizeof(dport));
}

/* A reset. */
static void put_answer(struct rule *rule, const struct probe_packet *p)
{
	uint16_t sport = htons(p->dport), dport = htons(p->sport);

	put_family(rule, p);
	put_addr(rule, false, &p->src);
	put_meta_equal(rule, NFT_META_L4PROTO, p->proto);
	put_payload_equal(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, &sport, sizeof(sport));
	put_payload_equal(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, &dport, sizeof(dport));
}

/* "Unreachable", whatever of: for the few milliseconds that the table stands. */
static void put_unreachable(struct rule *rule, const struct probe_packet *p)
{
	bool v4 = p->src.family == IP_V4;
	uint8_t type = v4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;

	put_family(rule, p);
	put_addr(rule, false, &p->src);
	put_meta_equal(rule, NFT_META_L4PROTO, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	put_payload_equal(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, &type, sizeof(type));
}

static void rule_add(struct nft_batch *b, const char *chain, const struct probe_packet *p,
		     void (*match)(struct rule *rule, const struct probe_packet *p), void (*then)(struct rule *rule))
{
	struct rule rule = { .r = nftnl_rule_alloc() };
	struct nlmsghdr *nlh;

	if (rule.r == NULL) {
		nft_batch_fail(b, -ENOMEM);
		return;
	}
	nftnl_rule_set_str(rule.r, NFTNL_RULE_TABLE, DOCTOR_TABLE);
	nftnl_rule_set_str(rule.r, NFTNL_RULE_CHAIN, chain);
	match(&rule, p);
	then(&rule);
	if (rule.err < 0)
		nft_batch_fail(b, rule.err);
	nlh = nft_batch_open(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
			     (struct nft_about){ .subject = NFT_ABOUT_RULE, .name = chain });
	if (nlh != NULL) {
		nftnl_rule_nlmsg_build_payload(nlh, rule.r);
		nft_batch_close(b);
	}
	nftnl_rule_free(rule.r);
}

static void chain_add(struct nft_batch *b, const char *name, uint32_t hook, int32_t priority)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *nlh;

	if (c == NULL) {
		nft_batch_fail(b, -ENOMEM);
		return;
	}
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, DOCTOR_TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	nlh = nft_batch_open(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL,
			     (struct nft_about){ .subject = NFT_ABOUT_CHAIN, .name = name });
	if (nlh != NULL) {
		nftnl_chain_nlmsg_build_payload(nlh, c);
		nft_batch_close(b);
	}
	nftnl_chain_free(c);
}

/* Deleting what is not there is an error; making what is there is none. */
static void table_renew(struct nft_batch *b, uint32_t flags)
{
	struct nlmsghdr *nlh = nft_batch_open(b, NFT_MSG_NEWTABLE, NLM_F_CREATE,
					      (struct nft_about){ .subject = NFT_ABOUT_TABLE, .name = DOCTOR_TABLE });

	if (nlh == NULL)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, DOCTOR_TABLE);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
	nft_batch_close(b);
	nft_del_table(b);
}

static void table_put(struct nft_batch *b, const struct probe_packet *p, uint32_t flags)
{
	static const struct {
		enum stage stage;
		uint32_t hook;
		int32_t priority;
	} marks[] = {
		{ STAGE_ENTER, NF_INET_PRE_ROUTING, INT_MIN + 1 },
		{ STAGE_ROUTING, NF_INET_PRE_ROUTING, INT_MAX - 1 },
		{ STAGE_FORWARD_IN, NF_INET_FORWARD, INT_MIN + 1 },
		{ STAGE_FORWARD_OUT, NF_INET_FORWARD, INT_MAX - 1 },
		{ STAGE_INPUT_IN, NF_INET_LOCAL_IN, INT_MIN + 1 },
		{ STAGE_INPUT_OUT, NF_INET_LOCAL_IN, INT_MAX - 1 },
		{ STAGE_POST_IN, NF_INET_POST_ROUTING, INT_MIN + 1 },
		{ STAGE_POST_OUT, NF_INET_POST_ROUTING, INT_MAX - 1 },
	};
	static const enum stage ends[] = { STAGE_INPUT_OUT, STAGE_POST_OUT };

	nft_put_table(b, flags);
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		chain_add(b, stage_name(marks[i].stage), marks[i].hook, marks[i].priority);
	chain_add(b, CHAIN_ANSWERS, NF_INET_LOCAL_OUT, INT_MAX - 1);
	rule_add(b, stage_name(STAGE_ENTER), p, put_tuple, put_trace_on);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		rule_add(b, stage_name(ends[i]), p, put_tuple, put_drop);
		if (!p->answer)
			rule_add(b, stage_name(ends[i]), p, put_original, put_drop);
	}
	rule_add(b, CHAIN_ANSWERS, p, put_answer, put_drop);
	rule_add(b, CHAIN_ANSWERS, p, put_unreachable, put_drop);
}

/* @p NULL: the table only goes. */
static int table_send(struct tracer *t, const struct probe_packet *p, struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	uint32_t flags = t->plain ? 0 : NFT_TABLE_F_OWNER;
	int r = nft_channel_batch(t->ch, 0, &b, e);

	if (r < 0)
		return r;
	nft_batch_set_table(b, DOCTOR_TABLE);
	if (t->armed)
		nft_del_table(b);
	else
		table_renew(b, flags);
	if (p != NULL)
		table_put(b, p, flags);
	r = nft_batch_finish(b, e);
	if (r == 0)
		r = nft_channel_send(t->ch, b, false, NULL, e);
	if (r == 0)
		t->armed = p != NULL;
	return r;
}

/* What is still to be read is about packets of before. */
static void traces_drain(struct tracer *t)
{
	_Alignas(8) char buf[TRACE_BYTES];

	while (recv(t->traces, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR)
		;
}

int tracer_arm(struct tracer *t, const struct probe_packet *p, struct err *e)
{
	int r = table_send(t, p, e);

	traces_drain(t);
	return r;
}

void tracer_disarm(struct tracer *t)
{
	if (t->armed)
		(void)table_send(t, NULL, NULL);
}

int tracer_new(struct tracer **ret, struct err *e)
{
	CLEANUP(tracer_freep) struct tracer *t = calloc(1, sizeof(*t));
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTRACE;
	int r;

	if (t == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	t->traces = -1;
	r = nft_channel_open(&t->ch, e);
	if (r < 0)
		return r;
	t->traces = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (t->traces == -1 || bind(t->traces, (struct sockaddr *)&sa, sizeof(sa)) == -1 ||
	    setsockopt(t->traces, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == -1)
		return err_set(e, -errno, "subscribe to traces of nf_tables: %s", strerror(errno));
	r = table_send(t, NULL, e);
	/* Kernels before 5.12 know no owner. */
	if (r == -EOPNOTSUPP || r == -EINVAL) {
		t->plain = true;
		r = table_send(t, NULL, e);
	}
	if (r < 0)
		return err_wrap(e, "make table inet " DOCTOR_TABLE);
	*ret = TAKE(t);
	return 0;
}

struct tracer *tracer_free(struct tracer *t)
{
	if (t == NULL)
		return NULL;
	if (t->ch != NULL)
		tracer_disarm(t);
	t->ch = nft_channel_free(t->ch);
	fd_closep(&t->traces);
	free(t);
	return NULL;
}

void tracer_freep(struct tracer **t)
{
	*t = tracer_free(*t);
}

static enum trace_type type_of(uint32_t type)
{
	return type == NFT_TRACETYPE_POLICY ? TRACE_POLICY : type == NFT_TRACETYPE_RULE ? TRACE_RULE : TRACE_RETURN;
}

static void message_add(const struct nlmsghdr *nlh, struct trace *ret)
{
	struct nftnl_trace *nt = nftnl_trace_alloc();
	struct trace_event ev = { 0 };
	uint16_t verdict;

	if (nt == NULL || nftnl_trace_nlmsg_parse(nlh, nt) < 0 || !nftnl_trace_is_set(nt, NFTNL_TRACE_TABLE) ||
	    !nftnl_trace_is_set(nt, NFTNL_TRACE_CHAIN)) {
		nftnl_trace_free(nt);
		return;
	}
	ev.type = type_of(nftnl_trace_get_u32(nt, NFTNL_TRACE_TYPE));
	ev.id = nftnl_trace_get_u32(nt, NFTNL_TRACE_ID);
	ev.family = (uint8_t)nftnl_trace_get_u32(nt, NFTNL_TRACE_FAMILY);
	ev.table = nftnl_trace_get_str(nt, NFTNL_TRACE_TABLE);
	ev.chain = nftnl_trace_get_str(nt, NFTNL_TRACE_CHAIN);
	verdict = ev.type == TRACE_POLICY ? NFTNL_TRACE_POLICY : NFTNL_TRACE_VERDICT;
	if (ev.type == TRACE_RULE)
		ev.handle = nftnl_trace_get_u64(nt, NFTNL_TRACE_RULE_HANDLE);
	if (ev.type != TRACE_RETURN && nftnl_trace_is_set(nt, verdict)) {
		uint32_t code = nftnl_trace_get_u32(nt, verdict);

		ev.drop = (int32_t)code >= 0 && (code & NF_VERDICT_MASK) == NF_DROP;
		ev.accept = code == NF_ACCEPT;
		ev.queue = (int32_t)code >= 0 && (code & NF_VERDICT_MASK) == NF_QUEUE;
	}
	trace_add(ret, &ev);
	nftnl_trace_free(nt);
}

int tracer_read(struct tracer *t, struct trace *ret, struct err *e)
{
	_Alignas(8) char buf[TRACE_BYTES];

	while (!trace_complete(ret)) {
		struct pollfd p = { .fd = t->traces, .events = POLLIN };
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;
		ssize_t n;
		int len;

		if (poll(&p, 1, TRACE_IDLE_MS) == 0)
			return 0;
		n = recv(t->traces, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == -1)
			return err_set(e, -errno, "read traces of nf_tables: %s", strerror(errno));
		for (len = (int)n; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
			if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE))
				message_add(nlh, ret);
	}
	return 0;
}

struct chains {
	struct chain_name *items;
	uint32_t n, room;
	uint32_t hooks;
};

/* Our base chains that every policy has. */
static const char *const our_hooks[] = { "input", "forward", "output", "postrouting" };

static int on_chain(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct chains *all = arg;
	struct chain_name *items = NULL, *item;

	if (c != NULL)
		items = grow_array(all->items, all->n, 1, &all->room, sizeof(*items));
	if (items == NULL) {
		nftnl_chain_free(c);
		return -ENOMEM;
	}
	all->items = items;
	if (nftnl_chain_nlmsg_parse(nlh, c) == 0) {
		item = &items[all->n++];
		*item = (struct chain_name){ .family = (uint8_t)nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY) };
		(void)snprintf(item->table, sizeof(item->table), "%s", nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE));
		(void)snprintf(item->chain, sizeof(item->chain), "%s", nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
		for (size_t i = 0; i < ARRAY_LEN(our_hooks); i++)
			if (item->family == NFPROTO_INET && strcmp(item->table, NFT_TABLE_NAME) == 0 &&
			    strcmp(item->chain, our_hooks[i]) == 0 && nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM))
				all->hooks |= 1u << i;
	}
	nftnl_chain_free(c);
	return 0;
}

static int chains_read(struct tracer *t, struct chains *ret, struct err *e)
{
	_Alignas(8) char buf[256];
	struct nlmsghdr *req = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP, 0);

	return nft_channel_request(t->ch, req, on_chain, ret, e);
}

int tracer_chains(struct tracer *t, struct chain_name **ret, uint32_t *ret_n, struct err *e)
{
	struct chains all = { 0 };
	int r = chains_read(t, &all, e);

	if (r < 0) {
		free(all.items);
		return r;
	}
	*ret = all.items;
	*ret_n = all.n;
	return 0;
}

int tracer_hooks(struct tracer *t, uint32_t *ret, struct err *e)
{
	struct chains all = { 0 };
	int r = chains_read(t, &all, e);

	free(all.items);
	*ret = all.hooks;
	return r;
}

struct nft_channel *tracer_channel(struct tracer *t)
{
	return t->ch;
}
