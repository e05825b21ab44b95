/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What dnsd tells, as rows: each level has what it may and no more; sealed; with gaps; and journals of before. */
#include "recorder/recorder.h"

#include "recorder/rows.h"
#include "sluice/dname.h"
#include "sluice/dns_stats.h"
#include "tests/unit/recorder/tmpdir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S	 1000000ull
#define T0	 (1790000000ull * S)
#define ROWS_MAX 64

static const char plan_text[] =
	"{\"generation\":1,\"devices\":["
	"{\"name\":\"web1\",\"addrs\":[\"100.64.0.7\"],\"flows\":\"off\",\"queries\":\"full\"},"
	"{\"name\":\"kim\",\"addrs\":[\"100.64.0.3\"],\"flows\":\"off\",\"queries\":\"pseudonymous\"},"
	"{\"name\":\"meter\",\"addrs\":[\"100.64.0.4\"],\"flows\":\"off\",\"queries\":\"counts\"},"
	"{\"name\":\"tv\",\"addrs\":[\"100.64.0.5\"],\"flows\":\"off\",\"queries\":\"blocked\"},"
	"{\"name\":\"flows\",\"addrs\":[\"100.64.0.6\"],\"flows\":\"full\"}],\"rules\":[]}";

struct fixture {
	struct tmpdir dir;
	struct recorder *rec;
	uint8_t body[32768];
	size_t len;
};

struct kept {
	struct row row;
	char device[64], name[64], list[64], rule[64], outcome[64];
};

