/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sends one probe, follows it, and says what became of it and why. */
#pragma once

#include "cli/doctor.h"
#include "cli/doctor_inject.h"
#include "cli/doctor_trace.h"

struct prober {
	struct doctor *d;
	struct tracer *tracer;
	struct injector *in; /* at .in_name */
	const char *in_name; /* interface that probes come in by */
	struct chain_name *chains;
	uint32_t n_chains;
	bool table_gone; /* ours */
	bool gated;	 /* nothing leaves then, though netfilter lets it through (gatewayd/gate.h) */
};

struct probe {
	const char *id; /* of the check; static */
	enum probe_way way;
	struct probe_packet packet;
	char what[256];	   /* "laptop (100.64.0.10) to 203.0.113.9, tcp port 443" */
	char expects[256]; /* why it should pass, or not */
	bool passes;	   /* what is expected */
};

/* prober_done() in every case. */
int prober_init(struct prober *pr, struct doctor *d, struct err *e);
void prober_done(struct prober *pr);
/* Where the next probes come in. */
int prober_at(struct prober *pr, const char *ifname, struct err *e);
/* A port that no connection of this host has. */
uint16_t prober_port(void);
/* One check is added. @ret: its trace. */
void probe_run(struct prober *pr, struct probe *p, struct trace *ret);
