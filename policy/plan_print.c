/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan as text, for people and goldens: `sluice compile --format plan`. */
#include "policy/compile.h"

#include <inttypes.h>

static const char *const action_names[] = {
	[PLAN_ACCEPT] = "accept",
	[PLAN_DROP] = "drop",
	[PLAN_REJECT] = "reject",
};
static_assert(ARRAY_LEN(action_names) == PLAN_ACTION_MAX, "names");

static const char *const level_names[] = {
	[LOG_LEVEL_OFF] = "off",       [LOG_LEVEL_BLOCKED] = "blocked",
	[LOG_LEVEL_COUNTS] = "counts", [LOG_LEVEL_PSEUDONYMOUS] = "pseudonymous",
	[LOG_LEVEL_FULL] = "full",
};
static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_MAX, "names");

static const char *const state_names[] = {
	[DEVICE_PENDING] = "pending",
	[DEVICE_ACTIVE] = "active",
	[DEVICE_QUARANTINED] = "quarantined",
	[DEVICE_EXPIRED] = "expired",
};
static_assert(ARRAY_LEN(state_names) == DEVICE_STATE_MAX, "names");

static const char *const block_names[] = {
	[BLOCK_NULL] = "null",	     [BLOCK_NXDOMAIN] = "nxdomain", [BLOCK_NODATA] = "nodata",
	[BLOCK_REFUSED] = "refused", [BLOCK_CUSTOM] = "custom",	    [BLOCK_DROP] = "drop",
};
static_assert(ARRAY_LEN(block_names) == BLOCK_MODE_MAX, "names");

static const char *const reason_names[] = {
	[BLOCK_REASON_BLOCKED] = "blocked",
	[BLOCK_REASON_CENSORED] = "censored",
	[BLOCK_REASON_FILTERED] = "filtered",
};
static_assert(ARRAY_LEN(reason_names) == BLOCK_REASON_MAX, "names");

static const char *proto_name(uint8_t proto, char buf[4])
{
	switch (proto) {
	case 1:
		return "icmp";
	case 6:
		return "tcp";
	case 17:
		return "udp";
	case 58:
		return "icmp6";
	case 132:
		return "sctp";
	default:
		(void)snprintf(buf, 4, "%u", proto);
		return buf;
	}
}

static void print_service(const struct service *s, FILE *out)
{
	char buf[4];

	(void)fprintf(out, " %s", proto_name(s->proto, buf));
	if (s->port_lo == 0 && s->port_hi == UINT16_MAX)
		return;
	if (s->port_lo == s->port_hi)
		(void)fprintf(out, ":%u", s->port_lo);
	else
		(void)fprintf(out, ":%u-%u", s->port_lo, s->port_hi);
}

static void print_rule(const struct plan_rule *r, FILE *out)
{
	char name[DNAME_TEXT_MAX];

	(void)fprintf(out, "rule %s %s mark 0x%08" PRIx32 " line %" PRIu32 ":%" PRIu32 "%s%s\n", r->pos,
		      action_names[r->action], r->mark, r->line, r->col, r->egress != NULL ? " egress " : "",
		      r->egress != NULL ? r->egress : "");
	for (uint32_t i = 0; i < r->n_names; i++)
		(void)fprintf(out, "\tname %s%s\n", r->names[i].below ? "*." : "",
			      dname_print(&r->names[i].name, name));
	if (r->n_names == 0)
		return;
	(void)fputs("\tservices", out);
	for (uint32_t i = 0; i < r->n_services; i++)
		print_service(&r->services[i], out);
	(void)fputc('\n', out);
}

static void print_range(const struct ip_range *r, FILE *out)
{
	char text[IP_TEXT_MAX];

	(void)fputs(ip_addr_print(&r->first, text), out);
	if (ip_addr_cmp(&r->first, &r->last) != 0)
		(void)fprintf(out, "-%s", ip_addr_print(&r->last, text));
}

/* @what: "dst", "wide". */
static void print_dsts(const struct plan_dsts *d, const char *what, FILE *out)
{
	for (uint32_t i = 0; i < d->n_ranges; i++) {
		(void)fprintf(out, "%s %" PRIu32 " ", what, d->ranges[i].dst);
		print_range(&d->ranges[i].range, out);
		(void)fputc('\n', out);
	}
}

