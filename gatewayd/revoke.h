/* SPDX-License-Identifier: GPL-3.0-or-later */
/* After a change of plan: cut exactly the live flows of devices that the new plan does not allow. Non-logging. */
#pragma once

#include "gatewayd/conntrack.h"
#include "gatewayd/learned.h"
#include "sluice/plan.h"

enum revoke_reason {
	REVOKE_KEEP = 0,
	REVOKE_UNKNOWN_DEVICE, /* the source is no device (any more) */
	REVOKE_INACTIVE,       /* quarantined, pending, expired: the source or the destination */
	REVOKE_DENIED,	       /* a rule refuses it */
	REVOKE_NO_RULE,	       /* no rule allows it */
	REVOKE_NOT_RESOLVED,   /* the device is resolve-first since this plan, and was not given that address */
	REVOKE_OTHER_WAY,      /* allowed, but its rule has another way out than it was begun with */
	REVOKE_REASON_MAX
};
const char *revoke_reason_name(enum revoke_reason reason); /* "unknown device" ... */
const char *revoke_reason_key(enum revoke_reason reason);  /* "unknown_device" ..., in answers and logs: they stay */

struct revoke_env {
	const struct plan *plan;      /* the new one */
	const struct plan *old;	      /* the one before, or NULL */
	const struct plan *denies_of; /* the one whose denies on names the leases know of, or NULL: all of the new */
	const struct learned *leases; /* or NULL: nothing is known of what resolve-first devices were given */
	uint64_t now_us;
	const struct ip_prefix *tunnel_nets;
	uint32_t n_tunnel_nets;
	/* Addresses of this host: flows that it began itself are not touched; DNS and echo to it are the devices'
	 * right. */
	const struct ip_addr *local;
	uint32_t n_local;
	uint16_t dns_port;	   /* dnsd's */
	const uint16_t *tls_ports; /* its TCP ports with TLS */
	uint32_t n_tls_ports;
};

/* Pure. Flows that are nobody's of ours are kept. */
enum revoke_reason revoke_decide(const struct revoke_env *env, const struct ct_flow *flow);

/* What is said of a flow that is cut. Everything is borrowed from the plans. */
struct revoke_cut {
	enum revoke_reason reason;
	const struct plan_device *device;  /* whose flow it is, by the new plan, else by the old one; NULL: nobody's */
	const struct plan_rule *refused;   /* the rule that refuses it now; NULL: none, it is that no rule allows it */
	const struct plan_rule *permitted; /* the rule that had allowed it; NULL: not known */
};
/* Pure. @reason: what revoke_decide() said of it. */
struct revoke_cut revoke_explain(const struct revoke_env *env, const struct ct_flow *flow, enum revoke_reason reason);

/* An interrupted walk is repeated so often. The kernel (6.18) marks no dump of this table; a piece gets lost only where
 * memory is short, and then waiting (the caller's second look) helps more than insisting. */
#define REVOKE_WALKS_MAX 4

struct revoke_result {
	uint32_t seen; /* flows looked at, of devices and others */
	uint32_t cut;
	uint32_t by_reason[REVOKE_REASON_MAX]; /* of those looked at; one that ended by itself meanwhile counts, too */
};

/* @fn (may be NULL): told of each flow that is cut, just before. On error (-EINTR: the walks were interrupted) some may
 * have been cut already, and others may be left: run it again. */
int revoke_flows(struct conntrack *ct, const struct revoke_env *env,
		 void (*fn)(void *arg, const struct ct_flow *flow, enum revoke_reason reason), void *arg,
		 struct revoke_result *ret, struct err *e);
