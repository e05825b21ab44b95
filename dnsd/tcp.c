/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of clients, by libevent's buffered events. Called by worker.c; calls back with each whole message.
 *
 * A connection lives as long as it is open or an answer is under way: each query holds a reference, and an answer for a
 * client that has gone is dropped. Time and room are limited by what it waits for:
 *
 *   waits for             | closed after
 *   the TLS handshake     | TCP_HANDSHAKE_MS
 *   the rest of a question| TCP_QUESTION_MS from its first byte, however steadily it drips
 *   a question            | idle_ms(), and    at once when all places are taken and it has waited longest
 *   the client to read    | TCP_DRAIN_MS, or when more waits than TCP_OUT_MAX
 *   an answer of ours     | not: the query has a deadline of its own
 *
 * and it closes when the client has closed and all answers are out, and on any frame that cannot be a question. One
 * timer looks at all of them (TICK_MS): what is late by that is not late.
 *
 * An answer may be given while messages are being read (it was cached); so nothing is read from inside
 * tcp_conn_answer(): it asks libevent to call back. */
#include "dnsd/tcp.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>

#define LISTENERS_MAX	32u /* the tunnel's addresses and those of "listen" */
#define ACCEPT_PER_WAKE 16u /* then other events get their turn */
#define FRAME_HEAD	2u
#define TICK_MS		500u

static const struct timeval tick_every = { .tv_usec = TICK_MS * 1000 };

struct listener {
	struct tcp *t;
	struct event *ev;
	uint8_t tls;
};

struct tcp {
	struct event_base *base;
	struct client_table *clients;
	tcp_clock_fn *clock;
	tcp_message_fn *message;
	void *arg;
	struct listener listeners[LISTENERS_MAX];
	SSL_CTX *certs[TCP_CERTS_MAX]; /* by number, from 1; NULL: none came */
	uint32_t n_listeners, n_conns;
	struct tcp_conn *conns;
	struct event *tick;
	size_t out_bytes; /* answers that clients have not taken */
	struct tcp_counts counts;
	bool paused, starved; /* starved: no descriptors; nothing is accepted until the next tick */
};

enum conn_state { CONN_HANDSHAKE = 0, CONN_IDLE, CONN_PARTIAL, CONN_BUSY };

struct tcp_conn {
	struct tcp *t;
	struct tcp_conn *prev, *next; /* open ones */
	struct bufferevent *bev;      /* NULL: closed */
	struct client_load *load;
	struct ip_addr client;
	uint64_t since_us;  /* in this state */
	uint64_t full_us;   /* since when answers wait; 0: none does */
	uint32_t under_way; /* references */
	enum conn_state state;
	bool tls, handshaken;
	bool eof; /* the client sends no more */
};

static uint32_t idle_ms(const struct tcp *t)
{
	if (t->n_conns > TCP_CONNS_MAX / 4 * 3)
		return TCP_IDLE_FULL_MS;
	return t->n_conns > TCP_CONNS_MAX / 2 ? TCP_IDLE_HALF_MS : TCP_IDLE_MS;
}

