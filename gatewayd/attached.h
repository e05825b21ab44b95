/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The networks that this host is attached to, and its own addresses: what wide destinations do not cover. */
#pragma once

#include "base/err.h"
#include "sluice/addr.h"

/* A router of a site has tens; beyond this is refused rather than left open. */
#define ATTACHED_MAX 512u

struct attached {
	struct ip_prefix nets[ATTACHED_MAX]; /* sorted, each once; the tunnel's and the loopback's left out */
	uint32_t n_nets;
	struct ip_addr local[ATTACHED_MAX]; /* every address of this host, the tunnel's too; sorted, each once */
	uint32_t n_local;
};

/* @tunnel: interface name. 0, -E2BIG, negative errno. */
int attached_read(const char *tunnel, struct attached *ret, struct err *e);
bool attached_equal(const struct attached *a, const struct attached *b);

/* A socket that is readable when addresses or interfaces change: non-blocking, close-on-exec, the caller's. */
int attached_watch(int *ret_fd, struct err *e);
/* Read away what is there: the state is read anew, not followed. */
void attached_drain(int fd);
