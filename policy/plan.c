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

/* The first entry that is not before @addr. */
static uint32_t addr_first(const struct plan *p, const struct ip_addr *addr)
{
	uint32_t lo = 0, hi = p->n_addrs;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&p->addrs[mid].addr, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct plan_addr *plan_addr_find(const struct plan *p, const struct ip_addr *addr)
{
	uint32_t at = addr_first(p, addr);

	return at != p->n_addrs && ip_addr_cmp(&p->addrs[at].addr, addr) == 0 ? &p->addrs[at] : NULL;
}

const struct plan_device *plan_device_find(const struct plan *p, const struct ip_addr *addr)
{
	const struct plan_addr *at = plan_addr_find(p, addr);

	return at != NULL ? &p->devices[at->device] : NULL;
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

uint32_t plan_dst_find(const struct plan_dsts *d, const struct ip_addr *dst)
{
	uint32_t lo = 0, hi = d->n_ranges;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&d->ranges[mid].range.last, dst) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == d->n_ranges || ip_addr_cmp(&d->ranges[lo].range.first, dst) > 0)
		return PLAN_NO_DST;
	return d->ranges[lo].dst;
}

static const struct plan_box *boxes_find(const struct plan_box *boxes, uint32_t n, uint32_t dst, uint8_t proto,
					 uint16_t port)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int side = boxes[mid].dst != dst ? (boxes[mid].dst < dst ? -1 : 1)
						 : service_side(&boxes[mid].service, proto, port);

		if (side == 0)
			return &boxes[mid];
		if (side < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool plan_user_has(const struct plan *p, uint32_t user_no, const struct ip_addr *addr)
{
	uint32_t at = user_no != 0 ? addr_first(p, addr) : p->n_addrs;

	/* An address may be claimed by two devices. */
	for (; at < p->n_addrs && ip_addr_cmp(&p->addrs[at].addr, addr) == 0; at++) {
		if (p->devices[p->addrs[at].device].user_no == user_no)
			return true;
	}
	return false;
}

const struct plan_box *plan_box_find(const struct plan *p, const struct plan_addr *src, const struct ip_addr *dst,
				     uint8_t proto, uint16_t port)
{
	const struct plan_class *c = &p->classes[src->class_id];
	uint32_t named = plan_dst_find(&p->named, dst);
	const struct plan_box *box = NULL;

	if (c->n_self != 0 && plan_user_has(p, p->devices[src->device].user_no, dst))
		box = boxes_find(c->self, c->n_self, named, proto, port);
	if (box == NULL)
		box = boxes_find(c->boxes, c->n_boxes, named, proto, port);
	if (box == NULL && c->wide != NULL)
		box = boxes_find(c->wide->boxes, c->wide->n_boxes, plan_dst_find(&p->wide, dst), proto, port);
	for (uint32_t i = 0; box == NULL && c->members != NULL && i < p->members.n_levels; i++)
		box = boxes_find(c->members->boxes, c->members->n_boxes, plan_dst_find(&p->members.levels[i], dst),
				 proto, port);
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

const char *record_type_name(uint16_t type)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = {
		{ RECORD_A, "A" },	   { RECORD_CNAME, "CNAME" }, { RECORD_PTR, "PTR" }, { RECORD_MX, "MX" },
		{ RECORD_TXT, "TXT" },	   { RECORD_AAAA, "AAAA" },   { RECORD_SRV, "SRV" }, { RECORD_NAPTR, "NAPTR" },
		{ RECORD_SSHFP, "SSHFP" }, { RECORD_TLSA, "TLSA" },   { RECORD_CAA, "CAA" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].type == type)
			return names[i].name;
	return NULL;
}

const char *plan_record_print(const struct plan_record *r, char buf[RECORD_TEXT_MAX])
{
	const char *name = record_type_name(r->type);
	char addr[IP_TEXT_MAX];

	(void)snprintf(buf, RECORD_TEXT_MAX, "%s %s", name != NULL ? name : "?",
		       r->addr.family != IP_NONE ? ip_addr_print(&r->addr, addr)
		       : r->text != NULL	 ? r->text
						 : "");
	return buf;
}

static bool steps_have_source(const struct plan_addr_step *steps, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (steps[i].source != NULL || steps_have_source(steps[i].nested, steps[i].n_nested))
			return true;
	return false;
}

bool plan_closes_sources(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_views; i++) {
		for (uint32_t k = 0; k < p->views[i].n_deny_addrs; k++) {
			const struct plan_rule *rule = &p->rules[p->views[i].deny_addrs[k]];

			for (uint32_t s = 0; s < rule->n_closed; s++)
				if (steps_have_source(rule->closed[s].steps, rule->closed[s].n))
					return true;
		}
	}
	return false;
}
