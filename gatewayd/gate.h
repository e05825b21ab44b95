/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gate: nothing passes between the tunnel and the world without our table. Others may take that away where the
 * kernel knows no owners (before 6.9; "owner": false), and everywhere while gatewayd is dead. Programs of a few
 * instructions at the interfaces mark what comes in by the tunnel, and stop what goes out unless the table has marked
 * it in the chain that accepts it (policy/lower_chains.c). Non-logging. */
#pragma once

#include "base/err.h"

/* skb->priority of what the table has let through to the tunnel. Any number that no traffic class has: what programs
 * set by SO_PRIORITY without privileges is 0 to 6, and classes of qdiscs have handles that administrators number from
 * small ones. */
#define GATE_PASS_PRIORITY 0x51ce9a7eu

struct gate;

/* Load the programs. Needs CAP_BPF or CAP_SYS_ADMIN, thus before the daemon drops what it does not need.
 * @ret: returned, free with gate_free(). 0; -EPERM, -ENOSYS: this kernel has or allows no BPF. */
int gate_open(struct gate **ret, struct err *e);
struct gate *gate_free(struct gate *g); /* NULL is fine; what is attached stays so; returns NULL */
/* Close the tunnel's interface, or another one (not the loopback's), to what no table has judged. May be done again at
 * any time. Needs CAP_NET_ADMIN. Outlives the process. 0; -EOPNOTSUPP and others: this kernel has no clsact, or no
 * classifier by BPF; -ENODEV: the interface has gone. */
int gate_attach_tunnel(const struct gate *g, uint32_t ifindex, struct err *e);
int gate_attach_other(const struct gate *g, uint32_t ifindex, struct err *e);
/* Open it again; 0 also where it was not closed. */
int gate_detach(uint32_t ifindex, struct err *e);
/* Is the tunnel's interface closed? By whomever. */
bool gate_is_closed(uint32_t ifindex);
