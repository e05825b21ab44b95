/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by whoever makes views: dnsd, the command line, tests of policies at another time. */
#include "geo/view_prefixes.h"

/* As policy/compile_closed.c writes them. */
static const char *const kinds[] = { [PREFIX_GEO] = "geo", [PREFIX_ASN] = "asn", [PREFIX_LIST] = "iplist" };
static_assert(ARRAY_LEN(kinds) == PREFIX_KIND_MAX, "kinds");

int view_prefixes_of(const struct prefix_source *sources, uint32_t n, struct view_prefixes **ret)
{
	struct view_prefixes *items = calloc((size_t)n + 1, sizeof(*items) + VIEW_PREFIX_KEY_MAX);
	char *keys;

	if (items == NULL)
		return -ENOMEM;
	keys = (char *)(items + n + 1);
	for (uint32_t i = 0; i < n; i++) {
		char *key = keys + (size_t)i * VIEW_PREFIX_KEY_MAX;

		(void)snprintf(key, VIEW_PREFIX_KEY_MAX, "%s:%s", kinds[sources[i].kind], sources[i].key);
		items[i] = (struct view_prefixes){ .key = key,
						   .ranges = sources[i].ranges,
						   .n_ranges = sources[i].n_ranges };
	}
	*ret = items;
	return 0;
}
