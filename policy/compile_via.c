/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "via": destinations of a rule that are reached through a device with one of these tags, which are the networks whose
 * routes such a device has. The gateway itself has no tag: the internet through it is no way that "via" could name. */
#include "policy/select.h"

static int routes_collect(const struct directory *dir, const char *const *via, struct range_list *ret)
{
	CLEANUP(freep) uint64_t *set = calloc(dir->n_words, sizeof(*set));

	if (set == NULL)
		return -ENOMEM;
	for (; *via != NULL; via++) {
		struct selector tag = { .kind = SEL_TAG, .name = *via };

		directory_select(dir, &tag, set);
	}
	for (uint32_t i = 0; i < dir->n_devices; i++) {
		const struct doc_device *dev = dir->devices[i];

		for (uint32_t k = 0; dev_set_has(set, i) && dev_set_has(dir->active, i) && k < dev->n_routes; k++) {
			struct ip_range range = ip_prefix_range(&dev->routes[k]);

			if (range_list_add(ret, &range, 1) < 0)
				return -ENOMEM;
		}
	}
	ret->n = (uint32_t)ip_ranges_normalize(ret->items, ret->n);
	return 0;
}

int directory_via(const struct directory *dir, const char *const *via, struct range_list *ranges)
{
	CLEANUP(range_list_done) struct range_list routes = { 0 }, both = { 0 };
	uint32_t i = 0, k = 0;

	if (routes_collect(dir, via, &routes) < 0)
		return -ENOMEM;
	ranges->n = (uint32_t)ip_ranges_normalize(ranges->items, ranges->n);
	while (routes.items != NULL && i < ranges->n && k < routes.n) {
		const struct ip_range *a = &ranges->items[i], *b = &routes.items[k];
		struct ip_range common = {
			.first = ip_addr_cmp(&a->first, &b->first) > 0 ? a->first : b->first,
			.last = ip_addr_cmp(&a->last, &b->last) < 0 ? a->last : b->last,
		};

		if (ip_addr_cmp(&common.first, &common.last) <= 0 && range_list_add(&both, &common, 1) < 0)
			return -ENOMEM;
		if (ip_addr_cmp(&a->last, &b->last) < 0)
			i++;
		else
			k++;
	}
	range_list_done(ranges);
	*ranges = both;
	both = (struct range_list){ 0 };
	return 0;
}
