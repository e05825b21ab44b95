/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of the gateway's state, replaced at once or not at all. */
#pragma once

#include "base/err.h"

/* @folder/@name, mode 0600: written beside its place, made durable, renamed. A power cut leaves the old one or the new
 * one. 0 or negative with @e. */
int file_replace(const char *folder, const char *name, const void *data, size_t len, struct err *e);
