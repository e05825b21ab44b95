/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scripted upstream: the test and the forwarder share one thread, so each step is where the test says. */
#include "upstream_fake.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void fake_route(struct fake_route *r, const uint16_t *ports, uint32_t n, uint16_t split_port)
{
	const struct ip_addr loopback = { .family = IP_V4, .bytes = { 127, 0, 0, 1 } };

	*r = (struct fake_route){ 0 };
	for (uint32_t i = 0; i < n; i++)
		r->ups[i] = (struct plan_upstream){ .kind = UPSTREAM_UDP, .addr = loopback, .port = ports[i] };
	r->split_ups[0] = (struct plan_upstream){ .kind = UPSTREAM_UDP, .addr = loopback, .port = split_port };
	assert_int_equal(dname_parse("corp.example", 12, &r->split.suffix), 0);
	r->split.upstreams = r->split_ups;
	r->split.n_upstreams = 1;
	r->route = (struct route){
		.upstreams = r->ups, .n_upstreams = n, .splits = &r->split, .n_splits = split_port != 0
	};
}

void fake_open(struct fake *k, const struct fake_route *r, const char *bundle)
{
	struct err e = { 0 };

	k->base = event_base_new();
	assert_non_null(k->base);
	if (forward_new(k->base, &r->route, bundle, &k->f, &e) != 0)
		fail_msg("%s", e.msg);
}

void fake_close(struct fake *k)
{
	assert_int_equal(forward_busy(k->f), 0);
	k->f = forward_free(k->f);
	(void)event_base_loop(k->base, EVLOOP_NONBLOCK); /* what bufferevents put off */
	event_base_free(k->base);
}

static void asked(void *arg, const struct resolver_answer *a)
{
	struct fake_result *r = arg;

	r->calls++;
	r->len = a->msg != NULL ? a->len : 0;
	if (a->msg != NULL)
		memcpy(r->msg, a->msg, a->len);
	r->ede = a->ede;
	snprintf(r->text, sizeof(r->text), "%s", a->text != NULL ? a->text : "");
	assert_int_equal(a->security, RESOLVER_INSECURE);
}

void fake_ask(struct fake *k, const char *name, uint16_t type, uint16_t flags, bool dnssec_ok, struct fake_result *ret)
{
	struct dname n;

	ret->calls = 0;
	assert_int_equal(dname_parse(name, strlen(name), &n), 0);
	assert_int_equal(forward_ask(k->f, &n, type, flags, dnssec_ok, asked, ret), 0);
}

/* One turn of the loop, of 5 ms at most. */
static void turn(struct fake *k)
{
	static const struct timeval tv = { .tv_usec = 5000 };

	(void)event_base_loopexit(k->base, &tv);
	(void)event_base_loop(k->base, EVLOOP_ONCE);
}

void fake_run(struct fake *k, int ms)
{
	int64_t end = now_ms() + ms;

	do
		turn(k);
	while (now_ms() < end);
}

void fake_wait(struct fake *k, const struct fake_result *r)
{
	int64_t end = now_ms() + WAIT_MS;

	while (r->calls == 0 && now_ms() < end)
		turn(k);
	assert_int_equal(r->calls, 1);
}

bool fake_readable(struct fake *k, int fd, int ms)
{
	int64_t end = now_ms() + ms;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 0) == 1)
			return true;
		if (now_ms() >= end)
			return false;
		turn(k);
	}
}

int fake_socket(int type, uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(*port) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd != -1);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

void fake_parse(struct fake_question *q)
{
	struct rcur c = rcur_over(q->msg, q->len);
	struct dname n;
	char text[DNAME_TEXT_MAX];

	(void)rcur_bytes(&c, 12);
	assert_int_equal(dname_read(&c, q->msg, q->len, &n), 0);
	snprintf(q->name, sizeof(q->name), "%.250s", dname_print(&n, text));
	q->type = rcur_be16(&c);
	(void)rcur_be16(&c);
	assert_int_equal(c.err, 0);
	q->end = (size_t)(c.at - q->msg);
}

void fake_take(struct fake *k, int fd, struct fake_question *ret)
{
	socklen_t len = sizeof(ret->peer);
	ssize_t n;

	assert_true(fake_readable(k, fd, WAIT_MS));
	n = recvfrom(fd, ret->msg, sizeof(ret->msg), 0, (struct sockaddr *)&ret->peer, &len);
	assert_true(n > 0);
	ret->len = (size_t)n;
	fake_parse(ret);
}

