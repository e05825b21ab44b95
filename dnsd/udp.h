/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Datagrams of clients, for one worker: read and answered in batches. */
#pragma once

#include "base/err.h"
#include "dnsd/ask.h"

#define UDP_SOCKETS_MAX 32u /* the tunnel's addresses and those of "listen" */
#define UDP_PER_WAKE	4u  /* batches; then other events get their turn */

struct event_base;
struct udp;

/* @env: asked with what comes; its time is set by @tick(@arg) before. Paused until udp_pause(u, false). NULL when out
 * of memory. */
struct udp *udp_new(struct event_base *base, struct query_env *env, void (*tick)(void *arg), void *arg);
/* Read from @fd, taken with success. @all_addresses: it is bound to none: answers leave from the one that was asked. */
int udp_listen(struct udp *u, int fd, bool all_addresses, struct err *e);
/* While paused nothing is read: the kernel's buffer of the socket is the queue then, and drops for us. */
void udp_pause(struct udp *u, bool paused);

/* An answer for the socket of @from, copied; it leaves with udp_flush(), or when there is a batch of them. */
void udp_answer(const struct query_from *from, const uint8_t *msg, size_t len);
void udp_flush(struct udp *u);
