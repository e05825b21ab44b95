/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stub resolver: a thread that asks, waits, asks again as glibc does, and judges what it gets. Over UDP a question
 * has a socket of its own; over a stream up to STREAM_BATCH go out at once and may be answered in any order, and one
 * connection serves until it breaks or has had its turn. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define STREAM_BATCH  4
#define STREAM_ROUNDS 50  /* then a new connection */
#define RECONNECT_MS  50  /* between two attempts: a listener that is gone for a moment is not hammered */
#define WAIT_SLICE_MS 100 /* how long a stream is waited for before the clock is looked at */
#define WRONG_MAX     200 /* told in full */
#define BEHIND_MAX_US 1000000

static void pause_ms(uint64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

static const char *const transport_names[OVER_MAX] = { [OVER_UDP] = "udp", [OVER_TCP] = "tcp", [OVER_TLS] = "tls" };

/* The policy that was in force from the question to now, or '?'. */
static char policy_since(const struct soak_run *run, const struct soak_ask *a)
{
	char now = run->board[0];

	return now == a->policy && atomic_load(&run->unsettled_ms) < a->sent_ms ? now : '?';
}

static bool killed_since(const struct soak_run *run, uint64_t since_ms)
{
	return run->board[1] == 'k' || atomic_load(&run->killed_ms) >= since_ms;
}

/* An upstream of that question failed while it was under way, or just before: silence, SERVFAIL or slowness. TC is no
 * excuse: the resolver has TCP. */
static bool faulty_since(const struct soak_run *run, const struct soak_ask *a)
{
	uint64_t from = a->sent_ms - run->start_ms, to = soak_now_ms() - run->start_ms;

	for (uint64_t ms = from > SOAK_SETTLE_MS ? from - SOAK_SETTLE_MS : 0; ms <= to; ms += 50) {
		for (unsigned int side = 0; side < SIDE_MAX; side++) {
			enum soak_fault f = soak_fault((enum soak_side)side, ms, run->period_s);

			if (f == FAULT_NONE || f == FAULT_TC)
				continue;
			if (a->kind == SOAK_MOVED || soak_side_of(a->kind, 'a') == (enum soak_side)side)
				return true;
		}
	}
	return false;
}

static void tell(struct soak_stub *s, const struct soak_ask *a, const char *what, const char *why)
{
	char name[SOAK_NAME_MAX];

	if (atomic_fetch_add(&s->run->n_wrong, 1) >= WRONG_MAX)
		return;
	soak_name(a->kind, a->n, name);
	fprintf(s->run->wrong, "%llu ms, %s, policy %c, id %u, %s type %u%s: %s: %s\n",
		(unsigned long long)(soak_now_ms() - s->run->start_ms), transport_names[s->transport], a->policy, a->id,
		name, a->type, a->edns ? " EDNS" : "", what, why);
}

static void count_answer(struct soak_stub *s, struct soak_ask *a, enum soak_judged judged, const char *why)
{
	bool excused;

	a->done = true;
	if (judged == JUDGED_WRONG) {
		s->counts.wrong++;
		tell(s, a, "wrong", why);
		return;
	}
	if (judged == JUDGED_FAILED) {
		excused = faulty_since(s->run, a) || killed_since(s->run, a->sent_ms);
		if (excused) {
			s->counts.failed_excused++;
			return;
		}
		s->counts.failed++;
		tell(s, a, "failed while all upstreams work", why);
		return;
	}
	if (soak_now_ms() - a->sent_ms < SOAK_FIRST_MS)
		s->counts.first++;
	else if (faulty_since(s->run, a) || killed_since(s->run, a->sent_ms))
		s->counts.late_excused++;
	else
		s->counts.late++;
}

static void count_silence(struct soak_stub *s, struct soak_ask *a, const char *why)
{
	a->done = true;
	if (killed_since(s->run, a->sent_ms)) {
		s->counts.unanswered_killed++;
		return;
	}
	s->counts.unanswered++;
	tell(s, a, "unanswered", why);
}

int soak_connect(const struct sockaddr_storage *from, const struct sockaddr_storage *to, socklen_t len, bool stream,
		 uint16_t port)
{
	struct sockaddr_storage at = *to;
	struct timeval second = { .tv_sec = 1 }, slice = { .tv_usec = WAIT_SLICE_MS * 1000 };
	int fd = socket(to->ss_family, stream ? SOCK_STREAM : SOCK_DGRAM, 0), on = 1;

	/* The port has the same place in both families. */
	((struct sockaddr_in *)&at)->sin_port = htons(port);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)from, len) == 0 &&
	    connect(fd, (const struct sockaddr *)&at, len) == 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
		return fd;
	}
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static void stream_close(struct soak_stub *s)
{
	if (s->ssl != NULL)
		SSL_free(s->ssl);
	if (s->fd >= 0)
		(void)close(s->fd);
	s->ssl = NULL;
	s->fd = -1;
	s->in_len = 0;
}

