/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Destinations by the lists that hold them: see struct plan_members. */
#pragma once

#include "policy/boxes.h"

/* Lists that hold one address, at most: each costs a packet that begins a flow two look-ups. */
#define MEMBER_LEVELS_MAX 32u

/* The numberings of those lists that are in @use (bits); what @cut holds is in none. @ret_number: of each list its
 * number. All in @mem but what @tmp is for. 0, -ENOMEM, -EOVERFLOW (more levels than the limit). */
int members_number(struct arena *mem, struct arena *tmp, const struct dst_lists *lists, const uint64_t *use,
		   const struct dst_list *cut, struct plan_members *ret, const uint32_t **ret_number);
/* What @clauses, which accept, open by list: the first of them in order that has a service. @number: as above. In @mem,
 * at most @limit. 0, -ENOMEM, -E2BIG. */
int members_boxes(struct arena *mem, const struct box_clause *clauses, uint32_t n, const uint32_t *number,
		  uint32_t limit, struct box_list *ret);
