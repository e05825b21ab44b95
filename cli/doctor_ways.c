/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which ways packets take: out to the internet, back to the devices, and how large they may be. */
#include "cli/doctor.h"

#include "cli/doctor_net.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#define WIREGUARD_OVERHEAD 80	/* IPv6 40, UDP 8, WireGuard's header 16 and tag 16 */
#define IP6_MTU_MIN	   1280 /* RFC 8200 5 */
#define RETURNS_NAMED	   3	/* devices in one line */

const struct ip_addr *doctor_own_addr(const struct doctor *d, uint8_t family)
{
	const struct doc_tunnel *t = &d->gateway.doc->tunnel;

	for (uint32_t i = 0; i < t->n_addresses; i++)
		if (t->addresses[i].addr.family == family)
			return &t->addresses[i].addr;
	return NULL;
}

struct ip_addr doctor_internet(uint8_t family)
{
	struct ip_addr a = { 0 };

	/* Of the root servers' (a.root-servers.net): certainly not here. */
	(void)ip_addr_parse(family == IP_V4 ? "198.41.0.4" : "2001:503:ba3e::2:30", &a);
	return a;
}

static const char *link_name(uint32_t index, char buf[IF_NAMESIZE])
{
	return index != 0 && if_indextoname(index, buf) != NULL ? buf : "nowhere";
}

static void exit_one(struct doctor *d, const char *id, uint8_t family)
{
	struct ip_addr there = doctor_internet(family);
	char from[IP_TEXT_MAX], name[IF_NAMESIZE];
	struct check *c;
	struct route r;
	int err = route_get(&there, NULL, 0, &r);

	if (err < 0 || r.type != RTN_UNICAST || r.oif == 0) {
		/* Without IPv6 outside devices still have IPv4. */
		c = report_add(&d->report, id, family == IP_V4 ? CHECK_FAIL : CHECK_WARN,
			       "no way to the internet over %s: %s", family == IP_V4 ? "IPv4" : "IPv6",
			       err < 0 ? strerror(-err) : "the route refuses it");
		check_fix(c, "ip %sroute add default via GATEWAY dev INTERFACE", family == IP_V4 ? "" : "-6 ");
		return;
	}
	c = report_add(&d->report, id, r.oif == d->tunnel_index ? CHECK_FAIL : CHECK_OK,
		       "the internet is reached by %s, from %s", link_name(r.oif, name),
		       r.from.family != IP_NONE ? ip_addr_print(&r.from, from) : "no address of its own");
	if (c->level == CHECK_FAIL)
		check_fix(c, "the default route goes into the tunnel itself: ip route del default dev %s", d->tunnel);
	if (r.from.family == IP_NONE) {
		c->level = CHECK_FAIL;
		check_fix(c, "give %s an address", link_name(r.oif, name));
	}
}

void check_exit(struct doctor *d)
{
	exit_one(d, "exit4", IP_V4);
	if (doctor_own_addr(d, IP_V6) != NULL)
		exit_one(d, "exit6", IP_V6);
}

void check_mtu(struct doctor *d)
{
	struct ip_addr there = doctor_internet(IP_V4);
	uint32_t mtu = link_mtu(d->tunnel_index), out, room;
	char name[IF_NAMESIZE];
	struct check *c;
	struct route r;

	if (mtu == 0) {
		report_add(&d->report, "mtu", CHECK_SKIP, "the tunnel %s is not there", d->tunnel);
		return;
	}
	if (mtu < IP6_MTU_MIN) {
		check_fix(report_add(&d->report, "mtu", CHECK_FAIL,
				     "the MTU of %s is %u: IPv6 does not work below %u, and DNS answers break",
				     d->tunnel, mtu, IP6_MTU_MIN),
			  "ip link set %s mtu %u", d->tunnel, IP6_MTU_MIN);
		return;
	}
	if (route_get(&there, NULL, 0, &r) < 0 || (out = link_mtu(r.oif)) == 0) {
		report_add(&d->report, "mtu", CHECK_SKIP, "the way out is not known");
		return;
	}
	room = d->gateway.doc->tunnel.existing || out < WIREGUARD_OVERHEAD ? out : out - WIREGUARD_OVERHEAD;
	if (mtu <= room) {
		report_add(&d->report, "mtu", CHECK_OK, "%s %u, in %s %u", d->tunnel, mtu, link_name(r.oif, name), out);
		return;
	}
	c = report_add(&d->report, "mtu", CHECK_WARN,
		       "the MTU of %s is %u; %s has %u, which leaves %u: full packets are cut in two, or lost",
		       d->tunnel, mtu, link_name(r.oif, name), out, room);
	check_fix(c, "\"mtu\": %u in \"tunnel\" of %s, and the same on the devices",
		  room < IP6_MTU_MIN ? IP6_MTU_MIN : room, d->gateway.file);
}

/* What is sent to a device goes into the tunnel: else its answers are lost, or seen by others. */
void check_returns(struct doctor *d)
{
	uint32_t n = 0, n_astray = 0;
	struct check *c = NULL;

	if (!d->has_policy || d->tunnel_index == 0) {
		report_add(&d->report, "returns", CHECK_SKIP, "needs the tunnel and the policy");
		return;
	}
	for (uint32_t i = 0; i < d->docs.devices->n_devices; i++) {
		const struct doc_device *dev = &d->docs.devices->devices[i];

		for (uint32_t k = 0; k < dev->n_addrs && dev->state == DEVICE_ACTIVE; k++) {
			char text[IP_TEXT_MAX], name[IF_NAMESIZE];
			struct route r;
			int err = route_get(&dev->addrs[k], NULL, 0, &r);

			/* The host's own programs, and clients on the LAN: no peers of the tunnel. */
			if (ip_addr_is_loopback(&dev->addrs[k]) ||
			    (dev->key == NULL && !d->gateway.doc->tunnel.existing))
				continue;
			n++;
			if (err == 0 && r.oif == d->tunnel_index)
				continue;
			if (n_astray++ >= RETURNS_NAMED)
				continue;
			(void)ip_addr_print(&dev->addrs[k], text);
			if (c == NULL)
				c = report_add(&d->report, "returns", CHECK_FAIL,
					       "packets to %s (%s) do not go into %s but: %s", dev->name, text,
					       d->tunnel, err < 0 ? strerror(-err) : link_name(r.oif, name));
			check_fix(c, "ip %sroute add %s dev %s", dev->addrs[k].family == IP_V4 ? "" : "-6 ", text,
				  d->tunnel);
		}
	}
	if (c == NULL)
		report_add(&d->report, "returns", CHECK_OK, "%u addresses of devices are behind %s", n, d->tunnel);
}
