/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the kernel's table is held: netfilter mode, owner or monitor, and the gate that stands in for a table that others
 * have taken away. The engine's part of the kernel; what is in the table is the plan's matter. */
#pragma once

#include "gatewayd/nft_apply.h"
#include "policy/document.h"

struct engine;
struct event;

/* A repair that the kernel refuses (others go on changing their tables) is tried again after this long. */
#define REPAIR_RETRY_MS 100

/* A host with a thousand containers has two thousand. */
#define GATE_LINKS_MAX 4096

struct netfilter {
	enum netfilter_mode mode, wanted; /* in force; of the reload that is under way */
	struct gate *gate;		  /* NULL: there can be none here */
	bool opened;			  /* it was taken away everywhere, or was nowhere */
	uint32_t links[GATE_LINKS_MAX];	  /* interfaces that it is closed at */
	uint32_t n_links, tunnel;	  /* .tunnel: that one among them; 0: not */
	int monitor_fd;			  /* -1: the table is ours alone */
	struct event *monitored, *repair;
	char gate_error[128]; /* why there is no gate; empty: there is */
};

/* The channel to the kernel and what it can do; the gate's programs. Before privileges are dropped. */
int netfilter_open(struct engine *e, struct err *err);
/* Watch the table, where others can touch it. */
int netfilter_watch(struct engine *e, struct err *err);
void netfilter_close(struct engine *e);

/* Nothing of ours is in the kernel, so nothing may pass until the first plan is: a plan without devices. */
int netfilter_deny_all(struct engine *e, struct err *err);
/* @next: made for the wanted mode; in mode off it is not put into the kernel, and what is there is taken away. After 0
 * the wanted mode is in force. */
int netfilter_apply(struct engine *e, struct nft_prog *next, struct nft_apply_result *ret, struct err *err);
/* Whether our table is looked at by packets is a matter of the mode; what a program has to know of it. */
bool netfilter_hooks(const struct engine *e);
uint32_t netfilter_gate_pass(const struct engine *e);
/* The tunnel's interface has come: close the gate there, too. */
void netfilter_gate_sync(struct engine *e);
/* Take the gate away from all interfaces (--teardown). */
int netfilter_gate_remove(struct err *err);
/* For learned addresses: NULL while there is no table. */
struct nft_channel *netfilter_channel(const struct engine *e);
/* What `status` says of the gate: "closed", "waiting" (for the interface), "open" (by the mode), or why there is none.
 */
const char *netfilter_gate_state(const struct engine *e);
