/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by worker.c and libevent; gives what comes to ask.c. One recvmmsg(2) and one sendmmsg(2) for up to ASK_BATCH
 * messages: system calls and the kernel's work behind them are nearly all that a cached answer costs. */
#include "dnsd/udp.h"

#include <event2/event.h>

#include "dnsd/udp_local.h"

#define UDP_QUESTION_MAX 1500u /* longer datagrams are no questions */

struct udp_socket {
	struct udp *u;
	struct event *ev;
	int fd;
	/* answers of this wake */
	uint32_t n_out;
	struct mmsghdr out[ASK_BATCH];
	struct iovec out_iov[ASK_BATCH];
	union socket_address out_peer[ASK_BATCH];
	struct udp_local *out_local; /* ASK_BATCH, where the socket has all addresses; else NULL */
	uint8_t out_buf[ASK_BATCH][DNS_UDP_ANSWER_MAX];
};

struct udp {
	struct event_base *base;
	struct query_env *env;
	void (*tick)(void *arg);
	void *arg;
	struct udp_socket *sockets[UDP_SOCKETS_MAX];
	uint32_t n_sockets;
	bool paused;
	/* a batch of any of the sockets */
	struct mmsghdr in[ASK_BATCH];
	struct iovec in_iov[ASK_BATCH];
	union socket_address in_peer[ASK_BATCH];
	struct udp_local in_local[ASK_BATCH];
	uint8_t in_buf[ASK_BATCH][UDP_QUESTION_MAX];
	struct ask_message asked[ASK_BATCH];
};

struct udp *udp_new(struct event_base *base, struct query_env *env, void (*tick)(void *arg), void *arg)
{
	struct udp *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->base = base;
	u->env = env;
	u->tick = tick;
	u->arg = arg;
	u->paused = true;
	for (uint32_t i = 0; i < ASK_BATCH; i++) {
		u->in_iov[i] = (struct iovec){ .iov_base = u->in_buf[i], .iov_len = sizeof(u->in_buf[i]) };
		u->in[i].msg_hdr =
			(struct msghdr){ .msg_name = &u->in_peer[i], .msg_iov = &u->in_iov[i], .msg_iovlen = 1 };
	}
	return u;
}

static void socket_flush(struct udp_socket *s)
{
	uint32_t at = 0;

	while (at < s->n_out) {
		int n = sendmmsg(s->fd, s->out + at, s->n_out - at, MSG_DONTWAIT);

		if (n > 0)
			at += (uint32_t)n;
		else if (errno == EAGAIN)
			break; /* no room: lost like any datagram, the client asks again */
		else if (errno != EINTR)
			at++; /* this one cannot be sent, the others may */
	}
	s->n_out = 0;
}

void udp_flush(struct udp *u)
{
	for (uint32_t i = 0; i < u->n_sockets; i++)
		if (u->sockets[i]->n_out != 0)
			socket_flush(u->sockets[i]);
}

void udp_answer(const struct query_from *from, const uint8_t *msg, size_t len)
{
	struct udp_socket *s = from->udp;
	uint32_t i = s->n_out;

	assert(len <= DNS_UDP_ANSWER_MAX);
	memcpy(s->out_buf[i], msg, len);
	s->out_peer[i] = from->peer;
	s->out_iov[i] = (struct iovec){ .iov_base = s->out_buf[i], .iov_len = len };
	s->out[i].msg_hdr = (struct msghdr){
		.msg_name = &s->out_peer[i], .msg_namelen = from->peer_len, .msg_iov = &s->out_iov[i], .msg_iovlen = 1
	};
	if (s->out_local != NULL)
		udp_local_put(&s->out_local[i], from, &s->out[i].msg_hdr);
	if (++s->n_out == ASK_BATCH)
		socket_flush(s);
}

/* False: there was less than a batch. */
static bool batch_read(struct udp *u, struct udp_socket *s)
{
	uint32_t n_asked = 0;
	int n;

	for (uint32_t i = 0; i < ASK_BATCH; i++) {
		u->in[i].msg_hdr.msg_namelen = sizeof(u->in_peer[i]);
		u->in[i].msg_hdr.msg_flags = 0;
		udp_local_want(s->out_local != NULL ? &u->in_local[i] : NULL, &u->in[i].msg_hdr);
	}
	n = recvmmsg(s->fd, u->in, ASK_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		const struct msghdr *h = &u->in[i].msg_hdr;
		struct ask_message *m = &u->asked[n_asked];

		/* Its other members are zero, or udp_local_get()'s: a datagram has no use for them. */
		m->msg = u->in_buf[i];
		m->len = u->in[i].msg_len;
		m->addr = client_addr(&u->in_peer[i]);
		m->from.udp = s;
		m->from.transport = DNS_TRANSPORT_UDP;
		m->from.peer = u->in_peer[i];
		m->from.peer_len = h->msg_namelen;
		if (s->out_local != NULL)
			udp_local_get(h, &m->from);
		if ((h->msg_flags & MSG_TRUNC) == 0 && m->addr.family != IP_NONE)
			n_asked++;
	}
	ask_batch(u->env, u->asked, n_asked);
	return n == (int)ASK_BATCH;
}

static void socket_ready(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *s = arg;

	(void)fd;
	(void)what;
	s->u->tick(s->u->arg);
	for (uint32_t i = 0; i < UDP_PER_WAKE && !s->u->paused; i++)
		if (!batch_read(s->u, s))
			return;
}

static struct udp_socket *socket_free(struct udp_socket *s)
{
	if (s->ev != NULL)
		event_free(s->ev);
	free(s->out_local);
	free(s);
	return NULL;
}

static struct udp_socket *socket_new(struct udp *u, int fd, bool all_addresses)
{
	struct udp_socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->u = u;
	s->fd = fd;
	s->out_local = all_addresses ? calloc(ASK_BATCH, sizeof(*s->out_local)) : NULL;
	s->ev = event_new(u->base, fd, EV_READ | EV_PERSIST, socket_ready, s);
	if (s->ev == NULL || (all_addresses && s->out_local == NULL) || (!u->paused && event_add(s->ev, NULL) != 0))
		return socket_free(s);
	return s;
}

int udp_listen(struct udp *u, int fd, bool all_addresses, struct err *e)
{
	struct udp_socket *s;

	if (u->n_sockets == UDP_SOCKETS_MAX)
		return err_set(e, -E2BIG, "more than %u UDP sockets", UDP_SOCKETS_MAX);
	s = socket_new(u, fd, all_addresses);
	if (s == NULL)
		return err_set(e, -ENOMEM, "UDP socket");
	u->sockets[u->n_sockets++] = s;
	return 0;
}

void udp_pause(struct udp *u, bool paused)
{
	if (u->paused == paused)
		return;
	u->paused = paused;
	for (uint32_t i = 0; i < u->n_sockets; i++)
		(void)(paused ? event_del(u->sockets[i]->ev) : event_add(u->sockets[i]->ev, NULL));
}
