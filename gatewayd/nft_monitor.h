/* SPDX-License-Identifier: GPL-3.0-or-later */
/* On kernels whose tables cannot be owned: notice at once that other software has changed or flushed ours. Non-logging.
 */
#pragma once

#include "base/err.h"

/* @ret_fd: non-blocking, close-on-exec, the caller's; readable when any table changes. */
int nft_monitor_open(int *ret_fd, struct err *e);
/* Read what is there. *ret_touched: a change of our table that did not come from @own_portid (or events were lost, so
 * that we cannot know): nft_apply(from = NULL) repairs it. 0 or negative errno. */
int nft_monitor_read(int fd, uint32_t own_portid, bool *ret_touched, struct err *e);
