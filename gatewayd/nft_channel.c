/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: sending and answers. nfnetlink works in the context of sendmsg(): when it returns, every answer is in our queue
 * already, except the later parts of a dump, which follow as we read. So a send is followed by reading until the
 * acknowledgement of the last message, with no wait that another process could prolong.
 *
 * Invariants: sequence numbers only grow; answers of earlier requests (an error after which we stopped to read) are
 * dropped by their number; an error is never read as success, nor silence.
 *
 * Source: linux net/netfilter/nfnetlink.c; net/netlink/af_netlink.c, netlink_ack(). */
#include "gatewayd/nft_channel.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "gatewayd/nft_dump.h"
#include "gatewayd/nft_encode.h"
#include "gatewayd/nft_fill.h"
#include "sluice/drop.h"
#include "sluice/plan.h"

/* Answers of a batch in which every element is refused, with room: beyond it the kernel drops answers, we report that
 * too. */
#define RCVBUF_BYTES (4 << 20)
#define SNDBUF_BYTES (1 << 20) /* at the start; grown to the batch */
/* One answer: dumps come in pieces of up to 32 KiB (NLMSG_GOODSIZE, more for readers with large buffers). */
#define ANSWER_BYTES (64u << 10)
/* The kernel answers during the send: this is for the case that it does not. */
#define ANSWER_WAIT_MS 2000

struct nft_channel {
	int fd;
	uint32_t seq;
	uint32_t portid;
	uint32_t chunk;
	int sndbuf;
	bool dirty;   /* answers of an earlier request may still come */
	bool overrun; /* the kernel had no room for one of this request: what is not in the queue was lost */
	struct nft_features features;
	_Alignas(8) uint8_t answer[ANSWER_BYTES];
};

/* SO_*BUFFORCE goes beyond the administrator's maximum and needs CAP_NET_ADMIN. */
static void buffer_grow(int fd, int force, int plain, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)) == -1)
		(void)setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

