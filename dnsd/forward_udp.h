/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions to upstreams in datagrams. */
#pragma once

#include "dnsd/forward_try.h"

struct event_base;
struct forward_udp;

/* Questions that leave from one port, and for how long: see forward_udp.c. */
#define FORWARD_BURST	    32u
#define FORWARD_BURST_US    20000u
#define FORWARD_SOCKETS_MAX 1024u /* of one resolver at one worker; descriptors are finite (main.c) */
#define FORWARD_UDP_MAX	    DNS_UDP_ANSWER_MAX

/* @random: kept. NULL when out of memory. */
struct forward_udp *forward_udp_new(struct event_base *base, struct forward_random *random);
struct forward_udp *forward_udp_free(struct forward_udp *p); /* NULL is fine; returns NULL */
/* Prepare @u to be sent to. 0 or -ENOMEM. */
int forward_udp_add(struct forward_udp *p, struct upstream *u);
void forward_udp_remove(struct upstream *u);
/* Take @t, to be sent when the events of this wake are handled. 0; negative errno: it cannot be sent. */
int forward_udp_send(struct forward_udp *p, struct forward_try *t, uint64_t now_us);
/* No longer interested. */
void forward_udp_drop(struct forward_try *t);
/* Datagrams that answered nothing. */
uint64_t forward_udp_ignored(const struct forward_udp *p);
