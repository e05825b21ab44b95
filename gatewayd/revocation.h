/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a change of plan takes away, in the engine: leases first, then flows; what is said of it; and the second look.
 *
 * The second look is taken LOOK_AGAIN_S after each change. It cuts what the first could not see: the flow of a packet
 * that the old table had let through and that was on its way (or held in somebody's queue) when the table was replaced
 * has no entry until it leaves. It is repeated for as long as the kernel does not let us look, or dnsd is not ready. */
#pragma once

#include "gatewayd/revoke.h"

struct engine;
struct event;
struct loaded;

struct revocation_state {
	struct event *again;
	/* The plan before, until the second look was taken and dnsd answers by the new views: what those before have
	 * let through is held against what the new plan takes back. Of several within this time the oldest. */
	struct loaded *old;
	bool failed; /* the last look */
};

/* After the kernel's table was changed. */
struct cuts {
	struct revoke_result flows;
	uint32_t leases; /* that the plan does not back; they went first */
	uint64_t us;	 /* from the kernel's acknowledgement of the new table until nothing was left to cut */
	bool failed;	 /* something may be left; it is tried again */
};

/* False where no flow is judged otherwise than before: the table (@ops: messages that the change took), the plan and
 * the host's addresses are the same, as when block lists are renewed. A walk through the kernel's table of flows is 8
 * ms of a core that answers nobody meanwhile, even where the table is empty. @old: what was in force, or NULL. */
bool revocation_due(const struct engine *e, const struct loaded *old, uint32_t ops);
/* @old: the plan before, or NULL. @committed_us: boot_us() of the acknowledgement. Failures are logged, and tried again
 * by themselves. */
void revocation_run(struct engine *e, const struct plan *old, uint64_t committed_us, struct cuts *ret);
/* Before @old's owner frees it: taken, unless an older one is kept. */
void revocation_keep(struct engine *e, struct loaded **old);
void revocation_close(struct engine *e);

/* " unknown_device=1 not_active=2 ...": what @r has cut by reason, those that occur; "" when nothing. Returns @buf. */
#define CUT_REASONS_TEXT_MAX 200
const char *cut_reasons_print(const struct revoke_result *r, char buf[CUT_REASONS_TEXT_MAX]);
