/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory with one lifetime: a plan, a query, a transaction. Everything in it goes at once.
 *
 * With -Darena=malloc each allocation is a malloc of its own, so that sanitizers see overruns inside an arena. */
#pragma once

#include "base/base.h"

struct arena;

/* @limit_bytes: allocations beyond it fail with NULL; 0 = no limit. Returns NULL when out of memory. */
struct arena *arena_new(size_t limit_bytes);
struct arena *arena_free(struct arena *a); /* NULL is fine; returns NULL */
void arena_freep(struct arena **a);
void arena_reset(struct arena *a); /* empty and reusable, keeps its first block */

/* Zeroed, aligned for any type; in @a. NULL when over the limit or out of memory. */
void *arena_alloc(struct arena *a, size_t len_bytes);
/* @n elements of @size bytes, the product checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
size_t arena_used_bytes(const struct arena *a);
