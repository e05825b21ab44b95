/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker tells the recorder, at each level; and what becomes of it when the recorder does not read. */
#include "dnsd/qlog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/ipc.h"
#include "dnsd/packet.h"

#define VIEW(queries)                                                                                                  \
	"{\"filter\":\"/dns/filters/"                                                                                  \
	"0\",\"route\":0,\"lists\":[],\"block\":[\"||ads.example^\"],\"allow\":[\"ok.example\"],"                      \
	"\"blockMode\":\"null\",\"resolveFirst\":false,\"flows\":false,\"queries\":\"" queries                         \
	"\",\"grants\":[],\"denies\":[]}"
#define CLIENT(addr, view) "{\"addr\":\"" addr "\",\"device\":\"d" view "\",\"view\":" view "}"

/* clang-format off */
static const char views[] =
	"{\"generation\":1,\"lists\":[],\"views\":["
	VIEW("off") "," VIEW("blocked") "," VIEW("counts") "," VIEW("pseudonymous") "," VIEW("full")
	"],\"rules\":[],\"clients\":["
	CLIENT("10.0.0.1", "0") "," CLIENT("10.0.0.2", "1") "," CLIENT("10.0.0.3", "2") "," CLIENT("10.0.0.4", "3") ","
	CLIENT("10.0.0.5", "4")
	"],\"routes\":[{\"upstreams\":[],\"splits\":[]}],\"records\":[]}";
/* clang-format on */

/* www.example A 192.0.2.7 */
static const uint8_t answer_msg[] = { 0,   1, 0x81, 0x80, 0,   1,   0,	 1,   0,   0, 0, 0,   3, 'w', 'w',
				      'w', 7, 'e',  'x',  'a', 'm', 'p', 'l', 'e', 0, 0, 1,   0, 1,   0xc0,
				      12,  0, 1,    0,	  1,   0,   0,	 0,   60,  0, 4, 192, 0, 2,   7 };

struct fixture {
	struct query_env env;
	struct views *views;
	int fd; /* the recorder's end */
	struct ipc_msg msg;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = { 0 };
	int pair[2];

	assert_int_equal(views_new(views, strlen(views), NULL, 0, &f->views, &e), 0);
	assert_int_equal(ipc_pair(pair, &e), 0);
	f->env.views = f->views;
	f->env.now_us = 1000000000;
	f->env.log = qlog_new(&f->env.stats);
	f->env.recording = qlog_wanted(f->views);
	assert_true(f->env.recording);
	qlog_connect(f->env.log, pair[0]);
	f->fd = pair[1];
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->env.log = qlog_free(f->env.log);
	(void)views_free(f->views);
	(void)close(f->fd);
	free(f);
	return 0;
}

/* As query.c and ask.c do: judged, then noted. It came @took_us ago. */
static void answered(struct fixture *f, const char *client, const char *text, uint64_t took_us)
{
	const struct query_from from = { .transport = DNS_TRANSPORT_UDP };
	struct ip_addr addr;
	struct dname name;
	struct name_verdict v;
	struct verdict_ask ask = { .views = f->views, .type = TYPE_A };
	struct noted_answer a = { .type = TYPE_A,
				  .came_us = f->env.now_us - took_us,
				  .msg = answer_msg,
				  .len = sizeof(answer_msg),
				  .name = &name,
				  .upstream = { .family = IP_V4, .bytes = { 9, 9, 9, 9 } },
				  .upstream_port = 53 };

	assert_int_equal(ip_addr_parse(client, &addr), 0);
	assert_int_equal(dname_parse(text, strlen(text), &name), 0);
	ask.client = views_client(f->views, &addr);
	assert_non_null(ask.client);
	ask.view = &f->views->views[ask.client->view];
	verdict_name(&ask, &name, &v);
	a.outcome = v.verdict == DNS_BLOCK ? DNS_OUTCOME_BLOCKED : DNS_OUTCOME_RESOLVED;
	a.verdict = v.verdict == DNS_BLOCK ? &v : NULL;
	a.excepted = note_exception(&f->env, &v);
	note_answer(&f->env, &from, &addr, &a);
}

static void later(struct fixture *f, uint64_t us)
{
	f->env.now_us += us;
	qlog_flush(f->env.log, &f->env);
}

/* The records of the next message; 0: there is none. */
static size_t told(struct fixture *f, struct query_told_head *ret, size_t max)
{
	struct rcur c;
	size_t n = 0;

	if (ipc_recv(f->fd, ROLE_RECORDER, ROLE_DNSD, &f->msg, NULL) != 0)
		return 0;
	c = rcur_over(f->msg.body, f->msg.len);
	while (rcur_left(&c) != 0 && n < max) {
		rcur_copy(&c, &ret[n], sizeof(ret[n]));
		(void)rcur_bytes(&c, ret[n].len - sizeof(ret[n]));
		n++;
	}
	assert_true(n == max || rcur_end(&c) == 0);
	return n;
}