int nft_channel_open(struct nft_channel **ret, struct err *e)
{
	CLEANUP(nft_channel_freep) struct nft_channel *ch = calloc(1, sizeof(*ch));
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(addr);
	int on = 1;

	if (ch == NULL)
		return err_set(e, -ENOMEM, "nft channel");
	ch->seq = 1;
	ch->chunk = NFT_CHUNK_ELEMS;
	ch->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (ch->fd == -1)
		return err_set(e, -errno, "open nfnetlink: %s", strerror(errno));
	if (bind(ch->fd, (struct sockaddr *)&addr, len) == -1 ||
	    getsockname(ch->fd, (struct sockaddr *)&addr, &len) == -1)
		return err_set(e, -errno, "bind nfnetlink: %s", strerror(errno));
	ch->portid = addr.nl_pid;
	/* Which attribute was wrong, and errors without a copy of the message. Kernels without either still answer. */
	(void)setsockopt(ch->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(ch->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	buffer_grow(ch->fd, SO_RCVBUFFORCE, SO_RCVBUF, RCVBUF_BYTES);
	buffer_grow(ch->fd, SO_SNDBUFFORCE, SO_SNDBUF, SNDBUF_BYTES);
	ch->sndbuf = SNDBUF_BYTES;
	*ret = TAKE(ch);
	return 0;
}

struct nft_channel *nft_channel_free(struct nft_channel *ch)
{
	if (ch != NULL)
		fd_closep(&ch->fd);
	free(ch);
	return NULL;
}

void nft_channel_freep(struct nft_channel **ch)
{
	*ch = nft_channel_free(*ch);
}

void nft_channel_disown(struct nft_channel *ch)
{
	ch->features.owner = false;
}

const struct nft_features *nft_channel_features(const struct nft_channel *ch)
{
	return &ch->features;
}

uint32_t nft_channel_chunk(const struct nft_channel *ch)
{
	return ch->chunk;
}

void nft_channel_set_chunk(struct nft_channel *ch, uint32_t n)
{
	ch->chunk = n;
}

uint32_t nft_channel_portid(const struct nft_channel *ch)
{
	return ch->portid;
}

int nft_channel_batch(struct nft_channel *ch, uint32_t genid, struct nft_batch **ret, struct err *e)
{
	return nft_batch_new(ch->seq, genid, ret, e);
}

static int send_bytes(struct nft_channel *ch, const void *bytes, size_t len, struct err *e)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t n;

	/* netlink_sendmsg() wants the whole message below the limit. */
	if (len + 4096 > (size_t)ch->sndbuf) {
		ch->sndbuf = (int)(len + 4096);
		buffer_grow(ch->fd, SO_SNDBUFFORCE, SO_SNDBUF, ch->sndbuf);
	}
	do
		n = sendto(ch->fd, bytes, len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return err_set(e, -errno, "send %zu bytes to nfnetlink: %s", len, strerror(errno));
	return 0;
}

/* The next piece of answers into ch->answer; *ret_len its length. Only what the kernel itself sent counts. */
static int read_answer(struct nft_channel *ch, size_t *ret_len, struct err *e)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec iov = { .iov_base = ch->answer, .iov_len = sizeof(ch->answer) };
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
		struct pollfd p = { .fd = ch->fd, .events = POLLIN };
		ssize_t n = recvmsg(ch->fd, &m, MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		/* Said once; those that had room before are still there, and may be all that is asked for. */
		if (n == -1 && errno == ENOBUFS && !ch->overrun) {
			ch->overrun = true;
			continue;
		}
		if (n == -1 && errno == EAGAIN && ch->overrun)
			return err_set(e, -ENOBUFS, "nfnetlink: answers were lost");
		if (n == -1 && errno == EAGAIN) {
			if (poll(&p, 1, ANSWER_WAIT_MS) == 0)
				return err_set(e, -EIO, "nfnetlink: no acknowledgement");
			continue;
		}
		if (n == -1)
			return err_set(e, -errno, "read nfnetlink: %s", strerror(errno));
		if ((m.msg_flags & MSG_TRUNC) != 0)
			return err_set(e, -EBADMSG, "nfnetlink: answer is longer than %u bytes", ANSWER_BYTES);
		if (from.nl_pid != 0)
			continue;
		*ret_len = (size_t)n;
		return 0;
	}
}

/* The offset of the attribute at fault, from the attributes behind an error. */
static uint32_t refused_attr(const struct nlmsghdr *nlh)
{
	size_t offset = sizeof(struct nlmsgerr);
	struct nlattr *attr;

	if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) == 0 || (nlh->nlmsg_flags & NLM_F_CAPPED) == 0)
		return 0;
	mnl_attr_for_each(attr, nlh, (unsigned int)offset)
	{
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS && mnl_attr_get_payload_len(attr) == 4)
			return mnl_attr_get_u32(attr);
	}
	return 0;
}

/* What a batch's answers amount to. */
struct outcome {
	uint32_t first, last; /* sequence numbers of the batch */
	bool acknowledged;
	int code; /* of the first refusal */
	struct nft_refusal refusal;
};

static void outcome_note(struct outcome *o, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*answer) ||
	    nlh->nlmsg_seq - o->first > o->last - o->first)
		return;
	if (answer->error == 0) {
		o->acknowledged = o->acknowledged || nlh->nlmsg_seq == o->last;
		return;
	}
	if (o->code != 0)
		return;
	o->code = answer->error;
	o->refusal.seq = nlh->nlmsg_seq == o->first ? 0 : nlh->nlmsg_seq;
	o->refusal.attr_offs = refused_attr(nlh);
}

/* What an unsuccessful request left in the queue: it must not be met by the next one. */
static void drain(struct nft_channel *ch)
{
	ch->overrun = false;
	if (!ch->dirty)
		return;
	ch->dirty = false;
	while (recv(ch->fd, ch->answer, sizeof(ch->answer), MSG_DONTWAIT) >= 0 || errno == EINTR || errno == ENOBUFS)
		;
}

