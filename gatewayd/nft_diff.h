/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What turns one program into another. Pure. */
#pragma once

#include "base/err.h"
#include "sluice/prog.h"

/* In the order in which they are applied, see nft_diff(). */
enum nft_op_kind {
	NFT_OP_FLUSH_CHAIN = 0, /* .chain: all its rules */
	NFT_OP_DEL_ELEMS,	/* .set, .elems */
	NFT_OP_PUT_OBJECT,	/* .object */
	NFT_OP_PUT_SET,
	NFT_OP_PUT_CHAIN,
	NFT_OP_PUT_ELEMS,
	NFT_OP_PUT_RULES, /* .chain: all its rules */
	NFT_OP_DEL_SET,	  /* before chains: a map's elements lead to them */
	NFT_OP_DEL_CHAIN,
	NFT_OP_DEL_OBJECT, /* after the rules that counted in it */
	NFT_OP_MAX
};

struct nft_op {
	enum nft_op_kind kind;
	const struct nft_set *set;
	const struct nft_chain *chain;
	const struct nft_object *object;
	const struct nft_elem *const *elems;
	uint32_t n_elems;
};

struct nft_diff {
	/* A set, a limit or a base chain keeps its name but not its nature: elements and rules cannot be moved over,
	 * the whole table is to be made anew. Then there are no operations. */
	bool replace;
	struct nft_op *ops;
	uint32_t n_ops;
};

/* @from: running program, NULL = an empty table; @to: the wanted one; both borrowed and outlive @ret.
 * @mem: arena of the result.
 * @ret: in @mem. Ordered so that each operation is valid behind those before it: changed chains are emptied first and
 *       filled last, elements are taken out before others of the same set come in (intervals may not overlap), what is
 *       gone goes last. Equal programs give no operations. Sets and chains that are equal are not touched: learned
 *       elements stay; a counter stays as long as its name does.
 * O(n) in elements and rules. 0, -ENOMEM. */
int nft_diff(const struct nft_prog *from, const struct nft_prog *to, struct arena *mem, struct nft_diff *ret,
	     struct err *e);
