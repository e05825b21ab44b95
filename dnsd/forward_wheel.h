/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Timers of many questions behind one of the event loop. Adding and removing take no search. */
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/base.h"

/* A timer fires up to one tick late; the wheel reaches 4.2 s, more than a question lives (forward.c). */
#define WHEEL_TICK_SHIFT 14u /* 16.4 ms */
#define WHEEL_SLOTS	 256u

struct wheel_node {
	struct wheel_node *prev, *next;
	uint16_t slot;
	bool on;
};

typedef void wheel_fn(struct wheel_node *n, uint64_t now_us);

struct wheel {
	struct event ev;
	wheel_fn *fn;
	uint64_t tick;	/* all before and this have fired */
	uint64_t armed; /* what .ev is set for; 0: it is not */
	uint32_t n;
	struct wheel_node *slots[WHEEL_SLOTS];
};

/* @w stays where it is. 0 or -ENOMEM. */
int wheel_init(struct wheel *w, struct event_base *base, wheel_fn *fn);
void wheel_done(struct wheel *w);
/* To fire at @due_us, or at the reach of the wheel. A node that is on is moved. */
void wheel_set(struct wheel *w, struct wheel_node *n, uint64_t due_us, uint64_t now_us);
void wheel_remove(struct wheel *w, struct wheel_node *n); /* one that is not on is fine */
