/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands around the code under test: views compiled from a policy, one resolver a route, the kernel's side of the
 * barrier, the clients. The clock stands still but for "wait". */
#pragma once

#include "dnsd/query.h"
#include "upstream.h"

#define WORLD_LISTS_MAX	 8u
#define WORLD_ASKS_MAX	 400u
#define WORLD_LEARNS_MAX 64u

/* One question of a client. */
struct asking {
	const struct step *step;
	const char *label; /* "as=LABEL", or NULL */
	struct ask ask;
	bool tcp, dropped, answered, checked;
	uint8_t *msg; /* the answer */
	size_t len;
};

struct learned {
	struct msg_learn_add head;
	uint32_t marks[LEARN_RULES_MAX];
	struct ip_addr addrs[LEARN_ADDRS_MAX];
	bool checked;
};

enum gateway_mode { GATEWAY_ACKS = 0, GATEWAY_HOLDS, GATEWAY_FAILS };

struct world {
	const char *path;
	uint64_t now_us;
	struct upstream *upstream;
	struct query_env *env;
	struct views *views;
	void *lists_image;
	struct resolver *retired[ROUTES_MAX * 8];
	unsigned n_retired;
	uint32_t n_resolvers; /* since the start: their numbers */
	uint64_t generation;
	char *policy;  /* HuJSON */
	char *devices; /* of "devices", between its brackets; NULL: those of README.md */
	const struct step *lists[WORLD_LISTS_MAX];
	unsigned n_lists;
	int gateway_fd;
	enum gateway_mode gateway;
	int gateway_status; /* of ACKs while GATEWAY_FAILS */
	uint64_t held_ids[WORLD_LEARNS_MAX];
	unsigned n_held;
	struct learned learned[WORLD_LEARNS_MAX];
	unsigned n_learned;
	struct asking asks[WORLD_ASKS_MAX];
	unsigned n_asks;
};

void world_open(struct world *w, const char *path);
/* Let everything come to its end; fails for what was answered or learned and not looked at. */
void world_close(struct world *w, const struct step *last);

/* Views of .policy and .devices, in force at once. */
void world_views(struct world *w, const struct step *s);
/* All that is due now. */
void world_turn(struct world *w);
/* Move the clock, stopping wherever something is due. */
void world_wait(struct world *w, uint64_t us);
/* ACKs that were held back. */
void world_ack(struct world *w);
