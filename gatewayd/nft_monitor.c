/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: the kernel tells every change of its tables to a group, with the netlink port of who did it. Ours carry our
 * channel's port; another port and our table's name mean that somebody has touched it.
 *
 * Source: linux net/netfilter/nf_tables_api.c, nf_tables_table_notify() and its kin: the attribute with the table's
 * name is number 1 in messages of every kind (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, ...). */
#include "gatewayd/nft_monitor.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "sluice/prog.h"

#define MONITOR_RCVBUF_BYTES                                                                                           \
	(1 << 20)	     /* a few thousand changes; more are a loss of events, which we treat as a touch */
#define MONITOR_READS_MAX 64 /* pieces a wake; the rest keeps the descriptor readable */
#define TABLE_ATTR	  1

static_assert(NFTA_TABLE_NAME == TABLE_ATTR && NFTA_CHAIN_TABLE == TABLE_ATTR && NFTA_RULE_TABLE == TABLE_ATTR &&
		      NFTA_SET_TABLE == TABLE_ATTR && NFTA_SET_ELEM_LIST_TABLE == TABLE_ATTR,
	      "the table's name");

int nft_monitor_open(int *ret_fd, struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1) };
	int bytes = MONITOR_RCVBUF_BYTES;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (fd == -1)
		return err_set(e, -errno, "open nftables monitor: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == -1)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1)
		return err_set(e, -errno, "subscribe to nftables changes: %s", strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

static bool is_about_us(const struct nlmsghdr *nlh)
{
	struct nlattr *attr;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || (nlh->nlmsg_type & 0xff) == NFT_MSG_NEWGEN ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return false;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == TABLE_ATTR && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			return strcmp(mnl_attr_get_str(attr), NFT_TABLE_NAME) == 0;
	}
	return false;
}

int nft_monitor_read(int fd, uint32_t own_portid, bool *ret_touched, struct err *e)
{
	_Alignas(8) uint8_t buf[32768];
	bool touched = false;

	for (int i = 0; i < MONITOR_READS_MAX; i++) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buf;
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		int len;

		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1 && errno == ENOBUFS) {
			touched = true;
			continue;
		}
		if (n == -1 && errno != EINTR)
			return err_set(e, -errno, "read nftables changes: %s", strerror(errno));
		for (len = (int)n; len > 0 && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
			touched = touched || (nlh->nlmsg_pid != own_portid && is_about_us(nlh));
	}
	*ret_touched = touched;
	return 0;
}
