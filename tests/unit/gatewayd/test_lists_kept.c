/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled lists are used again for the same files only, and only as they were written. */
#include "gatewayd/lists_kept.h"

#include "base/ipc.h"
#include "filter/listbuild.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

struct fixture {
	char folder[32];
	struct lists *lists;
};

static struct lists *lists_of_two(void)
{
	struct lists *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->compiled = -1;
	for (l->n = 0; l->n < 2; l->n++) {
		struct list_file *f = &l->items[l->n];

		f->fd = -1;
		f->name = strdup(l->n == 0 ? "ads" : "threats");
		f->stamp = (struct list_stamp){ .dev = 1, .ino = 77 + l->n, .size = 100, .mtime = { 5, 6 } };
		f->rules = 1 + l->n;
	}
	return l;
}

/* What listc does. */
static void keep(const struct fixture *f, struct lists *l)
{
	struct list_builder *b = list_builder_new();
	struct msg_list_kept kept = { 0 };
	struct list_counts counts;
	void *image;
	size_t len;
	int fd;

	assert_int_equal(list_builder_add_text(b, 0, "||ads.example^\n", 15, &counts, NULL), 0);
	assert_int_equal(list_builder_image(b, &image, &len, NULL), 0);
	assert_int_equal(lists_kept_begin(f->folder, &fd, NULL), 0);
	assert_int_equal(write(fd, image, len), (ssize_t)len);
	close(fd);
	kept.len = len;
	crypto_generichash(kept.sum, sizeof(kept.sum), image, len, NULL, 0);
	assert_int_equal(lists_kept_end(f->folder, l, &kept, NULL), 0);
	free(image);
	list_builder_free(b);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_true(sodium_init() >= 0);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_kept_XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->lists = lists_of_two();
	keep(f, f->lists);
	*state = f;
	return 0;
}

static void path_in(const struct fixture *f, const char *name, char ret[64])
{
	(void)snprintf(ret, 64, "%s/%s", f->folder, name);
}

static int teardown(void **state)
{
	static const char *const names[] = { "lists.compiled", "lists.compiled.json", "lists.compiled.new" };
	struct fixture *f = *state;
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		path_in(f, names[i], path);
		(void)unlink(path);
	}
	(void)rmdir(f->folder);
	(void)lists_free(f->lists);
	free(f);
	return 0;
}

/* Loading for the lists of setup() after @change to them. */
static int load_changed(const struct fixture *f, void (*change)(struct lists *l))
{
	struct lists *l = lists_of_two();
	struct err e = { 0 };
	int r;

	if (change != NULL)
		change(l);
	r = lists_kept_load(f->folder, l, &e);
	assert_int_equal(l->compiled != -1, r == 0);
	(void)lists_free(l);
	return r;
}

static void the_same_lists_are_there_again(void **state)
{
	const struct fixture *f = *state;
	struct lists *l = lists_of_two();
	struct listfile *file = NULL;
	struct list_match m;
	struct dname name;
	const void *data;
	size_t len;

	l->items[0].rules = l->items[1].rules = 0;
	assert_int_equal(lists_kept_load(f->folder, l, NULL), 0);
	assert_int_equal(l->rules, 3);
	assert_int_equal(l->items[1].rules, 2);
	/* memfd_map() takes none that is not sealed. */
	assert_int_equal(memfd_map(l->compiled, &data, &len, NULL), 0);
	assert_int_equal(listfile_open(data, len, &file, NULL), 0);
	assert_int_equal(dname_parse("www.ads.example", 15, &name), 0);
	assert_true(listfile_match_name(file, 1, &name, &m));
	(void)listfile_free(file);
	(void)lists_free(l);
}

static void newer(struct lists *l)
{
	l->items[1].stamp.mtime.tv_nsec++;
}

static void trusted(struct lists *l)
{
	l->items[0].trusted = true;
}

static void swapped(struct lists *l)
{
	char *name = l->items[0].name;

	l->items[0].name = l->items[1].name;
	l->items[1].name = name;
}

static void fewer(struct lists *l)
{
	free(l->items[1].name);
	l->n = 1;
}

static void other_lists_are_not(void **state)
{
	assert_int_equal(load_changed(*state, newer), -ESTALE);
	assert_int_equal(load_changed(*state, trusted), -ESTALE);
	assert_int_equal(load_changed(*state, swapped), -ESTALE);
	assert_int_equal(load_changed(*state, fewer), -ESTALE);
	assert_int_equal(load_changed(*state, NULL), 0);
}

static void a_damaged_copy_is_refused_wherever_it_is_damaged(void **state)
{
	const struct fixture *f = *state;
	char path[64], byte;
	struct stat st;
	int fd;

	path_in(f, "lists.compiled", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at += 1 + at / 8) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(load_changed(f, NULL), -EBADMSG);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(load_changed(f, NULL), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
	assert_int_equal(load_changed(f, NULL), -EBADMSG);
	close(fd);
}

static void without_what_is_known_of_it_it_is_not_used(void **state)
{
	const struct fixture *f = *state;
	char path[64];
	int fd;

	path_in(f, "lists.compiled.json", path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(load_changed(f, NULL), -EBADMSG);
	close(fd);
	(void)unlink(path);
	assert_int_equal(load_changed(f, NULL), -ENOENT);
}

static void a_copy_that_was_begun_is_not_the_one(void **state)
{
	const struct fixture *f = *state;
	int fd;

	assert_int_equal(lists_kept_begin(f->folder, &fd, NULL), 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(load_changed(f, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_lists_are_there_again, setup, teardown),
		cmocka_unit_test_setup_teardown(other_lists_are_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_copy_is_refused_wherever_it_is_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(without_what_is_known_of_it_it_is_not_used, setup, teardown),
		cmocka_unit_test_setup_teardown(a_copy_that_was_begun_is_not_the_one, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
