/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: a pair of veth, one end in this namespace, the other in a namespace of its own that only this process holds
 * open. What is sent at the other end comes out of ours, where tc (clsact, u32, mirred) hands it on as having come in
 * by the interface that is meant: whichever kind it is, with everything that sees packets there. The namespace ends
 * with the process, however that ends, and takes the pair and its filter along: nothing is left behind by a crash.
 *
 * Our end has no addresses, and none are made for it: a new address of the host would make gatewayd read its policy
 * anew.
 *
 * Sources: linux net/sched/act_mirred.c (it wants the interface to be up and to have a carrier), cls_u32.c,
 * drivers/net/veth.c; tc(8), tc-mirred(8). */
#include "cli/doctor_inject.h"

#include "gatewayd/rtnl_request.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#define OUR_END	  "sluicedoctor"
#define OTHER_END "probe"

/* Locally administered; the frame goes to ours, or the kernel takes it for somebody else's. */
static const uint8_t our_mac[ETH_ALEN] = { 0x02, 0x73, 0x6c, 0x75, 0x69, 0x01 };
static const uint8_t other_mac[ETH_ALEN] = { 0x02, 0x73, 0x6c, 0x75, 0x69, 0x02 };

struct injector {
	int home_ns, other_ns;
	int packets; /* AF_PACKET, in the other namespace */
	uint32_t our_index, other_index;
};

struct injector *injector_free(struct injector *i)
{
	struct rtnl_request q;
	struct ifinfomsg *ifi;

	if (i == NULL)
		return NULL;
	/* Gone when this returns; the namespace's end would take it away a moment later. */
	if (i->our_index != 0) {
		rtnl_request_init(&q, RTM_DELLINK, NLM_F_ACK);
		ifi = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*ifi));
		ifi->ifi_index = (int)i->our_index;
		(void)rtnl_request_run(&q, NULL, NULL);
	}
	fd_closep(&i->packets);
	fd_closep(&i->other_ns);
	fd_closep(&i->home_ns);
	free(i);
	return NULL;
}

void injector_freep(struct injector **i)
{
	*i = injector_free(*i);
}

static int file_write(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd == -1 || write(fd, text, strlen(text)) == -1 ? -errno : 0;
}

/* Makes the other namespace and leaves this process at home again. */
static int other_namespace(struct injector *i)
{
	static const char self[] = "/proc/self/ns/net";
	int r = 0;

	i->home_ns = open(self, O_RDONLY | O_CLOEXEC);
	if (i->home_ns == -1 || unshare(CLONE_NEWNET) == -1)
		return -errno;
	/* Nothing but probes is to come out of the pair, no neighbour discovery. */
	(void)file_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	i->other_ns = open(self, O_RDONLY | O_CLOEXEC);
	if (i->other_ns != -1)
		i->packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (i->packets == -1)
		r = -errno;
	if (setns(i->home_ns, CLONE_NEWNET) == -1)
		r = -errno;
	return r;
}

