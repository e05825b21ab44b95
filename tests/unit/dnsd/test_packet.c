/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dnsd/packet.c: questions of all shapes, names that point, answers that do not fit. */
#include "dnsd/packet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HEAD(flags, qd, ar) "\x12\x34" flags "\0" qd "\0\0\0\0\0" ar
#define QNAME                                                                                                          \
	"\x03wWw\x07"                                                                                                  \
	"Example\0"
#define IN_A "\0\1\0\1"
#define OPT  "\0\0\x29\x10\0\0\0\x80\0\0\0"

struct row {
	const char *what;
	const char *msg;
	size_t len;
	int rc;
};

#define ROW(what, rc, msg)                                                                                             \
	{                                                                                                              \
		what, msg, sizeof(msg) - 1, rc                                                                         \
	}

/* An OPT record with these options, fewer than 256 bytes of them; the length is its first argument. */
#define OPTIONS(len, options) "\0\0\x29\x10\0\0\0\0\0\0" len options
#define SOA		      QNAME "\0\6\0\1\0\0\0\0\0\x16\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define TSIG		      "\1k\0\0\xfa\0\xff\0\0\0\0\0\0"
#define SIG0		      "\0\0\x18\0\xff\0\0\0\0\0\0"
#define TYPE(t)		      HEAD("\1\0", "\1", "\0") QNAME "\0" t "\0\1"
#define CLASS(bytes)	      HEAD("\1\0", "\1", "\0") QNAME "\0\1" bytes
#define COOKIE8                                                                                                        \
	"\0\x0a\0\x08"                                                                                                 \
	"01234567"

