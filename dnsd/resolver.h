/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One libunbound context on one worker's event loop, for one plan of upstreams. */
#pragma once

#include <pthread.h>

#include "base/err.h"
#include "filter/view.h"

struct event_base;
struct resolver;

/* The configuration text that these views' upstreams and splits mean; equal texts mean the same resolver. @ret:
 * returned, free(). Pure but for looking whether the trust anchor and the certificate bundle exist. */
int resolver_config(const struct views *v, char **ret, struct err *e);

/* @v, @config: the views and their resolver_config(), borrowed. @config_lock: libunbound reads configurations with
 * global state, set up and taken down by any context; shared by all workers, must outlive the resolver. @base: kept. */
int resolver_new(struct event_base *base, const struct views *v, const char *config, pthread_mutex_t *config_lock,
		 struct resolver **ret, struct err *e);
/* Not from a callback, and not while resolver_busy(). NULL is fine; returns NULL. */
struct resolver *resolver_free(struct resolver *r);
bool resolver_same(const struct resolver *r, const char *config);
uint32_t resolver_busy(const struct resolver *r);

enum resolver_security { RESOLVER_INSECURE = 0, RESOLVER_BOGUS, RESOLVER_SECURE };

/* An answer, or its absence: @msg NULL means SERVFAIL. Borrowed during the call. @why: of bogus answers, or NULL. */
typedef void resolver_done_fn(void *arg, const uint8_t *msg, size_t len, enum resolver_security security,
			      const char *why);

/* Resolve in class IN. @done is called exactly once when this returns 0, possibly before it returns; never when it
 * returns negative errno. */
int resolver_ask(struct resolver *r, const struct dname *name, uint16_t type, resolver_done_fn *done, void *arg);
