/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/applied.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define APPLIED_FOLDER "applied"
#define PREFIXES_NAME  "prefixes"

/* Written beside its place, made durable, renamed. */
static int file_replace(const char *folder, const char *name, const void *data, size_t len, struct err *e)
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

/* The folder's path, or one of a file in it. */
static int applied_path(const struct doc_gateway *g, const char *name, char ret[PATH_MAX], struct err *e)
{
	if (snprintf(ret, PATH_MAX, "%s/" APPLIED_FOLDER "%s", g->state_dir, name) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%s: too long", g->state_dir);
	return 0;
}

static int prefixes_save(const struct doc_gateway *g, const char *folder, const struct prefixes *p, struct err *e)
{
	char path[PATH_MAX];
	int r;

	if (p != NULL && p->file.n != 0)
		return file_replace(folder, PREFIXES_NAME, p->copy != NULL ? p->copy : p->map, p->len, e);
	r = applied_path(g, "/" PREFIXES_NAME, path, e);
	if (r == 0 && unlink(path) == -1 && errno != ENOENT)
		r = err_set(e, -errno, "%s: %s", path, strerror(errno));
	return r;
}

int applied_save(const struct doc_gateway *g, const struct loaded *l, struct err *e)
{
	const struct source *policy = l->docs->policy->src, *devices = l->docs->devices->src;
	char folder[PATH_MAX];
	int r = applied_path(g, "", folder, e);

	if (r == 0 && mkdir(folder, 0700) == -1 && errno != EEXIST)
		r = err_set(e, -errno, "%s: %s", folder, strerror(errno));
	/* More addresses than the policy asks for do no harm, fewer would: they are there before it. */
	if (r == 0 && l->prefixes != NULL && l->prefixes->file.n != 0)
		r = prefixes_save(g, folder, l->prefixes, e);
	if (r == 0)
		r = file_replace(folder, "policy.hujson", policy->text, policy->len, e);
	if (r == 0)
		r = file_replace(folder, "devices.hujson", devices->text, devices->len, e);
	return r == 0 ? prefixes_save(g, folder, l->prefixes, e) : r;
}

int applied_prefixes(const struct doc_gateway *g, struct prefixes **ret, struct err *e)
{
	char path[PATH_MAX];
	int r = applied_path(g, "/" PREFIXES_NAME, path, e);

	*ret = NULL;
	if (r == 0)
		r = prefixes_load(path, ret, e);
	return r == -ENOENT ? 0 : r;
}

int applied_gateway(const struct doc_gateway *g, struct arena *mem, struct doc_gateway *ret)
{
	*ret = *g;
	ret->policy_file = arena_printf(mem, "%s/" APPLIED_FOLDER "/policy.hujson", g->state_dir);
	ret->devices_file = arena_printf(mem, "%s/" APPLIED_FOLDER "/devices.hujson", g->state_dir);
	return ret->policy_file != NULL && ret->devices_file != NULL ? 0 : -ENOMEM;
}
