/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: rtnetlink(7), linux net/ipv4/route.c inet_rtm_getroute(), net/ipv6/route.c inet6_rtm_getroute(). */
#include "cli/doctor_net.h"

#include "gatewayd/rtnl_request.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	size_t len = rtm->rtm_family == AF_INET ? 4 : 16;
	struct route *ret = arg;
	struct nlattr *attr;

	ret->type = rtm->rtm_type;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		uint16_t type = mnl_attr_get_type(attr), size = mnl_attr_get_payload_len(attr);

		if (type == RTA_OIF && size == 4)
			ret->oif = mnl_attr_get_u32(attr);
		else if (type == RTA_PREFSRC && size == len)
			ret->from = ip_addr_from_bytes(mnl_attr_get_payload(attr), len);
		else if (type == RTA_GATEWAY && size == len)
			ret->via = ip_addr_from_bytes(mnl_attr_get_payload(attr), len);
	}
	return MNL_CB_OK;
}

int route_get(const struct ip_addr *dst, const struct ip_addr *src, uint32_t iif, struct route *ret)
{
	struct rtnl_request q;
	struct rtmsg *rtm;

	*ret = (struct route){ 0 };
	rtnl_request_init(&q, RTM_GETROUTE, NLM_F_ACK);
	rtm = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*rtm));
	rtm->rtm_family = dst->family == IP_V4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = (unsigned char)(ip_addr_len(dst) * 8);
	mnl_attr_put(q.nlh, RTA_DST, ip_addr_len(dst), dst->bytes);
	if (src != NULL) {
		rtm->rtm_src_len = rtm->rtm_dst_len;
		mnl_attr_put(q.nlh, RTA_SRC, ip_addr_len(src), src->bytes);
	}
	if (iif != 0)
		mnl_attr_put_u32(q.nlh, RTA_IIF, iif);
	return rtnl_request_run(&q, on_route, ret);
}

uint32_t link_mtu(uint32_t index)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	if (fd == -1 || if_indextoname(index, ifr.ifr_name) == NULL || ioctl(fd, SIOCGIFMTU, &ifr) == -1)
		return 0;
	return (uint32_t)ifr.ifr_mtu;
}

int small_file_read(const char *path, char *ret, size_t room)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, ret, room - 1);

	if (n < 0)
		return -errno;
	while (n > 0 && ret[n - 1] == '\n')
		n--;
	ret[n] = '\0';
	return 0;
}
