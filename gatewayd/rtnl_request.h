/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request of rtnetlink and its answers, over a socket of its own: they are rare. Non-logging. */
#pragma once

#include "base/err.h"

#include <libmnl/libmnl.h>

/* The longest request here has 200. */
#define RTNL_REQUEST_BYTES 1024

struct rtnl_request {
	_Alignas(8) char buf[RTNL_REQUEST_BYTES];
	struct nlmsghdr *nlh; /* in .buf: to be filled after rtnl_request_init() */
};

void rtnl_request_init(struct rtnl_request *q, uint16_t type, uint16_t flags);
/* Send, hand each answer to @fn (NULL: only the acknowledgement is expected). 0 or a negative errno. */
int rtnl_request_run(struct rtnl_request *q, mnl_cb_t fn, void *arg);
