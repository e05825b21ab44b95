/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests against the kernel share: a network namespace for each, an open channel, the fixture, and the nft tool to
 * read back what was written. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "gatewayd/nft_apply.h"
#include "gatewayd/nft_learn.h"

#define NOW  UINT64_C(1000000000)
#define S(n) ((n)*UINT64_C(1000000))

struct state {
	struct nft_channel *ch;
	struct fixture *f;
	struct learned *l;
	struct err e;
};

/* In a network namespace of this process alone: what is done there ends with the process. */
int netns_setup(void **state);
int netns_teardown(void **state);

#define ASSERT_OK(s, call)                                                                                             \
	do {                                                                                                           \
		int r_ = (call);                                                                                       \
		if (r_ != 0)                                                                                           \
			fail_msg("%s: %d %s", #call, r_, (s)->e.msg);                                                  \
	} while (0)

/* What a command prints; its own errors too. Until the next call. */
const char *output_of(const char *command);
/* The table as nft lists it holds this text, or not. */
void assert_listed(const char *text);
void assert_not_listed(const char *text);

void apply(struct state *s, const struct nft_prog *from, const struct nft_prog *to, struct nft_apply_result *res);
/* Of the fixture's first device. */
struct learn_req request(const uint32_t *mark, const struct ip_addr *addrs, uint32_t n, uint32_t ttl_s);
