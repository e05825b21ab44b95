/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events in, rows out: recorder.c, live.c, pseudonym.c and rows.c together, over a journal in a directory of its own.
 */
#include "recorder/recorder.h"

#include "recorder/live.h"
#include "recorder/rows.h"
#include "tests/unit/recorder/tmpdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#define S	 1000000ull
#define T0	 (1790000000ull * S)
#define ROWS_MAX 16

static const char plan_full[] = "{\"generation\":1,\"devices\":["
				"{\"name\":\"web1\",\"addrs\":[\"100.64.0.7\",\"fd7a::7\"],\"flows\":\"full\"},"
				"{\"name\":\"kim\",\"addrs\":[\"100.64.0.3\"],\"flows\":\"pseudonymous\"},"
				"{\"name\":\"meter\",\"addrs\":[\"100.64.0.4\"],\"flows\":\"counts\"},"
				"{\"name\":\"tv\",\"addrs\":[\"100.64.0.5\"],\"flows\":\"blocked\"}],"
				"\"rules\":[{\"mark\":4711,\"pos\":\"/grants/0\"}]}";

struct fixture {
	struct tmpdir dir;
	struct recorder *rec;
};

/* A row with its texts copied. */
struct kept {
	struct row row;
	char device[64], name[64], rule[64], as_org[64];
};

static void start(struct fixture *f)
{
	struct journal_options o = { .dir_fd = f->dir.fd, .segment_max = JOURNAL_SEGMENT_MAX_BYTES, .now_us = T0 };
	struct journal *j = NULL;
	struct enrich *en = enrich_new();
	struct pseudonym key;
	struct err e = { 0 };
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/country.mmdb", getenv("SLUICE_FIXTURES"));
	assert_int_equal(enrich_open_country(en, path, &e), 0);
	(void)snprintf(path, sizeof(path), "%s/asn.mmdb", getenv("SLUICE_FIXTURES"));
	assert_int_equal(enrich_open_asn(en, path, &e), 0);
	assert_int_equal(pseudonym_init(&key, f->dir.fd, NULL, &e), 0);
	assert_int_equal(journal_open(&o, &j, NULL, &e), 0);
	f->rec = recorder_new(j, en, &key);
	assert_non_null(f->rec);
}

static void plan(struct fixture *f, const char *text)
{
	struct logplan *p = NULL;
	struct err e = { 0 };

	assert_int_equal(logplan_parse(text, strlen(text), &p, &e), 0);
	recorder_plan_set(f->rec, p);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(tmpdir_init(&f->dir), 0);
	start(f);
	plan(f, plan_full);
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

static struct flow_event event(enum flow_event_type type, const char *src, const char *dst)
{
	struct flow_event ev = { .type = type, .ct_id = 77, .mark = 4711 };

	assert_int_equal(ip_addr_parse(src, &ev.orig.src), 0);
	assert_int_equal(ip_addr_parse(dst, &ev.orig.dst), 0);
	ev.orig.proto = 6;
	ev.orig.src_port = 40000;
	ev.orig.dst_port = 443;
	ev.reply = (struct flow_tuple){
		.src = ev.orig.dst, .dst = ev.orig.src, .proto = 6, .src_port = 443, .dst_port = 1024
	};
	if (type == FLOW_EVENT_DESTROY) {
		ev.counted = true;
		ev.orig_bytes = 1000;
		ev.orig_packets = 10;
		ev.reply_bytes = 2000;
		ev.reply_packets = 20;
	}
	return ev;
}

static void new_flow(struct fixture *f, const char *src, const char *dst, uint64_t at_us)
{
	struct flow_event ev = event(FLOW_EVENT_NEW, src, dst);

	recorder_event(f->rec, &ev, at_us);
}

static void destroy_flow(struct fixture *f, const char *src, const char *dst, uint64_t at_us)
{
	struct flow_event ev = event(FLOW_EVENT_DESTROY, src, dst);

	recorder_event(f->rec, &ev, at_us);
}

static void seen(struct fixture *f, const char *client, const char *name, const char *addr, uint64_t at_us)
{
	uint8_t buf[256];
	struct msg_name_seen m = { .at_us = at_us, .ttl_s = 60, .name_len = (uint16_t)strlen(name), .n_addrs = 1 };
	struct wcur c = wcur_over(buf, sizeof(buf));
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(client, &m.client), 0);
	assert_int_equal(ip_addr_parse(addr, &a), 0);
	wcur_bytes(&c, &m, sizeof(m));
	wcur_bytes(&c, name, strlen(name));
	wcur_bytes(&c, &a, sizeof(a));
	assert_int_equal(recorder_name_seen(f->rec, buf, wcur_len(&c)), 0);
}

