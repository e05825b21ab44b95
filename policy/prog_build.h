/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing an nft program piece by piece, with an error that sticks: sets in any order, chains rule by rule. */
#pragma once

#include "sluice/plan.h"
#include "sluice/prog.h"

struct prog_build {
	struct arena *mem; /* of the program */
	struct nft_set *sets;
	struct nft_object *objects;
	struct nft_chain *chains;
	struct nft_rule *rules; /* of the chain that is being written */
	struct nft_stmt *stmts; /* of the rule that is being written */
	uint32_t n_sets, cap_sets, n_objects, cap_objects, n_chains, cap_chains, n_rules, cap_rules, n_stmts, cap_stmts;
	const char *tunnel; /* name of its interface */
	uint32_t gate_pass; /* as in struct nft_env */
	bool failed;	    /* out of memory */
};

void prog_build_done(struct prog_build *b);
/* In the program's arena; "" after a failure. */
const char *prog_name(struct prog_build *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Zeroed elements in the program's arena; NULL after a failure. */
struct nft_elem *prog_elems(struct prog_build *b, uint32_t n);
/* Sort by key, leave out what is there twice; how many are left. */
uint32_t prog_elems_sort(struct nft_elem *elems, uint32_t n);
void prog_set(struct prog_build *b, const struct nft_set *set);
void prog_object(struct prog_build *b, const struct nft_object *object);
/* Statements, then prog_rule() to end the rule, then prog_chain() to end the chain. */
void prog_stmt(struct prog_build *b, const struct nft_stmt *stmt);
void prog_rule(struct prog_build *b, const char *pos);
void prog_chain(struct prog_build *b, const struct nft_chain *chain);
/* Sets and objects sorted by name. @ret: the program, in its arena, which it owns from now on. 0 or -ENOMEM. */
int prog_finish(struct prog_build *b, struct nft_prog **ret);

/* Append a field's value at *at, padded as the kernel's registers are. */
void key_addr(struct nft_key *key, size_t *at, const struct ip_addr *addr);
void key_u8(struct nft_key *key, size_t *at, uint8_t value);
void key_u16(struct nft_key *key, size_t *at, uint16_t value);
void key_number(struct nft_key *key, size_t *at, uint32_t value, bool interval); /* of a set with intervals */
const char *nft_chain_type(const struct nft_chain *chain);			 /* as the kernel has it */
void key_ifname(struct nft_key *key, size_t *at, const char *name);
/* Bytes of a field in a key. */
size_t nft_field_room(enum nft_field field);
