/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/doctor_subject.h"

#include "cli/doctor_net.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>

#define NOBODY_TRIES 1000 /* from the end of the network, where devices are rarely put */

/* Packets judged in search of one: a second at most with a thousand rules. Fleets have few kinds of devices. */
#define TRIES_MAX 20000

/* Where no packet is sent: probes end in this host. Public resolvers and a root server, so that `*` and
 * autogroup:internet cover them; private ones, which these do not. */
static const char *const anywhere[] = {
	"9.9.9.9",    "198.41.0.4",	     "10.255.255.254",	  "192.168.255.254",
	"2620:fe::9", "2001:503:ba3e::2:30", "fdff:ffff:ffff::1", NULL,
};

static const uint16_t ports[] = { 443, 80, 22, 25 };

static void judge(const struct doctor *d, struct subject *s)
{
	struct packet pkt = { .src = s->src, .dst = s->dst, .proto = s->proto, .port = s->port };

	evaluate_packet(d->docs.policy, d->docs.devices, &d->world.env, &pkt, &s->verdict);
}

/* This host is not routed to: what goes there is judged in another hook. */
static bool is_here(const struct ip_addr *a)
{
	struct route r;

	return route_get(a, NULL, 0, &r) == 0 && r.type != RTN_UNICAST;
}

struct search {
	const struct doctor *d;
	bool accept;
	uint32_t tries;
};

static bool subject_try(struct search *q, struct subject *s)
{
	if (q->tries++ >= TRIES_MAX)
		return false;
	judge(q->d, s);
	return s->verdict.unknown == NULL && (s->verdict.action == PLAN_ACCEPT) == q->accept && !is_here(&s->dst);
}

/* Addresses that rules name. */
static bool try_rules(struct search *q, struct subject *s)
{
	const struct doc_policy *p = q->d->docs.policy;

	for (uint32_t i = 0; i < p->n_rules; i++)
		for (uint32_t k = 0; k < p->rules[i].n_dsts; k++) {
			const struct doc_dst *dst = &p->rules[i].dsts[k];

			if (dst->sel.kind != SEL_PREFIX || dst->sel.prefix.addr.family != s->src.family ||
			    dst->sel.prefix.len == 0)
				continue;
			s->dst = dst->sel.prefix.addr;
			if (dst->sel.prefix.len < ip_addr_len(&s->dst) * 8)
				(void)ip_addr_next(&dst->sel.prefix.addr, &s->dst);
			for (uint32_t n = 0; n < dst->n_services; n++) {
				const struct service *v = &dst->services[n];

				if (v->proto != IPPROTO_TCP && v->proto != IPPROTO_UDP)
					continue;
				s->proto = v->proto;
				s->port = v->port_lo <= 443 && v->port_hi >= 443 ? 443 : v->port_lo;
				/* Port 53 is caught before it is judged. */
				if (s->port != 0 && s->port != 53 && subject_try(q, s))
					return true;
			}
		}
	return false;
}

static bool try_anywhere(struct search *q, struct subject *s)
{
	s->proto = IPPROTO_TCP;
	for (size_t i = 0; anywhere[i] != NULL; i++) {
		if (ip_addr_parse(anywhere[i], &s->dst) < 0 || s->dst.family != s->src.family)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(ports); k++) {
			s->port = ports[k];
			if (subject_try(q, s))
				return true;
		}
	}
	return false;
}

bool subject_choose(const struct doctor *d, uint8_t family, bool accept, struct subject *ret)
{
	struct search q = { .d = d, .accept = accept };

	for (uint32_t i = 0; i < d->docs.devices->n_devices && q.tries < TRIES_MAX; i++) {
		const struct doc_device *dev = &d->docs.devices->devices[i];

		if (!evaluate_active(dev, &d->world.env))
			continue;
		for (uint32_t k = 0; k < dev->n_addrs; k++) {
			struct subject s = { .device = dev->name, .src = dev->addrs[k] };

			if (dev->addrs[k].family != family || (!try_anywhere(&q, &s) && !try_rules(&q, &s)))
				continue;
			*ret = s;
			return true;
		}
	}
	return false;
}

bool subject_wished(const struct doctor *d, struct subject *ret)
{
	struct ip_addr addr = { .family = IP_NONE };

	(void)ip_addr_parse(d->wish.device, &addr);
	for (uint32_t i = 0; i < d->docs.devices->n_devices; i++) {
		const struct doc_device *dev = &d->docs.devices->devices[i];
		bool named = strcmp(dev->name, d->wish.device) == 0;

		for (uint32_t k = 0; k < dev->n_addrs; k++) {
			if (dev->addrs[k].family != d->wish.dst.family ||
			    (!named && ip_addr_cmp(&dev->addrs[k], &addr) != 0))
				continue;
			*ret = (struct subject){ .device = dev->name,
						 .src = dev->addrs[k],
						 .dst = d->wish.dst,
						 .proto = d->wish.proto,
						 .port = d->wish.port };
			judge(d, ret);
			return true;
		}
	}
	return false;
}

static bool is_known(const struct doctor *d, const struct ip_addr *a)
{
	const struct doc_devices *all = d->docs.devices;

	for (uint32_t i = 0; i < all->n_devices; i++)
		for (uint32_t k = 0; k < all->devices[i].n_addrs; k++)
			if (ip_addr_cmp(&all->devices[i].addrs[k], a) == 0)
				return true;
	return false;
}

bool subject_nobody(const struct doctor *d, uint8_t family, struct ip_addr *ret)
{
	const struct doc_tunnel *t = &d->gateway.doc->tunnel;

	for (uint32_t i = 0; i < t->n_addresses; i++) {
		struct ip_range net = ip_prefix_range(&t->addresses[i]);
		struct ip_addr a = net.last;
		struct route r;

		if (t->addresses[i].addr.family != family)
			continue;
		/* Not the last one, which is the broadcast address. */
		for (uint32_t k = 0; k < NOBODY_TRIES && ip_addr_prev(&a, &a) && ip_range_contains(&net, &a); k++) {
			if (is_known(d, &a) || route_get(&a, NULL, 0, &r) < 0 || r.oif != d->tunnel_index ||
			    r.type != RTN_UNICAST)
				continue;
			*ret = a;
			return true;
		}
	}
	return false;
}
