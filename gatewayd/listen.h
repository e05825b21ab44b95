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

/* UDP and TCP on each address, one of each a worker. The addresses need not exist yet. @ret: emptied by
 * listeners_close(), also after an error. */
int listeners_open(const struct ip_addr *addrs, uint32_t n_addrs, uint16_t port, uint32_t workers,
		   struct listeners *ret, struct err *e);
void listeners_close(struct listeners *l);