static void print_boxes(const struct plan *p, const char *what, const struct plan_box *boxes, uint32_t n, FILE *out)
{
	for (uint32_t i = 0; i < n; i++) {
		(void)fprintf(out, "\t%s %" PRIu32, what, boxes[i].dst);
		print_service(&boxes[i].service, out);
		(void)fprintf(out, " -> %s %s\n", p->rules[boxes[i].rule].pos,
			      action_names[p->rules[boxes[i].rule].action]);
	}
}

static void print_class(const struct plan *p, uint32_t id, FILE *out)
{
	const struct plan_class *c = &p->classes[id];

	(void)fprintf(out, "class %" PRIu32 "%s%s%s\n", id, c->quarantined ? " quarantined" : "",
		      c->resolve_first ? " resolve-first" : "", c->record_flows ? " record" : "");
	print_boxes(p, "same user, dst", c->self, c->n_self, out);
	print_boxes(p, "dst", c->boxes, c->n_boxes, out);
	if (c->wide != NULL)
		(void)fprintf(out, "\tpart %td\n", c->wide - p->parts);
	if (c->members != NULL)
		(void)fprintf(out, "\tpart %td by list\n", c->members - p->parts);
	for (uint32_t i = 0; i < c->n_name_rules; i++)
		(void)fprintf(out, "\tnames of %s (0x%08" PRIx32 ")\n", p->rules[c->name_rules[i]].pos,
			      p->rules[c->name_rules[i]].mark);
}

static void print_device(const struct plan *p, const struct plan_device *d, FILE *out)
{
	char text[IP_TEXT_MAX];

	(void)fprintf(out, "device %s view %" PRIu32 " %s flows %s queries %s\n", d->name, d->view_id,
		      state_names[d->state], level_names[d->flows], level_names[d->queries]);
	for (uint32_t i = 0; i < d->n_addrs; i++) {
		const struct plan_addr *a = plan_addr_find(p, &d->addrs[i]);

		(void)fprintf(out, "\taddress %s class %" PRIu32 "\n", ip_addr_print(&d->addrs[i], text),
			      a != NULL ? a->class_id : 0);
	}
	for (uint32_t i = 0; i < d->n_routes; i++)
		(void)fprintf(out, "\troute %s\n", ip_prefix_print(&d->routes[i], text));
	if (d->user != NULL)
		(void)fprintf(out, "\tuser %s\n", d->user);
	for (uint32_t i = 0; d->tags[i] != NULL; i++)
		(void)fprintf(out, "\t%s\n", d->tags[i]);
}

/* What is as usual is not said. */
static void print_list(const struct plan *p, uint32_t id, FILE *out)
{
	const struct plan_list *l = &p->lists[id];
	bool usual = l->builtin || l->url == NULL;

	(void)fprintf(out, "list %" PRIu32 " %s", id, l->name);
	if (l->trusted != usual)
		(void)fputs(l->trusted ? " trusted" : " untrusted", out);
	if (l->url != NULL && l->refresh_s != LIST_REFRESH_S)
		(void)fprintf(out, " refresh %" PRIu32, l->refresh_s);
	if (l->sha256 != NULL)
		(void)fprintf(out, " sha256 %s", l->sha256);
	(void)fputc('\n', out);
}

static void print_view(const struct plan *p, uint32_t id, FILE *out)
{
	const struct plan_view *v = &p->views[id];
	char addr[IP_TEXT_MAX];

	(void)fprintf(out, "view %" PRIu32 " filter %s block %s%s%s queries %s", id,
		      v->filter_pos == NULL ? "none" : v->filter_pos, block_names[v->block_mode],
		      v->resolve_first ? " resolve-first" : "", v->record_flows ? " record" : "",
		      level_names[v->queries]);
	if (v->route != 0)
		(void)fprintf(out, " route %" PRIu32, v->route);
	if (v->block_ttl_s != BLOCK_TTL_S)
		(void)fprintf(out, " ttl %" PRIu32, v->block_ttl_s);
	if (v->block_reason != BLOCK_REASON_BLOCKED)
		(void)fprintf(out, " reason %s", reason_names[v->block_reason]);
	(void)fputc('\n', out);
	for (uint32_t i = 0; i < BLOCK_ADDR_MAX; i++)
		if (v->block_addrs[i].family != IP_NONE)
			(void)fprintf(out, "\tanswer %s\n", ip_addr_print(&v->block_addrs[i], addr));
	for (uint32_t i = 0; i < v->n_lists; i++)
		(void)fprintf(out, "\tlist %s\n", p->lists[v->lists[i]].name);
	for (uint32_t i = 0; i < v->n_safe; i++)
		(void)fprintf(out, "\tsafe %s\n", p->lists[v->safe[i]].name);
	for (uint32_t i = 0; v->block[i] != NULL; i++)
		(void)fprintf(out, "\tblock %s\n", v->block[i]);
	for (uint32_t i = 0; v->allow[i] != NULL; i++)
		(void)fprintf(out, "\tallow %s\n", v->allow[i]);
	for (uint32_t i = 0; i < v->n_grants; i++)
		(void)fprintf(out, "\tgrant %s\n", p->rules[v->grants[i]].pos);
	for (uint32_t i = 0; i < v->n_denies; i++)
		(void)fprintf(out, "\tdeny %s\n", p->rules[v->denies[i]].pos);
	for (uint32_t i = 0; i < v->n_deny_addrs; i++)
		(void)fprintf(out, "\tdeny addresses %s\n", p->rules[v->deny_addrs[i]].pos);
}

