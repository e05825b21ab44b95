/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker's table of clients that have something under way: as small as that is, since entries go when nothing is.
 * Chained hashing without a key: what is in it is bounded by the worker's own limits (QUERIES_MAX, TCP_CONNS_MAX), so a
 * crafted collision costs a walk of that many entries at most. */
#include "dnsd/client.h"

#include <netinet/in.h>

#define BUCKETS 1024u /* a quarter of the queries that may be under way */

struct client_table {
	struct client_load *buckets[BUCKETS];
};

struct client_table *client_table_new(void)
{
	return calloc(1, sizeof(struct client_table));
}

struct client_table *client_table_free(struct client_table *t)
{
	if (t == NULL)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct client_load *c = t->buckets[i], *next; c != NULL; c = next) {
			next = c->next;
			free(c);
		}
	}
	free(t);
	return NULL;
}

static struct client_load **bucket_of(struct client_table *t, const struct ip_addr *addr)
{
	uint32_t h = addr->family;

	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		h = (h ^ addr->bytes[i]) * 16777619u; /* FNV-1a */
	return &t->buckets[(h ^ h >> 16) % BUCKETS];
}

struct client_load *client_get(struct client_table *t, const struct ip_addr *addr)
{
	struct client_load **bucket = bucket_of(t, addr), *c = *bucket;

	while (c != NULL && ip_addr_cmp(&c->addr, addr) != 0)
		c = c->next;
	if (c != NULL)
		return c;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->addr = *addr;
	c->next = *bucket;
	*bucket = c;
	return c;
}

void client_put(struct client_table *t, struct client_load *c)
{
	struct client_load **at;

	if (c->queries != 0 || c->conns != 0)
		return;
	at = bucket_of(t, &c->addr);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

struct ip_addr client_addr(const union socket_address *sa)
{
	if (sa->any.sa_family == AF_INET)
		return ip_addr_from_bytes((const uint8_t *)&sa->v4.sin_addr, 4);
	if (sa->any.sa_family != AF_INET6)
		return (struct ip_addr){ .family = IP_NONE };
	if (IN6_IS_ADDR_V4MAPPED(&sa->v6.sin6_addr))
		return ip_addr_from_bytes(sa->v6.sin6_addr.s6_addr + 12, 4);
	return ip_addr_from_bytes(sa->v6.sin6_addr.s6_addr, 16);
}
