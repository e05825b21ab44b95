/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list whose file is named and missing is an error of the policy: a mistyped name must not open what it should block.
 * One that only has a URL is downloaded (downloads.c): until then its names pass, and status says so. */
#include "gatewayd/lists.h"

#include "policy/catalogue.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

int list_path(const struct plan_list *list, const char *policy_file, const char *state_dir, char *ret)
{
	const char *slash = strrchr(policy_file, '/');
	int n;

	if (list->file == NULL)
		n = snprintf(ret, PATH_MAX, "%s/lists/%s.txt", state_dir, list->name);
	else if (list->file[0] == '/' || slash == NULL)
		n = snprintf(ret, PATH_MAX, "%s", list->file);
	else
		n = snprintf(ret, PATH_MAX, "%.*s/%s", (int)(slash - policy_file), policy_file, list->file);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* A list that is in this program, as a file for listc, which reads files only. */
static int list_builtin(const struct plan_list *list, struct list_file *ret, struct err *e)
{
	const char *text = catalogue_text(list->name);
	size_t len = text != NULL ? strlen(text) : 0;
	uint64_t hash = 14695981039346656037ull; /* FNV-1a: another text of the same length is another list */

	if (text == NULL)
		return err_set(e, -ENOENT, "list %s: this version has none of that name", list->name);
	ret->fd = memfd_create("sluice-catalogue", MFD_CLOEXEC);
	if (ret->fd < 0 || write(ret->fd, text, len) != (ssize_t)len || lseek(ret->fd, 0, SEEK_SET) != 0)
		return err_set(e, errno != 0 ? -errno : -EIO, "list %s: %s", list->name, strerror(errno));
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 1099511628211ull;
	ret->stamp = (struct list_stamp){ .ino = (ino_t)hash, .size = (off_t)len };
	return 0;
}

static int list_open(const struct plan_list *list, const char *path, struct list_file *ret, struct err *e)
{
	struct stat st;

	if (list->builtin)
		return list_builtin(list, ret, e);
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0 && errno == ENOENT && list->file == NULL) {
		(void)snprintf(ret->warning, sizeof(ret->warning),
			       "list %.60s: not downloaded yet; names on it pass (its place is %.100s)", list->name,
			       path);
		return 0;
	}
	if (ret->fd < 0 || fstat(ret->fd, &st) < 0)
		return err_set(e, -errno, "list %s: %s: %s", list->name, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "list %s: %s is no file", list->name, path);
	ret->stamp = (struct list_stamp){ .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim };
	return 0;
}

int lists_open(const struct plan *p, const char *policy_file, const char *state_dir, struct lists **ret, struct err *e)
{
	struct lists *l;
	int r = 0;

	if (p->n_lists > LISTS_OF_PLAN_MAX)
		return err_set(e, -E2BIG, "%u lists, at most %u are possible", p->n_lists, LISTS_OF_PLAN_MAX);
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return err_set(e, -ENOMEM, "lists: out of memory");
	l->compiled = -1;
	for (uint32_t i = 0; i < p->n_lists && r == 0; i++) {
		struct list_file *f = &l->items[l->n++];
		char path[PATH_MAX];

		f->fd = -1;
		f->trusted = p->lists[i].trusted;
		f->name = strdup(p->lists[i].name);
		r = f->name == NULL ? -ENOMEM : list_path(&p->lists[i], policy_file, state_dir, path);
		r = r < 0 ? err_set(e, r, "list %s: %s", p->lists[i].name, strerror(-r))
			  : list_open(&p->lists[i], path, f, e);
	}
	if (r < 0)
		l = lists_free(l);
	*ret = l;
	return r;
}

struct lists *lists_free(struct lists *l)
{
	if (l == NULL)
		return NULL;
	lists_close_files(l);
	for (uint32_t i = 0; i < l->n; i++)
		free(l->items[i].name);
	fd_closep(&l->compiled);
	free(l);
	return NULL;
}

int lists_copy(const struct lists *from, struct lists **ret, struct err *e)
{
	struct lists *l = calloc(1, sizeof(*l));
	bool ok = l != NULL;

	*ret = NULL;
	if (l == NULL)
		return err_set(e, -ENOMEM, "lists: out of memory");
	l->rules = from->rules;
	l->skipped = from->skipped;
	l->refused = from->refused;
	l->compiled = from->compiled == -1 ? -1 : fcntl(from->compiled, F_DUPFD_CLOEXEC, 0);
	ok = l->compiled != -1 || from->compiled == -1;
	for (uint32_t i = 0; i < from->n && ok; i++) {
		l->items[i] = from->items[i];
		l->items[i].fd = -1;
		l->items[i].name = strdup(from->items[i].name);
		ok = l->items[i].name != NULL;
		l->n++;
	}
	if (!ok) {
		(void)lists_free(l);
		return err_set(e, -ENOMEM, "lists: out of memory or descriptors");
	}
	*ret = l;
	return 0;
}

void lists_close_files(struct lists *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		fd_closep(&l->items[i].fd);
}

bool list_stamp_same(const struct list_stamp *a, const struct list_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

const char *list_stamp_print(const struct list_stamp *s, char buf[LIST_STAMP_TEXT_MAX])
{
	(void)snprintf(buf, LIST_STAMP_TEXT_MAX, "%llx:%llx:%llx:%llx.%lx", (unsigned long long)s->dev,
		       (unsigned long long)s->ino, (unsigned long long)s->size, (unsigned long long)s->mtime.tv_sec,
		       (unsigned long)s->mtime.tv_nsec);
	return buf;
}

bool lists_same(const struct lists *a, const struct lists *b)
{
	if (a == NULL || b == NULL || a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (strcmp(a->items[i].name, b->items[i].name) != 0 || a->items[i].trusted != b->items[i].trusted ||
		    !list_stamp_same(&a->items[i].stamp, &b->items[i].stamp))
			return false;
	}
	return true;
}

int memfd_seal_foreign(int fd, const char *what, struct err *e)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0 && errno != EPERM)
		return err_set(e, -errno, "seal the compiled %s: %s", what, strerror(errno));
	if ((fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) == 0)
		return err_set(e, -EPERM, "the compiled %s cannot be sealed", what);
	return 0;
}

int lists_counted(struct lists *l, const struct msg_list_counts *counts)
{
	if (counts->list >= l->n)
		return -EBADMSG;
	l->items[counts->list].rules = counts->rules;
	l->items[counts->list].skipped = counts->skipped;
	l->items[counts->list].refused = counts->refused;
	return 0;
}

int lists_compiled(struct lists *l, int fd, const struct msg_list_result *result, struct err *e)
{
	CLEANUP(fd_closep) int owned = fd;
	/* listc is gone or goes: what it wrote is what is sealed, and the reader checks it as foreign bytes. */
	int r = memfd_seal_foreign(owned, "lists", e);

	if (r < 0)
		return r;
	l->compiled = fd_take(&owned);
	l->rules = result->rules;
	l->skipped = result->skipped;
	l->refused = result->refused;
	return 0;
}
