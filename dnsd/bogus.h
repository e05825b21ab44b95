/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why validation failed: libunbound's words as a code of RFC 8914, and kept for as long as it repeats the verdict
 * without the reason. */
#pragma once

#include "dnsd/packet.h"

struct bogus;

/* One a resolver; some 200 kB. NULL when out of memory. */
struct bogus *bogus_new(void);
struct bogus *bogus_free(struct bogus *b); /* NULL is fine; returns NULL */

/* @why: of the event API, for a bogus answer to that question; may be NULL. Returns enum dns_ede; *@ret_text: the
 * words, borrowed from @b or @why until the next call. */
int bogus_why(struct bogus *b, const struct dname *name, uint16_t type, const char *why, const char **ret_text);

/* Pure: the code of libunbound's words. */
int bogus_ede(const char *why);
