/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One query's way from the question to the answer, without sockets. */
#pragma once

#include "base/sockaddr.h"
#include "dnsd/client.h"
#include "dnsd/cookie.h"
#include "dnsd/ddr.h"
#include "dnsd/fetch.h"
#include "dnsd/learn.h"
#include "dnsd/ratelimit.h"
#include "dnsd/stats.h"
#include "filter/verdict.h"

#define QUERIES_MAX 4096u /* under way at one worker: 4 MB; beyond, questions are dropped and clients ask again */

/* An upstream that is silent: the client hears why before it gives up (glibc waits 5 s). The resolver goes on for the
 * cache. */
#define QUERY_DEADLINE_US 4000000u
/* The same where an answer that has expired can be given: RFC 8767 5, client response timer. */
#define QUERY_STALE_US 1800000u

struct dnstap;
struct qlog;
struct tcp_conn;

/* What an administrator who asks as a client would (`sluice dns lookup`) wants to know beside the answer. Such a
 * question goes the same way as a client's, but it is not counted, not told to dnstap, and opens nothing unless .open
 * says so. */
struct query_trace {
	bool open;
	enum dns_outcome outcome;
	uint32_t route;	    /* of the views, that was, or would be asked */
	char device[256];   /* "" : the client is nobody's */
	struct dname split; /* suffix that the name belongs to; unset: none */
	char list[128]; /* that blocks the name, or one behind it, or excepts it; "" none. See struct name_verdict */
	uint32_t line;
	char rule[300];
};

/* Where the answer goes: a datagram socket and a peer, a connection, or an administrator. */
struct query_from {
	void *udp; /* worker.c's socket; NULL when .tcp or .trace is set */
	struct tcp_conn *tcp;
	struct query_trace *trace;
	enum dns_transport transport;
	union socket_address peer;
	socklen_t peer_len;
	struct ip_addr local;	  /* that a datagram was sent to, where the socket has all addresses (udp_local.h) */
	uint32_t local_if;	  /* its interface, where it means nothing without */
	bool encrypted;		  /* nobody between reads along */
	uint16_t keepalive_100ms; /* what an idle connection is given; with .tcp */
};

/* Questions that were answered in the callback that read them, until the worker has sent what it has: only then is it
 * known how long they took (query_sent()). */
struct query_at_once {
	uint64_t since_us; /* when the first of them was read */
	uint32_t n, cached;
};

struct query;

/* The last word on a query: send @msg (borrowed), or nothing when @len is 0; then @from is done with. */
typedef void query_send_fn(void *arg, const struct query_from *from, const uint8_t *msg, size_t len);

/* A route of the views as this worker asks by it. */
struct query_route {
	struct resolver *resolver; /* NULL: SERVFAIL */
	uint32_t number;	   /* of that resolver, in the cache's keys; never used again */
};

/* What is decided about a message at the door, see admit.h. */
enum admit {
	ADMIT_NAME = 0, /* it asks for a name */
	ADMIT_ANSWERED, /* env->send() was called */
	ADMIT_DROPPED,	/* nothing is said */
	ADMIT_MAX
};

struct query_queue {
	struct query *first, *last; /* in the order of their deadlines */
};

#define ASK_BATCH 32u /* messages a system call: more gains nothing (bench/README.md) */

/* A message that is being answered, see ask.c. */
struct asked {
	struct question question;
	const struct view_client *client;
	enum admit admit;
	bool maybe_cached; /* then: */
	struct cache_key key;
	uint64_t hash;
	bool absent;		 /* it is not in the cache */
	struct list_probe probe; /* .file NULL: lists need not be asked */
};

/* One a worker; members are set by worker.c, and used by one thread. */
struct query_env {
	uint64_t now_us; /* CLOCK_MONOTONIC, of this wake */
	const struct views *views;
	struct query_route routes[ROUTES_MAX]; /* by views.routes */
	struct cache *cache;
	struct fetches *fetches;
	struct learn *learn; /* NULL: what must be learned is SERVFAIL */
	struct client_table *clients;
	struct msg_cookie_keys cookie_keys; /* none: no cookies */
	struct ddr ddr;			    /* what is told of DNS over TLS */
	struct ratelimit *limits;
	struct list_scratch *scratch;
	query_send_fn *send;
	void *arg;
	struct stats stats;
	struct query_at_once at_once;
	struct dnstap *tap; /* or NULL */
	struct qlog *log;   /* or NULL */
	bool recording;	    /* there is a view whose queries are recorded */
	uint32_t n_queries;
	struct query *unused;		   /* kept for reuse */
	struct query_queue asked;	   /* wait for a resolver, with nothing to give */
	struct query_queue asked_stale;	   /* the same, with an answer that has expired */
	struct query_queue again;	   /* to be begun anew: decided by older views */
	struct asked asked_now[ASK_BATCH]; /* scratch */
	struct reply reply;		   /* scratch */
	uint8_t buf[DNS_MESSAGE_MAX];	   /* scratch: the answer being written */
};

/* A question for a name by the registered client @addr. @known: the verdict on it by the views of now, or NULL.
 * env->send() is called once for it, now or later; or never when it is dropped: then this returns false and what is in
 * @from stays the caller's. */
bool query_begin(struct query_env *env, const struct query_from *from, const struct ip_addr *addr,
		 const struct question *question, struct name_verdict *known);
/* The answer of a blocked name, into env->buf; its length, or 0: nothing is said. */
int query_blocked_write(struct query_env *env, const struct query_from *from, const struct question *question,
			const struct view *view, const struct name_verdict *v, const char *text, size_t limit);
/* It blocks for that client: a rule may be for UDP only. */
static inline bool query_blocks(const struct name_verdict *v, const struct query_from *from)
{
	return v->verdict == DNS_BLOCK && (v->answer != LIST_ANSWER_TCP_ONLY || from->udp != NULL);
}
/* Begin those anew that were decided by older views. Not from a resolver's callback. */
void query_again(struct query_env *env);
/* To those who wait for an upstream too long: what has expired, or SERVFAIL. */
void query_expire(struct query_env *env);
/* Of the first to expire; UINT64_MAX when none is at the resolver. */
uint64_t query_deadline_us(const struct query_env *env);
/* fetch_done_fn and learn_done_fn, by which their queries go on. */
void query_fetched(struct fetch_wait *w, struct cache_entry *e, void *arg);
void query_learned(struct learn_held *h, int status, void *arg);
/* The answers of this wake have left; env->now_us is the time. */
void query_sent(struct query_env *env);
/* Frees what is kept for reuse. */
void query_env_done(struct query_env *env);
