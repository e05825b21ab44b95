/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the children will work by: the views for dnsd and the log plan for the recorder, and the policy's tests, which
 * need the views. */
#pragma once

#include "gatewayd/engine.h"

/* Sealed memfds; the caller's also after a failure, where it is not -1. The tests are run where the files were read.
 * -EINVAL: a test failed, see the diagnostics of @l. */
int snapshots_make(const struct engine *e, struct loaded *l, const struct lists *lists, uint64_t generation,
		   int *ret_views, int *ret_log, struct err *err);