static void start(struct fixture *f, const uint8_t *seal_to)
{
	struct journal_options o = {
		.dir_fd = f->dir.fd, .segment_max = JOURNAL_SEGMENT_MAX_BYTES, .now_us = T0, .seal_to = seal_to
	};
	struct journal *j = NULL;
	struct pseudonym key;
	struct logplan *p = NULL;
	struct err e = { 0 };

	assert_int_equal(pseudonym_init(&key, f->dir.fd, NULL, &e), 0);
	assert_int_equal(journal_open(&o, &j, NULL, &e), 0);
	f->rec = recorder_new(j, enrich_new(), &key);
	assert_non_null(f->rec);
	assert_int_equal(logplan_parse(plan_text, strlen(plan_text), &p, &e), 0);
	recorder_plan_set(f->rec, p);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(tmpdir_init(&f->dir), 0);
	start(f, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->rec = recorder_free(f->rec);
	tmpdir_done(&f->dir);
	free(f);
	return 0;
}

static struct query_told_head head(enum query_told kind, enum log_level level, const char *client)
{
	struct query_told_head h = { .kind = (uint8_t)kind,
				     .level = (uint8_t)level,
				     .at_us = T0 + 5 * S,
				     .outcome = DNS_OUTCOME_BLOCKED,
				     .reason = QUERY_REASON_LIST };

	assert_int_equal(ip_addr_parse(client, &h.client), 0);
	if (kind != QUERY_TOLD_ONE) {
		h.count = 7;
		return h;
	}
	h.type = 1;
	h.line = 1234;
	h.latency_us = 321;
	h.rcode = 3;
	h.n_addrs = 1;
	h.upstream_port = 53;
	assert_int_equal(ip_addr_parse("9.9.9.9", &h.upstream), 0);
	return h;
}

static void tell(struct fixture *f, struct query_told_head h, const char *text)
{
	struct wcur c = wcur_over(f->body + f->len, sizeof(f->body) - f->len);
	struct dname name = { 0 };
	struct ip_addr addr;

	assert_int_equal(ip_addr_parse("192.0.2.1", &addr), 0);
	if (text != NULL) {
		assert_int_equal(dname_parse(text, strlen(text), &name), 0);
		h.name_len = name.len;
		h.rule_len = (uint8_t)strlen("||ads.example^");
	}
	h.list_len = h.kind != QUERY_TOLD_LOST ? 3 : 0;
	h.len = (uint16_t)(sizeof(h) + h.name_len + h.list_len + h.rule_len + h.n_addrs * sizeof(addr));
	wcur_bytes(&c, &h, sizeof(h));
	wcur_bytes(&c, name.wire, h.name_len);
	wcur_bytes(&c, "ads", h.list_len);
	wcur_bytes(&c, "||ads.example^", h.rule_len);
	for (uint32_t i = 0; i < h.n_addrs; i++)
		wcur_bytes(&c, &addr, sizeof(addr));
	assert_int_equal(c.err, 0);
	f->len += wcur_len(&c);
}

static int sent(struct fixture *f)
{
	int r = recorder_queries(f->rec, f->body, f->len, T0 + 6 * S);

	f->len = 0;
	return r;
}

static size_t read_rows(struct fixture *f, enum rows_what what, struct journal_unsealer *u, struct kept ret[ROWS_MAX])
{
	struct rows_options o = { .dir_fd = f->dir.fd, .what = what, .unsealer = u };
	CLEANUP(rows_freep) struct rows *rows = NULL;
	struct err e = { 0 };
	struct row row = { 0 };
	size_t n = 0;

	memset(ret, 0, ROWS_MAX * sizeof(ret[0]));
	assert_int_equal(recorder_flush(f->rec, T0 + 1000 * S, &e), 0);
	assert_int_equal(rows_new(&o, &rows, &e), 0);
	while (rows_next(rows, &row, &e) == 1 && n < ROWS_MAX) {
		const struct query_record *q = &row.query;
		struct kept *k = &ret[n++];

		k->row = row;
		if (row.kind != ROW_QUERY)
			continue;
		(void)snprintf(k->device, sizeof(k->device), "%.*s", q->device.len, q->device.at);
		(void)snprintf(k->name, sizeof(k->name), "%.*s", q->name.len, q->name.at);
		(void)snprintf(k->list, sizeof(k->list), "%.*s", q->list.len, q->list.at);
		(void)snprintf(k->rule, sizeof(k->rule), "%.*s", q->rule.len, q->rule.at);
		(void)snprintf(k->outcome, sizeof(k->outcome), "%.*s", q->outcome.len, q->outcome.at);
	}
	assert_int_equal(rows_damaged(rows), 0);
	return n;
}

/* The whole journal, as bytes. */
static bool journal_says(struct fixture *f, const char *text)
{
	CLEANUP(fd_closep) int fd = openat(f->dir.fd, "000001.jnl", O_RDONLY);
	static char all[1 << 20];
	ssize_t n = read(fd, all, sizeof(all));

	assert_true(n > 0);
	return memmem(all, (size_t)n, text, strlen(text)) != NULL;
}

static void level_full_is_all_of_it(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];

	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.7"), "x.ads.example");
	assert_int_equal(sent(f), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 1);
	assert_string_equal(k[0].device, "web1");
	assert_string_equal(k[0].name, "x.ads.example");
	assert_string_equal(k[0].list, "ads");
	assert_string_equal(k[0].rule, "||ads.example^");
	assert_string_equal(k[0].outcome, "blocked");
	assert_int_equal(k[0].row.query.at_us, T0 + 5 * S);
	assert_int_equal(k[0].row.query.line, 1234);
	assert_int_equal(k[0].row.query.latency_us, 321);
	assert_int_equal(k[0].row.query.rcode, 3);
	assert_int_equal(k[0].row.query.reason, QUERY_REASON_LIST);
	assert_int_equal(k[0].row.query.n_addrs, 1);
	assert_int_equal(k[0].row.query.upstream_port, 53);
	assert_int_equal(k[0].row.query.client.family, IP_V4);
}

static void level_pseudonymous_names_nobody(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];

	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_PSEUDONYMOUS, "100.64.0.3"), "x.ads.example");
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_PSEUDONYMOUS, "100.64.0.3"), "x.ads.example");
	assert_int_equal(sent(f), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 2);
	assert_memory_equal(k[0].device, "p-", 2);
	assert_memory_equal(k[0].name, "p-", 2);
	assert_string_equal(k[0].name, k[1].name);
	assert_string_equal(k[0].list, "ads");
	assert_string_equal(k[0].rule, "");
	assert_int_equal(k[0].row.query.line, 0);
	assert_int_equal(k[0].row.query.client.family, FLOW_ADDR_PSEUDONYM);
	assert_int_equal(k[0].row.query.addrs[0].family, FLOW_ADDR_PSEUDONYM);
	assert_false(journal_says(f, "ads.example"));
	assert_false(journal_says(f, "kim"));
}

