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

static const struct row rows[] = {
	ROW("plain", 0, HEAD("\1\0", "\1", "\0") QNAME IN_A),
	ROW("with EDNS", 0, HEAD("\1\0", "\1", "\1") QNAME IN_A OPT),
	ROW("bytes behind the question", 0, HEAD("\1\0", "\1", "\0") QNAME IN_A "junk"),
	ROW("no header", -EBADMSG, "\x12\x34\1\0\0\1\0\0\0\0\0"),
	ROW("itself an answer", -EBADMSG, HEAD("\x81\0", "\1", "\0") QNAME IN_A),
	ROW("opcode 2", RCODE_NOTIMP, HEAD("\x10\0", "\1", "\0") QNAME IN_A),
	ROW("no question", RCODE_FORMERR, HEAD("\1\0", "\0", "\0")),
	ROW("two questions", RCODE_FORMERR, HEAD("\1\0", "\2", "\0") QNAME IN_A QNAME IN_A),
	ROW("name without end", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") "\x03www"),
	ROW("compressed name", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") "\xc0\x0c" IN_A),
	ROW("label type 01", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") "\x41" IN_A),
	ROW("type cut off", RCODE_FORMERR, HEAD("\1\0", "\1", "\0") QNAME "\0\1\0"),
	ROW("OPT cut off", RCODE_FORMERR, HEAD("\1\0", "\1", "\1") QNAME IN_A "\0\0\x29\x10"),
	ROW("OPT announced, not there", RCODE_FORMERR, HEAD("\1\0", "\1", "\1") QNAME IN_A),
	ROW("OPT twice", RCODE_FORMERR, HEAD("\1\0", "\1", "\2") QNAME IN_A OPT OPT),
	ROW("OPT with a name", RCODE_FORMERR, HEAD("\1\0", "\1", "\1") QNAME IN_A "\1a" OPT),
	ROW("EDNS version 1", RCODE_BADVERS, HEAD("\1\0", "\1", "\1") QNAME IN_A "\0\0\x29\x10\0\0\1\0\0\0\0"),
	ROW("nine further records", RCODE_FORMERR, HEAD("\1\0", "\1", "\x09") QNAME IN_A),
};

static void questions_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct question q;

		if (question_read((const uint8_t *)rows[i].msg, rows[i].len, &q) != rows[i].rc)
			fail_msg("%s", rows[i].what);
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

static void name_of_255_bytes_is_read_and_256_is_not(void **state)
{
	uint8_t msg[12 + 256 + 4] = { [5] = 1 };
	struct question q;

	(void)state;
	for (size_t i = 0; i < 127; i++) {
		msg[12 + 2 * i] = 1;
		msg[12 + 2 * i + 1] = 'a';
	}
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
		cmocka_unit_test(name_of_255_bytes_is_read_and_256_is_not),
		cmocka_unit_test(every_cut_of_a_question_is_safe),
		cmocka_unit_test(expansion_ends_whatever_the_pointers),
		cmocka_unit_test(names_are_compressed_to_what_was_written),
		cmocka_unit_test(answer_that_does_not_fit_is_an_error),
		cmocka_unit_test(reason_is_cut_at_a_character),
		cmocka_unit_test(extended_rcode_is_split_over_header_and_opt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
