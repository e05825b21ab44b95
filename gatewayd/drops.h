/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last refused packets that the kernel told of, with the names of what they were about by the plan that was in
 * force then. In memory only. Pure: no socket, no clock, not logging.
 *
 * What comes in has been through unprivileged hands, and a plan may have changed since the kernel spoke: only what the
 * plan allows to be told now is kept. */
#pragma once

#include "base/err.h"
#include "sluice/drop.h"
#include "sluice/msg.h"
#include "sluice/plan.h"

#define DROPS_KEPT_MAX 1024u /* 20 s at the kernel's limit; about 300 KB */
/* What the kernel's limits let through in a second at the very most, bursts with it: more is not from the kernel. */
#define DROPS_PER_S_MAX (DROP_DEVICES_PER_S + DROP_DEVICES_BURST + DROP_STRANGERS_PER_S + DROP_STRANGERS_BURST)

#define DROP_TEXT_MAX 64u

struct drop {
	uint64_t number; /* grows by one with each; also over restarts of gatewayd, as long as the machine runs */
	uint64_t at_us;	 /* CLOCK_REALTIME */
	enum drop_reason reason;
	struct ip_addr src, dst; /* .dst of family IP_NONE: the device's level does not keep it, nor what follows */
	uint8_t proto;
	bool has_ports;
	uint16_t src_port, dst_port;
	uint32_t ifindex;
	char device[DROP_TEXT_MAX]; /* "": none is registered with that address */
	char rule[DROP_TEXT_MAX];   /* policy position of a deny; "": none */
	uint32_t line, col;	    /* of .rule */
};

struct drops_stats {
	uint64_t told;	  /* kept, whether they are still there or not */
	uint64_t lost;	  /* the recorder said so */
	uint64_t ignored; /* over DROPS_PER_S_MAX, or nothing to be told by the plan */
};

struct drops;

/* @first: number of the first one. NULL when out of memory. */
struct drops *drops_new(uint64_t first);
struct drops *drops_free(struct drops *d);
/* -EBADMSG: no kernel said that. 0: kept, or not to be kept. @p may be NULL. */
int drops_note(struct drops *d, const struct plan *p, const struct msg_drop *m, uint64_t now_us);
/* The next one behind @after that is still there, borrowed until the next drops_note(); NULL: there is none. */
const struct drop *drops_next(const struct drops *d, uint64_t after);
uint64_t drops_last(const struct drops *d); /* number of the newest; first - 1 when there was none */
const struct drops_stats *drops_stats(const struct drops *d);
