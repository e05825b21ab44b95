/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random questions to two resolvers of the same zones, and every difference between their answers.
 * usage: dns_compare ADDR PORT ADDR PORT SEED COUNT forward|recursive SINCE ZONEFILE...
 *
 * The first server is ours, the second the one to be compared with; SINCE, Unix time, is when the oldest cache was
 * empty: TTLs may differ by what has passed since then. Names are those of the zones and what is made of them: below,
 * above, beside, in other case. Compared: rcode, AD (recursive: behind a forwarder neither validates), TC, the records
 * of answer and authority as sets, their TTLs. What is known to differ, and why, is in known(). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/time.h>
#include <time.h>

#include "base/base.h"
#include "dns_compare.h"

#define ANSWER_MS   10000 /* a resolver that tries every server of a broken zone again */
#define SHOWN_MAX   20u
#define TTL_SLACK_S 3

enum difference {
	DIFFER_NOTHING = 0,
	DIFFER_LOST,
	DIFFER_RCODE,
	DIFFER_ANSWER,
	DIFFER_AUTHORITY,
	DIFFER_AD,
	DIFFER_TTL,
	DIFFER_OPT,
	DIFFER_TRUNCATION,
	DIFFER_MAX
};

static const char *const difference_names[DIFFER_MAX] = {
	[DIFFER_LOST] = "no answer, or an unreadable one",
	[DIFFER_RCODE] = "rcode",
	[DIFFER_ANSWER] = "answer section",
	[DIFFER_AUTHORITY] = "authority section",
	[DIFFER_AD] = "AD",
	[DIFFER_TTL] = "TTL",
	[DIFFER_OPT] = "OPT record",
	[DIFFER_TRUNCATION] = "truncated though it fits, or over the limit",
};

struct server {
	struct sockaddr_in addr;
	int udp;
};

struct tally {
	unsigned asked, differ, noerror, nxdomain, servfail, ad, tc, answered, known;
};

struct compare {
	struct server servers[2];
	bool recursive;
	time_t since;
	struct tally tally;
};

static void server_open(struct server *s, const char *addr, const char *port)
{
	s->addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (inet_pton(AF_INET, addr, &s->addr.sin_addr) != 1 || s->udp == -1 ||
	    connect(s->udp, (struct sockaddr *)&s->addr, sizeof(s->addr)) != 0) {
		perror(addr);
		exit(2);
	}
}

static ldns_pkt *parse(const uint8_t *msg, ssize_t len, uint16_t id)
{
	ldns_pkt *p = NULL;

	if (len < 12 || ldns_wire2pkt(&p, msg, (size_t)len) != LDNS_STATUS_OK)
		return NULL;
	if (ldns_pkt_id(p) == id)
		return p;
	ldns_pkt_free(p);
	return NULL;
}

/* Answers to older questions are passed over. NULL: none came. */
static ldns_pkt *udp_receive(const struct server *s, uint16_t id)
{
	static uint8_t buf[65535];
	struct pollfd p = { .fd = s->udp, .events = POLLIN };

	while (poll(&p, 1, ANSWER_MS) == 1) {
		ssize_t len = recv(s->udp, buf, sizeof(buf), 0);
		ldns_pkt *pkt = parse(buf, len, id);

		if (pkt != NULL) {
			ldns_pkt_set_size(pkt, (size_t)len);
			return pkt;
		}
	}
	return NULL;
}

