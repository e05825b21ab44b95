/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "geo/views_at.h"

#include "geo/view_prefixes.h"
#include "policy/lower_dns.h"

int views_at(const struct doc_policy *p, const struct doc_devices *d, const struct compile_env *env, int64_t at_s,
	     const void *lists, size_t lists_len, struct views **ret, struct err *e)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	CLEANUP(freep) struct view_prefixes *prefixes = NULL;
	CLEANUP(freep) char *json = NULL;
	struct compile_env then = *env;
	struct diag_list diags;
	int r;

	if (mem == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	then.at_s = at_s;
	/* Said already, when the policy was compiled for now. */
	diag_init(&diags, mem);
	r = plan_compile(p, d, &then, &diags, &plan);
	if (r < 0)
		return err_set(e, r, "the policy does not compile for another time");
	r = lower_dns(plan, NULL, 0, 1, &json, e);
	if (r == 0 && view_prefixes_of(env->prefixes, env->n_prefixes, &prefixes) < 0)
		r = err_set(e, -ENOMEM, "out of memory");
	return r < 0 ? r : views_new_closed(json, strlen(json), lists, lists_len, prefixes, env->n_prefixes, ret, e);
}
