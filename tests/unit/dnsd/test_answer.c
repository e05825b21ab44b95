/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/reply.c and dnsd/answer.c: the resolver's answer taken apart and written anew. */
#include "dnsd/answer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The way of an answer: from the resolver into the cache, and from there to @q's client. */
static int answer_whole(const struct question *q, const struct reply *r, bool secure, int ede, const char *text,
			uint8_t *buf, size_t limit)
{
	static uint8_t kept[DNS_MESSAGE_MAX];
	struct cache_key key = { .name = &q->name, .type = q->type, .dnssec_ok = q->dnssec_ok };
	struct question plain = *q;
	struct cache_entry *e;
	int len;

	memset(buf, 0, DNS_HEADER_LEN);
	plain.flags = 0;
	plain.edns = false;
	memcpy(plain.sent, plain.name.wire, plain.name.len);
	len = answer_from_reply(&plain, r, kept, sizeof(kept));
	if (len <= 0)
		return len;
	e = cache_entry_new(&key, 0, kept, (size_t)len, 60, 0);
	assert_non_null(e);
	e->secure = secure;
	len = answer_from_entry(q, e, ede, text, buf, limit);
	free(e);
	return len;
}

static struct reply reply; /* large */

static struct question ask_for(const char *name, uint16_t type, bool edns, bool dnssec_ok)
{
	struct question q = { .id = 9,
			      .flags = DNS_RD,
			      .type = type,
			      .class_ = CLASS_IN,
			      .edns = edns,
			      .dnssec_ok = dnssec_ok,
			      .has_name = true,
			      .udp_size = 512 };

	assert_int_equal(dname_parse(name, strlen(name), &q.name), 0);
	memcpy(q.sent, q.name.wire, q.name.len);
	q.sent[1] &= 0xdf; /* the client's case */
	return q;
}

/* A message of the resolver being put together by hand. */
struct made {
	uint8_t buf[40000];
	struct wcur w;
	uint16_t counts[4];
};

static void made_begin(struct made *m, const struct question *q, uint16_t flags)
{
	m->w = wcur_over(m->buf, sizeof(m->buf));
	memset(m->counts, 0, sizeof(m->counts));
	m->counts[0] = 1;
	wcur_be16(&m->w, 0);
	wcur_be16(&m->w, (uint16_t)(DNS_QR | flags));
	(void)wcur_room(&m->w, 8);
	wcur_bytes(&m->w, q->name.wire, q->name.len);
	wcur_be16(&m->w, q->type);
	wcur_be16(&m->w, CLASS_IN);
}

/* @owner and @rdata as they are, pointers included. */
static void made_rr(struct made *m, enum dns_section s, const char *owner, size_t owner_len, uint16_t type,
		    uint32_t ttl_s, const void *rdata, size_t len)
{
	wcur_bytes(&m->w, owner, owner_len);
	wcur_be16(&m->w, type);
	wcur_be16(&m->w, CLASS_IN);
	wcur_be32(&m->w, ttl_s);
	wcur_be16(&m->w, (uint16_t)len);
	wcur_bytes(&m->w, rdata, len);
	m->counts[s]++;
}

#define RR(m, s, owner, type, ttl, rdata) made_rr(m, s, owner, sizeof(owner) - 1, type, ttl, rdata, sizeof(rdata) - 1)
#define QPTR				  "\xc0\x0c"

static size_t made_end(struct made *m)
{
	assert_int_equal(m->w.err, 0);
	for (size_t i = 0; i < 4; i++) {
		m->buf[4 + 2 * i] = (uint8_t)(m->counts[i] >> 8);
		m->buf[5 + 2 * i] = (uint8_t)m->counts[i];
	}
	return wcur_len(&m->w);
}

static uint16_t count_of(const uint8_t *msg, int section)
{
	return (uint16_t)(msg[4 + 2 * section] << 8 | msg[5 + 2 * section]);
}

