/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections to upstreams, kept and shared by many questions. Called by forward.c.
 *
 * Questions are written one behind the other without waiting, answers are taken in any order by their ID (RFC
 * 7766 6.2.1). A connection ends when the upstream closes it, says what is no DNS, is silent while questions wait, or
 * has nothing to do for FORWARD_IDLE_US; what was under way on it then fails, and forward.c asks again, on a new one or
 * elsewhere.
 *
 * TLS (RFC 7858, 8310 strict profile): version 1.2 or later, the certificate must be valid for the upstream's name, and
 * nothing is ever sent in the clear. Sessions are resumed; ALPN "dot"; questions are padded (RFC 8467). */
#include "dnsd/forward_stream.h"

#include "base/clock.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define REASON_MAX 96u

struct stream {
	struct stream *prev, *next; /* of the upstream */
	struct upstream_streams *of;
	struct bufferevent *bev;
	struct event *timer; /* of connecting, then of idling */
	uint64_t read_us;    /* when the upstream last said something; before that, when it was opened */
	uint32_t n_pending;
	bool connected, busy, ended;
	struct forward_try *tries[FORWARD_CONN_QUESTIONS];
};

struct upstream_streams {
	struct forward_streams *pool;
	struct upstream *up;
	struct stream *first;
	uint32_t n;
	SSL_SESSION *session; /* to resume, or NULL */
};

struct forward_streams {
	struct event_base *base;
	const char *bundle;
	struct forward_random *random;
	SSL_CTX *tls; /* NULL: no upstream has TLS */
};

static void timer_set(struct stream *s, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000u), .tv_usec = (suseconds_t)(us % 1000000u) };

	(void)event_add(s->timer, &tv);
}

static void stream_free(struct stream *s)
{
	SSL *ssl = s->bev != NULL && s->connected ? bufferevent_openssl_get_ssl(s->bev) : NULL;

	if (ssl != NULL) { /* without a word of good-bye OpenSSL would not resume the session */
		SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
		(void)SSL_shutdown(ssl);
		ERR_clear_error();
	}
	if (s->bev != NULL)
		bufferevent_free(s->bev);
	if (s->timer != NULL)
		event_free(s->timer);
	free(s);
}

static void stream_unlink(struct stream *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		s->of->first = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->of->n--;
}

/* Its questions are asked again by who asked them; none of them comes back to this connection. @error: errno or 0. */
static void stream_close(struct stream *s, int error, const char *why)
{
	uint64_t now_us = clock_monotonic_us();

	if (s->ended)
		return;
	s->ended = true;
	stream_unlink(s);
	for (uint32_t i = 0; i < FORWARD_CONN_QUESTIONS; i++) {
		struct forward_try *t = s->tries[i];

		if (t == NULL)
			continue;
		s->tries[i] = NULL;
		t->via = NULL;
		forward_try_failed(t, error, why, now_us);
	}
	if (!s->busy)
		stream_free(s);
}

static struct forward_try *try_find(const struct stream *s, uint16_t id)
{
	for (uint32_t i = 0; i < FORWARD_CONN_QUESTIONS; i++)
		if (s->tries[i] != NULL && s->tries[i]->id == id)
			return s->tries[i];
	return NULL;
}

/* The next whole message in @in, or NULL; *@ret_len without its length. */
static const uint8_t *frame_next(struct evbuffer *in, size_t *ret_len)
{
	uint8_t head[2];
	const uint8_t *frame;
	size_t len;

	if (evbuffer_copyout(in, head, sizeof(head)) != (ev_ssize_t)sizeof(head))
		return NULL;
	len = (size_t)(head[0] << 8 | head[1]);
	if (evbuffer_get_length(in) < len + 2)
		return NULL;
	frame = evbuffer_pullup(in, (ev_ssize_t)(len + 2));
	*ret_len = len;
	return frame != NULL ? frame + 2 : NULL;
}

static void stream_read(struct bufferevent *bev, void *arg)
{
	struct stream *s = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	const uint8_t *msg;
	size_t len;

	s->read_us = clock_monotonic_us();
	s->busy = true;
	while (!s->ended && (msg = frame_next(in, &len)) != NULL) {
		struct forward_try *t;

		if (len < DNS_HEADER_LEN) {
			stream_close(s, 0, "it sends what is no DNS");
			break;
		}
		t = try_find(s, (uint16_t)(msg[0] << 8 | msg[1]));
		if (t != NULL)
			(void)forward_try_answered(t, msg, len, false, s->read_us);
		(void)evbuffer_drain(in, len + 2);
	}
	s->busy = false;
	if (s->ended)
		stream_free(s);
}

