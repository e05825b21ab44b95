/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/replace.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_rewrite(const char *file, const char *text, size_t len)
{
	CLEANUP(freep) char *whole = realpath(file, NULL), *new = NULL; /* a link stays one */
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;
	int r;

	if (whole == NULL || asprintf(&new, "%s.XXXXXX", whole) == -1 || stat(whole, &st) == -1)
		return -errno;
	fd = mkostemp(new, O_CLOEXEC);
	if (fd == -1)
		return -errno;
	r = write_all(fd, text, len);
	/* Another's file that we may write becomes ours unless we are root: there is no other way in one step. */
	if (r == 0 && fchown(fd, st.st_uid, st.st_gid) == -1 && errno != EPERM)
		r = -errno;
	if (r == 0 && (fchmod(fd, st.st_mode & 07777) == -1 || fsync(fd) == -1 || rename(new, whole) == -1))
		r = -errno;
	if (r < 0)
		(void)unlink(new);
	return r;
}

int file_lock(const char *file)
{
	/* Its holder replaces the file: who has waited has the lock of one that is gone, and must ask again. */
	for (;;) {
		CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
		struct stat mine, now;

		if (fd == -1 || flock(fd, LOCK_EX) == -1 || fstat(fd, &mine) == -1 || stat(file, &now) == -1)
			return -errno;
		if (mine.st_ino == now.st_ino && mine.st_dev == now.st_dev)
			return fd_take(&fd);
	}
}
