/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy's rules with their selectors resolved: sources to devices, destinations to addresses. */
#pragma once

#include "policy/boxes.h"
#include "policy/select.h"

struct ruleset_rule {
	const struct doc_rule *doc;
	const uint64_t *srcs; /* active devices that it concerns */
	bool deny;
	bool self;			  /* a destination is autogroup:self: its addresses depend on who asks */
	const struct box_clause *clauses; /* destinations that do not */
	uint32_t n_clauses;
	uint32_t first, n_parts; /* its rules of the plan */
};

struct ruleset {
	const struct ruleset_rule *rules; /* those of the document, in order */
	uint32_t n_rules;
	struct plan_rule *plan_rules;
	uint32_t n_plan_rules;
};

/* @mem: what the plan keeps; @tmp: the rest. 0 or -ENOMEM. */
int ruleset_new(struct arena *mem, struct arena *tmp, const struct directory *dir, const struct doc_policy *p,
		struct ruleset *ret);
/* The clauses of @rule's destinations that are autogroup:self, for a device of @user. In @tmp. */
int ruleset_self(struct arena *tmp, const struct directory *dir, const struct ruleset_rule *rule, const char *user,
		 const struct box_clause **ret, uint32_t *ret_n);