static void level_counts_is_numbers(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];

	tell(f, head(QUERY_TOLD_COUNT, LOG_LEVEL_COUNTS, "100.64.0.4"), NULL);
	/* What dnsd would never tell: a name at this level. */
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_COUNTS, "100.64.0.4"), "x.ads.example");
	assert_int_equal(sent(f), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 1);
	assert_string_equal(k[0].device, "meter");
	assert_string_equal(k[0].list, "ads");
	assert_int_equal(k[0].row.query.count, 7);
	assert_int_equal(k[0].row.query.type, 0);
	assert_false(journal_says(f, "example"));
	assert_int_equal(recorder_stats(f->rec)->queries.ignored, 1);
}

/* The level was raised since: they say less than it allows. Where it was lowered they are not taken. */
static void late_counts_are_taken_at_higher_levels(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];

	tell(f, head(QUERY_TOLD_COUNT, LOG_LEVEL_COUNTS, "100.64.0.7"), NULL);
	tell(f, head(QUERY_TOLD_COUNT, LOG_LEVEL_COUNTS, "100.64.0.3"), NULL);
	tell(f, head(QUERY_TOLD_COUNT, LOG_LEVEL_COUNTS, "100.64.0.5"), NULL);
	tell(f, head(QUERY_TOLD_COUNT, LOG_LEVEL_COUNTS, "100.64.0.6"), NULL);
	assert_int_equal(sent(f), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 2);
	assert_string_equal(k[0].device, "web1");
	assert_memory_equal(k[1].device, "p-", 2);
	assert_string_equal(k[1].name, "");
	assert_int_equal(k[1].row.query.client.family, IP_NONE);
}

static void level_blocked_takes_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h = head(QUERY_TOLD_ONE, LOG_LEVEL_BLOCKED, "100.64.0.5");
	static struct kept k[ROWS_MAX];

	tell(f, h, "x.ads.example");
	h.outcome = DNS_OUTCOME_CACHED;
	h.reason = QUERY_REASON_NONE;
	tell(f, h, "www.example");
	h.reason = QUERY_REASON_LIST;
	h.flags = QUERY_EXCEPTED;
	tell(f, h, "www.example");
	assert_int_equal(sent(f), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 1);
	assert_string_equal(k[0].name, "x.ads.example");
	assert_false(journal_says(f, "www"));
}

/* Promise 8: whoever has not opted in, and whoever has opted out since. */
static void who_is_not_recorded_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];

	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.6"), "x.ads.example");
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.99"), "x.ads.example");
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.3"), "x.ads.example");
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_OFF, "100.64.0.7"), "x.ads.example");
	assert_int_equal(sent(f), 0);
	recorder_plan_set(f->rec, NULL);
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.7"), "x.ads.example");
	assert_int_equal(sent(f), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 0);
	assert_false(journal_says(f, "example"));
	assert_int_equal(recorder_stats(f->rec)->queries.ignored, 5);
}

static void losses_are_gaps_of_queries_alone(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];

	tell(f, head(QUERY_TOLD_LOST, LOG_LEVEL_OFF, "100.64.0.7"), NULL);
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.7"), "x.ads.example");
	assert_int_equal(sent(f), 0);
	recorder_events_lost(f->rec, T0 + 7 * S);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 2);
	assert_int_equal(k[0].row.kind, ROW_GAP);
	assert_int_equal(k[0].row.gap, ROW_GAP_QUERIES);
	assert_int_equal(k[0].row.count, 7);
	assert_int_equal(k[0].row.start_us, T0 + 5 * S);
	assert_int_equal(k[1].row.kind, ROW_QUERY);
	assert_int_equal(read_rows(f, ROWS_FLOWS, NULL, k), 1);
	assert_int_equal(k[0].row.gap, ROW_GAP_EVENTS);
}

