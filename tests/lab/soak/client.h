/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clients of the soak test: stubs that ask and judge (stub.c, ask.c), senders of malformed messages (rough.c), and
 * slow TCP clients (slow.c). main.c starts them as threads and adds up. */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>

#include "names.h"

#define SOAK_PORT	 53
#define SOAK_PORT_TLS	 853
#define SOAK_FIRST_MS	 1000 /* a stub sends again after this; what is answered before is answered at the first try */
#define SOAK_PATIENCE_MS 7000 /* three tries of 1, 2 and 4 seconds: more than the resolver's own deadline */
#define SOAK_SETTLE_MS	 5000 /* an upstream that works again is found to, and questions of its fault have ended */
#define SOAK_MSG_MAX	 65535
#define SOAK_UDP_MAX	 1232
#define SOAK_UDP_PLAIN	 512

enum soak_transport { OVER_UDP, OVER_TCP, OVER_TLS, OVER_MAX };

struct soak_counts {
	uint64_t sent, first, late, unanswered, wrong, failed; /* outside of kills and faults */
	uint64_t unanswered_killed, late_excused, failed_excused;
};

struct soak_rough_counts {
	uint64_t sent, answered, wrong;
};

struct soak_slow_counts {
	uint64_t opened, closed, most_open;
};

struct soak_run {
	uint64_t start_ms, end_ms;
	unsigned int period_s; /* of faults */
	/* Two bytes that the script writes: policy 'a', 'b' or '?' while it changes; '-' or 'k' while a kill is got
	 * over. */
	const volatile char *board;
	_Atomic uint64_t unsettled_ms, killed_ms; /* when '?' and 'k' were last seen */
	struct sockaddr_in server4;
	struct sockaddr_in6 server6;
	const char *device4, *device6; /* networks of the clients: "100.64.1." and "fd5a:51ce::1:" */
	const char *slow4;
	unsigned int devices, slow_devices;
	SSL_CTX *tls; /* NULL: none */
	char *tls_name;
	FILE *wrong; /* what was wrong, a line each */
	atomic_uint n_wrong;
};

/* One question, on its way. */
struct soak_ask {
	enum soak_kind kind;
	unsigned int n;
	uint16_t id, type;
	bool edns, done;
	char policy; /* when it was sent */
	uint64_t sent_ms;
	size_t len, question_len;
	uint8_t wire[128];
};

enum soak_judged { JUDGED_GOOD, JUDGED_TRUNCATED, JUDGED_FAILED, JUDGED_WRONG };

uint64_t soak_random(uint64_t *state);

/* 0, or -1 when no memory is left. */
int soak_ask_make(struct soak_ask *a, uint64_t *seed);

/* Judges an answer by the policy that was in force, or, while it changed, by both. @why: of size 160, if it is
 * wrong or a failure.
 */
enum soak_judged soak_ask_judge(const struct soak_ask *a, const uint8_t *msg, size_t len, bool udp, char policy,
				char why[160]);

/* A client's own address: the i-th device's, IPv4 or IPv6, no port. @ret_server: whom to ask from there. */
socklen_t soak_source(const struct soak_run *r, unsigned int i, bool v6, struct sockaddr_storage *ret,
		      struct sockaddr_storage *ret_server);

/* A socket from @from toward @to:port; -1. @stream: connected within a second. */
int soak_connect(const struct sockaddr_storage *from, const struct sockaddr_storage *to, socklen_t len, bool stream,
		 uint16_t port);

struct soak_stub {
	struct soak_run *run;
	enum soak_transport transport;
	unsigned int index;
	uint64_t seed, interval_us;
	struct soak_counts counts;
	/* of a stream */
	int fd;
	SSL *ssl;
	uint8_t *in;
	size_t in_len;
};

/* Threads, each with the struct of its name; they end at run->end_ms. */
void *soak_stub_main(void *arg);

struct soak_rough {
	struct soak_run *run;
	unsigned int index;
	uint64_t seed, interval_us;
	struct soak_rough_counts counts;
};
void *soak_rough_main(void *arg);

struct soak_slow {
	struct soak_run *run;
	unsigned int n;
	struct soak_slow_counts counts;
};
void *soak_slow_main(void *arg);
