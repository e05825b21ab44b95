/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions to upstreams over TCP and TLS. */
#pragma once

#include "dnsd/forward_try.h"

struct event_base;
struct forward_streams;

/* Connections to one upstream, and questions under way on one: a second is opened when the first has a quarter of what
 * it may have, since one lost segment holds up all that is behind it. */
#define FORWARD_CONNS_MAX      4u
#define FORWARD_CONN_QUESTIONS 64u
#define FORWARD_CONN_CROWDED   16u
#define FORWARD_CONNECT_US     2000000u	 /* TCP and TLS together; the question goes elsewhere sooner */
#define FORWARD_IDLE_US	       10000000u /* upstreams close after 2 to 30 s; the next question resumes the session */
#define FORWARD_CONN_OUT_MAX   65536u	 /* bytes that the upstream has not taken: all of its questions and more */

/* @bundle: file of certificates, read at the first upstream with TLS; borrowed. @random: kept. */
struct forward_streams *forward_streams_new(struct event_base *base, const char *bundle, struct forward_random *random);
struct forward_streams *forward_streams_free(struct forward_streams *p); /* NULL is fine; returns NULL */
/* Prepare @u to be asked, by TLS when it is of that kind. 0, or negative errno. */
int forward_streams_add(struct forward_streams *p, struct upstream *u, struct err *e);
void forward_streams_remove(struct upstream *u);
/* Take @t; sets .fresh. 0; negative errno: not now. */
int forward_streams_send(struct forward_try *t, uint64_t now_us);
/* No longer interested. */
void forward_streams_drop(struct forward_try *t);
/* It got no answer in time: when nothing at all came since, the connection is dead, and what else is on it fails. */
void forward_streams_late(struct forward_try *t, uint64_t now_us);
