/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal as rows for a reader: each flow once, or each question, and each time in which something may be missing.
 */
#pragma once

#include "recorder/flow.h"
#include "recorder/journal.h"
#include "recorder/journal_seal.h"
#include "recorder/query.h"

/* Flows without an end that a reader keeps until it has come to the end of the journal; beyond it the oldest are shown
 * as open at once. About 400 bytes each, 400 MB at the very most. */
#define ROWS_OPEN_MAX (1u << 20)

enum row_kind { ROW_FLOW = 0, ROW_QUERY, ROW_GAP };
enum rows_what { ROWS_FLOWS = 0, ROWS_QUERIES };

enum row_gap {
	ROW_GAP_EVENTS = 0, /* the kernel dropped events */
	ROW_GAP_DISK,	    /* the journal could not be written */
	ROW_GAP_RESTART,    /* no recorder was running */
	ROW_GAP_TORN,	    /* the last record before a crash was cut short */
	ROW_GAP_DAMAGED,    /* a record was altered, moved or removed */
	ROW_GAP_QUERIES,    /* the recorder was too slow for dnsd's questions */
	ROW_GAP_SEALED,	    /* a record cannot be opened with the key given */
	ROW_GAP_MAX
};

struct row {
	enum row_kind kind;
	struct flow_record flow;   /* texts borrowed until the next call */
	struct query_record query; /* the same */
	enum row_gap gap;
	uint64_t start_us, end_us; /* of the gap; 0: not known */
	uint64_t count;		   /* losses; TORN: bytes */
	uint32_t segment;	   /* DAMAGED, SEALED: where */
	uint64_t number;
};

struct rows_options {
	int dir_fd;			   /* borrowed, must outlive the rows */
	struct journal_unsealer *unsealer; /* borrowed, must outlive the rows; or NULL: sealed flows are counted only */
	enum rows_what what;
	bool opens; /* open records as they come, too (then a closed flow is shown twice) */
};

struct rows;

int rows_new(const struct rows_options *o, struct rows **ret, struct err *e);
struct rows *rows_free(struct rows *r);
void rows_freep(struct rows **r);
/* 1: @ret. 0: the end of the journal at the moment. Negative: reading failed. */
int rows_next(struct rows *r, struct row *ret, struct err *e);
/* After the end: the flows that were not closed, oldest first. False: no more. */
bool rows_next_open(struct rows *r, struct row *ret);
uint64_t rows_sealed(const struct rows *r);  /* flow records that were passed over for want of a key */
uint64_t rows_damaged(const struct rows *r); /* DAMAGED rows */
uint64_t rows_newer(const struct rows *r);   /* records of a form that only a later Sluice can read */
const char *row_gap_name(enum row_gap gap);