static int read_outcome(struct nft_channel *ch, struct outcome *o, struct err *e)
{
	while (!o->acknowledged && o->code == 0) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)ch->answer;
		size_t n;
		int len, r = read_answer(ch, &n, e);

		if (r < 0)
			return r;
		for (len = (int)n; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
			outcome_note(o, nlh);
	}
	return 0;
}

int nft_channel_send(struct nft_channel *ch, const struct nft_batch *b, bool dry, struct nft_refusal *ret_refusal,
		     struct err *e)
{
	struct outcome o = { .first = nft_batch_first_seq(b), .last = nft_batch_last_seq(b) };
	char place[160];
	const void *bytes;
	size_t len;
	int r;

	if (nft_batch_count(b) == 0)
		return 0;
	drain(ch);
	/* The number of the end message is used up, too. */
	ch->seq = o.last + 2;
	bytes = nft_batch_bytes(b, dry, &len);
	r = send_bytes(ch, bytes, len, e);
	if (r < 0)
		return r;
	/* A commit that fails after every message was accepted is reported at the begin message, before the
	 * acknowledgement; so nothing follows that. */
	r = read_outcome(ch, &o, e);
	ch->dirty = r < 0 || o.code != 0;
	if (r < 0 || o.code == 0)
		return r;
	if (ret_refusal != NULL)
		*ret_refusal = o.refusal;
	if (o.code == -ERESTART)
		return err_set(e, -ESTALE, "the kernel's ruleset has changed meanwhile");
	return err_set(e, o.code, "%s: %s",
		       nft_batch_place(b, o.refusal.seq != 0 ? o.refusal.seq : o.first, o.refusal.attr_offs, place,
				       sizeof(place)),
		       strerror(-o.code));
}

/* Messages of one piece for the request with this number. 1: the answer is complete. */
static int request_piece(struct nft_channel *ch, size_t n, uint32_t seq, bool *interrupted, nft_msg_fn fn, void *arg)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)ch->answer;
	int len, r;

	for (len = (int)n; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_seq != seq)
			continue;
		*interrupted = *interrupted || (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 1;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

			if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*answer))
				return -EBADMSG;
			return answer->error != 0 ? answer->error : 1;
		}
		r = fn != NULL ? fn(arg, nlh) : 0;
		if (r != 0)
			return r < 0 ? r : -ECANCELED;
	}
	return 0;
}

int nft_channel_request(struct nft_channel *ch, struct nlmsghdr *req, nft_msg_fn fn, void *arg, struct err *e)
{
	bool interrupted = false;
	size_t n;
	int r;

	drain(ch);
	req->nlmsg_seq = ch->seq++;
	req->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	r = send_bytes(ch, req, req->nlmsg_len, e);
	if (r < 0)
		return r;
	do {
		r = read_answer(ch, &n, e);
		ch->dirty = r < 0;
		if (r < 0)
			return r;
		r = request_piece(ch, n, req->nlmsg_seq, &interrupted, fn, arg);
	} while (r == 0);
	ch->dirty = r < 0;
	if (r < 0)
		return err_set(e, r, "nfnetlink request: %s", strerror(-r));
	/* A part of a dump that had no room is gone without a trace but this. */
	return interrupted || ch->overrun ? err_set(e, -EINTR, "nfnetlink dump: interrupted") : 0;
}

static int genid_msg(void *arg, const struct nlmsghdr *nlh)
{
	struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_get_payload_len(attr) == 4)
			*(uint32_t *)arg = ntohl(mnl_attr_get_u32(attr));
	}
	return 0;
}

