/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a name is blocked, for people who read extended errors: "list ads line 1234: ||ads.example^". */
#pragma once

#include "filter/verdict.h"

/* What of an answer is blocked, when it is not the name that was asked: where a record of that type leads, or an
 * address in it. One of both. */
struct blocked_part {
	uint16_t type;
	const struct dname *target;
	const struct ip_addr *addr;
};

/* @part: or NULL. NUL-terminated, cut to @size. Written for every blocked question: by copying, not by printf(3). */
void blocked_text(const struct view *view, const struct name_verdict *v, const struct blocked_part *part, char *ret,
		  size_t size);
