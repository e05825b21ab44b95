/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules with names have in the kernel's program: sets of learned addresses, and of services. */
#pragma once

#include "policy/lower_nft.h"
#include "policy/prog_build.h"

/* A statement that looks (source, destination) up in a learned set. */
struct nft_stmt learned_stmt(struct prog_build *b, uint32_t mark, uint8_t family, bool invert);
void learned_set(struct prog_build *b, uint32_t mark, uint8_t family);
void service_set(struct prog_build *b, const struct plan_rule *r);
