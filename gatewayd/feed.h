/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each child is given when it starts and when the plan changes, and what it may tell us. */
#pragma once

#include "gatewayd/engine.h"

/* For supervise_new(), barrier_new(): @arg is the engine. */
extern const struct supervise_ops feed_children;
extern const struct barrier_ops feed_barrier;

/* A connection to a reader of dnstap for one of dnsd's workers: see tap.h; @arg is the engine. */
int feed_tap(void *arg, uint32_t worker, int fd);
/* The nflog socket, opened since the start, to the recorder that is up. */
void feed_drops(struct engine *e);
/* The secret of DNS cookies to the dnsd that is up, when it was due to be made anew. */
void feed_cookie_keys(struct engine *e);
/* The running views and log plan to the children that are up. */
void feed_plan(struct engine *e);
