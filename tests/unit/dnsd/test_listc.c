/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/listc.c: one compilation as gatewayd asks for it, in a confined child. Needs root, as confinement changes the
 * uid. */
#include "base/ipc.h"
#include "dnsd/listc.h"
#include "filter/listfile.h"
#include "geo/prefix_file.h"

#include <poll.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define WAIT_MS 10000

static const char config[] = "{\"uid\":65534,\"gid\":65534}";

struct child {
	pid_t pid;
	int channel;
};

static struct child child_start(void)
{
	struct child c;
	int ends[2];

	assert_int_equal(ipc_pair(ends, NULL), 0);
	c.pid = fork();
	assert_int_not_equal(c.pid, -1);
	if (c.pid == 0) {
		close(ends[0]);
		_exit(listc_main(ends[1]));
	}
	close(ends[1]);
	c.channel = ends[0];
	return c;
}

/* The last LIST_COUNTS that came before a result. */
static struct msg_list_counts last_counts;

static int child_end(struct child *c)
{
	int status = -1;

	close(c->channel);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int fd_with(const char *text)
{
	int fd = memfd_create("list", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void send_source(const struct child *c, uint32_t list, int fd)
{
	struct msg_list_source m = { .list = list };

	assert_int_equal(ipc_send(c->channel, MSG_LIST_SOURCE, &m, sizeof(m), &fd, 1, NULL), 0);
	close(fd);
}

/* Ask for the compilation into @out; the answer, of type @result, to @ret. */
static void compile_as(const struct child *c, enum msg_type ask, int out, enum msg_type result, void *ret, size_t len)
{
	struct ipc_msg *m = calloc(1, sizeof(*m));
	struct pollfd p = { .fd = c->channel, .events = POLLIN };

	assert_non_null(m);
	assert_int_equal(ipc_send(c->channel, ask, "", 1, &out, 1, NULL), 0);
	do {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_int_equal(ipc_recv(c->channel, ROLE_GATEWAYD, ROLE_LISTC, m, NULL), 0);
		if (m->type == MSG_LIST_COUNTS)
			memcpy(&last_counts, m->body, sizeof(last_counts));
	} while (m->type == MSG_LIST_COUNTS);
	assert_int_equal(m->type, result);
	assert_int_equal(m->len, len);
	memcpy(ret, m->body, len);
	ipc_msg_done(m);
	free(m);
}

static struct msg_list_result compile_into(const struct child *c, int out)
{
	struct msg_list_result result;

	compile_as(c, MSG_LIST_COMPILE, out, MSG_LIST_RESULT, &result, sizeof(result));
	return result;
}

static void send_prefix(const struct child *c, enum prefix_kind kind, const char *key, int fd)
{
	struct msg_prefix_want m = { .kind = kind };

	(void)snprintf(m.key, sizeof(m.key), "%s", key);
	if (fd == -1) {
		assert_int_equal(ipc_send(c->channel, MSG_PREFIX_WANT, &m, sizeof(m), NULL, 0, NULL), 0);
		return;
	}
	assert_int_equal(ipc_send(c->channel, MSG_PREFIX_LIST, &m, sizeof(m), &fd, 1, NULL), 0);
	close(fd);
}

static struct msg_prefix_result prefixes_into(const struct child *c, int out)
{
	struct msg_prefix_result result;

	compile_as(c, MSG_PREFIX_COMPILE, out, MSG_PREFIX_RESULT, &result, sizeof(result));
	return result;
}

/* A database that everybody may read, as the child is nobody: where the tree lies it may not be. */
static const char *database_copy(void)
{
	static char path[] = "/tmp/sluice-listc-XXXXXX";
	char command[4200];
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	(void)snprintf(command, sizeof(command), "cat '%s/country.mmdb' >%s", getenv("SLUICE_FIXTURES"), path);
	assert_int_equal(system(command), 0);
	return path;
}

static void countries_and_address_lists_become_one_file(void **state)
{
	struct child c = child_start();
	const char *database = database_copy();
	int out = memfd_create("out", MFD_CLOEXEC);
	struct msg_prefix_result r;
	struct prefix_file f;
	char text[4096];
	ssize_t len;

	(void)snprintf(text, sizeof(text), "{\"uid\":65534,\"gid\":65534,\"country\":\"%s\"}", database);
	assert_int_equal(ipc_send(c.channel, MSG_CONFIG, text, strlen(text), NULL, 0, NULL), 0);
	send_prefix(&c, PREFIX_LIST, "drop", fd_with("192.0.2.0/25\nnothing\n192.0.2.128/25\n"));
	send_prefix(&c, PREFIX_GEO, "DE", -1);
	send_prefix(&c, PREFIX_GEO, "NL", -1);
	r = prefixes_into(&c, out);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.refused, 1);
	assert_string_equal(r.text, "iplist drop: 1 lines refused, the first is 2");
	assert_int_equal(child_end(&c), 0);
	len = pread(out, text, sizeof(text), 0);
	assert_true(len > 0);
	assert_int_equal(prefix_file_read(text, (size_t)len, &f, NULL), 0);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.sources[0].key, "drop");
	assert_int_equal(f.sources[0].n_ranges, 1);
	assert_string_equal(f.sources[1].key, "DE");
	assert_int_equal(f.sources[1].n_ranges, 2);
	assert_int_equal(f.sources[2].n_ranges, 0);
	prefix_file_done(&f);
	close(out);
	(void)unlink(database);
}

/* It was told of no database: it could not open one either. */
static void a_country_without_a_database_is_an_error(void **state)
{
	struct child c = child_start();
	int out = memfd_create("out", MFD_CLOEXEC);
	struct msg_prefix_result r;

	assert_int_equal(ipc_send(c.channel, MSG_CONFIG, config, strlen(config), NULL, 0, NULL), 0);
	send_prefix(&c, PREFIX_GEO, "DE", -1);
	r = prefixes_into(&c, out);
	assert_int_equal(r.status, -ENOENT);
	assert_string_equal(r.text, "no country database");
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(lseek(out, 0, SEEK_END), 0);
	close(out);
}

static void two_lists_become_one_file(void **state)
{
	struct child c = child_start();
	int out = memfd_create("out", MFD_CLOEXEC);
	struct msg_list_result r;
	struct listfile *f = NULL;
	struct list_match hit;
	struct dname name;
	off_t len;
	void *map;

	assert_int_equal(ipc_send(c.channel, MSG_CONFIG, config, strlen(config), NULL, 0, NULL), 0);
	send_source(&c, 1, fd_with("||ads.example^\n||bad.example^$important\n"));
	send_source(&c, 0, fd_with("0.0.0.0 t.example u.example\nno\n! comment\n"));
	r = compile_into(&c, out);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.rules, 4);
	assert_int_equal(r.skipped, 1);
	assert_int_equal(r.refused, 1);
	/* Of the list that was sent last alone. */
	assert_int_equal(last_counts.list, 0);
	assert_int_equal(last_counts.rules, 2);
	assert_int_equal(last_counts.refused, 1);
	assert_int_equal(child_end(&c), 0);

	len = lseek(out, 0, SEEK_END);
	map = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, out, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(listfile_open(map, (size_t)len, &f, NULL), 0);
	assert_int_equal(dname_parse("x.ads.example", 13, &name), 0);
	assert_true(listfile_match_name(f, 2, &name, &hit));
	assert_int_equal(hit.hit.list, 1);
	assert_false(listfile_match_name(f, 1, &name, &hit));
	listfile_free(f);
	munmap(map, (size_t)len);
	close(out);
}

