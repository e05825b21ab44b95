/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy's own `tests` (syntax.md 3.1.7), run by the reference evaluator before a policy is taken.
 *
 * A test speaks of who may reach what, so it is asked for every device that its source means and every address that
 * its target means, and holds only if it holds for all of them. Devices that are not active are left out: to
 * quarantine one must not make the policy itself fail. A test that concerns nobody is reported as not run. */
#include "policy/evaluate.h"

#define PROTO_TCP 6
#define PROTO_UDP 17

struct run {
	const struct doc_policy *p;
	const struct doc_devices *d;
	struct compile_env env; /* of the test: its time */
	struct diag_list *diags;
	const struct plan *plan; /* NULL: none that is of use */
	bool *held; /* of each class of the plan and family: the target at hand was asked from it, and it held */
	const struct doc_test *test;
	uint32_t n_failed;
};

/* Stand-ins for whatever a name resolves to: documentation addresses, which are public to every rule and to the guard
 * (RFC 5737, RFC 3849). */
static const struct ip_addr somewhere4 = { .family = IP_V4, .bytes = { 203, 0, 113, 1 } };
static const struct ip_addr somewhere6 = { .family = IP_V6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };

static const char *const action_words[] = {
	[PLAN_ACCEPT] = "accept",
	[PLAN_DROP] = "drop",
	[PLAN_REJECT] = "reject",
};
static_assert(ARRAY_LEN(action_words) == PLAN_ACTION_MAX, "words");

/* The address from which the device would ask, one that the test's source means: a test of an address is about it and
 * not about the device's others. */
static const struct ip_addr *addr_of_family(const struct run *run, const struct doc_device *dev, uint8_t family)
{
	for (uint32_t i = 0; i < dev->n_addrs; i++) {
		if (dev->addrs[i].family == family && !ip_addr_is_loopback(&dev->addrs[i]) &&
		    evaluate_sends(run->p, &run->test->src, dev, &dev->addrs[i]))
			return &dev->addrs[i];
	}
	return NULL;
}

/* Without a protocol either TCP or UDP satisfies "accept"; "deny" needs both refused: the same question. Where both
 * are, TCP has the word, as that is what most tests mean. */
static void ask(const struct run *run, struct packet *pkt, struct verdict *ret)
{
	struct verdict udp;

	pkt->proto = run->test->proto != 0 ? run->test->proto : PROTO_TCP;
	evaluate_packet(run->p, run->d, &run->env, pkt, ret);
	if (run->test->proto != 0 || ret->action == PLAN_ACCEPT)
		return;
	pkt->proto = PROTO_UDP;
	evaluate_packet(run->p, run->d, &run->env, pkt, &udp);
	if (udp.action == PLAN_ACCEPT)
		*ret = udp;
	else
		pkt->proto = PROTO_TCP;
}

static bool box_accepts(const struct plan *plan, const struct plan_addr *from, const struct packet *pkt, uint8_t proto)
{
	const struct plan_box *box = plan_box_find(plan, from, &pkt->dst, proto, pkt->port);

	return box != NULL && plan->rules[box->rule].action == PLAN_ACCEPT;
}

/* The plan says that the test holds. Where it says something else, or knows less than the evaluator (devices that are
 * not active by a clock that does not count here, names), the evaluator has the word, and the reasons. */
static bool plan_holds(const struct run *run, const struct packet *pkt, bool accept)
{
	const struct plan_addr *from = run->plan != NULL ? plan_addr_find(run->plan, &pkt->src) : NULL;
	const struct plan_addr *to = from != NULL ? plan_addr_find(run->plan, &pkt->dst) : NULL;
	bool accepted;

	if (from == NULL || pkt->name != NULL || run->plan->classes[from->class_id].quarantined ||
	    run->plan->classes[from->class_id].resolve_first ||
	    (to != NULL && run->plan->classes[to->class_id].quarantined))
		return false;
	if (run->test->proto != 0)
		accepted = box_accepts(run->plan, from, pkt, run->test->proto);
	else
		accepted = box_accepts(run->plan, from, pkt, PROTO_TCP) || box_accepts(run->plan, from, pkt, PROTO_UDP);
	return accepted == accept;
}

