/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths in configuration files are relative to the file that names them. */
#pragma once

#include "base/arena.h"

/* @path as seen from beside @file: absolute ones as they are. In @mem; NULL when @path is NULL or memory is gone. */
static inline const char *path_beside(struct arena *mem, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (path == NULL || path[0] == '/' || slash == NULL)
		return path;
	return arena_printf(mem, "%.*s/%s", (int)(slash - file), file, path);
}
