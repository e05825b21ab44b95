/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to what the recorder works by, as JSON:
 *
 * {"generation": 41,
 *  "devices": [{"name": "web1", "addrs": ["100.64.0.7", "fd7a::7"], "flows": "full",
 *               "queries": "blocked"}],   // those with anything not off; queries is absent where it is
 *  "rules": [{"mark": 4711, "pos": "/grants/0"}]}
 */
#pragma once

#include "base/err.h"
#include "sluice/plan.h"

/* @ret: returned, NUL-terminated, free(). */
int lower_log(const struct plan *p, uint64_t generation, char **ret, struct err *e);
