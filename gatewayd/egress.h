/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routes and routing rules for the ways out of gateway.hujson. A packet that was marked for a way
 * (policy/lower_steer.c) is routed by its table, and by nothing else when that table has no route: it is unreachable.
 *
 * They outlive gatewayd, as the table does: what is marked for a way must not go by another while nobody is here. */
#pragma once

#include "base/err.h"
#include "policy/egress.h"

struct sysctls;

/* Before Tailscale's rules, which begin at 5210; two for each way, in each family. */
#define EGRESS_PREF_BASE  5100u
#define EGRESS_TABLE_BASE 5100u /* ours for a way that is an interface: plus its number */

/* What is missing is made, what is not wanted any more is taken away. Ways whose interface is not there or not up have
 * their rules and no route. Called at the start, on every reload, and when an interface changes.
 * @ret_down: a bit for each way that has no interface (to be told of). On error with @e the rest was done. */
int egress_sync(const struct egress_list *l, struct sysctls *sysctls, uint32_t *ret_down, struct err *e);
/* --teardown: all of it. */
int egress_remove(struct err *e);
