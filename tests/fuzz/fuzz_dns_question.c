/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a client's message: read, its cookie judged, and answered by everything that we answer ourselves, over
 * either transport, with all options; what was written is walked to its last byte. Choices are taken from the id. */
#include "dnsd/answer.h"
#include "dnsd/cookie.h"
#include "dnsd/local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NEED(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			abort();                                                                                       \
	} while (0)

/* One OPT, the last record, and whole options in it. */
static void check_opt(const uint8_t *msg, const struct rr *rr)
{
	struct rcur c = rcur_over(msg + rr->rdata, rr->rdlen);

	NEED(msg[rr->owner] == 0);
	while (rcur_left(&c) != 0) {
		(void)rcur_be16(&c);
		NEED(rcur_bytes(&c, rcur_be16(&c)) != NULL);
	}
}

static void check(const struct question *q, int len, const uint8_t *msg, size_t limit)
{
	struct rcur c;
	uint32_t n_rrs = 0, n_opt = 0;
	uint8_t name[DNAME_MAX];

	NEED(len >= (int)DNS_HEADER_LEN && (size_t)len <= limit);
	c = rcur_over(msg, (size_t)len);
	NEED(rcur_be16(&c) == q->id);
	NEED((rcur_be16(&c) & DNS_QR) != 0);
	NEED(rcur_be16(&c) == q->has_name);
	for (int i = 0; i < 3; i++)
		n_rrs += rcur_be16(&c);
	if (q->has_name) {
		const uint8_t *sent = rcur_bytes(&c, q->name.len);

		NEED(sent != NULL && memcmp(sent, q->sent, q->name.len) == 0);
		NEED(rcur_be16(&c) == q->type && rcur_be16(&c) == q->class_);
	}
	for (uint32_t i = 0; i < n_rrs; i++) {
		struct rr rr;

		NEED(rr_read(&c, msg, &rr) == 0);
		NEED(name_expand(msg, (size_t)len, rr.owner, name) != 0);
		if (rr.type == TYPE_OPT) {
			n_opt++;
			check_opt(msg, &rr);
		}
	}
	NEED(rcur_end(&c) == 0 && n_opt == q->edns);
}

/* The reader's own way to lower case against the plain one. */
static void check_name(const struct question *q)
{
	for (uint8_t i = 0; i < q->name.len; i++) {
		uint8_t c = q->sent[i];

		NEED(q->name.wire[i] == (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
	}
}

static void answer_all(const struct question *q, uint8_t *out, size_t limit)
{
	static const uint8_t text[] = "\x02hi";
	static const struct plan_record records[] = {
		{ .type = RECORD_A, .addr = { .family = IP_V4, .bytes = { 192, 0, 2, 1 } } },
		{ .type = RECORD_AAAA, .addr = { .family = IP_V6, .bytes = { 0x20, 1 } } },
		{ .type = RECORD_TXT, .data = text, .data_len = 3 },
	};
	static const struct plan_record alias = { .type = RECORD_CNAME,
						  .data = (const uint8_t *)"\x01x",
						  .data_len = 3 };
	struct local_answer a = { .aliases = { &alias }, .records = records, .n = ARRAY_LEN(records) };
	uint8_t labels = 0;
	enum special what = special_name(&q->name, &labels);

	for (enum block_mode mode = BLOCK_NULL; mode < BLOCK_MODE_MAX; mode++) {
		const struct blocked_answer blocked = blocked_by_mode(mode, q->type);

		check(q, local_blocked(q, &blocked, 10, EDE_BLOCKED, "list ads line 1: ||x^", out, limit), out, limit);
	}
	check(q, local_any(q, out, limit), out, limit);
	if (what != SPECIAL_NONE)
		check(q, local_special(q, what, labels, (q->id & 4) != 0, out, limit), out, limit);
	check(q, local_truncated(q, out, limit), out, limit);
	check(q, local_negative(q, RCODE_NXDOMAIN, EDE_NONE, NULL, out, limit), out, limit);
	check(q, local_records(q, &a, 64, out, limit), out, limit);
	a.targets[0] = q->name;
	a.n_aliases = 1;
	check(q, local_records(q, &a, 64, out, limit), out, limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct msg_cookie_keys keys = { .n = 2, .keys = { "first of secrets", "the one before ." } };
	static uint8_t out[DNS_MESSAGE_MAX];
	struct ip_addr client = { .family = IP_V4, .bytes = { 192, 0, 2, 7 } };
	struct question q;
	int rc = question_read(data, size, &q), len;
	enum cookie_state cookie;
	size_t limit;

	if (rc < 0)
		return 0;
	if (q.has_name)
		check_name(&q);
	if ((q.id & 1) != 0)
		client.family = IP_V6;
	cookie = cookie_check(&q, &keys, &client, 1559731985u + (q.id & 0xfffu));
	NEED((cookie == COOKIE_ABSENT) == (q.cookie_len == 0) && (q.reply.cookie_len != 0) == (q.cookie_len != 0));
	q.reply.keepalive = q.wants_keepalive;
	q.reply.pad_block = q.wants_padding ? DNS_PAD_BLOCK : 0;
	limit = answer_limit(&q, (q.id & 2) != 0);
	len = local_error(&q, (uint32_t)rc, q.ede, "refused", out, limit);
	check(&q, len, out, limit);
	if (q.reply.pad_block != 0 && q.edns && (size_t)len + 4 <= limit)
		NEED(len % DNS_PAD_BLOCK == 0);
	if (rc == 0)
		answer_all(&q, out, limit);
	/* To a stranger: no more than it sent. */
	q.reply = (struct answer_edns){ 0 };
	limit = size < answer_limit(&q, false) ? size : answer_limit(&q, false);
	check(&q, local_error(&q, RCODE_REFUSED, EDE_PROHIBITED, NULL, out, limit), out, limit);
	return 0;
}
