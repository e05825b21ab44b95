/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Destinations in the kernel's program: addresses to numbers, and numbers with services to rules. */
#pragma once

#include "policy/prog_build.h"

/* The chain that ends look-ups of boxes: the scratch number is the mark of the rule that decides. */
#define CHAIN_DECIDE "decide"

/* Addresses by themselves are in a hash (one of a hundred thousand devices is put in or taken out at no cost),
 * stretches in a tree. Both are asked; an address is in one of them at most. */
struct numbering {
	const struct plan_dsts *dsts;
	const char *one, *net; /* names of their maps, but for the family */
	const char *chain;     /* that writes a packet's number, 0 = none */
};

struct numbering numbering_named(const struct plan *p);
struct numbering numbering_wide(const struct plan *p);
struct numbering numbering_level(struct prog_build *b, const struct plan *p, uint32_t level); /* of .members */
/* Its maps and its chain; nothing where nothing is numbered. */
void numbering_lower(struct prog_build *b, const struct numbering *numbering);

/* Destination . protocol . port to the mark of the rule. */
struct box_map {
	const char *name;
	const struct plan_dsts *dsts;
	const struct plan_box *boxes;
	uint32_t n;
	const struct plan_rule *rules;
	const char *const *pos; /* of the rules, in the program's arena */
};

/* Nothing for no boxes. */
void boxes_map(struct prog_build *b, const struct box_map *map);
/* Rules that number the destination and look it up in the map @name: what is found there decides, in the chain @decide.
 * @numbering: chain. */
void boxes_lookup(struct prog_build *b, const char *numbering, const char *name, const char *decide);

/* A rule that sets the scratch number to 0, and one that sets it to what @set has for @field. */
void number_clear(struct prog_build *b);
void number_of(struct prog_build *b, const char *set, enum nft_field field);
void prog_jump(struct prog_build *b, const char *chain);

static inline enum nft_field daddr_of(uint8_t family)
{
	return family == IP_V4 ? NFT_F_IP_DADDR : NFT_F_IP6_DADDR;
}

static inline enum nft_field saddr_of(uint8_t family)
{
	return family == IP_V4 ? NFT_F_IP_SADDR : NFT_F_IP6_SADDR;
}

static inline int digit_of(uint8_t family)
{
	return family == IP_V4 ? 4 : 6;
}
