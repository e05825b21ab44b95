/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Aliases that lead from one upstream to another. Pure. */
#pragma once

#include "dnsd/forward_msg.h"
#include "dnsd/reply.h"

#define FORWARD_CHAIN_MAX 8u /* answers joined; one or two in an honest network. reply.h bounds the aliases in all */

/* The beginning of an answer: the aliases from .name on, .keep of them. */
struct forward_part {
	struct forward_part *next;
	struct dname name;
	uint32_t keep;
	size_t len;
	uint8_t msg[];
};

struct forward_chain {
	struct forward_part *first, *last;
	uint32_t n;
};

/* What is said of this name by the upstream that was asked does not count. */
typedef bool forward_leaves_fn(void *arg, const struct dname *target);

/* Whether @msg answers @q whole (0), or up to the alias of *@ret_target, *@ret_keep aliases on (1): because @leaves
 * says so, or because the upstream did not follow. -EBADMSG, -E2BIG: reply_read() refuses it. */
int forward_chain_read(const uint8_t *msg, size_t len, const struct forward_question *q, struct reply *scratch,
		       forward_leaves_fn *leaves, void *arg, uint32_t *ret_keep, struct dname *ret_target);
/* Keep a copy of @msg. 0; -ENOMEM; -ELOOP beyond FORWARD_CHAIN_MAX. */
int forward_chain_add(struct forward_chain *c, const struct dname *name, uint32_t keep, const uint8_t *msg, size_t len);
/* All of @c and then @msg, the answer to @last, as one answer to what was asked first. Returns the length, or negative
 * errno. */
int forward_chain_join(const struct forward_chain *c, const struct forward_question *last, const uint8_t *msg,
		       size_t len, struct reply *scratch, uint8_t *buf, size_t size);
void forward_chain_clear(struct forward_chain *c);
