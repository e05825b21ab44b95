/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The copy is read and not mapped: a file on a disk can be cut off while it is mapped, a sealed memfd cannot. Its bytes
 * are checked by their sum, which was taken when listc wrote them, and by the reader of the compiled file, as what
 * comes fresh from listc is. The two files are renamed one after the other; between them the sum does not fit. */
#include "gatewayd/lists_kept.h"

#include "base/ipc.h"
#include "filter/listfile.h"
#include "gatewayd/disk_file.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <sys/mman.h>

#define KEPT_NAME	"lists.compiled"
#define KEPT_STAMPS	"lists.compiled.json"
#define KEPT_STAMPS_MAX (256u << 10) /* 64 lists of some 400 bytes each, names at their longest */
#define KEPT_MAX	(2ull << 30) /* twice what LIST_RULES_MAX rules make */
#define KEPT_CHUNK	(1u << 20)
#define SUM_TEXT_MAX	(2 * LIST_SUM_LEN + 1)

static int kept_path(const char *state_dir, const char *name, char ret[PATH_MAX], struct err *e)
{
	if (snprintf(ret, PATH_MAX, "%s/%s", state_dir, name) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%s: too long", state_dir);
	return 0;
}

/* Another build of the compiler may read the same text otherwise. It is beside us. */
static const char *compiler_stamp(char buf[LIST_STAMP_TEXT_MAX])
{
	struct list_stamp stamp = { 0 };
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	struct stat st;
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash != NULL && (size_t)(slash - path) + sizeof("/sluice-dnsd") < sizeof(path)) {
		(void)snprintf(slash, sizeof(path) - (size_t)(slash - path), "/sluice-dnsd");
		if (stat(path, &st) == 0)
			stamp = (struct list_stamp){
				.dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim
			};
	}
	return list_stamp_print(&stamp, buf);
}

int lists_kept_begin(const char *state_dir, int *ret_fd, struct err *e)
{
	char path[PATH_MAX];
	int r = kept_path(state_dir, KEPT_NAME ".new", path, e);

	if (r < 0)
		return r;
	/* Another file than before: a list compiler that is about to be killed may still write that one. */
	(void)unlink(path);
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret_fd == -1 ? err_set(e, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static cJSON *list_json(const struct list_file *f)
{
	cJSON *o = cJSON_CreateObject();
	char stamp[LIST_STAMP_TEXT_MAX];

	(void)cJSON_AddStringToObject(o, "name", f->name);
	(void)cJSON_AddBoolToObject(o, "trusted", f->trusted);
	(void)cJSON_AddStringToObject(o, "stamp", list_stamp_print(&f->stamp, stamp));
	(void)cJSON_AddNumberToObject(o, "rules", (double)f->rules);
	(void)cJSON_AddNumberToObject(o, "skipped", (double)f->skipped);
	(void)cJSON_AddNumberToObject(o, "refused", (double)f->refused);
	return o;
}

static char *stamps_text(const struct lists *l, const struct msg_list_kept *kept)
{
	cJSON *o = cJSON_CreateObject();
	char sum[SUM_TEXT_MAX], stamp[LIST_STAMP_TEXT_MAX];
	cJSON *lists;
	char *text;

	(void)sodium_bin2hex(sum, sizeof(sum), kept->sum, LIST_SUM_LEN);
	(void)cJSON_AddStringToObject(o, "version", SLUICE_VERSION);
	(void)cJSON_AddStringToObject(o, "compiler", compiler_stamp(stamp));
	(void)cJSON_AddNumberToObject(o, "bytes", (double)kept->len);
	(void)cJSON_AddStringToObject(o, "blake2b", sum);
	lists = cJSON_AddArrayToObject(o, "lists");
	for (uint32_t i = 0; i < l->n; i++)
		(void)cJSON_AddItemToArray(lists, list_json(&l->items[i]));
	text = cJSON_Print(o);
	cJSON_Delete(o);
	return text;
}

int lists_kept_end(const char *state_dir, const struct lists *l, const struct msg_list_kept *kept, struct err *e)
{
	CLEANUP(freep) char *text = NULL;
	char path[PATH_MAX], fresh[PATH_MAX];
	int r = kept_path(state_dir, KEPT_NAME, path, e);

	if (r == 0)
		r = kept_path(state_dir, KEPT_NAME ".new", fresh, e);
	if (r == 0 && kept->status < 0)
		r = err_set(e, kept->status, "%s: %.190s", fresh, kept->text);
	if (r < 0)
		return r;
	text = stamps_text(l, kept);
	if (text == NULL)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	if (rename(fresh, path) == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	return file_replace(state_dir, KEPT_STAMPS, text, strlen(text), e);
}

static bool text_is(const cJSON *o, const char *member, const char *text)
{
	const char *has = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, member));

	return has != NULL && strcmp(has, text) == 0;
}

static uint64_t number_of(const cJSON *o, const char *member)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, member);

	return cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble <= 9007199254740992.0
		       ? (uint64_t)n->valuedouble
		       : 0;
}

