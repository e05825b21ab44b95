/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schedules, and what else a compilation is given of the world. */
#pragma once

#include "policy/compile.h"

/* Everything that @p asks for is in @env: 0, or -EINVAL (reported). */
int schedule_check(const struct doc_policy *p, const struct compile_env *env, struct diag_list *diags);
/* The zone of that name, borrowed; NULL. */
const struct zone_info *schedule_zone(const struct compile_env *env, const char *name);
/* In force at env->at_s. */
bool schedule_holds(const struct doc_policy *p, const struct compile_env *env, const struct doc_when *when);
/* The first moment after env->at_s at which something may begin or end; 0 = nothing will. */
int64_t schedule_next(const struct doc_policy *p, const struct compile_env *env);
