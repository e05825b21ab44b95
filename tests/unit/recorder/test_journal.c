/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "recorder/journal.h"

#include "recorder/journal_seal.h"
#include "tests/unit/recorder/tmpdir.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define T0	 1790000000000000ull
#define RECORDS	 5u /* of write_sample(), beside the START record */
#define FILE_MAX 8192u

struct tally {
	uint32_t records, altered, broken, unchained, segments, starts, recovered, gaps;
	uint64_t torn;
};

static struct journal *opened(const struct tmpdir *t, uint32_t segment_max, struct journal_opened *how)
{
	struct journal_options o = { .dir_fd = t->fd, .segment_max = segment_max, .now_us = T0 };
	struct journal *j = NULL;
	struct err e = { 0 };
	int r = journal_open(&o, &j, how, &e);

	if (r != 0)
		print_error("%s\n", e.msg);
	assert_int_equal(r, 0);
	return j;
}

static void append(struct journal *j, uint32_t i)
{
	char body[16];

	(void)snprintf(body, sizeof(body), "body %u", i);
	assert_int_equal(journal_append(j, JOURNAL_OPEN, T0 + i, body, strlen(body)), 0);
}

static void write_sample(const struct tmpdir *t)
{
	struct journal *j = opened(t, JOURNAL_SEGMENT_MAX_BYTES, NULL);

	for (uint32_t i = 0; i < RECORDS; i++)
		append(j, i);
	journal_free(j);
}

static size_t file_read(const struct tmpdir *t, const char *name, uint8_t buf[FILE_MAX])
{
	int fd = openat(t->fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, FILE_MAX);

	fd_closep(&fd);
	assert_true(n >= 0 && n < (ssize_t)FILE_MAX);
	return (size_t)n;
}

static void file_write(const struct tmpdir *t, const char *name, const uint8_t *buf, size_t len)
{
	int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, buf, len), (ssize_t)len);
	fd_closep(&fd);
}

/* Reads all; open records must come as append() wrote them, numbered upward. */
static struct tally tallied(const struct tmpdir *t)
{
	CLEANUP(journal_reader_freep) struct journal_reader *r = NULL;
	struct journal_position at;
	struct journal_item item;
	struct tally n = { 0 };
	struct err e = { 0 };
	int k;

	assert_int_equal(journal_reader_new(t->fd, 0, &r, &e), 0);
	while ((k = journal_reader_next(r, &item, &e)) == 1) {
		n.altered += item.kind == JOURNAL_ITEM_ALTERED;
		n.broken += item.kind == JOURNAL_ITEM_BROKEN;
		n.unchained += item.kind == JOURNAL_ITEM_UNCHAINED;
		n.segments += item.kind == JOURNAL_ITEM_SEGMENT_END;
		if (item.kind != JOURNAL_ITEM_RECORD)
			continue;
		n.records += item.record.type == JOURNAL_OPEN;
		n.starts += item.record.type == JOURNAL_START;
		n.recovered += item.record.type == JOURNAL_RECOVERED;
		n.gaps += item.record.type == JOURNAL_GAP;
		if (item.record.type == JOURNAL_OPEN)
			assert_memory_equal(item.record.body, "body ", 5);
	}
	assert_int_equal(k, 0);
	journal_reader_position(r, &at);
	n.torn = at.torn;
	return n;
}

static bool intact(const struct tally *n)
{
	return n->altered == 0 && n->broken == 0 && n->unchained == 0 && n->torn == 0;
}

/* Offsets at which the records of the sample end; [0] is the header's end, [1] that of START. */
static void sample_ends(const uint8_t *buf, size_t len, size_t ends[RECORDS + 2])
{
	struct journal_record rec;
	struct journal_header h;
	size_t used = 0;

	assert_int_equal(journal_header_read(buf, len, &h), 0);
	ends[0] = JOURNAL_HEADER_LEN;
	for (uint32_t i = 1; i < RECORDS + 2; i++) {
		assert_int_equal(journal_record_parse(buf + ends[i - 1], len - ends[i - 1], &h.chain, &rec, &used),
				 JOURNAL_PARSE_OK);
		h.chain = rec.chain;
		ends[i] = ends[i - 1] + used;
	}
	assert_int_equal(ends[RECORDS + 1], len);
}

