/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `ipsets`: ordered operations on sets of addresses, resolved to disjoint ranges. */
#pragma once

#include "policy/reader.h"

#define IPSET_ENTRIES_MAX                                                                                              \
	262144u /* of one set: more is what iplists are for, which are read from files of their own                    \
		 */
/* Sets within sets: a person's file goes two or three deep, and each level is a level of recursion. */
#define IPSET_DEPTH_MAX 32

/* @map: the member's node. Fills r->ipsets, which selectors look up; hosts must have been read. */
void ipsets_read(struct doc_reader *r, const struct hj_node *map);