/* What TLS says of the end of a connection, for people. False: nothing. */
static bool tls_reason(struct bufferevent *bev, char *ret)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	unsigned long code = bufferevent_get_openssl_error(bev);
	const char *reason = ERR_reason_error_string(code);
	long verified = ssl != NULL ? SSL_get_verify_result(ssl) : X509_V_OK;

	if (verified != X509_V_OK)
		snprintf(ret, REASON_MAX, "TLS: certificate: %s", X509_verify_cert_error_string(verified));
	else if (code != 0)
		snprintf(ret, REASON_MAX, "TLS: %s", reason != NULL ? reason : "failed");
	return verified != X509_V_OK || code != 0;
}

static void stream_connected(struct stream *s)
{
	int one = 1;

	/* Questions are small: waiting to fill a segment would cost each one 40 ms. */
	(void)setsockopt(bufferevent_getfd(s->bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->connected = true;
	(void)event_del(s->timer);
	if (s->n_pending == 0)
		timer_set(s, FORWARD_IDLE_US);
}

static void stream_event(struct bufferevent *bev, short what, void *arg)
{
	struct stream *s = arg;
	char why[REASON_MAX] = "connection failed";
	int error = EVUTIL_SOCKET_ERROR();

	if ((what & BEV_EVENT_CONNECTED) != 0) {
		stream_connected(s);
		return;
	}
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
		return;
	if (s->of->up->kind == UPSTREAM_TLS && tls_reason(bev, why))
		error = 0;
	else if ((what & BEV_EVENT_ERROR) == 0) {
		snprintf(why, sizeof(why), "it closed the connection");
		error = 0;
	}
	stream_close(s, error, why);
}

static void stream_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (!s->connected)
		stream_close(s, ETIMEDOUT, NULL);
	else if (s->n_pending == 0)
		stream_close(s, 0, "idle");
}

static struct bufferevent *bev_tls(struct forward_streams *p, struct upstream_streams *us)
{
	SSL *ssl = SSL_new(p->tls);
	struct bufferevent *bev;

	if (ssl == NULL)
		return NULL;
	if (SSL_set1_host(ssl, us->up->tls_name) != 1 || SSL_set_tlsext_host_name(ssl, us->up->tls_name) != 1 ||
	    SSL_set_app_data(ssl, us) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	if (us->session != NULL)
		(void)SSL_set_session(ssl, us->session);
	bev = bufferevent_openssl_socket_new(p->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL)
		SSL_free(ssl);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(bev,
							     1); /* most close without a word; frames have lengths */
	return bev;
}

/* NULL, and *@ret_rc a negative errno, when it cannot be. */
static struct stream *stream_open(struct upstream_streams *us, uint64_t now_us, int *ret_rc)
{
	struct forward_streams *p = us->pool;
	struct stream *s = calloc(1, sizeof(*s));

	*ret_rc = -ENOMEM;
	if (s == NULL)
		return NULL;
	s->of = us;
	s->read_us = now_us;
	s->timer = event_new(p->base, -1, EV_TIMEOUT, stream_timer, s);
	s->bev = us->up->kind == UPSTREAM_TLS ? bev_tls(p, us)
					      : bufferevent_socket_new(p->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (s->timer == NULL || s->bev == NULL)
		goto fail;
	bufferevent_setcb(s->bev, stream_read, NULL, stream_event, s);
	if (bufferevent_enable(s->bev, EV_READ | EV_WRITE) != 0)
		goto fail;
	errno = 0;
	if (bufferevent_socket_connect(s->bev, (const struct sockaddr *)&us->up->addr, (int)us->up->addr_len) != 0) {
		*ret_rc = errno != 0 ? -errno : -EIO;
		goto fail;
	}
	timer_set(s, FORWARD_CONNECT_US);
	s->next = us->first;
	if (s->next != NULL)
		s->next->prev = s;
	us->first = s;
	us->n++;
	return s;
fail:
	stream_free(s);
	return NULL;
}

/* The one with the fewest questions, or a new one; NULL with *@ret_rc. */
static struct stream *stream_get(struct upstream_streams *us, uint64_t now_us, int *ret_rc)
{
	struct stream *best = us->first, *fresh;

	if (best == NULL)
		return stream_open(us, now_us, ret_rc);
	for (struct stream *s = best->next; s != NULL; s = s->next)
		if (s->n_pending < best->n_pending)
			best = s;
	if (best->n_pending >= FORWARD_CONN_CROWDED && us->n < FORWARD_CONNS_MAX) {
		fresh = stream_open(us, now_us, ret_rc);
		if (fresh != NULL)
			return fresh;
	}
	*ret_rc = -EAGAIN;
	if (best->n_pending == FORWARD_CONN_QUESTIONS ||
	    evbuffer_get_length(bufferevent_get_output(best->bev)) > FORWARD_CONN_OUT_MAX)
		return NULL;
	return best;
}

int forward_streams_send(struct forward_try *t, uint64_t now_us)
{
	struct upstream_streams *us = t->up->streams;
	uint8_t frame[2 + FORWARD_QUESTION_MAX];
	uint32_t slot = 0;
	size_t len;
	int rc = 0;
	struct stream *s = stream_get(us, now_us, &rc);

	if (s == NULL)
		return rc;
	do
		t->id = forward_random_id(us->pool->random);
	while (try_find(s, t->id) != NULL);
	len = forward_try_write(t, us->up->kind == UPSTREAM_TLS, now_us, frame + 2);
	frame[0] = (uint8_t)(len >> 8);
	frame[1] = (uint8_t)len;
	if (bufferevent_write(s->bev, frame, len + 2) != 0)
		return -ENOMEM;
	while (s->tries[slot] != NULL)
		slot++;
	s->tries[slot] = t;
	if (s->n_pending++ == 0 && s->connected)
		(void)event_del(s->timer);
	t->slot = (uint8_t)slot;
	t->via = s;
	t->stream = true;
	t->sent_us = now_us;
	t->up->sent++;
	t->fresh = !s->connected;
	return 0;
}

void forward_streams_drop(struct forward_try *t)
{
	struct stream *s = t->via;

	t->via = NULL;
	s->tries[t->slot] = NULL;
	if (--s->n_pending == 0 && s->connected && !s->ended)
		timer_set(s, FORWARD_IDLE_US);
}

void forward_streams_late(struct forward_try *t, uint64_t now_us)
{
	struct stream *s = t->via;

	(void)now_us;
	if (s->connected && s->read_us <= t->sent_us && !s->ended)
		stream_close(s, 0, "no answer");
}

/* One a connection; TLS 1.3 sends several, the last is kept. 1: the reference is ours now. */
static int session_new(SSL *ssl, SSL_SESSION *session)
{
	struct upstream_streams *us = SSL_get_app_data(ssl);

	SSL_SESSION_free(us->session);
	us->session = session;
	return 1;
}

static int tls_context(struct forward_streams *p, struct err *e)
{
	static const uint8_t alpn[] = { 3, 'd', 'o', 't' };

	if (p->tls != NULL)
		return 0;
	p->tls = SSL_CTX_new(TLS_client_method());
	if (p->tls == NULL || SSL_CTX_set_min_proto_version(p->tls, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_alpn_protos(p->tls, alpn, sizeof(alpn)) != 0)
		return err_set(e, -ENOMEM, "TLS");
	SSL_CTX_set_verify(p->tls, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_session_cache_mode(p->tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(p->tls, session_new);
	if (SSL_CTX_load_verify_file(p->tls, p->bundle) != 1)
		return err_set(e, -ENOENT, "TLS: no certificates in %s: install ca-certificates", p->bundle);
	return 0;
}

int forward_streams_add(struct forward_streams *p, struct upstream *u, struct err *e)
{
	struct upstream_streams *us;
	int rc = u->kind == UPSTREAM_TLS ? tls_context(p, e) : 0;

	if (rc != 0)
		return rc;
	us = calloc(1, sizeof(*us));
	if (us == NULL)
		return err_set(e, -ENOMEM, "upstream");
	us->pool = p;
	us->up = u;
	u->streams = us;
	return 0;
}

void forward_streams_remove(struct upstream *u)
{
	struct upstream_streams *us = u->streams;

	if (us == NULL)
		return;
	while (us->first != NULL)
		stream_close(us->first, 0, "the resolver has gone");
	SSL_SESSION_free(us->session);
	free(us);
	u->streams = NULL;
}

struct forward_streams *forward_streams_new(struct event_base *base, const char *bundle, struct forward_random *random)
{
	struct forward_streams *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->base = base;
	p->bundle = bundle;
	p->random = random;
	return p;
}

struct forward_streams *forward_streams_free(struct forward_streams *p)
{
	if (p == NULL)
		return NULL;
	SSL_CTX_free(p->tls);
	free(p);
	return NULL;
}