static void keep(struct kept *k, const struct row *row)
{
	k->row = *row;
	(void)snprintf(k->device, sizeof(k->device), "%.*s", row->flow.device.len, row->flow.device.at);
	(void)snprintf(k->name, sizeof(k->name), "%.*s", row->flow.name.len, row->flow.name.at);
	(void)snprintf(k->rule, sizeof(k->rule), "%.*s", row->flow.rule.len, row->flow.rule.at);
	(void)snprintf(k->as_org, sizeof(k->as_org), "%.*s", row->flow.as_org.len, row->flow.as_org.at);
}

static size_t read_rows(struct fixture *f, struct kept ret[ROWS_MAX])
{
	struct rows_options o = { .dir_fd = f->dir.fd };
	CLEANUP(rows_freep) struct rows *rows = NULL;
	struct err e = { 0 };
	struct row row;
	size_t n = 0;

	memset(ret, 0, ROWS_MAX * sizeof(ret[0]));
	assert_int_equal(recorder_flush(f->rec, T0 + 1000 * S, &e), 0);
	assert_int_equal(rows_new(&o, &rows, &e), 0);
	while (rows_next(rows, &row, &e) == 1 && n < ROWS_MAX)
		keep(&ret[n++], &row);
	while (rows_next_open(rows, &row) && n < ROWS_MAX)
		keep(&ret[n++], &row);
	assert_int_equal(rows_damaged(rows), 0);
	return n;
}

static void a_flow_is_one_row_with_everything_known(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	seen(f, "100.64.0.7", "www.example", "198.51.100.1", T0);
	new_flow(f, "100.64.0.7", "198.51.100.1", T0 + S);
	destroy_flow(f, "100.64.0.7", "198.51.100.1", T0 + 5 * S);
	assert_int_equal(read_rows(f, k), 1);
	assert_true(k[0].row.flow.closed);
	assert_int_equal(k[0].row.flow.start_us, T0 + S);
	assert_int_equal(k[0].row.flow.end_us, T0 + 5 * S);
	assert_string_equal(k[0].device, "web1");
	assert_string_equal(k[0].name, "www.example");
	assert_int_equal(k[0].row.flow.evidence, FLOW_EVIDENCE_EXACT);
	assert_string_equal(k[0].rule, "/grants/0");
	assert_memory_equal(k[0].row.flow.country, "DE", 2);
	assert_int_equal(k[0].row.flow.as_number, 64500);
	assert_string_equal(k[0].as_org, "Lab Hosting");
	assert_int_equal(k[0].row.flow.tx_bytes, 1000);
	assert_int_equal(k[0].row.flow.rx_packets, 20);
	assert_int_equal(k[0].row.flow.nat_port, 1024);
}

static void a_flow_that_lives_is_an_open_row(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	new_flow(f, "100.64.0.7", "203.0.113.9", T0 + S);
	assert_int_equal(read_rows(f, k), 1);
	assert_false(k[0].row.flow.closed);
	assert_int_equal(k[0].row.flow.evidence, FLOW_EVIDENCE_NONE);
	assert_memory_equal(k[0].row.flow.country, "FR", 2);
}

static void who_is_not_in_the_plan_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	seen(f, "100.64.0.99", "secret.example", "198.51.100.1", T0);
	new_flow(f, "100.64.0.99", "198.51.100.1", T0 + S);
	destroy_flow(f, "100.64.0.99", "198.51.100.1", T0 + 2 * S);
	new_flow(f, "100.64.0.5", "198.51.100.1", T0 + S); /* level blocked: passed flows are not recorded */
	destroy_flow(f, "100.64.0.5", "198.51.100.1", T0 + 2 * S);
	recorder_plan_set(f->rec, NULL);
	new_flow(f, "100.64.0.7", "198.51.100.1", T0 + S);
	assert_int_equal(read_rows(f, k), 0);
	assert_int_equal(recorder_stats(f->rec)->ignored, 5);
	assert_int_equal(recorder_stats(f->rec)->names, 0);
}

