/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as an upstream's message: whether it is an answer, of which kind, where its aliases leave, and the answer
 * that is joined of it. The first byte chooses where they leave; the question is taken from the message, or no input
 * would pass that comparison. What is joined must be readable. */
#include "dnsd/forward_chain.h"
#include "dnsd/local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool leaves(void *arg, const struct dname *target)
{
	uint8_t mask = *(const uint8_t *)arg;

	return (mask >> (target->len % 7) & 1) != 0;
}

static void join(const struct forward_question *q, const struct dname *target, uint32_t keep, const uint8_t *msg,
		 size_t len)
{
	static struct reply scratch;
	static uint8_t out[DNS_MESSAGE_MAX], rest[DNS_UDP_PLAIN_MAX];
	struct forward_question last = { .name = *target, .type = q->type };
	struct question first = {
		.has_name = true, .dnssec_ok = true, .type = q->type, .class_ = CLASS_IN, .name = q->name
	};
	struct question denied = { .has_name = true, .type = q->type, .class_ = CLASS_IN, .name = *target };
	struct forward_chain c = { 0 };
	int n;

	memcpy(denied.sent, target->wire, target->len);
	n = local_negative(&denied, RCODE_NXDOMAIN, EDE_NONE, NULL, rest, sizeof(rest));
	if (n <= 0 || forward_chain_add(&c, &q->name, keep, msg, len) != 0)
		abort();
	n = forward_chain_join(&c, &last, rest, (size_t)n, &scratch, out, sizeof(out));
	if (n > 0 && (reply_read(out, (size_t)n, &first, &scratch) != 0 || scratch.n_chain != keep))
		abort();
	forward_chain_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply scratch;
	static uint8_t copy[DNS_MESSAGE_MAX];
	struct forward_question q = { 0 };
	struct dname target;
	uint32_t keep;
	char rcode[16];
	struct rcur c;
	int ede;

	if (size < 1 + DNS_HEADER_LEN || size - 1 > sizeof(copy))
		return 0;
	size--;
	memcpy(copy, data + 1, size);
	c = rcur_over(copy + DNS_HEADER_LEN, size - DNS_HEADER_LEN);
	(void)forward_answer_matches(copy, size, &q); /* of the root: most do not */
	if (dname_read(&c, copy, size, &q.name) != 0)
		q.name = (struct dname){ .len = 1 };
	q.type = rcur_be16(&c);
	if (!forward_answer_matches(copy, size, &q))
		return 0;
	(void)forward_rcode_print(copy, rcode);
	if (forward_answer_outcome(copy, size, &ede) != FORWARD_ANSWER || copy[5] != 1)
		return 0;
	if (forward_chain_read(copy, size, &q, &scratch, leaves, (void *)(uintptr_t)data, &keep, &target) == 1)
		join(&q, &target, keep, copy, size);
	return 0;
}
