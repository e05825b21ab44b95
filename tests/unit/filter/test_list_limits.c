/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists without an end: too many lines, one line that never ends, more rules than fit. Each is refused by a limit with
 * a name, and in memory that does not grow with the text. SLUICE_LIST_FULL=1: a hundred million rules, too, which take
 * half a gigabyte and some seconds. */
#include "filter/listbuild.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#define LONG_BYTES 100000000u
#define SLACK_KB   8192 /* of the peak: a builder and its buffers are below 1 MB */
#define ROOM_BYTES (64ull << 20)

/* Another process writes @text again and again until nobody reads any more, or @times. */
struct feeder {
	int fd;
	pid_t pid;
};

static void feed(struct feeder *f, const char *text, uint64_t times)
{
	static char block[1 << 16];
	size_t one = strlen(text), n = sizeof(block) / one;
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	f->fd = pipe_fds[0];
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid != 0) {
		close(pipe_fds[1]);
		return;
	}
	close(pipe_fds[0]);
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < n; i++)
		memcpy(block + i * one, text, one);
	for (uint64_t left = times; left > 0;) {
		size_t some = left < n ? (size_t)left : n;

		for (size_t at = 0; at < some * one;) {
			ssize_t w = write(pipe_fds[1], block + at, some * one - at);

			if (w <= 0)
				_exit(1);
			at += (size_t)w;
		}
		left -= some;
	}
	_exit(0);
}

static void feed_end(struct feeder *f)
{
	close(f->fd);
	(void)kill(f->pid, SIGKILL);
	assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
}

