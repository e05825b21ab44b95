/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a client's message: read, and answered by everything that we answer ourselves. */
#include "dnsd/answer.h"
#include "dnsd/local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int len, size_t limit)
{
	if (len > 0 && (size_t)len > limit)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[DNS_UDP_ANSWER_MAX];
	struct question q, again;
	int rc = question_read(data, size, &q), len;
	enum special what;
	uint8_t labels = 0;
	size_t limit;

	if (rc < 0)
		return 0;
	limit = answer_limit(&q, false);
	len = local_error(&q, (uint32_t)rc, EDE_PROHIBITED, "refused", out, limit);
	check(len, limit);
	if (len <= 0)
		abort(); /* an error fits any client's buffer */
	if (rc != 0)
		return 0;
	for (enum block_mode mode = BLOCK_NULL; mode < BLOCK_MODE_MAX; mode++)
		check(local_blocked(&q, mode, "list ads line 1: ||x^", out, limit), limit);
	check(local_any(&q, out, limit), limit);
	what = special_name(&q.name, &labels);
	if (what != SPECIAL_NONE)
		check(local_special(&q, what, labels, (data[size - 1] & 1) != 0, out, limit), limit);
	/* What we write is a message that is not a question. */
	if (question_read(out, limit, &again) != -EBADMSG)
		abort();
	return 0;
}
