/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections to a reader of dnstap, one for each of dnsd's workers: dnsd may open no path. */
#pragma once

#include "base/err.h"

struct event_base;
struct tap;

#define TAP_WORKERS_MAX 64u  /* as dnsd's */
#define TAP_RETRY_MS	2000 /* a reader that is away or is started anew is found so soon */

/* A connection for that worker, borrowed. Negative: dnsd does not take it now. */
typedef int (*tap_give_fn)(void *arg, uint32_t worker, int fd);

/* @path: of the reader's socket, kept. @ret: returned, tap_free(). */
int tap_new(struct event_base *base, const char *path, tap_give_fn give, void *arg, struct tap **ret, struct err *e);
struct tap *tap_free(struct tap *t); /* NULL is fine; returns NULL */

/* A fresh dnsd with so many workers: connect each, now or as soon as there is a reader. @t may be NULL. */
void tap_start(struct tap *t, uint32_t n_workers);
/* dnsd is gone, and its connections with it. */
void tap_stop(struct tap *t);
/* That worker's reader is gone. -EBADMSG: there is no such worker. */
int tap_lost(struct tap *t, uint32_t worker);

/* Workers that have a connection; why the others have none ("" when all have), borrowed. */
uint32_t tap_connected(const struct tap *t, const char **ret_error);