static const struct row rows[] = {
	ROW("plain", 0, HEAD("\1\0", "\1", "\0") QNAME IN_A),
	ROW("with EDNS", 0, HEAD("\1\0", "\1", "\1") QNAME IN_A OPT),
	ROW("RD clear", 0, HEAD("\0\0", "\1", "\0") QNAME IN_A),
	ROW("AA, RA, Z, AD, CD, an rcode", 0, HEAD("\5\xff", "\1", "\0") QNAME IN_A),
	ROW("bytes behind the question", 0, HEAD("\1\0", "\1", "\0") QNAME IN_A "junk"),
	ROW("the root", 0, HEAD("\1\0", "\1", "\0") "\0\0\2\0\1"),

	ROW("no header", -EBADMSG, "\x12\x34\1\0\0\1\0\0\0\0\0"),
	ROW("nothing", -EBADMSG, ""),
	ROW("itself an answer", -EBADMSG, HEAD("\x81\0", "\1", "\0") QNAME IN_A),
	ROW("itself an answer, of another opcode", -EBADMSG, HEAD("\xa8\0", "\1", "\0") QNAME IN_A),

	ROW("IQUERY", RCODE_NOTIMP, HEAD("\x08\0", "\0", "\0")),
	ROW("STATUS", RCODE_NOTIMP, HEAD("\x10\0", "\1", "\0") QNAME IN_A),
	ROW("NOTIFY", RCODE_NOTIMP, HEAD("\x20\0", "\1", "\0") QNAME "\0\6\0\1"),
	ROW("UPDATE", RCODE_NOTIMP, HEAD("\x28\0", "\1", "\0") QNAME "\0\6\0\1"),
	ROW("DSO", RCODE_NOTIMP, HEAD("\x30\0", "\0", "\0") "\0\1\0\0"),
	ROW("opcode 15", RCODE_NOTIMP, HEAD("\x79\0", "\1", "\0") QNAME IN_A),

	ROW("no question", RCODE_FORMERR, HEAD("\1\0", "\0", "\0")),
	ROW("no question, an OPT", RCODE_FORMERR, HEAD("\1\0", "\0", "\1") OPT),
	ROW("no question, a cookie", QUESTION_COOKIE, HEAD("\0\0", "\0", "\1") OPTIONS("\x0c", COOKIE8)),
	ROW("no question, a cookie and a record", RCODE_FORMERR,
	    "\x12\x34\1\0\0\0\0\1\0\0\0\1" QNAME IN_A "\0\0\0\0\0\0" OPTIONS("\x0c", COOKIE8)),
	ROW("two questions", RCODE_FORMERR, HEAD("\1\0", "\2", "\0") QNAME IN_A QNAME IN_A),
	ROW("TC", RCODE_FORMERR, HEAD("\3\0", "\1", "\0") QNAME IN_A),
	ROW("name without end", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") "\x03www"),
	ROW("no name", RCODE_FORMERR, HEAD("\1\0", "\1", "\0")),
	ROW("compressed name", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") "\xc0\x0c" IN_A),
	ROW("name that ends in a pointer", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") "\1a\xc0\x0c" IN_A),
	ROW("label type 01", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") "\x41" IN_A),
	ROW("label of 64", RCODE_FORMERR,
	    HEAD("\1\0", "\1", "\0") "\x40"
				     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
				     "\0" IN_A),
	ROW("type cut off", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") QNAME "\0\1\0"),
	ROW("a record in answer", RCODE_FORMERR, "\x12\x34\1\0\0\1\0\1\0\0\0\0" QNAME IN_A SOA),
	ROW("a record in authority", RCODE_FORMERR, "\x12\x34\1\0\0\1\0\0\0\1\0\0" QNAME IN_A SOA),
	ROW("OPT in authority", RCODE_FORMERR, "\x12\x34\1\0\0\1\0\0\0\1\0\0" QNAME IN_A OPT),

	ROW("OPT cut off", RCODE_FORMERR, HEAD("\1\0", "\1", "\1") QNAME IN_A "\0\0\x29\x10"),
	ROW("OPT announced, not there", RCODE_FORMERR, HEAD("\1\0", "\1", "\1") QNAME IN_A),
	ROW("OPT twice", RCODE_FORMERR, HEAD("\1\0", "\1", "\2") QNAME IN_A OPT OPT),
	ROW("OPT with a name", RCODE_FORMERR, HEAD("\1\0", "\1", "\1") QNAME IN_A "\1a" OPT),
	ROW("EDNS version 1", RCODE_BADVERS, HEAD("\1\0", "\1", "\1") QNAME IN_A "\0\0\x29\x10\0\0\1\0\0\0\0"),
	ROW("EDNS version 1, options of that", RCODE_BADVERS,
	    HEAD("\1\0", "\1", "\1") QNAME IN_A "\0\0\x29\x10\0\0\1\0\0\0\2\0\x0a"),
	ROW("nine further records", RCODE_FORMERR, HEAD("\1\0", "\1", "\x09") QNAME IN_A),

	ROW("an unknown option", 0, HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x06", "\xfd\xe9\0\2ab")),
	ROW("client's subnet, malformed", 0, HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x05", "\0\x08\0\1a")),
	ROW("option longer than the record", RCODE_FORMERR,
	    HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x05", "\xfd\xe9\0\2a")),
	ROW("half an option's head", RCODE_FORMERR, HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x03", "\xfd\xe9\0")),
	ROW("cookie of 7", RCODE_FORMERR,
	    HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x0b", "\0\x0a\0\7"
								"0123456")),
	ROW("cookie of 15", RCODE_FORMERR,
	    HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x13", "\0\x0a\0\x0f"
								"0123456789abcde")),
	ROW("cookie of 8", 0, HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x0c", COOKIE8)),
	ROW("cookie of 41", RCODE_FORMERR,
	    HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x2d", "\0\x0a\0\x29"
								"0123456789abcdef0123456789abcdef012345678")),

	ROW("TSIG", RCODE_NOTAUTH, HEAD("\1\0", "\1", "\1") QNAME IN_A TSIG),
	ROW("OPT and TSIG", RCODE_NOTAUTH, HEAD("\1\0", "\1", "\2") QNAME IN_A OPT TSIG),
	ROW("TSIG before OPT", RCODE_FORMERR, HEAD("\1\0", "\1", "\2") QNAME IN_A TSIG OPT),
	ROW("SIG(0)", 0, HEAD("\1\0", "\1", "\2") QNAME IN_A OPT SIG0),

	ROW("class CH", RCODE_REFUSED, CLASS("\0\3")),
	ROW("class HS", RCODE_REFUSED, CLASS("\0\4")),
	ROW("class NONE", RCODE_REFUSED, CLASS("\0\xfe")),
	ROW("class ANY", RCODE_REFUSED, CLASS("\0\xff")),
	ROW("class 0", RCODE_REFUSED, CLASS("\0\0")),
	ROW("type 0", RCODE_FORMERR, TYPE("\0")),
	ROW("type OPT", RCODE_FORMERR, TYPE("\x29")),
	ROW("type NXNAME", RCODE_FORMERR, TYPE("\x80")),
	ROW("type TKEY", RCODE_NOTIMP, TYPE("\xf9")),
	ROW("type TSIG", RCODE_FORMERR, TYPE("\xfa")),
	ROW("type MAILB", RCODE_NOTIMP, TYPE("\xfd")),
	ROW("type MAILA", RCODE_NOTIMP, TYPE("\xfe")),
	ROW("type 200", RCODE_NOTIMP, TYPE("\xc8")),
	ROW("type 127", 0, TYPE("\x7f")),
	ROW("type ANY", 0, TYPE("\xff")),
	ROW("type 256, URI", 0, HEAD("\1\0", "\1", "\0") QNAME "\1\0\0\1"),
	ROW("type 65535", 0, HEAD("\1\0", "\1", "\0") QNAME "\xff\xff\0\1"),
	ROW("AXFR", RCODE_REFUSED, TYPE("\xfc")),
	ROW("IXFR", RCODE_REFUSED, "\x12\x34\0\0\0\1\0\0\0\1\0\0" QNAME "\0\xfb\0\1" SOA),
	ROW("IXFR, its SOA cut off", RCODE_FORMERR, "\x12\x34\0\0\0\1\0\0\0\1\0\0" QNAME "\0\xfb\0\1" QNAME),
};

static void questions_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct question q;

		int rc = question_read((const uint8_t *)rows[i].msg, rows[i].len, &q);

		if (rc != rows[i].rc)
			fail_msg("%s: %d, not %d", rows[i].what, rc, rows[i].rc);
	}
}

static void question_keeps_both_cases(void **state)
{
	static const char msg[] = HEAD("\1\x10", "\1", "\1") QNAME IN_A OPT;
	struct question q;

	(void)state;
	assert_int_equal(question_read((const uint8_t *)msg, sizeof(msg) - 1, &q), 0);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.name.len, 13);
	assert_int_equal(q.name.labels, 2);
	assert_memory_equal(q.name.wire,
			    "\x03www\x07"
			    "example",
			    13);
	assert_memory_equal(q.sent,
			    "\x03wWw\x07"
			    "Example",
			    13);
	assert_true(q.edns);
	assert_true(q.dnssec_ok);
	assert_int_equal(q.udp_size, 4096);
	assert_int_equal(q.flags & DNS_CD, DNS_CD);
}

/* Every length, so that each way of copying the last bytes is taken; beside every byte a name may hold. */
static void only_ascii_letters_change_their_case(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 63; len++) {
		for (unsigned first = 0; first < 256; first++) {
			uint8_t msg[12 + 65 + 4] = { [5] = 1, [12] = (uint8_t)len };
			struct question q;

			for (size_t i = 0; i < len; i++)
				msg[13 + i] = (uint8_t)(first + i);
			msg[12 + len + 2 + 1] = msg[12 + len + 2 + 3] = 1;
			assert_int_equal(question_read(msg, 12 + len + 2 + 4, &q), 0);
			assert_int_equal(q.name.len, len + 2);
			assert_memory_equal(q.sent, msg + 12, len + 2);
			for (size_t i = 0; i < len; i++) {
				uint8_t c = (uint8_t)(first + i);

				assert_int_equal(q.name.wire[1 + i], c >= 'A' && c <= 'Z' ? c + 32 : c);
			}
		}
	}
}

static void options_are_noted(void **state)
{
	static const char msg[] = HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x24", COOKIE8 "\0\x0a\0\x08"
											      "abcdefgh"
											      "\0\x0b\0\0"
											      "\0\x0c\0\4\0\0\0\0");
	static const char timeout[] = HEAD("\1\0", "\1", "\1") QNAME IN_A OPTIONS("\x06", "\0\x0b\0\2\0\1");
	static const char small[] = HEAD("\1\0", "\1", "\1") QNAME IN_A "\0\0\x29\0\1\0\0\0\0\0\0";
	struct question q;

	(void)state;
	assert_int_equal(question_read((const uint8_t *)msg, sizeof(msg) - 1, &q), 0);
	assert_int_equal(q.cookie_len, 8);
	assert_memory_equal(q.cookie, "01234567", 8); /* the first of two */
	assert_true(q.wants_keepalive && q.wants_padding);
	assert_int_equal(question_read((const uint8_t *)timeout, sizeof(timeout) - 1, &q), 0);
	assert_false(q.wants_keepalive || q.wants_padding);
	assert_int_equal(q.cookie_len, 0);
	assert_int_equal(question_read((const uint8_t *)small, sizeof(small) - 1, &q), 0);
	assert_int_equal(q.udp_size, 512);
}

static void odd_questions_say_why(void **state)
{
	static const struct {
		const char *msg;
		size_t len;
		int ede;
	} cases[] = {
		{ CLASS("\0\3"), sizeof(CLASS("\0\3")) - 1, EDE_NOT_SUPPORTED },
		{ TYPE("\xfc"), sizeof(TYPE("\xfc")) - 1, EDE_NOT_SUPPORTED },
		{ TYPE("\x80"), sizeof(TYPE("\x80")) - 1, EDE_INVALID_TYPE },
		{ TYPE("\xc8"), sizeof(TYPE("\xc8")) - 1, EDE_NOT_SUPPORTED },
		{ TYPE("\1"), sizeof(TYPE("\1")) - 1, EDE_NONE },
	};
	struct question q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)question_read((const uint8_t *)cases[i].msg, cases[i].len, &q);
		assert_int_equal(q.ede, cases[i].ede);
	}
}

