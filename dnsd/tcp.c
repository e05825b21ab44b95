/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of clients, by libevent's buffered events. Called by worker.c; calls back with each whole message.
 *
 * A connection lives as long as it is open or an answer is under way: each query holds a reference, and an answer for a
 * client that has gone is dropped. It closes when the client closed and all answers are out, when nothing is under way
 * for TCP_IDLE_S, when the client takes no bytes for as long, and on any frame that cannot be a question.
 *
 * An answer may be given while messages are being read (it was cached); so nothing is read from inside
 * tcp_conn_answer(): it asks libevent to call back. */
#include "dnsd/tcp.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#define LISTENERS_MAX	32u /* the tunnel's addresses and those of "listen" */
#define ACCEPT_PER_WAKE 16u /* then other events get their turn */
#define FRAME_HEAD	2u

struct tcp {
	struct event_base *base;
	struct client_table *clients;
	tcp_message_fn *message;
	void *arg;
	struct event *listeners[LISTENERS_MAX];
	uint32_t n_listeners, n_conns;
	struct tcp_conn *conns;
	bool paused;
};

struct tcp_conn {
	struct tcp *t;
	struct tcp_conn *prev, *next; /* open ones */
	struct bufferevent *bev;      /* NULL: closed */
	struct client_load *load;
	struct ip_addr client;
	uint32_t under_way; /* references */
	bool eof;	    /* the client sends no more */
};

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

static bool conn_full(const struct tcp_conn *c)
{
	return c->t->paused || c->under_way >= TCP_PIPELINE_MAX ||
	       evbuffer_get_length(bufferevent_get_output(c->bev)) >= TCP_OUT_HIGH;
}

static void conn_read(struct bufferevent *bev, void *arg)
{
	struct tcp_conn *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t frame[FRAME_HEAD + TCP_QUESTION_MAX];

	c->under_way++; /* it must outlive the loop */
	while (c->bev != NULL) {
		size_t len;

		if (c->under_way > TCP_PIPELINE_MAX || conn_full(c)) {
			(void)bufferevent_disable(bev, EV_READ);
			break;
		}
		if (evbuffer_copyout(in, frame, FRAME_HEAD) != FRAME_HEAD)
			break;
		len = (size_t)frame[0] << 8 | frame[1];
		if (len > TCP_QUESTION_MAX) {
			conn_close(c);
			break;
		}
		if (evbuffer_get_length(in) < FRAME_HEAD + len)
			break;
		(void)evbuffer_remove(in, frame, FRAME_HEAD + len);
		c->t->message(c->t->arg, c, &c->client, frame + FRAME_HEAD, len);
	}
	c->under_way--;
	conn_free_if_done(c);
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
static bool conn_idle(const struct tcp_conn *c)
{
	return c->under_way == 0 && evbuffer_get_length(bufferevent_get_output(c->bev)) == 0 && !conn_asks(c);
}

static void conn_event(struct bufferevent *bev, short what, void *arg)
{
	struct tcp_conn *c = arg;

	if ((what & BEV_EVENT_EOF) != 0) {
		c->eof = true;
		if (!conn_idle(c))
			return; /* the rest is done in conn_written() */
	} else if (what == (BEV_EVENT_TIMEOUT | BEV_EVENT_READING) && !conn_idle(c)) {
		(void)bufferevent_enable(bev, EV_READ); /* it waits for us, not we for it */
		return;
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

	if (!c->eof || !conn_idle(c)) {
		/* It was not read while it took no answers; no other answer may come to resume it. */
		if ((bufferevent_get_enabled(bev) & EV_READ) == 0)
			conn_resume(c);
		return;
	}
	conn_close(c);
	conn_free_if_done(c);
}

void tcp_conn_ref(struct tcp_conn *c)
{
	c->under_way++;
}

void tcp_conn_answer(struct tcp_conn *c, const uint8_t *msg, size_t len)
{
	uint8_t head[FRAME_HEAD] = { (uint8_t)(len >> 8), (uint8_t)len };
	bool was_full = c->bev != NULL && (bufferevent_get_enabled(c->bev) & EV_READ) == 0;

	c->under_way--;
	if (c->bev == NULL) {
		conn_free_if_done(c);
		return;
	}
	if (len != 0 &&
	    (bufferevent_write(c->bev, head, sizeof(head)) != 0 || bufferevent_write(c->bev, msg, len) != 0)) {
		conn_close(c); /* half a frame may be in it */
		conn_free_if_done(c);
		return;
	}
	if (was_full)
		conn_resume(c);
	if (c->eof) /* conn_written() looks whether that was all */
		bufferevent_trigger(c->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}

static void conn_open(struct tcp *t, int fd, const struct ip_addr *client)
{
	static const struct timeval idle = { .tv_sec = TCP_IDLE_S };
	struct client_load *load = client_get(t->clients, client);
	struct tcp_conn *c;

	if (load == NULL || load->conns >= CLIENT_CONNS_MAX || t->n_conns >= TCP_CONNS_MAX ||
	    (c = calloc(1, sizeof(*c))) == NULL) {
		(void)close(fd);
		if (load != NULL)
			client_put(t->clients, load);
		return;
	}
	c->bev = bufferevent_socket_new(t->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		(void)close(fd);
		client_put(t->clients, load);
		free(c);
		return;
	}
	c->t = t;
	c->client = *client;
	c->load = load;
	c->next = t->conns;
	if (t->conns != NULL)
		t->conns->prev = c;
	t->conns = c;
	load->conns++;
	t->n_conns++;
	bufferevent_setcb(c->bev, conn_read, conn_written, conn_event, c);
	/* At most one question more than fits the frame is read ahead. */
	bufferevent_setwatermark(c->bev, EV_READ, 0, FRAME_HEAD + TCP_QUESTION_MAX);
	(void)bufferevent_set_timeouts(c->bev, &idle, &idle);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void listener_ready(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;

	(void)what;
	for (uint32_t i = 0; i < ACCEPT_PER_WAKE; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		struct ip_addr client;
		int conn = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (conn == -1)
			return; /* EAGAIN, or a client that has gone; with EMFILE the queue waits */
		client = client_addr(&peer);
		if (client.family == IP_NONE)
			(void)close(conn);
		else
			conn_open(t, conn, &client);
	}
}

struct tcp *tcp_new(struct event_base *base, struct client_table *clients, tcp_message_fn *message, void *arg)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->base = base;
	t->clients = clients;
	t->message = message;
	t->arg = arg;
	t->paused = true;
	return t;
}

int tcp_listen(struct tcp *t, int fd, struct err *e)
{
	struct event *ev;

	if (t->n_listeners == LISTENERS_MAX) {
		(void)close(fd);
		return err_set(e, -E2BIG, "more than %u TCP sockets", LISTENERS_MAX);
	}
	ev = event_new(t->base, fd, EV_READ | EV_PERSIST, listener_ready, t);
	if (ev == NULL || (!t->paused && event_add(ev, NULL) != 0)) {
		if (ev != NULL)
			event_free(ev);
		(void)close(fd);
		return err_set(e, -ENOMEM, "TCP socket");
	}
	t->listeners[t->n_listeners++] = ev;
	return 0;
}

void tcp_pause(struct tcp *t, bool paused)
{
	if (t->paused == paused)
		return;
	t->paused = paused;
	for (uint32_t i = 0; i < t->n_listeners; i++)
		(void)(paused ? event_del(t->listeners[i]) : event_add(t->listeners[i], NULL));
	for (struct tcp_conn *c = t->conns; c != NULL && !paused; c = c->next)
		conn_resume(c);
}
