/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a policy and a device list say of each other and only both together show. Warnings: none of it opens anything,
 * and a device that comes or goes must not stop a policy. */
#include "policy/reader.h"
#include "policy/selector.h"

struct addr_list {
	const struct ip_addr *items; /* sorted */
	uint32_t n;
};

/* A tag may outlive its definition. Rules cannot name it. */
static void device_tag_check(struct doc_reader *r, const struct doc_device *dev, const char *tag)
{
	const char *hint;

	if (tag_is_defined(r, tag))
		return;
	hint = r->diags->n < DIAG_MAX ? tag_hint(r, tag) : "";
	(void)doc_warn(r, "P1114", dev->span, "%s of device %s is not defined in tagOwners: no rule can mean it%s", tag,
		       dev->name != NULL ? dev->name : "", hint);
}

static int addr_cmp(const void *a, const void *b)
{
	return ip_addr_cmp(a, b);
}

static struct addr_list addrs_of(struct doc_reader *r, const struct doc_devices *d)
{
	struct addr_list ret = { 0 };
	struct ip_addr *items;
	size_t n = 0;

	for (uint32_t i = 0; i < d->n_devices; i++)
		n += d->devices[i].n_addrs;
	items = doc_array(r, n, sizeof(*items));
	for (uint32_t i = 0; items != NULL && i < d->n_devices; i++) {
		for (uint32_t k = 0; k < d->devices[i].n_addrs; k++)
			items[ret.n++] = d->devices[i].addrs[k];
	}
	if (ret.n > 1)
		qsort(items, ret.n, sizeof(*items), addr_cmp);
	ret.items = items;
	return ret;
}

static bool any_in(const struct addr_list *addrs, const struct ip_range *range)
{
	uint32_t lo = 0, hi = addrs->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&addrs->items[mid], &range->first) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < addrs->n && ip_range_contains(range, &addrs->items[lo]);
}

/* A source of addresses is some device's, or nobody's. */
static bool is_somebodys(const struct addr_list *addrs, const struct selector *src)
{
	struct ip_range range;
	bool found = false;

	if (src->kind == SEL_PREFIX) {
		range = ip_prefix_range(&src->prefix);
		return any_in(addrs, &range);
	}
	for (uint32_t i = 0; i < src->n_ranges; i++)
		found = found || any_in(addrs, &src->ranges[i]);
	for (uint32_t i = 0; i < src->n_wide; i++)
		found = found || any_in(addrs, &src->wide[i]);
	return found || src->kind != SEL_RANGES;
}

static void sources_check(struct diag_list *diags, const struct doc_policy *p, const struct addr_list *addrs)
{
	for (uint32_t i = 0; i < p->n_rules; i++) {
		for (uint32_t k = 0; k < p->rules[i].n_srcs; k++) {
			const struct selector *src = &p->rules[i].srcs[k];

			if (!is_somebodys(addrs, src))
				diag_add(diags, DIAG_WARNING, "P1115", p->src, src->span,
					 "no device has an address in %s: this source means nobody (networks behind "
					 "devices are no sources here)",
					 src->text);
		}
	}
}

void document_check_devices(const struct doc_policy *p, const struct doc_devices *d, struct diag_list *diags)
{
	struct addr_list addrs;
	struct doc_reader r;

	doc_reader_init(&r, diags->mem, d->src, diags);
	r.policy = p;
	for (uint32_t i = 0; i < d->n_devices; i++)
		for (const char *const *tag = d->devices[i].tags; *tag != NULL; tag++)
			device_tag_check(&r, &d->devices[i], *tag);
	addrs = addrs_of(&r, d);
	sources_check(diags, p, &addrs);
}
