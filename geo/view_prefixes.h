/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled address sources as views know them. */
#pragma once

#include "filter/view.h"
#include "geo/prefix_file.h"

#define VIEW_PREFIX_KEY_MAX (PREFIX_KEY_MAX + 8u) /* "iplist:" in front */

/* What views_new_closed() wants of @sources, whose ranges are borrowed. @ret: one block, free(). 0 or -ENOMEM. */
int view_prefixes_of(const struct prefix_source *sources, uint32_t n, struct view_prefixes **ret);
