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

struct revoke_env {
	const struct plan *plan;      /* the new one */
	const struct plan *old;	      /* the one before, or NULL */
	const struct learned *leases; /* or NULL: nothing is known of what resolve-first devices were given */
	uint64_t now_us;
	const struct ip_prefix *tunnel_nets;
	uint32_t n_tunnel_nets;
	/* Addresses of this host: flows that it began itself are not touched; DNS and echo to it are the devices'
	 * right. */
	const struct ip_addr *local;
	uint32_t n_local;
	uint16_t dns_port; /* dnsd's */
};

/* Pure. Flows that are nobody's of ours are kept. */
enum revoke_reason revoke_decide(const struct revoke_env *env, const struct ct_flow *flow);

struct revoke_result {
	uint32_t seen; /* flows looked at, of devices and others */
	uint32_t cut;
	uint32_t by_reason[REVOKE_REASON_MAX];
};

/* @fn (may be NULL): told of each flow that is cut. On error some may have been cut already; run it again. */
int revoke_flows(struct conntrack *ct, const struct revoke_env *env,
		 void (*fn)(void *arg, const struct ct_flow *flow, enum revoke_reason reason), void *arg,
		 struct revoke_result *ret, struct err *e);
