/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All addresses of a country or of an autonomous system, out of a MaxMind database. Foreign bytes: only in processes
 * that may read them. */
#pragma once

#include "base/err.h"
#include "policy/compile.h"

/* One country or network, and what was found of it. */
struct mmdb_wanted {
	const char *key;	 /* "DE", "64496" */
	struct ip_range *ranges; /* sorted, disjoint; free() */
	uint32_t n, room;
};

/* @kind: PREFIX_GEO or PREFIX_ASN. -ENOENT: no such file; -EBADMSG: not such a database, or a damaged one; -E2BIG: more
 * ranges than a plan could use; -ENOMEM. Then nothing is to be used, and .ranges are to be freed all the same. */
int mmdb_ranges_read(const char *path, enum prefix_kind kind, struct mmdb_wanted *wanted, uint32_t n, struct err *e);
