/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is let pass for a while, as it is kept: over restarts, by the wall clock, within limits. */
#include "gatewayd/control.h"
#include "gatewayd/overrides.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NOW 1795740000

struct fixture {
	char folder[40], path[80];
	struct overrides o;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_overrides_XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/overrides.json", f->folder);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	overrides_done(&f->o);
	(void)unlink(f->path);
	(void)rmdir(f->path);
	assert_int_equal(rmdir(f->folder), 0); /* nothing else was left */
	free(f);
	return 0;
}

static struct override made(const char *device, const char *name, bool below, int64_t until_s)
{
	struct override o = { .below = below, .until_s = until_s };

	(void)snprintf(o.device, sizeof(o.device), "%s", device);
	if (name != NULL)
		assert_int_equal(dname_parse(name, strlen(name), &o.name), 0);
	return o;
}

static const struct override *put(struct fixture *f, const char *device, const char *name, bool below, int64_t until_s,
				  int64_t *ret_was_s)
{
	struct override what = made(device, name, below, until_s);

	return overrides_put(&f->o, &what, ret_was_s, NULL);
}

static void write_file(const struct fixture *f, const char *text)
{
	int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static void the_same_is_renewed_and_keeps_its_number(void **state)
{
	struct fixture *f = *state;
	int64_t was_s = -1;

	assert_int_equal(put(f, "tv", "ads.example", false, NOW + 60, &was_s)->id, 1);
	assert_int_equal(was_s, 0);
	assert_int_equal(put(f, "tv", "ADS.example", false, NOW + 600, &was_s)->id, 1);
	assert_int_equal(was_s, NOW + 60);
	assert_int_equal(put(f, "tv", "ads.example", true, NOW + 60, &was_s)->id, 2);
	assert_int_equal(put(f, "", "ads.example", false, NOW + 60, &was_s)->id, 3);
	assert_int_equal(put(f, "tv", NULL, false, NOW + 30, &was_s)->id, 4);
	assert_int_equal(f->o.n, 4);
	assert_int_equal(overrides_next_s(&f->o), NOW + 30);
	assert_true(overrides_remove(&f->o, 4));
	assert_false(overrides_remove(&f->o, 4));
	/* A number is not given twice. */
	assert_int_equal(put(f, "tv", NULL, false, NOW + 30, &was_s)->id, 5);
}

static void they_outlive_a_restart_but_not_their_time(void **state)
{
	struct fixture *f = *state;
	int64_t was_s;
	struct stat st;

	(void)put(f, "tv", "a\\.b.example", true, NOW + 60, &was_s);
	(void)put(f, "", NULL, false, NOW + 600, &was_s);
	assert_int_equal(overrides_save(f->folder, &f->o, NULL), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	overrides_done(&f->o);
	assert_int_equal(overrides_load(f->folder, NOW + 59, &f->o, NULL), 0);
	assert_int_equal(f->o.n, 2);
	assert_string_equal(f->o.items[0].device, "tv");
	assert_true(f->o.items[0].below);
	assert_int_equal(f->o.items[0].name.labels, 2);
	assert_int_equal(f->o.items[0].until_s, NOW + 60);
	assert_int_equal(f->o.items[1].name.len, 0);
	overrides_done(&f->o);
	assert_int_equal(overrides_load(f->folder, NOW + 60, &f->o, NULL), 0);
	assert_int_equal(f->o.n, 1);
	assert_int_equal(f->o.items[0].id, 2);
	assert_int_equal(put(f, "pc", NULL, false, NOW + 90, &was_s)->id, 3);
}

static void a_clock_that_is_set_ends_them_rather_than_keeps_them(void **state)
{
	struct fixture *f = *state;
	int64_t was_s;

	(void)put(f, "tv", "ads.example", false, NOW + 600, &was_s);
	assert_null(overrides_first_over(&f->o, NOW));
	assert_int_equal(overrides_first_over(&f->o, NOW + 600)->id, 1);
	/* Back by an hour: it lasts an hour longer. By more than anybody may ask for: it is over. */
	assert_null(overrides_first_over(&f->o, NOW - 3600));
	assert_int_equal(overrides_first_over(&f->o, NOW - OVERRIDE_FOR_MAX_S)->id, 1);
	assert_int_equal(overrides_first_over(&f->o, 0)->id, 1);
}

static void there_are_no_more_than_the_limit(void **state)
{
	struct fixture *f = *state;
	struct override one_more;
	struct err e = { 0 };
	char name[32];
	int64_t was_s;

	for (uint32_t i = 0; i < OVERRIDES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		assert_non_null(put(f, "tv", name, false, NOW + 60, &was_s));
	}
	one_more = made("tv", "x.example", false, NOW + 60);
	assert_null(overrides_put(&f->o, &one_more, &was_s, &e));
	assert_int_equal(e.code, -E2BIG);
	/* One that is there is renewed all the same, and all of them are kept. */
	assert_non_null(put(f, "tv", "n7.example", false, NOW + 90, &was_s));
	assert_int_equal(overrides_save(f->folder, &f->o, NULL), 0);
	overrides_done(&f->o);
	assert_int_equal(overrides_load(f->folder, NOW, &f->o, NULL), 0);
	assert_int_equal(f->o.n, OVERRIDES_MAX);
}

static void a_damaged_file_lets_nothing_pass(void **state)
{
	static const char *const wrong[] = {
		"",
		"{",
		"{}",
		"{\"last\":1,\"overrides\":7}",
		"{\"last\":1,\"overrides\":[7]}",
		"{\"last\":1,\"overrides\":[{\"id\":2,\"until\":1795740060,\"below\":false}]}", /* more than were given
												 */
		"{\"last\":1,\"overrides\":[{\"id\":0,\"until\":1795740060,\"below\":false}]}",
		"{\"last\":1,\"overrides\":[{\"id\":1,\"until\":-5,\"below\":false}]}",
		"{\"last\":1,\"overrides\":[{\"id\":1,\"until\":1795740060,\"name\":\"x..y\"}]}",
		"{\"overrides\":[]}",
	};
	struct fixture *f = *state;

	assert_int_equal(overrides_load(f->folder, NOW, &f->o, NULL), 0); /* there is none */
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		write_file(f, wrong[i]);
		assert_true(overrides_load(f->folder, NOW, &f->o, NULL) < 0);
		assert_int_equal(f->o.n, 0);
		assert_null(f->o.items);
	}
	(void)unlink(f->path);
	assert_int_equal(symlink("/etc/hostname", f->path), 0);
	assert_true(overrides_load(f->folder, NOW, &f->o, NULL) < 0);
	(void)unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_true(overrides_load(f->folder, NOW, &f->o, NULL) < 0);
}

static int parse(const char *line, struct control_cmd *ret, struct err *e)
{
	int r = control_parse(line, strlen(line), ret, e);

	assert_true(r < 0 || ret->kind == CONTROL_OVERRIDE);
	return r;
}

static void commands_parse(void **state)
{
	struct control_cmd cmd;
	const struct control_override *o = &cmd.override;

	assert_int_equal(
		parse("{\"cmd\":\"override\",\"do\":\"allow\",\"name\":\"X.Example\",\"below\":true,\"device\":\"tv\","
		      "\"for_s\":60}",
		      &cmd, NULL),
		0);
	assert_int_equal(o->what, OVERRIDE_PUT);
	assert_int_equal(o->put.name.labels, 2);
	assert_true(o->put.below);
	assert_string_equal(o->put.device, "tv");
	assert_int_equal(o->for_s, 60);
	assert_int_equal(parse("{\"cmd\":\"override\",\"do\":\"pause\"}", &cmd, NULL), 0);
	assert_int_equal(o->put.name.len, 0);
	assert_string_equal(o->put.device, "");
	assert_int_equal(o->for_s, OVERRIDE_FOR_DEFAULT_S);
	assert_int_equal(parse("{\"cmd\":\"override\",\"do\":\"list\"}", &cmd, NULL), 0);
	assert_int_equal(o->what, OVERRIDE_LIST);
	assert_int_equal(parse("{\"cmd\":\"override\",\"do\":\"end\",\"id\":3}", &cmd, NULL), 0);
	assert_int_equal(o->put.id, 3);
	assert_int_equal(parse("{\"cmd\":\"override\",\"do\":\"end\",\"name\":\"x\"}", &cmd, NULL), 0);
	assert_true(o->any_device);
	assert_int_equal(parse("{\"cmd\":\"override\",\"do\":\"end\",\"pause\":true,\"device\":null}", &cmd, NULL), 0);
	assert_false(o->any_device);
	assert_int_equal(o->put.name.len, 0);
}

static void nonsense_is_refused_by_its_member(void **state)
{
	static const struct {
		const char *line, *says;
	} wrong[] = {
		{ "{\"cmd\":\"override\"}", "\"do\"" },
		{ "{\"cmd\":\"override\",\"do\":\"allow\"}", "\"name\"" },
		{ "{\"cmd\":\"override\",\"do\":\"allow\",\"name\":\".\"}", "\"name\"" },
		{ "{\"cmd\":\"override\",\"do\":\"allow\",\"name\":\"x\",\"below\":1}", "\"below\"" },
		{ "{\"cmd\":\"override\",\"do\":\"allow\",\"name\":\"x\",\"for_s\":0}", "\"for_s\"" },
		{ "{\"cmd\":\"override\",\"do\":\"allow\",\"name\":\"x\",\"for_s\":604801}", "seven days" },
		{ "{\"cmd\":\"override\",\"do\":\"pause\",\"device\":7}", "\"device\"" },
		{ "{\"cmd\":\"override\",\"do\":\"pause\",\"device\":\"\"}", "\"device\"" },
		{ "{\"cmd\":\"override\",\"do\":\"end\"}", "\"name\"" },
		{ "{\"cmd\":\"override\",\"do\":\"end\",\"id\":0}", "\"id\"" },
		{ "{\"cmd\":\"override\",\"do\":\"end\",\"pause\":7}", "\"pause\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct control_cmd cmd;
		struct err e = { 0 };

		assert_int_equal(parse(wrong[i].line, &cmd, &e), -EINVAL);
		assert_non_null(strstr(e.msg, wrong[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_is_renewed_and_keeps_its_number, setup, teardown),
		cmocka_unit_test_setup_teardown(they_outlive_a_restart_but_not_their_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clock_that_is_set_ends_them_rather_than_keeps_them, setup, teardown),
		cmocka_unit_test_setup_teardown(there_are_no_more_than_the_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_lets_nothing_pass, setup, teardown),
		cmocka_unit_test(commands_parse),
		cmocka_unit_test(nonsense_is_refused_by_its_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
