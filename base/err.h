/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A failure: negative errno and one sentence for the log or the user. Lives with the caller, needs no heap.
 *
 * Untouched on success. Codes with a fixed meaning in this tree: -EBADMSG bytes that we were sent are malformed,
 * -EINVAL the caller's bug, -ESTALE an older plan, -E2BIG over one of our limits, -EAGAIN not now, -ENOBUFS the kernel
 * lost events, -EPERM confinement or the kernel refused a privilege. */
#pragma once

#include "base/base.h"

struct err {
	int code;      /* negative errno; 0 = unset */
	char msg[240]; /* "apply plan 41: set learn4_3f: No space left on device" */
};

/* Both return the code, so that a failing call site is one line. @e may be NULL. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Prefix context ("context: message"), keep the code. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
