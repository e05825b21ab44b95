/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A parent for sluice-dnsd in a network of its own: channel, sockets, views, learn channel, two upstreams. For
 * test_serve.c. */
#pragma once

#include <netinet/in.h>

#include "base/cursor.h"
#include "base/ipc.h"

#define FAKE_SERVER	 "127.0.0.53"
#define FAKE_PORT	 53
#define FAKE_PUBLIC_PORT 5301 /* answers example and what is below */
#define FAKE_SPLIT_PORT	 5302 /* answers corp.example and what is below with 10.8.0.5 */

struct gateway {
	const char *binary;
	const char *limits; /* "rateLimit" of CONFIG, or NULL */
	pid_t pid;
	int channel, learn;  /* our ends */
	int udp, tcp;	     /* as gatewayd keeps them */
	uint64_t generation; /* last sent */
};

/* Into a network namespace with its loopback up, and start the upstreams. 0, or 77 when we may not. */
int fake_net(void);
/* Questions that the public upstream got for a name below corp.example. */
unsigned fake_leaks(void);
/* Whether the split's upstream answers. */
void fake_split_up(bool up);

void gateway_open(struct gateway *g, const char *binary);
/* Start dnsd and give it everything, views too (JSON with %llu for the generation). */
void gateway_start(struct gateway *g, const char *views);
/* Send views; wait for VIEWS_READY when @wait. */
void gateway_views(struct gateway *g, const char *views, bool wait);
void gateway_wait_ready(struct gateway *g);
void gateway_kill(struct gateway *g);
/* Close the channel and reap. Returns the exit status. */
int gateway_stop(struct gateway *g);

struct answer {
	int len; /* 0: none came */
	uint8_t msg[65535];
};

#define ASK_EDNS 1u
#define ASK_NONE 0u

/* A question in wire form. Returns its length. */
size_t ask_write(uint8_t *buf, size_t size, uint16_t id, const char *name, uint16_t type, unsigned flags);
int ask_open(const char *client, int type); /* connected socket from that address */
void ask_send(int fd, const char *name, uint16_t type, unsigned flags);
void ask_recv(int fd, struct answer *ret, int timeout_ms);
/* All three in one, over UDP, waiting long. */
void ask(const char *client, const char *name, uint16_t type, unsigned flags, struct answer *ret);
void tcp_send(int fd, uint16_t id, const char *name, uint16_t type);
void tcp_recv(int fd, struct answer *ret);

unsigned answer_rcode(const struct answer *a);
unsigned answer_count(const struct answer *a);
uint16_t answer_id(const struct answer *a);
bool answer_has(const struct answer *a, const void *bytes, size_t len);
bool answer_has_addr(const struct answer *a, const char *addr);
/* Info code of the extended error, -1 when there is none. */
int answer_ede(const struct answer *a);

/* The next message on the learn channel; false when none came in time. */
bool learn_next(struct gateway *g, struct ipc_msg *ret, int timeout_ms);
void learn_ack(struct gateway *g, uint64_t req_id, int32_t status);
