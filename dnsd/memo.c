/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dnsd/memo.h"

static uint64_t touch_name(const struct query_env *env, const struct dname *name)
{
	return listfile_touch(env->views->listfile, &(struct list_ask){ .name = name, .scratch = env->scratch });
}

static uint64_t touch_answer(const struct query_env *env, const struct question *q)
{
	const struct reply *r = &env->reply;
	uint64_t lists = 0;
	struct dname target;

	for (uint32_t i = 0; i < r->n_chain; i++)
		lists |= touch_name(env, &r->chain[i]);
	for (uint32_t i = 0; i < r->n_rrs; i++)
		if (r->rrs[i].rr.type == q->type && reply_target(r, &r->rrs[i], &target))
			lists |= touch_name(env, &target);
	for (uint32_t i = 0; i < r->n_addrs; i++)
		lists |= listfile_touch(env->views->listfile,
					&(struct list_ask){ .addr = &r->addrs[i], .scratch = env->scratch });
	return lists;
}

void memo_make(struct query_env *env, struct cache_entry *e, const struct question *q)
{
	if (cache_entry_has_memo(e, env->views->generation))
		return;
	if (env->views->listfile == NULL) {
		cache_entry_set_memo(e, env->views->generation, 0, 0);
		return;
	}
	cache_entry_set_memo(e, env->views->generation, touch_name(env, &q->name), touch_answer(env, q));
}
