/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/tcp.c over socket pairs: frames, limits of time and of room, TLS. The clock is the test's; the look at it comes
 * twice a second in real time. */
#include "dnsd/tcp.h"

#include <event2/event.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/tls_cert.h"

#define MS(n)	  ((n)*UINT64_C(1000))
#define HELD_MAX  256u
#define QUESTION  "question"
#define PAIRS_MAX (TCP_CONNS_MAX + 8)

static uint64_t clock_now = MS(1000);

static uint64_t fake_clock(void)
{
	return clock_now;
}

struct fixture {
	struct event_base *base;
	struct client_table *clients;
	struct tcp *t;
	bool hold; /* answers are given later */
	struct tcp_conn *held[HELD_MAX];
	uint32_t n_held, n_messages;
	size_t answer_len; /* 0: what was asked */
	bool encrypted;
};

/* Answers what it was asked, or @answer_len bytes. */
static void on_message(void *arg, struct tcp_conn *conn, const struct ip_addr *client, const uint8_t *msg, size_t len)
{
	struct fixture *f = arg;
	static uint8_t large[65535];

	(void)client;
	f->n_messages++;
	f->encrypted = tcp_conn_encrypted(conn);
	tcp_conn_ref(conn);
	if (f->hold) {
		assert_true(f->n_held < HELD_MAX);
		f->held[f->n_held++] = conn;
	} else if (f->answer_len != 0) {
		tcp_conn_answer(conn, large, f->answer_len);
	} else {
		tcp_conn_answer(conn, msg, len);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->base = event_base_new();
	f->clients = client_table_new();
	f->t = tcp_new(f->base, f->clients, fake_clock, on_message, f);
	assert_non_null(f->t);
	tcp_pause(f->t, false);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)tcp_free(f->t);
	/* Nothing is left of anybody. */
	for (uint8_t i = 0; i < 255; i++) {
		struct ip_addr a = { .family = IP_V4, .bytes = { 10, 0, 0, i } };
		struct client_load *load = client_get(f->clients, &a);

		assert_int_equal(load->conns, 0);
		client_put(f->clients, load);
	}
	(void)client_table_free(f->clients);
	event_base_free(f->base);
	free(f);
	return 0;
}

/* What is ready, and what that leads to. */
static void run(struct fixture *f)
{
	for (int i = 0; i < 8; i++)
		assert_int_not_equal(event_base_loop(f->base, EVLOOP_NONBLOCK), -1);
}

/* Past the next look at the clock. */
static void run_tick(struct fixture *f)
{
	const struct timeval tv = { .tv_usec = 600000 };

	assert_int_equal(event_base_loopexit(f->base, &tv), 0);
	assert_int_equal(event_base_dispatch(f->base), 0);
}

/* A client's end, non-blocking. @host: its address is 10.@host. */
static int client_open(struct fixture *f, uint32_t host, uint8_t tls)
{
	struct ip_addr a = { .family = IP_V4,
			     .bytes = { 10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host } };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	tcp_conn_open(f->t, fds[1], &a, tls);
	return fds[0];
}

static void ask(int fd, const char *text)
{
	uint8_t frame[2 + 64] = { 0, (uint8_t)strlen(text) };

	memcpy(frame + 2, text, strlen(text));
	assert_int_equal(send(fd, frame, 2 + strlen(text), MSG_NOSIGNAL), (ssize_t)(2 + strlen(text)));
}

static void expect(int fd, const char *text)
{
	uint8_t frame[2 + 64];

	assert_int_equal(recv(fd, frame, 2 + strlen(text), 0), (ssize_t)(2 + strlen(text)));
	assert_int_equal(frame[0] << 8 | frame[1], strlen(text));
	assert_memory_equal(frame + 2, text, strlen(text));
}

