/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/forward_stream.c over TLS: an upstream with a certificate of the test's own authority. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "upstream_fake.h"

#include "dnsd/forward_stream.h"

#define NAME "dns.example"

static struct fake_result got;

/* Made once: an authority, and a certificate of it for NAME. */
static struct {
	EVP_PKEY *key;
	X509 *authority, *cert, *expired;
	char bundle[64];
} pki;

static void extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static X509 *cert_new(const char *cn, X509 *issuer, long ends_s)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	assert_int_equal(X509_set_version(x, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer == NULL ? 1 : 2);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -86400));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), ends_s));
	assert_int_equal(X509_set_pubkey(x, pki.key), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0), 1);
	assert_int_equal(X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name), 1);
	if (issuer == NULL)
		extension(x, x, NID_basic_constraints, "critical,CA:TRUE");
	else
		extension(x, issuer, NID_subject_alt_name, "DNS:" NAME);
	assert_true(X509_sign(x, pki.key, EVP_sha256()) > 0);
	return x;
}

static int pki_make(void **state)
{
	FILE *f;
	int fd;

	(void)signal(SIGPIPE, SIG_IGN);
	pki.key = EVP_EC_gen("P-256");
	assert_non_null(pki.key);
	pki.authority = cert_new("test authority", NULL, 86400);
	pki.cert = cert_new(NAME, pki.authority, 86400);
	pki.expired = cert_new(NAME, pki.authority, -3600);
	snprintf(pki.bundle, sizeof(pki.bundle), "/tmp/forward-tls-XXXXXX");
	fd = mkstemp(pki.bundle);
	assert_true(fd != -1);
	f = fdopen(fd, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, pki.authority), 1);
	assert_int_equal(fclose(f), 0);
	return 0;
}

static int pki_free(void **state)
{
	(void)unlink(pki.bundle);
	X509_free(pki.authority);
	X509_free(pki.cert);
	X509_free(pki.expired);
	EVP_PKEY_free(pki.key);
	return 0;
}

/* The upstream: a thread that answers each question with 198.51.100.1, one connection after the other. */
struct server {
	pthread_t thread;
	int fd;
	X509 *cert;
	int max_version;
	unsigned close_after; /* questions of a connection; 0: never */
	atomic_bool stop;
	atomic_uint n_conns, n_resumed, n_asked, n_unpadded, n_alpn;
};

static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		       unsigned in_len, void *arg)
{
	struct server *s = arg;

	if (in_len != 4 || memcmp(in,
				  "\x03"
				  "dot",
				  4) != 0)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	atomic_fetch_add(&s->n_alpn, 1);
	*out = in + 1;
	*out_len = 3;
	return SSL_TLSEXT_ERR_OK;
}

static bool readable(const struct server *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!atomic_load(&s->stop))
		if (poll(&p, 1, 20) == 1)
			return true;
	return false;
}

/* False: the other end has gone, or the test ends. */
static bool read_all(const struct server *s, SSL *ssl, uint8_t *to, int len)
{
	for (int at = 0, n; at < len; at += n) {
		if (SSL_pending(ssl) == 0 && !readable(s, SSL_get_fd(ssl)))
			return false;
		n = SSL_read(ssl, to + at, len - at);
		if (n <= 0)
			return false;
	}
	return true;
}

