/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names seen: fed by NAME_SEEN messages, asked once for each new flow (recorder.c).
 *
 * A hash table with chains, over pairs (client, address), and one list through all pairs in order of use: when the
 * table is full the pair that was not used for longest goes. The hash is keyed (SipHash-2-4, key drawn at start):
 * clients choose the names and thereby the addresses, and could otherwise choose them to collide.
 *
 * A name is valid from when it was first seen to its last sight + TTL + grace. Two valid names at one time make the
 * flow ambiguous, even if one of them is only valid by grace: we do not guess. */
#include "recorder/names.h"

#include <sodium.h>

struct seen {
	char *name;
	uint64_t from_us, last_us, until_us;
};

struct pair {
	struct pair *chain;	    /* next in the bucket */
	struct pair *newer, *older; /* order of use */
	uint32_t bucket;
	struct ip_addr client, addr;
	uint8_t n_seen;
	struct seen seen[NAMES_PER_PAIR_MAX];
};

struct names {
	uint8_t key[crypto_shorthash_siphash24_KEYBYTES];
	struct pair **buckets;
	uint32_t n_buckets; /* a power of two */
	uint32_t count, max;
	uint64_t evicted;
	struct pair *newest, *oldest;
};

static uint32_t pair_bucket(const struct names *n, const struct ip_addr *client, const struct ip_addr *addr)
{
	uint8_t in[2 * sizeof(struct ip_addr)];
	uint8_t out[crypto_shorthash_siphash24_BYTES];
	uint32_t v;

	memcpy(in, client, sizeof(*client));
	memcpy(in + sizeof(*client), addr, sizeof(*addr));
	(void)crypto_shorthash_siphash24(out, in, sizeof(in), n->key);
	memcpy(&v, out, sizeof(v));
	return v & (n->n_buckets - 1);
}

static void pair_unlink(struct names *n, struct pair *p)
{
	*(p->newer != NULL ? &p->newer->older : &n->newest) = p->older;
	*(p->older != NULL ? &p->older->newer : &n->oldest) = p->newer;
	p->newer = p->older = NULL;
}

static void pair_link_newest(struct names *n, struct pair *p)
{
	p->older = n->newest;
	if (n->newest != NULL)
		n->newest->newer = p;
	n->newest = p;
	if (n->oldest == NULL)
		n->oldest = p;
}

static void pair_remove(struct names *n, struct pair *p)
{
	struct pair **at = &n->buckets[p->bucket];

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	pair_unlink(n, p);
	for (uint8_t i = 0; i < p->n_seen; i++)
		free(p->seen[i].name);
	free(p);
	n->count--;
}

struct names *names_new(uint32_t pairs_max)
{
	struct names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->max = pairs_max;
	n->n_buckets = 16;
	while (n->n_buckets < pairs_max)
		n->n_buckets *= 2;
	n->buckets = calloc(n->n_buckets, sizeof(struct pair *));
	if (n->buckets == NULL)
		return names_free(n);
	randombytes_buf(n->key, sizeof(n->key));
	return n;
}

struct names *names_free(struct names *n)
{
	if (n == NULL)
		return NULL;
	while (n->oldest != NULL)
		pair_remove(n, n->oldest);
	free(n->buckets);
	free(n);
	return NULL;
}

static struct pair *pair_find(const struct names *n, const struct ip_addr *client, const struct ip_addr *addr)
{
	struct pair *p = n->buckets[pair_bucket(n, client, addr)];

	while (p != NULL && (ip_addr_cmp(&p->client, client) != 0 || ip_addr_cmp(&p->addr, addr) != 0))
		p = p->chain;
	return p;
}

static struct pair *pair_new(struct names *n, const struct ip_addr *client, const struct ip_addr *addr)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	if (n->count >= n->max) {
		pair_remove(n, n->oldest);
		n->evicted++;
	}
	p->client = *client;
	p->addr = *addr;
	p->bucket = pair_bucket(n, client, addr);
	p->chain = n->buckets[p->bucket];
	n->buckets[p->bucket] = p;
	pair_link_newest(n, p);
	n->count++;
	return p;
}

