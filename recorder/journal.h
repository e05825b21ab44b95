/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal: an append-only log of records in numbered segment files, each record chained to the one before.
 *
 * Segment NNNNNN.jnl: header, then records. All numbers in network order.
 *
 * - header: "SLUJNL1\n", be32 version, be32 segment number, be64 created (µs, CLOCK_REALTIME), 16 bytes: the last chain
 *   value of the segment before (zeros in the first), 16 bytes: the header's chain value
 * - record: be32 length of body, u8 type, be64 time (µs, CLOCK_REALTIME), body, 16 bytes: chain value
 *
 * A chain value is BLAKE2b-128 of the chain value before and of everything since it. With JOURNAL_SEALED in the type
 * the body is a message of the stream that the last KEY record opened (journal_seal.h); the chain is over what is in
 * the file.
 *
 * What a reader can tell: an altered, removed, inserted or moved record (the chain breaks there), a record that was cut
 * short at the end (the machine or the recorder stopped). What it cannot: that whole records at the very end are
 * missing, or that somebody who could write the file computed it anew from some point on. For that a chain value must
 * be kept elsewhere. */
#pragma once

#include "base/cursor.h"
#include "base/err.h"

#define JOURNAL_MAGIC	   "SLUJNL1\n"
#define JOURNAL_MAGIC_LEN  8u
#define JOURNAL_VERSION	   1u
#define JOURNAL_CHAIN_LEN  16u
#define JOURNAL_HEADER_LEN (JOURNAL_MAGIC_LEN + 4 + 4 + 8 + 2 * JOURNAL_CHAIN_LEN)
#define JOURNAL_HEAD_LEN   13u /* of a record, before its body */
/* The longest body: a flow (FLOW_BODY_MAX), sealed or not, with room. A longer one in a file is damage. */
#define JOURNAL_BODY_MAX   4096u
#define JOURNAL_RECORD_MAX (JOURNAL_HEAD_LEN + JOURNAL_BODY_MAX + JOURNAL_CHAIN_LEN)
/* A segment is closed when it is larger: what retention removes at once, and what start-up reads through. */
#define JOURNAL_SEGMENT_MAX_BYTES (64u << 20)
/* Records that wait for a disk that is full. Beyond it they are lost and counted: about 10,000 flows. */
#define JOURNAL_PENDING_MAX_BYTES (1u << 20)
#define JOURNAL_SYNC_US		  1000000u /* what a power failure may cost */
#define JOURNAL_SEGMENTS_MAX	  999999u
#define JOURNAL_CUT_KEPT_MAX	  1024u /* of a torn record, kept in the record that tells of it */

enum journal_type {
	JOURNAL_OPEN = 1,      /* a flow began: flow.h */
	JOURNAL_CLOSE = 2,     /* a flow ended: flow.h */
	JOURNAL_GAP = 3,       /* records are missing: struct journal_gap */
	JOURNAL_RECOVERED = 4, /* a torn record was cut off the segment: be32 its length, its first bytes */
	JOURNAL_START = 5,     /* the recorder started: be64 time of the last record before it, 0 when there is none */
	JOURNAL_KEY = 6,       /* stream key, sealed to a public key; see journal_seal.h */
	/* Questions that were answered: query.h. To a Sluice that does not know them yet, each is an altered record. */
	JOURNAL_QUERIES = 7,
};
#define JOURNAL_SEALED 0x80u

enum journal_gap_reason {
	JOURNAL_GAP_EVENTS = 1, /* the kernel dropped events */
	JOURNAL_GAP_DISK = 2,
	JOURNAL_GAP_QUERIES = 3, /* dnsd had questions to tell for which there was no room */
};

/* Body of a GAP: u8 reason, be64 since (µs), be64 count (of losses; each may be of many events). */
struct journal_gap {
	enum journal_gap_reason reason;
	uint64_t since_us, count;
};

struct journal_chain {
	uint8_t bytes[JOURNAL_CHAIN_LEN];
};

/* --- Format: pure, over bytes (journal_format.c). --- */

struct journal_header {
	uint32_t segment;
	uint64_t created_us;
	struct journal_chain prev, chain;
};

void journal_header_write(struct journal_header *h, struct wcur *c); /* computes h->chain */
/* 0; -EBADMSG: no header of ours, or altered. */
int journal_header_read(const uint8_t *buf, size_t len, struct journal_header *ret);

struct journal_record {
	uint8_t type; /* with JOURNAL_SEALED */
	uint64_t time_us;
	const uint8_t *body; /* borrowed from the buffer */
	size_t len;
	struct journal_chain chain; /* as stored */
};

enum journal_parse {
	JOURNAL_PARSE_OK = 0,
	JOURNAL_PARSE_ALTERED, /* complete, but not what was chained to @prev; the next one begins after it */
	JOURNAL_PARSE_SHORT,   /* the buffer ends before the record does */
	JOURNAL_PARSE_BROKEN,  /* no record: nothing after it can be found */
};

