/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice flows` over a small journal: its output and exit status. Each call in a process of its own (getopt, stdout).
 */
#include "cli/cli.h"
#include "recorder/flow.h"
#include "recorder/journal.h"
#include "sluice/plan.h"
#include "tests/unit/recorder/tmpdir.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#define S	 1000000ull
#define T0	 (1790000000ull * S)
#define OUT_MAX	 16384
#define ARGS_MAX 12

struct fixture {
	struct tmpdir dir;
	char out[OUT_MAX];
};

static void put(struct journal *j, struct flow_record *f, uint64_t at_us)
{
	uint8_t body[FLOW_BODY_MAX];
	struct wcur c = wcur_over(body, sizeof(body));

	flow_encode(f, at_us, &c);
	assert_int_equal(c.err, 0);
	assert_int_equal(journal_append(j, f->closed ? JOURNAL_CLOSE : JOURNAL_OPEN, at_us, body, wcur_len(&c)), 0);
}

static struct flow_record flow(uint64_t id, const char *device, const char *name)
{
	struct flow_record f = { .id = id,
				 .start_us = T0 + id * S,
				 .level = LOG_LEVEL_FULL,
				 .proto = 6,
				 .src_port = 40000,
				 .dst_port = 443,
				 .evidence = FLOW_EVIDENCE_EXACT,
				 .candidates = 1,
				 .country = { 'D', 'E' },
				 .as_number = 64500 };

	assert_int_equal(ip_addr_parse("100.64.0.7", &f.src), 0);
	assert_int_equal(ip_addr_parse("2001:db8:a::1", &f.dst), 0);
	f.device = flow_text_of(device);
	f.name = flow_text_of(name);
	f.rule = flow_text_of("/grants/0");
	f.as_org = flow_text_of("Lab \"H\"\x1b[2J");
	return f;
}

/* Two flows, the second one alive, and a gap. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct journal_options o = { .segment_max = JOURNAL_SEGMENT_MAX_BYTES, .now_us = T0 };
	struct journal_gap gap = { .reason = JOURNAL_GAP_EVENTS, .since_us = T0 + 5 * S, .count = 3 };
	struct flow_record a = flow(1, "web1", "deb.example"), b = flow(2, "kim", "b.example");
	struct journal *j = NULL;
	uint8_t body[32];
	struct wcur c = wcur_over(body, sizeof(body));

	assert_true(sodium_init() >= 0);
	assert_int_equal(tmpdir_init(&f->dir), 0);
	o.dir_fd = f->dir.fd;
	assert_int_equal(journal_open(&o, &j, NULL, NULL), 0);
	put(j, &a, a.start_us);
	put(j, &b, b.start_us);
	a.closed = a.opened = a.counted = true;
	a.end_us = T0 + 9 * S;
	a.tx_bytes = 1234;
	journal_gap_write(&gap, &c);
	assert_int_equal(journal_append(j, JOURNAL_GAP, T0 + 6 * S, body, wcur_len(&c)), 0);
	put(j, &a, a.end_us);
	journal_free(j);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tmpdir_done(&f->dir);
	free(f);
	return 0;
}

/* Exit status; what it printed in f->out. @args: NULL-terminated, beside the journal's. */
static int run(struct fixture *f, const char *const *args)
{
	char *argv[ARGS_MAX] = { strdup("flows"), strdup("--journal"), strdup(f->dir.path) };
	int argc = 3, fds[2], status = 0;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	for (; args[argc - 3] != NULL; argc++)
		argv[argc] = strdup(args[argc - 3]);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)close(STDERR_FILENO);
		status = cmd_flows(argc, argv);
		(void)fflush(stdout);
		_exit(status);
	}
	fd_closep(&fds[1]);
	while ((n = read(fds[0], f->out + len, OUT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	f->out[len] = '\0';
	fd_closep(&fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return WEXITSTATUS(status);
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

static void each_flow_and_each_gap_is_one_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, (const char *const[]){ NULL }), CLI_OK);
	assert_int_equal(lines(f->out), 3);
	assert_non_null(strstr(f->out, "gap: events-lost"));
	assert_non_null(strstr(f->out, "deb.example"));
	assert_null(strchr(f->out, '\x1b')); /* nothing that a terminal would act upon */
}

static void json_members_are_as_promised(void **state)
{
	static const char *const members[] = { "start",	     "end",	 "device",     "src",	 "sport",
					       "dst",	     "dport",	 "proto",      "name",	 "evidence",
					       "rule",	     "country",	 "asn",	       "as_org", "tx_bytes",
					       "tx_packets", "rx_bytes", "rx_packets", "state" };
	struct fixture *f = *state;
	cJSON *j;

	assert_int_equal(run(f, (const char *const[]){ "--json", "--device", "web1", NULL }), CLI_OK);
	j = cJSON_Parse(strstr(f->out, "{\"start\":\"2026-09-21T14:13:21.000000Z\""));
	assert_non_null(j);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		assert_true(cJSON_HasObjectItem(j, members[i]));
	assert_string_equal(cJSON_GetObjectItem(j, "dst")->valuestring, "2001:db8:a::1");
	assert_string_equal(cJSON_GetObjectItem(j, "proto")->valuestring, "tcp");
	assert_string_equal(cJSON_GetObjectItem(j, "evidence")->valuestring, "exact");
	assert_string_equal(cJSON_GetObjectItem(j, "state")->valuestring, "closed");
	assert_int_equal(cJSON_GetObjectItem(j, "tx_bytes")->valueint, 1234);
	cJSON_Delete(j);
}

static void filters_choose(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, (const char *const[]){ "--open", NULL }), CLI_OK);
	assert_int_equal(lines(f->out), 1);
	assert_non_null(strstr(f->out, "b.example"));
	assert_int_equal(run(f, (const char *const[]){ "--json", "--name", "example", NULL }), CLI_OK);
	assert_int_equal(lines(f->out), 3);
	assert_int_equal(run(f, (const char *const[]){ "--json", "--name", "eb.example", NULL }), CLI_OK);
	assert_int_equal(lines(f->out), 1); /* the gap */
	assert_int_equal(run(f, (const char *const[]){ "--rule", "/grants/1", NULL }), CLI_OK);
	assert_int_equal(lines(f->out), 1);
	assert_int_equal(run(f, (const char *const[]){ "--since", "2026-09-21T14:13:28Z", NULL }), CLI_OK);
	assert_int_equal(lines(f->out), 2); /* what lives, and what ended after that */
}

static void verify_says_intact_or_which_record(void **state)
{
	struct fixture *f = *state;
	uint8_t byte = 0xff;
	int fd;

	assert_int_equal(run(f, (const char *const[]){ "--verify", NULL }), CLI_OK);
	assert_string_equal(f->out, "000001.jnl: intact 5 records\n");
	fd = openat(f->dir.fd, "000001.jnl", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &byte, 1, JOURNAL_HEADER_LEN + 60), 1);
	fd_closep(&fd);
	assert_int_equal(run(f, (const char *const[]){ "--verify", NULL }), CLI_BAD_INPUT);
	assert_non_null(strstr(f->out, "000001.jnl: record 2 at byte"));
	assert_non_null(strstr(f->out, "damaged 5 records"));
	assert_int_equal(run(f, (const char *const[]){ NULL }), CLI_BAD_INPUT);
	assert_non_null(strstr(f->out, "gap: damaged, segment 000001 record 2"));
}

static void wrong_usage_is_status_2(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, (const char *const[]){ "--nonsense", NULL }), CLI_USAGE);
	assert_int_equal(run(f, (const char *const[]){ "--since", "yesterday", NULL }), CLI_USAGE);
	assert_int_equal(run(f, (const char *const[]){ "extra", NULL }), CLI_USAGE);
	assert_int_equal(run(f, (const char *const[]){ "--journal", "/nonexistent", NULL }), CLI_BAD_INPUT);
	assert_int_equal(run(f, (const char *const[]){ "--help", NULL }), CLI_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_flow_and_each_gap_is_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(json_members_are_as_promised, setup, teardown),
		cmocka_unit_test_setup_teardown(filters_choose, setup, teardown),
		cmocka_unit_test_setup_teardown(verify_says_intact_or_which_record, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_usage_is_status_2, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
