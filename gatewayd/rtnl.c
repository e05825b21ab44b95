/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: rtnetlink(7), libmnl, linux include/uapi/linux/if_link.h, rtnetlink.h. */
#include "gatewayd/rtnl.h"

#include "gatewayd/rtnl_request.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

struct links {
	uint32_t *items;
	uint32_t max, n;
};

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct links *links = arg;

	if ((ifi->ifi_flags & IFF_LOOPBACK) != 0)
		return MNL_CB_OK;
	if (links->n == links->max) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	links->items[links->n++] = (uint32_t)ifi->ifi_index;
	return MNL_CB_OK;
}

int rtnl_links(uint32_t *ret, uint32_t max, uint32_t *ret_n, struct err *e)
{
	struct links links = { .items = ret, .max = max };
	struct rtnl_request q;
	struct ifinfomsg *ifi;
	int r;

	rtnl_request_init(&q, RTM_GETLINK, NLM_F_DUMP);
	ifi = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	r = rtnl_request_run(&q, on_link, &links);
	if (r < 0)
		return err_set(e, r, "read the interfaces: %s", strerror(-r));
	*ret_n = links.n;
	return 0;
}

uint32_t rtnl_link_index(const char *name)
{
	return if_nametoindex(name);
}

int rtnl_link_create(const char *name, const char *kind, struct err *e)
{
	struct rtnl_request q;
	struct ifinfomsg *ifi;
	struct nlattr *info;
	int r;

	rtnl_request_init(&q, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	ifi = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(q.nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(q.nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(q.nlh, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(q.nlh, info);
	r = rtnl_request_run(&q, NULL, NULL);
	return r < 0 ? err_set(e, r, "create %s (%s): %s", name, kind, strerror(-r)) : 0;
}

int rtnl_link_delete(uint32_t index, struct err *e)
{
	struct rtnl_request q;
	struct ifinfomsg *ifi;
	int r;

	rtnl_request_init(&q, RTM_DELLINK, NLM_F_ACK);
	ifi = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	r = rtnl_request_run(&q, NULL, NULL);
	return r < 0 ? err_set(e, r, "delete interface: %s", strerror(-r)) : 0;
}

int rtnl_link_up(uint32_t index, uint32_t mtu, struct err *e)
{
	struct rtnl_request q;
	struct ifinfomsg *ifi;
	int r;

	rtnl_request_init(&q, RTM_NEWLINK, NLM_F_ACK);
	ifi = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	if (mtu != 0)
		mnl_attr_put_u32(q.nlh, IFLA_MTU, mtu);
	r = rtnl_request_run(&q, NULL, NULL);
	return r < 0 ? err_set(e, r, "set interface up (mtu %u): %s", mtu, strerror(-r)) : 0;
}

static unsigned char family_of(const struct ip_addr *a)
{
	return a->family == IP_V4 ? AF_INET : AF_INET6;
}

int rtnl_addr_add(uint32_t index, const struct ip_prefix *p, struct err *e)
{
	struct rtnl_request q;
	struct ifaddrmsg *ifa;
	char text[IP_TEXT_MAX];
	int r;

	rtnl_request_init(&q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	ifa = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*ifa));
	ifa->ifa_family = family_of(&p->addr);
	ifa->ifa_prefixlen = p->len;
	ifa->ifa_index = index;
	/* Nobody else is on a tunnel's link: no need to ask for two seconds whether the address is taken. */
	if (p->addr.family == IP_V6)
		ifa->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(q.nlh, IFA_LOCAL, ip_addr_len(&p->addr), p->addr.bytes);
	mnl_attr_put(q.nlh, IFA_ADDRESS, ip_addr_len(&p->addr), p->addr.bytes);
	r = rtnl_request_run(&q, NULL, NULL);
	return r < 0 && r != -EEXIST ? err_set(e, r, "add address %s: %s", ip_prefix_print(p, text), strerror(-r)) : 0;
}

static int route_change(uint16_t type, uint16_t flags, uint32_t index, const struct ip_prefix *p, struct err *e)
{
	struct rtnl_request q;
	struct rtmsg *rtm;
	char text[IP_TEXT_MAX];
	int r;

	rtnl_request_init(&q, type, (uint16_t)(NLM_F_ACK | flags));
	rtm = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*rtm));
	rtm->rtm_family = family_of(&p->addr);
	rtm->rtm_dst_len = p->len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTNL_ROUTE_PROTOCOL;
	rtm->rtm_scope = p->addr.family == IP_V4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put(q.nlh, RTA_DST, ip_addr_len(&p->addr), p->addr.bytes);
	mnl_attr_put_u32(q.nlh, RTA_OIF, index);
	r = rtnl_request_run(&q, NULL, NULL);
	return r < 0 ? err_set(e, r, "route %s: %s", ip_prefix_print(p, text), strerror(-r)) : 0;
}

int rtnl_route_add(uint32_t index, const struct ip_prefix *p, struct err *e)
{
	return route_change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, p, e);
}

int rtnl_route_delete(uint32_t index, const struct ip_prefix *p, struct err *e)
{
	return route_change(RTM_DELROUTE, 0, index, p, e);
}

struct routes {
	uint32_t index;
	struct ip_prefix *items;
	uint32_t max, n;
};

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct routes *routes = arg;
	struct ip_prefix p = { .len = rtm->rtm_dst_len };
	struct nlattr *attr;
	uint32_t oif = 0;

	if (rtm->rtm_protocol != RTNL_ROUTE_PROTOCOL || rtm->rtm_table != RT_TABLE_MAIN)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF && mnl_attr_get_payload_len(attr) == 4)
			oif = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == RTA_DST &&
		    mnl_attr_get_payload_len(attr) == (rtm->rtm_family == AF_INET ? 4 : 16))
			p.addr = ip_addr_from_bytes(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	}
	if (oif != routes->index || p.addr.family == IP_NONE)
		return MNL_CB_OK;
	if (routes->n == routes->max) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	routes->items[routes->n++] = p;
	return MNL_CB_OK;
}

int rtnl_routes(uint32_t index, struct ip_prefix *ret, uint32_t max, uint32_t *ret_n, struct err *e)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct routes routes = { .index = index, .items = ret, .max = max };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct rtnl_request q;
		struct rtmsg *rtm;
		int r;

		rtnl_request_init(&q, RTM_GETROUTE, NLM_F_DUMP);
		rtm = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*rtm));
		rtm->rtm_family = families[i];
		r = rtnl_request_run(&q, on_route, &routes);
		if (r < 0)
			return err_set(e, r, "read the routes: %s", strerror(-r));
	}
	*ret_n = routes.n;
	return 0;
}