static void expect_open(int fd)
{
	uint8_t byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect_closed(int fd)
{
	uint8_t byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	assert_true(n == 0 || (n == -1 && errno == ECONNRESET));
	(void)close(fd);
}

static void questions_in_one_segment_are_answered_each(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	ask(fd, "one");
	ask(fd, "two");
	run(f);
	expect(fd, "one");
	expect(fd, "two");
	assert_false(f->encrypted);
	(void)close(fd);
	run(f);
	assert_int_equal(tcp_n_conns(f->t), 0);
}

static void a_question_in_pieces_is_put_together(void **state)
{
	static const uint8_t frame[] = { 0, 3, 'a', 'b', 'c' };
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	for (size_t i = 0; i < sizeof(frame); i++) {
		assert_int_equal(f->n_messages, 0);
		assert_int_equal(send(fd, frame + i, 1, 0), 1);
		run(f);
	}
	expect(fd, "abc");
	(void)close(fd);
}

static void answers_leave_in_the_order_in_which_they_are_ready(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	f->hold = true;
	ask(fd, "one");
	ask(fd, "two");
	run(f);
	assert_int_equal(f->n_held, 2);
	tcp_conn_answer(f->held[1], (const uint8_t *)"two", 3);
	tcp_conn_answer(f->held[0], (const uint8_t *)"one", 3);
	run(f);
	expect(fd, "two");
	expect(fd, "one");
	(void)close(fd);
}

static void a_frame_that_is_no_question_ends_the_connection(void **state)
{
	static const uint8_t frame[] = { (TCP_QUESTION_MAX + 1) >> 8, (TCP_QUESTION_MAX + 1) & 0xff };
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	assert_int_equal(send(fd, frame, sizeof(frame), 0), sizeof(frame));
	run(f);
	expect_closed(fd);
	assert_int_equal(tcp_counts(f->t)->bad_frame, 1);
}

static void half_closed_ones_get_their_answers(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	f->hold = true;
	ask(fd, QUESTION);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	run(f);
	assert_int_equal(tcp_n_conns(f->t), 1);
	tcp_conn_answer(f->held[0], (const uint8_t *)"late", 4);
	run(f);
	expect(fd, "late");
	expect_closed(fd);
	assert_int_equal(tcp_n_conns(f->t), 0);
}

static void answers_for_those_who_have_gone_are_dropped(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	f->hold = true;
	ask(fd, QUESTION);
	run(f);
	(void)close(fd);
	run(f);
	tcp_conn_answer(f->held[0], (const uint8_t *)"late", 4);
	run(f);
	assert_int_equal(tcp_n_conns(f->t), 0);
}

static void a_question_that_drips_has_no_more_time_than_one_that_stops(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	assert_int_equal(send(fd, "\0", 1, 0), 1);
	run(f);
	clock_now += MS(TCP_QUESTION_MS - 1);
	assert_int_equal(send(fd, "\3", 1, 0), 1);
	run_tick(f);
	expect_open(fd);
	clock_now += MS(1);
	assert_int_equal(send(fd, "a", 1, 0), 1);
	run_tick(f);
	expect_closed(fd);
	assert_int_equal(tcp_counts(f->t)->too_slow, 1);
}

static void who_waits_for_us_is_not_late(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	f->hold = true;
	ask(fd, QUESTION);
	run(f);
	clock_now += MS(10 * TCP_IDLE_MS);
	run_tick(f);
	expect_open(fd);
	tcp_conn_answer(f->held[0], (const uint8_t *)"a", 1);
	run_tick(f);
	expect(fd, "a");
	/* Its idle time begins now. */
	clock_now += MS(TCP_IDLE_MS - 1);
	run_tick(f);
	expect_open(fd);
	clock_now += MS(1);
	run_tick(f);
	expect_closed(fd);
}

/* Each from an address of its own, so that no limit of a client's counts. */
static void fill(struct fixture *f, int fds[], uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		fds[i] = client_open(f, 1000 + i, 0);
}

static void idle_ones_have_less_time_where_many_are_open(void **state)
{
	static int fds[PAIRS_MAX];
	struct fixture *f = *state;
	int first = client_open(f, 1, 0);

	f->hold = true;
	ask(first, QUESTION);
	run(f);
	assert_int_equal(tcp_conn_keepalive(f->held[0]), TCP_IDLE_MS / 100);
	fill(f, fds, TCP_CONNS_MAX / 2);
	assert_int_equal(tcp_conn_keepalive(f->held[0]), TCP_IDLE_HALF_MS / 100);
	fill(f, fds + TCP_CONNS_MAX / 2, TCP_CONNS_MAX / 4);
	assert_int_equal(tcp_conn_keepalive(f->held[0]), TCP_IDLE_FULL_MS / 100);
	clock_now += MS(TCP_IDLE_FULL_MS);
	run_tick(f);
	/* They go until there is room: the limit is asked for at each. */
	assert_true(tcp_n_conns(f->t) <= TCP_CONNS_MAX / 4 * 3);
	clock_now += MS(TCP_IDLE_MS);
	run_tick(f);
	assert_int_equal(tcp_n_conns(f->t), 1); /* the one that waits for us */
	tcp_conn_answer(f->held[0], NULL, 0);
	for (uint32_t i = 0; i < TCP_CONNS_MAX / 4 * 3; i++)
		(void)close(fds[i]);
	(void)close(first);
}

/* All places are taken by clients that drip. Honest ones come in, and are answered. */
static void slow_ones_do_not_keep_honest_ones_out(void **state)
{
	static int fds[PAIRS_MAX];
	struct fixture *f = *state;

	for (uint32_t i = 0; i < TCP_CONNS_MAX; i++) {
		fds[i] = client_open(f, 1000 + i, 0);
		assert_int_equal(send(fds[i], "\0", 1, 0), 1);
		clock_now += 1;
	}
	run(f);
	assert_int_equal(tcp_n_conns(f->t), TCP_CONNS_MAX);
	for (uint32_t i = 0; i < 8; i++) {
		int fd = client_open(f, 500000 + i, 0);

		ask(fd, QUESTION);
		run(f);
		expect(fd, QUESTION);
		expect_closed(fds[i]); /* the one that had waited longest */
		(void)close(fd);
		run(f);
		fds[i] = client_open(f, 1000 + i, 0);
	}
	assert_int_equal(tcp_counts(f->t)->evicted, 8);
	for (uint32_t i = 0; i < TCP_CONNS_MAX; i++)
		(void)close(fds[i]);
}

static void who_waits_for_an_answer_is_not_sent_away(void **state)
{
	int fds[CLIENT_CONNS_MAX + 1];
	struct fixture *f = *state;

	f->hold = true;
	for (uint32_t i = 0; i < CLIENT_CONNS_MAX; i++) {
		fds[i] = client_open(f, 1, 0);
		ask(fds[i], QUESTION);
		run(f);
	}
	fds[CLIENT_CONNS_MAX] = client_open(f, 1, 0);
	expect_closed(fds[CLIENT_CONNS_MAX]);
	assert_int_equal(tcp_counts(f->t)->refused, 1);
	/* One of its own that waits for nothing makes room; another client's never does. */
	tcp_conn_answer(f->held[3], NULL, 0);
	run(f);
	fds[CLIENT_CONNS_MAX] = client_open(f, 1, 0);
	run(f);
	expect_open(fds[CLIENT_CONNS_MAX]);
	expect_closed(fds[3]);
	fds[3] = client_open(f, 2, 0);
	expect_open(fds[3]);
	for (uint32_t i = 0; i < f->n_held; i++)
		if (i != 3)
			tcp_conn_answer(f->held[i], NULL, 0);
	for (uint32_t i = 0; i <= CLIENT_CONNS_MAX; i++)
		(void)close(fds[i]);
}

static void who_asks_and_does_not_read_is_closed(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	f->hold = true;
	for (uint32_t i = 0; i < 32; i++)
		ask(fd, QUESTION);
	run(f);
	assert_int_equal(f->n_held, 32);
	for (uint32_t i = 0; i < 32; i++) {
		static const uint8_t large[60000];

		tcp_conn_answer(f->held[i], large, sizeof(large));
	}
	assert_int_equal(tcp_n_conns(f->t), 0);
	assert_int_equal(tcp_counts(f->t)->too_slow, 1);
	(void)close(fd);
}

static void it_is_not_read_further_while_it_does_not_read(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);
	uint32_t asked = 0;

	f->answer_len = 20000;
	while (asked < 200) {
		ask(fd, QUESTION);
		asked++;
	}
	run(f);
	assert_int_equal(tcp_n_conns(f->t), 1);
	assert_true(f->n_messages < 40); /* what the sockets hold, and TCP_OUT_HIGH */
	/* It reads now: everything is answered. */
	for (int i = 0; i < 4000 && f->n_messages < asked; i++) {
		uint8_t buf[65536];

		(void)!recv(fd, buf, sizeof(buf), 0);
		run(f);
	}
	assert_int_equal(f->n_messages, asked);
	/* And stops again: its time is up, however much is in the sockets. */
	f->answer_len = 60000;
	while (asked-- > 0)
		ask(fd, QUESTION);
	run(f);
	clock_now += MS(TCP_DRAIN_MS);
	run_tick(f);
	assert_int_equal(tcp_n_conns(f->t), 0);
	(void)close(fd);
}

