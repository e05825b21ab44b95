/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses that a deny closes for everything: what answers to names must not hold either. */
#pragma once

#include "policy/select.h"

/* Of @doc, a deny, into @ret->closed; none where it is limited to some services: the address can be reached then, and
 * a name may lead there. Only addresses of the world: countries, networks, lists, ipsets, prefixes. What "*",
 * autogroup:internet or a device means is left to the kernel. All that is kept is in @mem. 0 or -ENOMEM. */
int closed_addrs_new(struct arena *mem, const struct doc_policy *p, const struct doc_rule *doc, struct plan_rule *ret);
