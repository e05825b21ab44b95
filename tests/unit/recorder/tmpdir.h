/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A directory of a test's own, with plain files in it. */
#pragma once

#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>

struct tmpdir {
	char path[64];
	int fd;
};

static inline int tmpdir_init(struct tmpdir *t)
{
	/* In memory where there is such a place: tests that sync thousands of times must not wait for a disk. */
	(void)snprintf(t->path, sizeof(t->path), "%s/sluice-test-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(t->path) == NULL)
		return -errno;
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->fd == -1 ? -errno : 0;
}

static inline void tmpdir_clear(const struct tmpdir *t)
{
	DIR *dir = opendir(t->path);
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(t->fd, entry->d_name, 0);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

static inline void tmpdir_done(struct tmpdir *t)
{
	tmpdir_clear(t);
	fd_closep(&t->fd);
	(void)rmdir(t->path);
}
