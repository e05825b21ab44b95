/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a thread stands to the others of its core. */
#pragma once

/* The calling thread, for good: it gets the core in pieces of 0.1 ms, the least that Linux gives, under the priority
 * that it has. Since Linux 6.12 a thread that wakes goes before one that has longer pieces, even in the middle of one;
 * and one that gives up the core (sched_yield(2)) gives up the rest of a piece, and so no more than that. Older
 * kernels, and whoever forbids it, leave things as they are. Source: sched_setattr(2); Linux kernel/sched/fair.c
 * (PREEMPT_SHORT, yield_task_fair), syscalls.c (__setparam_fair). */
void slice_short(void);
