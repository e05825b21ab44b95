/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is kept of a question and its answer: counters, times, and frames for dnstap. Called where they come and leave;
 * of what an administrator asks (query_from.trace) nothing is kept. */
#pragma once

#include "dnsd/query.h"

/* A message of a registered client. */
void note_question(struct query_env *env, const struct query_from *from, const struct view_client *client,
		   const uint8_t *msg, size_t len);
/* One that gets no answer. */
void note_dropped(struct query_env *env, const struct query_from *from, enum dns_outcome outcome);

struct noted_answer {
	enum dns_outcome outcome;
	uint16_t type;	    /* that was asked */
	uint64_t came_us;   /* when the question was read; CLOCK_MONOTONIC */
	const uint8_t *msg; /* borrowed */
	int len;	    /* 0 or less: there is none, for want of memory or room */
	const char *rule;   /* that blocks the name, or NULL */
};

/* It is about to leave for @addr. */
void note_answer(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		 const struct noted_answer *a);
