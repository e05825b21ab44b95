/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gatewayd/prefixes.h"

#include "base/ipc.h"
#include "gatewayd/disk_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

/* PLAN_RANGES_MAX ranges and their names. */
#define PREFIX_FILE_MAX (256 << 20)

static_assert(sizeof(((struct msg_prefix_want *)0)->key) == PREFIX_KEY_MAX, "keys");

static struct list_stamp stamp_of(const struct stat *st)
{
	return (struct list_stamp){ .dev = st->st_dev, .ino = st->st_ino, .size = st->st_size, .mtime = st->st_mtim };
}

static const struct plan_list *iplist_find(const struct doc_policy *p, const char *name)
{
	for (uint32_t i = 0; i < p->n_iplists; i++) {
		if (strcmp(p->iplists[i].name, name) == 0)
			return &p->iplists[i];
	}
	return NULL;
}

/* 1: it is there; 0: nobody said that it would be. */
static int database_look(const struct doc_need *need, const char *path, struct prefix_want *ret, struct err *e)
{
	const char *what = need->kind == PREFIX_GEO ? "country" : "network";
	struct stat st;

	if (path == NULL)
		return 0;
	if (stat(path, &st) == -1)
		return err_set(e, -errno, "%s database %s: %s", what, path, strerror(errno));
	ret->stamp = stamp_of(&st);
	return 1;
}

static int iplist_look(const struct plan_list *list, const struct doc_gateway *g, struct prefix_want *ret,
		       struct err *e)
{
	char path[PATH_MAX];
	struct stat st;
	int r = list_path(list, g->policy_file, g->state_dir, path);

	if (r < 0)
		return err_set(e, r, "iplist %s: %s", list->name, strerror(-r));
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd == -1 && errno == ENOENT && list->file == NULL)
		return 0;
	if (ret->fd == -1 || fstat(ret->fd, &st) == -1)
		return err_set(e, -errno, "iplist %s: %s: %s", list->name, path, strerror(errno));
	ret->stamp = stamp_of(&st);
	return 1;
}

static int want_look(const struct doc_policy *p, const struct doc_need *need, const struct doc_gateway *g,
		     struct prefix_want *ret, struct err *e)
{
	const struct plan_list *list;

	*ret = (struct prefix_want){ .msg = { .kind = need->kind }, .fd = -1 };
	if (strlen(need->key) >= sizeof(ret->msg.key))
		return err_set(e, -ENAMETOOLONG, "%s: a name of %zu bytes at most", need->key,
			       sizeof(ret->msg.key) - 1);
	(void)snprintf(ret->msg.key, sizeof(ret->msg.key), "%s", need->key);
	if (need->kind != PREFIX_LIST)
		return database_look(need, need->kind == PREFIX_GEO ? g->country_mmdb : g->asn_mmdb, ret, e);
	list = iplist_find(p, need->key);
	return list != NULL ? iplist_look(list, g, ret, e) : 0;
}

int prefixes_open(const struct doc_policy *p, const struct doc_gateway *g, struct prefixes **ret, struct err *e)
{
	struct prefixes *x = calloc(1, sizeof(*x));
	int r = 0;

	*ret = NULL;
	if (p->n_needs > PREFIX_SOURCES_MAX) {
		free(x);
		return err_set(e, -E2BIG, "%u countries, networks and address lists, at most %u are possible",
			       p->n_needs, PREFIX_SOURCES_MAX);
	}
	if (x != NULL)
		x->wants = calloc((size_t)p->n_needs + 1, sizeof(*x->wants));
	if (x == NULL || x->wants == NULL) {
		free(x);
		return err_set(e, -ENOMEM, "addresses: out of memory");
	}
	x->refs = 1;
	x->fd = -1;
	for (uint32_t i = 0; i < p->n_needs && r >= 0; i++) {
		r = want_look(p, &p->needs[i], g, &x->wants[x->n], e);
		/* One that failed may have a descriptor. */
		x->n += r != 0;
	}
	if (r < 0) {
		(void)prefixes_unref(x);
		return r;
	}
	*ret = x;
	return 0;
}

void prefixes_close_files(struct prefixes *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		fd_closep(&p->wants[i].fd);
}

struct prefixes *prefixes_ref(struct prefixes *p)
{
	if (p != NULL)
		p->refs++;
	return p;
}

struct prefixes *prefixes_unref(struct prefixes *p)
{
	union {
		const void *in;
		void *out;
	} map;

	if (p == NULL || --p->refs != 0)
		return NULL;
	prefixes_close_files(p);
	free(p->wants);
	prefix_file_done(&p->file);
	map.in = p->map;
	if (p->map != NULL)
		(void)munmap(map.out, p->len);
	fd_closep(&p->fd);
	free(p);
	return NULL;
}

bool prefixes_same(const struct prefixes *a, const struct prefixes *b)
{
	if (a == NULL || b == NULL || a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct prefix_want *x = &a->wants[i], *y = &b->wants[i];

		if (x->msg.kind != y->msg.kind || strcmp(x->msg.key, y->msg.key) != 0 ||
		    !list_stamp_same(&x->stamp, &y->stamp))
			return false;
	}
	return true;
}

/* @fd: sealed, taken over. */
static int prefixes_map(struct prefixes *p, int fd, struct err *e)
{
	int r;

	p->fd = fd;
	r = memfd_map(fd, &p->map, &p->len, e);
	return r == 0 ? prefix_file_read(p->map, p->len, &p->file, e) : r;
}

int prefixes_compiled(struct prefixes *p, int fd, const struct msg_prefix_result *result, struct err *e)
{
	CLEANUP(fd_closep) int owned = fd;
	int r = memfd_seal_foreign(owned, "addresses", e);

	if (r == 0)
		r = prefixes_map(p, fd_take(&owned), e);
	(void)snprintf(p->warning, sizeof(p->warning), "%s", result->text);
	return r;
}

int prefixes_load(const char *path, struct prefixes **ret, struct err *e)
{
	CLEANUP(freep) char *data = NULL;
	struct prefixes *p = calloc(1, sizeof(*p));
	size_t len = 0;
	int fd = -1;
	int r;

	*ret = NULL;
	if (p == NULL)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	p->refs = 1;
	p->fd = -1;
	r = file_read(path, PREFIX_FILE_MAX, &data, &len, e);
	/* As dnsd may be given it: the file could change under whoever reads it. */
	if (r == 0)
		r = memfd_sealed("addresses", data, len, &fd, e);
	if (r == 0)
		r = prefixes_map(p, fd, e);
	if (r < 0)
		p = prefixes_unref(p);
	*ret = p;
	return r;
}
