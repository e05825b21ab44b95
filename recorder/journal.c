/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal's writer: recorder.c appends during a wake, the loop flushes before it sleeps.
 *
 * Records are chained when they are queued and written with one pwrite(2) at the offset where the last good record
 * ends, so that a write that failed half-way (disk full) is simply repeated over itself. The file's length is cut back
 * after such a failure so that a reader does not see the half. Nothing that was ever complete is removed: a torn record
 * at the end is cut at the next start (its first bytes are kept in the record that tells of it), a segment that is
 * damaged otherwise is left as it is and a new one is begun. */
#include "recorder/journal.h"

#include "recorder/journal_seal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

struct journal {
	int dir_fd, fd;
	uint32_t segment, segment_max;
	uint64_t end;		    /* file offset after the last record that is written */
	struct journal_chain chain; /* of the last record queued */
	bool sealed;
	uint8_t seal_to[crypto_box_PUBLICKEYBYTES];
	struct journal_sealer sealer;
	uint8_t *queue;
	size_t queued;
	uint64_t lost, lost_untold, lost_since_us;
	uint64_t synced_us; /* last fdatasync */
	bool dirty;	    /* written since then */
};

static const char *segment_name(uint32_t segment, char buf[16])
{
	(void)snprintf(buf, 16, "%06u.jnl", segment);
	return buf;
}

