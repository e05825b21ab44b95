/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of one download beside its text, kept in STATE/lists/NAME.json; when it is due, and whether a new text
 * may take the place of the old one. Pure. */
#pragma once

#include "base/err.h"
#include "sluice/msg.h"

#define DOWNLOAD_META_MAX (64u << 10) /* of the file: URL, tag and reason at their longest are 4 KB */
/* After a failure: so long, doubled with each, so that a server that is down is not asked in a loop by all gateways. */
#define DOWNLOAD_RETRY_FIRST_S 60u
#define DOWNLOAD_RETRY_MAX_S   (6u * 3600u)
/* One in so many: fewer rules than that part of the old text's are no update, but a list that broke. */
#define DOWNLOAD_SHRINK 10u

struct download_meta {
	char url[FETCH_URL_MAX]; /* that the text came from */
	char etag[FETCH_ETAG_MAX], modified[FETCH_MODIFIED_MAX];
	char sha256[2 * FETCH_SUM_LEN + 1]; /* of the text; empty: there is none */
	uint64_t bytes, rules, skipped, refused;
	int64_t fetched_s; /* CLOCK_REALTIME: the text came; 0 = never */
	int64_t looked_s;  /* the server last said that it is the newest, or sent it */
	int64_t tried_s;   /* the last attempt, whatever came of it */
	uint32_t failures; /* in a row */
	char error[256];   /* of the last attempt; empty: it was fine */
};

/* @ret: returned, free(); NULL: out of memory. */
char *download_meta_print(const struct download_meta *m);
/* What is missing or of a wrong type is left empty. False: it is no JSON object at all. */
bool download_meta_parse(const char *text, size_t len, struct download_meta *ret);

/* The pause after the n-th failure in a row. */
uint32_t download_retry_s(uint32_t failures);
/* When the next attempt is due, as CLOCK_REALTIME. @have: there is a text. @refresh_s: 0 = never by itself, once it is
 * there. @jitter: anything; it spreads gateways over a tenth of the time. A clock that was set back does not put an
 * attempt off for longer than that: @now_s. INT64_MAX: never. */
int64_t download_due_s(const struct download_meta *m, bool have, uint32_t refresh_s, uint32_t jitter, int64_t now_s);

/* May a text of @rules rules take the place of one of @old? @old 0: there is none, or none is known. @why: when not. */
bool download_may_replace(uint64_t rules, uint64_t old, char *why, size_t len);
