/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One upstream of a forwarder: address, measured time, health. Plain data; the clock is the caller's. */
#pragma once

#include <sys/socket.h>

#include "dnsd/resolver.h"

/* Of one try. The floor: an upstream that must resolve the name itself takes so long at times, and a question asked
 * twice is work for both. The ceiling: two tries more still fit before the client is told. First: an upstream that was
 * never heard (unbound takes the same). */
#define UPSTREAM_RTO_MIN_US   200000u
#define UPSTREAM_RTO_MAX_US   1500000u
#define UPSTREAM_RTO_FIRST_US 376000u
/* Tries in a row, each sent after the one before had failed, until an upstream is not asked first any more. */
#define UPSTREAM_DOWN_AFTER 3u
/* An upstream that is down gets a question beside another one that is up: so often, doubled each time. */
#define UPSTREAM_PROBE_MIN_US 500000u
#define UPSTREAM_PROBE_MAX_US 16000000u
/* EDNS is tried again with an upstream that did not know it. */
#define UPSTREAM_PLAIN_US 900000000u

struct upstream {
	enum upstream_kind kind;
	struct ip_addr ip;
	uint16_t port;
	char *tls_name; /* owned; NULL without TLS */
	struct sockaddr_storage addr;
	socklen_t addr_len;
	uint32_t srtt_us, rttvar_us; /* 0 = never measured (RFC 6298) */
	bool down;
	uint32_t n_failed;  /* in a row */
	uint64_t failed_us; /* the last one counted */
	uint64_t probe_us;  /* when the next probe is due while it is down */
	uint64_t probe_interval_us;
	uint64_t plain_until_us; /* no EDNS until then */
	uint64_t sent, answered, timeouts, failures;
	void *path; /* what its transport keeps: forward_udp.c */
	void *streams;
};

/* 0, or negative errno: -EBADMSG where an upstream with TLS has no whole certificate name. */
int upstream_init(struct upstream *u, const struct plan_upstream *from, struct err *e);
void upstream_done(struct upstream *u);

/* How long to wait for an answer to the @round'th round of tries (0 = the first). */
uint64_t upstream_rto_us(const struct upstream *u, uint32_t round);
/* It has answered; @rtt_us: 0 when that says nothing about its time. */
void upstream_answered(struct upstream *u, uint64_t rtt_us);
/* What was sent at @sent_us got no answer, or an error. */
void upstream_failed(struct upstream *u, uint64_t sent_us, uint64_t now_us);
/* It is down, and to be tried again now; the next time is set. */
bool upstream_probe_due(struct upstream *u, uint64_t now_us);
/* "192.168.1.53#53". @buf: UPSTREAM_TEXT_MAX bytes; returned. */
const char *upstream_print(const struct upstream *u, char *buf);

#define UPSTREAM_TEXT_MAX (IP_TEXT_MAX + 8)
