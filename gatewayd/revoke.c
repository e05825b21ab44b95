/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: the table lets established flows pass, so a change of plan cuts those it does not back by deleting their
 * entries: the next packet is a new flow, and is judged. Called by the engine after nft_apply(), so that nothing that
 * is cut can come back.
 *
 * The judgement is that of the chain class_N (docs/architecture.md), for the original direction before any translation,
 * with one difference: the lease that opened a flow may have ended while it lives. Its conntrack mark says which rule
 * that was, and marks stay the same as long as the rule does. */
#include "gatewayd/revoke.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#define DNS_PORT 53

const char *revoke_reason_name(enum revoke_reason reason)
{
	static const char *const names[] = {
		[REVOKE_KEEP] = "allowed",
		[REVOKE_UNKNOWN_DEVICE] = "unknown device",
		[REVOKE_INACTIVE] = "device is not active",
		[REVOKE_DENIED] = "denied by a rule",
		[REVOKE_NO_RULE] = "no rule",
		[REVOKE_NOT_RESOLVED] = "not resolved",
		[REVOKE_OTHER_WAY] = "leaves by another way now",
	};

	static_assert(ARRAY_LEN(names) == REVOKE_REASON_MAX, "names");
	return reason >= 0 && reason < REVOKE_REASON_MAX ? names[reason] : "unknown";
}

static bool is_local(const struct revoke_env *env, const struct ip_addr *addr)
{
	for (uint32_t i = 0; i < env->n_local; i++) {
		if (ip_addr_cmp(&env->local[i], addr) == 0)
			return true;
	}
	return false;
}

/* Comes from the tunnel, or did. */
static bool is_ours(const struct revoke_env *env, const struct ip_addr *src)
{
	for (uint32_t i = 0; i < env->n_tunnel_nets; i++) {
		if (ip_prefix_contains(&env->tunnel_nets[i], src))
			return true;
	}
	return env->old != NULL && plan_device_find(env->old, src) != NULL;
}

/* An address of a device that nobody may be or reach. */
static bool is_inactive(const struct plan *p, const struct ip_addr *addr)
{
	const struct plan_addr *a = plan_addr_find(p, addr);

	return a != NULL && p->classes[a->class_id].quarantined;
}

/* What the input chain lets every active device do: ask us for names, and ping us. */
static bool is_host_service(const struct revoke_env *env, const struct ct_flow *f)
{
	bool dns_proto = f->proto == IPPROTO_UDP || f->proto == IPPROTO_TCP;
	bool local = is_local(env, &f->dst);

	if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6)
		return local;
	/* A question to anybody's port 53 that was redirected to us has its destination translated. */
	if (dns_proto && f->dport == DNS_PORT)
		return local || (f->status & IPS_DST_NAT) != 0;
	return dns_proto && local && f->dport == env->dns_port;
}

static bool has_name_rule(const struct plan *p, const struct plan_class *class, const struct plan_rule *rule)
{
	for (uint32_t i = 0; i < class->n_name_rules; i++) {
		if (&p->rules[class->name_rules[i]] == rule)
			return true;
	}
	return false;
}

/* The rule with names that opened it, and still would; NULL: none. */
static const struct plan_rule *name_rule_of(const struct plan *p, const struct plan_class *class,
					    const struct ct_flow *f)
{
	const struct plan_rule *rule = plan_rule_by_mark(p, f->mark & CT_MARK_MASK);

	return rule != NULL && rule->action == PLAN_ACCEPT && rule->n_names != 0 && has_name_rule(p, class, rule) &&
			       plan_rule_serves(rule, f->proto, f->dport)
		       ? rule
		       : NULL;
}

/* Resolve-first as of this plan: what was begun before may go to addresses that we did not give. A device that was
 * resolve-first before had a lease when the flow began. */
static bool is_unresolved(const struct revoke_env *env, const struct plan_class *class, const struct ct_flow *f)
{
	const struct plan_addr *was = env->old != NULL ? plan_addr_find(env->old, &f->src) : NULL;

	if (!class->resolve_first || env->leases == NULL || was == NULL)
		return false;
	if (env->old->classes[was->class_id].resolve_first)
		return false;
	return !learned_has(env->leases, &f->src, &f->dst, LEARN_SEEN, env->now_us);
}

