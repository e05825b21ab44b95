/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Losses are counted by the numbers of the kernel's messages, whoever lost them: the socket (ENOBUFS), or we, where
 * gatewayd does not read. The next DROP tells of them. */
#include "recorder/dropsock.h"

#include "base/ipc.h"
#include "base/log.h"
#include "recorder/nflog.h"

#include <event2/event.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#define DATAGRAM_MAX 4096u /* a message has less than 512 bytes: its head, and DROP_SNAPLEN of the packet */

struct dropsock {
	int fd, channel_fd;
	struct event *readable;
	uint32_t next_seq, lost;
	bool has_seq;
	uint8_t buf[DATAGRAM_MAX];
};

static void drop_send(struct dropsock *s, const struct nflog_drop *d)
{
	struct msg_drop m = {
		.reason = d->reason,
		.mark = d->mark,
		.ifindex = d->ifindex,
		.src = d->src,
		.dst = d->dst,
		.proto = d->proto,
		.has_ports = d->has_ports,
		.src_port = d->src_port,
		.dst_port = d->dst_port,
	};

	if (d->has_seq && s->has_seq)
		s->lost += d->seq - s->next_seq;
	s->has_seq = d->has_seq;
	s->next_seq = d->seq + 1;
	m.lost = s->lost;
	if (ipc_send(s->channel_fd, MSG_DROP, &m, sizeof(m), NULL, 0, NULL) == 0)
		s->lost = 0;
	else
		s->lost++;
}

static void datagram(struct dropsock *s, size_t len)
{
	struct rcur c = rcur_over(s->buf, len);
	struct nflog_drop d;

	/* The rest of a malformed one is lost; its numbers say so. */
	while (nflog_next(&c, &d) == 1)
		drop_send(s, &d);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dropsock *s = arg;

	for (uint32_t i = 0; i < DROPS_PER_WAKE; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(s->fd, s->buf, sizeof(s->buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

		if (n >= 0) {
			/* Only the kernel has port id 0. */
			if (from_len == sizeof(from) && from.nl_pid == 0)
				datagram(s, (size_t)n);
			continue;
		}
		if (errno == EINTR || errno == ENOBUFS)
			continue;
		if (errno != EAGAIN) {
			log_event(LOG_ERR, "recorder.drops", "error=\"%s\", refused packets are not told of",
				  strerror(errno));
			(void)event_del(s->readable);
		}
		return;
	}
}

int dropsock_new(struct event_base *base, int fd, int channel_fd, struct dropsock **ret, struct err *e)
{
	struct dropsock *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		fd_closep(&fd);
		return err_set(e, -ENOMEM, "out of memory");
	}
	s->fd = fd;
	s->channel_fd = channel_fd;
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (s->readable == NULL || event_priority_set(s->readable, 1) != 0 || event_add(s->readable, NULL) != 0) {
		(void)dropsock_free(s);
		return err_set(e, -ENOMEM, "out of memory");
	}
	*ret = s;
	return 0;
}

struct dropsock *dropsock_free(struct dropsock *s)
{
	if (s == NULL)
		return NULL;
	if (s->readable != NULL)
		event_free(s->readable);
	fd_closep(&s->fd);
	free(s);
	return NULL;
}
