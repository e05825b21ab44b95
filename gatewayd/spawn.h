/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Run one of the system's programs (wg, wireguard-go) to its end. */
#pragma once

#include "base/err.h"

/* @argv: NULL-terminated; argv[0] is looked for in the system's folders, never in PATH. @keep_fd: a descriptor that the
 * program inherits under the same number, or -1. What it writes goes into @e when it fails. Waits @timeout_ms at most,
 * then kills it. 0; -ENOENT there is no such program; -EIO it failed; -ETIMEDOUT. */
int spawn_wait(char *const argv[], int keep_fd, int timeout_ms, struct err *e);