static bool same_way(const struct plan_rule *a, const struct plan_rule *b)
{
	const char *x = a != NULL && a->egress != NULL ? a->egress : "", *y = b->egress != NULL ? b->egress : "";

	return strcmp(x, y) == 0;
}

/* The kernel steers a flow by the rule in its mark, and that may not be the one that decides now, or may be gone; and
 * its source was translated for the way that it has taken so far. */
static bool is_astray(const struct revoke_env *env, const struct plan_rule *decides, const struct ct_flow *f)
{
	uint32_t mark = f->mark & CT_MARK_MASK;
	const struct plan_rule *was = env->old != NULL ? plan_rule_by_mark(env->old, mark) : NULL;

	if (plan_device_find(env->plan, &f->dst) != NULL)
		return false;
	return !same_way(plan_rule_by_mark(env->plan, mark), decides) || (was != NULL && !same_way(was, decides));
}

static enum revoke_reason keep_or_astray(const struct revoke_env *env, const struct plan_rule *rule,
					 const struct ct_flow *f)
{
	return is_astray(env, rule, f) ? REVOKE_OTHER_WAY : REVOKE_KEEP;
}

enum revoke_reason revoke_decide(const struct revoke_env *env, const struct ct_flow *flow)
{
	const struct plan *p = env->plan;
	const struct plan_addr *from = plan_addr_find(p, &flow->src);
	const struct plan_class *class;
	const struct plan_rule *name_rule;
	const struct plan_box *box;

	if (is_local(env, &flow->src))
		return REVOKE_KEEP;
	if (from == NULL && is_ours(env, &flow->src))
		return REVOKE_UNKNOWN_DEVICE;
	/* Nobody outside begins a flow to a device: this one is of a time without a table. */
	if (from == NULL)
		return plan_device_find(p, &flow->dst) != NULL ? REVOKE_NO_RULE : REVOKE_KEEP;
	class = &p->classes[from->class_id];
	if (is_inactive(p, &flow->src))
		return REVOKE_INACTIVE;
	if (is_host_service(env, flow))
		return REVOKE_KEEP;
	if (is_inactive(p, &flow->dst))
		return REVOKE_INACTIVE;
	if (is_unresolved(env, class, flow))
		return REVOKE_NOT_RESOLVED;
	name_rule = name_rule_of(p, class, flow);
	box = plan_box_find(p, from, &flow->dst, flow->proto, flow->dport);
	if (box != NULL && p->rules[box->rule].action != PLAN_ACCEPT)
		return REVOKE_DENIED;
	/* Where there are ways out, names choose before addresses. */
	if (name_rule != NULL)
		return keep_or_astray(env, name_rule, flow);
	return box != NULL ? keep_or_astray(env, &p->rules[box->rule], flow) : REVOKE_NO_RULE;
}

struct revocation {
	const struct revoke_env *env;
	void (*fn)(void *arg, const struct ct_flow *flow, enum revoke_reason reason);
	void *arg;
	struct revoke_result result;
};

static enum ct_next judge(void *arg, const struct ct_flow *flow)
{
	struct revocation *r = arg;
	enum revoke_reason reason = revoke_decide(r->env, flow);

	r->result.seen++;
	r->result.by_reason[reason]++;
	if (reason == REVOKE_KEEP)
		return CT_KEEP;
	if (r->fn != NULL)
		r->fn(r->arg, flow, reason);
	return CT_CUT;
}

int revoke_flows(struct conntrack *ct, const struct revoke_env *env,
		 void (*fn)(void *arg, const struct ct_flow *flow, enum revoke_reason reason), void *arg,
		 struct revoke_result *ret, struct err *e)
{
	struct revocation revocation = { .env = env, .fn = fn, .arg = arg };
	int r = conntrack_each(ct, judge, &revocation, &revocation.result.cut, e);

	*ret = revocation.result;
	return r;
}
