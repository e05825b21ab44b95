/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies of the policy and device files that were last put into force, with the addresses that were compiled for them,
 * beside the gateway's state: what a start works by when the files themselves are wrong. Without them a mistake in a
 * file would show itself at the next power cut, as a house without a network. */
#pragma once

#include "gatewayd/load.h"

/* Each file is replaced at once or not at all. */
int applied_save(const struct doc_gateway *g, const struct loaded *l, struct err *e);
/* The addresses of the copies. @ret: returned, prefixes_unref(); NULL when they need none. */
int applied_prefixes(const struct doc_gateway *g, struct prefixes **ret, struct err *e);
/* @g with the copies in place of the files. The paths are in @mem. -ENOMEM. */
int applied_gateway(const struct doc_gateway *g, struct arena *mem, struct doc_gateway *ret);
