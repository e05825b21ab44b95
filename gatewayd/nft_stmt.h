/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statements of a rule to nf_tables expressions. Used by nft_encode.c alone. */
#pragma once

#include "sluice/prog.h"

struct nftnl_rule;

/* Bytes of a field in a packet; in a key it takes this, rounded up to four. */
uint8_t nft_field_len(enum nft_field field);
uint8_t nft_key_len(const enum nft_field *fields, uint8_t n_fields);
/* NF_DROP, NFT_GOTO... of enum nft_verdict. */
uint32_t nft_verdict_code(enum nft_verdict verdict);
/* Add the expressions of all statements. 0, -ENOMEM, -EINVAL (a program that cannot be). */
int nft_rule_exprs(struct nftnl_rule *r, const struct nft_rule *rule);
