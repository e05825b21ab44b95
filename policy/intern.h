/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Things that are alike, kept once: finds the number of one by its hash and the caller's comparison. */
#pragma once

#include "base/base.h"

/* Zero-initialised, released with intern_done(). */
struct intern {
	struct intern_slot *slots;
	uint32_t n, cap;
};

/* Is item number @item what @key looks for? */
typedef bool (*intern_same_fn)(const void *key, uint32_t item);

void intern_done(struct intern *t);
/* @ret: the number of the item like @key; when there is none yet, @next, under which it is known from now on and which
 * the caller makes. 0 or -ENOMEM. */
int intern_get(struct intern *t, uint64_t hash, intern_same_fn same, const void *key, uint32_t next, uint32_t *ret);
/* FNV-1a, for hashes of the caller's; begins with INTERN_HASH. */
#define INTERN_HASH UINT64_C(14695981039346656037)
uint64_t intern_hash(uint64_t hash, const void *bytes, size_t len);
