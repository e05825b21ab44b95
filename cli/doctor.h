/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the checks of `sluice doctor` share. Each check_*() adds what it finds to the report, and changes nothing on the
 * host. */
#pragma once

#include "cli/control.h"
#include "cli/doctor_report.h"
#include "cli/load.h"
#include "cli/world.h"
#include "gatewayd/attached.h"

/* "--probe": from one device to one place; else the doctor chooses. */
struct probe_wish {
	const char *device; /* name or address; NULL: not asked for */
	struct ip_addr dst;
	uint16_t port;
	uint8_t proto;
};

struct doctor {
	struct report report;
	struct cli_gateway gateway;
	const char *tunnel;    /* interface */
	uint32_t tunnel_index; /* 0: not there */
	bool root;
	bool enforced; /* netfilter mode `on`: the policy decides about packets */
	cJSON *status; /* what the running gateway says; NULL: it does not run */
	/* The policy in force: files, and the world they are judged in. */
	bool has_policy;
	struct cli_policy docs;
	struct world world;
	struct attached attached;
	struct probe_wish wish;
};

void check_gateway(struct doctor *d); /* doctor.c */
void check_tun(struct doctor *d);     /* doctor_host.c */
void check_forwarding(struct doctor *d);
void check_rp_filter(struct doctor *d);
void check_conntrack(struct doctor *d);
void check_clock(struct doctor *d);
void check_mtu(struct doctor *d); /* doctor_ways.c */
void check_exit(struct doctor *d);
void check_returns(struct doctor *d);
void check_port(struct doctor *d);	/* doctor_port.c */
void check_upstreams(struct doctor *d); /* doctor_dns.c */
void check_dns(struct doctor *d);
void check_anchor(struct doctor *d);
void check_certificates(struct doctor *d);
void check_probes(struct doctor *d); /* doctor_probe.c */

/* The host's own address on the tunnel in that family, or NULL. */
const struct ip_addr *doctor_own_addr(const struct doctor *d, uint8_t family);
/* Any address of the internet: what the way out is asked for. No packet is sent there. */
struct ip_addr doctor_internet(uint8_t family);
