/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Durations as Go's time.ParseDuration reads them. */
#pragma once

/* "1h30m", "-2.5h", "0" to seconds. 0 or -EINVAL. */
int duration_parse(const char *text, double *ret);
