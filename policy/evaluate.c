/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reference evaluator: what a policy says to one packet, read straight from the documents. Called by `sluice eval`,
 * by the policy's own tests, and by our tests as the judge over plan and kernel; therefore it shares no code with the
 * compiler, keeps no index, and walks every rule for every packet.
 *
 * Order: unknown device, device not active, destination not active, resolve-first, denies, rules that accept, drop. A
 * verdict that hangs on addresses which nobody supplied (a country's, a list's) is a drop that says so. */
#include "policy/evaluate.h"

#include <inttypes.h>
#include <stdarg.h>

struct question {
	const struct doc_policy *p;
	const struct doc_devices *d;
	const struct compile_env *env;
	const struct packet *pkt;
	const struct doc_device *from, *to; /* NULL: no device has that address */
	const char *guard;		    /* which guard kept a wide destination from matching, or NULL */
	const char *unknown;		    /* which addresses were asked for and are not there, or NULL */
};

static const char *const section_names[] = {
	[SECTION_ACLS] = "acls",
	[SECTION_GRANTS] = "grants",
	[SECTION_DENIES] = "denies",
};
static_assert(ARRAY_LEN(section_names) == SECTION_MAX, "names");

static const char *const state_words[] = {
	[DEVICE_PENDING] = "waiting for approval",
	[DEVICE_ACTIVE] = "expired", /* by the clock: asked only of devices that are not active */
	[DEVICE_QUARANTINED] = "quarantined",
	[DEVICE_EXPIRED] = "expired",
};
static_assert(ARRAY_LEN(state_words) == DEVICE_STATE_MAX, "words");

static void PRINTF_LIKE(4, 5)
	decide(struct verdict *v, enum plan_action action, const struct doc_rule *rule, const char *fmt, ...)
{
	va_list ap;

	*v = (struct verdict){ .action = action };
	if (rule != NULL)
		(void)snprintf(v->rule, sizeof(v->rule), "/%s/%" PRIu32, section_names[rule->section], rule->index);
	va_start(ap, fmt);
	(void)vsnprintf(v->reason, sizeof(v->reason), fmt, ap);
	va_end(ap);
}

/* Whose packets come from there, or go there. The gateway's own programs (loopback) are nobody: nothing of theirs is
 * forwarded, and the kernel's table does not know them. */
static const struct doc_device *device_at(const struct doc_devices *d, const struct ip_addr *addr)
{
	for (uint32_t i = 0; i < d->n_devices && !ip_addr_is_loopback(addr); i++) {
		for (uint32_t k = 0; k < d->devices[i].n_addrs; k++) {
			if (ip_addr_cmp(&d->devices[i].addrs[k], addr) == 0)
				return &d->devices[i];
		}
	}
	return NULL;
}

bool evaluate_active(const struct doc_device *dev, const struct compile_env *env)
{
	if (dev->state != DEVICE_ACTIVE)
		return false;
	return dev->expires_s == 0 || env->now_s == 0 || env->now_s < dev->expires_s;
}

static bool is_tagged(const struct doc_device *dev)
{
	return dev->tags != NULL && dev->tags[0] != NULL;
}

static bool is_of_user(const struct doc_device *dev, const char *user)
{
	return !is_tagged(dev) && dev->user != NULL && user != NULL && strcmp(dev->user, user) == 0;
}

bool evaluate_same_user(const struct doc_device *from, const struct doc_device *to)
{
	return !is_tagged(from) && is_of_user(to, from->user);
}

static bool is_in_group(const struct doc_policy *p, const struct doc_device *dev, const char *group)
{
	for (uint32_t i = 0; i < p->n_groups; i++) {
		if (strcmp(p->groups[i].name, group) != 0)
			continue;
		for (uint32_t k = 0; p->groups[i].members[k] != NULL; k++) {
			if (is_of_user(dev, p->groups[i].members[k]))
				return true;
		}
	}
	return false;
}

static bool has_tag(const struct doc_device *dev, const char *tag)
{
	for (uint32_t i = 0; is_tagged(dev) && dev->tags[i] != NULL; i++) {
		if (strcmp(dev->tags[i], tag) == 0)
			return true;
	}
	return false;
}

static bool is_of_domain(const struct doc_device *dev, const char *end)
{
	size_t len, end_len = strlen(end);

	if (is_tagged(dev) || dev->user == NULL)
		return false;
	len = strlen(dev->user);
	return len >= end_len && strcmp(dev->user + len - end_len, end) == 0;
}

