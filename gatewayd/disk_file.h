/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file that is there whole or as it was before. */
#pragma once

#include "base/err.h"

/* @folder/@name becomes these bytes: written beside it (NAME.new), made durable, renamed. */
int file_replace(const char *folder, const char *name, const void *data, size_t len, struct err *e);
/* All of a small file; @max bytes at most. @ret: returned, free(), with a NUL behind it. -ENOENT, -E2BIG, other errno.
 */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *e);