static void address_comes_through_in_the_clients_case(void **state)
{
	struct question q = ask_for("www.example", TYPE_A, false, false);
	struct made m;
	uint8_t out[512];
	int len;

	(void)state;
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER,
	   "\x03www\x07"
	   "example\0",
	   TYPE_A, 300, "\xc6\x33\x64\1");
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	reply_addrs(&reply, true);
	assert_int_equal(reply.n_addrs, 1);
	assert_int_equal(reply.min_ttl_s, 300);
	len = answer_whole(&q, &reply, false, EDE_NONE, NULL, out, sizeof(out));
	assert_int_equal(len, 29 + 16);
	assert_memory_equal(out, "\0\x09\x81\x80\0\1\0\1\0\0\0\0\x03Www", 16);
	assert_memory_equal(out + 29, "\xc0\x0c\0\1\0\1\0\0\x01\x2c\0\4\xc6\x33\x64\1", 16);
}

static void signatures_are_for_those_who_asked(void **state)
{
	struct question q = ask_for("www.example", TYPE_A, true, false);
	struct made m;
	uint8_t out[512];
	size_t len;

	(void)state;
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_A, 300, "\xc6\x33\x64\1");
	RR(&m, SECTION_ANSWER, QPTR, TYPE_RRSIG, 300, "\0\1signature");
	RR(&m, SECTION_AUTHORITY, QPTR, TYPE_NS, 300, QPTR);
	RR(&m, SECTION_AUTHORITY, QPTR, TYPE_NSEC, 300, "\0\0\1\x40");
	len = made_end(&m);
	assert_int_equal(reply_read(m.buf, len, &q, &reply), 0);
	assert_true(answer_whole(&q, &reply, true, EDE_NONE, NULL, out, sizeof(out)) > 0);
	assert_int_equal(count_of(out, 1), 1);
	assert_int_equal(count_of(out, 2), 0);
	assert_int_equal(out[3] & DNS_AD, 0);
	q.dnssec_ok = true;
	assert_int_equal(reply_read(m.buf, len, &q, &reply), 0);
	assert_true(answer_whole(&q, &reply, true, EDE_NONE, NULL, out, sizeof(out)) > 0);
	assert_int_equal(count_of(out, 1), 2);
	assert_int_equal(count_of(out, 2), 1);
	assert_int_equal(out[3] & DNS_AD, DNS_AD);
}

static void compressed_data_is_written_anew(void **state)
{
	struct question q = ask_for("example", TYPE_MX, false, false);
	struct made m;
	uint8_t out[512];
	int len;

	(void)state;
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_MX, 60, "\0\x0a\4Mail" QPTR);
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	len = answer_whole(&q, &reply, false, EDE_NONE, NULL, out, sizeof(out));
	assert_int_equal(len, 25 + 12 + 9);
	assert_memory_equal(out + 25 + 10, "\0\x09\0\x0a\4Mail\xc0\x0c", 11);
}

static void chain_is_walked_and_strangers_dropped(void **state)
{
	struct question q = ask_for("a.example", TYPE_A, false, false);
	struct made m;

	(void)state;
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, "\1c\0", TYPE_A, 20, "\xc6\x33\x64\3");
	RR(&m, SECTION_ANSWER, "\1b\0", TYPE_CNAME, 10, "\1c\0");
	RR(&m, SECTION_ANSWER, QPTR, TYPE_CNAME, 30, "\1b\0");
	RR(&m, SECTION_ANSWER, "\1x\0", TYPE_A, 1, "\xc6\x33\x64\4");
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	reply_addrs(&reply, true);
	assert_int_equal(reply.n_chain, 2);
	assert_int_equal(reply.n_addrs, 1);
	assert_int_equal(reply.addrs[0].bytes[3], 3);
	assert_int_equal(reply.min_ttl_s, 10);
}

static void chain_of_twelve_passes_and_loops_end(void **state)
{
	struct question q = ask_for("a", TYPE_A, false, false);
	struct made m;

	(void)state;
	for (uint32_t links = CNAME_CHAIN_MAX; links <= CNAME_CHAIN_MAX + 1; links++) {
		made_begin(&m, &q, 0);
		for (uint32_t i = 0; i < links; i++) {
			char owner[3] = { 1, (char)('a' + i), 0 }, target[3] = { 1, (char)('a' + i + 1), 0 };

			made_rr(&m, SECTION_ANSWER, owner, 3, TYPE_CNAME, 60, target, 3);
		}
		assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), links > CNAME_CHAIN_MAX ? -E2BIG : 0);
	}
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_CNAME, 60, QPTR);
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), -E2BIG);
}

