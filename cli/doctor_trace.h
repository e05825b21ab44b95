/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's side of a probe: DOCTOR_TABLE, which marks one packet for tracing and stops it at the end of its way,
 * and the messages of its trace. The table goes with this process, however it ends (flag `owner`; where the kernel has
 * no such flag, with tracer_free(), and what a crash left there with the next tracer_new()). */
#pragma once

#include "base/err.h"
#include "cli/doctor_judge.h"
#include "cli/doctor_packet.h"

struct tracer;

/* @ret: returned, tracer_free(). -EPERM: no CAP_NET_ADMIN, or another doctor is at work. */
int tracer_new(struct tracer **ret, struct err *e);
struct tracer *tracer_free(struct tracer *t);
void tracer_freep(struct tracer **t);

/* From here on a packet like @p is traced, and stopped before it leaves; what this host would send its source because
 * of it (a reset, an ICMP error) is stopped, too. Takes the place of the one before. */
int tracer_arm(struct tracer *t, const struct probe_packet *p, struct err *e);
/* Takes the table away: nothing is stopped any more. */
void tracer_disarm(struct tracer *t);
/* Reads messages until the way is complete, or none has come for a while. */
int tracer_read(struct tracer *t, struct trace *ret, struct err *e);
struct nft_channel;
/* To read other tables by; borrowed. */
struct nft_channel *tracer_channel(struct tracer *t);
/* All chains of nf_tables. @ret: returned, free(). */
int tracer_chains(struct tracer *t, struct chain_name **ret, uint32_t *ret_n, struct err *e);
/* Of our own table's base chains those that are there and hooked, as bits in the order input, forward,
 * output, postrouting. */
int tracer_hooks(struct tracer *t, uint32_t *ret, struct err *e);
