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
};

struct verdict {
	enum plan_action action;
	char rule[32];	  /* "/grants/0"; empty when no rule decided */
	char reason[192]; /* one sentence */
};

void evaluate_packet(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		     const struct packet *pkt, struct verdict *ret);

/* What DNS says to a name of a test. Supplied by whoever has the lists; 1 = blocked, 0 = passes, negative = cannot tell
 * (then the test is reported as not run). */
typedef int (*dns_test_fn)(void *arg, const struct ip_addr *client, const struct dname *name);

/* Run the policy's own `tests`; each failure is an error in @diags at the place of the target, saying expected, got,
 * and the rule that decided. @dns may be NULL. Returns the number of failures. */
uint32_t evaluate_tests(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
			dns_test_fn dns, void *dns_arg, struct diag_list *diags);

/* Does @sel, as a source, mean this device? Its state is not asked. */
bool evaluate_selects(const struct doc_policy *p, const struct selector *sel, const struct doc_device *dev);
/* Active, and not expired by @env's clock. */
bool evaluate_active(const struct doc_device *dev, const struct compile_env *env);
