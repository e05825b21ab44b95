/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small plan and the program that belongs to it, written by hand: two devices, a rule with addresses (mark 0x11,
 * /grants/0), a rule with names (mark 0x22, /grants/1), a deny (mark 0x33, /denies/0); every kind of set and statement
 * occurs. */
#pragma once

#include "sluice/plan.h"
#include "sluice/prog.h"

#define MARK_ADDRS 0x11u
#define MARK_NAMES 0x22u
#define MARK_DENY  0x33u

struct ip_addr ip(const char *text);
struct nft_key key4(const char *addr, uint8_t proto, uint16_t port);

/* Freed by fixture_free(). */
struct fixture {
	struct arena *mem;
	struct plan plan;
	struct plan_device devices[2]; /* ana 100.64.0.1, fd00::1; ben 100.64.0.2 */
	struct plan_class classes[2];
	struct plan_rule rules[3];
	struct plan_addr addrs[3];
	uint32_t by_mark[3];
	struct nft_prog prog;
};
struct fixture *fixture_new(void);
struct fixture *fixture_free(struct fixture *f);
/* Copies, to be changed by a test; in the fixture's arena. */
struct nft_set *fixture_sets(struct fixture *f, struct nft_prog *prog);
struct nft_chain *fixture_chains(struct fixture *f, struct nft_prog *prog);
struct nft_set *fixture_set(struct nft_prog *prog, struct nft_set *sets, const char *name);
