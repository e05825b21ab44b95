/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/disk_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

int file_replace(const char *folder, const char *name, const void *data, size_t len, struct err *e)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	CLEANUP(fd_closep) int fd = -1;
	const uint8_t *at = data;
	size_t done = 0;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
	    snprintf(fresh, sizeof(fresh), "%s/%s.new", folder, name) >= (int)sizeof(fresh))
		return err_set(e, -ENAMETOOLONG, "%s: too long", folder);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_set(e, -errno, "%s: %s", fresh, strerror(errno));
	while (done < len) {
		ssize_t n = write(fd, at + done, len - done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_set(e, -errno, "%s: %s", fresh, strerror(errno));
		done += (size_t)n;
	}
	if (fsync(fd) == -1 || rename(fresh, path) == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(freep) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd == -1 || fstat(fd, &st) == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > max)
		return err_set(e, -E2BIG, "%s: no file, or longer than %zu bytes", path, max);
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	n = pread(fd, text, (size_t)st.st_size, 0);
	if (n != st.st_size)
		return err_set(e, -EIO, "%s: cannot be read whole", path);
	text[n] = '\0';
	*ret = TAKE(text);
	*ret_len = (size_t)n;
	return 0;
}
