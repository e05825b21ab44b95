/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker's records for the recorder: of those clients whose view has its queries recorded, and of each no more than
 * the view's level allows. Nothing is allocated, locked or waited for: records go into a buffer of fixed size, which is
 * sent when it is full or 100 ms old; what the recorder has no room for is dropped, counted, and told later. */
#pragma once

#include "dnsd/note.h"

/* One message: what the channel takes at once, and the most that is lost with dnsd. About 500 questions. */
#define QLOG_BUFFER_BYTES 60000u
#define QLOG_DELAY_US	  100000u
/* Of level counts: told each minute, or when there are more kinds than fit. */
#define QLOG_COUNTS_US	60000000u
#define QLOG_COUNTS_MAX 1024u

struct qlog *qlog_new(struct stats *stats); /* @stats: kept. NULL when out of memory */
struct qlog *qlog_free(struct qlog *l);	    /* NULL is fine; returns NULL. What is in it is lost */
/* The channel to the recorder (taken). */
void qlog_connect(struct qlog *l, int fd);

/* The views of env are about to be others: what was counted by their numbers is told. */
void qlog_views_end(struct qlog *l, const struct query_env *env);
/* Some view of @v has its queries recorded. */
bool qlog_wanted(const struct views *v);

/* note_wants() was true. */
void qlog_add(struct qlog *l, const struct query_env *env, const struct view_client *client,
	      enum dns_transport transport, const struct noted_answer *a);
/* The answers of this wake have left: of those that were given at once it is known now how long they took. */
void qlog_sent(struct qlog *l, uint64_t now_us);
/* Send what is due. Called before the worker sleeps, and when qlog_deadline_us() has come. */
void qlog_flush(struct qlog *l, const struct query_env *env);
uint64_t qlog_deadline_us(const struct qlog *l); /* CLOCK_MONOTONIC; UINT64_MAX: there is nothing to send */