static const struct doc_rule *rule_at(const struct run *run, const char *pos)
{
	char buf[RULE_POS_MAX];

	for (uint32_t i = 0; i < run->p->n_rules; i++) {
		if (strcmp(evaluate_rule_pos(&run->p->rules[i], buf), pos) == 0)
			return &run->p->rules[i];
	}
	return NULL;
}

/* The rule that decided, or the one that came nearest: a place to look at. */
static void relate(struct run *run, struct diag *d, const struct packet *pkt, const struct verdict *v)
{
	CLEANUP(freep) struct rule_look *looks = calloc((size_t)run->p->n_rules + 1, sizeof(*looks));
	char pos[RULE_POS_MAX], text[LOOK_TEXT_MAX];
	const struct doc_rule *rule = rule_at(run, v->rule);
	const struct rule_look *near;
	struct verdict again;
	const char *msg;

	if (rule != NULL) {
		diag_relate(d, run->p->src, rule->span, "this rule decided");
		return;
	}
	if (looks == NULL)
		return;
	evaluate_explain(run->p, run->d, &run->env, pkt, looks, &again);
	near = evaluate_nearest(looks, run->p->n_rules);
	if (near == NULL)
		return;
	msg = arena_printf(run->diags->mem, "%s came nearest: %s", evaluate_rule_pos(near->rule, pos),
			   evaluate_look_print(near, text));
	if (msg != NULL)
		diag_relate(d, run->p->src, near->rule->span, msg);
}

static void report(struct run *run, const struct doc_device *dev, const struct doc_test_target *target, bool accept,
		   const struct packet *pkt, const struct verdict *v)
{
	char number[16], src[IP_TEXT_MAX], dst[IP_TEXT_MAX];
	struct diag *d;

	(void)snprintf(number, sizeof(number), "protocol %u", pkt->proto);
	run->n_failed++;
	d = diag_add(run->diags, DIAG_ERROR, "P0801", run->p->src, target->span,
		     "test failed: %s to %s: expected %s, got %s for %s from %s to %s port %u (%s)", dev->name,
		     target->text, accept ? "accept" : "deny", action_words[v->action],
		     pkt->proto == PROTO_TCP   ? "tcp"
		     : pkt->proto == PROTO_UDP ? "udp"
					       : number,
		     ip_addr_print(&pkt->src, src), ip_addr_print(&pkt->dst, dst), pkt->port, v->reason);
	if (d != NULL)
		relate(run, d, pkt, v);
}

/* One address of the target, from @dev. Returns true when there was something to ask. */
static bool ask_addr(struct run *run, const struct doc_device *dev, const struct doc_test_target *target, bool accept,
		     const struct packet *to)
{
	const struct ip_addr *src = addr_of_family(run, dev, to->dst.family);
	struct packet pkt = *to;
	struct verdict v;

	if (src == NULL)
		return false;
	pkt.src = *src;
	pkt.port = target->port;
	if (plan_holds(run, &pkt, accept))
		return true;
	ask(run, &pkt, &v);
	if (v.unknown != NULL)
		diag_add(run->diags, DIAG_WARNING, "P0804", run->p->src, target->span,
			 "test not run: %s to %s hangs on the addresses of %s, which are not known here", dev->name,
			 target->text, v.unknown);
	else if ((v.action == PLAN_ACCEPT) != accept)
		report(run, dev, target, accept, &pkt, &v);
	return true;
}

/* The name that a `dns:` target asks for; `*.x` stands for a name below x. */
static int target_name(const struct selector *sel, struct dname *ret)
{
	char below[DNAME_TEXT_MAX + 8], text[DNAME_TEXT_MAX];
	int len;

	if (!sel->dns.below) {
		*ret = sel->dns.name;
		return 0;
	}
	len = snprintf(below, sizeof(below), "any.%s", dname_print(&sel->dns.name, text));
	return dname_parse(below, (size_t)len, ret);
}

static bool ask_name(struct run *run, const struct doc_device *dev, const struct doc_test_target *target, bool accept)
{
	struct dname name;
	struct packet pkt = { .dst = addr_of_family(run, dev, IP_V4) != NULL ? somewhere4 : somewhere6,
			      .name = &name,
			      .stand_in = true };

	return target_name(&target->sel, &name) == 0 && ask_addr(run, dev, target, accept, &pkt);
}