int nft_channel_genid(struct nft_channel *ch, uint32_t *ret, struct err *e)
{
	_Alignas(8) char buf[64];
	uint32_t genid = 0;
	struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *gen;
	int r;

	req->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
	gen = mnl_nlmsg_put_extra_header(req, sizeof(*gen));
	gen->nfgen_family = AF_UNSPEC;
	r = nft_channel_request(ch, req, genid_msg, &genid, e);
	if (r == 0)
		*ret = genid;
	return r;
}

/* The scratch table of the probes. */
#define PROBE_TABLE "sluice_probe"

static int probe_send(struct nft_channel *ch, void (*fill)(struct nft_batch *b), struct err *e)
{
	CLEANUP(nft_batch_freep) struct nft_batch *b = NULL;
	int r = nft_channel_batch(ch, 0, &b, e);

	if (r < 0)
		return r;
	nft_batch_set_table(b, PROBE_TABLE);
	fill(b);
	r = nft_batch_finish(b, e);
	return r < 0 ? r : nft_channel_send(ch, b, false, NULL, e);
}

static void probe_owner(struct nft_batch *b)
{
	nft_put_table(b, NFT_TABLE_F_OWNER | NFT_TABLE_PERSIST);
}

/* Without nfnetlink_log a rule that logs is refused, and with it the batch that it is in. */
static void probe_log(struct nft_batch *b)
{
	static const struct nft_stmt stmt = { .kind = NFT_S_LOG, .value = DROP_NFLOG_GROUP, .prefix = "probe" };
	static const struct nft_rule rule = { .stmts = &stmt, .n_stmts = 1 };
	static const struct nft_chain chain = { .name = "probe", .rules = &rule, .n_rules = 1 };

	nft_put_table(b, 0);
	nft_put_chain(b, &chain);
	nft_put_rules(b, &chain);
}

/* The set of the second probe: named like that of resolve-first, so that leases go there. */
static void probe_set(struct nft_batch *b)
{
	static const struct nft_set set = {
		.name = "seen4",
		.fields = { NFT_F_IP_SADDR, NFT_F_IP_DADDR },
		.n_fields = 2,
		.timeout = true,
	};
	struct lease_op op = {
		.client = { .family = IP_V4, .bytes = { 192, 0, 2, 1 } },
		.lease = { .addr = { .family = IP_V4, .bytes = { 192, 0, 2, 2 } }, .mark = LEARN_SEEN },
	};

	nft_put_table(b, 0);
	nft_put_set(b, &set, 1);
	op.lease.expires_us = 10u * 1000000u;
	nft_put_leases(b, &op, 1, 0, true);
}

/* Re-add with a longer timeout. */
static void probe_update(struct nft_batch *b)
{
	struct lease_op op = {
		.client = { .family = IP_V4, .bytes = { 192, 0, 2, 1 } },
		.lease = { .addr = { .family = IP_V4, .bytes = { 192, 0, 2, 2 } }, .mark = LEARN_SEEN },
	};

	op.lease.expires_us = 1000u * 1000000u;
	nft_put_leases(b, &op, 1, 0, true);
}

int nft_channel_probe(struct nft_channel *ch, struct err *e)
{
	struct nft_features found = { 0 };
	uint64_t left_ms = 0;
	int r;

	/* A scratch table that a killed predecessor left. */
	(void)probe_send(ch, nft_del_table, NULL);
	found.owner = probe_send(ch, probe_owner, NULL) == 0;
	if (found.owner)
		(void)probe_send(ch, nft_del_table, NULL);
	found.log = probe_send(ch, probe_log, NULL) == 0;
	if (found.log)
		(void)probe_send(ch, nft_del_table, NULL);
	r = probe_send(ch, probe_set, e);
	if (r < 0)
		return r;
	r = probe_send(ch, probe_update, e);
	if (r == 0)
		r = nft_dump_first_left(ch, PROBE_TABLE, "seen4", &left_ms, e);
	(void)probe_send(ch, nft_del_table, NULL);
	if (r < 0)
		return r;
	found.elem_update = left_ms > 500u * 1000u;
	ch->features = found;
	return 0;
}