static bool says(const struct fixture *f, const char *text)
{
	return memmem(f->msg.body, f->msg.len, text, strlen(text)) != NULL;
}

static void nothing_is_told_of_who_is_off(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[4];

	answered(f, "10.0.0.1", "www.example", 5);
	answered(f, "10.0.0.1", "x.ads.example", 5);
	assert_int_equal(qlog_deadline_us(f->env.log), UINT64_MAX);
	later(f, 2 * QLOG_COUNTS_US);
	assert_int_equal(told(f, h, 4), 0);
}

static void level_blocked_has_what_was_blocked(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[4];

	answered(f, "10.0.0.2", "www.example", 5);
	answered(f, "10.0.0.2", "ok.example", 5);
	answered(f, "10.0.0.2", "x.ads.example", 5);
	later(f, QLOG_DELAY_US);
	assert_int_equal(told(f, h, 4), 1);
	assert_int_equal(h[0].kind, QUERY_TOLD_ONE);
	assert_int_equal(h[0].level, LOG_LEVEL_BLOCKED);
	assert_int_equal(h[0].outcome, DNS_OUTCOME_BLOCKED);
	assert_int_equal(h[0].reason, QUERY_REASON_FILTER);
	assert_int_equal(h[0].line, 1);
	assert_true(says(f, "||ads.example^"));
	assert_false(says(f, "www"));
}

/* It is answered later than it is judged. */
static void a_changed_answer_is_told_with_its_rule(void **state)
{
	struct fixture *f = *state;
	const struct query_from from = { .transport = DNS_TRANSPORT_UDP };
	const struct noted_change change = { .reason = { .by = VERDICT_BY_FILTER, .line = 9, .generation = 1 },
					     .rule = "||w.example^$dnsrewrite=192.0.2.7" };
	struct dname name;
	struct noted_answer a = { .outcome = DNS_OUTCOME_REWRITTEN,
				  .type = TYPE_A,
				  .came_us = f->env.now_us - 5,
				  .msg = answer_msg,
				  .len = sizeof(answer_msg),
				  .name = &name,
				  .change = &change,
				  .client = &f->views->clients[1] };
	struct query_told_head h[4];

	assert_int_equal(dname_parse("w.example", 9, &name), 0);
	note_answer(&f->env, &from, &a.client->addr, &a);
	later(f, QLOG_DELAY_US);
	assert_int_equal(told(f, h, 4), 1);
	assert_int_equal(h[0].level, LOG_LEVEL_BLOCKED);
	assert_int_equal(h[0].reason, QUERY_REASON_FILTER);
	assert_int_equal(h[0].line, 9);
	assert_int_equal(h[0].flags, 0);
	assert_true(says(f, "$dnsrewrite="));
}

static void level_counts_tells_no_names(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[4];

	for (int i = 0; i < 5; i++)
		answered(f, "10.0.0.3", "www.example", 5);
	answered(f, "10.0.0.3", "x.ads.example", 5);
	later(f, QLOG_DELAY_US);
	assert_int_equal(told(f, h, 4), 0);
	later(f, QLOG_COUNTS_US);
	later(f, QLOG_DELAY_US);
	assert_int_equal(told(f, h, 4), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(h[i].kind, QUERY_TOLD_COUNT);
		assert_int_equal(h[i].count, h[i].outcome == DNS_OUTCOME_BLOCKED ? 1 : 5);
		assert_int_equal(h[i].len, sizeof(h[i]));
		assert_int_equal(h[i].type, 0);
	}
	assert_false(says(f, "example"));
}

static void counts_are_told_before_the_views_go(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[4];

	answered(f, "10.0.0.3", "www.example", 5);
	qlog_views_end(f->env.log, &f->env);
	later(f, QLOG_DELAY_US);
	assert_int_equal(told(f, h, 4), 1);
	assert_int_equal(h[0].count, 1);
}

