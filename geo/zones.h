/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time zones of a policy, out of the system's database. */
#pragma once

#include "policy/compile.h"

struct zones {
	struct zone_info *items; /* those of the policy that exist */
	uint32_t n;
	const char **names; /* all that exist, NULL-terminated; NULL: all of the policy's were found */
	char *names_text;
};

/* Uses the C library's zone (TZ), and puts it back: for programs with one thread. 0 or -ENOMEM. */
int zones_load(const struct doc_policy *p, struct zones *ret);
void zones_done(struct zones *z);
