/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The channels by which dnsd's workers tell the recorder of questions: a pair for each worker, made once. gatewayd
 * reads none of it. */
#pragma once

#include "gatewayd/barrier.h"

struct query_channels {
	uint32_t n;
	int fds[BARRIER_WORKERS_MAX][2]; /* dnsd's end, the recorder's */
};

enum query_end { QUERY_END_DNSD = 0, QUERY_END_RECORDER };

/* 0 or negative; query_channels_close() in every case. */
int query_channels_open(struct query_channels *q, uint32_t workers, struct err *e);
void query_channels_close(struct query_channels *q);
/* That end of all of them to the child at @fd. */
int query_channels_send(const struct query_channels *q, enum query_end end, int fd, struct err *e);
