/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A port for each burst of questions. Called by forward.c.
 *
 * A question costs its system calls: two for one that has a socket to itself, and eight with a new socket. So the
 * questions that come within FORWARD_BURST_US of each other, at most FORWARD_BURST of them, leave from one connected
 * socket with a port that the kernel draws for it; those of one wake leave in one sendmmsg(2), their answers come in
 * one recvmmsg(2). Then the socket takes no more, and is closed with its last answer. With few questions each has a
 * port of its own; with many the cost of a socket is shared by 32.
 *
 * What a blind forger must guess for one question: 16 bits of ID (libsodium's generator, drawn for each try) and the
 * port, 28,232 by default (net.ipv4.ip_local_port_range), 14.8 bits: 30.8. Unbound draws from some 60,000 ports: 31.9.
 * A forged datagram names one question and one ID, so questions that share a port do not help each other's forger; and
 * who finds out a port by trying finds that no further question leaves from it. The socket is connected: the kernel
 * takes datagrams from the upstream's address and port only, and reports its ICMP errors. Source: RFC 5452. */
#include "dnsd/forward_udp.h"

#include "base/clock.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/socket.h>

struct udp_socket {
	struct forward_udp *pool;
	struct upstream *up;
	struct udp_socket *next; /* while unused */
	struct event ev;
	int fd;
	uint64_t opened_us;
	uint32_t n_used, n_sent, n_pending;
	bool current; /* takes questions */
	bool busy;    /* in its own callback: not to be closed */
	uint16_t ids[FORWARD_BURST];
	struct forward_try *tries[FORWARD_BURST]; /* NULL: answered, or nobody waits */
};

/* What one upstream needs for a burst: the messages of the current socket, by slot. */
struct udp_path {
	struct forward_udp *pool;
	struct udp_socket *current;
	struct udp_path *next; /* of all */
	struct upstream *up;
	struct mmsghdr out[FORWARD_BURST];
	struct iovec iov[FORWARD_BURST];
	uint8_t buf[FORWARD_BURST][FORWARD_QUESTION_MAX];
};

struct forward_udp {
	struct event_base *base;
	struct forward_random *random;
	struct event flush_ev;
	bool flush_due;
	struct udp_path *paths;
	struct udp_socket *unused;
	uint32_t n_sockets;
	uint64_t ignored;
	struct mmsghdr in[FORWARD_BURST];
	struct iovec in_iov[FORWARD_BURST];
	uint8_t in_buf[FORWARD_BURST][FORWARD_UDP_MAX];
};

static void socket_close(struct udp_socket *s)
{
	struct forward_udp *p = s->pool;

	(void)event_del(&s->ev);
	(void)close(s->fd);
	s->next = p->unused;
	p->unused = s;
	p->n_sockets--;
}

static void socket_close_if_done(struct udp_socket *s)
{
	if (!s->current && !s->busy && s->n_pending == 0)
		socket_close(s);
}

/* Take its tries from it and tell. It is no longer current. */
static void socket_fail(struct udp_socket *s, int error, uint64_t now_us)
{
	struct udp_path *path = s->up->path;

	if (s->current)
		path->current = NULL;
	s->current = false;
	s->busy = true;
	for (uint32_t i = 0; i < s->n_used; i++) {
		struct forward_try *t = s->tries[i];

		if (t == NULL)
			continue;
		s->tries[i] = NULL;
		s->n_pending--;
		t->via = NULL;
		forward_try_failed(t, error, NULL, now_us);
	}
	s->busy = false;
	socket_close_if_done(s);
}

static struct forward_try *try_find(const struct udp_socket *s, uint16_t id)
{
	for (uint32_t i = 0; i < s->n_sent; i++)
		if (s->ids[i] == id && s->tries[i] != NULL)
			return s->tries[i];
	return NULL;
}

/* One batch: a second one would be of somebody who sends more than was asked, and the rest can wait. */
static void socket_ready(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *s = arg;
	struct forward_udp *p = s->pool;
	uint64_t now_us = clock_monotonic_us();
	int n = recvmmsg(fd, p->in, FORWARD_BURST, MSG_DONTWAIT, NULL);

	(void)what;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		socket_fail(s, errno, now_us);
		return;
	}
	s->busy = true;
	for (int i = 0; i < n; i++) {
		const uint8_t *msg = p->in_buf[i];
		struct forward_try *t = NULL;
		size_t len = p->in[i].msg_len;
		bool cut = (p->in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;

		if (len >= DNS_HEADER_LEN)
			t = try_find(s, (uint16_t)(msg[0] << 8 | msg[1]));
		if (t == NULL || !forward_try_answered(t, msg, len, cut, now_us))
			p->ignored++;
		p->in[i].msg_hdr.msg_flags = 0;
	}
	s->busy = false;
	socket_close_if_done(s);
}

static int socket_connect(struct udp_socket *s, const struct upstream *u)
{
	int rc;

	s->fd = socket(u->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd == -1)
		return -errno;
	if (connect(s->fd, (const struct sockaddr *)&u->addr, u->addr_len) == 0 &&
	    event_assign(&s->ev, s->pool->base, s->fd, EV_READ | EV_PERSIST, socket_ready, s) == 0) {
		if (event_add(&s->ev, NULL) == 0)
			return 0;
		errno = ENOMEM;
	}
	rc = -errno;
	(void)close(s->fd);
	return rc;
}

static int socket_open(struct forward_udp *p, struct upstream *u, uint64_t now_us, struct udp_socket **ret)
{
	struct udp_socket *s = p->unused;
	int rc;

	if (p->n_sockets == FORWARD_SOCKETS_MAX)
		return -EMFILE;
	if (s != NULL)
		p->unused = s->next;
	else
		s = malloc(sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->pool = p;
	s->up = u;
	s->opened_us = now_us;
	s->n_used = s->n_sent = s->n_pending = 0;
	s->current = s->busy = false;
	rc = socket_connect(s, u);
	if (rc != 0) {
		s->next = p->unused;
		p->unused = s;
		return rc;
	}
	p->n_sockets++;
	*ret = s;
	return 0;
}

/* Send what waits on the current socket. */
static void path_flush(struct udp_path *path, uint64_t now_us)
{
	struct udp_socket *s = path->current;
	int error = 0;

	while (s != NULL && s->n_sent < s->n_used && error == 0) {
		int n = sendmmsg(s->fd, path->out + s->n_sent, s->n_used - s->n_sent, MSG_DONTWAIT);

		if (n <= 0 && errno == EINTR)
			continue;
		if (n <= 0 && errno != EAGAIN && errno != ENOBUFS) {
			error = errno;
			break;
		}
		if (n <= 0)
			n = (int)(s->n_used - s->n_sent); /* no room: lost like any datagram, the timers know */
		for (int i = 0; i < n; i++, s->n_sent++)
			if (s->tries[s->n_sent] != NULL)
				s->tries[s->n_sent]->sent_us = now_us;
		s->up->sent += (uint32_t)n;
	}
	if (error != 0)
		socket_fail(s, error, now_us);
}

static void flush_all(evutil_socket_t fd, short what, void *arg)
{
	struct forward_udp *p = arg;
	uint64_t now_us = clock_monotonic_us();

	(void)fd;
	(void)what;
	p->flush_due = false;
	for (struct udp_path *path = p->paths; path != NULL; path = path->next)
		path_flush(path, now_us);
}

/* No more questions from this port. */
static void path_retire(struct udp_path *path, uint64_t now_us)
{
	struct udp_socket *s = path->current;

	path_flush(path, now_us);
	if (path->current != s)
		return; /* it has failed, and is gone */
	path->current = NULL;
	s->current = false;
	socket_close_if_done(s);
}

static int path_socket(struct udp_path *path, uint64_t now_us, struct udp_socket **ret)
{
	struct udp_socket *s = path->current;
	int rc;

	if (s != NULL && (s->n_used == FORWARD_BURST || now_us - s->opened_us > FORWARD_BURST_US))
		path_retire(path, now_us);
	/* A try that failed in there may have opened the next one. */
	if (path->current == NULL) {
		rc = socket_open(path->pool, path->up, now_us, &s);
		if (rc != 0)
			return rc;
		s->current = true;
		path->current = s;
	}
	if (path->current->n_used == FORWARD_BURST)
		return -EAGAIN;
	*ret = path->current;
	return 0;
}

/* Not one that is under way from the same port: an answer must say which question it is of. */
static uint16_t id_draw(struct udp_socket *s, struct forward_random *random)
{
	for (;;) {
		uint16_t id = forward_random_id(random);
		uint32_t i = 0;

		while (i < s->n_used && s->ids[i] != id)
			i++;
		if (i == s->n_used)
			return id;
	}
}

int forward_udp_send(struct forward_udp *p, struct forward_try *t, uint64_t now_us)
{
	struct udp_path *path = t->up->path;
	struct udp_socket *s;
	uint32_t slot;
	int rc = path_socket(path, now_us, &s);

	if (rc != 0)
		return rc;
	slot = s->n_used;
	t->id = s->ids[slot] = id_draw(s, p->random);
	t->slot = (uint8_t)slot;
	t->via = s;
	t->stream = t->fresh = false;
	t->sent_us = 0;
	path->iov[slot].iov_len = forward_try_write(t, false, now_us, path->buf[slot]);
	s->tries[slot] = t;
	s->n_used++;
	s->n_pending++;
	if (!p->flush_due) {
		p->flush_due = true;
		event_active(&p->flush_ev, EV_TIMEOUT, 0);
	}
	return 0;
}

void forward_udp_drop(struct forward_try *t)
{
	struct udp_socket *s = t->via;

	t->via = NULL;
	s->tries[t->slot] = NULL;
	s->n_pending--;
	socket_close_if_done(s);
}

uint64_t forward_udp_ignored(const struct forward_udp *p)
{
	return p->ignored;
}

int forward_udp_add(struct forward_udp *p, struct upstream *u)
{
	struct udp_path *path = calloc(1, sizeof(*path));

	if (path == NULL)
		return -ENOMEM;
	path->pool = p;
	path->up = u;
	for (uint32_t i = 0; i < FORWARD_BURST; i++) {
		path->iov[i].iov_base = path->buf[i];
		path->out[i].msg_hdr = (struct msghdr){ .msg_iov = &path->iov[i], .msg_iovlen = 1 };
	}
	path->next = p->paths;
	p->paths = path;
	u->path = path;
	return 0;
}

void forward_udp_remove(struct upstream *u)
{
	struct udp_path *path = u->path, **at;

	if (path == NULL)
		return;
	for (at = &path->pool->paths; *at != path; at = &(*at)->next)
		;
	*at = path->next;
	if (path->current != NULL) {
		assert(path->current->n_pending == 0);
		socket_close(path->current);
	}
	free(path);
	u->path = NULL;
}

struct forward_udp *forward_udp_new(struct event_base *base, struct forward_random *random)
{
	struct forward_udp *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->base = base;
	p->random = random;
	for (uint32_t i = 0; i < FORWARD_BURST; i++) {
		p->in_iov[i] = (struct iovec){ .iov_base = p->in_buf[i], .iov_len = sizeof(p->in_buf[i]) };
		p->in[i].msg_hdr = (struct msghdr){ .msg_iov = &p->in_iov[i], .msg_iovlen = 1 };
	}
	if (event_assign(&p->flush_ev, base, -1, 0, flush_all, p) != 0) {
		free(p);
		return NULL;
	}
	return p;
}

struct forward_udp *forward_udp_free(struct forward_udp *p)
{
	if (p == NULL)
		return NULL;
	assert(p->n_sockets == 0 && p->paths == NULL);
	(void)event_del(&p->flush_ev);
	for (struct udp_socket *s = p->unused, *next; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	free(p);
	return NULL;
}