static void pseudonyms_hide_device_and_addresses_and_stay_the_same(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	new_flow(f, "100.64.0.3", "198.51.100.1", T0 + S);
	destroy_flow(f, "100.64.0.3", "198.51.100.1", T0 + 2 * S);
	new_flow(f, "100.64.0.3", "198.51.100.1", T0 + 3 * S);
	assert_int_equal(read_rows(f, k), 2);
	assert_int_equal(strlen(k[0].device), PSEUDONYM_TEXT_MAX - 2);
	assert_memory_equal(k[0].device, "p-", 2);
	assert_string_equal(k[0].device, k[1].device);
	assert_int_equal(k[0].row.flow.src.family, FLOW_ADDR_PSEUDONYM);
	assert_memory_equal(k[0].row.flow.dst.bytes, k[1].row.flow.dst.bytes, 16);
	assert_memory_not_equal(k[0].row.flow.dst.bytes, k[0].row.flow.src.bytes, FLOW_PSEUDONYM_LEN);
	assert_int_equal(k[0].row.flow.nat.family, IP_NONE);
	assert_int_equal(k[0].row.flow.dst_port, 443);
}

static void counts_hold_no_addresses_and_no_names(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	seen(f, "100.64.0.4", "www.example", "198.51.100.1", T0);
	new_flow(f, "100.64.0.4", "198.51.100.1", T0 + S);
	destroy_flow(f, "100.64.0.4", "198.51.100.1", T0 + 2 * S);
	assert_int_equal(read_rows(f, k), 1);
	assert_string_equal(k[0].device, "meter");
	assert_string_equal(k[0].rule, "/grants/0");
	assert_string_equal(k[0].name, "");
	assert_int_equal(k[0].row.flow.src.family, IP_NONE);
	assert_int_equal(k[0].row.flow.dst.family, IP_NONE);
	assert_int_equal(k[0].row.flow.country[0], 0);
	assert_int_equal(k[0].row.flow.as_number, 0);
	assert_int_equal(k[0].row.flow.tx_bytes, 1000);
}

static void a_level_lowered_meanwhile_holds_for_the_end(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	new_flow(f, "100.64.0.7", "198.51.100.1", T0 + S);
	new_flow(f, "100.64.0.7", "198.51.100.2", T0 + S);
	plan(f, "{\"generation\":2,\"devices\":[{\"name\":\"web1\",\"addrs\":[\"100.64.0.7\"],\"flows\":\"counts\"}],"
		"\"rules\":[]}");
	destroy_flow(f, "100.64.0.7", "198.51.100.1", T0 + 2 * S);
	plan(f, "{\"generation\":3,\"devices\":[],\"rules\":[]}");
	destroy_flow(f, "100.64.0.7", "198.51.100.2", T0 + 3 * S);
	assert_int_equal(read_rows(f, k), 2);
	assert_true(k[0].row.flow.closed);
	assert_int_equal(k[0].row.flow.dst.family, IP_NONE);
	assert_false(k[1].row.flow.closed);
	assert_int_equal(recorder_stats(f->rec)->closed, 1);
}

static void the_question_may_come_over_the_other_family(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	seen(f, "100.64.0.7", "www.example", "2001:db8:a::1", T0);
	new_flow(f, "fd7a::7", "2001:db8:a::1", T0 + S);
	assert_int_equal(read_rows(f, k), 1);
	assert_int_equal(k[0].row.flow.evidence, FLOW_EVIDENCE_EXACT);
	assert_string_equal(k[0].name, "www.example");
}

static void a_name_that_arrives_after_its_flow_is_taken_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	new_flow(f, "100.64.0.7", "198.51.100.1", T0 + S);
	new_flow(f, "100.64.0.7", "198.51.100.2", T0 + S);
	seen(f, "100.64.0.7", "before.example", "198.51.100.1", T0);
	seen(f, "100.64.0.7", "after.example", "198.51.100.2", T0 + 2 * S);
	destroy_flow(f, "100.64.0.7", "198.51.100.1", T0 + 3 * S);
	destroy_flow(f, "100.64.0.7", "198.51.100.2", T0 + 3 * S);
	assert_int_equal(read_rows(f, k), 2);
	assert_string_equal(k[0].name, "before.example");
	assert_string_equal(k[1].name, "");
}

static void a_restart_in_between_keeps_start_and_name(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	seen(f, "100.64.0.7", "www.example", "198.51.100.1", T0);
	new_flow(f, "100.64.0.7", "198.51.100.1", T0 + S);
	f->rec = recorder_free(f->rec);
	start(f);
	plan(f, plan_full);
	destroy_flow(f, "100.64.0.7", "198.51.100.1", T0 + 9 * S);
	destroy_flow(f, "100.64.0.7", "203.0.113.9", T0 + 9 * S); /* began while no recorder ran */
	assert_int_equal(read_rows(f, k), 3);
	assert_int_equal(k[0].row.kind, ROW_GAP);
	assert_int_equal(k[0].row.gap, ROW_GAP_RESTART);
	assert_true(k[1].row.flow.closed);
	assert_int_equal(k[1].row.flow.start_us, T0 + S);
	assert_string_equal(k[1].name, "www.example");
	assert_true(k[2].row.flow.closed);
	assert_int_equal(k[2].row.flow.start_us, 0);
	assert_int_equal(k[2].row.flow.rx_bytes, 2000);
}

