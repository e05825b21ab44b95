/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the lists have to do with an answer in the cache: found once, and then known for all views, whatever lists each
 * of them has. So a thousand devices with a thousand choices of lists cost no more than one. */
#pragma once

#include "dnsd/query.h"

/* env->reply is @e's, with its addresses; @q asks for it. */
void memo_make(struct query_env *env, struct cache_entry *e, const struct question *q);
/* The view's lists say nothing of the name that was asked. False also where that is not known. */
static inline bool memo_name_free(const struct cache_entry *e, const struct views *v, const struct view *view)
{
	return cache_entry_has_memo(e, v->generation) && (e->name_lists & (view->lists | view->safe_lists)) == 0;
}
/* Nor of anything that the answer leads to. */
static inline bool memo_answer_free(const struct cache_entry *e, const struct views *v, const struct view *view)
{
	return cache_entry_has_memo(e, v->generation) && (e->answer_lists & view->lists) == 0;
}
