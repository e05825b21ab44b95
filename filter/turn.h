/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Long loops over lists, beside threads that answer. */
#pragma once

#include <sched.h>
#include <stdint.h>

/* Between so many steps whoever waits for this core goes first. Priorities alone do not do that: Linux (EEVDF) may let
 * a thread that has begun go on until the next tick, 4 ms, while one of a better priority waits. */
#define TURN_ROWS  16384u /* 0.1 to 0.5 ms */
#define TURN_LINES 1024u  /* 0.5 ms */

static inline void turn_over(uint64_t step, uint64_t turn)
{
	if (step % turn == turn - 1)
		(void)sched_yield();
}
