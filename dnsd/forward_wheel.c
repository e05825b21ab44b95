/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hashed timing wheel with one round. Used by forward.c: every question has a timer, and nearly all are removed
 * before they fire; a heap would cost more than the question itself. Source: Varghese and Lauck, 1987, scheme 6. */
#include "dnsd/forward_wheel.h"

#include "base/clock.h"

static void wheel_arm(struct wheel *w, uint64_t tick, uint64_t now_us)
{
	uint64_t at_us = tick << WHEEL_TICK_SHIFT, left = at_us > now_us ? at_us - now_us : 0;
	struct timeval tv = { .tv_sec = (time_t)(left / 1000000u), .tv_usec = (suseconds_t)(left % 1000000u) };

	w->armed = event_add(&w->ev, &tv) == 0 ? tick : 0;
}

void wheel_remove(struct wheel *w, struct wheel_node *n)
{
	if (!n->on)
		return;
	if (n->prev != NULL)
		n->prev->next = n->next;
	else
		w->slots[n->slot] = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
	n->on = false;
	w->n--;
}

void wheel_set(struct wheel *w, struct wheel_node *n, uint64_t due_us, uint64_t now_us)
{
	uint64_t tick = (due_us >> WHEEL_TICK_SHIFT) + 1;

	wheel_remove(w, n);
	if (w->n == 0 && now_us >> WHEEL_TICK_SHIFT > w->tick)
		w->tick = now_us >> WHEEL_TICK_SHIFT; /* it was asleep */
	if (tick <= w->tick)
		tick = w->tick + 1;
	else if (tick >= w->tick + WHEEL_SLOTS)
		tick = w->tick + WHEEL_SLOTS - 1;
	n->slot = (uint16_t)(tick % WHEEL_SLOTS);
	n->prev = NULL;
	n->next = w->slots[n->slot];
	if (n->next != NULL)
		n->next->prev = n;
	w->slots[n->slot] = n;
	n->on = true;
	w->n++;
	if (w->armed == 0 || tick < w->armed)
		wheel_arm(w, tick, now_us);
}

static void wheel_fire(evutil_socket_t fd, short what, void *arg)
{
	struct wheel *w = arg;
	uint64_t now_us = clock_monotonic_us(), now = now_us >> WHEEL_TICK_SHIFT, tick;

	(void)fd;
	(void)what;
	w->armed = 0;
	while (w->n != 0 && w->tick < now) {
		struct wheel_node *n;

		w->tick++;
		/* What is set anew meanwhile lands in another slot: it is one round minus a tick away at most. */
		while ((n = w->slots[w->tick % WHEEL_SLOTS]) != NULL) {
			wheel_remove(w, n);
			w->fn(n, now_us);
		}
	}
	if (w->n == 0)
		return;
	for (tick = w->tick + 1; w->slots[tick % WHEEL_SLOTS] == NULL; tick++)
		;
	wheel_arm(w, tick, now_us);
}

int wheel_init(struct wheel *w, struct event_base *base, wheel_fn *fn)
{
	*w = (struct wheel){ .fn = fn };
	return event_assign(&w->ev, base, -1, EV_TIMEOUT, wheel_fire, w) == 0 ? 0 : -ENOMEM;
}

void wheel_done(struct wheel *w)
{
	(void)event_del(&w->ev);
}
