/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one worker counts: outcomes of questions, and how long they took. Plain members, written by the worker's own
 * thread only; whoever wants to know asks it by mail for a copy (command.h), so that counting costs an increment. */
#pragma once

#include "sluice/dns_stats.h"

/* Log-linear buckets, as HdrHistogram has them: exact below 64 us, then 32 to each doubling, so that no value is told
 * more than 1/32 too high. Up to 134 s; what is longer counts as that. */
#define HISTOGRAM_SUB_BITS 5u
#define HISTOGRAM_BITS	   27u
#define HISTOGRAM_BUCKETS  (((HISTOGRAM_BITS - HISTOGRAM_SUB_BITS) + 1u) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t max_us;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* @times: that many values of @us. */
void histogram_add(struct histogram *h, uint64_t us, uint64_t times);
/* Adds @from to @h. */
void histogram_merge(struct histogram *h, const struct histogram *from);
/* The least value that @permille of all values do not exceed, as the upper end of its bucket, at most the greatest
 * value that was added. 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *h, uint32_t permille);
uint64_t histogram_count(const struct histogram *h);
void histogram_latency(const struct histogram *h, struct dns_latency *ret);

struct stats {
	struct dns_counts counts;
	struct histogram stages[DNS_STAGE_MAX];
};

void stats_merge(struct stats *s, const struct stats *from);
enum dns_qtype stats_qtype(uint16_t type);
/* Lists have other numbers from now on: each keeps what was counted under its name. */
void stats_lists(struct stats *s, const char *const *before, uint32_t n_before, const char *const *now, uint32_t n_now);

static inline void stats_outcome(struct stats *s, enum dns_outcome outcome)
{
	s->counts.outcomes[outcome]++;
}

static inline void stats_event(struct stats *s, enum dns_event event)
{
	s->counts.events[event]++;
}

/* A message came, by that transport. */
static inline void stats_transport(struct stats *s, enum dns_transport transport)
{
	s->counts.transports[transport]++;
}

static inline void stats_stage(struct stats *s, enum dns_stage stage, uint64_t us)
{
	histogram_add(&s->stages[stage], us, 1);
}

/* An answer leaves: @flags is the second 16-bit word of its header. */
void stats_answer(struct stats *s, uint16_t type, uint16_t flags);
