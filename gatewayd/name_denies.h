/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Denies on names that are new with a plan, and what they take back. Pure.
 *
 * A lease says which rule has opened an address, not under which name: an address has many names, and the kernel is
 * asked for addresses. So a new deny takes back all that a rule has opened whose names it meets, the denied name's
 * addresses among them; what the rule still allows is opened again by the next question. */
#pragma once

#include "sluice/plan.h"

/* A deny of @p for the device with @client's address that the device did not have in @old, and that meets names of
 * @grant. Borrowed from @p; NULL when there is none, when @old is NULL, or when nobody has that address. */
const struct plan_rule *name_denied_since(const struct plan *p, const struct plan *old, const struct ip_addr *client,
					  const struct plan_rule *grant);
