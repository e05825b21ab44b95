/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS over TLS to clients: what a server's side of it is set to. The connections are tcp.c's. */
#pragma once

#include "base/err.h"

struct ssl_ctx_st;

/* From memfds with PEM text (MSG_TLS), borrowed. One for all threads: tickets of one worker are good at another. @ret:
 * returned, SSL_CTX_free(). */
int tls_server_new(int certificate_fd, int key_fd, struct ssl_ctx_st **ret, struct err *e);
