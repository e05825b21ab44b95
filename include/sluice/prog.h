/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The content of `table inet sluice` as data: sets, chains, rules. Made from a plan by policy/lower_nft.c (pure),
 * printed as nft text by policy/print_nft.c, turned into netlink by gatewayd/nft_encode.c, compared by
 * gatewayd/nft_diff.c. Two programs with the same meaning are equal member by member, in order.
 *
 * Learned sets are declared here without elements: those are put in by gatewayd/learned.c and survive a change of plan
 * as long as their set does. */
#pragma once

#include "base/arena.h"
#include "sluice/addr.h"

#define NFT_TABLE_NAME	   "sluice"
#define NFT_NAME_MAX	   32 /* ours; the kernel allows 255 */
#define NFT_IFNAME_MAX	   16 /* IFNAMSIZ */
#define NFT_KEY_FIELDS_MAX 4

/* Fields of a packet, in the register layout of nf_tables: each takes a multiple of four bytes in a key. */
enum nft_field {
	NFT_F_IP_SADDR = 0,
	NFT_F_IP_DADDR,
	NFT_F_IP6_SADDR,
	NFT_F_IP6_DADDR,
	NFT_F_L4PROTO,
	NFT_F_TH_DPORT,
	NFT_F_IIFNAME,
	NFT_F_OIFNAME,
	NFT_F_NUMBER,	  /* the scratch number, see below */
	NFT_F_CT_MARK,	  /* the bits of CT_MARK_MASK of the conntrack mark: the rule that accepted the flow */
	NFT_F_ICMP6_TYPE, /* behind a test of NFT_S_L4PROTO */
	NFT_F_MAX
};

/* The scratch number: what one rule has found out about a packet for the rules behind it (its class, its destination,
 * the mark of the rule that decides), so that an address is mapped to a number once, and no set has an element for each
 * pair of addresses. It is the packet's priority (skb->priority), 32 bits that a packet carries with it and that,
 * unlike its mark, routing and other firewalls do not look at; what is accepted leaves with 0. Numbers that are given
 * start at
 * 1. In a set of several fields with intervals it is in network order as all fields are, alone and in a set without
 * intervals in the host's, as nft has it. */

/* One key, or one end of an interval: values in network order in the fields' order, each padded to four bytes
 * (interface names to 16). Bytes behind the set's key length are zero. */
struct nft_key {
	uint8_t bytes[40];
};

enum nft_verdict { NFT_V_NONE = 0, NFT_V_ACCEPT, NFT_V_DROP, NFT_V_RETURN, NFT_V_JUMP, NFT_V_GOTO };

struct nft_elem {
	struct nft_key lo, hi;	  /* hi equal to lo where the set has no intervals */
	enum nft_verdict verdict; /* maps to verdicts */
	const char *chain;	  /* for jump and goto */
	const char *pos;	  /* policy position that it comes from, or NULL; no part of the meaning */
	uint32_t number;	  /* maps to numbers */
};

enum nft_map { NFT_MAP_NONE = 0, NFT_MAP_VERDICT, NFT_MAP_NUMBER };

struct nft_set {
	const char *name;
	enum nft_field fields[NFT_KEY_FIELDS_MAX];
	uint8_t n_fields;
	enum nft_map map;	      /* what elements lead to; NONE: a set */
	bool interval;		      /* elements are ranges in each field */
	bool timeout;		      /* a learned set: elements are not part of the program */
	const struct nft_elem *elems; /* sorted by lo */
	uint32_t n_elems;
	uint32_t size; /* the most elements that it will have, 0 = any number. Where it is said, and small, the kernel
			* takes a plain hash table, which is quicker than one that grows */
};

/* What rules share by name and what outlives them: a counter keeps counting when the rules around it are made anew. The
 * kernel's own numbers (include/uapi/linux/netfilter/nf_tables.h: NFT_OBJECT_*). */
enum nft_object_kind { NFT_O_COUNTER = 1, NFT_O_LIMIT = 4 };

struct nft_object {
	const char *name; /* among the objects of both kinds */
	enum nft_object_kind kind;
	uint32_t per_s, burst; /* of a limit: packets */
};

