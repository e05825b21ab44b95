/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that forks and execs the children: it keeps the privileges by which they change their uid, and reads
 * nothing but START messages of gatewayd. */
#pragma once

#include "base/err.h"

#include <sys/types.h>

/* Start it as a child of this process (this program again, --role launcher). @ret_fd: its channel, the caller's. */
int launcher_spawn(int *ret_fd, pid_t *ret_pid, struct err *e);

/* The role itself; the channel is fd 3. Returns the exit code. */
int launcher_main(void);
