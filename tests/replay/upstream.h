/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Upstreams by script, behind dnsd/resolver.h: what is asked of them is looked up in the answers that the scenario has
 * given so far. A question for which there is none ends the scenario: it is a leak, or a question too many. */
#pragma once

#include "dnsd/resolver.h"
#include "message.h"

/* An upstream that says nothing: when the resolver itself gives up, long after the client was told. */
#define UPSTREAM_GIVE_UP_US 30000000u

struct upstream;

/* @now_us: kept; the scenario's clock. */
struct upstream *upstream_new(const uint64_t *now_us);
/* Ends the program when an answer marked "must" was never asked for. */
void upstream_done(struct upstream *u);
/* The directive now at work, for what a question says that must not be. */
void upstream_at(struct upstream *u, const struct step *s);

/* Directive "answer". */
void upstream_answer(struct upstream *u, const struct step *s);
/* Directive "asked": so many questions since the last one. */
void upstream_asked(struct upstream *u, const struct step *s);

/* A resolver for that route, asked by what is under test. @route: borrowed until the next upstream_route(). */
struct resolver *upstream_resolver(struct upstream *u, const struct route *route);
/* The route of newer views; NULL: it is not asked any more. */
void upstream_route(struct resolver *r, const struct route *route);

/* When the next answer is due; UINT64_MAX: none is under way. */
uint64_t upstream_due_us(const struct upstream *u);
/* Give the first answer that is due. False: there is none. */
bool upstream_deliver(struct upstream *u);
