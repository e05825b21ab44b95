/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources: RFC 7858 3.3 (framing as over TCP), RFC 8310 (strict profile); SSL_connect(3), SSL_set1_host(3),
 * SSL_get_verify_result(3). */
#include "cli/doctor_tls.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#define FRAME_BYTES  2
#define ANSWER_BYTES 4 /* of an answer as many as hold id, flags and code */
#define QUESTION_MAX 512

static void ctx_freep(SSL_CTX **ctx)
{
	SSL_CTX_free(*ctx);
}

static void ssl_freep(SSL **ssl)
{
	SSL_free(*ssl);
}

/* Each read and write ends by then. A peer that closes is an error of write(), not a signal. */
static int deadline_set(int fd, int wait_ms)
{
	struct timeval tv = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == -1)
		return -errno;
	return 0;
}

static int handshake(SSL *ssl, const char *name, struct err *e)
{
	long why;

	if (SSL_connect(ssl) == 1)
		return 0;
	why = SSL_get_verify_result(ssl);
	if (why != X509_V_OK)
		return err_set(e, -EACCES, "its certificate is not valid for %s: %s", name,
			       X509_verify_cert_error_string(why));
	return err_set(e, -EPROTO, "it does not speak TLS, or not in time");
}

static int read_all(SSL *ssl, uint8_t *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		int n = SSL_read(ssl, buf + done, (int)(len - done));

		if (n <= 0)
			return -EPROTO;
		done += (size_t)n;
	}
	return 0;
}

int tls_ask(int fd, const char *name, const uint8_t *question, size_t len, int wait_ms, struct err *e)
{
	CLEANUP(ctx_freep) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	CLEANUP(ssl_freep) SSL *ssl = NULL;
	uint8_t buf[FRAME_BYTES + QUESTION_MAX];
	int r;

	if (name == NULL || len > QUESTION_MAX)
		return err_set(e, -EINVAL, "no name that its certificate could be valid for (tls://ADDRESS#NAME)");
	/* SSL_set_tlsext_host_name() is this with a cast that drops const. */
	if (ctx == NULL || SSL_CTX_set_default_verify_paths(ctx) != 1 || (ssl = SSL_new(ctx)) == NULL ||
	    SSL_set1_host(ssl, name) != 1 || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)name) != 1)
		return err_set(e, -ENOMEM, "TLS cannot be set up");
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	r = deadline_set(fd, wait_ms);
	if (r < 0)
		return err_set(e, r, "%s", strerror(-r));
	r = handshake(ssl, name, e);
	if (r < 0)
		return r;
	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	memcpy(buf + FRAME_BYTES, question, len);
	if (SSL_write(ssl, buf, (int)(FRAME_BYTES + len)) <= 0 || read_all(ssl, buf, FRAME_BYTES + ANSWER_BYTES) < 0)
		return err_set(e, -ETIMEDOUT, "it takes TLS connections and does not answer");
	if (memcmp(buf + FRAME_BYTES, question, 2) != 0 || (buf[FRAME_BYTES + 2] & 0x80) == 0)
		return err_set(e, -EBADMSG, "what it answers is no DNS");
	return buf[FRAME_BYTES + 3] & 0x0f;
}
