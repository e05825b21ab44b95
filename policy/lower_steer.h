/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of the kernel's program that leads packets out of the host by other ways than its own: in it only where some
 * rule asks for one. docs/architecture.md has the chains. */
#pragma once

#include "policy/lower_nft.h"
#include "policy/prog_build.h"

#define STEER_DECIDE "steer_decide" /* the scratch number is the mark of the rule that will decide */
#define STEER_MAIN   "steer_main"   /* no way of its own */
#define SET_STEERED  "steered"	    /* ct marks of rules with ways of their own */

struct steering {
	struct prog_build *b;
	const struct plan *p;
	const struct nft_env *env;
	const bool *used; /* rules that some class refers to */
};

/* Some rule in use has a way out of its own. */
bool steer_wanted(const struct steering *s);
/* Where a packet goes that this rule will accept, before it is routed. */
const char *steer_of_rule(const struct steering *s, uint32_t rule);
/* Ways, and who goes by which; -ENOENT with @e: a way that the host does not have. */
int steer_ways(const struct steering *s, struct err *e);
/* The base chains. After the classes' chains for steering and the map "steering" of their numbers. */
void steer_hooks(const struct steering *s);
