/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one netlink socket through which the kernel's table is changed. It owns the table (kernel 6.9 and newer): keep it
 * open as long as gatewayd lives; when it closes, the table stays and waits for the next owner.
 *
 * Requests are answered while they are sent (nfnetlink works in the sender's context): nothing here waits for anybody
 * but the kernel. Non-logging. Source: linux net/netfilter/nfnetlink.c, nf_tables_api.c. */
#pragma once

#include "base/err.h"
#include "gatewayd/nft_batch.h"

struct nft_channel;

/* What this kernel can do. Probed, not derived from its version. */
struct nft_features {
	bool owner;	  /* tables with `flags owner, persist`: nobody else can change or flush them */
	bool log;	  /* rules may send packets to an nflog group */
	bool elem_update; /* adding an element again moves its expiry; else it is deleted and added in one batch */
};

/* @ret: returned, free with nft_channel_free(). Needs CAP_NET_ADMIN. 0, -ENOMEM, -EPERM, another negative errno. */
int nft_channel_open(struct nft_channel **ret, struct err *e);
struct nft_channel *nft_channel_free(struct nft_channel *ch); /* NULL is fine; returns NULL */
void nft_channel_freep(struct nft_channel **ch);

/* Find the features out on a scratch table, `inet sluice_probe`, which is gone afterwards. Once after opening: without
 * it nothing is taken for granted (plain table, elements deleted and added). */
int nft_channel_probe(struct nft_channel *ch, struct err *e);
/* Do without an owner though the kernel could. After probing. */
void nft_channel_disown(struct nft_channel *ch);
const struct nft_features *nft_channel_features(const struct nft_channel *ch);
/* Elements of a batch where they can go in several (nft_fill.h). Set: for tests. */
uint32_t nft_channel_chunk(const struct nft_channel *ch);
void nft_channel_set_chunk(struct nft_channel *ch, uint32_t n);
/* The socket's netlink address: changes by others carry another one. */
uint32_t nft_channel_portid(const struct nft_channel *ch);

/* A batch for this channel, with its next sequence numbers; @genid 0 = whatever the kernel's generation is now, else
 * the one it was made for: -ESTALE when it has moved on. @ret: returned, free with nft_batch_free(). */
int nft_channel_batch(struct nft_channel *ch, uint32_t genid, struct nft_batch **ret, struct err *e);

/* What the kernel refused. */
struct nft_refusal {
	uint32_t seq;	    /* message; 0 = the batch as a whole */
	uint32_t attr_offs; /* offset of the attribute at fault in it, 0 = unknown */
};

/* Send it and read every answer. @dry: without its end, so that the kernel checks everything and changes nothing.
 * On a refusal @e names set, chain or rule, and the policy position ("/grants/3: set c0_4: ..."); @ret_refusal (may be
 * NULL) has the place. 0; -ESTALE generation; the kernel's error. -ENOBUFS (answers were lost) and -EIO (none came):
 * nobody knows whether it was done, and the table has to be replaced, not changed by differences. */
int nft_channel_send(struct nft_channel *ch, const struct nft_batch *b, bool dry, struct nft_refusal *ret_refusal,
		     struct err *e);

struct nlmsghdr;
/* One message of a dump or answer; borrowed. Nonzero ends the reading and is returned. */
typedef int (*nft_msg_fn)(void *arg, const struct nlmsghdr *nlh);
/* Send one request (its sequence number is filled in) and hand each answer to @fn. A dump that the kernel says was
 * interrupted gives -EINTR after all its messages were read: the caller starts again. */
int nft_channel_request(struct nft_channel *ch, struct nlmsghdr *req, nft_msg_fn fn, void *arg, struct err *e);
/* The kernel's ruleset generation. */
int nft_channel_genid(struct nft_channel *ch, uint32_t *ret, struct err *e);
