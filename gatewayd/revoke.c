/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DOC: the table lets established flows pass, so a change of plan cuts those it does not back by deleting their
 * entries: the next packet is a new flow, and is judged. Called by the engine after nft_apply() and after the leases
 * that the plan does not back are gone, so that nothing that is cut can come back.
 *
 * The judgement is that of the chain class_N (docs/architecture.md), with one difference: the lease that opened a flow
 * may have ended while it lives. Its conntrack mark says which rule that was, and marks stay the same as long as the
 * rule does. A flow that another has announced (the data of FTP: "related" in the table) was accepted for the other's
 * sake, and is judged by it. */
#include "gatewayd/revoke.h"

#include "gatewayd/name_denies.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

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

const char *revoke_reason_key(enum revoke_reason reason)
{
	static const char *const keys[] = {
		[REVOKE_KEEP] = "kept",		  [REVOKE_UNKNOWN_DEVICE] = "unknown_device",
		[REVOKE_INACTIVE] = "not_active", [REVOKE_DENIED] = "denied",
		[REVOKE_NO_RULE] = "no_rule",	  [REVOKE_NOT_RESOLVED] = "not_resolved",
		[REVOKE_OTHER_WAY] = "other_way",
	};

	static_assert(ARRAY_LEN(keys) == REVOKE_REASON_MAX, "keys");
	return reason >= 0 && reason < REVOKE_REASON_MAX ? keys[reason] : "unknown";
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

/* What the input chain lets every active device do: ask us for names (a question to anybody's port 53 has been
 * redirected to us), and ping us. */
static bool is_host_service(const struct revoke_env *env, const struct ct_flow *f)
{
	if (!is_local(env, &f->dst))
		return false;
	if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6)
		return true;
	for (uint32_t i = 0; i < env->n_tls_ports && f->proto == IPPROTO_TCP; i++)
		if (f->dport == env->tls_ports[i])
			return true;
	return (f->proto == IPPROTO_UDP || f->proto == IPPROTO_TCP) && f->dport == env->dns_port;
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

/* The rule with names that would open it now, whatever had opened it before; NULL: none. */
static const struct plan_rule *leased_by(const struct revoke_env *env, const struct plan_class *class,
					 const struct ct_flow *f)
{
	for (uint32_t i = 0; env->leases != NULL && i < class->n_name_rules; i++) {
		const struct plan_rule *rule = &env->plan->rules[class->name_rules[i]];

		if (plan_rule_serves(rule, f->proto, f->dport) &&
		    learned_has(env->leases, &f->src, &f->dst, rule->mark, env->now_us))
			return rule;
	}
	return NULL;
}

/* The deny on names that takes back what the flow's rule has opened. */
static const struct plan_rule *name_deny(const struct revoke_env *env, const struct ct_flow *f)
{
	const struct plan_rule *grant = plan_rule_by_mark(env->plan, f->mark & CT_MARK_MASK);

	return grant != NULL ? name_denied_since(env->plan, env->denies_of, &f->src, grant) : NULL;
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

/* A flow that stands for itself. */
static enum revoke_reason decide(const struct revoke_env *env, const struct ct_flow *flow)
{
	const struct plan *p = env->plan;
	const struct plan_addr *from = plan_addr_find(p, &flow->src);
	const struct plan_class *class;
	const struct plan_rule *name_rule, *lease_rule;
	const struct plan_box *box;

	if (is_local(env, &flow->src))
		return is_inactive(p, &flow->dst) ? REVOKE_INACTIVE : REVOKE_KEEP;
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
	if (box != NULL)
		return keep_or_astray(env, name_rule != NULL ? name_rule : &p->rules[box->rule], flow);
	lease_rule = leased_by(env, class, flow);
	if (lease_rule != NULL)
		return keep_or_astray(env, name_rule != NULL ? name_rule : lease_rule, flow);
	if (name_rule == NULL)
		return REVOKE_NO_RULE;
	return name_deny(env, flow) != NULL ? REVOKE_DENIED : keep_or_astray(env, name_rule, flow);
}

/* The flow that @flow was accepted for: itself, or the one that has announced it. The mark is handed down by the
 * kernel. */
static struct ct_flow principal(const struct ct_flow *flow)
{
	const struct ct_tuple *m = &flow->master;

	if (m->src.family == IP_NONE)
		return *flow;
	return (struct ct_flow){
		.src = m->src,
		.dst = m->dst,
		.proto = m->proto,
		.sport = m->sport,
		.dport = m->dport,
		.mark = flow->mark,
	};
}

enum revoke_reason revoke_decide(const struct revoke_env *env, const struct ct_flow *flow)
{
	const struct ct_flow judged = principal(flow);

	if (flow->master.src.family != IP_NONE &&
	    (is_inactive(env->plan, &flow->src) || is_inactive(env->plan, &flow->dst)))
		return REVOKE_INACTIVE;
	return decide(env, &judged);
}

static const struct plan_rule *rule_of_box(const struct plan *p, const struct ct_flow *f)
{
	const struct plan_addr *from = plan_addr_find(p, &f->src);
	const struct plan_box *box = from != NULL ? plan_box_find(p, from, &f->dst, f->proto, f->dport) : NULL;

	return box != NULL ? &p->rules[box->rule] : NULL;
}

/* The mark names the rule that has let the first packet through; where that rule has gone since, and another took it
 * over, the one that the old plan's tables find. */
static const struct plan_rule *permitted_by(const struct plan *old, const struct ct_flow *f)
{
	const struct plan_rule *rule = plan_rule_by_mark(old, f->mark & CT_MARK_MASK);

	if (rule == NULL)
		rule = rule_of_box(old, f);
	return rule != NULL && rule->action == PLAN_ACCEPT ? rule : NULL;
}

static const struct plan_device *device_of(const struct plan *p, const struct ct_flow *f)
{
	const struct plan_device *d = plan_device_find(p, &f->src);

	return d != NULL ? d : plan_device_find(p, &f->dst);
}

struct revoke_cut revoke_explain(const struct revoke_env *env, const struct ct_flow *flow, enum revoke_reason reason)
{
	const struct ct_flow judged = principal(flow);
	struct revoke_cut cut = { .reason = reason, .device = device_of(env->plan, &judged) };

	if (cut.device == NULL && env->old != NULL)
		cut.device = device_of(env->old, &judged);
	if (reason == REVOKE_DENIED)
		cut.refused = rule_of_box(env->plan, &judged);
	if (reason == REVOKE_DENIED && cut.refused == NULL)
		cut.refused = name_deny(env, &judged);
	if (env->old != NULL)
		cut.permitted = permitted_by(env->old, &judged);
	return cut;
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
	struct revoke_result *result = &revocation.result;
	int r = -EINTR;

	for (uint32_t i = 0; i < REVOKE_WALKS_MAX && r == -EINTR; i++) {
		uint32_t cut = 0;

		result->seen = result->by_reason[REVOKE_KEEP] = 0;
		r = conntrack_each(ct, judge, &revocation, &cut, e);
		result->cut += cut;
	}
	*ret = *result;
	return r;
}
