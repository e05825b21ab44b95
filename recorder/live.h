/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Flows that are alive: what their open record said, kept for the close record. Bounded; the oldest goes first. */
#pragma once

#include "recorder/flow.h"

/* Open connections of 1,000 busy devices; about 400 bytes each, 26 MB at most. A flow that had to go is recorded at its
 * end as one whose beginning was not seen. */
#define LIVE_FLOWS_MAX 65536u

struct live;

struct live *live_new(uint32_t max); /* NULL when out of memory */
struct live *live_free(struct live *l);
/* Copy the record, its texts too. Replaces one with the same id.
 * 0 or -ENOMEM. */
int live_add(struct live *l, const struct flow_record *f);
/* Take the flow with this id out. @ret: texts are borrowed until the next call on @l. False: not there. */
bool live_take(struct live *l, uint64_t id, struct flow_record *ret);
bool live_take_oldest(struct live *l, struct flow_record *ret);
uint32_t live_count(const struct live *l);
uint64_t live_evicted(const struct live *l);
