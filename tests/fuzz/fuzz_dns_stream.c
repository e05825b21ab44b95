/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a client's connection, in any pieces, with answers at once, later or never: the messages that come out
 * are those that a plain walk over the bytes finds, and nothing of the connection is left behind.
 *
 * Input: pieces, each a byte of length and what is to be sent; a length of 255 is the end of what the client sends,
 * 254: answers that were held are given, the last first. The first byte's bit 0: answers are held. */
#include "dnsd/local.h"
#include "dnsd/tcp.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECE_END  255u
#define PIECE_GIVE 254u

struct state {
	struct event_base *base;
	struct client_table *clients;
	struct tcp *t;
	struct tcp_conn *held[TCP_PIPELINE_MAX];
	uint32_t n_held, n_messages;
	bool hold;
	const uint8_t *sent; /* all bytes of the client, as they were sent */
	size_t n_sent, at;   /* .at: of the next frame */
};

static uint64_t still(void)
{
	return 1;
}

static void give(struct state *s)
{
	while (s->n_held != 0)
		tcp_conn_answer(s->held[--s->n_held], (const uint8_t *)"later", 5);
}

static void on_message(void *arg, struct tcp_conn *conn, const struct ip_addr *client, const uint8_t *msg, size_t len)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct state *s = arg;
	struct question q;
	int rc;

	(void)client;
	if (s->n_sent - s->at < 2 + len || s->sent[s->at] != len >> 8 || s->sent[s->at + 1] != (len & 0xff) ||
	    memcmp(s->sent + s->at + 2, msg, len) != 0)
		abort();
	s->at += 2 + len;
	s->n_messages++;
	tcp_conn_ref(conn);
	if (s->hold && s->n_held < TCP_PIPELINE_MAX) {
		s->held[s->n_held++] = conn;
		return;
	}
	rc = question_read(msg, len, &q);
	if (rc >= 0 && rc < QUESTION_COOKIE)
		rc = local_error(&q, (uint32_t)rc, EDE_PROHIBITED, "refused", out, sizeof(out));
	else
		rc = 0;
	tcp_conn_answer(conn, out, rc > 0 ? (size_t)rc : 0);
}

static void run(struct state *s, int fd)
{
	uint8_t buf[65536];

	for (int i = 0; i < 4; i++) {
		(void)event_base_loop(s->base, EVLOOP_NONBLOCK);
		while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
	}
}

/* Whole frames up to the first that can be no question. */
static uint32_t frames(const uint8_t *bytes, size_t len)
{
	uint32_t n = 0;
	size_t at = 0;

	while (len - at >= 2) {
		size_t one = (size_t)bytes[at] << 8 | bytes[at + 1];

		if (one > TCP_QUESTION_MAX || len - at < 2 + one)
			break;
		at += 2 + one;
		n++;
	}
	return n;
}

static void start(struct state *s)
{
	(void)signal(SIGPIPE, SIG_IGN);
	s->base = event_base_new();
	s->clients = client_table_new();
	s->t = tcp_new(s->base, s->clients, still, on_message, s);
	if (s->t == NULL)
		abort();
	tcp_pause(s->t, false);
}

static void client_run(struct state *s, int fd, const uint8_t *data, size_t size, uint8_t *sent)
{
	size_t i = 0;

	while (i < size) {
		uint8_t n = data[i++];
		ssize_t took;

		if (n == PIECE_END) {
			(void)shutdown(fd, SHUT_WR);
			break;
		}
		if (n == PIECE_GIVE) {
			give(s);
			run(s, fd);
			continue;
		}
		n = (uint8_t)(size - i < n ? size - i : n);
		memcpy(sent + s->n_sent, data + i, n);
		i += n;
		took = send(fd, sent + s->n_sent, n, MSG_NOSIGNAL);
		if (took < 0)
			break; /* closed on us: of that frame */
		s->n_sent += (size_t)took;
		run(s, fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ip_addr client = { .family = IP_V4, .bytes = { 10, 0, 0, 1 } };
	static struct state s;
	uint8_t *sent = malloc(size + 1);
	int fds[2];

	if (sent == NULL)
		return 0;
	if (s.t == NULL)
		start(&s);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	s.sent = sent;
	s.n_sent = s.at = s.n_messages = 0;
	s.hold = size != 0 && (data[0] & 1) != 0;
	tcp_conn_open(s.t, fds[1], &client, 0);
	client_run(&s, fds[0], size != 0 ? data + 1 : data, size != 0 ? size - 1 : 0, sent);
	s.hold = false;
	for (int i = 0; i < 8; i++) {
		give(&s);
		run(&s, fds[0]);
	}
	if (s.n_messages != frames(sent, s.n_sent))
		abort();
	(void)close(fds[0]);
	give(&s);
	(void)event_base_loop(s.base, EVLOOP_NONBLOCK);
	(void)event_base_loop(s.base, EVLOOP_NONBLOCK);
	if (tcp_n_conns(s.t) != 0)
		abort();
	free(sent);
	return 0;
}
