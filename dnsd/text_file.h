/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small files of the host, read and written whole. */
#pragma once

#include "base/err.h"

struct text_file {
	char *buf; /* NUL-terminated, owned: free(); NULL = no file */
	size_t len;
};

/* -EINVAL: no regular file, or over @max bytes; else as open(2), read(2), with the path in @e. */
int text_file_read(const char *path, size_t max, struct text_file *ret, struct err *e);
/* Whole or not at all: written beside (PATH.new), on the disk, and renamed. As write(2), -ENOSPC. */
int text_file_write(const char *path, const struct text_file *t, struct err *e);
