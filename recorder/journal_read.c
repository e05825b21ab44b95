/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal's reader: for `sluice flows`, and for the writer at its start.
 *
 * Goes through the segments in the order of their numbers with one buffer. At a record that is not what was chained it
 * says so, takes that record's own chain value and goes on: then exactly the altered record (or the place where one is
 * missing) is named, and not everything behind it. A writer may append meanwhile: a record that is not complete at the
 * end of the last segment is no damage, the reader comes back to it. */
#include "recorder/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define READ_BUF_BYTES (128u * 1024) /* a few hundred records a read(2), and many times JOURNAL_RECORD_MAX */

struct journal_reader {
	int dir_fd, fd;
	uint32_t segment, first;
	bool opened, broken;
	bool has_prev; /* .chain is that of the segment before, not of the first one that is read */
	uint64_t offset, number, damaged, last_us;
	struct journal_chain chain;
	size_t at, filled; /* in buf; buf[at] is file offset .offset */
	uint8_t buf[READ_BUF_BYTES];
};

/* 0: not the name of a segment. */
static uint32_t segment_number(const char *name)
{
	uint32_t n = 0;

	if (strlen(name) != 10 || strcmp(name + 6, ".jnl") != 0)
		return 0;
	for (int i = 0; i < 6; i++) {
		if (name[i] < '0' || name[i] > '9')
			return 0;
		n = n * 10 + (uint32_t)(name[i] - '0');
	}
	return n;
}

static void dir_closep(DIR **d)
{
	if (*d != NULL)
		(void)closedir(*d);
}

/* The lowest segment above @after and the highest of all; 0 = none. */
static int segments_scan(int dir_fd, uint32_t after, uint32_t *ret_next, uint32_t *ret_last, struct err *e)
{
	CLEANUP(dir_closep) DIR *dir = NULL;
	uint32_t next = 0, last = 0;
	const struct dirent *entry;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd != -1 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		int r = -errno;

		fd_closep(&fd);
		return err_set(e, r, "read the journal's directory: %s", strerror(-r));
	}
	while ((entry = readdir(dir)) != NULL) {
		uint32_t n = segment_number(entry->d_name);

		if (n > after && (next == 0 || n < next))
			next = n;
		if (n > last)
			last = n;
	}
	*ret_next = next;
	*ret_last = last;
	return 0;
}

int journal_last_segment(int dir_fd, uint32_t *ret, struct err *e)
{
	uint32_t next = 0, last = 0;
	int r = segments_scan(dir_fd, 0, &next, &last, e);

	if (r == 0)
		*ret = last;
	return r;
}

int journal_reader_new(int dir_fd, uint32_t first, struct journal_reader **ret, struct err *e)
{
	struct journal_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(e, -ENOMEM, "journal: out of memory");
	r->dir_fd = dir_fd;
	r->fd = -1;
	r->first = first;
	*ret = r;
	return 0;
}

struct journal_reader *journal_reader_free(struct journal_reader *r)
{
	if (r != NULL)
		fd_closep(&r->fd);
	free(r);
	return NULL;
}

void journal_reader_freep(struct journal_reader **r)
{
	*r = journal_reader_free(*r);
}

/* What is new in the file behind what is in the buffer. 1 when there was something. */
static int reader_fill(struct journal_reader *r, struct err *e)
{
	ssize_t n;

	if (r->at > 0) {
		memmove(r->buf, r->buf + r->at, r->filled - r->at);
		r->filled -= r->at;
		r->at = 0;
	}
	n = pread(r->fd, r->buf + r->filled, sizeof(r->buf) - r->filled, (off_t)(r->offset + r->filled));
	if (n == -1)
		return err_set(e, -errno, "read journal segment %u: %s", r->segment, strerror(errno));
	r->filled += (size_t)n;
	return n > 0;
}