static void a_copy_is_kept_behind_the_result(void **state)
{
	struct child c = child_start();
	struct pollfd p = { .fd = c.channel, .events = POLLIN };
	struct ipc_msg *m = calloc(1, sizeof(*m));
	int out = memfd_create("out", MFD_CLOEXEC), copy = memfd_create("copy", MFD_CLOEXEC);
	struct msg_list_kept kept;
	uint8_t sum[LIST_SUM_LEN];
	off_t len;
	void *a, *b;

	assert_int_equal(ipc_send(c.channel, MSG_CONFIG, config, strlen(config), NULL, 0, NULL), 0);
	send_source(&c, 0, fd_with("||ads.example^\n"));
	assert_int_equal(ipc_send(c.channel, MSG_LIST_KEEP, "", 1, &copy, 1, NULL), 0);
	assert_int_equal(compile_into(&c, out).status, 0);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(ipc_recv(c.channel, ROLE_GATEWAYD, ROLE_LISTC, m, NULL), 0);
	assert_int_equal(m->type, MSG_LIST_KEPT);
	memcpy(&kept, m->body, sizeof(kept));
	assert_int_equal(child_end(&c), 0);

	len = lseek(out, 0, SEEK_END);
	assert_int_equal(kept.status, 0);
	assert_int_equal(kept.len, len);
	assert_int_equal(lseek(copy, 0, SEEK_END), len);
	a = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, out, 0);
	b = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, copy, 0);
	assert_memory_equal(a, b, (size_t)len);
	crypto_generichash(sum, sizeof(sum), a, (size_t)len, NULL, 0);
	assert_memory_equal(sum, kept.sum, sizeof(sum));
	munmap(a, (size_t)len);
	munmap(b, (size_t)len);
	close(out);
	close(copy);
	free(m);
}

static void a_list_that_fails_is_told_with_the_result(void **state)
{
	struct child c = child_start();
	int out = memfd_create("out", MFD_CLOEXEC);
	struct msg_list_result r;

	assert_int_equal(ipc_send(c.channel, MSG_CONFIG, config, strlen(config), NULL, 0, NULL), 0);
	send_source(&c, LISTS_MAX, fd_with("||ads.example^\n"));
	send_source(&c, 0, fd_with("||ads.example^\n"));
	r = compile_into(&c, out);
	assert_int_equal(r.status, -E2BIG);
	assert_string_not_equal(r.text, "");
	assert_int_equal(lseek(out, 0, SEEK_END), 0);
	assert_int_equal(child_end(&c), 0);
	close(out);
}

static void nothing_is_read_before_config(void **state)
{
	struct child c = child_start();

	send_source(&c, 0, fd_with("||ads.example^\n"));
	{
		struct pollfd p = { .fd = c.channel, .events = 0 }; /* POLLHUP comes unasked */

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	}
	assert_int_equal(child_end(&c), 1);
}

static void a_closed_channel_ends_it(void **state)
{
	struct child c = child_start();

	assert_int_equal(ipc_send(c.channel, MSG_CONFIG, config, strlen(config), NULL, 0, NULL), 0);
	assert_int_equal(child_end(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(countries_and_address_lists_become_one_file),
		cmocka_unit_test(a_country_without_a_database_is_an_error),
		cmocka_unit_test(two_lists_become_one_file),
		cmocka_unit_test(a_copy_is_kept_behind_the_result),
		cmocka_unit_test(a_list_that_fails_is_told_with_the_result),
		cmocka_unit_test(nothing_is_read_before_config),
		cmocka_unit_test(a_closed_channel_ends_it),
	};

	if (geteuid() != 0)
		return 77; /* skipped: meson's convention */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
