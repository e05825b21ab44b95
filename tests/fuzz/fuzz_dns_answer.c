/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the resolver's answer: taken apart, judged, written anew, kept, given
 * to a client, and what was written read again. The first
 * byte chooses the client's flags; the question is taken from the answer, or no input would pass that comparison. */
#include "dnsd/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply r, again;
	static uint8_t copy[DNS_MESSAGE_MAX], kept[DNS_MESSAGE_MAX], out[DNS_MESSAGE_MAX];
	struct question q = { .has_name = true, .udp_size = DNS_UDP_PLAIN_MAX };
	struct cache_key key = { .name = &q.name };
	struct cache_entry *e;
	struct rcur c;
	bool edns;
	int len;

	if (size < 1 + DNS_HEADER_LEN || size - 1 > sizeof(copy))
		return 0;
	q.edns = (data[0] & 1) != 0;
	q.dnssec_ok = (data[0] & 2) != 0;
	size--;
	memcpy(copy, data + 1, size);
	copy[2] |= 0x80;
	c = rcur_over(copy + DNS_HEADER_LEN, size - DNS_HEADER_LEN);
	if (dname_read(&c, copy, size, &q.name) != 0)
		return 0;
	q.type = rcur_be16(&c);
	q.class_ = rcur_be16(&c);
	memcpy(q.sent, q.name.wire, q.name.len);
	if (c.err != 0 || reply_read(copy, size, &q, &r) != 0)
		return 0;
	reply_addrs(&r, (data[0] & 4) != 0);
	edns = q.edns;
	q.edns = false;
	len = answer_from_reply(&q, &r, kept, sizeof(kept));
	if (len <= 0)
		return 0;
	e = cache_entry_new(&key, 0, kept, (size_t)len, 60, 0);
	if (e == NULL)
		return 0;
	cache_entry_age(e, (uint64_t)data[0] * 1000000u);
	q.edns = edns;
	if ((data[0] & 16) != 0)
		q.reply =
			(struct answer_edns){ .cookie_len = COOKIE_LEN, .keepalive = true, .pad_block = DNS_PAD_BLOCK };
	len = answer_from_entry(&q, e, EDE_STALE, "why", out, (data[0] & 8) != 0 ? sizeof(out) : 512);
	if (len > 0 && reply_read(out, (size_t)len, &q, &again) != 0)
		abort();
	free(e);
	return 0;
}