static int write_all(int fd, const uint8_t *buf, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, buf, len, (off_t)at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		buf += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Queue; the room was checked. */
static void put(struct journal *j, uint8_t type, uint64_t time_us, const void *body, size_t len)
{
	struct wcur c = wcur_over(j->queue + j->queued, JOURNAL_PENDING_MAX_BYTES + JOURNAL_RECORD_MAX - j->queued);

	journal_record_write(&c, &j->chain, type, time_us, body, len);
	assert(c.err == 0);
	j->queued += wcur_len(&c);
}

static int stream_start(struct journal *j, uint64_t now_us, struct err *e)
{
	uint8_t body[JOURNAL_KEY_BODY_LEN];

	if (!j->sealed)
		return 0;
	if (journal_sealer_start(&j->sealer, j->seal_to, body) != 0)
		return err_set(e, -EINVAL, "journal: the public key to seal to is not usable");
	put(j, JOURNAL_KEY, now_us, body, sizeof(body));
	return 0;
}

/* A new file with its header, on the disk. @chain: of the last record before; becomes the header's own. */
static int segment_create(int dir_fd, uint32_t segment, uint64_t now_us, struct journal_chain *chain, int *ret_fd,
			  struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;
	struct journal_header h = { .segment = segment, .created_us = now_us, .prev = *chain };
	uint8_t buf[JOURNAL_HEADER_LEN];
	struct wcur c = wcur_over(buf, sizeof(buf));
	char name[16];
	int r;

	if (segment > JOURNAL_SEGMENTS_MAX)
		return err_set(e, -E2BIG, "journal: no segment numbers left");
	journal_header_write(&h, &c);
	/* It may exist with less than a header: the disk was full, or the machine stopped just then. */
	fd = openat(dir_fd, segment_name(segment, name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1)
		return err_set(e, -errno, "create journal segment %s: %s", name, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		return err_set(e, -EAGAIN, "journal segment %s: another writer has it", name);
	r = write_all(fd, buf, wcur_len(&c), 0);
	if (r == 0 && (fdatasync(fd) == -1 || fsync(dir_fd) == -1))
		r = -errno;
	if (r != 0)
		return err_set(e, r, "write journal segment %s: %s", name, strerror(-r));
	*chain = h.chain;
	*ret_fd = fd_take(&fd);
	return 0;
}

static int segment_begin(struct journal *j, uint64_t now_us, struct err *e)
{
	int fd = -1;
	int r = segment_create(j->dir_fd, j->segment + 1, now_us, &j->chain, &fd, e);

	if (r != 0)
		return r;
	fd_closep(&j->fd);
	j->fd = fd;
	j->segment++;
	j->end = JOURNAL_HEADER_LEN;
	return stream_start(j, now_us, e);
}

/* Read a segment to its end. */
static int segment_survey(int dir_fd, uint32_t segment, struct journal_position *ret, struct err *e)
{
	CLEANUP(journal_reader_freep) struct journal_reader *reader = NULL;
	struct journal_item item;
	int r = journal_reader_new(dir_fd, segment, &reader, e);

	while (r == 0 && (r = journal_reader_next(reader, &item, e)) == 1)
		r = 0;
	if (r == 0)
		journal_reader_position(reader, ret);
	return r;
}

static int torn_cut(struct journal *j, const struct journal_position *at, uint64_t now_us, struct err *e)
{
	uint8_t body[4 + JOURNAL_CUT_KEPT_MAX];
	struct wcur c = wcur_over(body, sizeof(body));
	uint64_t kept = at->torn < JOURNAL_CUT_KEPT_MAX ? at->torn : JOURNAL_CUT_KEPT_MAX;
	uint8_t *room;

	wcur_be32(&c, (uint32_t)at->torn);
	room = wcur_room(&c, (size_t)kept);
	if (pread(j->fd, room, (size_t)kept, (off_t)at->offset) != (ssize_t)kept)
		return err_set(e, -EIO, "journal: cannot read the torn record");
	if (ftruncate(j->fd, (off_t)at->offset) == -1)
		return err_set(e, -errno, "journal: cannot cut the torn record: %s", strerror(errno));
	put(j, JOURNAL_RECOVERED, now_us, body, wcur_len(&c));
	return 0;
}

/* Go on in segment @at->segment, which is whole up to @at->offset. */
static int segment_continue(struct journal *j, const struct journal_position *at, uint64_t now_us, struct err *e)
{
	char name[16];

	j->fd = openat(j->dir_fd, segment_name(at->segment, name), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (j->fd == -1)
		return err_set(e, -errno, "open journal segment %s: %s", name, strerror(errno));
	if (flock(j->fd, LOCK_EX | LOCK_NB) == -1)
		return err_set(e, -EAGAIN, "journal segment %s: another writer has it", name);
	j->segment = at->segment;
	j->end = at->offset;
	j->chain = at->chain;
	return at->torn != 0 ? torn_cut(j, at, now_us, e) : 0;
}

static int journal_resume(struct journal *j, uint64_t now_us, struct journal_opened *how, uint64_t *ret_last_us,
			  struct err *e)
{
	struct journal_position at = { 0 };
	int r = journal_last_segment(j->dir_fd, &at.segment, e);

	if (r == 0 && at.segment != 0)
		r = segment_survey(j->dir_fd, at.segment, &at, e);
	/* Not even its header was completed: what it was to follow is the segment before. */
	if (r == 0 && at.segment > 1 && at.offset == 0 && at.damaged == 0) {
		how->cut_bytes = at.torn;
		r = segment_survey(j->dir_fd, at.segment - 1, &at, e);
		at.offset = 0;
		at.damaged = 0;
	} else if (r == 0) {
		at.segment = at.segment != 0 && at.offset == 0 && at.damaged == 0 ? 0 : at.segment;
	}
	if (r != 0)
		return r;
	*ret_last_us = at.last_us;
	j->segment = at.segment;
	j->chain = at.chain;
	how->damaged = at.damaged != 0;
	if (at.segment == 0 || at.offset == 0 || how->damaged)
		return segment_begin(j, now_us, e);
	how->cut_bytes = at.torn;
	r = segment_continue(j, &at, now_us, e);
	return r == 0 ? stream_start(j, now_us, e) : r;
}

int journal_open(const struct journal_options *o, struct journal **ret, struct journal_opened *ret_how, struct err *e)
{
	CLEANUP(journal_freep) struct journal *j = calloc(1, sizeof(*j));
	struct journal_opened how = { 0 };
	uint64_t last_us = 0;
	uint8_t body[8];
	struct wcur c = wcur_over(body, sizeof(body));
	int r;

	if (j == NULL)
		return err_set(e, -ENOMEM, "journal: out of memory");
	j->fd = -1;
	j->segment_max = o->segment_max;
	j->sealed = o->seal_to != NULL;
	if (j->sealed)
		memcpy(j->seal_to, o->seal_to, sizeof(j->seal_to));
	j->queue = malloc(JOURNAL_PENDING_MAX_BYTES + JOURNAL_RECORD_MAX);
	j->dir_fd = fcntl(o->dir_fd, F_DUPFD_CLOEXEC, 3);
	if (j->queue == NULL || j->dir_fd == -1)
		return err_set(e, -ENOMEM, "journal: out of memory");
	r = journal_resume(j, o->now_us, &how, &last_us, e);
	if (r != 0)
		return r;
	wcur_be64(&c, last_us);
	put(j, JOURNAL_START, o->now_us, body, sizeof(body));
	/* A full disk is no reason not to begin: it stays queued, the next flush reports it. */
	(void)journal_flush(j, o->now_us, NULL);
	how.segment = j->segment;
	if (ret_how != NULL)
		*ret_how = how;
	*ret = TAKE(j);
	return 0;
}

struct journal *journal_free(struct journal *j)
{
	if (j == NULL)
		return NULL;
	if (j->fd != -1) {
		(void)journal_flush(j, UINT64_MAX, NULL);
		(void)fdatasync(j->fd);
	}
	fd_closep(&j->fd);
	fd_closep(&j->dir_fd);
	sodium_memzero(&j->sealer, sizeof(j->sealer));
	free(j->queue);
	free(j);
	return NULL;
}

void journal_freep(struct journal **j)
{
	*j = journal_free(*j);
}

static int count_lost(struct journal *j, uint64_t time_us)
{
	if (j->lost_untold == 0)
		j->lost_since_us = time_us;
	j->lost++;
	j->lost_untold++;
	return -ENOBUFS;
}

int journal_append(struct journal *j, enum journal_type type, uint64_t time_us, const void *body, size_t len)
{
	uint8_t sealed[JOURNAL_BODY_MAX];

	/* While losses are untold nothing may overtake the GAP that tells of them. */
	if (j->lost_untold != 0 || j->queued + JOURNAL_RECORD_MAX > JOURNAL_PENDING_MAX_BYTES)
		return count_lost(j, time_us);
	if (!j->sealed || (type != JOURNAL_OPEN && type != JOURNAL_CLOSE && type != JOURNAL_QUERIES)) {
		put(j, (uint8_t)type, time_us, body, len);
		return 0;
	}
	if (len + JOURNAL_SEAL_EXTRA > sizeof(sealed) ||
	    journal_sealer_push(&j->sealer, (uint8_t)type | JOURNAL_SEALED, time_us, body, len, sealed) != 0)
		return count_lost(j, time_us);
	put(j, (uint8_t)type | JOURNAL_SEALED, time_us, sealed, len + JOURNAL_SEAL_EXTRA);
	return 0;
}

static void tell_lost(struct journal *j, uint64_t now_us)
{
	struct journal_gap gap = { .reason = JOURNAL_GAP_DISK, .since_us = j->lost_since_us, .count = j->lost_untold };
	uint8_t body[32];
	struct wcur c = wcur_over(body, sizeof(body));

	journal_gap_write(&gap, &c);
	put(j, JOURNAL_GAP, now_us, body, wcur_len(&c));
	j->lost_untold = 0;
}

static int queue_write(struct journal *j, struct err *e)
{
	int r;

	if (j->queued == 0)
		return 0;
	r = write_all(j->fd, j->queue, j->queued, j->end);
	if (r != 0) {
		/* A reader sees the half until it is written over: it takes it for a record being written. */
		if (ftruncate(j->fd, (off_t)j->end) == -1)
			return err_set(e, r, "write journal segment %u: %s, and the half of it stays", j->segment,
				       strerror(-r));
		return err_set(e, r, "write journal segment %u: %s", j->segment, strerror(-r));
	}
	j->end += j->queued;
	j->queued = 0;
	j->dirty = true;
	return 0;
}

int journal_flush(struct journal *j, uint64_t now_us, struct err *e)
{
	int r = queue_write(j, e);

	if (r == 0 && j->lost_untold != 0) {
		tell_lost(j, now_us == UINT64_MAX ? j->lost_since_us : now_us);
		r = queue_write(j, e);
	}
	if (r != 0)
		return r;
	if (j->dirty && (now_us - j->synced_us >= JOURNAL_SYNC_US || now_us < j->synced_us)) {
		if (fdatasync(j->fd) == -1)
			return err_set(e, -errno, "sync journal segment %u: %s", j->segment, strerror(errno));
		j->dirty = false;
		j->synced_us = now_us;
	}
	if (j->end < j->segment_max || now_us == UINT64_MAX)
		return 0;
	(void)fdatasync(j->fd);
	r = segment_begin(j, now_us, e);
	return r == 0 ? queue_write(j, e) : r;
}

bool journal_unsynced(const struct journal *j)
{
	return j->dirty || j->queued != 0 || j->lost_untold != 0;
}

bool journal_pressed(const struct journal *j)
{
	return j->queued > JOURNAL_PENDING_MAX_BYTES / 2;
}

uint64_t journal_lost(const struct journal *j)
{
	return j->lost;
}