static size_t out_len(const struct tcp_conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* Bytes went in or out of the answers that wait. */
static void out_changed(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	struct tcp_conn *c = arg;

	c->t->out_bytes += info->n_added;
	c->t->out_bytes -= info->n_deleted;
	if (evbuffer_get_length(out) == 0)
		c->full_us = 0;
	else if (c->full_us == 0)
		c->full_us = c->t->clock();
}

static void conn_free_if_done(struct tcp_conn *c)
{
	if (c->bev == NULL && c->under_way == 0)
		free(c);
}

/* The caller frees by conn_free_if_done(). */
static void conn_close(struct tcp_conn *c)
{
	struct tcp *t = c->t;

	if (c->bev == NULL)
		return;
	(void)evbuffer_remove_cb(bufferevent_get_output(c->bev), out_changed, c);
	t->out_bytes -= out_len(c);
	bufferevent_free(c->bev);
	c->bev = NULL;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		t->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	t->n_conns--;
	c->load->conns--;
	client_put(t->clients, c->load);
}

/* A whole question has come and was not taken yet. */
static bool conn_asks(const struct tcp_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	uint8_t head[FRAME_HEAD];

	return evbuffer_copyout(in, head, FRAME_HEAD) == FRAME_HEAD &&
	       evbuffer_get_length(in) >= FRAME_HEAD + ((size_t)head[0] << 8 | head[1]);
}

/* Everything that was asked is answered and sent. */
static bool conn_quiet(const struct tcp_conn *c)
{
	return c->under_way == 0 && out_len(c) == 0 && !conn_asks(c);
}

static void conn_state_update(struct tcp_conn *c)
{
	enum conn_state state;

	if (c->bev == NULL)
		return;
	if (c->tls && !c->handshaken)
		state = CONN_HANDSHAKE;
	else if (!conn_quiet(c))
		state = CONN_BUSY;
	else
		state = evbuffer_get_length(bufferevent_get_input(c->bev)) != 0 ? CONN_PARTIAL : CONN_IDLE;
	if (state != c->state)
		c->since_us = c->t->clock();
	c->state = state;
}

static bool conn_full(const struct tcp_conn *c)
{
	return c->t->paused || c->under_way >= TCP_PIPELINE_MAX || out_len(c) >= TCP_OUT_HIGH;
}

/* One question out of the input. False: there is none, or the connection was closed. */
static bool conn_take(struct tcp_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	uint8_t frame[FRAME_HEAD + TCP_QUESTION_MAX];
	size_t len;

	if (evbuffer_copyout(in, frame, FRAME_HEAD) != FRAME_HEAD)
		return false;
	len = (size_t)frame[0] << 8 | frame[1];
	if (len > TCP_QUESTION_MAX) {
		c->t->counts.bad_frame++;
		conn_close(c);
		return false;
	}
	if (evbuffer_get_length(in) < FRAME_HEAD + len)
		return false;
	(void)evbuffer_remove(in, frame, FRAME_HEAD + len);
	/* The next one has its own time. */
	c->since_us = c->t->clock();
	c->t->message(c->t->arg, c, &c->client, frame + FRAME_HEAD, len);
	return true;
}

static void conn_read(struct bufferevent *bev, void *arg)
{
	struct tcp_conn *c = arg;

	c->under_way++; /* it must outlive the loop */
	while (c->bev != NULL) {
		if (conn_full(c)) {
			(void)bufferevent_disable(bev, EV_READ);
			break;
		}
		if (!conn_take(c))
			break;
	}
	c->under_way--;
	conn_state_update(c);
	conn_free_if_done(c);
}

static void conn_event(struct bufferevent *bev, short what, void *arg)
{
	struct tcp_conn *c = arg;

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		c->handshaken = true;
		conn_state_update(c);
		return;
	}
	if ((what & BEV_EVENT_EOF) != 0 && (!c->tls || c->handshaken)) {
		c->eof = true;
		if (!conn_quiet(c))
			return; /* the rest is done in conn_written() */
	} else if (c->tls && !c->handshaken) {
		c->t->counts.handshake_failed++;
	}
	conn_close(c);
	conn_free_if_done(c);
}

static void conn_resume(struct tcp_conn *c)
{
	if (c->bev == NULL || conn_full(c))
		return;
	if (!c->eof)
		(void)bufferevent_enable(c->bev, EV_READ);
	if (evbuffer_get_length(bufferevent_get_input(c->bev)) != 0)
		bufferevent_trigger(c->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS);
}

/* The output is empty. */
static void conn_written(struct bufferevent *bev, void *arg)
{
	struct tcp_conn *c = arg;

	if (!c->eof || !conn_quiet(c)) {
		/* It was not read while it took no answers; no other answer may come to resume it. */
		if ((bufferevent_get_enabled(bev) & EV_READ) == 0)
			conn_resume(c);
		conn_state_update(c);
		return;
	}
	conn_close(c);
	conn_free_if_done(c);
}

void tcp_conn_ref(struct tcp_conn *c)
{
	c->under_way++;
}

/* False: the connection is of no more use. */
static bool conn_write(struct tcp_conn *c, const uint8_t *msg, size_t len)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	struct evbuffer_iovec room;
	uint8_t *to;

	if (out_len(c) > TCP_OUT_MAX || c->t->out_bytes > TCP_OUT_TOTAL) {
		c->t->counts.too_slow++;
		return false;
	}
	/* In one piece: over TLS each addition is a record. */
	if (evbuffer_reserve_space(out, (ev_ssize_t)(FRAME_HEAD + len), &room, 1) != 1)
		return false;
	to = room.iov_base;
	to[0] = (uint8_t)(len >> 8);
	to[1] = (uint8_t)len;
	memcpy(to + FRAME_HEAD, msg, len);
	room.iov_len = FRAME_HEAD + len;
	return evbuffer_commit_space(out, &room, 1) == 0;
}

