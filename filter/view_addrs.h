/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is an address among those that a rule closes? */
#pragma once

#include "filter/view.h"

/* O(log n) in the ranges of each of its sets. */
bool view_rule_closes(const struct view_rule *rule, const struct ip_addr *addr);
