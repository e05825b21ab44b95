/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lets packets come in by an interface, as if they had come from its other end. Needs root. */
#pragma once

#include "base/err.h"

struct injector;

/* @ifname: where they come in. @ret: returned, injector_free(). -EPERM; -ENOENT, -EOPNOTSUPP: the kernel lacks
 * something for it; -EEXIST: another one is at work. */
int injector_new(const char *ifname, struct injector **ret, struct err *e);
struct injector *injector_free(struct injector *i);
void injector_freep(struct injector **i);
/* An IP packet. */
int injector_send(const struct injector *i, const void *packet, size_t len, struct err *e);
