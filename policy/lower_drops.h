/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happens to a packet that is refused: it is counted by reason and, where somebody asked for it, told of. */
#pragma once

#include "policy/lower_nft.h"
#include "policy/prog_build.h"
#include "sluice/drop.h"

/* Chains that count, tell and drop: a verdict to go to. */
#define CHAIN_NO_RULE	  "no_rule"
#define CHAIN_UNSEEN	  "unseen"
#define CHAIN_QUARANTINED "quarantined"
#define CHAIN_UNKNOWN	  "unknown"
#define CHAIN_SPOOFED	  "spoofed"

/* Are refused packets of a device told of at this level of its flows? */
bool drops_level_tells(enum log_level level);
/* Is there a device whose refused packets are told of? */
bool drops_recorded(const struct plan *p, const struct nft_env *env);
/* Counters, limits, the set of devices whose drops are recorded, and the chains above. */
void lower_drops(struct prog_build *b, const struct plan *p, const struct nft_env *env);
/* Rules that tell of a packet that a deny refuses, if its device has asked for that; after drops_recorded(). */
void drops_log_deny(struct prog_build *b, uint32_t mark, const char *pos);
/* Counts a packet that is refused for this reason; not DROP_DENY. */
void drops_count(struct prog_build *b, enum drop_reason reason);