/* More kinds than the table has room for: none is lost. */
static void many_counts_add_up(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[4];
	const struct query_from from = { .transport = DNS_TRANSPORT_UDP };
	struct dname name;
	struct noted_answer a = { .type = TYPE_A, .came_us = f->env.now_us - 5, .name = &name };
	uint64_t n = 0;
	size_t got;

	assert_int_equal(dname_parse("x", 1, &name), 0);
	a.client = &f->views->clients[2];
	for (uint32_t i = 0; i < 5000; i++) {
		a.outcome = (enum dns_outcome)(i % DNS_OUTCOME_MAX);
		a.excepted =
			(struct noted_reason){ .by = VERDICT_BY_LIST, .list = i / DNS_OUTCOME_MAX, .generation = 1 };
		note_answer(&f->env, &from, &a.client->addr, &a);
	}
	qlog_views_end(f->env.log, &f->env);
	later(f, QLOG_DELAY_US);
	while ((got = told(f, h, 1)) != 0) {
		struct rcur c = rcur_over(f->msg.body, f->msg.len);

		while (rcur_left(&c) != 0) {
			rcur_copy(&c, h, sizeof(h[0]));
			(void)rcur_bytes(&c, h[0].len - sizeof(h[0]));
			n += h[0].count;
		}
	}
	assert_int_equal(n, 5000);
}

static void level_full_has_all_of_it(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[4];

	answered(f, "10.0.0.5", "WWW.example", 1500);
	answered(f, "10.0.0.5", "ok.example", 20);
	later(f, QLOG_DELAY_US);
	assert_int_equal(told(f, h, 4), 2);
	assert_int_equal(h[0].level, LOG_LEVEL_FULL);
	assert_int_equal(h[0].latency_us, 1500);
	assert_int_equal(h[0].reason, QUERY_REASON_NONE);
	assert_int_equal(h[0].rcode, RCODE_NOERROR);
	assert_int_equal(h[0].n_addrs, 1);
	assert_int_equal(h[0].upstream_port, 53);
	assert_true(says(f, "\3www\7example"));
	assert_true(says(f, "\xc0\x00\x02\x07")); /* the answer's address */
	assert_int_equal(h[1].reason, QUERY_REASON_FILTER);
	assert_true((h[1].flags & QUERY_EXCEPTED) != 0);
}

/* What is answered in the wake that read it has taken as long as the wake. */
static void latency_is_known_when_it_has_left(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[4] = { 0 };

	answered(f, "10.0.0.5", "www.example", 0);
	answered(f, "10.0.0.5", "www.example", 0);
	f->env.now_us += 130;
	query_sent(&f->env);
	later(f, QLOG_DELAY_US);
	assert_int_equal(told(f, h, 4), 2);
	assert_int_equal(h[0].latency_us, 130);
	assert_int_equal(h[1].latency_us, 130);
}

static void what_is_not_read_is_counted_and_told(void **state)
{
	struct fixture *f = *state;
	struct query_told_head h[1];
	uint64_t n = 0, told_n = 0, lost = 0;

	while (f->env.stats.counts.events[DNS_EVENT_QUERIES_LOST] == 0) {
		answered(f, "10.0.0.5", "www.example", 5);
		n++;
		assert_true(n < 10000000);
	}
	while (told(f, h, 1) != 0)
		;
	assert_int_equal(f->env.stats.counts.events[DNS_EVENT_QUERIES_TOLD] +
				 f->env.stats.counts.events[DNS_EVENT_QUERIES_LOST],
			 n - 1); /* one waits */
	later(f, QLOG_DELAY_US);
	while (told(f, h, 1) != 0) {
		struct rcur c = rcur_over(f->msg.body, f->msg.len);

		while (rcur_left(&c) != 0) {
			rcur_copy(&c, h, sizeof(h[0]));
			(void)rcur_bytes(&c, h[0].len - sizeof(h[0]));
			lost += h[0].kind == QUERY_TOLD_LOST ? h[0].count : 0;
			told_n += h[0].kind == QUERY_TOLD_ONE;
		}
	}
	assert_int_equal(told_n, 1);
	assert_int_equal(lost, f->env.stats.counts.events[DNS_EVENT_QUERIES_LOST]);
	assert_int_equal(qlog_deadline_us(f->env.log), UINT64_MAX);
}

static void lists_keep_their_counts_by_name(void **state)
{
	static const char *const before[] = { "ads", "threats" }, *const now[] = { "new", "threats" };
	struct stats s = { 0 };

	s.counts.lists[0] = 3;
	s.counts.lists[1] = 5;
	stats_lists(&s, before, 2, now, 2);
	assert_int_equal(s.counts.lists[0], 0);
	assert_int_equal(s.counts.lists[1], 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_told_of_who_is_off, setup, teardown),
		cmocka_unit_test_setup_teardown(level_blocked_has_what_was_blocked, setup, teardown),
		cmocka_unit_test_setup_teardown(a_changed_answer_is_told_with_its_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(level_counts_tells_no_names, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_are_told_before_the_views_go, setup, teardown),
		cmocka_unit_test_setup_teardown(many_counts_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(level_full_has_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(latency_is_known_when_it_has_left, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_read_is_counted_and_told, setup, teardown),
		cmocka_unit_test(lists_keep_their_counts_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
