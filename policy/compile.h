/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents to plan. Pure: no file, no clock, no environment. */
#pragma once

#include "policy/document.h"

/* What a compilation must know of the world. */
struct compile_env {
	int64_t now_s; /* Unix time, for device expiry; 0 = nothing expires */
	/* Networks directly attached to this host, tunnel excluded: closed to wide destinations (`*`,
	 * autogroup:internet), as are private, link-local, CGNAT and multicast ranges: the LAN guard. */
	const struct ip_prefix *attached;
	uint32_t n_attached;
};

/* @ret: returned, free with plan_free(). Names that do not resolve are in @diags. 0, -EINVAL (see @diags), -ENOMEM,
 * -E2BIG (a limit, named in @diags). */
int plan_compile(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env,
		 struct diag_list *diags, struct plan **ret);
/* Text of the plan: stable, for people and goldens (`sluice compile --format plan`). */
void plan_print(const struct plan *p, FILE *out);

/* Is @dst a destination that only a rule which names it may open (LAN guard)? */
bool compile_guarded(const struct compile_env *env, const struct ip_addr *dst);
