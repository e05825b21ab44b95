/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Senders of malformed messages: well-formed questions with something broken. What comes back, if anything, must be an
 * answer to what was sent, and never one to an answer. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define ROUGH_MAX   1400
#define HEADER_LEN  12
#define TCP_PERCENT 20

enum rough_kind {
	ROUGH_CUT,
	ROUGH_FLIPPED,
	ROUGH_ANSWER,
	ROUGH_COUNTS,
	ROUGH_OPCODE,
	ROUGH_POINTER,
	ROUGH_LABEL,
	ROUGH_VERSION,
	ROUGH_TWO_OPTS,
	ROUGH_NOISE,
	ROUGH_TYPE,
	ROUGH_MORE,
	ROUGH_MAX_KIND
};

static void fill_random(uint8_t *to, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(soak_random(seed) >> 24);
}

static size_t opt_append(uint8_t *msg, size_t len, uint8_t version)
{
	const uint8_t opt[] = { 0, 0, 41, 4, 208, 0, version, 0, 0, 0, 0 };

	memcpy(msg + len, opt, sizeof(opt));
	msg[11]++;
	return len + sizeof(opt);
}

/* @msg: a good question of @len bytes in a buffer of ROUGH_MAX. Returns the new length. */
static size_t spoil(enum rough_kind kind, uint8_t *msg, size_t len, size_t question_len, uint64_t *seed)
{
	uint64_t r = soak_random(seed) >> 8;

	switch (kind) {
	case ROUGH_CUT:
		return 1 + r % (len - 1);
	case ROUGH_FLIPPED:
		for (unsigned int i = 0; i < 1 + r % 8; i++)
			msg[2 + soak_random(seed) % (len - 2)] ^= (uint8_t)(1u << (soak_random(seed) >> 8) % 8);
		return len;
	case ROUGH_ANSWER:
		msg[2] |= 0x80;
		return len;
	case ROUGH_COUNTS:
		fill_random(msg + 4, 8, seed);
		return len;
	case ROUGH_OPCODE:
		msg[2] = (uint8_t)(msg[2] | (1 + r % 15) << 3);
		return len;
	case ROUGH_POINTER:
		msg[HEADER_LEN] = 0xc0;
		msg[HEADER_LEN + 1] = HEADER_LEN;
		return len;
	case ROUGH_LABEL:
		msg[HEADER_LEN] = (uint8_t)(64 + r % 128);
		return len;
	case ROUGH_VERSION:
		msg[11] = 0;
		return opt_append(msg, HEADER_LEN + question_len, (uint8_t)(1 + r % 255));
	case ROUGH_TWO_OPTS:
		return opt_append(msg, opt_append(msg, len, 0), 0);
	case ROUGH_NOISE:
		len = 2 + r % (ROUGH_MAX - 2);
		fill_random(msg, len, seed);
		return len;
	case ROUGH_TYPE:
		msg[HEADER_LEN + question_len - 4] = 0;
		msg[HEADER_LEN + question_len - 3] = (uint8_t)(128 + r % 128);
		return len;
	case ROUGH_MORE:
		fill_random(msg + len, 1 + r % 200, seed);
		return len + 1 + r % 200;
	case ROUGH_MAX_KIND:
		break;
	}
	return len;
}

static void judge(struct soak_rough *s, const uint8_t *sent, const uint8_t *msg, ssize_t n)
{
	s->counts.answered++;
	if (n >= HEADER_LEN && memcmp(sent, msg, 2) == 0 && (msg[2] & 0x80) != 0 && (sent[2] & 0x80) == 0 &&
	    n <= SOAK_UDP_MAX)
		return;
	s->counts.wrong++;
	if (atomic_fetch_add(&s->run->n_wrong, 1) < 200)
		fprintf(s->run->wrong, "%llu ms, malformed: an answer of %zd bytes that is none to it\n",
			(unsigned long long)(soak_now_ms() - s->run->start_ms), n);
}

static void rough_round(struct soak_rough *s, uint64_t wait_us)
{
	bool stream = soak_random(&s->seed) % 100 < TCP_PERCENT;
	struct timespec wait = { .tv_sec = (time_t)(wait_us / 1000000), .tv_nsec = (long)(wait_us % 1000000) * 1000 };
	struct sockaddr_storage from, to;
	socklen_t len = soak_source(s->run, (unsigned int)(soak_random(&s->seed) >> 8), false, &from, &to);
	uint8_t frame[2 + ROUGH_MAX + 256], back[4096];
	struct soak_ask a;
	size_t n;
	int fd;

	if (soak_ask_make(&a, &s->seed) != 0)
		return;
	memcpy(frame + 2, a.wire, a.len);
	n = spoil((enum rough_kind)(soak_random(&s->seed) % ROUGH_MAX_KIND), frame + 2, a.len, a.question_len,
		  &s->seed);
	frame[0] = (uint8_t)(n >> 8);
	frame[1] = (uint8_t)n;
	fd = soak_connect(&from, &to, len, stream, SOAK_PORT);
	s->counts.sent++;
	if (fd >= 0)
		(void)send(fd, stream ? frame : frame + 2, stream ? n + 2 : n, MSG_NOSIGNAL);
	(void)nanosleep(&wait, NULL);
	if (fd < 0)
		return;
	/* Over a stream it is only sent: the stubs read streams. */
	for (ssize_t got; !stream && (got = recv(fd, back, sizeof(back), MSG_DONTWAIT)) > 0;)
		judge(s, frame + 2, back, got);
	(void)close(fd);
}

void *soak_rough_main(void *arg)
{
	struct soak_rough *s = arg;

	while (soak_now_ms() < s->run->end_ms)
		rough_round(s, s->interval_us);
	return NULL;
}
