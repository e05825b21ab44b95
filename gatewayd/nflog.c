/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Source: linux net/netfilter/nfnetlink_log.c, nfulnl_recv_config(): a group is bound to the socket that asked first,
 * until that is closed; another one is refused with EPERM. */
#include "gatewayd/nflog.h"

#include "sluice/drop.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

/* Some seconds of messages at the limits' rates, with the kernel's own overhead for each. */
#define RCVBUF_BYTES   (1 << 20)
#define ANSWER_WAIT_MS 1000
#define BUSY_RETRY_MS  50u

static struct nlmsghdr *config_open(void *buf, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *gen;

	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = seq;
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	gen->nfgen_family = AF_UNSPEC;
	gen->res_id = htons(DROP_NFLOG_GROUP);
	return nlh;
}

/* The kernel answers within send(): nfnetlink works in the sender's context. */
static int config_send(int fd, const struct nlmsghdr *nlh)
{
	_Alignas(8) uint8_t buf[1024];
	const struct nlmsghdr *answer = (const struct nlmsghdr *)(const void *)buf;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (send(fd, nlh, nlh->nlmsg_len, 0) == -1)
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN && poll(&p, 1, ANSWER_WAIT_MS) != 0)
			continue;
		if (n == -1)
			return errno == EAGAIN ? -EIO : -errno;
		/* Once it is bound, packets may come in between; those are not for us to read. */
		if (mnl_nlmsg_ok(answer, (int)n) && answer->nlmsg_type == NLMSG_ERROR &&
		    answer->nlmsg_seq == nlh->nlmsg_seq && mnl_nlmsg_get_payload_len(answer) >= sizeof(struct nlmsgerr))
			return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(answer))->error;
	}
}

static int bind_group(int fd)
{
	_Alignas(8) uint8_t buf[256];
	struct nfulnl_msg_config_cmd cmd = { .command = NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode mode = { .copy_range = htonl(DROP_SNAPLEN), .copy_mode = NFULNL_COPY_PACKET };
	struct nlmsghdr *nlh = config_open(buf, 1);

	mnl_attr_put(nlh, NFULA_CFG_CMD, sizeof(cmd), &cmd);
	mnl_attr_put(nlh, NFULA_CFG_MODE, sizeof(mode), &mode);
	/* Each at once: somebody may be watching, and the limits keep them few. */
	mnl_attr_put_u32(nlh, NFULA_CFG_QTHRESH, htonl(1));
	mnl_attr_put_u16(nlh, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	return config_send(fd, nlh);
}

static int open_once(int *ret_fd)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	CLEANUP(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	int bytes = RCVBUF_BYTES, r;

	if (fd == -1)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == -1)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1)
		return -errno;
	r = bind_group(fd);
	if (r == 0)
		*ret_fd = fd_take(&fd);
	return r;
}

static bool is_busy(int r)
{
	return r == -EPERM || r == -EBUSY;
}

int nflog_open(uint32_t wait_ms, int *ret_fd, struct err *e)
{
	const struct timespec pause = { .tv_nsec = BUSY_RETRY_MS * 1000000L };
	int r = open_once(ret_fd);

	for (uint32_t ms = 0; is_busy(r) && ms < wait_ms; ms += BUSY_RETRY_MS) {
		(void)nanosleep(&pause, NULL);
		r = open_once(ret_fd);
	}
	if (is_busy(r))
		return err_set(e, -EBUSY, "another program has nflog group %u", DROP_NFLOG_GROUP);
	return r < 0 ? err_set(e, r, "nflog group %u: %s", DROP_NFLOG_GROUP, strerror(-r)) : 0;
}
