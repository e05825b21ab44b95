/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interfaces without ARP, so that every destination exists; conntrack with short timeouts, so that a hundred thousand
 * half-open flows are not kept. Everything goes when the process and its helper end. */
#include "street.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define RECEIVE_BUFFER (8 << 20)

const uint8_t street_gateway_mac[6] = { 2, 0, 0, 0, 0, 1 };

static const char *const ends[STREET_SIDES] = { "devices", "world" };

static const char setup[] =
	"set -e\n"
	"ip link add wg0 address 02:00:00:00:00:01 type veth peer name devices netns %d\n"
	"ip link add wan0 type veth peer name world netns %d\n"
	"w() { [ ! -e /proc/sys/$1 ] || echo $2 >/proc/sys/$1; }\n"
	"for i in all default wg0 wan0; do\n"
	"  w net/ipv4/conf/$i/rp_filter 0; w net/ipv4/conf/$i/send_redirects 0\n"
	"  w net/ipv6/conf/$i/accept_dad 0; w net/ipv6/conf/$i/accept_ra 0; w net/ipv6/conf/$i/addr_gen_mode 1\n"
	"done\n"
	"ip link set wg0 up arp off; ip link set wan0 up arp off; ip link set lo up\n"
	"ip addr add 100.127.255.254/32 dev wg0; ip addr add 192.0.2.1/32 dev wan0\n"
	"ip addr add fd7a:115c:a1e0:ffff::1/128 dev wg0 nodad; ip addr add 2001:db8:ffff::1/128 dev wan0 nodad\n"
	"ip route add 100.64.0.0/10 dev wg0; ip route add 10.50.0.0/16 dev wg0; ip route add default dev wan0\n"
	"ip -6 route add fd7a:115c:a1e0::/48 dev wg0; ip -6 route add default dev wan0\n"
	"ip rule add pref 100 fwmark 1/1 blackhole; ip -6 rule add pref 100 fwmark 1/1 blackhole\n"
	"w net/ipv4/ip_forward 1; w net/ipv6/conf/all/forwarding 1\n"
	"w net/ipv4/icmp_ratemask 0; w net/ipv4/icmp_ratelimit 0; w net/ipv6/icmp/ratelimit 0\n"
	"w net/ipv6/icmp/ratemask 5\n"
	"w net/netfilter/nf_conntrack_checksum 0\n"
	"for t in tcp_timeout_syn_sent tcp_timeout_close udp_timeout icmp_timeout icmpv6_timeout generic_timeout "
	"gre_timeout\\\n"
	"  sctp_timeout_cookie_wait; do w net/netfilter/nf_conntrack_$t 1; done\n";

static int in_namespace_of_its_own(void)
{
	int pipes[2];
	pid_t pid;
	char c;

	if (pipe(pipes) == -1)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(pipes[0]);
		if (unshare(CLONE_NEWNET) == -1 || system("ip link set lo up; for i in all default; do echo 1 "
							  ">/proc/sys/net/ipv6/conf/$i/disable_ipv6;"
							  " done") != 0)
			_exit(1);
		(void)!write(pipes[1], "", 1);
		for (;;)
			(void)pause();
	}
	(void)close(pipes[1]);
	if (pid == -1 || read(pipes[0], &c, 1) != 1)
		pid = -EIO;
	(void)close(pipes[0]);
	return pid;
}

/* A packet socket on @ifname; the process is in the right namespace. */
static int end_open(const char *ifname)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	CLEANUP(fd_closep) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int room = RECEIVE_BUFFER;

	at.sll_ifindex = (int)if_nametoindex(ifname);
	if (fd == -1 || at.sll_ifindex == 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) == -1 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		return -errno;
	return fd_take(&fd);
}

static int namespace_of(pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Into the second namespace, both ends up and open, and back. */
static int ends_open(struct street *s)
{
	CLEANUP(fd_closep) int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_closep) int there = namespace_of(s->helper);

	if (here == -1 || there == -1 || setns(there, CLONE_NEWNET) == -1)
		return -errno;
	if (system("ip link set devices up arp off && ip link set world up arp off") != 0)
		return -EIO;
	for (int i = 0; i < STREET_SIDES; i++) {
		s->fds[i] = end_open(ends[i]);
		if (s->fds[i] < 0)
			return s->fds[i];
	}
	return setns(here, CLONE_NEWNET) == -1 ? -errno : 0;
}

int street_open(struct street *ret, struct err *e)
{
	struct street s = { .fds = { -1, -1 } };
	char script[sizeof(setup) + 32];
	cpu_set_t cpu;
	int r;

	/* On one processor packets come out in the order in which they went in. */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	(void)sched_setaffinity(0, sizeof(cpu), &cpu);
	s.helper = in_namespace_of_its_own();
	if (s.helper < 0)
		return err_set(e, s.helper, "no second namespace");
	(void)snprintf(script, sizeof(script), setup, s.helper, s.helper);
	if (unshare(CLONE_NEWNET) == -1 || system(script) != 0)
		return err_set(e, -EIO, "the gateway's namespace cannot be set up");
	r = ends_open(&s);
	if (r < 0)
		return err_set(e, r, "ends: %s", strerror(-r));
	*ret = s;
	return 0;
}

void street_close(struct street *s)
{
	for (int i = 0; i < STREET_SIDES; i++)
		fd_closep(&s->fds[i]);
	(void)kill(s->helper, SIGKILL);
	(void)waitpid(s->helper, NULL, 0);
}

size_t street_receive(const struct street *s, enum street_side side, uint8_t *buf, size_t room)
{
	for (;;) {
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(s->fds[side], buf, room, 0, (struct sockaddr *)&from, &from_len);

		if (n <= 0)
			return 0;
		if (from.sll_pkttype != PACKET_OUTGOING)
			return (size_t)n;
	}
}

int street_send(const struct street *s, const uint8_t *frame, size_t len)
{
	return send(s->fds[STREET_TUNNEL], frame, len, 0) == (ssize_t)len ? 0 : -errno;
}

/* ctnetlink: a DELETE without a tuple takes all. */
int street_forget(void)
{
	uint8_t buf[NLMSG_SPACE(sizeof(struct nfgenmsg))] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	char answer[256];
	ssize_t n = -1;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	if (nl == NULL)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 && mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0)
		n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	(void)mnl_socket_close(nl);
	return n > 0 ? 0 : -EIO;
}
