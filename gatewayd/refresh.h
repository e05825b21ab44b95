/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Databases and lists that change on disk come into force by themselves: they are looked at now and then (stat(2)), and
 * what they are is read when they have stopped changing. The policy itself is read when somebody says so. */
#pragma once

#include "base/err.h"

struct engine;
struct event;

struct refresh {
	struct event *timer;
	uint64_t seen, tried; /* what the files were at the last look, and when they were read for that */
};

/* Look every "refresh" seconds (gateway.hujson), 0 = never. 0, -ENOMEM. */
int refresh_open(struct engine *e, struct err *err);
void refresh_close(struct engine *e);