static void guard_trims_private_addresses(void **state)
{
	struct question q = ask_for("a", TYPE_A, false, false);
	struct made m;
	uint8_t out[512];
	size_t len;

	(void)state;
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_A, 60, "\xc0\xa8\1\1");
	RR(&m, SECTION_ANSWER, QPTR, TYPE_A, 60, "\xc6\x33\x64\1");
	len = made_end(&m);
	assert_int_equal(reply_read(m.buf, len, &q, &reply), 0);
	reply_addrs(&reply, true);
	assert_int_equal(reply.n_private, 1);
	assert_int_equal(reply.n_addrs, 1);
	assert_true(answer_whole(&q, &reply, false, EDE_NONE, NULL, out, sizeof(out)) > 0);
	assert_int_equal(count_of(out, 1), 1);
	assert_int_equal(reply_read(m.buf, len, &q, &reply), 0);
	reply_addrs(&reply, false);
	assert_int_equal(reply.n_addrs, 2);
}

static void private_addresses_are_known(void **state)
{
	static const struct {
		const char *addr;
		bool private;
	} rows[] = {
		{ "10.0.0.1", true },
		{ "172.16.0.1", true },
		{ "172.32.0.1", false },
		{ "192.168.0.1", true },
		{ "192.169.0.1", false },
		{ "100.64.0.1", true },
		{ "100.128.0.1", false },
		{ "127.0.0.53", true },
		{ "169.254.169.254", true },
		{ "0.0.0.0", true },
		{ "224.0.0.251", true },
		{ "8.8.8.8", false },
		{ "::1", true },
		{ "::", true },
		{ "fd00::1", true },
		{ "fe80::1", true },
		{ "fec0::1", true },
		{ "ff02::1", true },
		{ "2001:db8::1", false },
		{ "::ffff:10.0.0.1", true },
		{ "::ffff:8.8.8.8", false },
		{ "64:ff9b::a00:1", true },
		{ "64:ff9b::808:808", false },
		{ "64:ff9b:1::c0a8:101", true },
		{ "64:ff9b:1::808:808", false },
		{ "2002:c0a8:101::1", true },
		{ "2002:808:808::1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip_addr a;

		assert_int_equal(ip_addr_parse(rows[i].addr, &a), 0);
		if (ip_addr_private(&a) != rows[i].private)
			fail_msg("%s", rows[i].addr);
	}
}

static void hints_count_as_addresses(void **state)
{
	struct question q = ask_for("a", TYPE_HTTPS, false, false);
	struct made m;

	(void)state;
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_HTTPS, 60, "\0\1\0\0\1\0\3\2h2\0\4\0\x08\xc6\x33\x64\1\xc6\x33\x64\2");
	RR(&m, SECTION_ANSWER, QPTR, TYPE_HTTPS, 60, "\0\1\0\0\6\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	RR(&m, SECTION_ANSWER, QPTR, TYPE_HTTPS, 60, "\0\1\0\0\4\0\4\xc0\xa8\0\1"); /* private */
	RR(&m, SECTION_ANSWER, QPTR, TYPE_HTTPS, 60, "\0\1\0\0\4\0\3\xc6\x33\x64"); /* three bytes of address */
	RR(&m, SECTION_ANSWER, QPTR, TYPE_HTTPS, 60, "\0\1\0\0\4\0\xff\xc6");	    /* beyond the data */
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	reply_addrs(&reply, true);
	assert_int_equal(reply.n_addrs, 3);
	assert_int_equal(reply.n_private, 1);
	for (uint32_t i = 0; i < reply.n_rrs; i++)
		assert_int_equal(reply.rrs[i].dropped, i >= 2);
}

/* What is left out of HTTPS records, byte for byte; and the TTL and addresses that are learned are those of the rest.
 */
static void hints_are_trimmed_out_of_their_record(void **state)
{
	static struct made m;
	struct question q = ask_for("www.example", TYPE_HTTPS, false, false);
	static const char head[] = "\0\1\0\0\1\0\3\2h2";
	static const char v4[] = "\0\4\0\x0c\xc0\0\2\1\xc6\x33\x64\7\xc0\0\2\2";
	static const char v6[] = "\0\6\0\x10 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1";
	static const char left[] = "\0\4\0\x08\xc0\0\2\1\xc0\0\2\2";
	bool forbidden[LEARN_ADDRS_MAX] = { false };
	uint8_t rdata[64], buf[512];
	size_t n = sizeof(head) - 1;
	int len;

	(void)state;
	memcpy(rdata, head, n);
	memcpy(rdata + n, v4, sizeof(v4) - 1);
	memcpy(rdata + n + sizeof(v4) - 1, v6, sizeof(v6) - 1);
	made_begin(&m, &q, 0);
	made_rr(&m, SECTION_ANSWER, "\xc0\x0c", 2, TYPE_HTTPS, 300, rdata, n + sizeof(v4) - 1 + sizeof(v6) - 1);
	made_rr(&m, SECTION_ANSWER, "\xc0\x0c", 2, TYPE_HTTPS, 20, v4, 0); /* malformed: it goes by itself */
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	reply_addrs(&reply, false);
	assert_int_equal(reply.n_addrs, 4);
	forbidden[1] = forbidden[3] = true;
	assert_int_equal(reply_trim(&reply, &q, forbidden), 1);
	assert_int_equal(reply.n_addrs, 2);
	assert_int_equal(reply.min_ttl_s, 300);
	len = answer_changed(&q, &reply, NULL, EDE_FORGED, "why", buf, sizeof(buf));
	assert_int_equal(len, 29 + 2 + 10 + n + sizeof(left) - 1);
	assert_memory_equal(buf + 29 + 2 + 10, head, n);
	assert_memory_equal(buf + 29 + 2 + 10 + n, left, sizeof(left) - 1);
}

/* RFC 9460 2.2. A pointer would mean another name where the answer is written anew. */
static void target_that_is_compressed_is_malformed(void **state)
{
	static struct made m;
	struct question q = ask_for("www.example", TYPE_HTTPS, false, false);
	struct dname target;

	(void)state;
	made_begin(&m, &q, 0);
	made_rr(&m, SECTION_ANSWER, "\xc0\x0c", 2, TYPE_HTTPS, 300, "\0\1\xc0\x0c", 4);
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	assert_false(reply_target(&reply, &reply.rrs[0], &target));
	reply_addrs(&reply, false);
	assert_true(reply.rrs[0].dropped);
}

static void no_more_addresses_than_are_learned(void **state)
{
	struct question q = ask_for("a", TYPE_A, false, false);
	struct made m;
	uint8_t out[4096];

	(void)state;
	made_begin(&m, &q, 0);
	for (uint32_t i = 0; i < LEARN_ADDRS_MAX + 1; i++)
		made_rr(&m, SECTION_ANSWER, QPTR, 2, TYPE_A, 60, (uint8_t[]){ 198, 51, 100, (uint8_t)i }, 4);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_A, 60, "\xc6\x33\x64\1"); /* known already: stays */
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	reply_addrs(&reply, true);
	assert_int_equal(reply.n_addrs, LEARN_ADDRS_MAX);
	assert_true(answer_whole(&q, &reply, false, EDE_NONE, NULL, out, sizeof(out)) > 0);
	assert_int_equal(count_of(out, 1), LEARN_ADDRS_MAX + 1);
}