/* Of the same files, in the same order, by this compiler; the counts to @l. */
static int stamps_fit(const cJSON *o, struct lists *l, struct err *e)
{
	const cJSON *lists = cJSON_GetObjectItemCaseSensitive(o, "lists"), *item;
	char stamp[LIST_STAMP_TEXT_MAX];
	uint32_t i = 0;

	if (!text_is(o, "version", SLUICE_VERSION) || !text_is(o, "compiler", compiler_stamp(stamp)))
		return err_set(e, -ESTALE, "made by another version");
	if (!cJSON_IsArray(lists) || cJSON_GetArraySize(lists) != (int)l->n)
		return err_set(e, -ESTALE, "made of other lists");
	cJSON_ArrayForEach(item, lists)
	{
		struct list_file *f = &l->items[i++];
		const cJSON *trusted = cJSON_GetObjectItemCaseSensitive(item, "trusted");

		if (!text_is(item, "name", f->name) || cJSON_IsTrue(trusted) != f->trusted ||
		    !text_is(item, "stamp", list_stamp_print(&f->stamp, stamp)))
			return err_set(e, -ESTALE, "list %.60s is another one now", f->name);
		f->rules = number_of(item, "rules");
		f->skipped = number_of(item, "skipped");
		f->refused = number_of(item, "refused");
	}
	return 0;
}

/* @from, whole, to a memfd. */
static int copy_summed(int from, uint64_t len, int to, const char *sum_text, struct err *e)
{
	CLEANUP(freep) uint8_t *chunk = malloc(KEPT_CHUNK);
	crypto_generichash_state sum;
	uint8_t result[LIST_SUM_LEN];
	char text[SUM_TEXT_MAX];
	uint64_t done = 0;

	if (chunk == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	(void)crypto_generichash_init(&sum, NULL, 0, LIST_SUM_LEN);
	while (done < len) {
		ssize_t n = pread(from, chunk, KEPT_CHUNK, (off_t)done);

		if (n <= 0)
			return err_set(e, n == 0 ? -EBADMSG : -errno, "%s", n == 0 ? "cut off" : strerror(errno));
		if (pwrite(to, chunk, (size_t)n, (off_t)done) != n)
			return err_set(e, -errno, "memfd: %s", strerror(errno));
		(void)crypto_generichash_update(&sum, chunk, (unsigned long long)n);
		done += (uint64_t)n;
	}
	(void)crypto_generichash_final(&sum, result, LIST_SUM_LEN);
	(void)sodium_bin2hex(text, sizeof(text), result, LIST_SUM_LEN);
	return strcmp(text, sum_text) == 0 ? 0 : err_set(e, -EBADMSG, "damaged: its sum is another one");
}

/* Another format, or bytes that are none: said now, when lists can be compiled anew, and not by dnsd. */
static int check_readable(int memfd, struct err *e)
{
	struct listfile *f = NULL;
	const void *data = NULL;
	union {
		const void *in;
		void *out;
	} map;
	size_t len = 0;
	int r = memfd_map(memfd, &data, &len, e);

	if (r < 0)
		return r;
	r = listfile_open(data, len, &f, e);
	(void)listfile_free(f);
	map.in = data;
	if (data != NULL)
		(void)munmap(map.out, len);
	return r;
}

static int load(const char *path, const cJSON *o, struct lists *l, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_closep) int memfd = -1;
	const char *sum = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "blake2b"));
	struct stat st;
	int r;

	if (fd == -1 || fstat(fd, &st) == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > KEPT_MAX || sum == NULL ||
	    (uint64_t)st.st_size != number_of(o, "bytes"))
		return err_set(e, -EBADMSG, "damaged: it has not its length");
	memfd = memfd_create("lists", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd == -1)
		return err_set(e, -errno, "memfd: %s", strerror(errno));
	r = copy_summed(fd, (uint64_t)st.st_size, memfd, sum, e);
	/* Now, when no worker waits yet, and not when the next copy is renamed over it. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (r == 0)
		r = memfd_seal_foreign(memfd, "lists", e);
	if (r == 0)
		r = check_readable(memfd, e);
	if (r == 0)
		l->compiled = fd_take(&memfd);
	return r;
}

int lists_kept_load(const char *state_dir, struct lists *l, struct err *e)
{
	CLEANUP(freep) char *text = NULL;
	char path[PATH_MAX], stamps[PATH_MAX];
	size_t len = 0;
	cJSON *o;
	int r = kept_path(state_dir, KEPT_NAME, path, e);

	if (r == 0)
		r = kept_path(state_dir, KEPT_STAMPS, stamps, e);
	if (r == 0)
		r = file_read(stamps, KEPT_STAMPS_MAX, &text, &len, e);
	if (r < 0)
		return r;
	o = cJSON_ParseWithLength(text, len);
	r = o == NULL ? err_set(e, -EBADMSG, "%s: damaged", stamps) : stamps_fit(o, l, e);
	if (r == 0)
		r = load(path, o, l, e);
	cJSON_Delete(o);
	if (r < 0)
		return r;
	l->rules = l->skipped = l->refused = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		l->rules += l->items[i].rules;
		l->skipped += l->items[i].skipped;
		l->refused += l->items[i].refused;
	}
	return 0;
}
