/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source: rtnetlink(7), libmnl. */
#include "gatewayd/rtnl_request.h"

#include <time.h>

/* A dump's datagram: the kernel makes them up to 32 kB. */
#define ANSWER_BYTES 32768

void rtnl_request_init(struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	memset(q->buf, 0, sizeof(q->buf));
	q->nlh = mnl_nlmsg_put_header(q->buf);
	q->nlh->nlmsg_type = type;
	q->nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->nlh->nlmsg_seq = (uint32_t)time(NULL);
}

static void socket_closep(struct mnl_socket **s)
{
	if (*s != NULL)
		(void)mnl_socket_close(*s);
}

int rtnl_request_run(struct rtnl_request *q, mnl_cb_t fn, void *arg)
{
	CLEANUP(socket_closep) struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	CLEANUP(freep) char *buf = malloc(ANSWER_BYTES);
	uint32_t port;
	int r = MNL_CB_OK;

	if (buf == NULL)
		return -ENOMEM;
	if (s == NULL || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	port = mnl_socket_get_portid(s);
	if (mnl_socket_sendto(s, q->nlh, q->nlh->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(s, buf, ANSWER_BYTES);

		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, q->nlh->nlmsg_seq, port, fn, arg);
	}
	return r < 0 ? -errno : 0;
}
