/* SPDX-License-Identifier: GPL-3.0-or-later */
/* soak_client: the clients of the soak test for a time, and what they counted.
 *
 *   -s MS     start of the soak, CLOCK_MONOTONIC (as soak_upstream)   -f S     period of the upstreams' faults
 *   -t S      for how long, from the start on                          -b FILE  the board: client.h
 *   -r N      well-formed questions a second, all together             -w FILE  what was wrong, a line each
 *   -4 -6 A   the server                                               -c FILE -n NAME  TLS: CA and name
 *   -d A -D A -k N   first IPv4 and IPv6 address of the stubs, number of devices
 *   -l A -L N -S N   first IPv4 address of slow clients' devices, number of devices, number of slow clients
 *
 * Prints lines of key=value; exits with 0 when the time is over, whatever was counted: the script judges. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define STUBS_UDP     24
#define STUBS_TCP     8
#define STUBS_TLS     4
#define STUBS_MAX     (STUBS_UDP + STUBS_TCP + STUBS_TLS)
#define ROUGHS	      4
#define ROUGH_PER_TEN 1
#define LOOK_MS	      10 /* at the board: the script leaves each state for 50 ms at least */

static const char *const names[OVER_MAX] = { [OVER_UDP] = "udp", [OVER_TCP] = "tcp", [OVER_TLS] = "tls" };

struct crew {
	struct soak_run run;
	struct soak_stub stubs[STUBS_MAX];
	struct soak_rough roughs[ROUGHS];
	struct soak_slow slow;
	pthread_t threads[STUBS_MAX + ROUGHS + 1];
	unsigned int n_stubs, n_threads, rate;
};

socklen_t soak_source(const struct soak_run *r, unsigned int i, bool v6, struct sockaddr_storage *ret,
		      struct sockaddr_storage *ret_server)
{
	struct sockaddr_in from4 = { .sin_family = AF_INET };
	struct sockaddr_in6 from6 = { .sin6_family = AF_INET6 };

	memset(ret, 0, sizeof(*ret));
	memset(ret_server, 0, sizeof(*ret_server));
	i %= r->devices;
	if (v6) {
		(void)inet_pton(AF_INET6, r->device6, &from6.sin6_addr);
		from6.sin6_addr.s6_addr[15] = (uint8_t)(from6.sin6_addr.s6_addr[15] + i);
		memcpy(ret, &from6, sizeof(from6));
		memcpy(ret_server, &r->server6, sizeof(r->server6));
		return sizeof(from6);
	}
	from4.sin_addr.s_addr = htonl(ntohl(inet_addr(r->device4)) + i);
	memcpy(ret, &from4, sizeof(from4));
	memcpy(ret_server, &r->server4, sizeof(r->server4));
	return sizeof(from4);
}

static void die(const char *what)
{
	fprintf(stderr, "soak_client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const volatile char *board_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = fd >= 0 ? mmap(NULL, 2, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (at == MAP_FAILED)
		die(path);
	(void)close(fd);
	return at;
}

static SSL_CTX *tls_open(const char *ca)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL || SSL_CTX_load_verify_locations(tls, ca, NULL) != 1)
		die(ca);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	return tls;
}

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

static void option(struct crew *c, int o, const char *value)
{
	struct soak_run *r = &c->run;

	switch (o) {
	case 's':
		r->start_ms = strtoull(value, NULL, 10);
		break;
	case 't':
		r->end_ms = number(value) * 1000u;
		break;
	case 'f':
		r->period_s = number(value);
		break;
	case 'b':
		r->board = board_open(value);
		break;
	case 'r':
		c->rate = number(value);
		break;
	case 'w':
		r->wrong = fopen(value, "w");
		break;
	case '4':
		r->server4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(SOAK_PORT) };
		(void)inet_pton(AF_INET, value, &r->server4.sin_addr);
		break;
	case '6':
		r->server6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(SOAK_PORT) };
		(void)inet_pton(AF_INET6, value, &r->server6.sin6_addr);
		break;
	case 'c':
		r->tls = tls_open(value);
		break;
	case 'n':
		r->tls_name = strdup(value);
		break;
	case 'd':
		r->device4 = value;
		break;
	case 'D':
		r->device6 = value;
		break;
	case 'k':
		r->devices = number(value);
		break;
	case 'l':
		r->slow4 = value;
		break;
	case 'L':
		r->slow_devices = number(value);
		break;
	case 'S':
		c->slow.n = number(value);
		break;
	default:
		fputs("usage: see the head of tests/lab/soak/main.c\n", stderr);
		exit(2);
	}
}

static void thread_start(struct crew *c, void *(*run)(void *), void *arg)
{
	if (pthread_create(&c->threads[c->n_threads], NULL, run, arg) != 0)
		die("thread");
	c->n_threads++;
}

