/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One try: a question under way to one upstream. Between forward.c and its transports.
 *
 * A try is under way from the moment that a transport took it until forward_try_answered() accepts its answer,
 * forward_try_failed() is called, or its owner drops it. The last three functions are forward.c's. */
#pragma once

#include "dnsd/forward_msg.h"
#include "dnsd/upstream.h"

struct forward_ask;

struct forward_try {
	struct forward_ask *ask;
	struct upstream *up;
	void *via;	  /* the transport's socket or connection; NULL: not under way */
	uint64_t sent_us; /* 0: not sent yet */
	uint16_t id;
	uint8_t slot; /* in .via */
	bool stream;  /* over TCP or TLS */
	bool edns;
	bool fresh; /* a connection had to be made first: its time says nothing of the upstream's */
};

/* 16 bits that nobody can guess; a buffer of them, since each call of the source is a system call. */
#define FORWARD_IDS 512u
struct forward_random {
	uint16_t ids[FORWARD_IDS];
	uint32_t left;
};
uint16_t forward_random_id(struct forward_random *r);

/* The try's question for the wire, FORWARD_QUESTION_MAX bytes at most; sets .edns. Returns the length. */
size_t forward_try_write(struct forward_try *t, bool pad, uint64_t now_us, uint8_t *buf);
/* A message that came where the try's answer is expected, under its ID. @cut: there was more of it. False: it answers
 * another question, the try is under way still. True: the try is over, and may be used again already. */
bool forward_try_answered(struct forward_try *t, const uint8_t *msg, size_t len, bool cut, uint64_t now_us);
/* The transport has let go of it: .via is NULL. @error: errno, or 0 with @why. */
void forward_try_failed(struct forward_try *t, int error, const char *why, uint64_t now_us);
