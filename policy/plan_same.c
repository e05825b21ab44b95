/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether two plans judge every flow alike. Called by gatewayd behind a reload: most change block lists or upstreams,
 * and no flow. Compared is all that decides about a packet, by value and in order: plans are canonical. What the
 * kernel's names are made of (ids) and what only people or dnsd see may differ. */
#include "sluice/plan.h"

static bool text_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool numbers_same(const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

static bool service_same(const struct service *a, const struct service *b)
{
	return a->proto == b->proto && a->port_lo == b->port_lo && a->port_hi == b->port_hi;
}

static bool rule_same(const struct plan_rule *a, const struct plan_rule *b)
{
	if (a->mark != b->mark || a->action != b->action || !text_same(a->egress, b->egress) ||
	    a->n_names != b->n_names || a->n_services != b->n_services)
		return false;
	for (uint32_t i = 0; i < a->n_names; i++) {
		if (a->names[i].below != b->names[i].below || !dname_equal(&a->names[i].name, &b->names[i].name))
			return false;
	}
	for (uint32_t i = 0; i < a->n_services; i++) {
		if (!service_same(&a->services[i], &b->services[i]))
			return false;
	}
	return true;
}

static bool dsts_same(const struct plan_dsts *a, const struct plan_dsts *b)
{
	if (a->n_ranges != b->n_ranges)
		return false;
	for (uint32_t i = 0; i < a->n_ranges; i++) {
		const struct plan_dst_range *x = &a->ranges[i], *y = &b->ranges[i];

		if (x->dst != y->dst || ip_addr_cmp(&x->range.first, &y->range.first) != 0 ||
		    ip_addr_cmp(&x->range.last, &y->range.last) != 0)
			return false;
	}
	return true;
}

static bool boxes_same(const struct plan_box *a, uint32_t n_a, const struct plan_box *b, uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++) {
		if (a[i].dst != b[i].dst || a[i].rule != b[i].rule || !service_same(&a[i].service, &b[i].service))
			return false;
	}
	return true;
}

static bool part_same(const struct plan *p, const struct plan_part *a, const struct plan *q, const struct plan_part *b)
{
	return a == NULL || b == NULL ? a == b : a - p->parts == b - q->parts;
}

static bool class_same(const struct plan *p, const struct plan_class *a, const struct plan *q,
		       const struct plan_class *b)
{
	return a->quarantined == b->quarantined && a->resolve_first == b->resolve_first &&
	       part_same(p, a->wide, q, b->wide) && part_same(p, a->members, q, b->members) &&
	       numbers_same(a->name_rules, a->n_name_rules, b->name_rules, b->n_name_rules) &&
	       boxes_same(a->boxes, a->n_boxes, b->boxes, b->n_boxes) &&
	       boxes_same(a->self, a->n_self, b->self, b->n_self);
}

static bool sources_same(const struct plan *a, const struct plan *b)
{
	if (a->n_addrs != b->n_addrs || a->n_devices != b->n_devices)
		return false;
	for (uint32_t i = 0; i < a->n_addrs; i++) {
		const struct plan_addr *x = &a->addrs[i], *y = &b->addrs[i];

		if (x->device != y->device || x->class_id != y->class_id || ip_addr_cmp(&x->addr, &y->addr) != 0)
			return false;
	}
	for (uint32_t i = 0; i < a->n_devices; i++) {
		const struct plan_device *x = &a->devices[i], *y = &b->devices[i];

		if (x->state != y->state || x->user_no != y->user_no || x->view_id != y->view_id)
			return false;
	}
	return true;
}

static bool view_same(const struct plan_view *a, const struct plan_view *b)
{
	return numbers_same(a->grants, a->n_grants, b->grants, b->n_grants) &&
	       numbers_same(a->denies, a->n_denies, b->denies, b->n_denies) && a->resolve_first == b->resolve_first;
}

bool plan_same_flows(const struct plan *a, const struct plan *b)
{
	bool same = a->n_rules == b->n_rules && a->n_parts == b->n_parts && a->n_classes == b->n_classes &&
		    a->n_views == b->n_views && a->members.n_levels == b->members.n_levels && sources_same(a, b) &&
		    dsts_same(&a->named, &b->named) && dsts_same(&a->wide, &b->wide);

	for (uint32_t i = 0; same && i < a->members.n_levels; i++)
		same = dsts_same(&a->members.levels[i], &b->members.levels[i]);
	for (uint32_t i = 0; same && i < a->n_rules; i++)
		same = rule_same(&a->rules[i], &b->rules[i]);
	for (uint32_t i = 0; same && i < a->n_parts; i++)
		same = boxes_same(a->parts[i].boxes, a->parts[i].n_boxes, b->parts[i].boxes, b->parts[i].n_boxes);
	for (uint32_t i = 0; same && i < a->n_classes; i++)
		same = class_same(a, &a->classes[i], b, &b->classes[i]);
	for (uint32_t i = 0; same && i < a->n_views; i++)
		same = view_same(&a->views[i], &b->views[i]);
	return same;
}