static void paused_it_reads_nothing_and_closes_nobody(void **state)
{
	struct fixture *f = *state;
	int fd = client_open(f, 1, 0);

	tcp_pause(f->t, true);
	ask(fd, QUESTION);
	run(f);
	assert_int_equal(f->n_messages, 0);
	clock_now += MS(TCP_IDLE_MS * 2);
	run_tick(f);
	expect_open(fd);
	tcp_pause(f->t, false);
	run(f);
	expect(fd, QUESTION);
	(void)close(fd);
}

static SSL_CTX *self_signed(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_true(key != NULL && x != NULL && ctx != NULL);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), 0);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"dns.example",
					 -1, -1, 0);
	(void)X509_set_issuer_name(x, X509_get_subject_name(x));
	(void)X509_set_pubkey(x, key);
	assert_int_not_equal(X509_sign(x, key, EVP_sha256()), 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

/* A client that has shaken hands. */
static SSL *tls_open(struct fixture *f, SSL_CTX *ctx, int *ret_fd)
{
	SSL *ssl = SSL_new(ctx);

	*ret_fd = client_open(f, 1, 1);
	assert_int_equal(SSL_set_fd(ssl, *ret_fd), 1);
	for (int i = 0; i < 20 && SSL_connect(ssl) != 1; i++)
		run(f);
	assert_true(SSL_is_init_finished(ssl));
	run(f);
	return ssl;
}

static void tls_ask(SSL *ssl, const char *text)
{
	uint8_t frame[2 + 64] = { 0, (uint8_t)strlen(text) };

	memcpy(frame + 2, text, strlen(text));
	assert_int_equal(SSL_write(ssl, frame, (int)(2 + strlen(text))), (int)(2 + strlen(text)));
}

/* An answer is one record. */
static void tls_expect(SSL *ssl, const char *text)
{
	uint8_t frame[2 + 64];

	assert_int_equal(SSL_read(ssl, frame, sizeof(frame)), (int)(2 + strlen(text)));
	assert_memory_equal(frame + 2, text, strlen(text));
}

static void over_tls_it_is_the_same(void **state)
{
	struct fixture *f = *state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int fd = -1;
	SSL *ssl;

	assert_int_equal(tcp_certificate(f->t, 1, self_signed(), NULL), 0);
	ssl = tls_open(f, ctx, &fd);
	tls_ask(ssl, "one");
	tls_ask(ssl, "two");
	run(f);
	tls_expect(ssl, "one");
	tls_expect(ssl, "two");
	assert_true(f->encrypted);
	/* A certificate that comes anew is for those who come anew. */
	assert_int_equal(tcp_certificate(f->t, 1, self_signed(), NULL), 0);
	tls_ask(ssl, "three");
	run(f);
	tls_expect(ssl, "three");
	/* Half-closed, as above. */
	f->hold = true;
	tls_ask(ssl, QUESTION);
	run(f);
	(void)SSL_shutdown(ssl);
	run(f);
	tcp_conn_answer(f->held[0], (const uint8_t *)"late", 4);
	run(f);
	tls_expect(ssl, "late");
	assert_int_equal(tcp_n_conns(f->t), 0);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	(void)close(fd);
}

static void a_handshake_has_its_time(void **state)
{
	struct fixture *f = *state;
	int fd, plain;

	assert_int_equal(tcp_certificate(f->t, 1, self_signed(), NULL), 0);
	fd = client_open(f, 1, 1);
	assert_int_equal(send(fd, "\x16\x03", 2, 0), 2);
	run(f);
	clock_now += MS(TCP_HANDSHAKE_MS - 1);
	run_tick(f);
	expect_open(fd);
	clock_now += MS(1);
	run_tick(f);
	expect_closed(fd);
	assert_int_equal(tcp_counts(f->t)->too_slow, 1);
	/* Plain DNS is no handshake. */
	plain = client_open(f, 1, 1);
	ask(plain, QUESTION);
	run(f);
	assert_int_equal(tcp_n_conns(f->t), 0);
	assert_int_equal(tcp_counts(f->t)->handshake_failed, 1);
	assert_int_equal(f->n_messages, 0);
	(void)close(plain);
}

static void without_a_certificate_nobody_is_served(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	int fd = client_open(f, 1, 2);

	expect_closed(fd);
	assert_int_equal(tcp_certificate(f->t, TCP_CERTS_MAX, self_signed(), &e), -EBADMSG);
}

static void certificate_and_key_must_fit(void **state)
{
	static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	struct tls_pem pem = { .certificate = broken, .certificate_len = sizeof(broken) - 1 };
	SSL_CTX *a = self_signed(), *b = self_signed(), *ctx = NULL;
	BIO *certificate = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem()), *other = BIO_new(BIO_s_mem());
	struct err e = { 0 };

	(void)state;
	assert_int_equal(tls_cert_new(&pem, &ctx, &e), -EBADMSG);
	(void)PEM_write_bio_X509(certificate, SSL_CTX_get0_certificate(a));
	(void)PEM_write_bio_PrivateKey(key, SSL_CTX_get0_privatekey(a), NULL, NULL, 0, NULL, NULL);
	(void)PEM_write_bio_PrivateKey(other, SSL_CTX_get0_privatekey(b), NULL, NULL, 0, NULL, NULL);
	pem.certificate_len = (size_t)BIO_get_mem_data(certificate, (char **)(uintptr_t)&pem.certificate);
	assert_int_equal(tls_cert_new(&pem, &ctx, &e), -EBADMSG);
	pem.key_len = (size_t)BIO_get_mem_data(other, (char **)(uintptr_t)&pem.key);
	assert_int_equal(tls_cert_new(&pem, &ctx, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "not that of the certificate"));
	pem.key_len = (size_t)BIO_get_mem_data(key, (char **)(uintptr_t)&pem.key);
	assert_int_equal(tls_cert_new(&pem, &ctx, &e), 0);
	assert_true(tls_cert_expires_s(ctx) > 3000 + (int64_t)time(NULL));
	SSL_CTX_free(ctx);
	SSL_CTX_free(a);
	SSL_CTX_free(b);
	BIO_free(certificate);
	BIO_free(key);
	BIO_free(other);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(questions_in_one_segment_are_answered_each),
		CASE(a_question_in_pieces_is_put_together),
		CASE(answers_leave_in_the_order_in_which_they_are_ready),
		CASE(a_frame_that_is_no_question_ends_the_connection),
		CASE(half_closed_ones_get_their_answers),
		CASE(answers_for_those_who_have_gone_are_dropped),
		CASE(a_question_that_drips_has_no_more_time_than_one_that_stops),
		CASE(who_waits_for_us_is_not_late),
		CASE(idle_ones_have_less_time_where_many_are_open),
		CASE(slow_ones_do_not_keep_honest_ones_out),
		CASE(who_waits_for_an_answer_is_not_sent_away),
		CASE(who_asks_and_does_not_read_is_closed),
		CASE(it_is_not_read_further_while_it_does_not_read),
		CASE(paused_it_reads_nothing_and_closes_nobody),
		CASE(over_tls_it_is_the_same),
		CASE(a_handshake_has_its_time),
		CASE(without_a_certificate_nobody_is_served),
		cmocka_unit_test(certificate_and_key_must_fit),
	};
	struct rlimit files = { 0 };

	(void)signal(SIGPIPE, SIG_IGN); /* as main.c does */
	/* Two for each connection. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
