/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packet of a probe: the first of a flow, or the answer to it. */
#pragma once

#include "sluice/addr.h"

struct probe_packet {
	struct ip_addr src, dst; /* of one family */
	uint8_t proto;		 /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t sport, dport;
	bool answer; /* of a flow that is open: in TCP an ACK; else the SYN that begins one */
};

#define PROBE_BYTES_MAX 80 /* IPv6 and TCP headers take 60 */

/* IP header and what is behind it, checksums filled in, to @buf. Returns the length. */
size_t probe_packet_build(const struct probe_packet *p, uint8_t buf[PROBE_BYTES_MAX]);
