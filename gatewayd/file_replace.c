/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/file_replace.h"

#include <fcntl.h>
#include <limits.h>

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
