/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An upstream of the soak test: answers over UDP and TCP from names.c, writes each question to its log, and fails when
 * its hour has come.
 *
 * soak_upstream public|split ADDRESS START_MS PERIOD_S LOG
 *
 * One line a question: milliseconds since the start, udp or tcp, the name in lower case, the type, the fault of the
 * moment. UDP is one thread; each TCP connection has its own, since it may be slow. Ends with SIGTERM. */
#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "names.h"

#define PORT	    53
#define UDP_PLAIN   512 /* RFC 1035 4.2.1: without EDNS */
#define MESSAGE_MAX 65535
#define SLOW_MS	    1500 /* longer than a stub waits before it asks again, shorter than the resolver's patience */
#define SLOW_MAX    4096 /* answers that wait; more are lost */
#define TCP_BACKLOG 64
#define TCP_IDLE_S  30
#define FIELD_TTL_S 60

struct upstream {
	enum soak_side side;
	uint64_t start_ms;
	unsigned int period_s;
	FILE *log;
	int udp, tcp;
};

/* An answer that waits. All wait equally long: first come, first out. */
struct late {
	uint64_t due_ms;
	struct sockaddr_in to;
	size_t len;
	uint8_t *msg;
};

struct late_queue {
	struct late items[SLOW_MAX];
	size_t first, n;
};

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	ended = sig;
}

static void push_text(ldns_pkt *p, ldns_pkt_section section, const char *text)
{
	ldns_rr *rr = NULL;

	if (ldns_rr_new_frm_str(&rr, text, FIELD_TTL_S, NULL, NULL) != LDNS_STATUS_OK ||
	    !ldns_pkt_push_rr(p, section, rr)) {
		fprintf(stderr, "soak_upstream: no record: %s\n", text);
		exit(1);
	}
}

static void push_addresses(ldns_pkt *p, const char *owner, const struct soak_want *w)
{
	for (unsigned int i = 0; i < w->n_addrs; i++) {
		char addr[INET6_ADDRSTRLEN], text[256];

		inet_ntop(w->v6 ? AF_INET6 : AF_INET, w->addrs[i], addr, sizeof(addr));
		snprintf(text, sizeof(text), "%s. %u IN %s %s", owner, w->ttl_s, w->v6 ? "AAAA" : "A", addr);
		push_text(p, LDNS_SECTION_ANSWER, text);
	}
}

static void push_long_text(ldns_pkt *p, const char *owner, uint32_t ttl_s)
{
	char text[SOAK_TEXTS * (SOAK_TEXT_BYTES + 3) + 256];
	size_t at = (size_t)snprintf(text, sizeof(text), "%s. %u IN TXT", owner, ttl_s);

	for (unsigned int i = 0; i < SOAK_TEXTS; i++) {
		text[at++] = ' ';
		text[at++] = '"';
		memset(text + at, 'a' + (int)i, SOAK_TEXT_BYTES);
		at += SOAK_TEXT_BYTES;
		text[at++] = '"';
	}
	text[at] = '\0';
	push_text(p, LDNS_SECTION_ANSWER, text);
}

/* The question's own packet becomes its answer: id, question and EDNS stay as they came. */
static void answer_fill(const struct upstream *u, ldns_pkt *p, const char *name, uint16_t type, enum soak_fault fault)
{
	const char *zone = strchr(name, '.'); /* all behind the first label */
	struct soak_want w;
	char text[256];

	ldns_pkt_set_qr(p, true);
	ldns_pkt_set_ra(p, true);
	if (fault == FAULT_SERVFAIL) {
		ldns_pkt_set_rcode(p, LDNS_RCODE_SERVFAIL);
		return;
	}
	soak_zone(u->side, name, type, &w);
	ldns_pkt_set_rcode(p, (uint8_t)w.rcode);
	if (w.target[0] != '\0') {
		snprintf(text, sizeof(text), "%s. %u IN CNAME %s.", name, w.ttl_s, w.target);
		push_text(p, LDNS_SECTION_ANSWER, text);
	}
	push_addresses(p, w.target[0] != '\0' ? w.target : name, &w);
	if (w.text)
		push_long_text(p, name, w.ttl_s);
	if (ldns_pkt_ancount(p) != 0)
		return;
	/* Negative answers are cached by this (RFC 2308). */
	snprintf(text, sizeof(text), "%s. %u IN SOA ns.invalid. root.invalid. 1 3600 600 86400 %u",
		 zone != NULL ? zone + 1 : "", w.ttl_s, w.ttl_s);
	push_text(p, LDNS_SECTION_AUTHORITY, text);
}

