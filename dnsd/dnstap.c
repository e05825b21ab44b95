/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnstap over Frame Streams, bidirectional: READY, ACCEPT, START, then frames of data. The worker writes by itself, as
 * much as the socket takes at once: no thread, no lock, no system call beside those that workers may do anyway, and one
 * send(2) a wake. The connection is made by gatewayd, which may open paths; it is asked for another one when the reader
 * goes.
 *
 * The queue is a ring whose head is always a whole frame: what the reader had of it when it went is sent again to the
 * next, so that a stream never begins in the middle of a frame.
 *
 * Sources: dnstap.info; Frame Streams (fstrm/control.h): a frame is its length in 32 bits, big-endian, and its bytes;
 * length 0 announces a control frame. */
#include "dnsd/dnstap.h"

#include <event2/event.h>
#include <fstrm.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "dnsd/dnstap.pb-c.h"
#include "dnsd/packet.h"

#define CONTENT_TYPE	    "protobuf:dnstap.Dnstap"
#define FRAME_HEAD	    4u
#define CONTROL_HEAD	    8u	  /* escape and length */
#define DNSTAP_OVERHEAD_MAX 2048u /* of a frame, beside the DNS message: fields, names, one rule */
#define IDENTITY	    "sluice"

enum tap_state { TAP_OFF = 0, TAP_OFFERED /* READY sent */, TAP_ON };

struct dnstap {
	struct event_base *base;
	struct stats *stats;
	dnstap_lost_fn *lost;
	void *arg;
	enum tap_state state;
	bool wanted; /* there was a connection: what cannot be told now is lost */
	int fd;
	struct event *in, *out;
	uint8_t reply[CONTROL_HEAD + FSTRM_CONTROL_FRAME_LENGTH_MAX]; /* ACCEPT, while it comes */
	size_t reply_len;
	size_t head, len; /* of the ring */
	size_t sent;	  /* of the frame at its head */
	uint8_t ring[DNSTAP_QUEUE_BYTES];
	uint8_t frame[FRAME_HEAD + DNS_MESSAGE_MAX + DNSTAP_OVERHEAD_MAX]; /* scratch */
};

struct dnstap *dnstap_new(struct event_base *base, struct stats *stats, dnstap_lost_fn *lost, void *arg)
{
	struct dnstap *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->base = base;
	t->stats = stats;
	t->lost = lost;
	t->arg = arg;
	t->fd = -1;
	return t;
}

static void tap_close(struct dnstap *t)
{
	if (t->in != NULL)
		event_free(t->in);
	if (t->out != NULL)
		event_free(t->out);
	t->in = t->out = NULL;
	fd_closep(&t->fd);
	t->state = TAP_OFF;
	t->sent = t->reply_len = 0;
}

struct dnstap *dnstap_free(struct dnstap *t)
{
	if (t == NULL)
		return NULL;
	tap_close(t);
	free(t);
	return NULL;
}

static void tap_lost(struct dnstap *t)
{
	tap_close(t);
	t->lost(t->arg);
}

bool dnstap_wants(const struct view *view, bool response, enum dns_outcome outcome)
{
	switch (view->queries) {
	case LOG_LEVEL_FULL:
		return true;
	case LOG_LEVEL_BLOCKED:
		return response && (outcome == DNS_OUTCOME_BLOCKED || outcome == DNS_OUTCOME_REBIND);
	case LOG_LEVEL_OFF:
	case LOG_LEVEL_COUNTS:
	case LOG_LEVEL_PSEUDONYMOUS:
	case LOG_LEVEL_MAX:
		break;
	}
	return false;
}

static size_t ring_at(const struct dnstap *t, size_t offset)
{
	return (t->head + offset) % sizeof(t->ring);
}

static void ring_put(struct dnstap *t, const uint8_t *bytes, size_t len)
{
	size_t at = ring_at(t, t->len), first = sizeof(t->ring) - at;

	if (first > len)
		first = len;
	memcpy(t->ring + at, bytes, first);
	memcpy(t->ring, bytes + first, len - first);
	t->len += len;
}

/* Of the frame at the head, with its own length. */
static size_t ring_frame(const struct dnstap *t)
{
	size_t n = 0;

	for (size_t i = 0; i < FRAME_HEAD; i++)
		n = n << 8 | t->ring[ring_at(t, i)];
	return FRAME_HEAD + n;
}

