/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: two sockets: one reads the table piece by piece, both families in one walk, the other deletes what the reader's
 * callback does not want, while the reading goes on. The kernel allows that: a dump that does not find the entry where
 * it stopped begins that bucket again. A deletion names the tuple as the kernel has sent it, its zone and the entry's
 * id, so that a new flow with the same tuple is not hit.
 *
 * Messages are read with libmnl and not through libnetfilter_conntrack's objects: of some thirty attributes eight count
 * here, a deletion takes three of them as they came, and a table of 100,000 flows is read while learning waits. The
 * library also goes on silently over an answer that is marked as interrupted.
 *
 * Source: linux net/netfilter/nf_conntrack_netlink.c, ctnetlink_dump_table(), ctnetlink_del_conntrack(). */
#include "gatewayd/conntrack.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Some tens of thousands of events of about 200 bytes: what comes in while a recorder is busy for a second. */
#define EVENTS_RCVBUF_BYTES (16 << 20)
/* The kernel fills what a reader has offered, up to 32 KiB (af_netlink.c): more than a hundred entries a call. */
#define READ_BYTES (64u << 10)
/* A dump that stands still for so long has lost its end. */
#define ANSWER_TIMEOUT_S 5

struct conntrack {
	struct mnl_socket *reader, *cutter;
	uint32_t seq;
	char buf[READ_BYTES];
};

struct conntrack *conntrack_free(struct conntrack *ct)
{
	if (ct != NULL && ct->reader != NULL)
		(void)mnl_socket_close(ct->reader);
	if (ct != NULL && ct->cutter != NULL)
		(void)mnl_socket_close(ct->cutter);
	free(ct);
	return NULL;
}

void conntrack_freep(struct conntrack **ct)
{
	*ct = conntrack_free(*ct);
}

static int socket_open(struct mnl_socket **ret, struct err *e)
{
	const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (s == NULL)
		return err_set(e, -errno, "open conntrack: %s", strerror(errno));
	*ret = s;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == -1 ||
	    setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == -1)
		return err_set(e, -errno, "conntrack socket: %s", strerror(errno));
	return 0;
}

int conntrack_open(struct conntrack **ret, struct err *e)
{
	CLEANUP(conntrack_freep) struct conntrack *ct = calloc(1, sizeof(*ct));
	int r;

	if (ct == NULL)
		return err_set(e, -ENOMEM, "conntrack");
	r = socket_open(&ct->reader, e);
	if (r == 0)
		r = socket_open(&ct->cutter, e);
	if (r < 0)
		return r;
	*ret = TAKE(ct);
	return 0;
}

/* The attributes of one level by their numbers; those beyond @max are newer than we are. */
struct attrs {
	const struct nlattr *at[CTA_MAX + 1];
};

