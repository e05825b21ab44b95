/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a probe's way through the kernel means, and whose firewall it was: pure, no kernel. */
#pragma once

#include "cli/doctor_report.h"
#include "sluice/addr.h"

#define DOCTOR_TABLE "sluice_doctor" /* ours while probes are sent; doctor_trace.c */

/* Marks along the way, each a chain of DOCTOR_TABLE: the first and the last of its hook. */
enum stage {
	STAGE_ENTER = 0, /* prerouting, first */
	STAGE_ROUTING,	 /* prerouting, last */
	STAGE_FORWARD_IN,
	STAGE_FORWARD_OUT,
	STAGE_INPUT_IN,
	STAGE_INPUT_OUT, /* here ends a probe that is for this host */
	STAGE_POST_IN,
	STAGE_POST_OUT, /* and here one that would leave */
	STAGE_MAX
};

/* Name of the chain. */
const char *stage_name(enum stage s);
/* STAGE_MAX: no such chain. */
enum stage stage_by_name(const char *chain);

enum trace_type { TRACE_RULE = 0, TRACE_RETURN, TRACE_POLICY };

/* One message of the kernel about one packet. */
struct trace_event {
	enum trace_type type;
	uint32_t id; /* of the packet */
	uint8_t family;
	const char *table, *chain;
	uint64_t handle;
	bool drop, accept; /* what the rule or the policy said; neither: the packet goes on */
	bool queue;	   /* handed to a program */
};

/* What is known of a probe's way. Zero: nothing yet. */
struct trace {
	uint32_t id; /* given by the first mark */
	bool begun;
	uint32_t stages; /* bit n: enum stage n */
	bool dropped, queued;
	struct place at;       /* .dropped, .queued: where */
	bool masqueraded;      /* by our own rule */
	struct place nat_else; /* the last rule of others in postrouting that ended a chain there, family 0: none */
};

void trace_add(struct trace *t, const struct trace_event *ev);
bool trace_passed(const struct trace *t, enum stage s);
/* It came to where it would have left, or been delivered; or it is dropped: nothing more will come. */
bool trace_arrived(const struct trace *t);
bool trace_complete(const struct trace *t);
/* For what was neither dropped by a rule nor arrived: between which marks, as a sentence. */
const char *trace_lost_print(const struct trace *t);
/* Among such losses: it is a hook of the firewall, where iptables-legacy may be; else routing. */
bool trace_lost_in_hook(const struct trace *t);

/* Whose a table or chain is. */
enum neighbour {
	NEIGHBOUR_NONE = 0,
	NEIGHBOUR_SLUICE,
	NEIGHBOUR_TAILSCALE,
	NEIGHBOUR_DOCKER,
	NEIGHBOUR_UFW,
	NEIGHBOUR_FIREWALLD,
	NEIGHBOUR_KUBE,
	NEIGHBOUR_LIBVIRT,
	NEIGHBOUR_MAX
};

struct chain_name {
	uint8_t family;
	bool legacy;
	char table[PLACE_NAME_MAX], chain[PLACE_NAME_MAX];
};

/* By the names that each program gives. @chains: all that there are; a built-in chain is whose other chains stand in
 * the same table, as they set its policy. */
enum neighbour neighbour_of(const struct place *p, const struct chain_name *chains, uint32_t n);
const char *neighbour_name(enum neighbour nb);
/* Bit n: enum neighbour n has a chain there. */
uint32_t neighbours_found(const struct chain_name *chains, uint32_t n);

enum probe_way {
	WAY_OUT = 0, /* from a device through the gateway */
	WAY_BACK,    /* the answer to it */
	WAY_DNS,     /* from a device to dnsd */
	WAY_TUNNEL,  /* the tunnel's own packets, from outside */
};

struct fix_context {
	enum neighbour neighbour;
	enum probe_way way;
	const char *tunnel;
	uint8_t ip_family; /* of the probe: IP_V4 or IP_V6 */
	uint16_t port;	   /* WAY_DNS, WAY_TUNNEL: the host's port */
};

/* The commands that let the probe through where it ended, as lines of @c's fix. */
void fix_for(struct check *c, const struct place *p, const struct fix_context *ctx);

/* From two prints of iptables-legacy-save -c, before and after @n_sent packets were sent: the rule or policy that
 * dropped them. @ret keeps its family. False: none can be named. */
bool legacy_find(const char *before, const char *after, uint32_t n_sent, struct place *ret);
/* The chains that such a print names, at most @max; the count. */
uint32_t legacy_chains(const char *save, uint8_t family, struct chain_name *ret, uint32_t max);
/* The text of a rule in what `nft -a list chain` prints, into @p->rule; unchanged where it is not there. */
void rule_text_find(const char *listing, struct place *p);

/* Of conntrack's table, and of the clock (Unix time; @kept: something keeps it right). */
enum check_level conntrack_level(unsigned long count, unsigned long max);
enum check_level clock_level(int64_t now_s, bool kept);
/* Of a certificate that is served until @expires_s (Unix time), or (@in_force false) of one that could not be read. */
enum check_level certificate_level(bool in_force, int64_t expires_s, int64_t now_s);
