/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines are events with fields: "plan.applied gen=41 ops=312". To standard error, with a syslog priority prefix
 * (<5>) when it is a journal's pipe (JOURNAL_STREAM set). Only role files log; libraries return struct err. */
#pragma once

#include "base/base.h"

#include <syslog.h>

/* @role: printed before each event. @max_level: LOG_ERR to LOG_DEBUG. Once at start. */
void log_init(const char *role, int max_level);
/* @event: stable name, listed in docs/log-events.md. @fmt: the fields, "key=%s". */
void log_event(int level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