static void crew_start(struct crew *c)
{
	unsigned int n = STUBS_UDP + STUBS_TCP + (c->run.tls != NULL ? STUBS_TLS : 0);
	uint64_t seed = 0x9e3779b97f4a7c15u;

	for (unsigned int i = 0; i < n; i++) {
		struct soak_stub *s = &c->stubs[i];

		s->run = &c->run;
		s->index = i;
		s->transport = i < STUBS_UDP ? OVER_UDP : i < STUBS_UDP + STUBS_TCP ? OVER_TCP : OVER_TLS;
		s->seed = soak_random(&seed) * 0x9e3779b97f4a7c15u; /* not one sequence, a step apart */
		s->interval_us = (uint64_t)n * 1000000 / c->rate;
		thread_start(c, soak_stub_main, s);
	}
	c->n_stubs = n;
	for (unsigned int i = 0; i < ROUGHS; i++) {
		c->roughs[i] = (struct soak_rough){ .run = &c->run,
						    .index = i,
						    .seed = soak_random(&seed) * 0x9e3779b97f4a7c15u,
						    .interval_us = ROUGHS * 10000000ull / c->rate / ROUGH_PER_TEN };
		thread_start(c, soak_rough_main, &c->roughs[i]);
	}
	c->slow.run = &c->run;
	if (c->slow.n != 0)
		thread_start(c, soak_slow_main, &c->slow);
}

static void look_on(struct soak_run *r)
{
	while (soak_now_ms() < r->end_ms) {
		struct timespec t = { .tv_nsec = LOOK_MS * 1000000 };

		if (r->board[0] == '?')
			atomic_store(&r->unsettled_ms, soak_now_ms());
		if (r->board[1] == 'k')
			atomic_store(&r->killed_ms, soak_now_ms());
		(void)nanosleep(&t, NULL);
	}
}

static void counts_add(struct soak_counts *to, const struct soak_counts *c)
{
	to->sent += c->sent;
	to->first += c->first;
	to->late += c->late;
	to->unanswered += c->unanswered;
	to->wrong += c->wrong;
	to->failed += c->failed;
	to->unanswered_killed += c->unanswered_killed;
	to->late_excused += c->late_excused;
	to->failed_excused += c->failed_excused;
}

static void counts_print(const char *name, const struct soak_counts *c)
{
	printf("over=%s sent=%" PRIu64 " first=%" PRIu64 " late=%" PRIu64 " unanswered=%" PRIu64 " wrong=%" PRIu64
	       " failed=%" PRIu64 " late_excused=%" PRIu64 " failed_excused=%" PRIu64 " unanswered_in_kills=%" PRIu64
	       "\n",
	       name, c->sent, c->first, c->late, c->unanswered, c->wrong, c->failed, c->late_excused, c->failed_excused,
	       c->unanswered_killed);
}

static void crew_print(const struct crew *c)
{
	struct soak_counts all = { 0 };
	struct soak_rough_counts rough = { 0 };

	for (unsigned int t = 0; t < OVER_MAX; t++) {
		struct soak_counts sum = { 0 };

		for (unsigned int i = 0; i < c->n_stubs; i++)
			if (c->stubs[i].transport == (enum soak_transport)t)
				counts_add(&sum, &c->stubs[i].counts);
		counts_print(names[t], &sum);
		counts_add(&all, &sum);
	}
	counts_print("all", &all);
	for (unsigned int i = 0; i < ROUGHS; i++) {
		rough.sent += c->roughs[i].counts.sent;
		rough.answered += c->roughs[i].counts.answered;
		rough.wrong += c->roughs[i].counts.wrong;
	}
	printf("malformed=%" PRIu64 " answered=%" PRIu64 " wrong=%" PRIu64 "\n", rough.sent, rough.answered,
	       rough.wrong);
	printf("slow=%u opened=%" PRIu64 " closed_by_server=%" PRIu64 " most_open=%" PRIu64 "\n", c->slow.n,
	       c->slow.counts.opened, c->slow.counts.closed, c->slow.counts.most_open);
}

int main(int argc, char **argv)
{
	static struct crew crew;
	struct soak_run *r = &crew.run;
	int o;

	(void)signal(SIGPIPE, SIG_IGN);
	while ((o = getopt(argc, argv, "s:t:f:b:r:w:4:6:c:n:d:D:k:l:L:S:")) != -1)
		option(&crew, o, optarg);
	if (r->start_ms == 0 || r->end_ms == 0 || r->period_s == 0 || r->board == NULL || r->wrong == NULL ||
	    crew.rate == 0 || r->device4 == NULL || r->device6 == NULL || r->devices == 0 ||
	    (r->tls != NULL && r->tls_name == NULL) || (crew.slow.n != 0 && (r->slow4 == NULL || r->slow_devices == 0)))
		option(&crew, '?', NULL);
	r->end_ms += r->start_ms;
	setvbuf(r->wrong, NULL, _IOLBF, 0);
	crew_start(&crew);
	look_on(r);
	for (unsigned int i = 0; i < crew.n_threads; i++)
		(void)pthread_join(crew.threads[i], NULL);
	crew_print(&crew);
	return 0;
}