static void what_is_written_is_read(void **state)
{
	struct tmpdir t;
	struct tally n;

	assert_int_equal(tmpdir_init(&t), 0);
	write_sample(&t);
	n = tallied(&t);
	assert_true(intact(&n));
	assert_int_equal(n.records, RECORDS);
	assert_int_equal(n.starts, 1);
	tmpdir_done(&t);
}

static void reopening_continues_the_chain(void **state)
{
	struct tmpdir t;
	struct tally n;

	assert_int_equal(tmpdir_init(&t), 0);
	for (int i = 0; i < 3; i++)
		write_sample(&t);
	n = tallied(&t);
	assert_true(intact(&n));
	assert_int_equal(n.records, 3 * RECORDS);
	assert_int_equal(n.starts, 3);
	assert_int_equal(n.recovered, 0);
	tmpdir_done(&t);
}

static void cut_at_every_byte_the_complete_records_are_read_and_the_writer_goes_on(void **state)
{
	uint8_t buf[FILE_MAX];
	size_t ends[RECORDS + 2], len;
	struct tmpdir t;

	assert_int_equal(tmpdir_init(&t), 0);
	write_sample(&t);
	len = file_read(&t, "000001.jnl", buf);
	sample_ends(buf, len, ends);
	for (size_t cut = 0; cut <= len; cut++) {
		uint32_t complete = 0, last = 0;
		struct tally n;

		for (uint32_t i = 1; i < RECORDS + 2 && ends[i] <= cut; i++)
			last = i;
		complete = last > 0 ? last - 1 : 0;
		file_write(&t, "000001.jnl", buf, cut);
		n = tallied(&t);
		assert_int_equal(n.records, complete);
		assert_int_equal(n.altered + n.broken + n.unchained, 0);
		assert_int_equal(n.torn, cut < JOURNAL_HEADER_LEN ? cut : cut - ends[last]);

		write_sample(&t);
		n = tallied(&t);
		assert_true(intact(&n));
		assert_int_equal(n.records, complete + RECORDS);
		assert_int_equal(n.recovered, cut > JOURNAL_HEADER_LEN && cut != ends[last]);
		tmpdir_clear(&t);
	}
	tmpdir_done(&t);
}

static void every_flipped_byte_is_found_and_the_writer_goes_on(void **state)
{
	uint8_t buf[FILE_MAX];
	struct tmpdir t;
	size_t len;

	assert_int_equal(tmpdir_init(&t), 0);
	write_sample(&t);
	len = file_read(&t, "000001.jnl", buf);
	assert_true(len > 0);
	for (size_t i = 0; i < 2 * len; i++) {
		uint8_t bits = i < len ? 0x01 : 0xff;
		struct tally n;

		buf[i % len] ^= bits;
		file_write(&t, "000001.jnl", buf, len);
		n = tallied(&t);
		assert_false(intact(&n));
		assert_true(n.records <= RECORDS);
		if (i < len) {
			write_sample(&t);
			n = tallied(&t);
			assert_true(n.records >= RECORDS);
		}
		tmpdir_clear(&t);
		buf[i % len] ^= bits;
	}
	tmpdir_done(&t);
}