/* The name as names.c wants it; the root is ".". False: longer than any of ours. */
static bool name_text(const ldns_rr *question, char ret[SOAK_NAME_MAX])
{
	char *text = ldns_rdf2str(ldns_rr_owner(question));
	size_t len = text != NULL ? strlen(text) : SOAK_NAME_MAX;

	if (len > 1)
		len--;
	for (size_t i = 0; len < SOAK_NAME_MAX && i < len; i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
	if (len < SOAK_NAME_MAX)
		ret[len] = '\0';
	free(text);
	return len < SOAK_NAME_MAX;
}

/* NULL: none is given. @ret_fault: that of the moment. The caller frees. */
static uint8_t *answer_to(const struct upstream *u, const uint8_t *msg, size_t len, bool tcp, size_t *ret_len,
			  enum soak_fault *ret_fault)
{
	uint64_t ms = soak_now_ms() - u->start_ms;
	enum soak_fault fault = soak_fault(u->side, ms, u->period_s);
	ldns_pkt *p = NULL;
	char name[SOAK_NAME_MAX];
	uint8_t *wire = NULL;
	uint16_t type;

	*ret_fault = fault;
	if (ldns_wire2pkt(&p, msg, len) != LDNS_STATUS_OK || ldns_pkt_qr(p) || ldns_pkt_qdcount(p) != 1 ||
	    !name_text(ldns_rr_list_rr(ldns_pkt_question(p), 0), name)) {
		ldns_pkt_free(p);
		return NULL;
	}
	type = (uint16_t)ldns_rr_get_type(ldns_rr_list_rr(ldns_pkt_question(p), 0));
	fprintf(u->log, "%llu %s %s %u %d\n", (unsigned long long)ms, tcp ? "tcp" : "udp", name, type, (int)fault);
	if (fault == FAULT_SILENT) {
		ldns_pkt_free(p);
		return NULL;
	}
	answer_fill(u, p, name, type, fault);
	if (ldns_pkt2wire(&wire, p, ret_len) == LDNS_STATUS_OK && !tcp) {
		size_t room = ldns_pkt_edns(p) && ldns_pkt_edns_udp_size(p) > UDP_PLAIN ? ldns_pkt_edns_udp_size(p)
											: UDP_PLAIN;

		if (*ret_len > room || fault == FAULT_TC) {
			free(wire);
			wire = NULL;
			ldns_pkt_set_tc(p, true);
			ldns_rr_list_deep_free(ldns_pkt_answer(p));
			ldns_pkt_set_answer(p, ldns_rr_list_new());
			ldns_pkt_set_ancount(p, 0);
			(void)ldns_pkt2wire(&wire, p, ret_len);
		}
	}
	ldns_pkt_free(p);
	return wire;
}

static void late_add(struct late_queue *q, const struct sockaddr_in *to, uint8_t *msg, size_t len)
{
	struct late *l = &q->items[(q->first + q->n) % SLOW_MAX];

	if (q->n == SLOW_MAX) {
		free(msg);
		return;
	}
	*l = (struct late){ .due_ms = soak_now_ms() + SLOW_MS, .to = *to, .len = len, .msg = msg };
	q->n++;
}

static void late_send(struct late_queue *q, int fd)
{
	while (q->n != 0 && q->items[q->first].due_ms <= soak_now_ms()) {
		struct late *l = &q->items[q->first];

		(void)sendto(fd, l->msg, l->len, 0, (const struct sockaddr *)&l->to, sizeof(l->to));
		free(l->msg);
		q->first = (q->first + 1) % SLOW_MAX;
		q->n--;
	}
}

static void udp_read(const struct upstream *u, struct late_queue *late)
{
	uint8_t msg[4096];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(u->udp, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	enum soak_fault fault;
	size_t len = 0;
	uint8_t *answer = n > 0 ? answer_to(u, msg, (size_t)n, false, &len, &fault) : NULL;

	if (answer == NULL)
		return;
	if (fault == FAULT_SLOW) {
		late_add(late, &from, answer, len);
		return;
	}
	(void)sendto(u->udp, answer, len, 0, (const struct sockaddr *)&from, from_len);
	free(answer);
}

struct tcp_peer {
	const struct upstream *u;
	int fd;
};

static bool tcp_bytes(int fd, uint8_t *to, size_t n)
{
	return recv(fd, to, n, MSG_WAITALL) == (ssize_t)n;
}

static void *tcp_serve(void *arg)
{
	struct tcp_peer *peer = arg;
	uint8_t *msg = malloc(MESSAGE_MAX), head[2];
	struct timeval idle = { .tv_sec = TCP_IDLE_S };

	(void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	while (msg != NULL && tcp_bytes(peer->fd, head, sizeof(head))) {
		size_t n = (size_t)head[0] << 8 | head[1], len = 0;
		enum soak_fault fault;
		uint8_t *answer;

		if (!tcp_bytes(peer->fd, msg, n))
			break;
		answer = answer_to(peer->u, msg, n, true, &len, &fault);
		if (answer == NULL)
			continue;
		head[0] = (uint8_t)(len >> 8);
		head[1] = (uint8_t)len;
		if (send(peer->fd, head, sizeof(head), MSG_NOSIGNAL | MSG_MORE) < 0 ||
		    send(peer->fd, answer, len, MSG_NOSIGNAL) < 0)
			n = 0;
		free(answer);
		if (n == 0)
			break;
	}
	free(msg);
	(void)close(peer->fd);
	free(peer);
	return NULL;
}

static void tcp_accept(const struct upstream *u)
{
	struct tcp_peer *peer = malloc(sizeof(*peer));
	pthread_t thread;

	if (peer == NULL)
		return;
	*peer = (struct tcp_peer){ .u = u, .fd = accept(u->tcp, NULL, NULL) };
	if (peer->fd >= 0 && pthread_create(&thread, NULL, tcp_serve, peer) == 0) {
		(void)pthread_detach(thread);
		return;
	}
	if (peer->fd >= 0)
		(void)close(peer->fd);
	free(peer);
}

static int open_at(const char *address, int kind)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, kind, 0), on = 1, room = 1 << 22;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
	    (kind == SOCK_STREAM && listen(fd, TCP_BACKLOG) != 0)) {
		fprintf(stderr, "soak_upstream: %s port %d: %s\n", address, PORT, strerror(errno));
		exit(1);
	}
	return fd;
}

