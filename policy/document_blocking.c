/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a filter answers names that it blocks: "blockMode", "blockTtl", "blockReason". */
#include "policy/sections.h"

static void block_addr_read(struct doc_reader *r, const struct hj_node *node, struct doc_filter *f)
{
	const char *text = doc_text(r, node, "an address of blockMode");
	struct ip_addr addr, *to;

	if (text == NULL)
		return;
	if (ip_addr_parse(text, &addr) < 0) {
		(void)doc_error(r, "P0626", node->span, "%s is no address", text);
		return;
	}
	to = &f->block_addrs[addr.family == IP_V4 ? BLOCK_ADDR_V4 : BLOCK_ADDR_V6];
	if (to->family != IP_NONE)
		(void)doc_error(r, "P0626", node->span, "%s: there is one %s address already; blocked names have one",
				text, addr.family == IP_V4 ? "IPv4" : "IPv6");
	*to = addr;
}

/* {"addresses": ["192.0.2.1", "2001:db8::1"]}: one of each family at most, one in all at least. */
static void custom_read(struct doc_reader *r, const struct hj_node *node, struct doc_filter *f)
{
	static const char *const members[] = { "addresses", NULL };
	const struct hj_node *list;

	f->block_mode = BLOCK_CUSTOM;
	if (!doc_members(r, node, "blockMode", members))
		return;
	list = doc_list(r, node, "addresses");
	if (list == NULL || list->n_children == 0) {
		(void)doc_error(
			r, "P0626", node->span,
			"blockMode has no address: write {\"addresses\": [\"192.0.2.1\"]}, or one of the words");
		return;
	}
	for (const struct hj_node *m = list->child; m != NULL; m = m->next)
		block_addr_read(r, m, f);
}

void blocking_read(struct doc_reader *r, const struct hj_node *filter, struct doc_filter *f)
{
	/* The order of enum block_mode; BLOCK_CUSTOM has no word. */
	static const char *const modes[] = { "null", "nxdomain", "nodata", "refused", "drop", NULL };
	static const enum block_mode values[] = { BLOCK_NULL, BLOCK_NXDOMAIN, BLOCK_NODATA, BLOCK_REFUSED, BLOCK_DROP };
	/* The order of enum block_reason. */
	static const char *const reasons[] = { "blocked", "censored", "filtered", NULL };
	const struct hj_node *mode = hj_get(filter, "blockMode");

	if (mode != NULL && mode->kind == HJ_OBJECT)
		custom_read(r, mode, f);
	else
		f->block_mode = values[doc_word(r, filter, "blockMode", modes, 0)];
	f->block_ttl_s = doc_uint(r, filter, "blockTtl", 0, BLOCK_TTL_MAX_S, BLOCK_TTL_S);
	f->block_reason =
		(enum block_reason)doc_word(r, filter, "blockReason", reasons, (uint32_t)BLOCK_REASON_BLOCKED);
}
