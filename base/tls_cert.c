/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything from memory: dnsd has no files. A key with a passphrase is refused, as nobody is there to type it. */
#include "base/tls_cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <time.h>

static int refuse(struct err *e, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set(e, -EBADMSG, "%s%s%s", what, reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

/* The first is the server's, those behind it lead to a root. */
static int certificates_use(SSL_CTX *ctx, BIO *in, struct err *e)
{
	X509 *x = PEM_read_bio_X509(in, NULL, no_passphrase, NULL);
	int ok = x != NULL ? SSL_CTX_use_certificate(ctx, x) : 0;

	X509_free(x);
	if (ok != 1)
		return refuse(e, "no certificate in PEM");
	while ((x = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			return refuse(e, "a certificate of the chain is not taken");
		}
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return refuse(e, "a certificate of the chain cannot be read");
	ERR_clear_error();
	return 0;
}

static int key_use(SSL_CTX *ctx, BIO *in, struct err *e)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	int ok = key != NULL;

	if (ok != 1)
		return refuse(e, "no private key in PEM without a passphrase");
	ok = SSL_CTX_use_PrivateKey(ctx, key);
	EVP_PKEY_free(key);
	if (ok != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return refuse(e, "the key is not that of the certificate");
	return 0;
}

/* An empty file has no address. */
static BIO *text_open(const void *text, size_t len)
{
	return BIO_new_mem_buf(text != NULL ? text : "", (int)len);
}

int tls_cert_new(const struct tls_pem *pem, struct ssl_ctx_st **ret, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	BIO *certificate = NULL, *key = NULL;
	int rc;

	if (pem->certificate_len > TLS_PEM_MAX || pem->key_len > TLS_PEM_MAX) {
		SSL_CTX_free(ctx);
		return err_set(e, -EBADMSG, "larger than %u bytes", TLS_PEM_MAX);
	}
	certificate = text_open(pem->certificate, pem->certificate_len);
	key = text_open(pem->key, pem->key_len);
	rc = ctx == NULL || certificate == NULL || key == NULL ? err_set(e, -ENOMEM, "TLS: out of memory")
							       : certificates_use(ctx, certificate, e);
	if (rc == 0)
		rc = key_use(ctx, key, e);
	BIO_free(certificate);
	BIO_free(key);
	if (rc != 0) {
		SSL_CTX_free(ctx);
		return rc;
	}
	*ret = ctx;
	return 0;
}

int64_t tls_cert_expires_s(struct ssl_ctx_st *ctx)
{
	const X509 *x = SSL_CTX_get0_certificate(ctx);
	struct tm tm = { 0 };

	if (x == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}
