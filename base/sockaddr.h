/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An address and a port as socket calls take them. */
#pragma once

#include "sluice/addr.h"

#include <netinet/in.h>
#include <sys/socket.h>

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* @port: host order. Returns the length in use. */
socklen_t socket_address_of(const struct ip_addr *a, uint16_t port, union socket_address *ret);