static void lost_events_are_one_gap_a_second(void **state)
{
	struct fixture *f = *state;
	struct kept k[ROWS_MAX];

	recorder_events_lost(f->rec, T0 + S);
	assert_int_equal(recorder_flush(f->rec, T0 + S, NULL), 0);
	recorder_events_lost(f->rec, T0 + S + 1);
	recorder_events_lost(f->rec, T0 + S + 2);
	assert_int_equal(recorder_flush(f->rec, T0 + S + 2, NULL), 0);
	assert_true(recorder_pending(f->rec));
	assert_int_equal(recorder_flush(f->rec, T0 + 3 * S, NULL), 0);
	assert_int_equal(read_rows(f, k), 2);
	assert_int_equal(k[0].row.gap, ROW_GAP_EVENTS);
	assert_int_equal(k[0].row.count, 1);
	assert_int_equal(k[1].row.count, 2);
	assert_int_equal(k[1].row.start_us, T0 + S + 1);
}

static void malformed_messages_are_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[sizeof(struct msg_name_seen) + 4] = { 0 };
	struct msg_name_seen m = { .name_len = 200, .n_addrs = 1 };

	assert_int_equal(recorder_name_seen(f->rec, buf, 3), -EBADMSG);
	memcpy(buf, &m, sizeof(m));
	assert_int_equal(recorder_name_seen(f->rec, buf, sizeof(buf)), -EBADMSG);
	m = (struct msg_name_seen){ .name_len = 4, .n_addrs = 60000 };
	memcpy(buf, &m, sizeof(m));
	assert_int_equal(recorder_name_seen(f->rec, buf, sizeof(buf)), -EBADMSG);
	recorder_datagram(f->rec, buf, sizeof(buf), T0);
	assert_int_equal(recorder_stats(f->rec)->malformed, 4);
}

static void the_key_file_is_private_and_kept(void **state)
{
	struct fixture *f = *state;
	struct pseudonym a, b;
	struct stat st;
	bool drawn = true;

	assert_int_equal(fstatat(f->dir.fd, PSEUDONYM_KEY_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(pseudonym_init(&a, f->dir.fd, &drawn, NULL), 0);
	assert_false(drawn);
	assert_int_equal(unlinkat(f->dir.fd, PSEUDONYM_KEY_FILE, 0), 0);
	assert_int_equal(pseudonym_init(&b, f->dir.fd, &drawn, NULL), 0);
	assert_true(drawn);
	assert_memory_not_equal(a.key, b.key, sizeof(a.key));
}

static void the_table_of_live_flows_is_bounded(void **state)
{
	struct live *l = live_new(3);
	struct flow_record f = { 0 };

	for (uint64_t id = 1; id <= 3; id++) {
		f.id = id * 16; /* one bucket */
		f.device = flow_text_of("web1");
		assert_int_equal(live_add(l, &f), 0);
	}
	assert_int_equal(live_evicted(l), 0);
	f.id = 64;
	assert_int_equal(live_add(l, &f), 0);
	assert_int_equal(live_count(l), 3);
	assert_int_equal(live_evicted(l), 1);
	assert_false(live_take(l, 16, &f));
	assert_true(live_take(l, 32, &f));
	assert_memory_equal(f.device.at, "web1", 4);
	assert_true(live_take_oldest(l, &f));
	assert_int_equal(f.id, 48);
	live_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_flow_is_one_row_with_everything_known, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flow_that_lives_is_an_open_row, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_not_in_the_plan_leaves_no_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(pseudonyms_hide_device_and_addresses_and_stay_the_same, setup,
						teardown),
		cmocka_unit_test_setup_teardown(counts_hold_no_addresses_and_no_names, setup, teardown),
		cmocka_unit_test_setup_teardown(a_level_lowered_meanwhile_holds_for_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(the_question_may_come_over_the_other_family, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_that_arrives_after_its_flow_is_taken_at_the_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_restart_in_between_keeps_start_and_name, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_events_are_one_gap_a_second, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_messages_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_key_file_is_private_and_kept, setup, teardown),
		cmocka_unit_test(the_table_of_live_flows_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
