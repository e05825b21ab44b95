/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recorder as a process: configuration, confinement, event loop. */
#pragma once

#include "base/base.h"

/* Serve the channel to gatewayd until it closes. Exit status: 0 the channel closed, 1 a failure (logged). */
int recorder_role_run(int channel_fd);
