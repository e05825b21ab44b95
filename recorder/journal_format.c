/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of a journal, as journal.h lays them out: writing and checking one header, one record. Pure; shared by the
 * writer (journal.c) and the reader (journal_read.c). */
#include "recorder/journal.h"

#include <sodium.h>

static_assert(JOURNAL_CHAIN_LEN == crypto_generichash_BYTES_MIN, "BLAKE2b-128");

static struct journal_chain chain_over(const struct journal_chain *prev, const uint8_t *bytes, size_t len)
{
	struct journal_chain ret;
	crypto_generichash_state st;

	(void)crypto_generichash_init(&st, NULL, 0, sizeof(ret.bytes));
	(void)crypto_generichash_update(&st, prev->bytes, sizeof(prev->bytes));
	(void)crypto_generichash_update(&st, bytes, len);
	(void)crypto_generichash_final(&st, ret.bytes, sizeof(ret.bytes));
	return ret;
}

static bool chain_equal(const struct journal_chain *a, const struct journal_chain *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void journal_header_write(struct journal_header *h, struct wcur *c)
{
	const uint8_t *start = c->at;

	wcur_bytes(c, JOURNAL_MAGIC, JOURNAL_MAGIC_LEN);
	wcur_be32(c, JOURNAL_VERSION);
	wcur_be32(c, h->segment);
	wcur_be64(c, h->created_us);
	wcur_bytes(c, h->prev.bytes, sizeof(h->prev.bytes));
	if (c->err == 0)
		h->chain = chain_over(&h->prev, start, (size_t)(c->at - start));
	wcur_bytes(c, h->chain.bytes, sizeof(h->chain.bytes));
}

int journal_header_read(const uint8_t *buf, size_t len, struct journal_header *ret)
{
	struct rcur c = rcur_over(buf, len);
	const uint8_t *magic = rcur_bytes(&c, JOURNAL_MAGIC_LEN);
	uint32_t version = rcur_be32(&c);
	struct journal_header h = { 0 };
	struct journal_chain want;

	h.segment = rcur_be32(&c);
	h.created_us = rcur_be64(&c);
	rcur_copy(&c, h.prev.bytes, sizeof(h.prev.bytes));
	rcur_copy(&c, h.chain.bytes, sizeof(h.chain.bytes));
	if (c.err != 0 || memcmp(magic, JOURNAL_MAGIC, JOURNAL_MAGIC_LEN) != 0 || version != JOURNAL_VERSION)
		return -EBADMSG;
	want = chain_over(&h.prev, buf, JOURNAL_HEADER_LEN - JOURNAL_CHAIN_LEN);
	if (!chain_equal(&want, &h.chain))
		return -EBADMSG;
	*ret = h;
	return 0;
}

/* One that we do not know, and that is chained as it should be, was written by a later Sluice: readers pass over it. */
static bool type_possible(uint8_t type)
{
	return (type & (uint8_t)~JOURNAL_SEALED) >= JOURNAL_OPEN;
}

enum journal_parse journal_record_parse(const uint8_t *buf, size_t len, const struct journal_chain *prev,
					struct journal_record *ret, size_t *ret_used)
{
	struct rcur c = rcur_over(buf, len);
	uint32_t body_len = rcur_be32(&c);
	struct journal_record rec = { 0 };
	struct journal_chain want;

	if (c.err != 0)
		return JOURNAL_PARSE_SHORT;
	if (body_len > JOURNAL_BODY_MAX)
		return JOURNAL_PARSE_BROKEN;
	rec.type = rcur_u8(&c);
	rec.time_us = rcur_be64(&c);
	rec.body = rcur_bytes(&c, body_len);
	rec.len = body_len;
	rcur_copy(&c, rec.chain.bytes, sizeof(rec.chain.bytes));
	if (c.err != 0)
		return JOURNAL_PARSE_SHORT;
	*ret = rec;
	*ret_used = len - rcur_left(&c);
	want = chain_over(prev, buf, JOURNAL_HEAD_LEN + body_len);
	return chain_equal(&want, &rec.chain) && type_possible(rec.type) ? JOURNAL_PARSE_OK : JOURNAL_PARSE_ALTERED;
}

void journal_record_write(struct wcur *c, struct journal_chain *chain, uint8_t type, uint64_t time_us, const void *body,
			  size_t len)
{
	const uint8_t *start = c->at;
	struct journal_chain own;

	assert(len <= JOURNAL_BODY_MAX);
	wcur_be32(c, (uint32_t)len);
	wcur_u8(c, type);
	wcur_be64(c, time_us);
	wcur_bytes(c, body, len);
	if (c->err != 0)
		return;
	own = chain_over(chain, start, (size_t)(c->at - start));
	wcur_bytes(c, own.bytes, sizeof(own.bytes));
	if (c->err == 0)
		*chain = own;
}

void journal_gap_write(const struct journal_gap *g, struct wcur *c)
{
	wcur_u8(c, (uint8_t)g->reason);
	wcur_be64(c, g->since_us);
	wcur_be64(c, g->count);
}

int journal_gap_read(const uint8_t *body, size_t len, struct journal_gap *ret)
{
	struct rcur c = rcur_over(body, len);
	uint8_t reason = rcur_u8(&c);
	struct journal_gap g = { .reason = reason == JOURNAL_GAP_DISK	   ? JOURNAL_GAP_DISK
					   : reason == JOURNAL_GAP_QUERIES ? JOURNAL_GAP_QUERIES
									   : JOURNAL_GAP_EVENTS };

	g.since_us = rcur_be64(&c);
	g.count = rcur_be64(&c);
	if (rcur_end(&c) != 0 || reason < JOURNAL_GAP_EVENTS || reason > JOURNAL_GAP_QUERIES)
		return -EBADMSG;
	*ret = g;
	return 0;
}