static void ring_sent(struct dnstap *t, size_t n)
{
	t->sent += n;
	while (t->len != 0 && t->sent >= ring_frame(t)) {
		size_t frame = ring_frame(t);

		t->head = ring_at(t, frame);
		t->len -= frame;
		t->sent -= frame;
	}
}

void dnstap_flush(struct dnstap *t)
{
	while (t->state == TAP_ON && t->len > t->sent) {
		size_t at = ring_at(t, t->sent), left = t->len - t->sent, first = sizeof(t->ring) - at;
		struct iovec iov[2] = { { t->ring + at, first < left ? first : left },
					{ t->ring, first < left ? left - first : 0 } };
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
		ssize_t n = sendmsg(t->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			ring_sent(t, (size_t)n);
		} else if (errno == EAGAIN) {
			(void)event_add(t->out, NULL);
			return;
		} else if (errno != EINTR) {
			tap_lost(t);
			return;
		}
	}
}

/* A control frame with its head. False: the reader is to be left. */
static bool control_send(struct dnstap *t, fstrm_control_type type)
{
	struct fstrm_control *c = fstrm_control_init();
	uint8_t frame[CONTROL_HEAD + FSTRM_CONTROL_FRAME_LENGTH_MAX];
	size_t len = sizeof(frame);
	bool ok = fstrm_control_set_type(c, type) == fstrm_res_success &&
		  fstrm_control_add_field_content_type(c, (const uint8_t *)CONTENT_TYPE, strlen(CONTENT_TYPE)) ==
			  fstrm_res_success &&
		  fstrm_control_encode(c, frame, &len, FSTRM_CONTROL_FLAG_WITH_HEADER) == fstrm_res_success;

	fstrm_control_destroy(&c);
	/* The first bytes on a fresh connection, and the next: there is room for them. */
	return ok && send(t->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

static bool accept_is_ours(const uint8_t *frame, size_t len)
{
	struct fstrm_control *c = fstrm_control_init();
	fstrm_control_type type = FSTRM_CONTROL_STOP;
	bool ok = fstrm_control_decode(c, frame, len, FSTRM_CONTROL_FLAG_WITH_HEADER) == fstrm_res_success &&
		  fstrm_control_get_type(c, &type) == fstrm_res_success && type == FSTRM_CONTROL_ACCEPT &&
		  fstrm_control_match_field_content_type(c, (const uint8_t *)CONTENT_TYPE, strlen(CONTENT_TYPE)) ==
			  fstrm_res_success;

	fstrm_control_destroy(&c);
	return ok;
}

/* What has come is ACCEPT (1), its beginning (0), or nothing of the kind (-1). */
static int accept_read(struct dnstap *t)
{
	struct rcur c = rcur_over(t->reply, t->reply_len);
	uint32_t escape = rcur_be32(&c), len = rcur_be32(&c);

	if (c.err != 0)
		return 0;
	if (escape != 0 || len > FSTRM_CONTROL_FRAME_LENGTH_MAX)
		return -1;
	if (t->reply_len < CONTROL_HEAD + len)
		return 0;
	return accept_is_ours(t->reply, CONTROL_HEAD + len) ? 1 : -1;
}

static void tap_readable(evutil_socket_t fd, short what, void *arg)
{
	struct dnstap *t = arg;
	ssize_t n = recv(fd, t->reply + t->reply_len, sizeof(t->reply) - t->reply_len, MSG_DONTWAIT);
	int accepted;

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Once it has begun, a reader has nothing to say but that it ends. */
	if (n <= 0 || t->state == TAP_ON) {
		tap_lost(t);
		return;
	}
	t->reply_len += (size_t)n;
	accepted = accept_read(t);
	if (accepted < 0 || (accepted > 0 && !control_send(t, FSTRM_CONTROL_START))) {
		tap_lost(t);
		return;
	}
	if (accepted > 0) {
		t->state = TAP_ON;
		t->reply_len = 0;
		dnstap_flush(t);
	}
}

static void tap_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dnstap_flush(arg);
}

int dnstap_connect(struct dnstap *t, int fd, struct err *e)
{
	tap_close(t);
	t->fd = fd;
	t->wanted = true;
	t->in = event_new(t->base, fd, EV_READ | EV_PERSIST, tap_readable, t);
	t->out = event_new(t->base, fd, EV_WRITE, tap_writable, t);
	if (t->in == NULL || t->out == NULL || event_add(t->in, NULL) != 0) {
		tap_close(t);
		return err_set(e, -ENOMEM, "dnstap");
	}
	t->state = TAP_OFFERED;
	if (!control_send(t, FSTRM_CONTROL_READY))
		tap_lost(t);
	return 0;
}

bool dnstap_on(const struct dnstap *t)
{
	return t != NULL && t->wanted;
}

static ProtobufCBinaryData bytes_of(const void *data, size_t len)
{
	/* The encoder reads only. */
	union {
		const void *in;
		void *out;
	} p = { .in = data };

	return (ProtobufCBinaryData){ .len = len, .data = p.out };
}

static Dnstap__SocketProtocol protocol_of(enum dns_transport transport)
{
	switch (transport) {
	case DNS_TRANSPORT_TCP:
		return DNSTAP__SOCKET_PROTOCOL__TCP;
	case DNS_TRANSPORT_TLS:
		return DNSTAP__SOCKET_PROTOCOL__DOT;
	case DNS_TRANSPORT_UDP:
	case DNS_TRANSPORT_MAX:
		break;
	}
	return DNSTAP__SOCKET_PROTOCOL__UDP;
}

static void message_fill(Dnstap__Message *m, const struct dnstap_event *event)
{
	bool v4 = event->client.family == IP_V4;

	m->has_socket_family = m->has_socket_protocol = m->has_query_address = true;
	m->socket_family = v4 ? DNSTAP__SOCKET_FAMILY__INET : DNSTAP__SOCKET_FAMILY__INET6;
	m->socket_protocol = protocol_of(event->transport);
	m->query_address = bytes_of(event->client.bytes, v4 ? 4 : 16);
	m->has_query_port = event->client_port != 0;
	m->query_port = event->client_port;
	m->has_query_time_sec = m->has_query_time_nsec = true;
	m->query_time_sec = event->asked_us / 1000000u;
	m->query_time_nsec = (uint32_t)(event->asked_us % 1000000u) * 1000u;
	if (!event->response) {
		m->type = DNSTAP__MESSAGE__TYPE__CLIENT_QUERY;
		m->has_query_message = true;
		m->query_message = bytes_of(event->msg, event->len);
		return;
	}
	m->type = DNSTAP__MESSAGE__TYPE__CLIENT_RESPONSE;
	m->has_response_time_sec = m->has_response_time_nsec = m->has_response_message = true;
	m->response_time_sec = event->now_us / 1000000u;
	m->response_time_nsec = (uint32_t)(event->now_us % 1000000u) * 1000u;
	m->response_message = bytes_of(event->msg, event->len);
}

/* Into t->frame, with its length in front. 0: it does not fit. */
static size_t frame_write(struct dnstap *t, const struct dnstap_event *event)
{
	Dnstap__Dnstap tap = DNSTAP__DNSTAP__INIT;
	Dnstap__Message message = DNSTAP__MESSAGE__INIT;
	Dnstap__Policy policy = DNSTAP__POLICY__INIT;
	struct wcur w = wcur_over(t->frame, FRAME_HEAD);
	char type[] = "sluice";
	size_t len;

	message_fill(&message, event);
	if (event->rule != NULL) {
		policy.type = type;
		policy.has_rule = policy.has_match = true;
		policy.rule = bytes_of(event->rule, strlen(event->rule));
		policy.match = DNSTAP__POLICY__MATCH__QNAME;
		message.policy = &policy;
	}
	tap.type = DNSTAP__DNSTAP__TYPE__MESSAGE;
	tap.has_identity = tap.has_version = true;
	tap.identity = bytes_of(IDENTITY, strlen(IDENTITY));
	tap.version = bytes_of("sluice " SLUICE_VERSION, strlen("sluice " SLUICE_VERSION));
	tap.message = &message;
	len = dnstap__dnstap__get_packed_size(&tap);
	if (len > sizeof(t->frame) - FRAME_HEAD)
		return 0;
	wcur_be32(&w, (uint32_t)len);
	return FRAME_HEAD + dnstap__dnstap__pack(&tap, t->frame + FRAME_HEAD);
}

void dnstap_add(struct dnstap *t, const struct dnstap_event *event)
{
	size_t len = frame_write(t, event);

	if (len == 0 || len > sizeof(t->ring) - t->len) {
		stats_event(t->stats, DNS_EVENT_TAP_DROPPED);
		return;
	}
	ring_put(t, t->frame, len);
	stats_event(t->stats, DNS_EVENT_TAP_FRAMES);
}
