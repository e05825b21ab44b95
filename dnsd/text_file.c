/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Used by roots.c, anchors.c. */
#include "dnsd/text_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

int text_file_read(const char *path, size_t max, struct text_file *ret, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(freep) char *buf = NULL;
	size_t len = 0;
	ssize_t n = 1;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) != 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > max)
		return err_set(e, -EINVAL, "%s: no file of at most %zu bytes", path, max);
	buf = malloc((size_t)st.st_size + 1);
	if (buf == NULL)
		return err_set(e, -ENOMEM, "%s", path);
	while (n > 0 && len < (size_t)st.st_size) {
		n = read(fd, buf + len, (size_t)st.st_size - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	buf[len] = '\0';
	*ret = (struct text_file){ .buf = TAKE(buf), .len = len };
	return 0;
}

int text_file_write(const char *path, const struct text_file *t, struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;
	char tmp[PATH_MAX + 4];

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1)
		return err_set(e, -errno, "%s: %s", tmp, strerror(errno));
	errno = ENOSPC; /* for a short write */
	if (write(fd, t->buf, t->len) != (ssize_t)t->len || fsync(fd) != 0 || rename(tmp, path) != 0) {
		int code = errno;

		(void)unlink(tmp);
		return err_set(e, -code, "%s: %s", path, strerror(code));
	}
	return 0;
}
