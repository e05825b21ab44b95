/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many questions are under way at resolvers for names of one zone: no zone may take all the places there are. */
#pragma once

#include "sluice/dname.h"

/* Of FETCHES_MAX places one zone gets an eighth: eight slow ones fill them. A zone that answers in 50 ms is asked
 * 10,000 times a second with that, a dead one, whose names take the four seconds of a timeout, 128 times. */
#define ZONE_LOAD_MAX	512u
#define ZONE_LOAD_SLOTS 4096u

/* Zeroed but for .key, which is random. */
struct zone_load {
	uint8_t key[16];
	uint64_t refused; /* since the start */
	uint16_t under_way[2][ZONE_LOAD_SLOTS];
};

void zone_load_init(struct zone_load *z);
/* A question for @name goes out. False: too many of its zone have. Else *ret_ticket is for zone_leave(), never 0. */
bool zone_enter(struct zone_load *z, const struct dname *name, uint32_t *ret_ticket);
/* It is back. @ticket 0: nothing happens. */
void zone_leave(struct zone_load *z, uint32_t ticket);
