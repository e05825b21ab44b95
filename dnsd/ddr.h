/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Discovery of designated resolvers (RFC 9462): who asks us without TLS is told where we have it. */
#pragma once

#include "dnsd/packet.h"
#include "sluice/addr.h"
#include "sluice/msg.h"

#define DDR_CERTS_MAX 8u  /* numbers of certificates (MSG_TLS), as tcp.h has them */
#define DDR_PORTS_MAX 16u /* services: a certificate and a port */
#define DDR_HINTS_MAX 16u /* addresses of one, both families together */

struct ddr_service {
	uint16_t port;
	uint8_t tls; /* number of its certificate */
	bool every;  /* it has all addresses: no hint says which */
	uint32_t n_hints;
	struct ip_addr hints[DDR_HINTS_MAX];
};

struct ddr {
	struct dname names[DDR_CERTS_MAX]; /* of certificates, by their number; of length 0: none is to be told */
	struct ddr_service services[DDR_PORTS_MAX];
	uint32_t n_services;
};

/* The certificate of that number is for @name (text; empty or none: it is not told of). */
void ddr_name(struct ddr *d, uint32_t number, const char *name);
/* A socket of ours; those without TLS are passed over. */
void ddr_listen(struct ddr *d, const struct msg_listen *l);

/* resolver.arpa and everything below it is never asked of anybody (RFC 9462 6.3, 8.1). */
bool ddr_is_name(const struct dname *name);
/* For such a name. Length, or -E2BIG as answer_end(). */
int ddr_answer(const struct question *q, const struct ddr *d, uint8_t *buf, size_t limit);