/* A target of people or tags: all addresses of their active devices. */
static bool ask_devices(struct run *run, const struct doc_device *dev, const struct doc_test_target *target,
			bool accept)
{
	bool asked = false;

	for (uint32_t i = 0; i < run->d->n_devices; i++) {
		const struct doc_device *to = &run->d->devices[i];

		if (!evaluate_active(to, &run->env) || !evaluate_selects(run->p, &target->sel, to))
			continue;
		for (uint32_t k = 0; k < to->n_addrs; k++) {
			struct packet pkt = { .dst = to->addrs[k] };

			if (ip_addr_is_loopback(&pkt.dst))
				continue;
			asked = ask_addr(run, dev, target, accept, &pkt) || asked;
		}
	}
	return asked;
}

static bool ask_target(struct run *run, const struct doc_device *dev, const struct doc_test_target *target, bool accept)
{
	if (target->sel.kind == SEL_DNS)
		return ask_name(run, dev, target, accept);
	if (target->sel.kind == SEL_PREFIX) {
		struct packet pkt = { .dst = target->sel.prefix.addr };

		return ask_addr(run, dev, target, accept, &pkt);
	}
	return ask_devices(run, dev, target, accept);
}

static bool is_source(const struct run *run, const struct doc_device *dev)
{
	return evaluate_active(dev, &run->env) && evaluate_selects(run->p, &run->test->src, dev);
}

/* Where it is kept that this source's class was asked from that family; NULL: others of it may be answered otherwise.
 */
static bool *held_of(const struct run *run, const struct ip_addr *src)
{
	const struct plan_addr *from = run->plan != NULL ? plan_addr_find(run->plan, src) : NULL;
	const struct plan_class *class = from != NULL ? &run->plan->classes[from->class_id] : NULL;

	return class != NULL && !class->quarantined && class->n_self == 0
		       ? &run->held[from->class_id * 2 + (src->family == IP_V6)]
		       : NULL;
}

/* Sources of a class are answered alike (but for names, which are refused device by device): it is enough to ask one.
 * Who fails is told of each. Returns true when there was something to ask. */
static bool ask_source(struct run *run, const struct doc_device *dev, const struct doc_test_target *target, bool accept)
{
	const struct ip_addr *srcs[] = { addr_of_family(run, dev, IP_V4), addr_of_family(run, dev, IP_V6) };
	uint32_t before = run->n_failed;
	bool held = target->sel.kind != SEL_DNS;

	for (size_t i = 0; i < ARRAY_LEN(srcs); i++) {
		const bool *of = srcs[i] != NULL ? held_of(run, srcs[i]) : NULL;

		held = held && (srcs[i] == NULL || (of != NULL && *of));
	}
	if (held)
		return true;
	if (!ask_target(run, dev, target, accept))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(srcs) && run->n_failed == before; i++) {
		bool *of = srcs[i] != NULL ? held_of(run, srcs[i]) : NULL;

		if (of != NULL)
			*of = true;
	}
	return true;
}

static void run_targets(struct run *run, const struct doc_test_target *targets, uint32_t n, bool accept)
{
	for (uint32_t t = 0; t < n; t++) {
		bool asked = false;

		if (run->plan != NULL)
			memset(run->held, 0, run->plan->n_classes * 2 * sizeof(*run->held));
		for (uint32_t i = 0; i < run->d->n_devices; i++) {
			if (is_source(run, &run->d->devices[i]))
				asked = ask_source(run, &run->d->devices[i], &targets[t], accept) || asked;
		}
		if (!asked)
			diag_add(run->diags, DIAG_WARNING, "P0802", run->p->src, targets[t].span,
				 "test not run: \"%s\" has no address that a device of \"%s\" could ask for",
				 targets[t].text, run->test->src.text);
	}
}

