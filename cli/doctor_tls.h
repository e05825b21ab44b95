/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One question over DNS over TLS, by the strict profile that dnsd goes by (dnsd/dot.c). */
#pragma once

#include "base/err.h"

/* @fd: connected, blocking; stays the caller's. @name: that the certificate must be valid for; NULL: none can be. The
 * answer's code, 0-15; negative with @e: the certificate, the connection, no answer in @wait_ms. */
int tls_ask(int fd, const char *name, const uint8_t *question, size_t len, int wait_ms, struct err *e);
