/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any message, sent to sluice-dnsd as a whole, over UDP and TCP, by a device and by a stranger: it is answered exactly
 * when question_read() says so, and what comes is a message (ldns), echoes id and question, and is not too long.
 *
 * Behind each message a question is sent to which the answer is at hand: when that is answered and the message was not,
 * it never will be. SLUICE_DNS_WIRE names a folder of messages that others have collected. */
#include "gateway_fake.h"

#include <ldns/ldns.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "dnsd/answer.h"
#include "dnsd/tcp.h"
#include "wire_corpus.h"

#define UDP_MAX	 1500u /* worker.c: longer datagrams are no questions */
#define DEVICE	 "127.0.0.2"
#define STRANGER "127.0.0.9"
#define WAIT_MS	 10000

static const char views[] =
	"\"lists\":[],\"views\":[{\"filter\":null,\"route\":0,\"lists\":[],\"block\":[\"||isc.org^\"],"
	"\"allow\":[],\"blockMode\":\"null\",\"resolveFirst\":false,\"flows\":false,\"queries\":\"off\","
	"\"grants\":[],\"denies\":[]}],\"rules\":[],"
	"\"clients\":[{\"addr\":\"" DEVICE "\",\"device\":\"d\",\"view\":0}],"
	"\"routes\":[{\"upstreams\":[{\"kind\":\"udp\",\"addr\":\"127.0.0.1\",\"port\":5301}],\"splits\":[]}],"
	"\"records\":[{\"name\":\"nas.home.arpa\",\"addr\":\"192.168.1.20\"}]}";

struct run {
	int udp, stranger, tcp;
	unsigned sent, answered, resolved;
	struct answer answer;
	struct question question; /* as the message is read */
	int rc;
	const char *where;
	const uint8_t *msg;
	size_t len;
};

#define CHECK(r, cond)                                                                                                 \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			wire_fail(r, #cond, __LINE__);                                                                 \
	} while (0)

static void wire_fail(const struct run *r, const char *what, int line)
{
	fprintf(stderr, "%s: message %u, %zu bytes:", r->where, r->sent, r->len);
	for (size_t i = 0; i < r->len && i < 512; i++)
		fprintf(stderr, " %02x", r->msg[i]);
	fprintf(stderr, "\nanswer, %d bytes:", r->answer.len);
	for (int i = 0; i < r->answer.len && i < 512; i++)
		fprintf(stderr, " %02x", r->answer.msg[i]);
	fail_msg("line %d: %s", line, what);
}

static unsigned extended_rcode(const ldns_pkt *p)
{
	return (unsigned)ldns_pkt_edns_extended_rcode(p) << 4 | (unsigned)ldns_pkt_get_rcode(p);
}

static void check_rcode(const struct run *r, const ldns_pkt *p, bool stranger)
{
	unsigned rcode = extended_rcode(p);

	if (stranger)
		CHECK(r, rcode == RCODE_REFUSED);
	else if (r->rc == QUESTION_COOKIE)
		CHECK(r, rcode == RCODE_NOERROR || rcode == RCODE_BADCOOKIE);
	else if (r->rc != 0)
		CHECK(r, rcode == (unsigned)r->rc || (!r->question.edns && rcode == ((unsigned)r->rc & DNS_RCODE)));
	else if ((r->question.flags & DNS_RD) == 0)
		CHECK(r, rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_REFUSED);
	else
		CHECK(r, rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_SERVFAIL);
}

/* What came is an answer to this message. */
static void check_answer(struct run *r, bool tcp, bool stranger)
{
	const struct question *q = &r->question;
	const uint8_t *a = r->answer.msg;
	size_t len = (size_t)r->answer.len;
	uint16_t flags;
	ldns_pkt *p = NULL;

	CHECK(r, len >= DNS_HEADER_LEN);
	CHECK(r, len <= answer_limit(q, tcp));
	CHECK(r, !stranger || tcp || len <= r->len);
	CHECK(r, memcmp(a, r->msg, 2) == 0);
	flags = (uint16_t)(a[2] << 8 | a[3]);
	CHECK(r, (flags & DNS_QR) != 0 && (flags & 0x0040) == 0);
	CHECK(r, (flags & (DNS_OPCODE | DNS_RD | DNS_CD)) == (q->flags & (DNS_OPCODE | DNS_RD | DNS_CD)));
	CHECK(r, a[4] == 0 && a[5] == q->has_name);
	if (q->has_name) {
		CHECK(r, len >= DNS_HEADER_LEN + q->name.len + 4u);
		CHECK(r, memcmp(a + DNS_HEADER_LEN, r->msg + DNS_HEADER_LEN, q->name.len + 4u) == 0);
	}
	if ((flags & DNS_OPCODE) != 0) {
		CHECK(r, len == DNS_HEADER_LEN);
		CHECK(r, (flags & DNS_RCODE) == (stranger ? (unsigned)RCODE_REFUSED : (unsigned)RCODE_NOTIMP));
		return; /* ldns knows no other opcodes' messages */
	}
	CHECK(r, ldns_wire2pkt(&p, a, len) == LDNS_STATUS_OK);
	CHECK(r, ldns_pkt_edns(p) == q->edns);
	check_rcode(r, p, stranger);
	ldns_pkt_free(p);
}

