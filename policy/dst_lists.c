/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by ruleset.c for each destination of each rule. A thousand rules to the same tag name the same addresses: they
 * are collected once (known by the selector's text), and lists that turn out the same are the same list (known by
 * content), so that what follows grows with what is named and not with how often. */
#include "policy/dst_lists.h"

#include "base/grow.h"

struct dst_known {
	const char *key;
	uint32_t named, wide;
};

void dst_lists_init(struct dst_lists *l, struct arena *mem, const struct directory *dir)
{
	*l = (struct dst_lists){ .mem = mem, .dir = dir };
}

void dst_lists_done(struct dst_lists *l)
{
	free(l->items);
	free(l->known);
	intern_done(&l->by_content);
	intern_done(&l->by_selector);
	*l = (struct dst_lists){ 0 };
}

struct content_key {
	const struct dst_lists *l;
	const struct range_list *ranges;
};

static bool same_content(const void *arg, uint32_t item)
{
	const struct content_key *key = arg;
	const struct dst_list *have = &key->l->items[item];

	return have->n_ranges == key->ranges->n &&
	       memcmp(have->ranges, key->ranges->items, have->n_ranges * sizeof(*have->ranges)) == 0;
}

/* @ranges: sorted by this. */
static int list_keep(struct dst_lists *l, struct range_list *ranges, uint32_t *ret)
{
	struct content_key key = { .l = l, .ranges = ranges };
	struct dst_list *items;
	struct ip_range *kept;
	uint64_t hash;

	*ret = DST_LIST_NONE;
	if (ranges->n == 0)
		return 0;
	ranges->n = (uint32_t)ip_ranges_normalize(ranges->items, ranges->n);
	items = grow_array(l->items, l->n, 1, &l->cap, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	l->items = items;
	hash = intern_hash(INTERN_HASH, ranges->items, ranges->n * sizeof(*ranges->items));
	if (intern_get(&l->by_content, hash, same_content, &key, l->n, ret) < 0)
		return -ENOMEM;
	if (*ret != l->n)
		return 0;
	kept = arena_array(l->mem, ranges->n, sizeof(*kept));
	if (kept == NULL)
		return -ENOMEM;
	memcpy(kept, ranges->items, ranges->n * sizeof(*kept));
	l->items[l->n++] = (struct dst_list){ .ranges = kept, .n_ranges = ranges->n };
	return 0;
}

static void dst_ranges_done(struct dst_ranges *r)
{
	range_list_done(&r->named);
	range_list_done(&r->wide);
}

static int known_make(struct dst_lists *l, const struct selector *sel, bool narrow, const char *const *via,
		      struct dst_known *ret)
{
	static const struct selector members = { .kind = SEL_MEMBER };
	CLEANUP(dst_ranges_done) struct dst_ranges r = { 0 };

	if (directory_ranges(l->dir, sel->kind == SEL_SELF ? &members : sel, narrow, &r) < 0)
		return -ENOMEM;
	if (via != NULL && (directory_via(l->dir, via, &r.named) < 0 || directory_via(l->dir, via, &r.wide) < 0))
		return -ENOMEM;
	if (list_keep(l, &r.named, &ret->named) < 0)
		return -ENOMEM;
	return list_keep(l, &r.wide, &ret->wide);
}

/* Within one policy a text means one thing, but for whether it is narrowed and what it goes through. */
static const char *known_key(struct dst_lists *l, const struct selector *sel, bool narrow, const char *const *via)
{
	const char *key = arena_printf(l->mem, "%c%d %s", narrow ? 'n' : 'w', (int)sel->kind, sel->text);

	for (uint32_t i = 0; via != NULL && via[i] != NULL && key != NULL; i++)
		key = arena_printf(l->mem, "%s\n%s", key, via[i]);
	return key;
}

struct selector_key {
	const struct dst_lists *l;
	const char *text;
};

static bool same_selector(const void *arg, uint32_t item)
{
	const struct selector_key *key = arg;

	return strcmp(key->l->known[item].key, key->text) == 0;
}

int dst_lists_get(struct dst_lists *l, const struct selector *sel, bool narrow, const char *const *via,
		  uint32_t *ret_named, uint32_t *ret_wide)
{
	struct selector_key key = { .l = l, .text = known_key(l, sel, narrow, via) };
	struct dst_known *known = grow_array(l->known, l->n_known, 1, &l->cap_known, sizeof(*known));
	uint32_t at;

	if (known == NULL)
		return -ENOMEM;
	l->known = known;
	if (key.text == NULL || intern_get(&l->by_selector, intern_hash(INTERN_HASH, key.text, strlen(key.text)),
					   same_selector, &key, l->n_known, &at) < 0)
		return -ENOMEM;
	if (at == l->n_known) {
		if (known_make(l, sel, narrow, via, &known[at]) < 0)
			return -ENOMEM;
		known[at].key = key.text;
		l->n_known++;
	}
	*ret_named = known[at].named;
	*ret_wide = known[at].wide;
	return 0;
}