static bool tls_begin(struct soak_stub *s)
{
	s->ssl = SSL_new(s->run->tls);
	if (s->ssl == NULL || SSL_set1_host(s->ssl, s->run->tls_name) != 1 ||
	    SSL_set_tlsext_host_name(s->ssl, s->run->tls_name) != 1 || SSL_set_fd(s->ssl, s->fd) != 1)
		return false;
	/* A read that timed out is no failure: the handshake goes on, for a second in all. */
	for (unsigned int i = 0; i < SOAK_FIRST_MS / WAIT_SLICE_MS; i++) {
		int rc = SSL_connect(s->ssl);

		if (rc == 1)
			return true;
		if (SSL_get_error(s->ssl, rc) != SSL_ERROR_WANT_READ)
			return false;
	}
	return false;
}

static bool stream_open(struct soak_stub *s, enum soak_transport how)
{
	struct sockaddr_storage from, to;
	socklen_t len = soak_source(s->run, s->index, (soak_random(&s->seed) & 1) != 0, &from, &to);

	if (s->fd >= 0)
		return true;
	s->fd = soak_connect(&from, &to, len, true, how == OVER_TLS ? SOAK_PORT_TLS : SOAK_PORT);
	if (s->fd < 0 || (how == OVER_TLS && !tls_begin(s))) {
		stream_close(s);
		return false;
	}
	return true;
}

