/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a policy says to names at another time than now: for its tests. The one place where policy/ and filter/ meet. */
#pragma once

#include "filter/view.h"
#include "policy/compile.h"

/* The views that @p would have at @at_s (0: with everything that has a schedule in force). @lists: the compiled list
 * file, kept, or NULL. @ret: returned, views_free(). 0 or negative with @e. */
int views_at(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env, int64_t at_s,
	     const void *lists, size_t lists_len, struct views **ret, struct err *e);
