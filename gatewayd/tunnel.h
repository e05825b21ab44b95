/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The WireGuard interface through which the devices come: made when it is not there, its peers kept equal to the plan's
 * devices. It outlives gatewayd: devices stay connected over a restart. */
#pragma once

#include "base/err.h"
#include "policy/document.h"

/* A peer's key and the tunnel's own: 32 bytes in base64. */
#define TUNNEL_KEY_TEXT 44

/* Make the interface, give it its addresses. Nothing of it when t->existing, but the interface must be there.
 * Needs CAP_NET_ADMIN, and the right to write the private key's file the first time. */
int tunnel_open(const struct doc_tunnel *t, struct err *e);
/* Key, port, peers and routes as the plan has them; live sessions stay. @ret_skipped (may be NULL): devices without a
 * usable key, which cannot connect. */
int tunnel_sync(const struct doc_tunnel *t, const struct plan *p, uint32_t *ret_skipped, struct err *e);
/* Take the interface away (--teardown). 0 also when there is none or it is not ours. */
int tunnel_remove(const struct doc_tunnel *t, struct err *e);

/* Read the private key, made first when there is none (mode 0600). @ret: base64, NUL-terminated; wipe it. */
int tunnel_key(const char *path, char ret[TUNNEL_KEY_TEXT + 1], struct err *e);
/* What `wg syncconf` reads. Pure. @ret: returned, free(); it holds the key. */
int tunnel_config(const struct doc_tunnel *t, const struct plan *p, const char *key, char **ret, uint32_t *ret_skipped,
		  struct err *e);
