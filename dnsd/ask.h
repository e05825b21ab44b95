/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages from clients, on their way to an answer that is there or to a query that looks for one. */
#pragma once

#include "dnsd/query.h"

struct ask_message {
	const uint8_t *msg;
	size_t len;
	struct ip_addr addr; /* whose it is */
	struct query_from from;
};

/* Messages that came together, at most ASK_BATCH. For each env->send() is called once, now or later, or never when it
 * is dropped. */
void ask_batch(struct query_env *env, const struct ask_message *messages, uint32_t n);
/* One alone. False: env->send() is not called, and what is in .from stays the caller's. */
bool ask(struct query_env *env, const struct ask_message *message);

/* A popular answer in the last tenth of its life is asked for again before it ends. */
bool ask_ahead_due(const struct query_env *env, const struct cache_entry *e);
/* Last thing to be done with @e: the resolver may answer at once, and put another in its place. */
void ask_ahead(struct query_env *env, const struct view *view, const struct cache_key *key, uint64_t hash,
	       struct cache_entry *e);
