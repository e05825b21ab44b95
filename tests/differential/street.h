/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A gateway between two cables, in network namespaces of the test's own process: `wg0` to the devices, `wan0` to the
 * world. The other ends are in a second namespace without addresses, where packets are put in and taken out raw. What
 * has the packet's mark 1 goes nowhere. */
#pragma once

#include "base/err.h"

enum street_side { STREET_TUNNEL = 0, STREET_WORLD, STREET_SIDES };

struct street {
	int fds[STREET_SIDES]; /* AF_PACKET, non-blocking */
	int helper;	       /* process that keeps the second namespace */
};

#define STREET_TUNNEL_NAME "wg0"

extern const uint8_t street_gateway_mac[6];

/* The calling process is in the gateway's namespace afterwards. 0 or negative; it ends with the process. */
int street_open(struct street *ret, struct err *e);
void street_close(struct street *s);
/* The next frame that came out at that end, 0 = none is waiting. */
size_t street_receive(const struct street *s, enum street_side side, uint8_t *buf, size_t room);
/* One of the devices sends. */
int street_send(const struct street *s, const uint8_t *frame, size_t len);
/* Conntrack forgets every flow of the gateway's namespace. */
int street_forget(void);