static void many_share_records_and_none_is_lost(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];
	struct journal_item item;
	struct journal_reader *reader = NULL;
	struct err e = { 0 };
	int records = 0;

	for (int i = 0; i < 60; i++)
		tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.7"), "x.ads.example");
	assert_int_equal(sent(f), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 60);
	assert_string_equal(k[59].name, "x.ads.example");
	assert_int_equal(journal_reader_new(f->dir.fd, 0, &reader, &e), 0);
	while (journal_reader_next(reader, &item, &e) == 1)
		records += item.record.type == JOURNAL_QUERIES;
	journal_reader_free(reader);
	assert_in_range(records, 2, 4);
}

static void sealed_is_read_with_the_key_alone(void **state)
{
	struct fixture *f = *state;
	static struct kept k[ROWS_MAX];
	uint8_t public_key[crypto_box_PUBLICKEYBYTES], secret_key[crypto_box_SECRETKEYBYTES];
	struct journal_unsealer u = { 0 };

	(void)recorder_free(f->rec);
	(void)crypto_box_keypair(public_key, secret_key);
	start(f, public_key);
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.7"), "x.ads.example");
	tell(f, head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.7"), "y.ads.example");
	assert_int_equal(sent(f), 0);
	(void)read_rows(f, ROWS_QUERIES, NULL, k);
	assert_int_not_equal(k[0].row.kind, ROW_QUERY);
	assert_false(journal_says(f, "example"));
	assert_int_equal(journal_unsealer_init(&u, secret_key), 0);
	assert_int_equal(read_rows(f, ROWS_QUERIES, &u, k), 3); /* and that the recorder was started twice */
	assert_string_equal(k[1].name, "x.ads.example");
	assert_string_equal(k[2].name, "y.ads.example");
	journal_unsealer_done(&u);
}

static void nonsense_is_refused(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h = head(QUERY_TOLD_ONE, LOG_LEVEL_FULL, "100.64.0.7");
	static struct kept k[ROWS_MAX];
	size_t whole;

	tell(f, h, "x.ads.example");
	whole = f->len;
	for (size_t len = 1; len < whole; len++)
		assert_int_equal(recorder_queries(f->rec, f->body, len, T0 + 6 * S), -EBADMSG);
	/* A name that leaves its place, more addresses than there are, a record longer than the message. */
	f->body[sizeof(h)] = 63;
	assert_int_equal(recorder_queries(f->rec, f->body, whole, T0 + 6 * S), -EBADMSG);
	f->len = 0;
	h.n_addrs = QUERY_ADDRS_MAX + 1;
	tell(f, h, "x.ads.example");
	assert_int_equal(sent(f), -EBADMSG);
	assert_int_equal(read_rows(f, ROWS_QUERIES, NULL, k), 0);
}

static void a_later_form_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct rows_options o = { .dir_fd = f->dir.fd, .what = ROWS_QUERIES };
	CLEANUP(rows_freep) struct rows *rows = NULL;
	struct journal_options jo = { .dir_fd = f->dir.fd, .segment_max = JOURNAL_SEGMENT_MAX_BYTES, .now_us = T0 + S };
	const uint8_t body[] = { QUERY_FORM + 1, 1, 2, 3 };
	struct journal *j = NULL;
	struct err e = { 0 };
	struct row row;

	f->rec = recorder_free(f->rec);
	assert_int_equal(journal_open(&jo, &j, NULL, &e), 0);
	assert_int_equal(journal_append(j, JOURNAL_QUERIES, T0 + 2 * S, body, sizeof(body)), 0);
	journal_free(j);
	assert_int_equal(rows_new(&o, &rows, &e), 0);
	while (rows_next(rows, &row, &e) == 1)
		assert_int_equal(row.kind, ROW_GAP);
	assert_int_equal(rows_damaged(rows), 0);
	assert_int_equal(rows_newer(rows), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(level_full_is_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(level_pseudonymous_names_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(level_counts_is_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(late_counts_are_taken_at_higher_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(level_blocked_takes_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_not_recorded_leaves_no_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_are_gaps_of_queries_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(many_share_records_and_none_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(sealed_is_read_with_the_key_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_later_form_is_passed_over, setup, teardown),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
