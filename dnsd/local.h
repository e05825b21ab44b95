/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers that we make ourselves: blocked names, local records, special names, refusals. */
#pragma once

#include "dnsd/packet.h"
#include "filter/blocking.h"
#include "sluice/plan.h"

#define LOCAL_TTL_S    300u /* local records: they change with the policy, five minutes is what a client may lag */
#define NEGATIVE_TTL_S 10u  /* of empty answers that say no more: as short as those of blocked names */

/* Names with a fixed answer unless a split holds them: special.c has the zones and their sources. */
enum special {
	SPECIAL_NONE = 0,
	SPECIAL_NXDOMAIN,  /* the zone is empty: its apex is there, nothing else */
	SPECIAL_LOCALHOST, /* it and all below it are this host */
};

/* @ret_labels: of the zone that holds the name; may be NULL. */
enum special special_name(const struct dname *name, uint8_t *ret_labels);

/* All write at most @limit bytes and return the length. @text may be NULL. */
int local_error(const struct question *q, uint32_t rcode, int ede, const char *text, uint8_t *buf, size_t limit);
/* Empty answer with an SOA: NXDOMAIN or NODATA (@rcode NOERROR). */
int local_negative(const struct question *q, uint32_t rcode, int ede, const char *text, uint8_t *buf, size_t limit);
/* Of a blocked name; @a is neither .drop nor .tcp_only. @ttl_s: of the address, or the SOA. */
int local_blocked(const struct question *q, const struct blocked_answer *a, uint32_t ttl_s, int ede, const char *text,
		  uint8_t *buf, size_t limit);
/* Of a rewritten name: the records of @v's rules that are of the asked type, NODATA when there are none. @ttl_s: of
 * those that have none of their own, and of the SOA. */
int local_rewritten(const struct question *q, const struct name_verdict *v, uint32_t ttl_s, uint8_t *buf, size_t limit);
/* Of a special name, in a zone of @labels. @exists: there are local records below it, so it is not NXDOMAIN. */
int local_special(const struct question *q, enum special what, uint8_t labels, bool exists, uint8_t *buf, size_t limit);
/* Aliases, and the records of the asked type, at most @max; NODATA when there are none. */
int local_records(const struct question *q, const struct local_answer *a, uint32_t max, uint8_t *buf, size_t limit);
/* Nothing but TC: ask again by TCP. */
int local_truncated(const struct question *q, uint8_t *buf, size_t limit);
/* RFC 8482: ANY is answered by one HINFO. */
int local_any(const struct question *q, uint8_t *buf, size_t limit);
