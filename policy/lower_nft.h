/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to kernel program. Pure. docs/architecture.md has the table of chains. */
#pragma once

#include "base/err.h"
#include "policy/egress.h"
#include "sluice/plan.h"
#include "sluice/prog.h"

struct nft_env {
	const char *tunnel;		     /* interface name */
	const struct ip_prefix *tunnel_nets; /* from whose addresses nothing may come but from the tunnel */
	uint32_t n_tunnel_nets;
	const struct ip_addr *own; /* this host's addresses, from which nothing may come but from itself */
	uint32_t n_own;
	uint16_t tunnel_port;	   /* WireGuard's UDP port, 0 = none to open */
	uint16_t dns_port;	   /* where dnsd listens on this host's tunnel addresses */
	const uint16_t *tls_ports; /* where it does with TLS */
	uint32_t n_tls_ports;
	bool dns_capture;		  /* port 53 of anybody is ours */
	const struct egress_list *egress; /* ways out that rules name; NULL: there is none */
	const struct ip_prefix *routed;	  /* sources that leave untranslated */
	uint32_t n_routed;
	bool hooks; /* false: netfilter mode nodivert: chains without hooks */
	/* Not 0: a gate stops what the table has not seen (gatewayd/gate.h); this is the priority by which it knows
	 * what has been let through. */
	uint32_t gate_pass;
	bool log_drops; /* the kernel has nflog, and its messages come to us */
};

/* @ret: returned, free with nft_prog_free(). 0, -ENOMEM, -E2BIG, -ENOENT (a way out that @env does not have). */
int lower_nft(const struct plan *p, const struct nft_env *env, struct nft_prog **ret, struct err *e);
struct nft_prog *nft_prog_free(struct nft_prog *p);
void nft_prog_freep(struct nft_prog **p);

/* Names of the learned sets of a rule: "l4_00000007", by its mark in hex; LEARN_SEEN gives "seen4". */
void learned_set_name(uint32_t mark, enum ip_family family, char ret[NFT_NAME_MAX]);

/* Text that `nft -c -f` accepts. */
void nft_prog_print(const struct nft_prog *p, FILE *out);