static bool in_ranges(const struct ip_range *ranges, uint32_t n, const struct ip_addr *addr)
{
	for (uint32_t i = 0; i < n; i++) {
		if (ip_range_contains(&ranges[i], addr))
			return true;
	}
	return false;
}

/* Does @sel name this device by who it is? Addresses aside. */
static bool is_identity(const struct doc_policy *p, const struct selector *sel, const struct doc_device *dev)
{
	switch (sel->kind) {
	case SEL_USER:
		return is_of_user(dev, sel->name);
	case SEL_GROUP:
		return is_in_group(p, dev, sel->name);
	case SEL_TAG:
		return has_tag(dev, sel->name);
	case SEL_MEMBER:
		return !is_tagged(dev) && dev->user != NULL;
	case SEL_TAGGED:
		return is_tagged(dev);
	case SEL_DOMAIN:
		return is_of_domain(dev, sel->name);
	case SEL_ANY:
	case SEL_PREFIX:
	case SEL_INTERNET:
	case SEL_SELF:
	case SEL_DNS:
	case SEL_NOBODY:
	case SEL_RANGES:
	case SEL_LOADED:
	case SEL_KIND_MAX:
		break;
	}
	return false;
}

bool evaluate_sends(const struct doc_policy *p, const struct selector *sel, const struct doc_device *dev,
		    const struct ip_addr *src)
{
	if (sel->kind == SEL_ANY)
		return true;
	if (sel->kind == SEL_PREFIX)
		return ip_prefix_contains(&sel->prefix, src);
	if (sel->kind == SEL_RANGES)
		return in_ranges(sel->ranges, sel->n_ranges, src) || in_ranges(sel->wide, sel->n_wide, src);
	return is_identity(p, sel, dev);
}

bool evaluate_selects(const struct doc_policy *p, const struct selector *sel, const struct doc_device *dev)
{
	for (uint32_t i = 0; i < dev->n_addrs; i++) {
		if (evaluate_sends(p, sel, dev, &dev->addrs[i]))
			return true;
	}
	return false;
}

/* The first @bits bits of @a are those of @b. */
static bool starts_with(const struct ip_addr *a, uint32_t b, unsigned int bits)
{
	uint32_t top =
		(uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 | (uint32_t)a->bytes[2] << 8 | a->bytes[3];

	return top >> (32 - bits) == b >> (32 - bits);
}

/* Private, shared and link-local: what autogroup:internet is without (syntax.md 3.1.3); in IPv6 all but 2000::/3. */
static bool is_private(const struct ip_addr *a)
{
	if (a->family == IP_V6)
		return !starts_with(a, 0x20000000, 3);
	return starts_with(a, 0x0a000000, 8) || starts_with(a, 0xac100000, 12) || starts_with(a, 0xc0a80000, 16) ||
	       starts_with(a, 0x64400000, 10) || starts_with(a, 0xa9fe0000, 16);
}

/* Why the LAN guard keeps @a from wide destinations, or NULL. */
static const char *guard_of(const struct compile_env *env, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < env->n_attached; i++) {
		if (ip_prefix_contains(&env->attached[i], a))
			return "in a network attached to the gateway";
	}
	if (a->family == IP_V4 && (starts_with(a, 0, 8) || starts_with(a, 0x7f000000, 8)))
		return "this host or loopback";
	if (a->family == IP_V4 && a->bytes[0] >= 224)
		return "multicast or reserved";
	return is_private(a) ? "in a private network" : NULL;
}

static bool is_routed(const struct question *q)
{
	for (uint32_t i = 0; i < q->d->n_devices; i++) {
		const struct doc_device *dev = &q->d->devices[i];

		if (!evaluate_active(dev, q->env))
			continue;
		for (uint32_t k = 0; k < dev->n_addrs; k++) {
			if (ip_addr_cmp(&dev->addrs[k], &q->pkt->dst) == 0 && !ip_addr_is_loopback(&dev->addrs[k]))
				return true;
		}
		for (uint32_t k = 0; k < dev->n_routes; k++) {
			if (ip_prefix_contains(&dev->routes[k], &q->pkt->dst))
				return true;
		}
	}
	return false;
}

/* Behind a device with one of these tags, when there are any. */
static bool goes_via(const struct question *q, const char *const *via)
{
	for (uint32_t i = 0; via != NULL && i < q->d->n_devices; i++) {
		const struct doc_device *dev = &q->d->devices[i];
		bool tagged = false, routed = false;

		for (uint32_t k = 0; via[k] != NULL; k++)
			tagged = tagged || has_tag(dev, via[k]);
		for (uint32_t k = 0; k < dev->n_routes; k++)
			routed = routed || ip_prefix_contains(&dev->routes[k], &q->pkt->dst);
		if (tagged && routed && evaluate_active(dev, q->env))
			return true;
	}
	return via == NULL;
}