static long peak_kb(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

static int holes(uint64_t len)
{
	int fd = memfd_create("list", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

static struct list_builder *builder(void)
{
	struct list_builder *b = list_builder_new();

	assert_non_null(b);
	return b;
}

static void too_many_lines_are_refused(void **state)
{
	struct list_builder *b = builder();
	struct err e = { 0 };
	struct feeder f;
	long before;

	feed(&f, "\n", 100000000);
	before = peak_kb();
	assert_int_equal(list_builder_add(b, 0, f.fd, NULL, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "LIST_LINES_MAX"));
	assert_true(peak_kb() - before < SLACK_KB);
	feed_end(&f);
	list_builder_free(b);
}

/* The line is refused, and what follows it is read. */
static void a_line_without_an_end_is_one_refused_line(void **state)
{
	static const char tail[] = "\nads.example\n";
	struct list_builder *b = builder();
	struct list_counts counts;
	struct err e = { 0 };
	long before = peak_kb();
	int fd = holes(LONG_BYTES);

	assert_int_equal(pwrite(fd, tail, sizeof(tail) - 1, LONG_BYTES), sizeof(tail) - 1);
	assert_int_equal(list_builder_add(b, 0, fd, &counts, &e), 0);
	assert_int_equal(counts.lines, 2);
	assert_int_equal(counts.refused, 1);
	assert_int_equal(counts.applied, 1);
	assert_true(peak_kb() - before < SLACK_KB);
	close(fd);
	list_builder_free(b);
}

static void letters_without_an_end_are_one_refused_line(void **state)
{
	struct list_builder *b = builder();
	struct list_counts counts;
	struct err e = { 0 };
	struct feeder f;
	long before;

	feed(&f, "a", LONG_BYTES);
	before = peak_kb();
	assert_int_equal(list_builder_add(b, 0, f.fd, &counts, &e), 0);
	assert_int_equal(counts.lines, 1);
	assert_int_equal(counts.refused, 1);
	assert_true(peak_kb() - before < SLACK_KB);
	feed_end(&f);
	list_builder_free(b);
}

static void more_text_than_any_list_has_is_refused(void **state)
{
	struct list_builder *b = builder();
	struct err e = { 0 };
	long before = peak_kb();
	int fd = holes(LIST_TEXT_MAX_BYTES + 1);

	assert_int_equal(list_builder_add(b, 0, fd, NULL, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "LIST_TEXT_MAX_BYTES"));
	assert_true(peak_kb() - before < SLACK_KB);
	close(fd);
	list_builder_free(b);
}

static void lines_of_nuls_say_nothing(void **state)
{
	static const char text[] = "\0\n\0\0\0\nads.\0example\n0.0.0.0 ads.example\0\n";
	struct list_builder *b = builder();
	struct list_counts counts;
	struct err e = { 0 };

	assert_int_equal(list_builder_add_text(b, 0, text, sizeof(text) - 1, &counts, &e), 0);
	assert_int_equal(counts.lines, 4);
	assert_int_equal(counts.applied, 0);
	assert_int_equal(counts.refused, 4);
	list_builder_free(b);
}

static void the_last_line_needs_no_end(void **state)
{
	struct list_builder *b = builder();
	struct list_counts counts;
	struct err e = { 0 };
	struct feeder f;

	feed(&f, "0.0.0.0 ads.example", 1);
	assert_int_equal(list_builder_add(b, 0, f.fd, &counts, &e), 0);
	assert_int_equal(counts.lines, 1);
	assert_int_equal(counts.applied, 1);
	feed_end(&f);
	list_builder_free(b);
}

static void terms_of_all_lists_are_bounded(void **state)
{
	struct list_builder *b = builder();
	struct list_rule rule = { .kind = LIST_SUBTREE, .action = LIST_REWRITE };
	struct list_terms *t = calloc(1, sizeof(*t));
	struct err e = { 0 };
	uint32_t n = 0;
	int r;

	assert_non_null(t);
	assert_int_equal(dname_parse("ads.example", 11, &rule.name), 0);
	list_terms_put_record(t, 16, 0, t->bytes, 8000);
	rule.terms = t->bytes;
	rule.terms_len = t->len;
	do
		r = list_builder_rule(b, 0, ++n, &rule, &e);
	while (r == 0 && n < LIST_RECORDS_MAX_BYTES / 8000 + 1);
	assert_int_equal(r, -E2BIG);
	assert_non_null(strstr(e.msg, "LIST_RECORDS_MAX_BYTES"));
	free(t);
	list_builder_free(b);
}

#if !defined(__SANITIZE_ADDRESS__)
/* Where memory ends before the limit: an error like any other. In a process of its own, for what it may have. */
static void rules_beyond_memory_are_refused(void **state)
{
	struct rlimit limit = { ROOM_BYTES, ROOM_BYTES };
	struct list_builder *b = builder();
	struct err e = { 0 };
	struct feeder f;
	int status;
	pid_t pid;

	feed(&f, "0.0.0.0 ads.example\n", 100000000);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setrlimit(RLIMIT_AS, &limit) == -1)
			_exit(2);
		_exit(list_builder_add(b, 0, f.fd, NULL, &e) == -ENOMEM && strstr(e.msg, "memory") != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	feed_end(&f);
	list_builder_free(b);
}
#endif

static void more_rules_than_the_limit_are_refused(void **state)
{
	struct list_builder *b;
	struct err e = { 0 };
	struct feeder f;

	if (getenv("SLUICE_LIST_FULL") == NULL)
		skip();
	b = builder();
	feed(&f, "0.0.0.0 a.example b.example\n", 50000000); /* two rules a line */
	assert_int_equal(list_builder_add(b, 0, f.fd, NULL, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "LIST_RULES_MAX"));
	assert_true(peak_kb() < 1100 * 1024);
	feed_end(&f);
	list_builder_free(b);
}

int main(void)
{
	/* Those that must stay small come first: what they watch is the highest that ever was. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_many_lines_are_refused),
		cmocka_unit_test(a_line_without_an_end_is_one_refused_line),
		cmocka_unit_test(letters_without_an_end_are_one_refused_line),
		cmocka_unit_test(more_text_than_any_list_has_is_refused),
		cmocka_unit_test(lines_of_nuls_say_nothing),
		cmocka_unit_test(the_last_line_needs_no_end),
#if !defined(__SANITIZE_ADDRESS__)
		cmocka_unit_test(rules_beyond_memory_are_refused),
#endif
		cmocka_unit_test(terms_of_all_lists_are_bounded),
		cmocka_unit_test(more_rules_than_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
