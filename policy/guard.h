/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Address space as the LAN guard divides it. */
#pragma once

#include "policy/compile.h"

struct guard_ranges {
	const struct ip_range *items; /* sorted, disjoint; in an arena */
	uint32_t n;
};

/* What wide destinations of accepting rules cover. In @mem. 0 or -ENOMEM. */
int guard_open(struct arena *mem, const struct compile_env *env, struct guard_ranges *ret);
/* autogroup:internet without guards. In @mem. 0 or -ENOMEM. */
int guard_internet(struct arena *mem, struct guard_ranges *ret);
