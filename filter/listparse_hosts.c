/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of hosts files: an address, names, a comment. Called by listparse.c for each line whose first word is an
 * address.
 *
 * Names are blocked exactly as they stand, nothing below them. 0.0.0.0, :: and loopback addresses block; any other is
 * the answer, where the list is trusted: who downloads a list for blocking must not be redirected by it. Sources:
 * hosts(5); the names of the preamble are those of the usual files. */
#include "filter/listformats.h"
#include "filter/listrecord.h"

/* They describe the machine and are never blocked. */
static const char *const preamble_names[] = {
	"localhost",	"localhost.localdomain", "local",	 "broadcasthost",  "ip6-localhost", "ip6-loopback",
	"ip6-localnet", "ip6-mcastprefix",	 "ip6-allnodes", "ip6-allrouters", "ip6-allhosts",
};

bool list_is_preamble(struct text name)
{
	struct ip_addr addr;

	for (size_t i = 0; i < ARRAY_LEN(preamble_names); i++)
		if (text_is_nocase(name, preamble_names[i]))
			return true;
	return text_address(name, &addr, NULL);
}

/* ::ffff:0.0.0.0 is 0.0.0.0, and so on. */
static struct ip_addr unmapped(const struct ip_addr *a)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family == IP_V6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0)
		return ip_addr_from_bytes(a->bytes + sizeof(prefix), 4);
	return *a;
}

void list_parse_hosts(const struct list_parser *p, struct text line, const struct ip_addr *addr, bool scoped,
		      struct text names, struct list_line *l)
{
	const char *hash = names.len > 0 ? memchr(names.s, '#', names.len) : NULL;
	struct ip_addr answer = unmapped(addr);
	bool blocks = list_addr_blocks(&answer), any = false;
	struct text w;

	if (hash != NULL)
		names.len = (size_t)(hash - names.s);
	while ((w = text_word_take(&names)).len != 0) {
		any = true;
		if (list_is_preamble(w))
			continue;
		/* One bad name refuses the line. */
		if (!list_line_name(l, w, LIST_NAME, blocks ? LIST_BLOCK : LIST_REWRITE))
			return;
	}
	if (l->n_rules == 0)
		return list_line_done(l, LIST_SKIPPED, any ? "usual preamble of a hosts file" : LIST_WHY_ADDRESS);
	if (blocks)
		return;
	if (scoped)
		return list_line_done(l, LIST_SKIPPED, "redirects to an address with a scope, which is no answer");
	if (!p->trusted)
		return list_line_done(l, LIST_SKIPPED, LIST_WHY_UNTRUSTED);
	list_terms_put_addr(&l->terms, &answer, 0);
	list_line_seal(l, line);
}
