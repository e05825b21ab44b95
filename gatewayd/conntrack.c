/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: two handles: one reads the table piece by piece, the other deletes what the reader's callback does not want,
 * while the reading goes on. The kernel allows that: a dump holds on to the entry where it stopped. A deletion names
 * the tuple and the entry's id, so that a new flow with the same tuple is not hit.
 *
 * Source: linux net/netfilter/nf_conntrack_netlink.c, ctnetlink_dump_table(), ctnetlink_del_conntrack(). */
#include "gatewayd/conntrack.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netlink.h>
#include <sys/socket.h>

/* Some tens of thousands of events of about 200 bytes: what comes in while a recorder is busy for a second. */
#define EVENTS_RCVBUF_BYTES (16 << 20)

struct conntrack {
	struct nfct_handle *reader, *cutter;
};

struct conntrack *conntrack_free(struct conntrack *ct)
{
	if (ct != NULL && ct->reader != NULL)
		(void)nfct_close(ct->reader);
	if (ct != NULL && ct->cutter != NULL)
		(void)nfct_close(ct->cutter);
	free(ct);
	return NULL;
}

void conntrack_freep(struct conntrack **ct)
{
	*ct = conntrack_free(*ct);
}

static int handle_open(struct nfct_handle **ret, struct err *e)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);

	if (h == NULL)
		return err_set(e, errno != 0 ? -errno : -EIO, "open conntrack: %s", strerror(errno));
	*ret = h;
	if (fcntl(nfct_fd(h), F_SETFD, FD_CLOEXEC) == -1)
		return err_set(e, -errno, "conntrack socket: %s", strerror(errno));
	return 0;
}

int conntrack_open(struct conntrack **ret, struct err *e)
{
	CLEANUP(conntrack_freep) struct conntrack *ct = calloc(1, sizeof(*ct));
	int r;

	if (ct == NULL)
		return err_set(e, -ENOMEM, "conntrack");
	r = handle_open(&ct->reader, e);
	if (r == 0)
		r = handle_open(&ct->cutter, e);
	if (r < 0)
		return r;
	*ret = TAKE(ct);
	return 0;
}

static struct ip_addr addr_get(const struct nf_conntrack *entry, enum nf_conntrack_attr v4, enum nf_conntrack_attr v6,
			       size_t len)
{
	const uint8_t *bytes = nfct_get_attr(entry, len == 4 ? v4 : v6);

	return bytes != NULL ? ip_addr_from_bytes(bytes, len) : (struct ip_addr){ 0 };
}

/* False: a family that is not ours. */
static bool flow_read(const struct nf_conntrack *entry, struct ct_flow *ret)
{
	uint8_t family = nfct_get_attr_u8(entry, ATTR_ORIG_L3PROTO);
	size_t len = family == AF_INET ? 4 : 16;
	struct ct_flow f = { 0 };

	if (family != AF_INET && family != AF_INET6)
		return false;
	f.src = addr_get(entry, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC, len);
	f.dst = addr_get(entry, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST, len);
	f.proto = nfct_get_attr_u8(entry, ATTR_ORIG_L4PROTO);
	if (nfct_attr_is_set(entry, ATTR_ORIG_PORT_DST) > 0) {
		f.sport = ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_SRC));
		f.dport = ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_DST));
	}
	f.mark = nfct_get_attr_u32(entry, ATTR_MARK);
	f.status = nfct_get_attr_u32(entry, ATTR_STATUS);
	if (nfct_attr_is_set(entry, ATTR_TCP_STATE) > 0)
		f.tcp_state = nfct_get_attr_u8(entry, ATTR_TCP_STATE);
	*ret = f;
	return f.src.family != IP_NONE && f.dst.family != IP_NONE;
}

struct walk {
	struct conntrack *ct;
	enum ct_next (*fn)(void *arg, const struct ct_flow *flow);
	void *arg;
	uint32_t cut;
	bool stopped;
	int err;
};

static int walk_entry(enum nf_conntrack_msg_type type, struct nf_conntrack *entry, void *data)
{
	struct walk *w = data;
	struct ct_flow flow;
	enum ct_next next;

	/* The rest of the dump is read and dropped: it would be met by the next query. */
	if (w->stopped || !flow_read(entry, &flow))
		return NFCT_CB_CONTINUE;
	next = w->fn(w->arg, &flow);
	if (next == CT_STOP)
		w->stopped = true;
	if (next != CT_CUT)
		return NFCT_CB_CONTINUE;
	if (nfct_query(w->ct->cutter, NFCT_Q_DESTROY, entry) == 0)
		w->cut++;
	else if (errno != ENOENT && w->err == 0) /* ENOENT: it has ended meanwhile */
		w->err = -errno;
	return NFCT_CB_CONTINUE;
}

int conntrack_each(struct conntrack *ct, enum ct_next (*fn)(void *arg, const struct ct_flow *flow), void *arg,
		   uint32_t *ret_cut, struct err *e)
{
	static const uint32_t families[] = { AF_INET, AF_INET6 };
	struct walk w = { .ct = ct, .fn = fn, .arg = arg };
	int r = 0;

	if (nfct_callback_register(ct->reader, NFCT_T_ALL, walk_entry, &w) == -1)
		return err_set(e, -ENOMEM, "conntrack: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++) {
		if (nfct_query(ct->reader, NFCT_Q_DUMP, &families[i]) == -1)
			r = err_set(e, -errno, "dump conntrack: %s", strerror(errno));
	}
	nfct_callback_unregister(ct->reader);
	if (r == 0 && w.err < 0)
		r = err_set(e, w.err, "delete conntrack entry: %s", strerror(-w.err));
	if (ret_cut != NULL)
		*ret_cut = w.cut;
	return r;
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