/* A wide destination covers the packet's, unless a guard says no. */
static bool wide_matches(struct question *q, bool deny, bool routed_too)
{
	const char *guard;

	if (deny)
		return true;
	if ((q->pkt->proto == 6 || q->pkt->proto == 17) && q->pkt->port == 853) {
		q->guard = "an encrypted resolver's port";
		return false;
	}
	guard = guard_of(q->env, &q->pkt->dst);
	if (guard == NULL || (routed_too && is_routed(q)))
		return true;
	q->guard = guard;
	return false;
}

/* Is the packet's destination in what the policy calls geo:XX, asn:N or iplist:NAME? */
static bool is_loaded(struct question *q, uint32_t need)
{
	const struct doc_need *n = &q->p->needs[need];

	if (q->pkt->stand_in)
		return false;
	for (uint32_t i = 0; i < q->env->n_prefixes; i++) {
		const struct prefix_source *s = &q->env->prefixes[i];

		if (s->kind == n->kind && strcmp(s->key, n->key) == 0)
			return in_ranges(s->ranges, s->n_ranges, &q->pkt->dst);
	}
	q->unknown = n->text;
	return false;
}

struct membership {
	bool named, wide;
};

/* What a step adds is in, what it removes is out, whichever way it came in. */
static struct membership steps_hold(struct question *q, const struct set_step *steps, uint32_t n)
{
	struct membership in = { false, false };

	for (uint32_t i = 0; i < n; i++) {
		const struct set_step *s = &steps[i];
		struct membership hit = steps_hold(q, s->nested, s->n_nested);

		hit.named = hit.named || in_ranges(s->named, s->n_named, &q->pkt->dst);
		hit.wide =
			hit.wide || in_ranges(s->wide, s->n_wide, &q->pkt->dst) || (s->loaded && is_loaded(q, s->need));
		if (s->remove && (hit.named || hit.wide))
			in = (struct membership){ false, false };
		if (!s->remove) {
			in.named = in.named || hit.named;
			in.wide = in.wide || hit.wide;
		}
	}
	return in;
}

static bool set_matches(struct question *q, const struct selector *sel, bool deny)
{
	struct membership in = steps_hold(q, sel->steps, sel->n_steps);

	in.named = in.named || in_ranges(sel->ranges, sel->n_ranges, &q->pkt->dst);
	in.wide = in.wide || in_ranges(sel->wide, sel->n_wide, &q->pkt->dst);
	return in.named || (in.wide && wide_matches(q, deny, false));
}

/* As a destination, a prefix means what is in it and an identity the addresses of its devices. */
static bool dst_matches(struct question *q, const struct selector *sel, bool deny)
{
	const struct ip_addr *dst = &q->pkt->dst;
	const struct doc_device *to = q->to;

	switch (sel->kind) {
	case SEL_ANY:
		return wide_matches(q, deny, true);
	case SEL_INTERNET:
		return (!deny || !is_private(dst)) && wide_matches(q, deny, false);
	case SEL_PREFIX:
		if (!ip_prefix_contains(&sel->prefix, dst))
			return false;
		return sel->prefix.len != 0 || wide_matches(q, deny, false);
	case SEL_RANGES:
		return set_matches(q, sel, deny);
	case SEL_LOADED:
		return is_loaded(q, sel->need) && wide_matches(q, deny, false);
	case SEL_SELF:
		return to != NULL && evaluate_same_user(q->from, to);
	case SEL_DNS:
		return q->pkt->name != NULL && name_pattern_match(&sel->dns, q->pkt->name);
	case SEL_USER:
	case SEL_GROUP:
	case SEL_TAG:
	case SEL_MEMBER:
	case SEL_TAGGED:
	case SEL_DOMAIN:
		return to != NULL && is_identity(q->p, sel, to);
	case SEL_NOBODY:
	case SEL_KIND_MAX:
		break;
	}
	return false;
}

static bool service_matches(const struct doc_dst *dst, const struct packet *pkt)
{
	for (uint32_t i = 0; i < dst->n_services; i++) {
		const struct service *s = &dst->services[i];

		if (s->proto == pkt->proto && s->port_lo <= pkt->port && pkt->port <= s->port_hi)
			return true;
	}
	return false;
}

