/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configuration files that a command rewrites: in one step, so that a crash leaves the old text or the new one. */
#pragma once

#include "base/base.h"

/* 0 or negative errno. */
int write_all(int fd, const char *text, size_t len);
/* @text in place of @file, with its mode and, where we may, its owner; durable when it returns. A link stays one: what
 * it leads to is replaced. 0 or negative errno. */
int file_rewrite(const char *file, const char *text, size_t len);
/* Waits until no other command of ours is between reading and replacing @file. A descriptor, which the caller closes
 * when it has replaced it; or negative errno. */
int file_lock(const char *file);
