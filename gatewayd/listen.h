/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sockets on which clients ask. Opened once, kept open for as long as gatewayd lives, handed to each new dnsd. */
#pragma once

#include "base/err.h"
#include "sluice/msg.h"

struct listener {
	int fd;
	struct msg_listen msg; /* as it goes with the descriptor */
};

struct listeners {
	struct listener *items;
	uint32_t n;
};

struct doc_gateway;

/* UDP and TCP on the tunnel's addresses and those of "listen" (DNS over TLS: TCP only), one of each a worker. The
 * addresses need not exist yet. @ret: emptied by listeners_close(), also after an error. */
int listeners_open(const struct doc_gateway *g, struct listeners *ret, struct err *e);
void listeners_close(struct listeners *l);
