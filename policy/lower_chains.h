/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The base chains of the table: the part that depends on the host, not on the policy. */
#pragma once

#include "policy/lower_nft.h"
#include "policy/prog_build.h"

/* Needs the sets and maps of devices (from4, dev4, off4 and those of IPv6; off* only where a device is not active), and
 * adds those of interfaces and networks. */
void lower_chains(struct prog_build *b, const struct nft_env *env);
