/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

/* Large enough that a small policy needs one block, small enough that a query's arena costs one page. */
#define ARENA_BLOCK_BYTES 4000u

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) uint8_t data[];
};

struct arena {
	struct arena_block *head; /* newest first; the oldest one survives a reset */
	size_t used, limit;	  /* limit 0 = none */
};

static struct arena_block *block_new(size_t size)
{
	struct arena_block *b = calloc(1, sizeof(*b) + size);

	if (b != NULL)
		b->size = size;
	return b;
}

struct arena *arena_new(size_t limit_bytes)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->limit = limit_bytes;
	return a;
}

void arena_reset(struct arena *a)
{
	while (a->head != NULL && a->head->next != NULL) {
		struct arena_block *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	if (a->head != NULL) {
		memset(a->head->data, 0, a->head->used);
		a->head->used = 0;
	}
	a->used = 0;
}

struct arena *arena_free(struct arena *a)
{
	if (a == NULL)
		return NULL;
	arena_reset(a);
	free(a->head);
	free(a);
	return NULL;
}

void arena_freep(struct arena **a)
{
	*a = arena_free(*a);
}

static size_t block_size_for(size_t len)
{
#ifdef ARENA_MALLOC
	return len;
#else
	/* A large one gets a block of its own, so that it wastes nothing of the next. */
	return len > ARENA_BLOCK_BYTES / 4 ? len : ARENA_BLOCK_BYTES;
#endif
}

void *arena_alloc(struct arena *a, size_t len_bytes)
{
	size_t len = (len_bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct arena_block *b = a->head;
	void *p;

	if (len < len_bytes || (a->limit != 0 && len > a->limit - a->used))
		return NULL;
#ifdef ARENA_MALLOC
	len = len_bytes == 0 ? 1 : len_bytes;
	b = NULL;
#endif
	if (b == NULL || b->size - b->used < len) {
		b = block_new(block_size_for(len));
		if (b == NULL)
			return NULL;
		b->next = a->head;
		a->head = b;
	}
	p = b->data + b->used;
	b->used += len;
	a->used += len;
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(n, size, &len))
		return NULL;
	return arena_alloc(a, len);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p != NULL)
		memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return NULL;
	p = arena_alloc(a, (size_t)len + 1);
	if (p == NULL)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return p;
}

size_t arena_used_bytes(const struct arena *a)
{
	return a->used;
}