static void serve(const struct upstream *u)
{
	static struct late_queue late;

	while (!ended) {
		struct pollfd p[] = { { .fd = u->udp, .events = POLLIN }, { .fd = u->tcp, .events = POLLIN } };

		if (poll(p, 2, late.n != 0 ? 10 : 200) > 0) {
			if (p[0].revents != 0)
				udp_read(u, &late);
			if (p[1].revents != 0)
				tcp_accept(u);
		}
		late_send(&late, u->udp);
	}
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	struct upstream u = { 0 };

	if (argc != 6 || (strcmp(argv[1], "public") != 0 && strcmp(argv[1], "split") != 0)) {
		fputs("usage: soak_upstream public|split ADDRESS START_MS PERIOD_S LOG\n", stderr);
		return 2;
	}
	(void)sigaction(SIGTERM, &term, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	u.side = argv[1][0] == 'p' ? SIDE_PUBLIC : SIDE_SPLIT;
	u.start_ms = strtoull(argv[3], NULL, 10);
	u.period_s = (unsigned int)strtoul(argv[4], NULL, 10);
	u.log = fopen(argv[5], "w");
	if (u.log == NULL || u.period_s == 0) {
		fprintf(stderr, "soak_upstream: %s: %s\n", argv[5], strerror(errno));
		return 1;
	}
	u.udp = open_at(argv[2], SOCK_DGRAM);
	u.tcp = open_at(argv[2], SOCK_STREAM);
	serve(&u);
	return fclose(u.log) == 0 ? 0 : 1;
}
