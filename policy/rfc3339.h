/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points in time as text (RFC 3339 5.6), without the C library's clocks and zones. */
#pragma once

#include "base/base.h"

/* Unix time; at least 1, as 0 means "never" where these are kept. 0 or -EINVAL. */
int rfc3339_parse(const char *text, int64_t *ret);