static bool stream_write(struct soak_stub *s, const uint8_t *bytes, size_t n)
{
	if (s->ssl != NULL)
		return SSL_write(s->ssl, bytes, (int)n) == (int)n;
	return send(s->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool stream_ask(struct soak_stub *s, const struct soak_ask *a)
{
	uint8_t frame[2 + sizeof(a->wire)] = { (uint8_t)(a->len >> 8), (uint8_t)a->len };

	memcpy(frame + 2, a->wire, a->len);
	return stream_write(s, frame, 2 + a->len);
}

/* More bytes into s->in. 1: some came, 0: none for now, -1: the connection is over. */
static int stream_read(struct soak_stub *s)
{
	size_t room = 2 + SOAK_MSG_MAX - s->in_len;
	ssize_t n;

	if (s->ssl != NULL) {
		int rc = SSL_read(s->ssl, s->in + s->in_len, (int)room);

		if (rc <= 0)
			return SSL_get_error(s->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : -1;
		n = rc;
	} else {
		n = recv(s->fd, s->in + s->in_len, room, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;
	}
	s->in_len += (size_t)n;
	return 1;
}

/* An answer that no open question waits for is wrong, too. */
static void stream_message(struct soak_stub *s, struct soak_ask *asks, unsigned int n, const uint8_t *msg, size_t len)
{
	char why[160];

	for (unsigned int i = 0; i < n; i++) {
		struct soak_ask *a = &asks[i];

		if (a->done || len < 2 || (msg[0] << 8 | msg[1]) != a->id)
			continue;
		count_answer(s, a, soak_ask_judge(a, msg, len, false, policy_since(s->run, a), why), why);
		return;
	}
	s->counts.wrong++;
	tell(s, &asks[0], "wrong", "an answer to no question");
}

static void stream_messages(struct soak_stub *s, struct soak_ask *asks, unsigned int n)
{
	size_t at = 0;

	while (s->in_len - at >= 2) {
		size_t len = (size_t)s->in[at] << 8 | s->in[at + 1];

		if (s->in_len - at < 2 + len)
			break;
		stream_message(s, asks, n, s->in + at + 2, len);
		at += 2 + len;
	}
	memmove(s->in, s->in + at, s->in_len - at);
	s->in_len -= at;
}

static bool all_done(const struct soak_ask *asks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!asks[i].done)
			return false;
	return true;
}

/* Asks what is not answered yet, on a new connection if the one before has broken, until patience ends. */
static void stream_exchange(struct soak_stub *s, enum soak_transport how, struct soak_ask *asks, unsigned int n)
{
	uint64_t end = asks[0].sent_ms + SOAK_PATIENCE_MS;

	while (!all_done(asks, n) && soak_now_ms() < end) {
		int got = stream_open(s, how) ? 0 : -1;

		for (unsigned int i = 0; i < n && got == 0; i++)
			if (!asks[i].done && !stream_ask(s, &asks[i]))
				got = -1;
		while (got >= 0 && !all_done(asks, n) && soak_now_ms() < end) {
			got = stream_read(s);
			if (got > 0)
				stream_messages(s, asks, n);
		}
		if (all_done(asks, n))
			return;
		stream_close(s);
		pause_ms(RECONNECT_MS);
	}
	for (unsigned int i = 0; i < n; i++)
		if (!asks[i].done)
			count_silence(s, &asks[i], s->fd < 0 ? "no connection" : "within 7 s");
}

/* What a stub does with a truncated answer. */
static void over_tcp(struct soak_stub *s, struct soak_ask *a)
{
	stream_exchange(s, OVER_TCP, a, 1);
	stream_close(s);
}

/* One answer from the socket of this question, or none until @until_ms. */
static void udp_wait(struct soak_stub *s, struct soak_ask *a, int fd, uint64_t until_ms)
{
	char why[160];

	while (!a->done && soak_now_ms() < until_ms) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = soak_now_ms();
		ssize_t n;

		if (now >= until_ms || poll(&p, 1, (int)(until_ms - now)) <= 0)
			return;
		n = recv(fd, s->in, SOAK_MSG_MAX, MSG_DONTWAIT);
		if (n < 0)
			continue; /* ICMP: nobody listens at this moment */
		switch (soak_ask_judge(a, s->in, (size_t)n, true, policy_since(s->run, a), why)) {
		case JUDGED_TRUNCATED:
			over_tcp(s, a);
			return;
		case JUDGED_GOOD:
			count_answer(s, a, JUDGED_GOOD, why);
			break;
		case JUDGED_FAILED:
			count_answer(s, a, JUDGED_FAILED, why);
			break;
		case JUDGED_WRONG:
			count_answer(s, a, JUDGED_WRONG, why);
			break;
		}
	}
}

static void udp_exchange(struct soak_stub *s, struct soak_ask *a)
{
	struct sockaddr_storage from, to;
	socklen_t len = soak_source(s->run, s->index, (soak_random(&s->seed) & 1) != 0, &from, &to);
	int fd = soak_connect(&from, &to, len, false, SOAK_PORT);
	uint64_t until = a->sent_ms;

	/* 1, 2 and 4 seconds: SOAK_PATIENCE_MS. The same id from the same port, as glibc does. */
	for (uint64_t wait = SOAK_FIRST_MS; fd >= 0 && !a->done && until < a->sent_ms + SOAK_PATIENCE_MS; wait *= 2) {
		(void)send(fd, a->wire, a->len, 0);
		until += wait;
		udp_wait(s, a, fd, until);
	}
	if (fd >= 0)
		(void)close(fd);
	if (!a->done)
		count_silence(s, a, fd < 0 ? "no socket: is the address there?" : "within 7 s");
}

static void stub_round(struct soak_stub *s)
{
	struct soak_ask asks[STREAM_BATCH];
	unsigned int n = s->transport == OVER_UDP ? 1 : 1 + (unsigned int)(soak_random(&s->seed) % STREAM_BATCH);

	for (unsigned int i = 0; i < n; i++) {
		if (soak_ask_make(&asks[i], &s->seed) != 0)
			return;
		/* Ids of a batch differ: answers are told apart by them. */
		asks[i].id = (uint16_t)((asks[i].id & ~3u) | i);
		asks[i].wire[1] = (uint8_t)asks[i].id;
		asks[i].policy = s->run->board[0];
		asks[i].sent_ms = soak_now_ms();
	}
	s->counts.sent += n;
	if (s->transport == OVER_UDP)
		udp_exchange(s, &asks[0]);
	else
		stream_exchange(s, s->transport, asks, n);
}

static uint64_t now_us(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void *soak_stub_main(void *arg)
{
	struct soak_stub *s = arg;
	uint64_t next = now_us() + soak_random(&s->seed) % s->interval_us;
	unsigned int rounds = 0;

	s->fd = -1;
	s->in = malloc(2 + SOAK_MSG_MAX);
	while (s->in != NULL && soak_now_ms() + SOAK_PATIENCE_MS < s->run->end_ms) {
		uint64_t before = s->counts.sent, now = now_us();

		if (next > now)
			pause_ms((next - now + 999) / 1000);
		else if (now - next > BEHIND_MAX_US)
			next = now;
		stub_round(s);
		next += (s->counts.sent - before) * s->interval_us;
		if (++rounds % STREAM_ROUNDS == 0)
			stream_close(s);
	}
	stream_close(s);
	free(s->in);
	return NULL;
}
