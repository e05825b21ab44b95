/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A question as it is recorded, and its form in the body of a journal record, which holds several. Plain data; texts
 * are borrowed slices. */
#pragma once

#include "recorder/flow.h"
#include "sluice/query_log.h"

/* Of the body's form; in its first byte. A reader passes over bodies of a later one, and says so. */
#define QUERY_FORM 1u
/* One encoded: name, rule, list, device and outcome (1,100, 255, 127, 255, 255 bytes), 10 addresses, numbers. */
#define QUERY_ENCODED_MAX 2300u

struct query_record {
	uint64_t at_us; /* CLOCK_REALTIME: it was read; of a count: the first of them */
	uint64_t count; /* 0: one question; else that many of a device within a minute (level counts) */
	uint8_t level;	/* enum log_level that it was recorded at */
	uint8_t reason; /* enum query_reason */
	uint8_t rcode;	/* or QUERY_RCODE_NONE */
	bool excepted;	/* it passed by an exception: that is what .reason, .list and .line say */
	uint16_t type;	/* 0 in a count */
	uint16_t upstream_port;
	uint32_t line;
	uint32_t latency_us;
	struct ip_addr client, upstream; /* IP_NONE: not recorded, not known */
	uint8_t n_addrs;
	struct ip_addr addrs[QUERY_ADDRS_MAX]; /* of the answer */
	struct flow_text outcome;	       /* as sluice/dns_stats.h names it */
	struct flow_text device, name, list, rule;
};

/* One question into a body. @time_us: of the journal record that will hold it, not before .at_us. Sticky error in @c.
 */
void query_encode(const struct query_record *q, uint64_t time_us, struct wcur *c);

/* The body's form. 0; -EBADMSG; -ENOTSUP: a later one. */
int query_body_begin(struct rcur *c);
/* The next question of a body. 1: @ret, its texts are borrowed; 0: there are no more; -EBADMSG. */
int query_decode(struct rcur *c, uint64_t time_us, struct query_record *ret);