static int attr_note(const struct nlattr *a, void *data)
{
	struct attrs *attrs = data;

	if (mnl_attr_get_type(a) < ARRAY_LEN(attrs->at))
		attrs->at[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static struct attrs nested(const struct nlattr *a)
{
	struct attrs ret = { 0 };

	if (a != NULL)
		(void)mnl_attr_parse_nested(a, attr_note, &ret);
	return ret;
}

static uint32_t u32_of(const struct nlattr *a)
{
	return a != NULL && mnl_attr_get_payload_len(a) >= 4 ? ntohl(mnl_attr_get_u32(a)) : 0;
}

static uint16_t u16_of(const struct nlattr *a)
{
	return a != NULL && mnl_attr_get_payload_len(a) >= 2 ? ntohs(mnl_attr_get_u16(a)) : 0;
}

static uint8_t u8_of(const struct nlattr *a)
{
	return a != NULL && mnl_attr_get_payload_len(a) >= 1 ? mnl_attr_get_u8(a) : 0;
}

static struct ip_addr addr_of(const struct nlattr *v4, const struct nlattr *v6)
{
	const struct nlattr *a = v4 != NULL ? v4 : v6;
	size_t len = v4 != NULL ? 4 : 16;

	return a != NULL && mnl_attr_get_payload_len(a) == len ? ip_addr_from_bytes(mnl_attr_get_payload(a), len)
							       : (struct ip_addr){ 0 };
}

static struct ct_tuple tuple_of(const struct nlattr *a)
{
	const struct attrs tuple = nested(a);
	const struct attrs ip = nested(tuple.at[CTA_TUPLE_IP]), proto = nested(tuple.at[CTA_TUPLE_PROTO]);

	return (struct ct_tuple){
		.src = addr_of(ip.at[CTA_IP_V4_SRC], ip.at[CTA_IP_V6_SRC]),
		.dst = addr_of(ip.at[CTA_IP_V4_DST], ip.at[CTA_IP_V6_DST]),
		.proto = u8_of(proto.at[CTA_PROTO_NUM]),
		.sport = u16_of(proto.at[CTA_PROTO_SRC_PORT]),
		.dport = u16_of(proto.at[CTA_PROTO_DST_PORT]),
	};
}

/* False: a family that is not ours. */
static bool flow_read(const struct attrs *entry, struct ct_flow *ret)
{
	const struct ct_tuple orig = tuple_of(entry->at[CTA_TUPLE_ORIG]);
	const struct attrs info = nested(entry->at[CTA_PROTOINFO]), tcp = nested(info.at[CTA_PROTOINFO_TCP]);
	struct ct_flow f = {
		.src = orig.src,
		.dst = orig.dst,
		.proto = orig.proto,
		.sport = orig.sport,
		.dport = orig.dport,
		.mark = u32_of(entry->at[CTA_MARK]),
		.status = u32_of(entry->at[CTA_STATUS]),
		.tcp_state = u8_of(tcp.at[CTA_PROTOINFO_TCP_STATE]),
	};

	if (f.status & IPS_DST_NAT) {
		const struct ct_tuple reply = tuple_of(entry->at[CTA_TUPLE_REPLY]);

		f.dst = reply.src;
		f.dport = reply.sport;
	}
	if (entry->at[CTA_TUPLE_MASTER] != NULL)
		f.master = tuple_of(entry->at[CTA_TUPLE_MASTER]);
	*ret = f;
	return f.src.family != IP_NONE && f.dst.family != IP_NONE;
}

static struct nlmsghdr *request(struct conntrack *ct, char *buf, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++ct->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* The code of an NLMSG_ERROR or NLMSG_DONE; 0 is success. */
static int code_of(const struct nlmsghdr *nlh)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
	return code < 0 ? code : 0;
}

/* One entry, as it came. 0, or why it may still be there. */
static int entry_delete(struct conntrack *ct, uint8_t family, const struct attrs *entry)
{
	static const uint16_t names[] = { CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID };
	char buf[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = request(ct, buf, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, family);
	uint32_t seq = nlh->nlmsg_seq;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct nlattr *a = entry->at[names[i]];
		uint16_t nest = names[i] == CTA_TUPLE_ORIG ? NLA_F_NESTED : 0;

		if (a != NULL && !mnl_attr_put_check(nlh, sizeof(buf), names[i] | nest, mnl_attr_get_payload_len(a),
						     mnl_attr_get_payload(a)))
			return -E2BIG;
	}
	if (mnl_socket_sendto(ct->cutter, nlh, nlh->nlmsg_len) == -1)
		return -errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(ct->cutter, buf, sizeof(buf));

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		nlh = (struct nlmsghdr *)buf;
		if (mnl_nlmsg_ok(nlh, (int)n) && nlh->nlmsg_seq == seq && nlh->nlmsg_type == NLMSG_ERROR)
			return code_of(nlh);
	}
}

struct walk {
	struct conntrack *ct;
	enum ct_next (*fn)(void *arg, const struct ct_flow *flow);
	void *arg;
	uint32_t cut;
	bool stopped, interrupted, done;
	int err; /* the first of a deletion, or of the dump */
};

static void walk_entry(struct walk *w, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	struct attrs entry = { 0 };
	struct ct_flow flow;
	enum ct_next next;
	int r;

	if (w->stopped || mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg))
		return;
	(void)mnl_attr_parse(nlh, sizeof(*nfg), attr_note, &entry);
	if (!flow_read(&entry, &flow))
		return;
	next = w->fn(w->arg, &flow);
	if (next == CT_STOP)
		w->stopped = true;
	if (next != CT_CUT)
		return;
	r = entry_delete(w->ct, nfg->nfgen_family, &entry);
	if (r == 0)
		w->cut++;
	else if (r != -ENOENT && w->err == 0) /* ENOENT: it has ended meanwhile */
		w->err = r;
}

static void walk_piece(struct walk *w, uint32_t seq, size_t len)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)w->ct->buf;
	int left = (int)len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		/* What is left of a walk that was given up. */
		if (nlh->nlmsg_seq != seq)
			continue;
		w->interrupted = w->interrupted || (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
			w->done = true;
			w->err = w->err != 0 ? w->err : code_of(nlh);
		} else {
			walk_entry(w, nlh);
		}
	}
}

/* To its end in any case: the rest of a dump would be met by the next. */
static int walk_read(struct walk *w, uint32_t seq)
{
	while (!w->done) {
		ssize_t n = mnl_socket_recvfrom(w->ct->reader, w->ct->buf, sizeof(w->ct->buf));

		if (n > 0)
			walk_piece(w, seq, (size_t)n);
		else if (n == -1 && (errno == ENOBUFS || errno == ENOSPC)) /* a piece is lost */
			w->interrupted = true;
		else if (n == -1 && errno != EINTR)
			return -errno;
	}
	return 0;
}

int conntrack_each(struct conntrack *ct, enum ct_next (*fn)(void *arg, const struct ct_flow *flow), void *arg,
		   uint32_t *ret_cut, struct err *e)
{
	struct walk w = { .ct = ct, .fn = fn, .arg = arg };
	char buf[64] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = request(ct, buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC);
	uint32_t seq = nlh->nlmsg_seq;
	int r = mnl_socket_sendto(ct->reader, nlh, nlh->nlmsg_len) == -1 ? -errno : walk_read(&w, seq);

	if (ret_cut != NULL)
		*ret_cut = w.cut;
	if (r < 0)
		return err_set(e, r, "dump conntrack: %s", strerror(-r));
	if (w.err < 0)
		return err_set(e, w.err, "dump and cut conntrack entries: %s", strerror(-w.err));
	/* Stopped before its end, it was not to see everything anyway. */
	if (w.interrupted && !w.stopped)
		return err_set(e, -EINTR, "dump conntrack: interrupted, entries may have been missed");
	return 0;
}

bool ct_flow_alive(const struct ct_flow *flow)
{
	return flow->proto != IPPROTO_TCP ||
	       (flow->tcp_state >= TCP_CONNTRACK_SYN_RECV && flow->tcp_state <= TCP_CONNTRACK_CLOSE_WAIT);
}

int ct_events_open(int *ret_fd, struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = NF_NETLINK_CONNTRACK_NEW | NF_NETLINK_CONNTRACK_DESTROY,
	};
	int bytes = EVENTS_RCVBUF_BYTES;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (fd == -1)
		return err_set(e, -errno, "open conntrack events: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == -1)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1)
		return err_set(e, -errno, "subscribe to conntrack events: %s", strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}