enum nft_stmt_kind {
	NFT_S_MATCH = 0, /* fields (one or more) looked up in .set; .invert */
	NFT_S_VMAP,	 /* fields looked up in .set, a map to verdicts */
	NFT_S_NUMBER,	 /* the scratch number := .value */
	NFT_S_NUMBER_OF, /* the scratch number := what .set, a map to numbers, has for the fields; else the rule ends */
	NFT_S_IIFNAME,	 /* the interface that it came by is .name; .invert */
	NFT_S_OIFNAME,	 /* the same of the one that it leaves by */
	NFT_S_CT_STATE,	 /* .value: bits of enum nft_ct_state; any of them */
	NFT_S_L4PROTO,	 /* .value equals the protocol number; .invert */
	NFT_S_DPORT,	 /* .value equals the destination port (host order) */
	NFT_S_SPORT,	 /* .value equals the source port (host order) */
	NFT_S_TCP_SYN,	 /* TCP, SYN set, RST clear; .invert: TCP, anything else */
	NFT_S_TCP_RST,	 /* TCP, RST set */
	NFT_S_NFPROTO,	 /* .value IP_V4 or IP_V6 */
	NFT_S_SADDR4,	 /* IPv4, the source is in the network .value (host order) of .bits bits: no look-up */
	NFT_S_FIB_LOCAL, /* destination is an address of this host (fib daddr type local) */
	NFT_S_FIB_OIF,	 /* the host's routes, marks aside, lead to interface .name; before routing only */
	NFT_S_FIB_ASTRAY, /* an answer to the source would leave by another interface than it came by */
	NFT_S_META_MARK,  /* the packet's mark: bits of .mask set to .value, the others kept */
	NFT_S_CT_MARK,	  /* ct mark bits of CT_MARK_MASK set to .value, the others kept */
	NFT_S_CT_EVENT,	  /* .value: mask of conntrack events, 0 = none (IPCT_NEW 1, IPCT_DESTROY 4) */
	NFT_S_MSS_CLAMP,  /* to the route's MTU */
	NFT_S_COUNTER,	  /* packets and bytes, in the counter .object; NULL: in one of the rule's own */
	NFT_S_LIMIT,	  /* the rule ends when the limit .object is used up */
	NFT_S_LOG,	  /* the head of the packet to nflog group .value, with .prefix (sluice/drop.h) */
	NFT_S_MASQUERADE,
	NFT_S_REDIRECT, /* to port .value on this host */
	NFT_S_REJECT,	/* .value 6: TCP reset, after NFT_S_L4PROTO 6; 0: ICMP administratively prohibited */
	NFT_S_VERDICT,	/* .verdict, .chain */
	NFT_S_MAX
};

/* The kernel's own bits (include/uapi/linux/netfilter/nf_tables.h: NF_CT_STATE_BIT) as nft loads them. */
enum nft_ct_state {
	NFT_CT_INVALID = 1,
	NFT_CT_ESTABLISHED = 2,
	NFT_CT_RELATED = 4,
	NFT_CT_NEW = 8,
	NFT_CT_UNTRACKED = 64,
};

struct nft_stmt {
	enum nft_stmt_kind kind;
	uint32_t value, mask;
	bool invert;
	const char *set;
	enum nft_field fields[NFT_KEY_FIELDS_MAX]; /* as declared by the set; implies nfproto for IP and IP6 fields */
	uint8_t n_fields;
	enum nft_verdict verdict;
	const char *chain;
	const char *name;
	const char *object, *prefix;
	uint8_t bits;
};

struct nft_rule {
	const struct nft_stmt *stmts;
	uint32_t n_stmts;
	const char *pos; /* policy position, or NULL */
};

enum nft_hook { NFT_H_NONE = 0, NFT_H_PREROUTING, NFT_H_INPUT, NFT_H_FORWARD, NFT_H_OUTPUT, NFT_H_POSTROUTING };

struct nft_chain {
	const char *name;
	enum nft_hook hook; /* NONE: a chain that others jump to */
	bool nat;	    /* type nat; else filter */
	bool route;	    /* type route (output): what it does to the mark decides the route; else filter */
	int32_t priority;
	bool policy_drop; /* base chains */
	const struct nft_rule *rules;
	uint32_t n_rules;
};

struct nft_prog {
	struct arena *mem;		  /* in which everything below is */
	const struct nft_object *objects; /* sorted by name */
	uint32_t n_objects;
	const struct nft_set *sets; /* sorted by name */
	uint32_t n_sets;
	const struct nft_chain *chains; /* jumped-to chains before those that jump; base chains last */
	uint32_t n_chains;
};
