/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The socket on which the kernel tells of refused packets. Opened here because that needs CAP_NET_ADMIN, read by the
 * recorder, kept open here so that what comes while the recorder is replaced is not lost. */
#pragma once

#include "base/err.h"

/* A predecessor that was killed leaves its recorder for a moment, which still holds the group. */
#define NFLOG_BUSY_WAIT_MS 1000u

/* Bind a socket to DROP_NFLOG_GROUP of this network namespace. @wait_ms: for a group that is taken. @ret_fd:
 * non-blocking, close-on-exec; close it to unbind. 0; -EBUSY: another program has the group; the kernel's error. */
int nflog_open(uint32_t wait_ms, int *ret_fd, struct err *e);
