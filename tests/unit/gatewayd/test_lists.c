/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which list files there are, and when they must be compiled again. */
#include "gatewayd/lists.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

struct fixture {
	char folder[32], policy[64], file[64];
};

static void write_file(const char *path, const char *text)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_lists_XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->policy, sizeof(f->policy), "%s/policy.hujson", f->folder);
	(void)snprintf(f->file, sizeof(f->file), "%s/ads.txt", f->folder);
	write_file(f->file, "||ads.example^\n");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->file);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

static struct lists *open_one(const struct fixture *f, const struct plan_list *list)
{
	const struct plan p = { .lists = list, .n_lists = 1 };
	struct lists *l = NULL;

	assert_int_equal(lists_open(&p, f->policy, f->folder, &l, NULL), 0);
	return l;
}

static void file_is_found_beside_the_policy(void **state)
{
	static const struct plan_list list = { .name = "ads", .file = "ads.txt" };
	struct lists *l = open_one(*state, &list);

	assert_true(l->items[0].fd != -1);
	assert_int_equal(l->items[0].warning[0], '\0');
	(void)lists_free(l);
}

static void a_list_of_the_catalogue_is_a_file_like_others(void **state)
{
	static const struct plan_list tiktok = { .name = "service:tiktok", .builtin = true };
	static const struct plan_list roblox = { .name = "service:roblox", .builtin = true };
	static const struct plan_list unknown = { .name = "service:nobody", .builtin = true };
	const struct plan p = { .lists = &unknown, .n_lists = 1 };
	const struct fixture *f = *state;
	struct lists *a = open_one(f, &tiktok), *b = open_one(f, &tiktok), *c = open_one(f, &roblox);
	struct lists *none = NULL;
	char text[16] = "";

	assert_int_equal(read(a->items[0].fd, text, 13), 13);
	assert_string_equal(text, "||tiktok.com^");
	assert_int_equal(a->items[0].warning[0], '\0');
	assert_true(lists_same(a, b));
	free(c->items[0].name);
	c->items[0].name = strdup("service:tiktok");
	assert_false(lists_same(a, c)); /* another text of the same name: of another version */
	assert_int_equal(lists_open(&p, f->policy, f->folder, &none, NULL), -ENOENT);
	(void)lists_free(a);
	(void)lists_free(b);
	(void)lists_free(c);
}

static void named_file_that_is_missing_is_an_error(void **state)
{
	static const struct plan_list list = { .name = "ads", .file = "asd.txt", .url = "https://x.example/" };
	const struct fixture *f = *state;
	const struct plan p = { .lists = &list, .n_lists = 1 };
	struct err e = { 0 };
	struct lists *l;

	assert_int_equal(lists_open(&p, f->policy, f->folder, &l, &e), -ENOENT);
	assert_null(l);
	assert_non_null(strstr(e.msg, "asd.txt"));
}

static void list_not_downloaded_yet_is_a_warning(void **state)
{
	static const struct plan_list list = { .name = "ads", .url = "https://x.example/" };
	struct lists *l = open_one(*state, &list);

	assert_int_equal(l->items[0].fd, -1);
	assert_non_null(strstr(l->items[0].warning, "/lists/ads.txt"));
	(void)lists_free(l);
}

static void same_files_need_no_new_compilation(void **state)
{
	static const struct plan_list list = { .name = "ads", .file = "ads.txt" };
	struct lists *a = open_one(*state, &list), *b = open_one(*state, &list);

	assert_true(lists_same(a, b));
	assert_false(lists_same(NULL, b));
	(void)lists_free(a);
	(void)lists_free(b);
}

static void changed_or_renamed_list_needs_one(void **state)
{
	static const struct plan_list list = { .name = "ads", .file = "ads.txt" }, other = { "b", "ads.txt", NULL };
	const struct fixture *f = *state;
	struct lists *a = open_one(f, &list), *b = open_one(f, &other), *c;

	assert_false(lists_same(a, b));
	write_file(f->file, "||ads.example^\n||more.example^\n");
	c = open_one(f, &list);
	assert_false(lists_same(a, c));
	(void)lists_free(a);
	(void)lists_free(b);
	(void)lists_free(c);
}

static void copy_outlives_its_original_and_the_files(void **state)
{
	static const struct plan_list list = { .name = "ads", .file = "ads.txt" };
	const struct fixture *f = *state;
	const struct msg_list_result result = { .rules = 3 };
	struct lists *l = open_one(f, &list), *copy = NULL, *again;

	assert_int_equal(lists_compiled(l, memfd_create("lists", MFD_CLOEXEC | MFD_ALLOW_SEALING), &result, NULL), 0);
	assert_int_equal(lists_copy(l, &copy, NULL), 0);
	(void)lists_free(l);
	again = open_one(f, &list);
	assert_true(lists_same(copy, again));
	assert_int_equal(copy->rules, 3);
	assert_true(fcntl(copy->compiled, F_GETFD) >= 0);
	(void)lists_free(copy);
	(void)lists_free(again);
}

static void result_is_sealed(void **state)
{
	static const struct plan_list list = { .name = "ads", .file = "ads.txt" };
	const struct msg_list_result result = { .rules = 3 };
	struct lists *l = open_one(*state, &list);
	int fd = memfd_create("lists", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(lists_compiled(l, fd, &result, NULL), 0);
	assert_true(pwrite(l->compiled, "y", 1, 0) < 0);
	assert_int_equal(l->rules, 3);
	(void)lists_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_is_found_beside_the_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(a_list_of_the_catalogue_is_a_file_like_others, setup, teardown),
		cmocka_unit_test_setup_teardown(named_file_that_is_missing_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(list_not_downloaded_yet_is_a_warning, setup, teardown),
		cmocka_unit_test_setup_teardown(same_files_need_no_new_compilation, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_or_renamed_list_needs_one, setup, teardown),
		cmocka_unit_test_setup_teardown(copy_outlives_its_original_and_the_files, setup, teardown),
		cmocka_unit_test_setup_teardown(result_is_sealed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