static int segment_enter(struct journal_reader *r, uint32_t segment, struct err *e)
{
	char name[16];
	int fd;

	(void)snprintf(name, sizeof(name), "%06u.jnl", segment);
	fd = openat(r->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return err_set(e, -errno, "open journal segment %s: %s", name, strerror(errno));
	r->has_prev = r->opened && r->segment + 1 == segment;
	fd_closep(&r->fd);
	r->fd = fd;
	r->segment = segment;
	r->broken = false;
	r->offset = r->number = r->damaged = 0;
	r->at = r->filled = 0;
	return 0;
}

static void consume(struct journal_reader *r, size_t len)
{
	r->at += len;
	r->offset += len;
}

/* 1: @ret is an item, 0: the header was good. -EAGAIN: not complete yet. */
static int header_next(struct journal_reader *r, struct journal_item *ret)
{
	struct journal_header h;
	bool expected = r->has_prev || !r->opened;

	if (r->filled - r->at < JOURNAL_HEADER_LEN)
		return -EAGAIN;
	*ret = (struct journal_item){ .segment = r->segment };
	if (journal_header_read(r->buf + r->at, JOURNAL_HEADER_LEN, &h) != 0) {
		r->damaged++;
		ret->kind = JOURNAL_ITEM_UNCHAINED;
		/* The records may be good; they are chained to what stands at the header's end. */
		memcpy(r->chain.bytes, r->buf + r->at + JOURNAL_HEADER_LEN - JOURNAL_CHAIN_LEN, JOURNAL_CHAIN_LEN);
		r->opened = true;
		consume(r, JOURNAL_HEADER_LEN);
		return 1;
	}
	/* The first that is read follows something that is not here any more. */
	if (r->opened && (!expected || memcmp(h.prev.bytes, r->chain.bytes, JOURNAL_CHAIN_LEN) != 0))
		ret->kind = JOURNAL_ITEM_UNCHAINED;
	if (h.segment != r->segment)
		ret->kind = JOURNAL_ITEM_UNCHAINED;
	r->opened = true;
	r->chain = h.chain;
	consume(r, JOURNAL_HEADER_LEN);
	r->damaged += ret->kind == JOURNAL_ITEM_UNCHAINED;
	return ret->kind == JOURNAL_ITEM_UNCHAINED;
}

/* 1: @ret is an item. -EAGAIN: not complete yet. */
static int record_next(struct journal_reader *r, struct journal_item *ret)
{
	struct journal_item item = { .segment = r->segment, .number = r->number + 1, .offset = r->offset };
	size_t used = 0;

	switch (journal_record_parse(r->buf + r->at, r->filled - r->at, &r->chain, &item.record, &used)) {
	case JOURNAL_PARSE_OK:
		item.kind = JOURNAL_ITEM_RECORD;
		r->last_us = item.record.time_us;
		break;
	case JOURNAL_PARSE_ALTERED:
		item.kind = JOURNAL_ITEM_ALTERED;
		r->damaged++;
		break;
	case JOURNAL_PARSE_SHORT:
		return -EAGAIN;
	case JOURNAL_PARSE_BROKEN:
		item.kind = JOURNAL_ITEM_BROKEN;
		r->damaged++;
		r->broken = true;
		break;
	}
	if (item.kind != JOURNAL_ITEM_BROKEN) {
		r->chain = item.record.chain;
		r->number++;
	}
	consume(r, used);
	*ret = item;
	return 1;
}

/* The segment gives no more. 1: @ret is an item; 2: go on with the next one; 0: there is none. */
static int segment_leave(struct journal_reader *r, struct journal_item *ret, struct err *e)
{
	uint32_t next = 0, last = 0;
	int n = segments_scan(r->dir_fd, r->segment, &next, &last, e);

	if (n != 0 || next == 0)
		return n;
	/* The writer may have appended between our last read and its going on to the next segment. */
	n = r->broken ? 0 : reader_fill(r, e);
	if (n != 0)
		return n < 0 ? n : 2;
	*ret = (struct journal_item){ .segment = r->segment, .offset = r->offset };
	if (!r->broken && r->filled > r->at) {
		r->broken = true;
		r->damaged++;
		ret->kind = JOURNAL_ITEM_BROKEN;
		ret->number = r->number + 1;
		return 1;
	}
	ret->kind = JOURNAL_ITEM_SEGMENT_END;
	ret->number = r->number;
	n = segment_enter(r, next, e);
	return n != 0 ? n : 1;
}

static int first_enter(struct journal_reader *r, struct err *e)
{
	uint32_t next = 0, last = 0;
	int n = segments_scan(r->dir_fd, r->first != 0 ? r->first - 1 : 0, &next, &last, e);

	if (n != 0 || next == 0)
		return n;
	n = segment_enter(r, next, e);
	return n != 0 ? n : 1;
}

int journal_reader_next(struct journal_reader *r, struct journal_item *ret, struct err *e)
{
	int n = r->fd == -1 ? first_enter(r, e) : 1;

	if (n != 1)
		return n;
	for (;;) {
		if (!r->broken) {
			n = r->offset == 0 ? header_next(r, ret) : record_next(r, ret);
			if (n == 1)
				return 1;
			if (n == 0)
				continue;
			n = reader_fill(r, e);
			if (n < 0)
				return n;
			if (n > 0)
				continue;
		}
		n = segment_leave(r, ret, e);
		if (n != 2)
			return n;
	}
}

void journal_reader_position(const struct journal_reader *r, struct journal_position *ret)
{
	*ret = (struct journal_position){ .segment = r->segment,
					  .records = r->number,
					  .offset = r->offset,
					  .torn = r->broken ? 0 : r->filled - r->at,
					  .damaged = r->damaged,
					  .last_us = r->last_us,
					  .chain = r->chain };
}