static void too_long_is_truncated_to_nothing(void **state)
{
	struct question q = ask_for("a", TYPE_A, true, false);
	struct made m;
	uint8_t out[DNS_UDP_ANSWER_MAX];
	int len;

	(void)state;
	made_begin(&m, &q, 0);
	for (uint8_t i = 0; i < 40; i++)
		made_rr(&m, SECTION_ANSWER, QPTR, 2, TYPE_A, 60, (uint8_t[]){ 198, 51, 100, i }, 4);
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	len = answer_whole(&q, &reply, false, EDE_NONE, NULL, out, answer_limit(&q, false));
	assert_int_equal(len, 19 + 11);
	assert_int_equal(out[2] & 0x02, 0x02);
	assert_int_equal(count_of(out, 1), 0);
	assert_int_equal(count_of(out, 3), 1);
	q.udp_size = 4096;
	assert_int_equal(answer_limit(&q, false), 1232);
	assert_int_equal(answer_whole(&q, &reply, false, EDE_NONE, NULL, out, answer_limit(&q, false)), 19 + 640 + 11);
}

/* The limit cuts the first name of the SOA behind its first label; the second begins alike. What the buffer held before
 * is a pointer to itself. */
static void name_that_was_cut_is_not_pointed_to(void **state)
{
	static const char soa[] = "\x02ns\x3a"
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"
				  "\x02ns\x01"
				  "b\0"
				  "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
	struct question q = ask_for("example", TYPE_A, false, false);
	static struct made m;
	uint8_t buf[512];
	size_t len;

	made_begin(&m, &q, 0);
	RR(&m, SECTION_AUTHORITY, QPTR, TYPE_SOA, 60, soa);
	len = made_end(&m);
	assert_int_equal(reply_read(m.buf, len, &q, &reply), 0);
	for (size_t limit = 30; limit < 120; limit++) {
		for (size_t i = 0; i + 1 < sizeof(buf); i += 2) {
			buf[i] = 0xc0;
			buf[i + 1] = (uint8_t)i;
		}
		alarm(10);
		assert_true(answer_whole(&q, &reply, false, EDE_NONE, NULL, buf, limit) > 0);
		for (size_t i = 1; i + 1 < sizeof(buf); i += 2) {
			buf[i] = 0xc0;
			buf[i + 1] = (uint8_t)i;
		}
		assert_true(answer_whole(&q, &reply, false, EDE_NONE, NULL, buf, limit) > 0);
		alarm(0);
	}
}

