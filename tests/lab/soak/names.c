/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TYPE_A	  1
#define TYPE_TXT  16
#define TYPE_AAAA 28

#define RCODE_NXDOMAIN 3

/* Short enough to expire many times in a run, different enough not to expire together. */
#define TTL_MIN_S  5
#define TTL_SPAN_S 56

/* A fault begins after two fifths of its period and lasts for one. */
#define FAULT_PARTS 5
#define FAULT_PART  2

static const char *const zones[SOAK_KIND_MAX] = {
	/* the number goes behind the first letter */
	[SOAK_PUBLIC] = "p.example.org",    [SOAK_SPLIT] = "s" SOAK_SPLIT_ZONE,	  [SOAK_BLOCKED] = "b.ads.example.net",
	[SOAK_RECORD] = "r.home.arpa",	    [SOAK_ALIAS] = "c.example.org",	  [SOAK_CLOAKED] = "k.example.org",
	[SOAK_MISSING] = "x.example.org",   [SOAK_NO_V6] = "v.example.org",	  [SOAK_LARGE] = "t.example.org",
	[SOAK_FLIP] = "f.flip.example.org", [SOAK_MOVED] = "g.moved.example.com",
};

void soak_name(enum soak_kind kind, unsigned int n, char ret[SOAK_NAME_MAX])
{
	const char *tail;

	assert(kind < SOAK_KIND_MAX);
	tail = strchr(zones[kind], '.');
	snprintf(ret, SOAK_NAME_MAX, "%c%u%s", zones[kind][0], n, tail);
}

static uint64_t name_hash(const char *name, enum soak_side side)
{
	uint64_t h = 14695981039346656037u ^ (side == SIDE_SPLIT ? 0x5bd1e9955bd1e995u : 0);

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 1099511628211u; /* FNV-1a */
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return h ^ h >> 32;
}

static void address(uint64_t h, enum soak_side side, bool v6, uint8_t ret[16])
{
	static const uint8_t public6[8] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0c }, split6[8] = { 0xfd, 0, 0, 5 };

	memset(ret, 0, 16);
	if (v6) {
		memcpy(ret, side == SIDE_SPLIT ? split6 : public6, 8);
		for (unsigned int i = 0; i < 8; i++)
			ret[8 + i] = (uint8_t)(h >> (8 * i));
		return;
	}
	/* 10.0.0.0/8 at home, 198.18.0.0/15 (RFC 2544) outside: the rebind guard lets the latter pass. */
	ret[0] = side == SIDE_SPLIT ? 10 : 198;
	ret[1] = side == SIDE_SPLIT ? (uint8_t)(h >> 16) : (uint8_t)(18 + (h >> 16 & 1));
	ret[2] = (uint8_t)(h >> 8);
	ret[3] = (uint8_t)h;
}

static void addresses(enum soak_side side, const char *name, bool v6, struct soak_want *ret)
{
	uint64_t h = name_hash(name, side);

	ret->v6 = v6;
	ret->n_addrs = 1 + (unsigned int)(h >> 40) % SOAK_ADDRS_MAX;
	for (unsigned int i = 0; i < ret->n_addrs; i++)
		address(h + i, side, v6, ret->addrs[i]);
}

static void target_of(const char *name, struct soak_want *ret)
{
	const char *digits = name + 1;
	int n = (int)strspn(digits, "0123456789");

	if (name[0] == 'c')
		snprintf(ret->target, sizeof(ret->target), "p%.*s.example.org", n, digits);
	else if (name[0] == 'k')
		snprintf(ret->target, sizeof(ret->target), "b%.*s.ads.example.net", n, digits);
}

void soak_zone(enum soak_side side, const char *name, uint16_t type, struct soak_want *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ttl_s = TTL_MIN_S + (uint32_t)(name_hash(name, SIDE_PUBLIC) % TTL_SPAN_S);
	if (name[0] == 'x') {
		ret->rcode = RCODE_NXDOMAIN;
		return;
	}
	target_of(name, ret);
	ret->text = name[0] == 't' && type == TYPE_TXT;
	if (name[0] == 't' || (type != TYPE_A && type != TYPE_AAAA) || (name[0] == 'v' && type == TYPE_AAAA))
		return;
	addresses(side, ret->target[0] != '\0' ? ret->target : name, type == TYPE_AAAA, ret);
}

static bool is_blocked(enum soak_kind kind, char policy)
{
	return kind == SOAK_BLOCKED || kind == SOAK_CLOAKED || (kind == SOAK_FLIP && policy == 'b');
}

void soak_expect(enum soak_kind kind, unsigned int n, uint16_t type, char policy, struct soak_want *ret)
{
	char name[SOAK_NAME_MAX];
	enum soak_side side = soak_side_of(kind, policy);

	soak_name(kind, n, name);
	if (side != SIDE_MAX) {
		soak_zone(side, name, type, ret);
		if (!is_blocked(kind, policy))
			return;
	}
	/* Blocked: the address of nobody. A record: 192.168.7.N by policy a, 192.168.8.N by policy b, IPv4 only. */
	memset(ret, 0, sizeof(*ret));
	ret->ttl_s = UINT32_MAX;
	ret->v6 = type == TYPE_AAAA;
	ret->n_addrs = kind == SOAK_RECORD && ret->v6 ? 0 : 1;
	if (kind == SOAK_RECORD && !ret->v6)
		memcpy(ret->addrs[0], (uint8_t[]){ 192, 168, policy == 'a' ? 7 : 8, (uint8_t)n }, 4);
}

enum soak_side soak_side_of(enum soak_kind kind, char policy)
{
	switch (kind) {
	case SOAK_SPLIT:
		return SIDE_SPLIT;
	case SOAK_MOVED:
		return policy == 'a' ? SIDE_SPLIT : SIDE_PUBLIC;
	case SOAK_BLOCKED:
	case SOAK_RECORD:
		return SIDE_MAX;
	case SOAK_PUBLIC:
	case SOAK_ALIAS:
	case SOAK_CLOAKED:
	case SOAK_MISSING:
	case SOAK_NO_V6:
	case SOAK_LARGE:
	case SOAK_FLIP:
	case SOAK_KIND_MAX:
		break;
	}
	return SIDE_PUBLIC;
}

enum soak_fault soak_fault(enum soak_side side, uint64_t ms, unsigned int period_s)
{
	uint64_t period_ms = (uint64_t)period_s * 1000, n = ms / period_ms;

	if (ms % period_ms * FAULT_PARTS / period_ms != FAULT_PART || n % SIDE_MAX != (uint64_t)side)
		return FAULT_NONE;
	return (enum soak_fault)(FAULT_NONE + 1 + n / SIDE_MAX % (FAULT_MAX - 1));
}

uint64_t soak_now_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
