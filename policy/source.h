/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A text that a person wrote, with its name and its lines: what diagnostics point into. */
#pragma once

#include "base/arena.h"

struct span {
	uint32_t start, end; /* byte offsets, end exclusive */
};

struct source {
	const char *name; /* as given by the user: "policy.hujson" */
	const char *text; /* NUL-terminated copy; text[len] == 0, may hold NULs before */
	uint32_t len;
	const uint32_t *line_starts;
	uint32_t n_lines;
};

#define SOURCE_MAX_BYTES (16u << 20) /* a policy of 100,000 devices is 12 MB; beyond it is a mistake or an attack */

/* In @mem, text copied. NULL when over SOURCE_MAX_BYTES or out of memory. */
struct source *source_new(struct arena *mem, const char *name, const char *text, size_t len);
/* Line and column from 1, columns in bytes. */
void source_locate(const struct source *s, uint32_t offset, uint32_t *ret_line, uint32_t *ret_col);