/* Seconds that clocks are ahead of UTC: the last change that has come. */
static int64_t clock_offset(const struct compile_env *env, const char *zone)
{
	int64_t offset = 0;

	for (uint32_t i = 0; i < env->n_zones; i++) {
		const struct zone_info *z = &env->zones[i];

		for (uint32_t k = 0; strcmp(z->name, zone) == 0 && k < z->n_offsets; k++) {
			if (k == 0 || z->offsets[k].from_s <= env->at_s)
				offset = z->offsets[k].offset_s;
		}
	}
	return offset;
}

bool evaluate_in_hours(const struct doc_policy *p, const struct compile_env *env, const struct doc_when *when)
{
	if (when->n == 0 || env->at_s == 0)
		return true;
	for (uint32_t i = 0; i < when->n; i++) {
		const struct doc_schedule *s = &when->items[i];
		int64_t local_min = (env->at_s + clock_offset(env, p->zones[s->zone].name)) / 60;
		int64_t minute = local_min % DAY_MINUTES,
			today = (local_min / DAY_MINUTES + 4) % 7; /* 1970: Thursday */
		int64_t yesterday = (today + 6) % 7;

		if ((s->days >> today & 1) != 0 && s->from <= minute && minute < s->from + s->minutes)
			return true;
		/* Begun yesterday, and still going on after midnight. */
		if ((s->days >> yesterday & 1) != 0 && minute + DAY_MINUTES < s->from + s->minutes)
			return true;
	}
	return false;
}

/* The source of @rule that is the packet's; or (@any_addr) one that is its device's by whichever address, for names and
 * denies: that it asks for a name from one and connects from another, or goes on from another when one is denied, is
 * not to make a difference. NULL: none is. */
static const struct selector *src_of(const struct question *q, const struct doc_rule *rule, bool any_addr)
{
	for (uint32_t i = 0; i < rule->n_srcs; i++) {
		const struct selector *src = &rule->srcs[i];

		if (any_addr ? evaluate_selects(q->p, src, q->from) : evaluate_sends(q->p, src, q->from, &q->pkt->src))
			return src;
	}
	return NULL;
}

static void look_at(struct question *q, const struct doc_rule *rule, struct rule_look *ret)
{
	bool deny = rule->section == SECTION_DENIES;
	int nearest = -1;

	*ret = (struct rule_look){ .rule = rule, .in_hours = evaluate_in_hours(q->p, q->env, &rule->when) };
	ret->src = src_of(q, rule, /* any_addr= */ deny);
	for (uint32_t i = 0; i < rule->n_dsts; i++) {
		const struct doc_dst *dst = &rule->dsts[i];
		const struct selector *src = src_of(q, rule, /* any_addr= */ deny || dst->sel.kind == SEL_DNS);
		/* A name that is denied is refused by the resolver, which knows no ports. */
		bool service = (deny && dst->sel.kind == SEL_DNS) || service_matches(dst, q->pkt), to;
		int near;

		if (src == NULL)
			continue;
		q->guard = q->unknown = NULL;
		to = goes_via(q, rule->via) && dst_matches(q, &dst->sel, deny);
		near = service && to ? 4 : service && (q->guard != NULL || q->unknown != NULL) ? 3 : to ? 2 : service;
		ret->by_name = ret->by_name || (service && to && dst->sel.kind == SEL_DNS);
		if (near <= nearest)
			continue;
		nearest = near;
		ret->src = src;
		ret->dst = dst;
		ret->to = to;
		ret->service = service;
		ret->guard = q->guard;
		ret->unknown = q->unknown;
	}
	ret->matches = ret->src != NULL && ret->in_hours && ret->to && ret->service;
}

/* @ret_look: of the match; else of a rule that would have matched but for a guard or unknown addresses, if there is
 * one.
 */
static const struct doc_rule *first_match(struct question *q, bool deny, struct rule_look *ret_look)
{
	*ret_look = (struct rule_look){ 0 };
	for (uint32_t i = 0; i < q->p->n_rules; i++) {
		const struct doc_rule *rule = &q->p->rules[i];
		struct rule_look look;

		if ((rule->section == SECTION_DENIES) != deny)
			continue;
		look_at(q, rule, &look);
		if (look.matches) {
			*ret_look = look;
			return rule;
		}
		if (look.in_hours && look.service &&
		    (look.unknown != NULL || (look.guard != NULL && ret_look->unknown == NULL)))
			*ret_look = look;
	}
	return NULL;
}

