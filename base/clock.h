/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Microseconds of the two clocks: one for how long, one for when. */
#pragma once

#include "base/base.h"

#include <time.h>

static inline uint64_t clock_us(clockid_t clock)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* CLOCK_MONOTONIC: for deadlines and times that pass. */
static inline uint64_t clock_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* CLOCK_REALTIME: what is told to people is of the calendar. */
static inline uint64_t clock_realtime_us(void)
{
	return clock_us(CLOCK_REALTIME);
}
