/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/applied.h"

#include "gatewayd/disk_file.h"

#include <limits.h>
#include <sys/stat.h>

#define APPLIED_FOLDER "applied"
#define PREFIXES_NAME  "prefixes"

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
		return file_replace(folder, PREFIXES_NAME, p->map, p->len, e);
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
