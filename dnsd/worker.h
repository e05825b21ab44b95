/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One thread that answers queries on its own sockets. */
#pragma once

#include <pthread.h>

#include "dnsd/mailbox.h"
#include "dnsd/ratelimit.h"

struct worker;

/* Start thread number @index. @cache_bytes: of its answer cache. @limits: copied. @to_main and @config_lock: kept.
 * Lives until the process ends. */
int worker_start(uint32_t index, size_t cache_bytes, const struct ratelimit_config *limits, struct mailbox *to_main,
		 pthread_mutex_t *config_lock, struct worker **ret, struct err *e);
/* Its mailbox: LISTEN, CHANNEL, VIEWS. Borrowed. */
struct mailbox *worker_mailbox(struct worker *w);