static bool read_full(int fd, uint8_t *buf, size_t len)
{
	while (len != 0) {
		ssize_t n = read(fd, buf, len);

		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

static ldns_pkt *tcp_ask(const struct server *s, const uint8_t *msg, size_t len, uint16_t id)
{
	static uint8_t buf[65535];
	struct timeval timeout = { .tv_sec = ANSWER_MS / 1000 };
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint8_t head[2] = { (uint8_t)(len >> 8), (uint8_t)len };
	ldns_pkt *p;
	size_t size;

	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
	    connect(fd, (const struct sockaddr *)&s->addr, sizeof(s->addr)) != 0 || write(fd, head, 2) != 2 ||
	    write(fd, msg, len) != (ssize_t)len || !read_full(fd, head, 2))
		return NULL;
	size = (size_t)head[0] << 8 | head[1];
	if (!read_full(fd, buf, size))
		return NULL;
	p = parse(buf, (ssize_t)size, id);
	if (p != NULL)
		ldns_pkt_set_size(p, size);
	return p;
}

static bool says(const ldns_pkt *p, ldns_pkt_rcode rcode)
{
	return ldns_pkt_get_rcode(p) == rcode;
}

static void count(struct tally *t, const ldns_pkt *ours)
{
	t->noerror += says(ours, LDNS_RCODE_NOERROR);
	t->nxdomain += says(ours, LDNS_RCODE_NXDOMAIN);
	t->servfail += says(ours, LDNS_RCODE_SERVFAIL);
	t->ad += ldns_pkt_ad(ours);
	t->tc += ldns_pkt_tc(ours);
	t->answered += ldns_pkt_ancount(ours) != 0;
}

static long ttl_slack(const struct compare *c)
{
	return time(NULL) - c->since + TTL_SLACK_S;
}

/* The first difference, or DIFFER_NOTHING. */
static enum difference difference(const struct compare *c, const ldns_pkt *ours, const ldns_pkt *theirs)
{
	if (ldns_pkt_get_rcode(ours) != ldns_pkt_get_rcode(theirs))
		return DIFFER_RCODE;
	if (says(ours, LDNS_RCODE_SERVFAIL))
		return DIFFER_NOTHING;
	if (!records_equal(ldns_pkt_answer(ours), ldns_pkt_answer(theirs)))
		return DIFFER_ANSWER;
	if (!records_equal(ldns_pkt_authority(ours), ldns_pkt_authority(theirs)))
		return DIFFER_AUTHORITY;
	if (c->recursive && ldns_pkt_ad(ours) != ldns_pkt_ad(theirs))
		return DIFFER_AD;
	if (!ttls_near(ldns_pkt_answer(ours), ldns_pkt_answer(theirs), ttl_slack(c)) ||
	    !ttls_near(ldns_pkt_authority(ours), ldns_pkt_authority(theirs), ttl_slack(c)))
		return DIFFER_TTL;
	if (ldns_pkt_edns(ours) != ldns_pkt_edns(theirs) || ldns_pkt_edns_do(ours) != ldns_pkt_edns_do(theirs))
		return DIFFER_OPT;
	return DIFFER_NOTHING;
}

static bool has_type(const ldns_pkt *p, ldns_rr_type type)
{
	ldns_rr_list *found = ldns_pkt_rr_list_by_type(p, type, LDNS_SECTION_ANSWER);
	bool has = found != NULL;

	ldns_rr_list_deep_free(found);
	return has;
}

/* Why this difference may be. NULL: it may not. */
static const char *known(enum difference d, const struct probe *q, const ldns_pkt *ours, const ldns_pkt *theirs)
{
	/* include/sluice/msg.h, LEARN_ADDRS_MAX: what is not learned is not given. */
	if (d == DIFFER_ANSWER && (q->type == LDNS_RR_TYPE_A || q->type == LDNS_RR_TYPE_AAAA) &&
	    ldns_pkt_ancount(theirs) > 64 && records_within(ldns_pkt_answer(ours), ldns_pkt_answer(theirs)))
		return "more than 64 addresses are trimmed";
	/* unbound takes the DNAME itself for the answer, and forgets that the alias leads to no data. */
	if (d == DIFFER_AUTHORITY && q->type == LDNS_RR_TYPE_DNAME && has_type(ours, LDNS_RR_TYPE_DNAME) &&
	    ldns_pkt_nscount(theirs) == 0)
		return "no SOA beside a DNAME";
	/* libunbound 1.17 keeps the denial of an alias' target under the alias' name: whatever is asked there
	 * afterwards, or below, may be denied with it, or fail to validate, as it comes. The zones have one such alias
	 * each. */
	if (strcasestr(q->name, "dangling.") != NULL)
		return "an alias that leads nowhere";
	/* Neither validates for it: AD says whether somebody else had it validated before (RFC 4035 3.2.3). */
	if (d == DIFFER_AD && q->cd)
		return "AD beside CD";
	/* unbound makes the alias anew from the DNAME in its cache, with TTL 0; ours has the authority's, which is the
	 * DNAME's (RFC 6672 3.1). */
	if (d == DIFFER_TTL && has_type(ours, LDNS_RR_TYPE_DNAME))
		return "TTL of an alias made of a DNAME";
	/* The same as with AD: what was found bogus is kept for a minute, what nobody validated for its TTL. */
	if (d == DIFFER_TTL && q->cd)
		return "TTL beside CD";
	return NULL;
}

static void tell(struct tally *t, const struct probe *q, enum difference d, const ldns_pkt *ours,
		 const ldns_pkt *theirs)
{
	t->differ++;
	if (t->differ > SHOWN_MAX)
		return;
	printf("DIFFERENT %s: ", difference_names[d]);
	probe_print(q, stdout);
	printf("-- ours\n");
	if (ours != NULL)
		ldns_pkt_print(stdout, ours);
	printf("-- theirs\n");
	if (theirs != NULL)
		ldns_pkt_print(stdout, theirs);
}

/* What was truncated must not have fitted, and what was not must have. */
static bool truncation_sound(const struct probe *q, ldns_pkt *const p[2], ldns_pkt *const whole[2])
{
	for (int i = 0; i < 2; i++)
		if (ldns_pkt_tc(p[i]) != (ldns_pkt_size(whole[i]) > probe_limit(q)))
			return false;
	return true;
}

static void compare_answers(struct compare *c, const struct probe *q, ldns_pkt *const p[2], bool sound)
{
	enum difference d = p[0] == NULL || p[1] == NULL ? DIFFER_LOST
			    : sound			 ? difference(c, p[0], p[1])
							 : DIFFER_TRUNCATION;

	if (d == DIFFER_NOTHING)
		return;
	if (d != DIFFER_LOST && known(d, q, p[0], p[1]) != NULL)
		c->tally.known++;
	else
		tell(&c->tally, q, d, p[0], p[1]);
}

static void compare_one(struct compare *c, const struct probe *q)
{
	CLEANUP(freep) uint8_t *wire = NULL;
	ldns_pkt *p[2] = { NULL, NULL }, *whole[2] = { NULL, NULL };
	size_t len = 0;

	probe_write(q, &wire, &len);
	c->tally.asked++;
	for (int i = 0; i < 2; i++)
		(void)send(c->servers[i].udp, wire, len, 0);
	for (int i = 0; i < 2; i++)
		p[i] = udp_receive(&c->servers[i], q->id);
	if (p[0] != NULL)
		count(&c->tally, p[0]);
	if (p[0] == NULL || p[1] == NULL || (!ldns_pkt_tc(p[0]) && !ldns_pkt_tc(p[1]))) {
		compare_answers(c, q, p, true);
	} else {
		for (int i = 0; i < 2; i++)
			whole[i] = tcp_ask(&c->servers[i], wire, len, q->id);
		compare_answers(c, q, whole, whole[0] == NULL || whole[1] == NULL || truncation_sound(q, p, whole));
	}
	for (int i = 0; i < 2; i++) {
		ldns_pkt_free(p[i]);
		ldns_pkt_free(whole[i]);
	}
}

/* A run that met too little of something has compared less than it says. */
static bool met_enough(const struct compare *c)
{
	const struct tally *t = &c->tally;

	return t->nxdomain > t->asked / 20 && t->answered > t->asked / 5 && t->tc > t->asked / 200 && t->servfail > 0 &&
	       (!c->recursive || t->ad > t->asked / 50);
}

int main(int argc, char **argv)
{
	struct compare c = { 0 };
	struct pool *pool;
	unsigned n;

	if (argc < 10) {
		fprintf(stderr, "usage: dns_compare ADDR PORT ADDR PORT SEED COUNT forward|recursive SINCE "
				"ZONEFILE...\n");
		return 2;
	}
	server_open(&c.servers[0], argv[1], argv[2]);
	server_open(&c.servers[1], argv[3], argv[4]);
	n = (unsigned)strtoul(argv[6], NULL, 10);
	c.recursive = strcmp(argv[7], "recursive") == 0;
	c.since = (time_t)strtoll(argv[8], NULL, 10);
	pool = pool_new(strtoull(argv[5], NULL, 10), argv + 9, (unsigned)argc - 9);
	for (unsigned i = 0; i < n; i++) {
		struct probe q;

		pool_probe(pool, &q);
		compare_one(&c, &q);
	}
	pool_free(pool);
	printf("%u questions (seed %s, %s): %u differ, %u differ as known; NOERROR %u NXDOMAIN %u SERVFAIL %u, with "
	       "answers %u, AD %u, TC %u\n",
	       c.tally.asked, argv[5], argv[7], c.tally.differ, c.tally.known, c.tally.noerror, c.tally.nxdomain,
	       c.tally.servfail, c.tally.answered, c.tally.ad, c.tally.tc);
	if (!met_enough(&c))
		printf("too few of some kind: nothing is proved\n");
	return c.tally.differ == 0 && met_enough(&c) ? 0 : 1;
}
