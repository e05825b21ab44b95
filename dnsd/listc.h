/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list compiler's process: another role of dnsd's binary. */
#pragma once

/* Serves until @channel_fd closes or the lists are compiled; returns the exit status. */
int listc_main(int channel_fd);