bool fake_none(struct fake *k, int fd, int ms)
{
	return !fake_readable(k, fd, ms);
}

int fake_accept(struct fake *k, int fd)
{
	int conn;

	assert_true(fake_readable(k, fd, WAIT_MS));
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(conn != -1);
	return conn;
}

void fake_take_tcp(struct fake *k, int conn, struct fake_question *ret)
{
	uint8_t head[2];

	assert_true(fake_readable(k, conn, WAIT_MS));
	assert_int_equal(recv(conn, head, 2, MSG_WAITALL), 2);
	ret->len = (size_t)(head[0] << 8 | head[1]);
	assert_true(ret->len <= sizeof(ret->msg));
	assert_int_equal(recv(conn, ret->msg, ret->len, MSG_WAITALL), ret->len);
	fake_parse(ret);
}

void fake_answer(struct fake_answer *a, const struct fake_question *q, uint16_t flags)
{
	uint16_t all = (uint16_t)(DNS_QR | DNS_RD | DNS_RA | flags);

	a->w = wcur_over(a->buf, sizeof(a->buf));
	wcur_bytes(&a->w, q->msg, q->end);
	a->buf[2] = (uint8_t)(all >> 8);
	a->buf[3] = (uint8_t)all;
	memset(a->buf + 6, 0, 6);
}

static void put_name(struct fake_answer *a, const char *name)
{
	struct dname n;

	assert_int_equal(dname_parse(name, strlen(name), &n), 0);
	wcur_bytes(&a->w, n.wire, n.len);
}

void fake_rr(struct fake_answer *a, int section, const char *owner, uint16_t type, const void *data, uint16_t len)
{
	put_name(a, owner);
	wcur_be16(&a->w, type);
	wcur_be16(&a->w, 1);
	wcur_be32(&a->w, 60);
	wcur_be16(&a->w, len);
	wcur_bytes(&a->w, data, len);
	assert_int_equal(a->w.err, 0);
	a->buf[5 + 2 * section]++;
}

void fake_rr_name(struct fake_answer *a, int section, const char *owner, uint16_t type, const char *target)
{
	struct dname n;

	assert_int_equal(dname_parse(target, strlen(target), &n), 0);
	fake_rr(a, section, owner, type, n.wire, n.len);
}

void fake_rr_a(struct fake_answer *a, const char *owner, const char *addr)
{
	uint8_t bytes[4];

	assert_int_equal(inet_pton(AF_INET, addr, bytes), 1);
	fake_rr(a, SECTION_ANSWER, owner, TYPE_A, bytes, sizeof(bytes));
}

void fake_rr_soa(struct fake_answer *a, const char *owner)
{
	static const uint8_t data[22] = { [21] = 60 }; /* names of the root */

	fake_rr(a, SECTION_AUTHORITY, owner, TYPE_SOA, data, sizeof(data));
}

void fake_send(int fd, const struct fake_question *q, const struct fake_answer *a)
{
	size_t len = wcur_len(&a->w);

	assert_int_equal(sendto(fd, a->buf, len, 0, (const struct sockaddr *)&q->peer, sizeof(q->peer)), len);
}

void fake_send_tcp(int conn, const struct fake_answer *a)
{
	size_t len = wcur_len(&a->w);
	uint8_t head[2] = { (uint8_t)(len >> 8), (uint8_t)len };

	assert_int_equal(send(conn, head, 2, MSG_MORE | MSG_NOSIGNAL), 2);
	assert_int_equal(send(conn, a->buf, len, MSG_NOSIGNAL), len);
}

void fake_reply_a(int fd, const struct fake_question *q, const char *addr)
{
	struct fake_answer a;

	fake_answer(&a, q, 0);
	fake_rr_a(&a, q->name, addr);
	fake_send(fd, q, &a);
}

void fake_reply_rcode(int fd, const struct fake_question *q, uint16_t rcode)
{
	struct fake_answer a;

	fake_answer(&a, q, rcode);
	fake_send(fd, q, &a);
}

bool result_has_addr(const struct fake_result *r, const char *addr)
{
	uint8_t rr[16] = { 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };

	assert_int_equal(inet_pton(AF_INET, addr, rr + 10), 1);
	return memmem(r->msg, r->len, rr, 14) != NULL;
}

unsigned result_rcode(const struct fake_result *r)
{
	return r->len == 0 ? RCODE_SERVFAIL : r->msg[3] & DNS_RCODE;
}
