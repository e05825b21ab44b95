/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What to probe: a device, a place that it may reach, one that it may not. Judged by the reference evaluator, which
 * shares nothing with the kernel's table. */
#pragma once

#include "cli/doctor.h"
#include "cli/doctor_packet.h"
#include "policy/evaluate.h"

struct subject {
	const char *device; /* name; NULL: nobody's address */
	struct ip_addr src, dst;
	uint8_t proto;
	uint16_t port;
	struct verdict verdict;
};

/* A device and a destination of this family that the policy lets it reach (@accept), or refuses. False: it has none. */
bool subject_choose(const struct doctor *d, uint8_t family, bool accept, struct subject *ret);
/* What --probe asks for. False: there is no such device, or it has no address of that family. */
bool subject_wished(const struct doctor *d, struct subject *ret);
/* An address of the tunnel's networks that is no device's. */
bool subject_nobody(const struct doctor *d, uint8_t family, struct ip_addr *ret);
