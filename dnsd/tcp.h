/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS over TCP for one worker: RFC 7766, pipelined, answers in the order in which they are ready. */
#pragma once

#include "base/err.h"
#include "dnsd/client.h"

#define TCP_CONNS_MAX	 256u	 /* of one worker: 2 MB of buffers; the oldest idle ones go by the timeout */
#define TCP_IDLE_S	 10	 /* RFC 7766 6.2.3: seconds; clients re-open cheaply */
#define TCP_PIPELINE_MAX 64u	 /* questions under way on one connection; then it is not read */
#define TCP_QUESTION_MAX 4096u	 /* a question with all options is under 1 kB; a longer message is no question */
#define TCP_OUT_HIGH	 262144u /* bytes that the client has not taken; then it is not read: four answers at most */

struct event_base;
struct tcp;
struct tcp_conn;

/* A message from @client. The receiver takes a reference with tcp_conn_ref() if it will answer. */
typedef void tcp_message_fn(void *arg, struct tcp_conn *conn, const struct ip_addr *client, const uint8_t *msg,
			    size_t len);

struct tcp *tcp_new(struct event_base *base, struct client_table *clients, tcp_message_fn *message, void *arg);
/* Accept on @fd, a listening socket, taken. Paused until tcp_pause(t, false). */
int tcp_listen(struct tcp *t, int fd, struct err *e);
/* While paused nothing is accepted and nothing is read. */
void tcp_pause(struct tcp *t, bool paused);

void tcp_conn_ref(struct tcp_conn *c);
/* Send an answer (nothing when @len is 0) and give the reference back. The client may have gone. */
void tcp_conn_answer(struct tcp_conn *c, const uint8_t *msg, size_t len);