static void an_altered_body_names_its_record_and_no_other(void **state)
{
	CLEANUP(journal_reader_freep) struct journal_reader *r = NULL;
	uint8_t buf[FILE_MAX];
	size_t ends[RECORDS + 2], len;
	struct journal_item item;
	struct tmpdir t;
	uint32_t altered = 0;

	assert_int_equal(tmpdir_init(&t), 0);
	write_sample(&t);
	len = file_read(&t, "000001.jnl", buf);
	sample_ends(buf, len, ends);
	buf[ends[3] + JOURNAL_HEAD_LEN] ^= 1;
	file_write(&t, "000001.jnl", buf, len);
	assert_int_equal(journal_reader_new(t.fd, 0, &r, NULL), 0);
	while (journal_reader_next(r, &item, NULL) == 1) {
		assert_true(item.kind == JOURNAL_ITEM_RECORD || item.kind == JOURNAL_ITEM_ALTERED);
		if (item.kind == JOURNAL_ITEM_ALTERED) {
			altered++;
			assert_int_equal(item.number, 4);
			assert_int_equal(item.offset, ends[3]);
		}
	}
	assert_int_equal(altered, 1);
	tmpdir_done(&t);
}

static void a_damaged_segment_is_left_as_it_is(void **state)
{
	uint8_t buf[FILE_MAX], after[FILE_MAX];
	size_t ends[RECORDS + 2], len;
	struct journal_opened how = { 0 };
	struct tmpdir t;
	struct tally n;

	assert_int_equal(tmpdir_init(&t), 0);
	write_sample(&t);
	len = file_read(&t, "000001.jnl", buf);
	sample_ends(buf, len, ends);
	buf[ends[2] + JOURNAL_HEAD_LEN] ^= 1;
	file_write(&t, "000001.jnl", buf, len);
	journal_free(opened(&t, JOURNAL_SEGMENT_MAX_BYTES, &how));
	assert_true(how.damaged);
	assert_int_equal(how.segment, 2);
	assert_int_equal(file_read(&t, "000001.jnl", after), len);
	assert_memory_equal(buf, after, len);
	n = tallied(&t);
	assert_int_equal(n.altered, 1);
	assert_int_equal(n.unchained, 0);
	tmpdir_done(&t);
}

static void a_removed_a_moved_and_a_repeated_record_are_found(void **state)
{
	uint8_t buf[FILE_MAX], out[FILE_MAX];
	size_t ends[RECORDS + 2], len, a, b;
	struct tmpdir t;
	struct tally n;

	assert_int_equal(tmpdir_init(&t), 0);
	write_sample(&t);
	len = file_read(&t, "000001.jnl", buf);
	sample_ends(buf, len, ends);
	for (uint32_t i = 0; i < RECORDS; i++) { /* the last one's removal cannot be seen */
		a = ends[i], b = ends[i + 1];
		memcpy(out, buf, a);
		memcpy(out + a, buf + b, len - b);
		file_write(&t, "000001.jnl", out, len - (b - a));
		n = tallied(&t);
		assert_int_equal(n.altered, 1);
	}
	for (uint32_t i = 0; i < RECORDS; i++) {
		size_t first = ends[i + 1] - ends[i], second = ends[i + 2] - ends[i + 1];

		memcpy(out, buf, len);
		memcpy(out + ends[i], buf + ends[i + 1], second);
		memcpy(out + ends[i] + second, buf + ends[i], first);
		file_write(&t, "000001.jnl", out, len);
		n = tallied(&t);
		assert_true(n.altered >= 2);
	}
	memcpy(out, buf, ends[3]);
	memcpy(out + ends[3], buf + ends[2], len - ends[2]);
	file_write(&t, "000001.jnl", out, len + ends[3] - ends[2]);
	n = tallied(&t);
	assert_true(n.altered >= 1);
	tmpdir_done(&t);
}

static void segments_are_chained_and_a_missing_one_is_found(void **state)
{
	struct journal *j;
	struct tmpdir t;
	struct tally n;

	assert_int_equal(tmpdir_init(&t), 0);
	j = opened(&t, /* segment_max= */ 200, NULL);
	for (uint32_t i = 0; i < 30; i++) {
		append(j, i);
		assert_int_equal(journal_flush(j, T0 + i, NULL), 0);
	}
	journal_free(j);
	n = tallied(&t);
	assert_true(intact(&n));
	assert_int_equal(n.records, 30);
	assert_true(n.segments >= 4);
	assert_int_equal(unlinkat(t.fd, "000001.jnl", 0), 0); /* the oldest may go: retention */
	n = tallied(&t);
	assert_true(intact(&n));
	assert_int_equal(unlinkat(t.fd, "000003.jnl", 0), 0);
	n = tallied(&t);
	assert_int_equal(n.unchained, 1);
	tmpdir_done(&t);
}

