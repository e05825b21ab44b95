/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `ipsets`: ordered operations on sets of addresses, resolved to disjoint ranges. */
#pragma once

#include "policy/reader.h"

/* @map: the member's node. Fills r->ipsets, which selectors look up; hosts must have been read. */
void ipsets_read(struct doc_reader *r, const struct hj_node *map);
