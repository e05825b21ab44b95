/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What dnsd tells of questions, into the journal: each by the level of its device, and only while the recorder's own
 * plan says the same level as dnsd's views. No sockets, no clock. */
#pragma once

#include "recorder/journal.h"
#include "recorder/logplan.h"
#include "recorder/pseudonym.h"

struct queries_stats {
	uint64_t recorded; /* questions, those in counts too */
	uint64_t ignored;  /* of who is not recorded, or at another level (any more) */
	uint64_t lost;	   /* dnsd says so */
};

/* One body of QUERIES. @plan may be NULL: nobody is recorded. 0, or -EBADMSG: dnsd says nonsense, what was before it is
 * recorded. */
int queries_record(struct journal *j, const struct logplan *plan, const struct pseudonym *key, const uint8_t *body,
		   size_t len, uint64_t now_us, struct queries_stats *stats);
