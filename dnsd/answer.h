/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the resolver's answer to the cached one, and from that to the one that a client gets. */
#pragma once

#include "dnsd/cache.h"
#include "dnsd/reply.h"

/* The largest answer over this transport. */
size_t answer_limit(const struct question *q, bool tcp);

/* Records of @r that were not dropped, for the cache: in at most @limit bytes of @buf, no OPT record, no flags of a
 * client. Length, -E2BIG when they do not fit, -EBADMSG when one is malformed. */
int answer_from_reply(const struct question *q, const struct reply *r, uint8_t *buf, size_t limit);

/* What is cached, for @q's client, in at most @limit bytes of @buf; when it does not fit: none of its records and TC.
 * @ede, @text: see answer_opt(). Length, or -E2BIG when @limit does not even hold a header. */
int answer_from_entry(const struct question *q, const struct cache_entry *e, int ede, const char *text, uint8_t *buf,
		      size_t limit);

/* An alias that is put in front of an answer. */
struct answer_alias {
	const struct dname *target;
	uint32_t ttl_s;
};

/* Records of @r that were not dropped, for @q's client, when they are not those that are cached: some are left out, or
 * it is the answer to another name, which @alias (or NULL) leads to. Never AD: nobody has validated this. Otherwise as
 * answer_from_entry(), or -EBADMSG when a record is malformed. */
int answer_changed(const struct question *q, const struct reply *r, const struct answer_alias *alias, int ede,
		   const char *text, uint8_t *buf, size_t limit);
/* One record of @r, as answer_from_reply() writes it. */
void answer_rr(struct answer_out *o, const struct reply *r, const struct reply_rr *x);