static void name_of_255_bytes_is_read_and_256_is_not(void **state)
{
	uint8_t msg[12 + 256 + 4] = { [5] = 1 };
	struct question q;

	(void)state;
	for (size_t i = 0; i < 127; i++) {
		msg[12 + 2 * i] = 1;
		msg[12 + 2 * i + 1] = 'a';
	}
	msg[12 + 255 + 1] = msg[12 + 255 + 3] = 1; /* A, IN */
	assert_int_equal(question_read(msg, 12 + 255 + 4, &q), 0);
	assert_int_equal(q.name.len, 255);
	msg[12 + 252] = 2; /* one byte more, in the last label */
	msg[12 + 254] = 'a';
	msg[12 + 255] = 0;
	assert_int_equal(question_read(msg, 12 + 256 + 4, &q), RCODE_FORMERR);
}

static void every_cut_of_a_question_is_safe(void **state)
{
	static const char msg[] = HEAD("\1\0", "\1", "\1") QNAME IN_A OPT;

	(void)state;
	for (size_t len = 0; len < sizeof(msg) - 1; len++) {
		uint8_t *copy = malloc(len + 1);
		struct question q;

		assert_non_null(copy);
		memcpy(copy, msg, len);
		assert_int_not_equal(question_read(copy, len, &q), 0);
		free(copy);
	}
}

