/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Journal records to rows, for `sluice flows` and `sluice queries`.
 *
 * A close record stands for itself, unless its flow began under an earlier run of the recorder: then what only the
 * beginning knew (start, name) is taken from the open record, which has the same id. */
#include "recorder/rows.h"

#include "recorder/live.h"

struct rows {
	struct journal_reader *reader;
	struct journal_unsealer *unsealer;
	struct live *open;
	enum rows_what what;
	struct rcur rest; /* questions of the record that was read last */
	uint64_t rest_us; /* its time */
	struct journal_item rest_of;
	bool opens;
	bool has_next; /* .next is to be put into .open before anything else is read */
	struct flow_record next;
	uint64_t sealed, damaged, newer;
};

static const char *const gap_names[] = {
	[ROW_GAP_EVENTS] = "events-lost", [ROW_GAP_DISK] = "disk-full",	 [ROW_GAP_RESTART] = "not-running",
	[ROW_GAP_TORN] = "torn-record",	  [ROW_GAP_DAMAGED] = "damaged", [ROW_GAP_QUERIES] = "queries-lost",
	[ROW_GAP_SEALED] = "not-opened",
};
static_assert(ARRAY_LEN(gap_names) == ROW_GAP_MAX, "names");

int rows_new(const struct rows_options *o, struct rows **ret, struct err *e)
{
	CLEANUP(rows_freep) struct rows *r = calloc(1, sizeof(*r));
	int n;

	if (r == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	r->unsealer = o->unsealer;
	r->opens = o->opens;
	r->what = o->what;
	r->open = live_new(ROWS_OPEN_MAX);
	if (r->open == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	n = journal_reader_new(o->dir_fd, /* first= */ 0, &r->reader, e);
	if (n != 0)
		return n;
	*ret = TAKE(r);
	return 0;
}

struct rows *rows_free(struct rows *r)
{
	if (r == NULL)
		return NULL;
	journal_reader_free(r->reader);
	live_free(r->open);
	free(r);
	return NULL;
}

void rows_freep(struct rows **r)
{
	*r = rows_free(*r);
}

static int row_damaged(struct rows *r, const struct journal_item *item, struct row *ret)
{
	r->damaged++;
	*ret = (struct row){
		.kind = ROW_GAP, .gap = ROW_GAP_DAMAGED, .segment = item->segment, .number = item->number
	};
	return 1;
}

/* 1: an older flow of that id, which never got an end, or one for which there is no room is shown first. */
static int flow_open(struct rows *r, const struct flow_record *f, struct row *ret)
{
	*ret = (struct row){ .kind = ROW_FLOW, .flow = *f };
	if (r->opens)
		return live_add(r->open, f) == 0 ? 1 : -ENOMEM;
	if (!live_take(r->open, f->id, &ret->flow) &&
	    (live_count(r->open) < ROWS_OPEN_MAX || !live_take_oldest(r->open, &ret->flow)))
		return live_add(r->open, f);
	r->next = *f;
	r->has_next = true;
	return 1;
}

static int flow_close(struct rows *r, struct flow_record *f, struct row *ret)
{
	struct flow_record begun;

	if (live_take(r->open, f->id, &begun) && !f->opened && begun.level == f->level) {
		f->start_us = begun.start_us;
		f->evidence = begun.evidence;
		f->candidates = begun.candidates;
		f->name = begun.name;
	}
	*ret = (struct row){ .kind = ROW_FLOW, .flow = *f };
	return 1;
}

static enum row_gap gap_of(enum journal_gap_reason reason)
{
	switch (reason) {
	case JOURNAL_GAP_DISK:
		return ROW_GAP_DISK;
	case JOURNAL_GAP_QUERIES:
		return ROW_GAP_QUERIES;
	case JOURNAL_GAP_EVENTS:
		break;
	}
	return ROW_GAP_EVENTS;
}

/* Each reader hears of what is missing from what it reads. */
static int row_gap(const struct rows *r, const struct journal_record *rec, struct row *ret)
{
	struct journal_gap gap;

	if (journal_gap_read(rec->body, rec->len, &gap) != 0)
		return -EBADMSG;
	if (gap.reason == (r->what == ROWS_FLOWS ? JOURNAL_GAP_QUERIES : JOURNAL_GAP_EVENTS))
		return 0;
	*ret = (struct row){ .kind = ROW_GAP,
			     .gap = gap_of(gap.reason),
			     .start_us = gap.since_us,
			     .end_us = rec->time_us,
			     .count = gap.count };
	return 1;
}

static int row_start(const struct journal_record *rec, struct row *ret)
{
	struct rcur c = rcur_over(rec->body, rec->len);
	uint64_t last_us = rcur_be64(&c);

	if (rcur_end(&c) != 0)
		return -EBADMSG;
	if (last_us == 0)
		return 0;
	*ret = (struct row){ .kind = ROW_GAP, .gap = ROW_GAP_RESTART, .start_us = last_us, .end_us = rec->time_us };
	return 1;
}

static int row_recovered(const struct journal_record *rec, struct row *ret)
{
	struct rcur c = rcur_over(rec->body, rec->len);
	uint32_t cut = rcur_be32(&c);

	if (c.err != 0)
		return -EBADMSG;
	*ret = (struct row){
		.kind = ROW_GAP, .gap = ROW_GAP_TORN, .start_us = rec->time_us, .end_us = rec->time_us, .count = cut
	};
	return 1;
}

/* The next question of the record that was read last; results as record_row()'s. */
static int query_next(struct rows *r, struct row *ret)
{
	int n = query_decode(&r->rest, r->rest_us, &ret->query);

	if (n <= 0)
		r->rest = (struct rcur){ 0 };
	if (n == 1)
		ret->kind = ROW_QUERY;
	return n;
}

static int queries_begin(struct rows *r, const struct journal_record *rec, struct row *ret)
{
	int n;

	r->rest = rcur_over(rec->body, rec->len);
	r->rest_us = rec->time_us;
	n = query_body_begin(&r->rest);
	if (n == -ENOTSUP)
		r->newer++;
	if (n != 0) {
		r->rest = (struct rcur){ 0 };
		return n == -ENOTSUP ? 0 : n;
	}
	return query_next(r, ret);
}

/* 1: @ret; 0: this record is no row; -EBADMSG: its body cannot be read. */
static int record_row(struct rows *r, const struct journal_record *rec, struct row *ret)
{
	struct flow_record f;

	switch (rec->type) {
	case JOURNAL_QUERIES:
		return r->what == ROWS_QUERIES ? queries_begin(r, rec, ret) : 0;
	case JOURNAL_OPEN:
	case JOURNAL_CLOSE:
		if (r->what != ROWS_FLOWS)
			return 0;
		if (flow_decode(rec->body, rec->len, rec->time_us, &f) != 0 || f.closed != (rec->type == JOURNAL_CLOSE))
			return -EBADMSG;
		return f.closed ? flow_close(r, &f, ret) : flow_open(r, &f, ret);
	case JOURNAL_GAP:
		return row_gap(r, rec, ret);
	case JOURNAL_START:
		return row_start(rec, ret);
	case JOURNAL_RECOVERED:
		return row_recovered(rec, ret);
	case JOURNAL_KEY:
		return 0;
	default:
		r->newer++;
		return 0;
	}
}

static int item_row(struct rows *r, struct journal_item *item, struct row *ret)
{
	struct journal_record *rec = &item->record;
	int n;

	if (item->kind == JOURNAL_ITEM_SEGMENT_END)
		return 0;
	if (item->kind != JOURNAL_ITEM_RECORD)
		return row_damaged(r, item, ret);
	if ((rec->type & JOURNAL_SEALED) != 0 && r->unsealer == NULL) {
		r->sealed++;
		return 0;
	}
	if (r->unsealer != NULL && journal_unsealer_pull(r->unsealer, rec) != 0) {
		*ret = (struct row){ .kind = ROW_GAP,
				     .gap = ROW_GAP_SEALED,
				     .start_us = rec->time_us,
				     .end_us = rec->time_us,
				     .segment = item->segment,
				     .number = item->number };
		return 1;
	}
	r->rest_of = *item;
	n = record_row(r, rec, ret);
	return n == -EBADMSG ? row_damaged(r, item, ret) : n;
}

int rows_next(struct rows *r, struct row *ret, struct err *e)
{
	struct journal_item item;
	int n;

	if (r->has_next && live_add(r->open, &r->next) != 0)
		return err_set(e, -ENOMEM, "out of memory");
	r->has_next = false;
	if (r->rest.at != NULL) {
		n = query_next(r, ret);
		if (n == -EBADMSG)
			n = row_damaged(r, &r->rest_of, ret);
		if (n == 1)
			return 1;
	}
	while ((n = journal_reader_next(r->reader, &item, e)) == 1) {
		n = item_row(r, &item, ret);
		if (n < 0)
			return err_set(e, n, "out of memory");
		if (n == 1)
			return 1;
	}
	return n;
}

bool rows_next_open(struct rows *r, struct row *ret)
{
	*ret = (struct row){ .kind = ROW_FLOW };
	return live_take_oldest(r->open, &ret->flow);
}

uint64_t rows_sealed(const struct rows *r)
{
	return r->sealed;
}

uint64_t rows_damaged(const struct rows *r)
{
	return r->damaged;
}

uint64_t rows_newer(const struct rows *r)
{
	return r->newer;
}

const char *row_gap_name(enum row_gap gap)
{
	return gap_names[gap];
}