static void conn_serve(struct server *s, SSL *ssl)
{
	for (unsigned n = 0; s->close_after == 0 || n < s->close_after; n++) {
		struct fake_question q = { 0 };
		struct fake_answer a;
		uint8_t head[2], frame[2 + 512];
		size_t len;

		if (!read_all(s, ssl, head, 2))
			return;
		q.len = (size_t)(head[0] << 8 | head[1]);
		if (q.len > sizeof(q.msg) || !read_all(s, ssl, q.msg, (int)q.len))
			return;
		atomic_fetch_add(&s->n_asked, 1);
		if (q.len % 128 != 0)
			atomic_fetch_add(&s->n_unpadded, 1);
		fake_parse(&q);
		fake_answer(&a, &q, 0);
		fake_rr_a(&a, q.name, "198.51.100.1");
		len = wcur_len(&a.w);
		frame[0] = (uint8_t)(len >> 8);
		frame[1] = (uint8_t)len;
		memcpy(frame + 2, a.buf, len);
		if (SSL_write(ssl, frame, (int)len + 2) <= 0)
			return;
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	(void)SSL_CTX_set_max_proto_version(ctx, s->max_version);
	(void)SSL_CTX_use_certificate(ctx, s->cert);
	(void)SSL_CTX_use_PrivateKey(ctx, pki.key);
	(void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"dot", 3);
	SSL_CTX_set_alpn_select_cb(ctx, alpn_select, s);
	while (readable(s, s->fd)) {
		int conn = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		SSL *ssl = SSL_new(ctx);

		(void)SSL_set_fd(ssl, conn);
		if (SSL_accept(ssl) == 1) {
			atomic_fetch_add(&s->n_conns, 1);
			if (SSL_session_reused(ssl))
				atomic_fetch_add(&s->n_resumed, 1);
			conn_serve(s, ssl);
			(void)SSL_shutdown(ssl);
		}
		SSL_free(ssl);
		(void)close(conn);
		ERR_clear_error();
	}
	SSL_CTX_free(ctx);
	return NULL;
}

/* A forwarder whose first upstream is @s, by that name, and whose second one is @udp without TLS. */
static void open_tls(struct fake *k, struct server *s, const char *name, int *udp)
{
	uint16_t ports[2] = { 0 };
	struct fake_route r;

	s->fd = fake_socket(SOCK_STREAM, &ports[0]);
	*udp = fake_socket(SOCK_DGRAM, &ports[1]);
	fake_route(&r, ports, 2, 0);
	r.ups[0].kind = UPSTREAM_TLS;
	r.ups[0].tls_name = name;
	fake_open(k, &r, pki.bundle);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void close_tls(struct fake *k, struct server *s, int udp)
{
	assert_true(fake_none(k, udp, 20)); /* never in the clear */
	fake_close(k);
	atomic_store(&s->stop, true);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	close(s->fd);
	close(udp);
}

static void questions_are_sealed_padded_and_share_a_connection(void **state)
{
	static const char *const names[] = { "a.example", "a-much-longer-name.of-some-labels.example", "." };
	struct server s = { .cert = pki.cert };
	struct fake k;
	int udp;

	open_tls(&k, &s, NAME, &udp);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fake_ask(&k, names[i], TYPE_A, 0, false, &got);
		fake_wait(&k, &got);
		assert_true(result_has_addr(&got, "198.51.100.1"));
	}
	assert_int_equal(s.n_conns, 1);
	assert_int_equal(s.n_asked, ARRAY_LEN(names));
	assert_int_equal(s.n_unpadded, 0);
	assert_int_equal(s.n_alpn, 1);
	close_tls(&k, &s, udp);
}

static void session_is_resumed(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct server s = { .cert = pki.cert, .max_version = versions[i], .close_after = 1 };
		struct fake k;
		int udp;

		open_tls(&k, &s, NAME, &udp);
		for (int n = 0; n < 3; n++) {
			fake_ask(&k, "a.example", TYPE_A, 0, false, &got);
			fake_wait(&k, &got);
			assert_true(result_has_addr(&got, "198.51.100.1"));
			fake_run(&k, 30); /* it closes */
		}
		assert_int_equal(s.n_conns, 3);
		assert_int_equal(s.n_resumed, 2);
		close_tls(&k, &s, udp);
	}
}

static void refused(const char *name, struct server *s, const char *why)
{
	struct fake k;
	int udp;

	open_tls(&k, s, name, &udp);
	fake_ask(&k, "a.example", TYPE_A, 0, false, &got);
	fake_wait(&k, &got);
	assert_int_equal(got.len, 0);
	if (strstr(got.text, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, got.text);
	assert_int_equal(s->n_asked, 0);
	close_tls(&k, s, udp);
}

static void certificate_for_another_name_is_refused(void **state)
{
	struct server s = { .cert = pki.cert };

	refused("other.example", &s, "TLS: certificate: hostname mismatch");
}

static void expired_certificate_is_refused(void **state)
{
	struct server s = { .cert = pki.expired };

	refused(NAME, &s, "TLS: certificate: certificate has expired");
}

static void certificate_of_nobody_is_refused(void **state)
{
	X509 *own = cert_new(NAME, NULL, 86400);
	struct server s = { .cert = own };

	refused(NAME, &s, "TLS: certificate: self-signed certificate");
	X509_free(own);
}

static void old_version_is_refused(void **state)
{
	struct server s = { .cert = pki.cert, .max_version = TLS1_1_VERSION };

	refused(NAME, &s, "TLS: ");
}

static void upstream_without_a_whole_name_is_refused(void **state)
{
	static const char *const names[] = { NULL, "", ".example" };
	struct event_base *base = event_base_new();
	uint16_t port = 853;
	struct fake_route r;
	struct forward *f;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fake_route(&r, &port, 1, 0);
		r.ups[0].kind = UPSTREAM_TLS;
		r.ups[0].tls_name = names[i];
		assert_int_equal(forward_new(base, &r.route, pki.bundle, &f, NULL), -EBADMSG);
	}
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_sealed_padded_and_share_a_connection),
		cmocka_unit_test(session_is_resumed),
		cmocka_unit_test(certificate_for_another_name_is_refused),
		cmocka_unit_test(expired_certificate_is_refused),
		cmocka_unit_test(certificate_of_nobody_is_refused),
		cmocka_unit_test(old_version_is_refused),
		cmocka_unit_test(upstream_without_a_whole_name_is_refused),
	};

	return cmocka_run_group_tests(tests, pki_make, pki_free);
}
