/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/applied.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define APPLIED_FOLDER "applied"

/* Written beside its place, made durable, renamed. */
static int file_replace(const char *folder, const char *name, const char *text, size_t len, struct err *e)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	CLEANUP(fd_closep) int fd = -1;
	size_t done = 0;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
	    snprintf(fresh, sizeof(fresh), "%s/%s.new", folder, name) >= (int)sizeof(fresh))
		return err_set(e, -ENAMETOOLONG, "%s: too long", folder);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return err_set(e, -errno, "%s: %s", fresh, strerror(errno));
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

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

int applied_save(const struct doc_gateway *g, const struct documents *d, struct err *e)
{
	const struct source *policy = d->policy->src, *devices = d->devices->src;
	char folder[PATH_MAX];
	int r;

	if (snprintf(folder, sizeof(folder), "%s/" APPLIED_FOLDER, g->state_dir) >= (int)sizeof(folder))
		return err_set(e, -ENAMETOOLONG, "%s: too long", g->state_dir);
	if (mkdir(folder, 0700) == -1 && errno != EEXIST)
		return err_set(e, -errno, "%s: %s", folder, strerror(errno));
	r = file_replace(folder, "policy.hujson", policy->text, policy->len, e);
	return r == 0 ? file_replace(folder, "devices.hujson", devices->text, devices->len, e) : r;
}

int applied_gateway(const struct doc_gateway *g, struct arena *mem, struct doc_gateway *ret)
{
	*ret = *g;
	ret->policy_file = arena_printf(mem, "%s/" APPLIED_FOLDER "/policy.hujson", g->state_dir);
	ret->devices_file = arena_printf(mem, "%s/" APPLIED_FOLDER "/devices.hujson", g->state_dir);
	return ret->policy_file != NULL && ret->devices_file != NULL ? 0 : -ENOMEM;
}
