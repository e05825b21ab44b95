/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What classes share: boxes of wide destinations and of destinations by list. */
#pragma once

#include "policy/ruleset.h"

/* Fills .wide, .members and .parts of @plan, and of @classes, which are as in @plan, those that have a part. @first:
 * the first source of each class. 0, -ENOMEM, -E2BIG, -EOVERFLOW (MEMBER_LEVELS_MAX). */
int plan_parts_new(struct arena *mem, struct arena *tmp, const struct ruleset *rules, const uint32_t *first,
		   struct plan *plan, struct plan_class *classes);
