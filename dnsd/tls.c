/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: RFC 7858 (DNS over TLS), RFC 8310, RFC 9325 (how TLS is to be used), RFC 7301 (ALPN; "dot" of RFC 7858's
 * registration), SSL_CTX_set_options(3). */
#include "dnsd/tls.h"

#include <openssl/ssl.h>
#include <sys/mman.h>

#include "base/ipc.h"
#include "base/tls_cert.h"

/* A client need not name a protocol; one that names others only wants another service. */
static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		       unsigned int in_len, void *arg)
{
	static const unsigned char dot[] = { 3, 'd', 'o', 't' };
	unsigned char *found = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&found, out_len, dot, sizeof(dot), in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static int settings(SSL_CTX *ctx)
{
	static const unsigned char id[] = "sluice-dot";

	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) != 1 || SSL_CTX_set_num_tickets(ctx, 1) != 1)
		return -EINVAL;
	/* RFC 9325: 3.3 compression, 3.5 renegotiation. */
	(void)SSL_CTX_set_options(ctx,
				  SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* Sessions are in the clients' tickets (3.4), not in our memory; quiet connections hold no buffers. */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(ctx, alpn_select, NULL);
	return 0;
}

int tls_server_new(int certificate_fd, int key_fd, struct ssl_ctx_st **ret, struct err *e)
{
	struct tls_pem pem = { 0 };
	SSL_CTX *ctx = NULL;
	int rc = memfd_map(certificate_fd, &pem.certificate, &pem.certificate_len, e);

	if (rc == 0)
		rc = memfd_map(key_fd, &pem.key, &pem.key_len, e);
	if (rc == 0)
		rc = tls_cert_new(&pem, &ctx, e);
	if (rc == 0 && settings(ctx) != 0)
		rc = err_set(e, -EINVAL, "TLS: OpenSSL refuses a setting");
	if (pem.certificate != NULL)
		(void)munmap((void *)(uintptr_t)pem.certificate, pem.certificate_len);
	if (pem.key != NULL)
		(void)munmap((void *)(uintptr_t)pem.key, pem.key_len);
	if (rc != 0)
		SSL_CTX_free(ctx);
	else
		*ret = ctx;
	return rc;
}