const struct doc_filter *evaluate_filter(const struct doc_policy *p, const struct compile_env *env,
					 const struct doc_device *dev)
{
	for (uint32_t i = 0; i < p->n_filters; i++) {
		if (!evaluate_in_hours(p, env, &p->filters[i].when))
			continue;
		for (uint32_t k = 0; k < p->filters[i].n_srcs; k++) {
			if (evaluate_selects(p, &p->filters[i].srcs[k], dev))
				return &p->filters[i];
		}
	}
	return NULL;
}

static bool is_resolve_first(const struct question *q)
{
	const struct doc_filter *f = evaluate_filter(q->p, q->env, q->from);

	return f != NULL && f->resolve_first;
}

/* Without acls and grants everything is allowed that `*` covers, with the services of `*`. */
static bool allows_all(struct question *q)
{
	uint8_t proto = q->pkt->proto;

	if (!q->p->allow_all || (proto != 1 && proto != 6 && proto != 17 && proto != 58))
		return false;
	return wide_matches(q, /* deny= */ false, /* routed_too= */ true);
}

static void decide_unknown(struct verdict *ret, const char *unknown)
{
	decide(ret, PLAN_DROP, NULL, "cannot be told: the addresses of %s are not known here", unknown);
	ret->unknown = unknown;
}

static void decide_by_rules(struct question *q, struct verdict *ret)
{
	struct rule_look look, denied;
	const struct doc_rule *rule = first_match(q, /* deny= */ true, &denied);
	char dst[IP_TEXT_MAX];

	if (rule != NULL) {
		decide(ret, rule->reject ? PLAN_REJECT : PLAN_DROP, rule, "refused by /%s/%" PRIu32,
		       section_names[rule->section], rule->index);
		return;
	}
	rule = first_match(q, /* deny= */ false, &look);
	q->guard = look.guard;
	(void)ip_addr_print(&q->pkt->dst, dst);
	if (rule == NULL && allows_all(q)) {
		decide(ret, PLAN_ACCEPT, NULL, "the policy has neither acls nor grants: everything is allowed");
		(void)snprintf(ret->rule, sizeof(ret->rule), "/");
	} else if (rule != NULL)
		decide(ret, PLAN_ACCEPT, rule, "allowed by /%s/%" PRIu32, section_names[rule->section], rule->index);
	else if (look.unknown != NULL)
		decide_unknown(ret, look.unknown);
	else if (q->guard == NULL)
		decide(ret, PLAN_DROP, NULL, "no rule allows this to %s", dst);
	else if (q->pkt->port == 853 && strncmp(q->guard, "an ", 3) == 0)
		decide(ret, PLAN_DROP, NULL, "resolver guard: port 853 is %s, and no rule names %s", q->guard, dst);
	else
		decide(ret, PLAN_DROP, NULL, "LAN guard: %s is %s, and no rule names it", dst, q->guard);
	if (ret->action == PLAN_ACCEPT && denied.unknown != NULL)
		decide_unknown(ret, denied.unknown);
}

void evaluate_packet(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		     const struct packet *pkt, struct verdict *ret)
{
	struct question q = { .p = p, .d = d, .env = env, .pkt = pkt };

	q.from = device_at(d, &pkt->src);
	q.to = device_at(d, &pkt->dst);
	if (q.from == NULL)
		decide(ret, PLAN_DROP, NULL, "unknown device");
	else if (!evaluate_active(q.from, env))
		decide(ret, PLAN_DROP, NULL, "device \"%s\" is %s", q.from->name, state_words[q.from->state]);
	else if (q.to != NULL && !evaluate_active(q.to, env))
		decide(ret, PLAN_DROP, NULL, "the destination, device \"%s\", is %s", q.to->name,
		       state_words[q.to->state]);
	else if (pkt->name == NULL && is_resolve_first(&q))
		decide(ret, PLAN_DROP, NULL, "resolve-first: no name was resolved for this address");
	else
		decide_by_rules(&q, ret);
}

void evaluate_explain(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		      const struct packet *pkt, struct rule_look *ret, struct verdict *ret_verdict)
{
	struct question q = { .p = p, .d = d, .env = env, .pkt = pkt };

	q.from = device_at(d, &pkt->src);
	q.to = device_at(d, &pkt->dst);
	evaluate_packet(p, d, env, pkt, ret_verdict);
	for (uint32_t i = 0; i < p->n_rules; i++) {
		ret[i] = (struct rule_look){ .rule = &p->rules[i] };
		if (q.from != NULL)
			look_at(&q, &p->rules[i], &ret[i]);
	}
}
