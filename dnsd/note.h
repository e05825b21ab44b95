/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is kept of a question and its answer: counters, times, frames for dnstap, records for the recorder. Called where
 * they come and leave; of what an administrator asks (query_from.trace) nothing is kept. */
#pragma once

#include "dnsd/query.h"

/* A message of a registered client. */
void note_question(struct query_env *env, const struct query_from *from, const struct view_client *client,
		   const uint8_t *msg, size_t len);
/* One that gets no answer. */
void note_dropped(struct query_env *env, const struct query_from *from, enum dns_outcome outcome);

/* A rule that a question passed by, in the numbers of the views of that generation. */
struct noted_reason {
	enum verdict_by by; /* VERDICT_BY_NONE: there was none */
	uint32_t list, line;
	uint64_t generation;
};

/* The same of a rule that has rewritten or trimmed the answer, with its text. */
struct noted_change {
	struct noted_reason reason;
	char rule[VERDICT_RULE_MAX];
};

struct noted_answer {
	enum dns_outcome outcome;
	uint16_t type;			    /* that was asked */
	uint64_t came_us;		    /* when the question was read; CLOCK_MONOTONIC */
	const uint8_t *msg;		    /* borrowed */
	int len;			    /* 0 or less: there is none, for want of memory or room */
	const char *rule;		    /* that blocks the name, or NULL */
	const struct view_client *client;   /* of the views of now; NULL: looked up by its address */
	const struct dname *name;	    /* that was asked; NULL: not told to the recorder */
	const struct name_verdict *verdict; /* that blocked it, or NULL; borrowed */
	const struct noted_change *change;  /* or NULL; borrowed */
	struct noted_reason excepted;
	struct ip_addr upstream; /* that gave the answer to this question; IP_NONE: none, or not known */
	uint16_t upstream_port;
};

/* A question with that outcome is told to the recorder: what the level of the view's clients allows. @changed: a rule
 * has rewritten or trimmed its answer. */
static inline bool note_wants(const struct view *view, enum dns_outcome outcome, bool changed)
{
	if (view->queries == LOG_LEVEL_OFF)
		return false;
	return view->queries != LOG_LEVEL_BLOCKED || changed || outcome == DNS_OUTCOME_BLOCKED ||
	       outcome == DNS_OUTCOME_REBIND;
}

static inline struct noted_reason note_reason(const struct query_env *env, const struct name_verdict *v)
{
	return (struct noted_reason){ .by = v->by,
				      .list = v->by == VERDICT_BY_LIST || v->by == VERDICT_BY_SAFE ? v->match.hit.list
												   : 0,
				      .line = v->line,
				      .generation = env->views->generation };
}

/* What let a question pass, of its verdict. */
static inline struct noted_reason note_exception(const struct query_env *env, const struct name_verdict *v)
{
	return v->by_exception ? note_reason(env, v) : (struct noted_reason){ 0 };
}

static inline void note_change(const struct query_env *env, const struct name_verdict *v, struct noted_change *ret)
{
	ret->reason = note_reason(env, v);
	(void)verdict_rule(v, ret->rule, sizeof(ret->rule));
}

/* It is about to leave for @addr. */
void note_answer(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		 const struct noted_answer *a);
