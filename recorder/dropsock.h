/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nflog socket: what the kernel tells of refused packets, read here and handed to gatewayd as DROP messages, which
 * keeps and shows them. Nothing of it is written to the journal. */
#pragma once

#include "base/err.h"

struct event_base;
struct dropsock;

/* Datagrams taken in one wake: names, plans and flows must not wait. The kernel's limits (sluice/drop.h) let less than
 * that through in a second. */
#define DROPS_PER_WAKE 64u

/* @fd: taken, also on failure. @channel_fd: borrowed. 0 or -ENOMEM. @ret: returned, dropsock_free(). */
int dropsock_new(struct event_base *base, int fd, int channel_fd, struct dropsock **ret, struct err *e);
struct dropsock *dropsock_free(struct dropsock *s);
