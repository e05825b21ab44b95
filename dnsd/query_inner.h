/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A query under way, for those who decide about it: query.c (its life) and query_answer.c (its answer). */
#pragma once

#include "dnsd/blocked_text.h"
#include "dnsd/note.h"

/* How its answer differs from the one that is found. */
struct query_change {
	struct dname target;		 /* that is resolved instead of the name; .len 0: none */
	uint32_t ttl_s;			 /* of the alias to it */
	char text[DNS_EDE_TEXT_MAX + 1]; /* by which rule */
	struct noted_change noted;	 /* the same */
};

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
	/* Of the verdict on its name, by the views of .generation. */
	bool by_exception, personal;
	struct query_change *change; /* or NULL */
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

/* By a rule on the name itself, or on a part of the answer (@part; or NULL). */
void query_blocked_by(struct query *q, const struct view *view, const struct name_verdict *v,
		      const struct blocked_part *part);
/* What blocks the name, or lets it pass, for who asked by a trace. @t may be NULL. */
void query_trace_verdict(struct query_trace *t, const struct name_verdict *v);
/* The answer is in env->buf. Send it, or hold it until what it says is in the kernel. False: there was nothing to hold
 * it for. */
bool query_deliver(struct query *q, const struct view *view, const struct ip_addr *addrs, uint32_t n_addrs,
		   uint32_t ttl_s, int len);
/* An entry that is no failure, decided for this client: in the view of that number. */
void query_entry(struct query *q, uint32_t n_view, struct cache_entry *e);

/* What is looked for: the name that was asked, or the one that it was rewritten to. */
static inline const struct dname *query_name(const struct query *q)
{
	return q->change != NULL && q->change->target.len != 0 ? &q->change->target : &q->question.name;
}
/* The question for it: the client's, or @room, made of it. */
const struct question *query_asked(const struct query *q, struct question *room);
/* It has a .change; false when out of memory. */
bool query_change(struct query *q);
/* The answer of env->reply, changed: sent, or held. */
void query_changed(struct query *q, const struct view *view);

enum judged { JUDGED_PASSES = 0, JUDGED_TRIMMED, JUDGED_BLOCKED, JUDGED_MAX };

/* A verdict on a whole answer. */
struct judgement {
	enum judged is;
	bool personal;	       /* another client, or another transport, may be told otherwise */
	struct name_verdict v; /* on the first part that is forbidden */
	uint16_t type;	       /* of its record; then one of both: */
	bool is_addr;
	struct dname target;
	struct ip_addr addr;
};

/* On env->reply, with its addresses. @as asks for it. What is forbidden is left out of it; it is blocked as a whole
 * when an alias is forbidden, or nothing of what was asked for is left. @asked: see verdict_target(). */
void query_judge(struct query *q, const struct view *view, const struct question *as, const struct name_verdict *asked,
		 struct judgement *ret);
/* What is said of it. */
void judgement_part(const struct judgement *j, struct blocked_part *ret);

/* @v is DNS_REWRITE by rules. False: the name passes all the same. */
bool query_rewrite(struct query *q, const struct view_client *client, struct name_verdict *v);
/* From the cache, or asked for. */
void query_resolve(struct query *q, const struct view_client *client);
/* An answer to @as, which is never asked of an upstream, into env->buf. Its length; 0: it is asked as others. */
int query_special_write(struct query_env *env, const struct view *view, const struct question *as, size_t limit);