void tcp_conn_answer(struct tcp_conn *c, const uint8_t *msg, size_t len)
{
	bool was_full = c->bev != NULL && (bufferevent_get_enabled(c->bev) & EV_READ) == 0;

	/* Still counted while it is written: a write that fails at once calls back. */
	if (c->bev != NULL && len != 0 && !conn_write(c, msg, len))
		conn_close(c);
	c->under_way--;
	if (c->bev == NULL) {
		conn_free_if_done(c);
		return;
	}
	conn_state_update(c);
	if (was_full)
		conn_resume(c);
	if (c->eof) /* conn_written() looks whether that was all */
		bufferevent_trigger(c->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}

bool tcp_conn_encrypted(const struct tcp_conn *c)
{
	return c->tls;
}

uint16_t tcp_conn_keepalive(const struct tcp_conn *c)
{
	return (uint16_t)(idle_ms(c->t) / 100u);
}

/* Who has waited longest for something to come from the client, of @load's connections or (NULL) of all. */
static struct tcp_conn *conn_oldest(const struct tcp *t, const struct client_load *load)
{
	struct tcp_conn *oldest = NULL;

	for (struct tcp_conn *c = t->conns; c != NULL; c = c->next)
		if (c->state != CONN_BUSY && (load == NULL || c->load == load) &&
		    (oldest == NULL || c->since_us <= oldest->since_us)) /* the list begins with the newest */
			oldest = c;
	return oldest;
}

static bool make_room(struct tcp *t, const struct client_load *load)
{
	struct tcp_conn *c = conn_oldest(t, load);

	if (c == NULL)
		return false;
	t->counts.evicted++;
	conn_close(c);
	conn_free_if_done(c);
	return true;
}

/* Room for one of this client, counted already, by its other connections first. */
static bool admit(struct tcp *t, const struct client_load *load)
{
	if (load->conns > CLIENT_CONNS_MAX && !make_room(t, load))
		return false;
	return t->n_conns < TCP_CONNS_MAX || make_room(t, NULL);
}

/* NULL: out of memory, or no certificate for it; the descriptor is closed. */
static struct bufferevent *bev_new(struct tcp *t, int fd, uint8_t tls)
{
	struct bufferevent *bev;
	SSL *ssl;

	if (tls == 0) {
		bev = bufferevent_socket_new(t->base, fd, BEV_OPT_CLOSE_ON_FREE);
		if (bev == NULL)
			(void)close(fd);
		return bev;
	}
	ssl = tls < TCP_CERTS_MAX && t->certs[tls] != NULL ? SSL_new(t->certs[tls]) : NULL;
	bev = ssl != NULL ? bufferevent_openssl_socket_new(t->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
							   BEV_OPT_CLOSE_ON_FREE)
			  : NULL;
	if (bev == NULL) {
		SSL_free(ssl);
		(void)close(fd);
		return NULL;
	}
	/* A message's end is in its frame: nothing is believed because the connection ended well. */
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

static void conn_add(struct tcp *t, struct tcp_conn *c)
{
	c->next = t->conns;
	if (t->conns != NULL)
		t->conns->prev = c;
	t->conns = c;
	c->load->conns++;
	t->n_conns++;
	t->counts.opened++;
	if (event_pending(t->tick, EV_TIMEOUT, NULL) == 0)
		(void)event_add(t->tick, &tick_every);
}

void tcp_conn_open(struct tcp *t, int fd, const struct ip_addr *client, uint8_t tls)
{
	struct client_load *load = client_get(t->clients, client);
	struct tcp_conn *c = NULL;
	int one = 1;

	if (load == NULL) {
		(void)close(fd);
		return;
	}
	load->conns++; /* it must outlive the eviction of its own */
	if (admit(t, load))
		c = calloc(1, sizeof(*c));
	else
		t->counts.refused++;
	load->conns--;
	if (c != NULL)
		c->bev = bev_new(t, fd, tls);
	else
		(void)close(fd);
	if (c == NULL || c->bev == NULL) {
		free(c);
		client_put(t->clients, load);
		return;
	}
	c->t = t;
	c->client = *client;
	c->load = load;
	c->tls = tls != 0;
	c->state = c->tls ? CONN_HANDSHAKE : CONN_IDLE;
	c->since_us = t->clock();
	conn_add(t, c);
	/* Not for a socket pair. Waiting to fill a segment would cost each answer 40 ms. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	bufferevent_setcb(c->bev, conn_read, conn_written, conn_event, c);
	(void)evbuffer_add_cb(bufferevent_get_output(c->bev), out_changed, c);
	/* At most one question more than fits the frame is read ahead. */
	bufferevent_setwatermark(c->bev, EV_READ, 0, FRAME_HEAD + TCP_QUESTION_MAX);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static uint64_t state_ms(const struct tcp_conn *c)
{
	switch (c->state) {
	case CONN_HANDSHAKE:
		return TCP_HANDSHAKE_MS;
	case CONN_IDLE:
		return idle_ms(c->t);
	case CONN_PARTIAL:
		return TCP_QUESTION_MS;
	case CONN_BUSY:
		break;
	}
	return UINT64_MAX / 1000u;
}

/* Its time is up. */
static bool conn_late(const struct tcp_conn *c)
{
	uint64_t now = c->t->clock();

	return (now > c->since_us && now - c->since_us >= state_ms(c) * 1000u) ||
	       (c->full_us != 0 && now > c->full_us && now - c->full_us >= TCP_DRAIN_MS * UINT64_C(1000));
}

static void listeners_update(struct tcp *t)
{
	for (uint32_t i = 0; i < t->n_listeners; i++)
		(void)(t->paused || t->starved ? event_del(t->listeners[i].ev) : event_add(t->listeners[i].ev, NULL));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;

	(void)fd;
	(void)what;
	/* Who is not read is not late. */
	for (struct tcp_conn *c = t->paused ? NULL : t->conns, *next; c != NULL; c = next) {
		next = c->next;
		if (!conn_late(c))
			continue;
		t->counts.too_slow += c->state != CONN_IDLE;
		conn_close(c);
		conn_free_if_done(c);
	}
	if (t->starved) {
		t->starved = false;
		listeners_update(t);
	}
	if (t->n_conns != 0)
		(void)event_add(t->tick, &tick_every);
}

/* No descriptor for one more: the listening sockets would wake us for ever. */
static void starve(struct tcp *t)
{

	if (make_room(t, NULL))
		return;
	t->starved = true;
	listeners_update(t);
	(void)event_add(t->tick, &tick_every);
}

static void listener_ready(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)what;
	for (uint32_t i = 0; i < ACCEPT_PER_WAKE; i++) {
		union socket_address peer;
		socklen_t len = sizeof(peer);
		struct ip_addr client;
		int conn = accept4(fd, &peer.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (conn == -1) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				starve(l->t);
			return; /* EAGAIN, or a client that has gone */
		}
		client = client_addr(&peer);
		if (client.family == IP_NONE)
			(void)close(conn);
		else
			tcp_conn_open(l->t, conn, &client, l->tls);
	}
}

struct tcp *tcp_new(struct event_base *base, struct client_table *clients, tcp_clock_fn *clock, tcp_message_fn *message,
		    void *arg)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->base = base;
	t->clients = clients;
	t->clock = clock;
	t->message = message;
	t->arg = arg;
	t->paused = true;
	t->tick = event_new(base, -1, EV_TIMEOUT, on_tick, t);
	return t->tick != NULL ? t : tcp_free(t);
}

struct tcp *tcp_free(struct tcp *t)
{
	if (t == NULL)
		return NULL;
	while (t->conns != NULL) {
		struct tcp_conn *c = t->conns;

		conn_close(c);
		conn_free_if_done(c);
	}
	for (uint32_t i = 0; i < t->n_listeners; i++) {
		(void)close(event_get_fd(t->listeners[i].ev));
		event_free(t->listeners[i].ev);
	}
	for (uint32_t i = 0; i < TCP_CERTS_MAX; i++)
		SSL_CTX_free(t->certs[i]);
	if (t->tick != NULL)
		event_free(t->tick);
	free(t);
	return NULL;
}

int tcp_listen(struct tcp *t, int fd, uint8_t tls, struct err *e)
{
	struct listener *l = &t->listeners[t->n_listeners];

	if (t->n_listeners == LISTENERS_MAX) {
		(void)close(fd);
		return err_set(e, -E2BIG, "more than %u TCP sockets", LISTENERS_MAX);
	}
	*l = (struct listener){ .t = t,
				.tls = tls,
				.ev = event_new(t->base, fd, EV_READ | EV_PERSIST, listener_ready, l) };
	if (l->ev == NULL || (!t->paused && event_add(l->ev, NULL) != 0)) {
		if (l->ev != NULL)
			event_free(l->ev);
		(void)close(fd);
		return err_set(e, -ENOMEM, "TCP socket");
	}
	t->n_listeners++;
	return 0;
}

int tcp_certificate(struct tcp *t, uint32_t tls, struct ssl_ctx_st *ctx, struct err *e)
{
	if (tls == 0 || tls >= TCP_CERTS_MAX) {
		SSL_CTX_free(ctx);
		return err_set(e, -EBADMSG, "certificate number %u", tls);
	}
	SSL_CTX_free(t->certs[tls]);
	t->certs[tls] = ctx;
	return 0;
}

void tcp_pause(struct tcp *t, bool paused)
{
	if (t->paused == paused)
		return;
	t->paused = paused;
	listeners_update(t);
	for (struct tcp_conn *c = t->conns; c != NULL && !paused; c = c->next)
		conn_resume(c);
}

const struct tcp_counts *tcp_counts(const struct tcp *t)
{
	return &t->counts;
}

uint32_t tcp_n_conns(const struct tcp *t)
{
	return t->n_conns;
}
