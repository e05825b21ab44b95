/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a worker tells a reader of dnstap: questions and answers of those devices whose policy wants them told, and of
 * nobody else. */
#pragma once

#include "base/err.h"
#include "dnsd/stats.h"
#include "filter/view.h"

struct event_base;
struct dnstap;

/* Bytes that wait for the reader, at one worker: a thousand answers. What comes beyond is dropped and counted: a reader
 * never slows a worker. */
#define DNSTAP_QUEUE_BYTES (256u << 10)

/* The reader has gone; another connection is wanted. */
typedef void dnstap_lost_fn(void *arg);

struct dnstap_event {
	bool response;
	enum dns_transport transport;
	struct ip_addr client;
	uint16_t client_port; /* 0: not known */
	uint64_t asked_us;    /* when the question came; CLOCK_REALTIME */
	uint64_t now_us;      /* the same clock; of a response */
	const uint8_t *msg;   /* borrowed */
	size_t len;
	const char *rule; /* that blocked the name; NULL: none */
};

/* @base, @stats (for DNS_EVENT_TAP_*): kept. NULL: no memory. */
struct dnstap *dnstap_new(struct event_base *base, struct stats *stats, dnstap_lost_fn *lost, void *arg);
struct dnstap *dnstap_free(struct dnstap *t); /* NULL is fine; returns NULL */

/* Whether the policy lets this be told: everything of a view whose queries are logged in full; of one that logs what is
 * blocked, what was blocked, and that only; of others nothing, whoever reads. Pure. */
bool dnstap_wants(const struct view *view, bool response, enum dns_outcome outcome);

/* @fd: a connected stream socket, taken. In the place of an earlier one. 0 or -ENOMEM. */
int dnstap_connect(struct dnstap *t, int fd, struct err *e);
/* False: nobody listens, and nothing need be prepared. */
bool dnstap_on(const struct dnstap *t);
/* Queue it. dnstap_wants() is the caller's to ask. */
void dnstap_add(struct dnstap *t, const struct dnstap_event *event);
/* Hand to the reader what it takes. Once a wake. */
void dnstap_flush(struct dnstap *t);
