/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/slice.h"

#include "base/base.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000u

/* struct sched_attr, first version: linux/sched/types.h cannot be included beside sched.h (both have sched_param). */
struct slice_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void slice_short(void)
{
	const struct slice_attr a = { .size = sizeof(a),
				      .policy = SCHED_OTHER,
				      .nice = getpriority(PRIO_PROCESS, (id_t)gettid()),
				      .runtime = SLICE_NS };

	(void)syscall(SYS_sched_setattr, 0, &a, 0);
}
