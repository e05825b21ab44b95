/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS over TLS to upstreams, as pipes that libunbound reaches over the loopback. */
#pragma once

#include "base/err.h"
#include "sluice/plan.h"

#define DOT_UPSTREAMS_MAX 64u	  /* of one resolver; policies name two or four */
#define DOT_PIPES_MAX	  64u	  /* connections of one resolver: resolver.c lets libunbound open as many */
#define DOT_IDLE_S	  30	  /* libunbound closes its end sooner; this is for the ones that it forgot */
#define DOT_BUFFER_MAX	  262144u /* bytes that one end has not taken: four of the largest messages */

struct event_base;
struct dot;

/* @base: kept. Reads the certificate bundle @bundle. */
int dot_new(struct event_base *base, const char *bundle, struct dot **ret, struct err *e);
struct dot *dot_free(struct dot *d); /* NULL is fine; returns NULL */
/* A pipe to @u, which has a certificate name. *@ret_port: of 127.0.0.1, where DNS over TCP is taken. */
int dot_add(struct dot *d, const struct plan_upstream *u, uint16_t *ret_port, struct err *e);
