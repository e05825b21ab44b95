/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Against floods of random names below one zone, from however many clients (one client has limits of its own: client.h,
 * ratelimit.h). BIND's fetches-per-zone and unbound's ratelimit are the same idea; theirs are off, as an authority's
 * customers are hurt; ours counts what is under way, not what is asked, so that it never meets a zone that answers.
 *
 * A zone's cut is not known before it is asked for. It is taken to be below a public suffix, which is one label, or two
 * where the last has two letters and the one before at most three (co.uk, com.au, ne.jp): zone = suffix and one more.
 * In "arpa" it is four labels (a /16 of IPv4). Where the guess is too short neighbours share 512 places; where it is
 * too long (short names below a country's domain, x.ibm.de) each name is a zone, and only the limits of clients hold.
 *
 * Counted in two rows of a fixed table by a keyed hash; the smaller of the two counts (count-min): who collides in both
 * shares a limit, and nobody outside knows who does. */
#include "dnsd/zone_load.h"

#include <sodium.h>

#define TICKET_BITS 12u

static_assert(ZONE_LOAD_SLOTS == 1u << TICKET_BITS, "two slots and a mark fit a ticket");
static_assert(crypto_shorthash_KEYBYTES == sizeof(((struct zone_load *)0)->key), "SipHash");

void zone_load_init(struct zone_load *z)
{
	memset(z, 0, sizeof(*z));
	randombytes_buf(z->key, sizeof(z->key));
}

static uint8_t zone_labels(const struct dname *n)
{
	uint8_t len;
	const uint8_t *last, *second;

	if (n->labels < 3)
		return n->labels;
	last = dname_suffix(n, (uint8_t)(n->labels - 1), &len);
	if (last[0] == 4 && memcmp(last + 1, "arpa", 4) == 0)
		return n->labels < 4 ? n->labels : 4;
	second = dname_suffix(n, (uint8_t)(n->labels - 2), &len);
	return last[0] == 2 && second[0] <= 3 ? 3 : 2;
}

bool zone_enter(struct zone_load *z, const struct dname *name, uint32_t *ret_ticket)
{
	uint8_t len;
	const uint8_t *zone = dname_suffix(name, (uint8_t)(name->labels - zone_labels(name)), &len);
	uint32_t hash[2];
	uint16_t *a, *b;

	(void)crypto_shorthash((uint8_t *)hash, zone, len, z->key);
	a = &z->under_way[0][hash[0] % ZONE_LOAD_SLOTS];
	b = &z->under_way[1][hash[1] % ZONE_LOAD_SLOTS];
	if ((*a < *b ? *a : *b) >= ZONE_LOAD_MAX) {
		z->refused++;
		return false;
	}
	++*a;
	++*b;
	*ret_ticket = 1u << 2 * TICKET_BITS | (hash[0] % ZONE_LOAD_SLOTS) << TICKET_BITS | hash[1] % ZONE_LOAD_SLOTS;
	return true;
}

void zone_leave(struct zone_load *z, uint32_t ticket)
{
	if (ticket == 0)
		return;
	z->under_way[0][ticket >> TICKET_BITS & (ZONE_LOAD_SLOTS - 1)]--;
	z->under_way[1][ticket & (ZONE_LOAD_SLOTS - 1)]--;
}
