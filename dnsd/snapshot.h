/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One generation of views with the map of its lists, shared by all threads. */
#pragma once

#include "filter/view.h"

struct snapshot;

/* Build from the three descriptors of VIEWS, and from where resolving begins (all borrowed; of @roots the texts are
 * copied, what .hints and .insecure point to must stay). One reference, the caller's. */
int snapshot_new(int views_fd, int lists_fd, int prefixes_fd, const struct dns_roots *roots, struct snapshot **ret,
		 struct err *e);
struct snapshot *snapshot_ref(struct snapshot *s);
struct snapshot *snapshot_unref(struct snapshot *s); /* NULL is fine; returns NULL; any thread */

const struct views *snapshot_views(const struct snapshot *s); /* borrowed */
/* Borrowed: see resolver_config(). @route below views.n_routes. */
const char *snapshot_resolver_config(const struct snapshot *s, uint32_t route);
