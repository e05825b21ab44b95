/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The downloader's process: see role.c. */
#pragma once

#include "base/err.h"

/* One round: until gatewayd closes the channel. Returns
 * the exit code. */
int fetch_main(int channel_fd);
