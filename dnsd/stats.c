/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counters and histograms of fixed size: adding is an increment, no value allocates. */
#include "dnsd/stats.h"

#include "dnsd/packet.h"

#define SUB (1u << HISTOGRAM_SUB_BITS)

static_assert(HISTOGRAM_BITS < 64 && HISTOGRAM_BITS > HISTOGRAM_SUB_BITS, "buckets");

/* A value of k + 1 bits keeps its upper SUB_BITS + 1 of them: bucket = shift * SUB + (value >> shift). */
static uint32_t bucket_of(uint64_t us)
{
	uint32_t shift;

	if (us < 2 * SUB)
		return (uint32_t)us;
	if (us >> HISTOGRAM_BITS != 0)
		return HISTOGRAM_BUCKETS - 1;
	shift = 63u - (uint32_t)__builtin_clzll(us) - HISTOGRAM_SUB_BITS;
	return shift * SUB + (uint32_t)(us >> shift);
}

/* The greatest value that falls into it. */
static uint64_t bucket_end(uint32_t bucket)
{
	uint32_t shift = bucket < 2 * SUB ? 0 : bucket / SUB - 1;

	return ((uint64_t)(bucket - shift * SUB + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t us, uint64_t times)
{
	h->buckets[bucket_of(us)] += times;
	if (us > h->max_us && times != 0)
		h->max_us = us;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->buckets[i] += from->buckets[i];
	if (from->max_us > h->max_us)
		h->max_us = from->max_us;
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		n += h->buckets[i];
	return n;
}

uint64_t histogram_quantile(const struct histogram *h, uint32_t permille)
{
	uint64_t n = histogram_count(h), rank, seen = 0;

	/* Rounded up without overflow: the rank of the value, from 1. */
	rank = n / 1000 * permille + (n % 1000 * permille + 999) / 1000;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && n != 0; i++) {
		seen += h->buckets[i];
		if (seen != 0 && seen >= rank)
			return bucket_end(i) < h->max_us && i != HISTOGRAM_BUCKETS - 1 ? bucket_end(i) : h->max_us;
	}
	return 0;
}

void histogram_latency(const struct histogram *h, struct dns_latency *ret)
{
	*ret = (struct dns_latency){
		.count = histogram_count(h),
		.p50_us = histogram_quantile(h, 500),
		.p90_us = histogram_quantile(h, 900),
		.p99_us = histogram_quantile(h, 990),
		.p999_us = histogram_quantile(h, 999),
		.max_us = h->max_us,
	};
}

static void counts_merge(uint64_t *to, const uint64_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += from[i];
}

void stats_merge(struct stats *s, const struct stats *from)
{
	struct dns_counts *to = &s->counts;
	const struct dns_counts *c = &from->counts;

	counts_merge(to->outcomes, c->outcomes, DNS_OUTCOME_MAX);
	counts_merge(to->events, c->events, DNS_EVENT_MAX);
	counts_merge(to->transports, c->transports, DNS_TRANSPORT_MAX);
	counts_merge(to->rcodes, c->rcodes, DNS_RCODES);
	counts_merge(to->qtypes, c->qtypes, DNS_QTYPE_MAX);
	counts_merge(to->lists, c->lists, DNS_LISTS_MAX);
	for (uint32_t i = 0; i < DNS_STAGE_MAX; i++)
		histogram_merge(&s->stages[i], &from->stages[i]);
}

void stats_lists(struct stats *s, const char *const *before, uint32_t n_before, const char *const *now, uint32_t n_now)
{
	uint64_t counts[DNS_LISTS_MAX] = { 0 };

	for (uint32_t i = 0; i < n_now && i < DNS_LISTS_MAX; i++)
		for (uint32_t k = 0; k < n_before && k < DNS_LISTS_MAX; k++)
			if (strcmp(now[i], before[k]) == 0)
				counts[i] = s->counts.lists[k];
	memcpy(s->counts.lists, counts, sizeof(counts));
}

enum dns_qtype stats_qtype(uint16_t type)
{
	switch (type) {
#define QTYPE_CASE(name, number)                                                                                       \
	case number:                                                                                                   \
		return DNS_QTYPE_##name;
		DNS_QTYPE_LIST(QTYPE_CASE)
#undef QTYPE_CASE
	default:
		return DNS_QTYPE_OTHER;
	}
}

void stats_answer(struct stats *s, uint16_t type, uint16_t flags)
{
	uint16_t rcode = flags & DNS_RCODE;

	s->counts.rcodes[rcode < DNS_RCODE_OTHER ? rcode : DNS_RCODE_OTHER]++;
	s->counts.qtypes[stats_qtype(type)]++;
	if ((flags & DNS_TC) != 0)
		stats_event(s, DNS_EVENT_TRUNCATED);
}
