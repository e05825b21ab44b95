/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Debian's libunbound is built without TLS, so TLS is ours: libunbound is told to forward over TCP to a port of the
 * loopback, and each of its connections is carried to the upstream inside a TLS connection of its own. DNS over TCP and
 * over TLS have the same framing (RFC 7858 3.3): nothing is parsed here. Owned by resolver.c.
 *
 * The upstream's certificate must be valid for its name, or the connection ends: strict profile of RFC 8310, never a
 * fall back to clear text. A pipe ends when either end does. The port is open to other programs of this host: they
 * could ask the upstream themselves. */
#include "dnsd/dot.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#define BACKLOG 64

struct relay {
	struct dot *d;
	struct event *ev; /* NULL: unused */
	int fd;
	char *name;
	struct sockaddr_storage to;
	socklen_t to_len;
};

struct dot_pipe {
	struct dot *d;
	struct dot_pipe *prev, *next;
	struct bufferevent *local, *remote;
	bool ended; /* the upstream has closed; what it sent is still to be taken */
};

struct dot {
	struct event_base *base;
	SSL_CTX *tls;
	struct relay relays[DOT_UPSTREAMS_MAX];
	uint32_t n_relays, n_pipes;
	struct dot_pipe *pipes;
};

static void pipe_close(struct dot_pipe *p)
{
	struct dot *d = p->d;

	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		d->pipes = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	d->n_pipes--;
	if (p->local != NULL)
		bufferevent_free(p->local);
	if (p->remote != NULL)
		bufferevent_free(p->remote);
	free(p);
}

static void pipe_read(struct bufferevent *bev, void *arg)
{
	struct dot_pipe *p = arg;
	struct bufferevent *other = bev == p->local ? p->remote : p->local;

	if (bufferevent_write_buffer(other, bufferevent_get_input(bev)) != 0 ||
	    evbuffer_get_length(bufferevent_get_output(other)) > DOT_BUFFER_MAX)
		pipe_close(p);
}

