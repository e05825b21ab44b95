/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A certificate and its key as a server shows them. gatewayd reads the files and tries them, dnsd serves with them. */
#pragma once

#include "base/err.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

#define TLS_PEM_MAX 65536u /* a chain of four with RSA keys of 4,096 bits is 10 kB */

struct tls_pem {
	const void *certificate, *key; /* text; the certificate with those that signed it behind it */
	size_t certificate_len, key_len;
};

/* A context with both and nothing else set. @ret: returned, SSL_CTX_free(). 0; -EBADMSG when either cannot be read or
 * they do not fit; -ENOMEM. */
int tls_cert_new(const struct tls_pem *pem, struct ssl_ctx_st **ret, struct err *e);
/* Until when the certificate is valid, Unix time; 0 when that cannot be said. */
int64_t tls_cert_expires_s(struct ssl_ctx_st *ctx);
