/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers that we make ourselves: blocked names, local records, special names, refusals. */
#pragma once

#include "dnsd/packet.h"
#include "sluice/plan.h"

#define LOCAL_TTL_S 300u /* local records: they change with the policy, five minutes is what a client may lag */
#define BLOCK_TTL_S 10u	 /* long enough for a burst of retries, short enough to unblock by hand */

/* Names with a fixed answer unless a split claims them (RFC 6761, 6762, 7686, 8375, 9462; private reverse zones of RFC
 * 6303 and 7793). */
enum special { SPECIAL_NONE = 0, SPECIAL_NXDOMAIN, SPECIAL_LOCALHOST };

enum special special_name(const struct dname *name);

/* All write at most @limit bytes and return the length. @text may be NULL. */
int local_error(const struct question *q, uint32_t rcode, int ede, const char *text, uint8_t *buf, size_t limit);
/* Empty answer with an SOA: NXDOMAIN or NODATA (@rcode NOERROR). */
int local_negative(const struct question *q, uint32_t rcode, int ede, const char *text, uint8_t *buf, size_t limit);
int local_blocked(const struct question *q, enum block_mode mode, const char *text, uint8_t *buf, size_t limit);
int local_localhost(const struct question *q, uint8_t *buf, size_t limit);
/* Records of the asked family among @n; NODATA when there are none. At most @max of them. */
int local_records(const struct question *q, const struct plan_record *records, uint32_t n, uint32_t max, uint8_t *buf,
		  size_t limit);
/* Nothing but TC: ask again by TCP. */
int local_truncated(const struct question *q, uint8_t *buf, size_t limit);
/* RFC 8482: ANY is answered by one HINFO. */
int local_any(const struct question *q, uint8_t *buf, size_t limit);
