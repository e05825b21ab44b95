/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A query under way, for those who decide about it: query.c (its life) and query_answer.c (its answer). */
#pragma once

#include "dnsd/note.h"

struct query {
	struct query *prev, *next; /* in one of env's queues, or .next in env->unused */
	struct query_env *env;
	struct query_from from;
	struct ip_addr client;
	struct client_load *load;
	enum dns_outcome outcome;	     /* as far as it is known: of the answer that is sent next */
	uint64_t came_us, asked_us, held_us; /* when it was read, went to a resolver, was held */
	const char *rule;		     /* that blocks it; while it is answered */
	const struct name_verdict *verdict;  /* the same */
	struct noted_reason excepted;	     /* that let it pass */
	uint64_t generation;		     /* of the views that let it pass */
	uint32_t resolver;		     /* number of the one that was asked */
	struct question question;
	uint64_t deadline_us; /* while it waits for a resolver */
	bool stale;	      /* an answer that has expired was there when it was asked */
	struct fetch_wait wait;
	struct learn_held held;
	uint8_t *answer; /* while held */
	size_t answer_len;
};

/* The most bytes that its client takes. */
size_t query_limit(const struct query *q);
/* Its last word; it is gone behind these. @msg may be env->buf; @len 0 or less: nothing is sent. */
void query_send(struct query *q, const uint8_t *msg, int len);
void query_error(struct query *q, uint32_t rcode, int ede, const char *text);
void query_blocked(struct query *q, const struct view *view, const struct name_verdict *v, enum dns_outcome outcome,
		   const char *text);
/* Give it back to those that are unused. */
void query_release(struct query *q);

/* By a rule on the name itself. */
void query_blocked_by(struct query *q, const struct view *view, const struct name_verdict *v);
/* What blocks the name, or lets it pass, for who asked by a trace. @t may be NULL. */
void query_trace_verdict(struct query_trace *t, const struct name_verdict *v);
/* The answer is in env->buf. Send it, or hold it until what it says is in the kernel. False: there was nothing to hold
 * it for. */
bool query_deliver(struct query *q, const struct view *view, const struct ip_addr *addrs, uint32_t n_addrs,
		   uint32_t ttl_s, int len);
/* An entry that is no failure, decided for this client: in the view of that number. */
void query_entry(struct query *q, uint32_t n_view, struct cache_entry *e);
