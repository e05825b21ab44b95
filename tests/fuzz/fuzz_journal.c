/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a journal segment: header, records, and their bodies whether the chain holds or not. What is read of a
 * flow must be read the same after it was written again. */
#include "recorder/flow.h"
#include "recorder/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_body(const struct journal_record *rec)
{
	struct flow_record a, b;
	struct journal_gap gap;
	uint8_t buf[FLOW_BODY_MAX];
	struct wcur c = wcur_over(buf, sizeof(buf));

	(void)journal_gap_read(rec->body, rec->len, &gap);
	if (flow_decode(rec->body, rec->len, rec->time_us, &a) != 0)
		return;
	flow_encode(&a, rec->time_us, &c);
	if (c.err != 0 || flow_decode(buf, wcur_len(&c), rec->time_us, &b) != 0 || a.id != b.id ||
	    a.start_us != b.start_us || a.name.len != b.name.len || a.tx_bytes != b.tx_bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_header h = { 0 };
	struct journal_record rec;
	size_t at = 0, used = 0;

	if (size >= JOURNAL_HEADER_LEN && journal_header_read(data, size, &h) == 0)
		at = JOURNAL_HEADER_LEN;
	while (at < size) {
		enum journal_parse p = journal_record_parse(data + at, size - at, &h.chain, &rec, &used);

		if (p == JOURNAL_PARSE_SHORT || p == JOURNAL_PARSE_BROKEN)
			break;
		if (used < JOURNAL_HEAD_LEN + JOURNAL_CHAIN_LEN || used > size - at)
			abort();
		check_body(&rec);
		h.chain = rec.chain;
		at += used;
	}
	return 0;
}