/* The record at the start of @buf. @ret and @ret_used are set with OK and ALTERED. */
enum journal_parse journal_record_parse(const uint8_t *buf, size_t len, const struct journal_chain *prev,
					struct journal_record *ret, size_t *ret_used);
/* Append one record to @c; @chain is the one before, and becomes its own. @len <= JOURNAL_BODY_MAX. */
void journal_record_write(struct wcur *c, struct journal_chain *chain, uint8_t type, uint64_t time_us, const void *body,
			  size_t len);
void journal_gap_write(const struct journal_gap *g, struct wcur *c);
int journal_gap_read(const uint8_t *body, size_t len, struct journal_gap *ret);

/* --- Writer (journal.c). One a directory, held by a lock. --- */

struct journal;

struct journal_options {
	int dir_fd;		/* borrowed during the call */
	const uint8_t *seal_to; /* X25519 public key of 32 bytes, or NULL: not sealed */
	uint32_t segment_max;	/* bytes; JOURNAL_SEGMENT_MAX_BYTES, or less in tests */
	uint64_t now_us;
};

struct journal_opened {
	uint32_t segment;   /* that is written to */
	uint64_t cut_bytes; /* of a torn record at the end */
	bool damaged;	    /* the last segment is damaged: left as it is, a new one was begun */
};

/* Check the last segment, cut a torn record off its end, go on there; write START. @ret_how may be NULL.
 * -EAGAIN: another writer has it. */
int journal_open(const struct journal_options *o, struct journal **ret, struct journal_opened *ret_how, struct err *e);
/* Flushes; what cannot be written is lost. NULL is fine; returns NULL. */
struct journal *journal_free(struct journal *j);
void journal_freep(struct journal **j);

/* Queue a record. 0; -ENOBUFS: no room until the disk takes what is queued (counted, told in a GAP later). */
int journal_append(struct journal *j, enum journal_type type, uint64_t time_us, const void *body, size_t len);
/* Write what is queued; sync to the disk when the last time is JOURNAL_SYNC_US ago. Begins a new segment when this one
 * is large enough. An error leaves everything queued: call again. */
int journal_flush(struct journal *j, uint64_t now_us, struct err *e);
bool journal_unsynced(const struct journal *j); /* journal_flush() has something to do */
bool journal_pressed(const struct journal *j);	/* half of what may wait does: flush before more is appended */
uint64_t journal_lost(const struct journal *j); /* records, since the start */

/* --- Reader (journal_read.c). Needs only to read; a writer may be at work. --- */

struct journal_reader;

enum journal_item_kind {
	JOURNAL_ITEM_RECORD = 0,
	JOURNAL_ITEM_ALTERED,	  /* this record, or its place, is not as it was written */
	JOURNAL_ITEM_BROKEN,	  /* from here the segment cannot be read */
	JOURNAL_ITEM_UNCHAINED,	  /* this segment does not follow from the one before (missing, exchanged, altered) */
	JOURNAL_ITEM_SEGMENT_END, /* of a segment that has a successor */
};

struct journal_item {
	enum journal_item_kind kind;
	uint32_t segment;
	uint64_t number; /* of the record in the segment, from 1; SEGMENT_END: records in it; UNCHAINED: 0 */
	uint64_t offset; /* in the file */
	struct journal_record record; /* RECORD, ALTERED; body borrowed until the next call */
};

/* @dir_fd: borrowed, must outlive the reader. @first: start there (0: at the first segment that exists). */
int journal_reader_new(int dir_fd, uint32_t first, struct journal_reader **ret, struct err *e);
struct journal_reader *journal_reader_free(struct journal_reader *r);
void journal_reader_freep(struct journal_reader **r);
/* 1: @ret. 0: nothing more at the moment; call again later to see what was appended. Negative: reading failed. */
int journal_reader_next(struct journal_reader *r, struct journal_item *ret, struct err *e);

/* Where the reader is: for the end, when journal_reader_next() gave 0. */
struct journal_position {
	uint32_t segment; /* 0: there is none */
	uint64_t records; /* complete ones read in it */
	uint64_t offset;  /* after the last of them; 0: the header was not complete */
	uint64_t torn;	  /* bytes after that: a record that was cut short, or is being written */
	uint64_t damaged; /* ALTERED, BROKEN and UNCHAINED items in this segment */
	uint64_t last_us; /* time of the last good record in any segment read */
	struct journal_chain chain;
};

void journal_reader_position(const struct journal_reader *r, struct journal_position *ret);
/* Number of the last segment in the directory; 0: none. */
int journal_last_segment(int dir_fd, uint32_t *ret, struct err *e);
