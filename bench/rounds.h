/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several gateways measured in turn: each ruleset is loaded in a process with a network of its own, and they are asked
 * for a round one after another, so that what else the machine does meanwhile is met by all. */
#pragma once

#include "docs.h"

#define ROUNDS_VALUES_MAX 8

/* What a gateway has in its kernel: "none"; "nat": masquerade, and so conntrack, alone; "plan:DIR": the policy of DIR
 * ("gate:DIR": with the gate) (see policy_gen) as we load it; "rules:DIR": the same written by hand, DIR/rules.nft. */
struct ruleset {
	struct plan *plan; /* for the devices' addresses; NULL: none */
	bool nat;	   /* what is sent to the world is translated */
};

/* Into the network namespace of the process, whose tunnel is called wg0. Ends the program when it fails. */
struct ruleset ruleset_load(const char *spec);
/* Address of some device, by any number; without a policy one of 100.64.0.0/10. */
struct ip_addr ruleset_device(const struct ruleset *r, uint32_t number);

struct rounds_of {
	void *(*begin)(const char *spec);	  /* in the process: network and ruleset */
	void (*round)(void *ctx, double *values); /* one round */
	void (*end)(void *ctx);
	uint32_t n_values;
	uint32_t n_rounds; /* and one before them, to warm up */
};

/* @ret: medians of each value, for each spec; free(). */
double (*rounds_run(const struct rounds_of *of, char *const *specs, uint32_t n))[ROUNDS_VALUES_MAX];

/* Zeroed; ends the program when there is no memory. */
void *zeroed(size_t n, size_t size);
double wall_us(void);
/* Processor time of this process, in user and kernel. */
double cpu_us(void);
struct ip_addr addr_v4(uint32_t a);