static void malformed_answers_are_refused(void **state)
{
	struct question q = ask_for("a", TYPE_CNAME, false, false);
	struct made m;
	uint8_t out[512];
	size_t len;

	(void)state;
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_CNAME, 60, "\xc0\xff"); /* forwards */
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	assert_true(answer_whole(&q, &reply, false, EDE_NONE, NULL, out, sizeof(out)) < 0);
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, QPTR, TYPE_CNAME, 60, "\1"); /* name cut off by the data's end */
	RR(&m, SECTION_ANSWER, QPTR, TYPE_MX, 60, "\0");
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), 0);
	assert_true(answer_whole(&q, &reply, false, EDE_NONE, NULL, out, sizeof(out)) < 0);
	made_begin(&m, &q, 0);
	RR(&m, SECTION_ANSWER, "\xc0\x40", TYPE_A, 60, "\1\2\3\4"); /* owner points forwards */
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), -EBADMSG);
	made_begin(&m, &q, 0);
	len = made_end(&m);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(reply_read(m.buf, cut, &q, &reply), -EBADMSG);
	q = ask_for("b", TYPE_CNAME, false, false);
	assert_int_equal(reply_read(m.buf, len, &q, &reply), -EBADMSG);
}

static void too_many_records_are_refused(void **state)
{
	struct question q = ask_for("a", TYPE_A, false, false);
	struct made m;

	(void)state;
	made_begin(&m, &q, 0);
	for (uint32_t i = 0; i < REPLY_RRS_MAX + 1; i++)
		RR(&m, SECTION_ANSWER, QPTR, TYPE_A, 60, "\1\2\3\4");
	assert_int_equal(reply_read(m.buf, made_end(&m), &q, &reply), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_comes_through_in_the_clients_case),
		cmocka_unit_test(signatures_are_for_those_who_asked),
		cmocka_unit_test(compressed_data_is_written_anew),
		cmocka_unit_test(chain_is_walked_and_strangers_dropped),
		cmocka_unit_test(chain_of_twelve_passes_and_loops_end),
		cmocka_unit_test(guard_trims_private_addresses),
		cmocka_unit_test(private_addresses_are_known),
		cmocka_unit_test(hints_count_as_addresses),
		cmocka_unit_test(hints_are_trimmed_out_of_their_record),
		cmocka_unit_test(target_that_is_compressed_is_malformed),
		cmocka_unit_test(no_more_addresses_than_are_learned),
		cmocka_unit_test(too_long_is_truncated_to_nothing),
		cmocka_unit_test(name_that_was_cut_is_not_pointed_to),
		cmocka_unit_test(malformed_answers_are_refused),
		cmocka_unit_test(too_many_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
