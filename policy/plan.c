/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking things up in a plan. Used on revocation for every live flow, so each is a binary search. */
#include "sluice/plan.h"

struct plan *plan_free(struct plan *p)
{
	/* The plan lies in its own arena. */
	if (p != NULL)
		(void)arena_free(p->mem);
	return NULL;
}

void plan_freep(struct plan **p)
{
	*p = plan_free(*p);
}

const struct plan_device *plan_device_find(const struct plan *p, const struct ip_addr *addr)
{
	uint32_t lo = 0, hi = p->n_addrs;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&p->addrs[mid].addr, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == p->n_addrs || ip_addr_cmp(&p->addrs[lo].addr, addr) != 0)
		return NULL;
	return &p->devices[p->addrs[lo].device];
}

const struct plan_rule *plan_rule_by_mark(const struct plan *p, uint32_t mark)
{
	uint32_t lo = 0, hi = p->n_rules;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (p->rules[p->by_mark[mid]].mark < mark)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == p->n_rules || p->rules[p->by_mark[lo]].mark != mark)
		return NULL;
	return &p->rules[p->by_mark[lo]];
}

static int service_side(const struct service *s, uint8_t proto, uint16_t port)
{
	if (s->proto != proto)
		return s->proto < proto ? -1 : 1;
	return s->port_hi < port ? -1 : s->port_lo > port;
}

/* Where @b lies, seen from the packet: before it (-1), after it (1), or around it. Boxes are disjoint and sorted by
 * address, and those of one address by service, so that this is an order. */
static int box_side(const struct plan_box *b, const struct ip_addr *dst, uint8_t proto, uint16_t port)
{
	if (ip_addr_cmp(&b->dst.last, dst) < 0)
		return -1;
	if (ip_addr_cmp(&b->dst.first, dst) > 0)
		return 1;
	return service_side(&b->service, proto, port);
}

static const struct plan_box *boxes_find(const struct plan_box *boxes, uint32_t n, const struct ip_addr *dst,
					 uint8_t proto, uint16_t port)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int side = box_side(&boxes[mid], dst, proto, port);

		if (side == 0)
			return &boxes[mid];
		if (side < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct plan_box *plan_box_find(const struct plan_class *c, const struct ip_addr *dst, uint8_t proto,
				     uint16_t port)
{
	const struct plan_box *box = boxes_find(c->boxes, c->n_boxes, dst, proto, port);

	for (size_t i = 0; box == NULL && i < PLAN_SHARED_MAX; i++) {
		if (c->shared[i] != NULL)
			box = boxes_find(c->shared[i]->boxes, c->shared[i]->n_boxes, dst, proto, port);
	}
	return box;
}

bool plan_rule_serves(const struct plan_rule *r, uint8_t proto, uint16_t port)
{
	uint32_t lo = 0, hi = r->n_services;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int side = service_side(&r->services[mid], proto, port);

		if (side == 0)
			return true;
		if (side < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}
