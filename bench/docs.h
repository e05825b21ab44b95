/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files that policy_gen wrote, read and compiled. A measurement cannot go on without them: all of these end the
 * program when they fail. */
#pragma once

#include "base/err.h"
#include "policy/compile.h"

struct docs {
	struct arena *mem;
	struct diag_list diags;
	struct doc_policy *policy;
	struct doc_devices *devices;
};

_Noreturn void die(const char *what, const struct err *e); /* @e: or NULL */
/* policy.hujson and the device list @devices of @dir. */
struct docs docs_read(const char *dir, const char *devices);
struct plan *plan_of(struct docs *d); /* with schedules as at the first second of 1970; released with plan_free() */