static void seen_remove(struct pair *p, uint8_t i)
{
	free(p->seen[i].name);
	p->seen[i] = p->seen[--p->n_seen];
}

/* Room for one more name: what has ended goes, else the one seen longest ago. */
static void pair_make_room(struct names *n, struct pair *p, uint64_t now_us)
{
	uint8_t oldest = 0;

	for (uint8_t i = p->n_seen; i > 0; i--) {
		if (p->seen[i - 1].until_us < now_us)
			seen_remove(p, i - 1);
	}
	if (p->n_seen < NAMES_PER_PAIR_MAX)
		return;
	for (uint8_t i = 1; i < p->n_seen; i++) {
		if (p->seen[i].last_us < p->seen[oldest].last_us)
			oldest = i;
	}
	seen_remove(p, oldest);
	n->evicted++;
}

static struct seen *seen_find(struct pair *p, struct flow_text name)
{
	for (uint8_t i = 0; i < p->n_seen; i++) {
		struct seen *s = &p->seen[i];

		if (strlen(s->name) == name.len && memcmp(s->name, name.at, name.len) == 0)
			return s;
	}
	return NULL;
}

static void seen_extend(struct seen *s, uint64_t at_us, uint64_t until_us)
{
	if (at_us > s->until_us)
		s->from_us = at_us; /* it had ended: a flow in between was not led by it */
	if (at_us < s->from_us)
		s->from_us = at_us;
	if (at_us > s->last_us)
		s->last_us = at_us;
	if (until_us > s->until_us)
		s->until_us = until_us;
}

int names_add(struct names *n, const struct ip_addr *client, const struct ip_addr *addr, struct flow_text name,
	      uint64_t at_us, uint32_t ttl_s)
{
	uint64_t until_us = at_us + ttl_s * 1000000ull + NAMES_GRACE_US;
	struct pair *p;
	struct seen *s;
	char *copy;

	if (name.len == 0 || name.len > FLOW_TEXT_MAX || memchr(name.at, '\0', name.len) != NULL || n->max == 0)
		return -EINVAL;
	p = pair_find(n, client, addr);
	s = p != NULL ? seen_find(p, name) : NULL;
	if (s != NULL) {
		seen_extend(s, at_us, until_us);
		pair_unlink(n, p);
		pair_link_newest(n, p);
		return 0;
	}
	copy = strndup(name.at, name.len);
	if (copy != NULL && p == NULL)
		p = pair_new(n, client, addr);
	if (copy == NULL || p == NULL) {
		free(copy);
		return -ENOMEM;
	}
	pair_make_room(n, p, at_us);
	p->seen[p->n_seen++] = (struct seen){ .name = copy, .from_us = at_us, .last_us = at_us, .until_us = until_us };
	pair_unlink(n, p);
	pair_link_newest(n, p);
	return 0;
}

void names_find(struct names *n, const struct ip_addr *client, const struct ip_addr *addr, uint64_t when_us,
		struct name_evidence *ret)
{
	struct pair *p = pair_find(n, client, addr);
	const struct seen *best = NULL;
	uint16_t candidates = 0;

	for (uint8_t i = 0; p != NULL && i < p->n_seen; i++) {
		const struct seen *s = &p->seen[i];

		if (s->from_us > when_us || s->until_us < when_us)
			continue;
		candidates++;
		if (best == NULL || s->last_us > best->last_us)
			best = s;
	}
	*ret = (struct name_evidence){ .candidates = candidates, .name = best != NULL ? best->name : NULL };
	if (best == NULL)
		return;
	ret->evidence = candidates == 1 ? FLOW_EVIDENCE_EXACT : FLOW_EVIDENCE_AMBIGUOUS;
	pair_unlink(n, p);
	pair_link_newest(n, p);
}

uint32_t names_count(const struct names *n)
{
	return n->count;
}

uint64_t names_evicted(const struct names *n)
{
	return n->evicted;
}
