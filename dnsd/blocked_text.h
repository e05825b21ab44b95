/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a name is blocked, for people who read extended errors: "list ads line 1234: ||ads.example^". */
#pragma once

#include "filter/verdict.h"

/* @target: where the name leads, when it is that which is blocked; or NULL. NUL-terminated, cut to @size. Written for
 * every blocked question: by copying, not by printf(3). */
void blocked_text(const struct view *view, const struct name_verdict *v, const struct dname *target, char *ret,
		  size_t size);
