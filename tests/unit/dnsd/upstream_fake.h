/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A forwarder, and upstreams on the loopback that say what the test tells them to. For test_forward*.c. */
#pragma once

#include <event2/event.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "dnsd/forward.h"

#define WAIT_MS 5000 /* for what must come: a machine under load is slow */

/* The route under test: upstreams by port on 127.0.0.1. */
struct fake_route {
	struct plan_upstream ups[4], split_ups[2];
	struct plan_split split;
	struct route route;
};

/* Public upstreams of these ports; with @split_port != 0 corp.example goes there. */
void fake_route(struct fake_route *r, const uint16_t *ports, uint32_t n, uint16_t split_port);

struct fake {
	struct event_base *base;
	struct forward *f;
};

void fake_open(struct fake *k, const struct fake_route *r, const char *bundle);
void fake_close(struct fake *k); /* fails when a question is under way */

/* What became of a question. */
struct fake_result {
	unsigned calls;
	size_t len; /* 0: SERVFAIL */
	uint8_t msg[65535];
	int ede;
	char text[160];
};

void fake_ask(struct fake *k, const char *name, uint16_t type, uint16_t flags, bool dnssec_ok, struct fake_result *ret);
/* Run until it is answered. */
void fake_wait(struct fake *k, const struct fake_result *r);
void fake_run(struct fake *k, int ms);
/* Run until @fd can be read; false when that does not happen in @ms. */
bool fake_readable(struct fake *k, int fd, int ms);

/* A bound socket of this type (listening for SOCK_STREAM); the port in *@port, which is asked for when it is not 0. */
int fake_socket(int type, uint16_t *port);

/* A question as an upstream got it. */
struct fake_question {
	size_t len, end; /* whole, and up to the question's end */
	uint8_t msg[512];
	char name[256]; /* without escapes */
	uint16_t type;
	struct sockaddr_in peer;
};

void fake_parse(struct fake_question *q);
/* The next one on @fd, waited for. */
void fake_take(struct fake *k, int fd, struct fake_question *ret);
bool fake_none(struct fake *k, int fd, int ms); /* nothing comes in that time */
/* Over a connection. */
int fake_accept(struct fake *k, int fd);
void fake_take_tcp(struct fake *k, int conn, struct fake_question *ret);

/* An answer to @q: header bits @flags beside QR, RD and RA, its question, the records that .w gets afterwards. */
struct fake_answer {
	uint8_t buf[4096];
	struct wcur w;
};
void fake_answer(struct fake_answer *a, const struct fake_question *q, uint16_t flags);
void fake_rr(struct fake_answer *a, int section, const char *owner, uint16_t type, const void *data, uint16_t len);
void fake_rr_name(struct fake_answer *a, int section, const char *owner, uint16_t type, const char *target);
void fake_rr_a(struct fake_answer *a, const char *owner, const char *addr);
void fake_rr_soa(struct fake_answer *a, const char *owner);
void fake_send(int fd, const struct fake_question *q, const struct fake_answer *a);
void fake_send_tcp(int conn, const struct fake_answer *a);
/* All in one: NOERROR with this address. */
void fake_reply_a(int fd, const struct fake_question *q, const char *addr);
void fake_reply_rcode(int fd, const struct fake_question *q, uint16_t rcode);

bool result_has_addr(const struct fake_result *r, const char *addr);
unsigned result_rcode(const struct fake_result *r);