static void run_dns(struct run *run, const struct doc_test_target *targets, uint32_t n, bool block, dns_test_fn dns,
		    void *dns_arg)
{
	for (uint32_t t = 0; t < n; t++) {
		const struct doc_test_target *target = &targets[t];
		int said = -ENOTSUP;

		for (uint32_t i = 0; i < run->d->n_devices; i++) {
			const struct doc_device *dev = &run->d->devices[i];

			if (dev->n_addrs == 0 || !is_source(run, dev) || dns == NULL)
				continue;
			said = dns(dns_arg, run->env.at_s, &dev->addrs[0], &target->sel.dns.name);
			if (said < 0)
				break;
			if ((said != 0) == block)
				continue;
			run->n_failed++;
			diag_add(run->diags, DIAG_ERROR, "P0801", run->p->src, target->span,
				 "test failed: DNS of %s for %s: expected %s, got %s", dev->name, target->text,
				 block ? "block" : "pass", block ? "pass" : "block");
		}
		if (said < 0)
			diag_add(run->diags, DIAG_WARNING, "P0803", run->p->src, target->span,
				 "test not run: the DNS lists are not loaded here");
	}
}

/* A user whom the device list would know, if there were one: then a test of him is a misspelt one, and a test that
 * silently does not run is worse than none. Lists without "users" know only owners of devices: nothing is said there.
 */
static bool is_unknown_user(const struct run *run, const struct selector *sel)
{
	if (sel->kind != SEL_USER || run->d->users == NULL || run->d->users[0] == NULL)
		return false;
	for (uint32_t i = 0; run->d->users[i] != NULL; i++) {
		if (strcmp(run->d->users[i], sel->name) == 0)
			return false;
	}
	for (uint32_t i = 0; i < run->d->n_devices; i++) {
		if (run->d->devices[i].user != NULL && strcmp(run->d->devices[i].user, sel->name) == 0)
			return false;
	}
	return true;
}

/* True when a user of the test is unknown, which was reported. */
static bool users_unknown(struct run *run, const struct doc_test_target *targets, uint32_t n)
{
	bool unknown = false;

	for (uint32_t i = 0; i < n; i++) {
		if (!is_unknown_user(run, &targets[i].sel))
			continue;
		diag_add(run->diags, DIAG_ERROR, "P0805", run->p->src, targets[i].span,
			 "test failed: no user is called %s in the device list", targets[i].sel.name);
		run->n_failed++;
		unknown = true;
	}
	return unknown;
}

static bool test_users_unknown(struct run *run)
{
	const struct doc_test *t = run->test;
	struct doc_test_target src = { .span = t->src.span, .sel = t->src };
	bool unknown = users_unknown(run, &src, 1);

	unknown = users_unknown(run, t->accept, t->n_accept) || unknown;
	return users_unknown(run, t->deny, t->n_deny) || unknown;
}

static bool has_source(const struct run *run)
{
	for (uint32_t i = 0; i < run->d->n_devices; i++) {
		if (is_source(run, &run->d->devices[i]))
			return true;
	}
	return false;
}

/* With schedules a plan is of one time, and tests have times of their own; without all addresses it cannot be used. */
static bool is_of_use(const struct plan *plan, const struct doc_policy *p)
{
	return plan != NULL && p->n_zones == 0 && p->n_needs == 0;
}

uint32_t evaluate_tests(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
			const struct plan *plan, dns_test_fn dns, void *dns_arg, struct diag_list *diags)
{
	CLEANUP(freep) bool *held = is_of_use(plan, p) ? calloc((size_t)plan->n_classes * 2 + 1, sizeof(*held)) : NULL;
	struct run run = { .p = p, .d = d, .env = *env, .diags = diags, .held = held };

	/* Out of memory it only takes longer. */
	if (held != NULL)
		run.plan = plan;
	for (uint32_t i = 0; i < p->n_tests; i++) {
		run.test = &p->tests[i];
		run.env.at_s = run.test->at_s != 0 ? run.test->at_s : env->at_s;
		if (test_users_unknown(&run))
			continue;
		if (!has_source(&run)) {
			diag_add(diags, DIAG_WARNING, "P0802", p->src, run.test->src.span,
				 "test not run: no active device is \"%s\"", run.test->src.text);
			continue;
		}
		run_targets(&run, run.test->accept, run.test->n_accept, /* accept= */ true);
		run_targets(&run, run.test->deny, run.test->n_deny, /* accept= */ false);
		run_dns(&run, run.test->dns_block, run.test->n_dns_block, /* block= */ true, dns, dns_arg);
		run_dns(&run, run.test->dns_pass, run.test->n_dns_pass, /* block= */ false, dns, dns_arg);
	}
	return run.n_failed + evaluate_ssh_tests(p, d, env, diags);
}
