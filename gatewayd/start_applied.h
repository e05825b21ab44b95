/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files are wrong at the start: what was in force before is better than nothing at all. */
#pragma once

#include "base/err.h"

struct engine;

/* Puts the copies of what was applied in place of what the reload has read. The user is told by the log and by `sluice
 * status` until a reload is fine. @why: what failed, and is said in @err. 0: go on with e->reload.loaded; @why: this is
 * no start, or the copies do not do either. */
int start_from_applied(struct engine *e, int why, struct err *err);
