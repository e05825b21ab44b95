/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What gatewayd asks of dnsd beside its work: main gives a copy to each worker that is concerned, which fills it in and
 * gives it back; main adds them up and answers. */
#pragma once

#include "dnsd/query.h"

/* Under way at once: gatewayd has as many clients at its control socket. */
#define COMMANDS_MAX 32u

/* One worker's part. Owned by whoever holds it; travels by mail. */
struct command {
	struct msg_dns_command ask;
	uint32_t worker;
	struct dname name; /* of ask.name; unset: none */
	int status;	   /* 0 or negative errno */
	/* status */
	struct stats stats;
	struct cache_size cache;
	uint32_t under_way;
	uint64_t generation;
	struct msg_dns_upstream *upstreams; /* calloc'ed */
	uint32_t n_upstreams;
	/* cache, flush */
	struct msg_dns_entry *entries; /* calloc'ed */
	uint32_t n_entries;
	uint64_t flushed;
	bool made_anew; /* a resolver with a cache of its own, without what it knew */
	/* lookup */
	struct query_trace trace;
	uint64_t began_us;
	struct msg_dns_found found;
	uint8_t *answer; /* malloc'ed */
};

/* @ask: copied. 0; -ENOMEM; -EBADMSG: gatewayd says nonsense. */
int command_new(const struct msg_dns_command *ask, uint32_t worker, struct command **ret, struct err *e);
struct command *command_free(struct command *c); /* NULL is fine; returns NULL */

/* In the worker's thread: fill in what is asked. False: a look-up, which ends with command_answered(). */
bool command_run(struct command *c, struct query_env *env);
/* The answer to its question; @len 0: there is none. */
void command_answered(struct command *c, const struct query_env *env, const uint8_t *msg, size_t len);

struct commands;

/* How main sends to gatewayd. */
typedef void command_send_fn(void *arg, enum msg_type type, const void *body, size_t len);

struct commands *commands_new(command_send_fn *send, void *arg);
/* Begin @ask with @n_workers parts to come. -EBUSY: too many are under way, and that is said. */
int commands_begin(struct commands *cs, const struct msg_dns_command *ask, uint32_t n_workers);
/* A part is done (taken): with the last, gatewayd has its answer. @age_us: of dnsd. */
void commands_part(struct commands *cs, struct command *c, uint64_t age_us);
