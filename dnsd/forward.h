/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The forwarder: a route whose upstreams all resolve for us. One a route and worker, behind resolver.h. */
#pragma once

#include "dnsd/resolver.h"

/* Questions under way; 1 kB each. As many as there are clients' queries (query.h). */
#define FORWARD_ASKS_MAX 4096u
/* A question ends before the client is told that nobody answered (query.h: QUERY_DEADLINE_US), so that it hears why. */
#define FORWARD_DEADLINE_US 3500000u
#define FORWARD_TRIES_MAX   8u /* of one question at one upstream after the other */

struct forward;

/* Whether the route is one for us: nothing of it is resolved from the root. */
bool forward_can(const struct route *route);
/* @route: copied. @bundle: file of certificates for upstreams with TLS; borrowed. @base: kept. */
int forward_new(struct event_base *base, const struct route *route, const char *bundle, struct forward **ret,
		struct err *e);
struct forward *forward_free(struct forward *f); /* not while it is busy; NULL is fine; returns NULL */
uint32_t forward_busy(const struct forward *f);
/* As resolver_ask(). */
int forward_ask(struct forward *f, const struct dname *name, uint16_t type, uint16_t flags, bool dnssec_ok,
		resolver_done_fn *done, void *arg);
/* As resolver_status(). */
uint32_t forward_status(const struct forward *f, struct upstream_status *ret, uint32_t max);
/* Datagrams that came to a port of ours and answered nothing: strangers' and late ones. */
uint64_t forward_ignored(const struct forward *f);
