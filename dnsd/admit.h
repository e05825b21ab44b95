/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is decided about a message before anything is done for it: is it a question, whose is it, are there too many. */
#pragma once

#include "dnsd/query.h"

/* Read a message from @addr into @q, with the cookie that its answer carries. *@ret_client: of ADMIT_NAME,
 * the registered one that asks; borrowed from env->views. */
enum admit admit(struct query_env *env, struct question *q, const struct query_from *from, const struct ip_addr *addr,
		 const uint8_t *msg, size_t len, const struct view_client **ret_client);
