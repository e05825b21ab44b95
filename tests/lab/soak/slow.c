/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Slow TCP clients, many of them, from addresses of devices that no stub has: some open a connection and say nothing,
 * some say a question a byte a second, one in ten asks without end and never reads an answer. Those that the server
 * closes come again after a while. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define STEP_MS	  1000
#define AGAIN_MS  1000
#define READS_NOT 10 /* one in so many */
#define BURST	  64 /* questions that one of these sends in a step, as far as they go */
#define SMALL_BUF 4096

struct slow_conn {
	int fd;
	uint64_t due_ms;
	size_t at; /* of the frame, said so far */
	struct soak_ask ask;
};

static void slow_open(struct soak_slow *s, struct slow_conn *c, unsigned int i)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int on = 1, small = SMALL_BUF;

	from.sin_addr.s_addr = htonl(ntohl(inet_addr(s->run->slow4)) + i % s->run->slow_devices);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c->at = 0;
	if (c->fd < 0)
		return;
	(void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(c->fd, (const struct sockaddr *)&from, sizeof(from)) == 0 &&
	    (connect(c->fd, (const struct sockaddr *)&s->run->server4, sizeof(s->run->server4)) == 0 ||
	     errno == EINPROGRESS)) {
		s->counts.opened++;
		return;
	}
	(void)close(c->fd);
	c->fd = -1;
}

/* False: the other side has ended it. */
static bool slow_step(struct slow_conn *c, unsigned int i)
{
	bool asks = i % READS_NOT == 0, says = !asks && i % 2 == 0;
	uint8_t frame[2 + sizeof(c->ask.wire)] = { 0, (uint8_t)c->ask.len };
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };
	ssize_t n = 0;

	if (poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0)
		return false;
	memcpy(frame + 2, c->ask.wire, c->ask.len);
	if (says) {
		n = send(c->fd, frame + c->at, 1, MSG_NOSIGNAL);
		c->at = n == 1 ? (c->at + 1) % (2 + c->ask.len) : c->at;
	}
	for (unsigned int k = 0; asks && k < BURST && n >= 0; k++)
		n = send(c->fd, frame, 2 + c->ask.len, MSG_NOSIGNAL);
	return n >= 0 || errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN;
}

void *soak_slow_main(void *arg)
{
	struct soak_slow *s = arg;
	struct slow_conn *conns = calloc(s->n, sizeof(*conns));
	uint64_t seed = 88172645463325252u;

	for (unsigned int i = 0; conns != NULL && i < s->n; i++) {
		/* Spread over the first steps: 500 at once would be a flood, which is another test. */
		conns[i] = (struct slow_conn){ .fd = -1, .due_ms = soak_now_ms() + i * 4u };
		if (soak_ask_make(&conns[i].ask, &seed) != 0)
			return NULL;
	}
	while (conns != NULL && soak_now_ms() < s->run->end_ms) {
		uint64_t now = soak_now_ms(), open = 0;

		for (unsigned int i = 0; i < s->n; i++) {
			struct slow_conn *c = &conns[i];

			open += c->fd >= 0;
			if (c->due_ms > now)
				continue;
			c->due_ms = now + STEP_MS;
			if (c->fd < 0) {
				slow_open(s, c, i);
			} else if (!slow_step(c, i)) {
				(void)close(c->fd);
				c->fd = -1;
				c->due_ms = now + AGAIN_MS;
				s->counts.closed++;
			}
		}
		s->counts.most_open = open > s->counts.most_open ? open : s->counts.most_open;
		(void)poll(NULL, 0, 20);
	}
	for (unsigned int i = 0; conns != NULL && i < s->n; i++)
		if (conns[i].fd >= 0)
			(void)close(conns[i].fd);
	free(conns);
	return NULL;
}