static void expansion_ends_whatever_the_pointers(void **state)
{
	static const struct {
		const char *bytes;
		size_t len, at, want;
	} cases[] = {
		{ "\1a\0\xc0\0", 5, 3, 3 },    /* to an earlier name */
		{ "\1a\0\1b\xc0\0", 7, 3, 5 }, /* a label, then a pointer */
		{ "\xc0\0", 2, 0, 0 },	       /* to itself */
		{ "\xc0\2\xc0\0", 4, 2, 0 },   /* to each other */
		{ "\1a\xc0\0", 4, 0, 0 },      /* into its own beginning */
		{ "\xc0", 1, 0, 0 },	       /* half a pointer */
		{ "\3ab", 3, 0, 0 },	       /* label cut off */
		{ "\x80z\0", 3, 0, 0 },	       /* reserved label type */
		{ "\1a", 2, 5, 0 },	       /* behind the end */
	};
	uint8_t name[DNAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(name_expand((const uint8_t *)cases[i].bytes, cases[i].len, cases[i].at, name),
				 cases[i].want);
}

static struct question sample(bool edns)
{
	struct question q = { .id = 7,
			      .flags = DNS_RD,
			      .type = TYPE_A,
			      .class_ = CLASS_IN,
			      .edns = edns,
			      .has_name = true,
			      .udp_size = 512 };

	assert_int_equal(dname_parse("www.example", 11, &q.name), 0);
	memcpy(q.sent,
	       "\x03wWw\x07"
	       "example",
	       13);
	return q;
}

static void names_are_compressed_to_what_was_written(void **state)
{
	struct question q = sample(false);
	struct answer_out o;
	uint8_t buf[512];
	size_t at;

	(void)state;
	answer_begin(&o, buf, sizeof(buf), &q, 0, 0);
	at = wcur_len(&o.w);
	answer_name(&o,
		    (const uint8_t *)"\x03WWW\x07"
				     "example",
		    13);
	assert_int_equal(wcur_len(&o.w) - at, 2);
	assert_memory_equal(buf + at, "\xc0\x0c", 2);
	at = wcur_len(&o.w);
	answer_name(&o,
		    (const uint8_t *)"\x04mail\x07"
				     "example",
		    14);
	assert_int_equal(wcur_len(&o.w) - at, 7);
	assert_memory_equal(buf + at, "\x04mail\xc0\x10", 7);
	at = wcur_len(&o.w);
	answer_name(&o, (const uint8_t *)"\0", 1);
	assert_int_equal(wcur_len(&o.w) - at, 1);
	assert_int_equal(answer_end(&o), (int)wcur_len(&o.w));
}

static void answer_that_does_not_fit_is_an_error(void **state)
{
	struct question q = sample(true);
	uint8_t buf[64];

	(void)state;
	for (size_t len = 0; len < 29 + 11; len++) {
		struct answer_out o;

		answer_begin(&o, buf, len, &q, 0, 0);
		answer_opt(&o, &q, 0, EDE_NONE, NULL);
		assert_true(answer_end(&o) < 0);
	}
}

static void reason_is_cut_at_a_character(void **state)
{
	struct question q = sample(true);
	struct answer_out o;
	uint8_t buf[29 + 11 + 6 + 4];

	(void)state;
	answer_begin(&o, buf, sizeof(buf), &q, 0, 0);
	answer_opt(&o, &q, 0, EDE_BLOCKED,
		   "ab\xe2\x82\xac"
		   "c"); /* two letters, a sign of three bytes */
	assert_int_equal(answer_end(&o), 29 + 11 + 6 + 2);
	assert_memory_equal(buf + 29 + 11,
			    "\0\x0f\0\4\0\x0f"
			    "ab",
			    8);
}

static struct question sample_with_options(void)
{
	struct question q = sample(true);

	q.reply = (struct answer_edns){ .cookie_len = COOKIE_LEN,
					.cookie = "01234567abcdefghABCDEFGH",
					.keepalive = true,
					.keepalive_100ms = 300 };
	return q;
}

static void options_are_written_in_order(void **state)
{
	struct question q = sample_with_options();
	struct answer_out o;
	uint8_t buf[512];

	(void)state;
	q.reply.pad_block = 128;
	answer_begin(&o, buf, sizeof(buf), &q, 0, 0);
	answer_opt(&o, &q, 0, EDE_BLOCKED, "why");
	assert_int_equal(answer_end(&o), 128);
	assert_memory_equal(buf + 29 + 9,
			    "\0\x58\0\x0a\0\x18"
			    "01234567abcdefghABCDEFGH"
			    "\0\x0b\0\2\1\x2c"
			    "\0\x0f\0\5\0\x0f"
			    "why"
			    "\0\x0c\0\x29",
			    51);
	for (size_t i = 29 + 9 + 51; i < 128; i++)
		assert_int_equal(buf[i], 0);
	q.edns = false; /* not asked: none of it */
	answer_begin(&o, buf, sizeof(buf), &q, 0, 0);
	answer_opt(&o, &q, 0, EDE_BLOCKED, "why");
	assert_int_equal(answer_end(&o), 29);
}

/* Whatever the limit, it is kept, the record is whole, and what is left out is the least that there is. */
static void options_give_way_in_order(void **state)
{
	const int cookie = 4 + 24, keepalive = 4 + 2, ede = 4 + 2, all = 29 + 11 + cookie + keepalive + ede + 3;
	struct question q = sample_with_options();

	(void)state;
	for (int limit = 29 + 11; limit < all + 40; limit++) {
		int left = limit - 29 - 11, want = 29 + 11;
		struct answer_out o;
		uint8_t buf[512];

		if (left >= cookie) {
			want += cookie;
			left -= cookie;
		}
		if (left >= keepalive) {
			want += keepalive;
			left -= keepalive;
		}
		if (left >= ede) {
			want += ede;
			left -= ede;
			want += left < 3 ? left : 3;
		}
		answer_begin(&o, buf, (size_t)limit, &q, 0, 0);
		answer_opt(&o, &q, 0, EDE_BLOCKED, "why");
		assert_int_equal(answer_end(&o), want);
		q.reply.pad_block = 468;
		answer_begin(&o, buf, (size_t)limit, &q, 0, 0);
		answer_opt(&o, &q, 0, EDE_BLOCKED, "why");
		assert_int_equal(answer_end(&o), limit - want < 4 ? want : limit); /* padded as far as it goes */
		q.reply.pad_block = 0;
	}
	assert_int_equal(answer_opt_room(&q, EDE_BLOCKED), 11 + cookie + keepalive + ede);
}

static void extended_rcode_is_split_over_header_and_opt(void **state)
{
	struct question q = sample(true);
	struct answer_out o;
	uint8_t buf[128];

	(void)state;
	answer_begin(&o, buf, sizeof(buf), &q, 0, RCODE_BADVERS);
	answer_opt(&o, &q, RCODE_BADVERS, EDE_NONE, NULL);
	assert_int_equal(answer_end(&o), 40);
	assert_int_equal(buf[3] & 0x0f, 0);
	assert_int_equal(buf[29 + 5], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_told_apart),
		cmocka_unit_test(question_keeps_both_cases),
		cmocka_unit_test(only_ascii_letters_change_their_case),
		cmocka_unit_test(options_are_noted),
		cmocka_unit_test(odd_questions_say_why),
		cmocka_unit_test(name_of_255_bytes_is_read_and_256_is_not),
		cmocka_unit_test(every_cut_of_a_question_is_safe),
		cmocka_unit_test(expansion_ends_whatever_the_pointers),
		cmocka_unit_test(names_are_compressed_to_what_was_written),
		cmocka_unit_test(answer_that_does_not_fit_is_an_error),
		cmocka_unit_test(reason_is_cut_at_a_character),
		cmocka_unit_test(options_are_written_in_order),
		cmocka_unit_test(options_give_way_in_order),
		cmocka_unit_test(extended_rcode_is_split_over_header_and_opt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