/* Questions are small and one after the other: waiting to fill a segment would cost each one 40 ms. */
static void no_delay(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void pipe_event(struct bufferevent *bev, short what, void *arg)
{
	struct dot_pipe *p = arg;

	if ((what & BEV_EVENT_CONNECTED) != 0)
		no_delay(bufferevent_getfd(bev));
	if ((what & ~(BEV_EVENT_CONNECTED | BEV_EVENT_READING | BEV_EVENT_WRITING)) == 0)
		return;
	if (bev == p->remote && evbuffer_get_length(bufferevent_get_output(p->local)) != 0) {
		p->ended = true;
		(void)bufferevent_disable(bev, EV_READ | EV_WRITE);
		return;
	}
	pipe_close(p);
}

/* The local end has taken everything. */
static void pipe_written(struct bufferevent *bev, void *arg)
{
	struct dot_pipe *p = arg;

	(void)bev;
	if (p->ended)
		pipe_close(p);
}

/* The TLS end, connecting. NULL when out of memory. */
static struct bufferevent *remote_open(const struct relay *r)
{
	SSL *ssl = SSL_new(r->d->tls);
	struct bufferevent *bev;

	if (ssl == NULL)
		return NULL;
	if (SSL_set1_host(ssl, r->name) != 1 || SSL_set_tlsext_host_name(ssl, r->name) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	bev = bufferevent_openssl_socket_new(r->d->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL)
		SSL_free(ssl);
	return bev;
}

static void pipe_open(struct relay *r, int fd)
{
	static const struct timeval idle = { .tv_sec = DOT_IDLE_S };
	struct dot *d = r->d;
	struct dot_pipe *p = d->n_pipes < DOT_PIPES_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (p == NULL) {
		(void)close(fd);
		return;
	}
	no_delay(fd);
	p->d = d;
	p->next = d->pipes;
	if (p->next != NULL)
		p->next->prev = p;
	d->pipes = p;
	d->n_pipes++;
	p->local = bufferevent_socket_new(d->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (p->local == NULL)
		(void)close(fd);
	p->remote = remote_open(r);
	if (p->local == NULL || p->remote == NULL) {
		pipe_close(p);
		return;
	}
	bufferevent_setcb(p->local, pipe_read, pipe_written, pipe_event, p);
	bufferevent_setcb(p->remote, pipe_read, NULL, pipe_event, p);
	(void)bufferevent_set_timeouts(p->local, &idle, NULL);
	(void)bufferevent_set_timeouts(p->remote, NULL, &idle);
	(void)bufferevent_enable(p->local, EV_READ | EV_WRITE);
	(void)bufferevent_enable(p->remote, EV_READ | EV_WRITE);
	/* On failure, also when it comes at once, the callback has closed the pipe or will. */
	(void)bufferevent_socket_connect(p->remote, (struct sockaddr *)&r->to, (int)r->to_len);
}

static void relay_ready(evutil_socket_t fd, short what, void *arg)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (conn != -1)
		pipe_open(arg, conn);
}

int dot_new(struct event_base *base, const char *bundle, struct dot **ret, struct err *e)
{
	struct dot *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return err_set(e, -ENOMEM, "TLS");
	d->base = base;
	d->tls = SSL_CTX_new(TLS_client_method());
	if (d->tls == NULL || SSL_CTX_set_min_proto_version(d->tls, TLS1_2_VERSION) != 1) {
		(void)dot_free(d);
		return err_set(e, -ENOMEM, "TLS");
	}
	SSL_CTX_set_verify(d->tls, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_file(d->tls, bundle) != 1) {
		(void)dot_free(d);
		return err_set(e, -ENOENT, "TLS: no certificates in %s", bundle);
	}
	*ret = d;
	return 0;
}

struct dot *dot_free(struct dot *d)
{
	if (d == NULL)
		return NULL;
	while (d->pipes != NULL)
		pipe_close(d->pipes);
	for (uint32_t i = 0; i < d->n_relays; i++) {
		if (d->relays[i].ev != NULL)
			event_free(d->relays[i].ev);
		fd_closep(&d->relays[i].fd);
		free(d->relays[i].name);
	}
	SSL_CTX_free(d->tls);
	free(d);
	return NULL;
}

static void upstream_addr(const struct plan_upstream *u, struct relay *r)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(u->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(u->port) };

	memcpy(&in4.sin_addr, u->addr.bytes, sizeof(in4.sin_addr));
	memcpy(&in6.sin6_addr, u->addr.bytes, sizeof(in6.sin6_addr));
	r->to_len = u->addr.family == IP_V4 ? sizeof(in4) : sizeof(in6);
	if (u->addr.family == IP_V4)
		memcpy(&r->to, &in4, sizeof(in4));
	else
		memcpy(&r->to, &in6, sizeof(in6));
}

static int relay_listen(struct relay *r, uint16_t *ret_port, struct err *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd == -1 || bind(r->fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(r->fd, BACKLOG) != 0 ||
	    getsockname(r->fd, (struct sockaddr *)&at, &len) != 0)
		return err_set(e, -errno, "TLS relay: %s", strerror(errno));
	r->ev = event_new(r->d->base, r->fd, EV_READ | EV_PERSIST, relay_ready, r);
	if (r->ev == NULL || event_add(r->ev, NULL) != 0)
		return err_set(e, -ENOMEM, "TLS relay");
	*ret_port = ntohs(at.sin_port);
	return 0;
}

int dot_add(struct dot *d, const struct plan_upstream *u, uint16_t *ret_port, struct err *e)
{
	struct relay *r = &d->relays[d->n_relays];

	if (d->n_relays == DOT_UPSTREAMS_MAX)
		return err_set(e, -E2BIG, "more than %u upstreams with TLS", DOT_UPSTREAMS_MAX);
	if (u->tls_name == NULL)
		return err_set(e, -EBADMSG, "an upstream with TLS, but no name for its certificate");
	/* OpenSSL checks no name when it is empty, and every name below when it begins with a dot. */
	if (u->tls_name[0] == '\0' || u->tls_name[0] == '.')
		return err_set(e, -EBADMSG, "an upstream with TLS, but no whole name for its certificate");
	d->n_relays++; /* dot_free() clears what was begun */
	r->d = d;
	r->fd = -1;
	r->name = strdup(u->tls_name);
	if (r->name == NULL)
		return err_set(e, -ENOMEM, "TLS relay");
	upstream_addr(u, r);
	return relay_listen(r, ret_port, e);
}
