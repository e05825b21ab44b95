/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS over TCP (RFC 7766, 9210) and TLS (RFC 7858) for one worker: pipelined, answers in the order in which they are
 * ready. */
#pragma once

#include "base/err.h"
#include "dnsd/client.h"

/* Of one worker. Beyond, whoever has been silent longest makes room: a client re-opens in a round trip, so the limit is
 * about memory (a quiet TLS connection has some 20 kB). */
#define TCP_CONNS_MAX 1024u
/* RFC 7766 6.2.3: what an idle connection is given; less where many are open, so that they go before they must. */
#define TCP_IDLE_MS	 10000u
#define TCP_IDLE_HALF_MS 3000u	/* half of TCP_CONNS_MAX are open */
#define TCP_IDLE_FULL_MS 1000u	/* three quarters are */
#define TCP_QUESTION_MS	 3000u	/* from a question's first byte to its last; honest ones come in one segment */
#define TCP_HANDSHAKE_MS 4000u	/* TLS: two round trips, and a slow client's arithmetic */
#define TCP_DRAIN_MS	 10000u /* answers wait so long for a client that does not read as it asks */
#define TCP_PIPELINE_MAX 64u	/* questions under way on one connection; then it is not read */
#define TCP_QUESTION_MAX 4096u	/* a question with all options is under 1 kB; a longer message is no question */
#define TCP_OUT_HIGH	 65536u /* bytes that the client has not taken: it is not read until it has */
/* With what is under way then: it asks and does not read, and is closed. */
#define TCP_OUT_MAX   (4u * TCP_OUT_HIGH)
#define TCP_OUT_TOTAL (64u * TCP_OUT_MAX) /* of all connections of a worker: the next answer closes its own */
#define TCP_CERTS_MAX 8u		  /* numbers of certificates: gateway.hujson takes fewer */

struct event_base;
struct ssl_ctx_st;
struct tcp;
struct tcp_conn;

/* A message from @client. The receiver takes a reference with tcp_conn_ref() if it will answer. */
typedef void tcp_message_fn(void *arg, struct tcp_conn *conn, const struct ip_addr *client, const uint8_t *msg,
			    size_t len);

/* What happened since the start. */
struct tcp_counts {
	uint64_t opened, evicted, refused; /* evicted: closed to make room; refused: there was nobody to make it */
	uint64_t too_slow;		   /* questions, handshakes and readers */
	uint64_t handshake_failed, bad_frame;
};

/* Microseconds that never go back. */
typedef uint64_t tcp_clock_fn(void);

struct tcp *tcp_new(struct event_base *base, struct client_table *clients, tcp_clock_fn *clock, tcp_message_fn *message,
		    void *arg);
struct tcp *tcp_free(struct tcp *t); /* nothing may be under way; NULL is fine; returns NULL */
/* Accept on @fd, a listening socket, taken. @tls: number of the certificate, 0 = plain. Paused until tcp_pause(t,
 * false). */
int tcp_listen(struct tcp *t, int fd, uint8_t tls, struct err *e);
/* Serve the sockets of number @tls with @ctx, taken, from the next connection on. -EBADMSG: no such number. */
int tcp_certificate(struct tcp *t, uint32_t tls, struct ssl_ctx_st *ctx, struct err *e);
/* A connection of @client, accepted; @fd non-blocking, taken. Also by tests, over a socket pair. */
void tcp_conn_open(struct tcp *t, int fd, const struct ip_addr *client, uint8_t tls);
/* While paused nothing is accepted and nothing is read. */
void tcp_pause(struct tcp *t, bool paused);
const struct tcp_counts *tcp_counts(const struct tcp *t);
uint32_t tcp_n_conns(const struct tcp *t);

void tcp_conn_ref(struct tcp_conn *c);
/* Send an answer (nothing when @len is 0) and give the reference back. The client may have gone. */
void tcp_conn_answer(struct tcp_conn *c, const uint8_t *msg, size_t len);
/* Nobody between reads along: answers may be padded. */
bool tcp_conn_encrypted(const struct tcp_conn *c);
/* What an idle connection is given now, in units of 100 ms (RFC 7828 3.1). */
uint16_t tcp_conn_keepalive(const struct tcp_conn *c);
