/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses that a deny closes, as members of its rule in the views' JSON (lower_dns.h). */
#pragma once

#include "policy/json_out.h"
#include "sluice/plan.h"

/* Nothing where it closes none. */
void lower_closed(struct json_out *j, cJSON *rule, const struct plan_rule *r);
