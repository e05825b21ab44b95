/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whom to record, and what a rule's mark means: the JSON of policy/lower_log.h as two sorted tables. Immutable. */
#pragma once

#include "base/err.h"
#include "sluice/addr.h"
#include "sluice/plan.h"

/* Beyond ten times the largest fleet that the budgets name: 10,000 devices with two addresses each. */
#define LOGPLAN_DEVICES_MAX    100000u
#define LOGPLAN_ADDRS_MAX      200000u
#define LOGPLAN_RULES_MAX      100000u
#define LOGPLAN_TEXT_MAX_BYTES (64u << 20)

struct logplan_device {
	char *name;
	struct ip_addr first;	       /* its first address: stands for the device where one key is needed */
	enum log_level flows, queries; /* not both LOG_LEVEL_OFF */
};

struct logplan;

/* @text need not be terminated. -EBADMSG when it is not a log plan, -E2BIG over a limit. @ret: returned,
 * logplan_free(). */
int logplan_parse(const char *text, size_t len, struct logplan **ret, struct err *e);
struct logplan *logplan_free(struct logplan *p);
void logplan_freep(struct logplan **p);

/* Borrowed, or NULL: an address whose flows are not recorded. @p may be NULL: nobody's are. */
const struct logplan_device *logplan_device_find(const struct logplan *p, const struct ip_addr *addr);
/* The same of its queries. */
const struct logplan_device *logplan_device_queries(const struct logplan *p, const struct ip_addr *addr);
/* Policy position, borrowed, or NULL. @mark: all bits of the conntrack mark, the foreign ones are masked out. */
const char *logplan_rule_find(const struct logplan *p, uint32_t mark);
uint64_t logplan_generation(const struct logplan *p);
