/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled address sources: what listc makes of databases and address lists, and gatewayd compiles policies with. */
#pragma once

#include "base/err.h"
#include "policy/compile.h"

#define PREFIX_SOURCES_MAX 4096u /* countries, networks and lists of one policy */
#define PREFIX_KEY_MAX	   64u	 /* with the NUL: "DE", "64496", a list's name */

/* Write @sources to @fd, from where it stands. 0 or negative with @e. */
int prefix_file_write(int fd, const struct prefix_source *sources, uint32_t n, struct err *e);

/* What is in such a file. Keys are copies, ranges lie in the file's bytes. */
struct prefix_file {
	struct prefix_source *sources;
	uint32_t n;
	uint64_t n_ranges;
	char (*keys)[PREFIX_KEY_MAX];
};

/* @data: kept by the caller as long as @ret. Everything is checked: who wrote it has read foreign bytes. -EBADMSG,
 * -ENOMEM; then there is nothing to free. */
int prefix_file_read(const void *data, size_t len, struct prefix_file *ret, struct err *e);
void prefix_file_done(struct prefix_file *f);