static void a_reader_sees_what_is_appended_later(void **state)
{
	CLEANUP(journal_reader_freep) struct journal_reader *r = NULL;
	struct journal_item item;
	struct journal *j;
	struct tmpdir t;

	assert_int_equal(tmpdir_init(&t), 0);
	assert_int_equal(journal_reader_new(t.fd, 0, &r, NULL), 0);
	assert_int_equal(journal_reader_next(r, &item, NULL), 0);
	j = opened(&t, /* segment_max= */ 200, NULL);
	assert_int_equal(journal_reader_next(r, &item, NULL), 1);
	assert_int_equal(item.record.type, JOURNAL_START);
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(journal_reader_next(r, &item, NULL), 0);
		append(j, i);
		assert_int_equal(journal_flush(j, T0 + i, NULL), 0);
		do {
			assert_int_equal(journal_reader_next(r, &item, NULL), 1);
		} while (item.kind == JOURNAL_ITEM_SEGMENT_END);
		assert_int_equal(item.kind, JOURNAL_ITEM_RECORD);
		assert_int_equal(item.record.time_us, T0 + i);
		/* A new segment is begun at the end of the flush that filled the old one. */
		if (journal_reader_next(r, &item, NULL) == 1)
			assert_int_equal(item.kind, JOURNAL_ITEM_SEGMENT_END);
	}
	journal_free(j);
	tmpdir_done(&t);
}

static void a_second_writer_is_refused(void **state)
{
	struct journal_options o = { .segment_max = JOURNAL_SEGMENT_MAX_BYTES, .now_us = T0 };
	struct journal *j, *k = NULL;
	struct err e = { 0 };
	struct tmpdir t;

	assert_int_equal(tmpdir_init(&t), 0);
	j = opened(&t, JOURNAL_SEGMENT_MAX_BYTES, NULL);
	o.dir_fd = t.fd;
	assert_int_equal(journal_open(&o, &k, NULL, &e), -EAGAIN);
	journal_free(j);
	tmpdir_done(&t);
}

