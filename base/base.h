/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every file of the tree may use: cleanup attribute, ownership hand-over, array length, and the libc calls that
 * we do not want to see. Include it first. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEANUP(fn)	       __attribute__((cleanup(fn)))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a)	       (sizeof(a) / sizeof((a)[0]))

/* Move a pointer out of a variable that has CLEANUP, so that it is not freed at the end of the scope. */
#define TAKE(p)                                                                                                        \
	(__extension__({                                                                                               \
		__auto_type _t = (p);                                                                                  \
		(p) = NULL;                                                                                            \
		_t;                                                                                                    \
	}))

/* The same for a descriptor; -1 is "none". */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Closed once, never retried on EINTR: on Linux the descriptor is gone already. */
static inline void fd_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static inline void freep(void *p)
{
	free(*(void **)p);
}

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets
