/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where test data is. */
#pragma once

#include "base/base.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline const char *fixture(const char *name, char buf[512])
{
	const char *dir = getenv("SLUICE_FIXTURES");

	(void)snprintf(buf, 512, "%s/%s", dir != NULL ? dir : "tests/fixtures", name);
	return buf;
}

/* NULL when it is not there. */
static inline const char *shared(const char *name, char buf[512])
{
	const char *dir = getenv("SLUICE_SHARED_DATA");

	if ((size_t)snprintf(buf, 512, "%s/%s", dir != NULL ? dir : "../shared/data", name) >= 512)
		return NULL;
	return access(buf, R_OK) == 0 ? buf : NULL;
}

/* The text of a file, unpacked if need be, as a stream to pclose(). */
static inline FILE *unpacked(const char *path)
{
	char command[600];

	(void)snprintf(command, sizeof(command), "zcat -f '%s'", path);
	return popen(command, "re");
}

/* All of @f, which is closed; free(). */
static inline char *slurp(FILE *f, size_t *ret_len)
{
	size_t room = 1u << 16, len = 0, n;
	char *text = malloc(room);

	assert_non_null(f);
	while (text != NULL && (n = fread(text + len, 1, room - len, f)) > 0) {
		len += n;
		if (len == room)
			text = realloc(text, room *= 2);
	}
	assert_non_null(text);
	(void)pclose(f);
	*ret_len = len;
	return text;
}
