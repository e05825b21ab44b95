/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reference evaluator: walks the documents, rule by rule, and shares nothing with the compiler but the documents.
 * Slow, short and obviously right; kernel and plan are tested against it. */
#pragma once

#include "policy/compile.h"

struct packet {
	struct ip_addr src, dst;
	uint8_t proto;
	uint16_t port;		  /* 0 for protocols without ports */
	const struct dname *name; /* the name under which the client was given dst, or NULL */
	bool stand_in;		  /* dst stands for whatever the name leads to: no country, network or list holds it */
};

struct verdict {
	enum plan_action action;
	char rule[32];	     /* "/grants/0"; empty when no rule decided */
	char reason[192];    /* one sentence */
	const char *unknown; /* "geo:KP": whose addresses would have to be known to tell; dropped then. NULL: none */
};

/* How near a rule came to a packet. */
struct rule_look {
	const struct doc_rule *rule;
	bool matches;
	bool in_hours; /* it has no schedule, or one of them holds */
	const struct selector
		*src;		   /* the source that is this packet's; NULL: none is, and nothing else was looked at */
	const struct doc_dst *dst; /* the destination that came nearest; NULL: none */
	bool by_name;		   /* one of its names covers it, with its services; .dst may be another */
	bool to, service;	   /* .dst covers the address (or name); its services cover protocol and port */
	const char *guard;	   /* it would cover the address but for this guard, or NULL */
	const char *unknown;	   /* it cannot be told, for want of these addresses, or NULL */
};

void evaluate_packet(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		     const struct packet *pkt, struct verdict *ret);

/* The same verdict, and a look at every rule: @ret has room for p->n_rules. */
void evaluate_explain(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		      const struct packet *pkt, struct rule_look *ret, struct verdict *ret_verdict);

/* The way out that an accepted packet takes, by a look at every rule; NULL: the host's own. Names choose before
 * addresses, among both the first rule. */
const char *evaluate_egress(const struct rule_look *looks, uint32_t n);

#define RULE_POS_MAX  32
#define LOOK_TEXT_MAX 512 /* a sentence with two selectors */

/* "/grants/0". Returns @buf. */
const char *evaluate_rule_pos(const struct doc_rule *rule, char buf[RULE_POS_MAX]);
/* "source yes (group:family), destination no (geo:DE), protocol and port yes". Returns @buf. */
const char *evaluate_look_print(const struct rule_look *l, char buf[LOOK_TEXT_MAX]);
/* Of rules that accept, the one that came nearest without a match, borrowed; NULL: none is about the device. */
const struct rule_look *evaluate_nearest(const struct rule_look *looks, uint32_t n);

/* What DNS says to a name of a test at a time (as compile_env.at_s). Supplied by whoever has the lists; 1 = blocked,
 * 0 = passes, negative = cannot tell (then the test is reported as not run). */
typedef int (*dns_test_fn)(void *arg, int64_t at_s, const struct ip_addr *client, const struct dname *name);

/* Run the policy's own `tests` and `sshTests`; each failure is an error in @diags at the place of the target, saying
 * expected, got, and the rule that decided. Schedules are judged at the time of the test's "at", else at env->at_s.
 * @plan: compiled from the two, or NULL; where it can tell that a test holds the evaluator is not asked, which matters
 * between thousands of devices. @dns may be NULL. Returns the number of failures. */
uint32_t evaluate_tests(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
			const struct plan *plan, dns_test_fn dns, void *dns_arg, struct diag_list *diags);

/* The part of evaluate_tests() that is about logins. */
uint32_t evaluate_ssh_tests(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
			    struct diag_list *diags);

/* Does @sel, as a source, mean packets from this address of a device? Its state is not asked. */
bool evaluate_sends(const struct doc_policy *p, const struct selector *sel, const struct doc_device *dev,
		    const struct ip_addr *src);
/* Does @sel mean this device, by who it is or by any of its addresses? */
bool evaluate_selects(const struct doc_policy *p, const struct selector *sel, const struct doc_device *dev);
/* Both are untagged devices of one user: what autogroup:self means. A device is its own. */
bool evaluate_same_user(const struct doc_device *from, const struct doc_device *to);
/* One of the schedules holds at env->at_s, or there is none. */
bool evaluate_in_hours(const struct doc_policy *p, const struct compile_env *env, const struct doc_when *when);
/* The filter that decides for @dev, first match on src, or NULL. */
const struct doc_filter *evaluate_filter(const struct doc_policy *p, const struct compile_env *env,
					 const struct doc_device *dev);
/* Active, and not expired by @env's clock. */
bool evaluate_active(const struct doc_device *dev, const struct compile_env *env);
