/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/lower_names.h"

#include <inttypes.h>

#include "policy/lower_dsts.h"

void learned_set_name(uint32_t mark, enum ip_family family, char ret[NFT_NAME_MAX])
{
	int digit = family == IP_V4 ? 4 : 6;

	if (mark == LEARN_SEEN)
		(void)snprintf(ret, NFT_NAME_MAX, "seen%d", digit);
	else
		(void)snprintf(ret, NFT_NAME_MAX, "l%d_%08" PRIx32, digit, mark);
}

struct nft_stmt learned_stmt(struct prog_build *b, uint32_t mark, uint8_t family, bool invert)
{
	char name[NFT_NAME_MAX];

	learned_set_name(mark, family, name);
	return (struct nft_stmt){
		.kind = NFT_S_MATCH,
		.invert = invert,
		.set = prog_name(b, "%s", name),
		.fields = { saddr_of(family), daddr_of(family) },
		.n_fields = 2,
	};
}

void learned_set(struct prog_build *b, uint32_t mark, uint8_t family)
{
	struct nft_stmt s = learned_stmt(b, mark, family, false);

	prog_set(b, &(struct nft_set){
			    .name = s.set,
			    .fields = { s.fields[0], s.fields[1] },
			    .n_fields = 2,
			    .timeout = true,
		    });
}

void service_set(struct prog_build *b, const struct plan_rule *r)
{
	struct nft_elem *elems = prog_elems(b, r->n_services);

	for (uint32_t i = 0; elems != NULL && i < r->n_services; i++) {
		size_t lo = 0, hi = 0;

		key_u8(&elems[i].lo, &lo, r->services[i].proto);
		key_u16(&elems[i].lo, &lo, r->services[i].port_lo);
		key_u8(&elems[i].hi, &hi, r->services[i].proto);
		key_u16(&elems[i].hi, &hi, r->services[i].port_hi);
	}
	prog_set(b, &(struct nft_set){
			    .name = prog_name(b, "svc_%08" PRIx32, r->mark),
			    .fields = { NFT_F_L4PROTO, NFT_F_TH_DPORT },
			    .n_fields = 2,
			    .interval = true,
			    .elems = elems,
			    .n_elems = r->n_services,
		    });
}
