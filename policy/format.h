/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one layout of HuJSON files: tabs, one member a line unless its value is short, trailing commas. */
#pragma once

#include "policy/hujson.h"

/* @src in that layout to @out: the same values as they are written, every comment, and where there was a blank line
 * between two things, one. 0 (whether @out took it all, ask ferror()); -EINVAL when @src is no HuJSON (in @diags);
 * -ENOMEM. */
int format_hujson(struct arena *mem, const struct source *src, struct diag_list *diags, FILE *out);