/* A question whose answer is at hand; its id is another than the message's. */
static size_t marker(const struct run *r, uint8_t *buf, size_t size)
{
	uint16_t id = r->len >= 2 ? (uint16_t) ~(r->msg[0] << 8 | r->msg[1]) : 1;

	return ask_write(buf, size, id, "nas.home.arpa", TYPE_A, ASK_NONE);
}

/* Answers until both have come, or the marker's when none is due. */
static void receive(struct run *r, int fd, bool tcp, bool stranger, bool due)
{
	uint8_t mark[64];
	bool marked = false, answered = false;

	(void)marker(r, mark, sizeof(mark));
	while (!marked || (due && !answered)) {
		if (tcp)
			tcp_recv(fd, &r->answer);
		else
			ask_recv(fd, &r->answer, WAIT_MS);
		CHECK(r, r->answer.len >= 2);
		if (r->len < 2 || memcmp(r->answer.msg, r->msg, 2) != 0) {
			CHECK(r, memcmp(r->answer.msg, mark, 2) == 0);
			marked = true;
			continue;
		}
		CHECK(r, due && !answered);
		check_answer(r, tcp, stranger);
		answered = true;
	}
	r->answered += answered;
}

static void by_udp(struct run *r, int fd, bool stranger)
{
	uint8_t mark[64];
	size_t len = marker(r, mark, sizeof(mark));

	CHECK(r, send(fd, r->msg, r->len, 0) == (ssize_t)r->len);
	CHECK(r, send(fd, mark, len, 0) == (ssize_t)len);
	receive(r, fd, false, stranger, r->rc >= 0 && r->len <= UDP_MAX);
}

/* Both in one write: the second would wait for the acknowledgement of the first (Nagle). */
static void by_tcp(struct run *r)
{
	uint8_t mark[64], frames[2 + TCP_QUESTION_MAX + 2 + sizeof(mark)];
	struct wcur w = wcur_over(frames, sizeof(frames));
	size_t len = marker(r, mark, sizeof(mark));

	if (r->len > TCP_QUESTION_MAX)
		return; /* the connection is closed: test_serve.c */
	wcur_be16(&w, (uint16_t)r->len);
	wcur_bytes(&w, r->msg, r->len);
	wcur_be16(&w, (uint16_t)len);
	wcur_bytes(&w, mark, len);
	CHECK(r, send(r->tcp, frames, wcur_len(&w), MSG_NOSIGNAL) == (ssize_t)wcur_len(&w));
	receive(r, r->tcp, true, false, r->rc >= 0);
}

static void one(void *arg, const char *where, const uint8_t *msg, size_t len)
{
	struct run *r = arg;

	if (len > 65507) /* no datagram */
		return;
	r->where = where;
	r->msg = msg;
	r->len = len;
	r->sent++;
	r->rc = question_read(msg, len, &r->question);
	r->resolved += r->rc == 0;
	by_udp(r, r->udp, false);
	by_udp(r, r->stranger, true);
	by_tcp(r);
}

static void run_open(struct run *r)
{
	*r = (struct run){ .udp = ask_open(DEVICE, SOCK_DGRAM),
			   .stranger = ask_open(STRANGER, SOCK_DGRAM),
			   .tcp = ask_open(DEVICE, SOCK_STREAM) };
}

static void run_close(struct run *r)
{
	print_message("%u messages, %u read as questions, %u answers\n", r->sent, r->resolved, r->answered);
	close(r->udp);
	close(r->stranger);
	close(r->tcp);
}

static void every_cut_and_every_bit_is_answered_as_the_table_says(void **state)
{
	static struct run r;

	(void)state;
	run_open(&r);
	wire_made(one, &r);
	assert_in_range(r.resolved, 100, r.sent - 100); /* both kinds are there */
	run_close(&r);
}

static void what_others_have_collected_is_too(void **state)
{
	const char *dir = getenv("SLUICE_DNS_WIRE");
	static struct run r;

	(void)state;
	if (dir == NULL || dir[0] == '\0')
		skip();
	run_open(&r);
	assert_true(wire_dir(dir, one, &r) > 0);
	run_close(&r);
}

int main(int argc, char **argv)
{
	static struct gateway g;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_and_every_bit_is_answered_as_the_table_says),
		cmocka_unit_test(what_others_have_collected_is_too),
	};
	int rc = fake_net();

	if (rc != 0 || argc < 2)
		return 77;
	gateway_open(&g, argv[1]);
	gateway_start(&g, views);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return gateway_stop(&g) != 0 ? 1 : rc;
}
