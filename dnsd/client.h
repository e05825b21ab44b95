/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who asks: the address of a peer, and how much it has under way at one worker. */
#pragma once

#include "base/sockaddr.h"

#define CLIENT_QUERIES_MAX                                                                                             \
	256u		     /* a quarter-second of a busy household at 1,000 a second; beyond: dropped, it retries */
#define CLIENT_CONNS_MAX 16u /* TCP: browsers and stubs keep one or two */

struct client_load {
	struct client_load *next;
	struct ip_addr addr;
	uint32_t queries, conns;
};

struct client_table;

struct client_table *client_table_new(void);
struct client_table *client_table_free(struct client_table *t);
/* Found or made; borrowed until client_put() finds both counters 0. NULL when out of memory. */
struct client_load *client_get(struct client_table *t, const struct ip_addr *addr);
void client_put(struct client_table *t, struct client_load *c);

/* IPv4-mapped becomes IPv4. Family IP_NONE when it is neither. */
struct ip_addr client_addr(const union socket_address *sa);
