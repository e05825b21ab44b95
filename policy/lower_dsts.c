/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by lower_nft.c: see there for the way of a packet, and docs/architecture.md for the sets and chains. */
#include "policy/lower_dsts.h"

#include <inttypes.h>

struct numbering numbering_named(const struct plan *p)
{
	return (struct numbering){ &p->named, "to", "tonet", "dst_named" };
}

struct numbering numbering_wide(const struct plan *p)
{
	return (struct numbering){ &p->wide, "wide", "widenet", "dst_wide" };
}

struct numbering numbering_level(struct prog_build *b, const struct plan *p, uint32_t level)
{
	return (struct numbering){ &p->members.levels[level], prog_name(b, "in%" PRIu32 "_", level),
				   prog_name(b, "innet%" PRIu32 "_", level), prog_name(b, "dst_in%" PRIu32, level) };
}

static bool is_one(const struct ip_range *r)
{
	return ip_addr_cmp(&r->first, &r->last) == 0;
}

static uint32_t count_ranges(const struct plan_dsts *d, uint8_t family, bool one)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_ranges; i++)
		n += d->ranges[i].range.first.family == family && is_one(&d->ranges[i].range) == one;
	return n;
}

void number_of(struct prog_build *b, const char *set, enum nft_field field)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_NUMBER_OF, .set = set, .fields = { field }, .n_fields = 1 });
	prog_rule(b, NULL);
}

void number_clear(struct prog_build *b)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_NUMBER });
	prog_rule(b, NULL);
}

/* The map of one family's single addresses or stretches, and the rule that asks it; nothing when there are none. */
static void dst_map(struct prog_build *b, const struct numbering *numbering, uint8_t family, bool one)
{
	const struct plan_dsts *d = numbering->dsts;
	uint32_t n = count_ranges(d, family, one);
	const char *name = prog_name(b, "%s%d", one ? numbering->one : numbering->net, digit_of(family));
	struct nft_elem *elems = prog_elems(b, n);

	if (n == 0 || elems == NULL)
		return;
	n = 0;
	for (uint32_t i = 0; i < d->n_ranges; i++) {
		const struct plan_dst_range *r = &d->ranges[i];
		size_t lo = 0, hi = 0;

		if (r->range.first.family != family || is_one(&r->range) != one)
			continue;
		key_addr(&elems[n].lo, &lo, &r->range.first);
		key_addr(&elems[n].hi, &hi, &r->range.last);
		elems[n++].number = d->ids[r->dst];
	}
	prog_set(b, &(struct nft_set){
			    .name = name,
			    .fields = { daddr_of(family) },
			    .n_fields = 1,
			    .map = NFT_MAP_NUMBER,
			    .interval = !one,
			    .elems = elems,
			    .n_elems = n,
		    });
	number_of(b, name, daddr_of(family));
}

void numbering_lower(struct prog_build *b, const struct numbering *numbering)
{
	static const uint8_t families[] = { IP_V4, IP_V6 };

	if (numbering->dsts->n == 0)
		return;
	number_clear(b);
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		dst_map(b, numbering, families[f], /* one= */ false);
		dst_map(b, numbering, families[f], /* one= */ true);
	}
	prog_chain(b, &(struct nft_chain){ .name = numbering->chain });
}

void boxes_map(struct prog_build *b, const struct box_map *map)
{
	struct nft_elem *elems = prog_elems(b, map->n);

	if (map->n == 0 || elems == NULL)
		return;
	for (uint32_t i = 0; i < map->n; i++) {
		const struct plan_box *box = &map->boxes[i];
		struct nft_elem *el = &elems[i];
		size_t lo = 0, hi = 0;

		key_number(&el->lo, &lo, map->dsts->ids[box->dst], /* interval= */ true);
		key_u8(&el->lo, &lo, box->service.proto);
		key_u16(&el->lo, &lo, box->service.port_lo);
		key_number(&el->hi, &hi, map->dsts->ids[box->dst], /* interval= */ true);
		key_u8(&el->hi, &hi, box->service.proto);
		key_u16(&el->hi, &hi, box->service.port_hi);
		el->number = map->rules[box->rule].mark;
		el->pos = map->pos[box->rule];
	}
	prog_elems_sort(elems, map->n);
	prog_set(b, &(struct nft_set){
			    .name = map->name,
			    .fields = { NFT_F_NUMBER, NFT_F_L4PROTO, NFT_F_TH_DPORT },
			    .n_fields = 3,
			    .map = NFT_MAP_NUMBER,
			    .interval = true,
			    .elems = elems,
			    .n_elems = map->n,
		    });
}

void prog_jump(struct prog_build *b, const char *chain)
{
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_JUMP, .chain = chain });
	prog_rule(b, NULL);
}

void boxes_lookup(struct prog_build *b, const char *numbering, const char *name, const char *decide)
{
	prog_jump(b, numbering);
	prog_stmt(b, &(struct nft_stmt){
			     .kind = NFT_S_NUMBER_OF,
			     .set = name,
			     .fields = { NFT_F_NUMBER, NFT_F_L4PROTO, NFT_F_TH_DPORT },
			     .n_fields = 3,
		     });
	prog_stmt(b, &(struct nft_stmt){ .kind = NFT_S_VERDICT, .verdict = NFT_V_GOTO, .chain = decide });
	prog_rule(b, NULL);
}
