/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answer that a client gets, written anew from the resolver's. */
#pragma once

#include "dnsd/reply.h"

/* The largest answer over this transport. */
size_t answer_limit(const struct question *q, bool tcp);

/* Records of @r that were not dropped, for @q's client, in at most @limit bytes of @buf; when they do not fit: none and
 * TC. @secure: validated. @ede, @text: see answer_opt(). Length, or -E2BIG when @limit does not even hold a header. */
int answer_from_reply(const struct question *q, const struct reply *r, bool secure, int ede, const char *text,
		      uint8_t *buf, size_t limit);
/* One record of @r, as answer_from_reply() writes it. */
void answer_rr(struct answer_out *o, const struct reply *r, const struct reply_rr *x);
