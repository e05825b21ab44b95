/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The policy's rules with their selectors resolved: sources to devices, destinations to addresses. */
#pragma once

#include "policy/boxes.h"
#include "policy/select.h"

struct ruleset_rule {
	const struct doc_rule *doc;
	const uint64_t *srcs; /* sources that it concerns, of active devices */
	/* Its `dns:` destinations concern devices: one asks and connects from whichever of its addresses. NULL: none.
	 */
	const uint64_t *name_srcs;
	const uint64_t *closed_srcs; /* devices for which its addresses are closed, in answers, too. NULL: none are */
	bool deny;
	bool self;			  /* a destination is autogroup:self: what it means depends on who asks */
	const struct box_clause *clauses; /* sorted by layer */
	uint32_t n_clauses;
	uint32_t first, n_parts; /* its rules of the plan */
};

struct ruleset {
	const struct ruleset_rule *rules; /* those of the document, in order */
	uint32_t n_rules;
	struct plan_rule *plan_rules;
	uint32_t n_plan_rules;
	struct dst_lists lists; /* of the clauses' addresses */
	struct dst_cells cells; /* into which those of the layers up to autogroup:self divide the address space */
};

/* @mem: what the plan keeps; @tmp: the rest. Released with ruleset_done(), also after a failure. 0 or -ENOMEM. */
int ruleset_new(struct arena *mem, struct arena *tmp, const struct directory *dir, const struct doc_policy *p,
		struct ruleset *ret);
void ruleset_done(struct ruleset *set);

struct clause_list {
	struct box_clause *items;
	uint32_t n, cap;
};

void clause_list_done(struct clause_list *l);
/* The clauses of the layers @from to @to that concern @source, in order of precedence: what refuses, what accepts. What
 * was in @l is gone. 0 or -ENOMEM. */
int ruleset_clauses(const struct ruleset *set, uint32_t source, enum layer from, enum layer to, struct clause_list *l);
/* The lists (bits) of all clauses of these layers, in @tmp. 0 or -ENOMEM. */
int ruleset_lists(struct arena *tmp, const struct ruleset *set, enum layer from, enum layer to, uint64_t **ret);