static void file_limit(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* RLIMIT_FSIZE stands for the full disk: it cuts a write short, then refuses. */
static void a_full_disk_loses_nothing_that_fits_the_queue(void **state)
{
	struct journal *j;
	struct tmpdir t;
	struct tally n;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(tmpdir_init(&t), 0);
	j = opened(&t, JOURNAL_SEGMENT_MAX_BYTES, NULL);
	for (uint32_t i = 0; i < 20; i++)
		append(j, i);
	file_limit(200);
	for (int i = 0; i < 3; i++)
		assert_true(journal_flush(j, T0, NULL) < 0);
	n = tallied(&t);
	assert_true(intact(&n)); /* the half that was written was cut off again */
	file_limit(RLIM_INFINITY);
	assert_true(journal_unsynced(j));
	assert_int_equal(journal_flush(j, T0, NULL), 0);
	journal_free(j);
	n = tallied(&t);
	assert_true(intact(&n));
	assert_int_equal(n.records, 20);
	assert_int_equal(n.gaps, 0);
	tmpdir_done(&t);
}

static void a_disk_that_is_full_at_the_start_is_no_obstacle(void **state)
{
	struct journal *j;
	struct tmpdir t;
	struct tally n;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(tmpdir_init(&t), 0);
	write_sample(&t);
	file_limit(1);
	j = opened(&t, JOURNAL_SEGMENT_MAX_BYTES, NULL);
	append(j, 1);
	assert_true(journal_flush(j, T0, NULL) < 0);
	file_limit(RLIM_INFINITY);
	journal_free(j);
	n = tallied(&t);
	assert_true(intact(&n));
	assert_int_equal(n.records, RECORDS + 1);
	assert_int_equal(n.starts, 2);
	tmpdir_done(&t);
}

static void records_lost_to_a_full_disk_are_told(void **state)
{
	struct journal_gap gap = { 0 };
	CLEANUP(journal_reader_freep) struct journal_reader *r = NULL;
	struct journal_item item;
	struct journal *j;
	struct tmpdir t;
	uint64_t lost = 0, kept = 0;
	uint8_t body[1000] = { 0 };

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(tmpdir_init(&t), 0);
	j = opened(&t, JOURNAL_SEGMENT_MAX_BYTES, NULL);
	file_limit(200);
	for (uint32_t i = 0; i < 2000; i++) {
		if (journal_append(j, JOURNAL_OPEN, T0 + i, body, sizeof(body)) == 0)
			kept++;
		else
			lost++;
		(void)journal_flush(j, T0 + i, NULL);
	}
	assert_true(lost > 0 && kept > 900);
	assert_int_equal(journal_lost(j), lost);
	file_limit(RLIM_INFINITY);
	assert_int_equal(journal_flush(j, T0 + 5000, NULL), 0);
	assert_int_equal(journal_append(j, JOURNAL_OPEN, T0 + 5001, body, sizeof(body)), 0);
	journal_free(j);
	assert_int_equal(journal_reader_new(t.fd, 0, &r, NULL), 0);
	while (journal_reader_next(r, &item, NULL) == 1) {
		assert_int_equal(item.kind, JOURNAL_ITEM_RECORD);
		if (item.record.type == JOURNAL_GAP)
			assert_int_equal(journal_gap_read(item.record.body, item.record.len, &gap), 0);
	}
	assert_int_equal(gap.reason, JOURNAL_GAP_DISK);
	assert_int_equal(gap.count, lost);
	assert_int_equal(gap.since_us, T0 + kept);
	tmpdir_done(&t);
}

static void killed_at_any_moment_the_journal_stays_readable(void **state)
{
	struct journal_opened how = { 0 };
	struct tmpdir t;
	struct tally n;
	uint32_t before;

	assert_int_equal(tmpdir_init(&t), 0);
	for (int round = 0; round < 10; round++) {
		int pipe_fds[2], status;
		uint8_t byte;
		pid_t pid;

		assert_int_equal(pipe(pipe_fds), 0);
		pid = fork();
		if (pid == 0) {
			struct journal *j = opened(&t, JOURNAL_SEGMENT_MAX_BYTES, NULL);

			for (uint32_t i = 0;; i++) {
				append(j, i);
				(void)journal_flush(j, T0 + i, NULL);
				if (i == 50)
					(void)!write(pipe_fds[1], "x", 1);
			}
		}
		assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		fd_closep(&pipe_fds[0]);
		fd_closep(&pipe_fds[1]);
		n = tallied(&t);
		assert_int_equal(n.altered + n.broken + n.unchained, 0);
		before = n.records;
		journal_free(opened(&t, JOURNAL_SEGMENT_MAX_BYTES, &how));
		assert_false(how.damaged);
		n = tallied(&t);
		assert_true(intact(&n));
		assert_int_equal(n.records, before);
	}
	tmpdir_done(&t);
}

struct keys {
	uint8_t pub[crypto_box_PUBLICKEYBYTES], sec[crypto_box_SECRETKEYBYTES];
};

static void write_sealed(const struct tmpdir *t, const struct keys *k)
{
	struct journal_options o = { .dir_fd = t->fd, .segment_max = 600, .now_us = T0, .seal_to = k->pub };
	struct journal *j = NULL;
	struct err e = { 0 };

	assert_int_equal(journal_open(&o, &j, NULL, &e), 0);
	for (uint32_t i = 0; i < 20; i++) {
		append(j, i);
		assert_int_equal(journal_flush(j, T0 + i, &e), 0);
	}
	journal_free(j);
}

/* Bodies that the key opens. */
static uint32_t unsealed(const struct tmpdir *t, const struct keys *k)
{
	CLEANUP(journal_reader_freep) struct journal_reader *r = NULL;
	CLEANUP(journal_unsealer_done) struct journal_unsealer u;
	struct journal_item item;
	uint32_t n = 0;

	assert_int_equal(journal_unsealer_init(&u, k->sec), 0);
	assert_int_equal(journal_reader_new(t->fd, 0, &r, NULL), 0);
	while (journal_reader_next(r, &item, NULL) == 1) {
		if (item.kind != JOURNAL_ITEM_RECORD || journal_unsealer_pull(&u, &item.record) != 0 ||
		    item.record.type != JOURNAL_OPEN)
			continue;
		assert_memory_equal(item.record.body, "body ", 5);
		n++;
	}
	return n;
}

static void sealed_bodies_open_with_the_key_and_not_without(void **state)
{
	struct keys k, other;
	uint8_t buf[FILE_MAX];
	struct tmpdir t;
	struct tally n;

	(void)crypto_box_keypair(k.pub, k.sec);
	(void)crypto_box_keypair(other.pub, other.sec);
	assert_int_equal(tmpdir_init(&t), 0);
	write_sealed(&t, &k);
	write_sealed(&t, &k); /* a restart: a stream of its own */
	assert_null(memmem(buf, file_read(&t, "000001.jnl", buf), "body ", 5));
	n = tallied(&t); /* the chain can be checked without the key */
	assert_true(intact(&n));
	assert_int_equal(n.records, 0);
	assert_int_equal(n.starts, 2);
	assert_int_equal(unsealed(&t, &k), 40);
	assert_int_equal(unsealed(&t, &other), 0);
	tmpdir_done(&t);
}

static void keys_are_read_in_hex_and_base64(void **state)
{
	uint8_t key[32], want[32];

	memset(want, 0xab, sizeof(want));
	assert_int_equal(journal_key_parse("abababababababababababababababababababababababababababababababab\n", key),
			 0);
	assert_memory_equal(key, want, sizeof(want));
	memset(key, 0, sizeof(key));
	assert_int_equal(journal_key_parse(" q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=", key), 0);
	assert_memory_equal(key, want, sizeof(want));
	assert_int_equal(journal_key_parse("", key), -EINVAL);
	assert_int_equal(journal_key_parse("abab", key), -EINVAL);
	assert_int_equal(journal_key_parse("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s= x", key), -EINVAL);
}

static int sodium_setup(void **state)
{
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(reopening_continues_the_chain),
		cmocka_unit_test(cut_at_every_byte_the_complete_records_are_read_and_the_writer_goes_on),
		cmocka_unit_test(every_flipped_byte_is_found_and_the_writer_goes_on),
		cmocka_unit_test(an_altered_body_names_its_record_and_no_other),
		cmocka_unit_test(a_damaged_segment_is_left_as_it_is),
		cmocka_unit_test(a_removed_a_moved_and_a_repeated_record_are_found),
		cmocka_unit_test(segments_are_chained_and_a_missing_one_is_found),
		cmocka_unit_test(a_reader_sees_what_is_appended_later),
		cmocka_unit_test(a_second_writer_is_refused),
		cmocka_unit_test(a_full_disk_loses_nothing_that_fits_the_queue),
		cmocka_unit_test(a_disk_that_is_full_at_the_start_is_no_obstacle),
		cmocka_unit_test(records_lost_to_a_full_disk_are_told),
		cmocka_unit_test(killed_at_any_moment_the_journal_stays_readable),
		cmocka_unit_test(sealed_bodies_open_with_the_key_and_not_without),
		cmocka_unit_test(keys_are_read_in_hex_and_base64),
	};

	return cmocka_run_group_tests(tests, sodium_setup, NULL);
}