static void print_upstream(const struct plan_upstream *u, FILE *out)
{
	char text[IP_TEXT_MAX];

	if (u->kind == UPSTREAM_RECURSIVE) {
		(void)fputs(" recursive", out);
		return;
	}
	(void)fprintf(out, " %s %s port %u", u->kind == UPSTREAM_TLS ? "tls" : "udp", ip_addr_print(&u->addr, text),
		      u->port);
	if (u->tls_name != NULL)
		(void)fprintf(out, " as %s", u->tls_name);
}

/* The first is that of all views that name none. */
static void print_route(const struct plan *p, uint32_t id, FILE *out)
{
	const struct plan_route *route = &p->routes[id];
	const char *indent = id == 0 ? "" : "\t";
	char name[DNAME_TEXT_MAX];

	if (id != 0)
		(void)fprintf(out, "route %" PRIu32 "\n", id);
	for (uint32_t i = 0; i < route->n_upstreams; i++) {
		(void)fprintf(out, "%supstream", indent);
		print_upstream(&route->upstreams[i], out);
		(void)fputc('\n', out);
	}
	for (uint32_t i = 0; i < route->n_splits; i++) {
		for (uint32_t k = 0; k < route->splits[i].n_upstreams; k++) {
			(void)fprintf(out, "%ssplit %s", indent, dname_print(&route->splits[i].suffix, name));
			print_upstream(&route->splits[i].upstreams[k], out);
			(void)fputc('\n', out);
		}
	}
}

static void print_dns(const struct plan *p, FILE *out)
{
	char name[DNAME_TEXT_MAX], data[RECORD_TEXT_MAX];

	for (uint32_t i = 0; i < p->n_routes; i++)
		print_route(p, i, out);
	for (uint32_t i = 0; i < p->n_records; i++)
		(void)fprintf(out, "record %s%s %s ttl %" PRIu32 "\n", p->records[i].below ? "*." : "",
			      dname_print(&p->records[i].name, name), plan_record_print(&p->records[i], data),
			      p->records[i].ttl_s);
	if (p->domain.len != 0)
		(void)fprintf(out, "devices below %s\n", dname_print(&p->domain, name));
	for (uint32_t i = 0; i < p->n_rebind_allow; i++)
		(void)fprintf(out, "private addresses below %s\n", dname_print(&p->rebind_allow[i], name));
	if (!p->canaries)
		(void)fputs("no canaries\n", out);
}

void plan_print(const struct plan *p, FILE *out)
{
	for (uint32_t i = 0; i < p->n_rules; i++)
		print_rule(&p->rules[i], out);
	print_dsts(&p->named, "dst", out);
	print_dsts(&p->wide, "wide", out);
	for (uint32_t i = 0; i < p->members.n_levels; i++)
		print_dsts(&p->members.levels[i], "list", out);
	for (uint32_t i = 0; i < p->n_parts; i++) {
		(void)fprintf(out, "part %" PRIu32 "\n", i);
		print_boxes(p, "to", p->parts[i].boxes, p->parts[i].n_boxes, out);
	}
	for (uint32_t i = 0; i < p->n_classes; i++)
		print_class(p, i, out);
	for (uint32_t i = 0; i < p->n_devices; i++)
		print_device(p, &p->devices[i], out);
	for (uint32_t i = 0; i < p->n_lists; i++)
		print_list(p, i, out);
	for (uint32_t i = 0; i < p->n_views; i++)
		print_view(p, i, out);
	print_dns(p, out);
}
