/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One libunbound context on one worker's event loop, for one route. resolver.c says what its functions mean. */
#pragma once

#include "dnsd/resolver.h"

struct recursor;

/* The configuration text that the route means; equal texts mean the same recursor. @ret: returned, free(). Pure. */
int recursor_config(const struct route *route, char **ret, struct err *e);

/* @config_lock: libunbound reads configurations with global state, set up and taken down by any context; shared by all
 * workers, must outlive the recursor. @base: kept. */
int recursor_new(struct event_base *base, const struct route *route, pthread_mutex_t *config_lock,
		 struct recursor **ret, struct err *e);
/* Not from a callback, and not while recursor_busy(). NULL is fine; returns NULL. */
struct recursor *recursor_free(struct recursor *r);
uint32_t recursor_busy(const struct recursor *r);
int recursor_ask(struct recursor *r, const struct dname *name, uint16_t type, resolver_done_fn *done, void *arg);