static int pair_create(const struct injector *i)
{
	struct rtnl_request q;
	struct nlattr *info, *data, *peer;

	rtnl_request_init(&q, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	(void)mnl_nlmsg_put_extra_header(q.nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(q.nlh, IFLA_IFNAME, OUR_END);
	mnl_attr_put(q.nlh, IFLA_ADDRESS, ETH_ALEN, our_mac);
	info = mnl_attr_nest_start(q.nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(q.nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(q.nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(q.nlh, VETH_INFO_PEER);
	(void)mnl_nlmsg_put_extra_header(q.nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(q.nlh, IFLA_IFNAME, OTHER_END);
	mnl_attr_put(q.nlh, IFLA_ADDRESS, ETH_ALEN, other_mac);
	mnl_attr_put_u32(q.nlh, IFLA_NET_NS_FD, (uint32_t)i->other_ns);
	mnl_attr_nest_end(q.nlh, peer);
	mnl_attr_nest_end(q.nlh, data);
	mnl_attr_nest_end(q.nlh, info);
	return rtnl_request_run(&q, NULL, NULL);
}

static int link_up(uint32_t index)
{
	struct rtnl_request q;
	struct ifinfomsg *ifi;

	rtnl_request_init(&q, RTM_NEWLINK, NLM_F_ACK);
	ifi = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*ifi));
	ifi->ifi_index = (int)index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	return rtnl_request_run(&q, NULL, NULL);
}

static int other_end_up(struct injector *i)
{
	int r;

	if (setns(i->other_ns, CLONE_NEWNET) == -1)
		return -errno;
	i->other_index = if_nametoindex(OTHER_END);
	r = i->other_index != 0 ? link_up(i->other_index) : -ENODEV;
	if (setns(i->home_ns, CLONE_NEWNET) == -1)
		r = -errno;
	return r;
}

static int clsact_add(uint32_t index)
{
	struct rtnl_request q;
	struct tcmsg *tc;
	int r;

	rtnl_request_init(&q, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	tc = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*tc));
	tc->tcm_ifindex = (int)index;
	tc->tcm_parent = TC_H_CLSACT;
	tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(q.nlh, TCA_KIND, "clsact");
	r = rtnl_request_run(&q, NULL, NULL);
	/* gatewayd puts one at every interface that it sees come (gate.h), and may have been first. */
	return r == -EEXIST ? 0 : r;
}

static void action_put(struct nlmsghdr *nlh, uint32_t target)
{
	struct tc_mirred m = { .action = TC_ACT_STOLEN, .eaction = TCA_INGRESS_REDIR, .ifindex = target };
	struct nlattr *actions = mnl_attr_nest_start(nlh, TCA_U32_ACT), *first = mnl_attr_nest_start(nlh, 1), *options;

	mnl_attr_put_strz(nlh, TCA_ACT_KIND, "mirred");
	options = mnl_attr_nest_start(nlh, TCA_ACT_OPTIONS);
	mnl_attr_put(nlh, TCA_MIRRED_PARMS, sizeof(m), &m);
	mnl_attr_nest_end(nlh, options);
	mnl_attr_nest_end(nlh, first);
	mnl_attr_nest_end(nlh, actions);
}

/* Everything that comes in by @index comes in by @target. */
static int redirect_add(uint32_t index, uint32_t target)
{
	struct rtnl_request q;
	_Alignas(8) char all[sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key)] = { 0 };
	struct tc_u32_sel sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 }; /* its one key has no bits: it fits */
	struct nlattr *options;
	struct tcmsg *tc;

	memcpy(all, &sel, sizeof(sel));
	rtnl_request_init(&q, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	tc = mnl_nlmsg_put_extra_header(q.nlh, sizeof(*tc));
	tc->tcm_ifindex = (int)index;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	tc->tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(q.nlh, TCA_KIND, "u32");
	options = mnl_attr_nest_start(q.nlh, TCA_OPTIONS);
	mnl_attr_put(q.nlh, TCA_U32_SEL, sizeof(all), all);
	action_put(q.nlh, target);
	mnl_attr_nest_end(q.nlh, options);
	return rtnl_request_run(&q, NULL, NULL);
}

static int our_end_up(struct injector *i, uint32_t target)
{
	int r;

	i->our_index = if_nametoindex(OUR_END);
	if (i->our_index == 0)
		return -ENODEV;
	/* A host without IPv6 has no such file. */
	(void)file_write("/proc/sys/net/ipv6/conf/" OUR_END "/disable_ipv6", "1");
	r = clsact_add(i->our_index);
	if (r == 0)
		r = redirect_add(i->our_index, target);
	if (r == 0)
		r = link_up(i->our_index);
	return r;
}

int injector_new(const char *ifname, struct injector **ret, struct err *e)
{
	CLEANUP(injector_freep) struct injector *i = calloc(1, sizeof(*i));
	uint32_t target = if_nametoindex(ifname);
	int r;

	if (i == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	i->home_ns = i->other_ns = i->packets = -1;
	if (target == 0)
		return err_set(e, -ENODEV, "there is no interface %s", ifname);
	r = other_namespace(i);
	if (r < 0)
		return err_set(e, r, "make a network namespace: %s", strerror(-r));
	r = pair_create(i);
	if (r < 0)
		return err_set(e, r, "make a pair of veth: %s%s", strerror(-r),
			       r == -EEXIST ? " (another sluice doctor?)" : "");
	r = our_end_up(i, target);
	if (r < 0)
		return err_set(e, r, "redirect packets to %s with tc (clsact, u32, mirred): %s", ifname, strerror(-r));
	r = other_end_up(i);
	if (r < 0)
		return err_set(e, r, "set the pair of veth up: %s", strerror(-r));
	*ret = TAKE(i);
	return 0;
}

int injector_send(const struct injector *i, const void *packet, size_t len, struct err *e)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)i->other_index };
	uint8_t frame[ETH_HLEN + 256];
	uint16_t type = htons(len > 0 && *(const uint8_t *)packet >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);

	if (len > sizeof(frame) - ETH_HLEN)
		return err_set(e, -EINVAL, "a packet of %zu bytes is too long for a probe", len);
	memcpy(frame, our_mac, ETH_ALEN);
	memcpy(frame + ETH_ALEN, other_mac, ETH_ALEN);
	memcpy(frame + 2 * (size_t)ETH_ALEN, &type, sizeof(type));
	memcpy(frame + ETH_HLEN, packet, len);
	to.sll_protocol = type;
	if (sendto(i->packets, frame, ETH_HLEN + len, 0, (struct sockaddr *)&to, sizeof(to)) == -1)
		return err_set(e, -errno, "send a probe: %s", strerror(errno));
	return 0;
}
