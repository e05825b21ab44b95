/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Document rules to resolved rules and to the plan's rules with their marks. Called by compile.c, first thing.
 *
 * Marks: a rule's mark is what the kernel writes on every flow that it allows, and what learned addresses are kept
 * under, so it has to survive a reload that does not touch the rule. It is a hash of the rule's text. The hash is
 * FNV-1a folded to 24 bits: nobody but the policy's author chooses the text, and a collision only moves a rule on. */
#include "policy/ruleset.h"

#include "base/grow.h"
#include "policy/compile_closed.h"
#include "policy/schedule.h"

#include <inttypes.h>

#define MARK_BITS_MAX 0x00ffffffu /* CT_MARK_MASK holds 24 bits */
#define PORT_DOT      853	  /* DNS over TLS and QUIC (RFC 7858, RFC 9250): the resolver guard */
#define PROTO_TCP     6
/* Destinations that other rules cut into so many pieces are not numbered piece by piece: well above what is written by
 * hand, well below what would be felt. */
#define CUT_CELLS 16
#define PROTO_UDP 17

/* What a policy without acls and grants means (syntax.md 3.1.2): the services of `*` everywhere. */
static const struct service every_service[] = {
	{ 1, 0, UINT16_MAX },
	{ PROTO_TCP, 0, UINT16_MAX },
	{ PROTO_UDP, 0, UINT16_MAX },
	{ 58, 0, UINT16_MAX },
};
static const struct selector everybody = { .kind = SEL_ANY, .text = "*" };
static const struct doc_dst everywhere = {
	.sel = { .kind = SEL_ANY, .text = "*" },
	.services = every_service,
	.n_services = ARRAY_LEN(every_service),
};
static const struct doc_rule allow_all_rule = {
	.section = SECTION_ACLS,
	.srcs = &everybody,
	.n_srcs = 1,
	.dsts = &everywhere,
	.n_dsts = 1,
};

static const char *const section_names[] = {
	[SECTION_ACLS] = "acls",
	[SECTION_GRANTS] = "grants",
	[SECTION_DENIES] = "denies",
};
static_assert(ARRAY_LEN(section_names) == SECTION_MAX, "names");

static uint32_t fnv1a(uint32_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	return hash;
}

/* 24 bits to the places that are ours: 8 above Tailscale's byte, 16 below it. */
static uint32_t mark_spread(uint32_t h)
{
	return (h & 0xff0000u) << 8 | (h & 0xffffu);
}

static uint32_t rule_hash(const struct doc_policy *p, const struct doc_rule *rule, uint32_t part)
{
	uint32_t h = fnv1a(2166136261u, section_names[rule->section], strlen(section_names[rule->section]));
	uint32_t start = rule->span.start, end = rule->span.end;

	if (p->src != NULL && end <= p->src->len && start <= end)
		h = fnv1a(h, p->src->text + start, end - start);
	h = fnv1a(h, (const char *)&part, sizeof(part));
	return (h ^ h >> 24) & MARK_BITS_MAX;
}

static int hash_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Index of the first of @sorted that is @h, which is in it. */
static uint32_t hash_index(const uint32_t *sorted, uint32_t n, uint32_t h)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (sorted[mid] < h)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Hashes are in .mark already; make them unique and spread them. Many rules of the same text are no reason to be slow:
 * each of them goes on where the one before it found a place. */
static int marks_settle(struct arena *tmp, struct plan_rule *rules, uint32_t n)
{
	uint32_t *sorted = arena_array(tmp, (size_t)n + 1, sizeof(*sorted));
	uint32_t *last =
		arena_array(tmp, (size_t)n + 1, sizeof(*last)); /* given to a rule of that hash, 0 = none yet */
	uint64_t *busy = arena_array(tmp, (MARK_BITS_MAX + 1u) / 64, sizeof(*busy)); /* hashes of rules, and given */

	if (sorted == NULL || last == NULL || busy == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		sorted[i] = rules[i].mark;
		dev_set_add(busy, rules[i].mark);
	}
	qsort(sorted, n, sizeof(*sorted), hash_cmp);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t h = rules[i].mark, at = hash_index(sorted, n, h);

		/* The first in order keeps its hash; a later twin takes the next number that no rule hashes to. */
		if (last[at] != 0 || h == 0) {
			h = last[at];
			do {
				h = (h + 1) & MARK_BITS_MAX;
			} while (h == 0 || dev_set_has(busy, h));
			dev_set_add(busy, h);
		}
		last[at] = h;
		rules[i].mark = mark_spread(h);
	}
	return 0;
}

/* @services without the ports of encrypted DNS. Room for two more in @ret. */
static uint32_t without_dot(const struct service *services, uint32_t n, struct service *ret)
{
	uint32_t n_ret = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct service s = services[i];

		if ((s.proto != PROTO_TCP && s.proto != PROTO_UDP) || s.port_lo > PORT_DOT || s.port_hi < PORT_DOT) {
			ret[n_ret++] = s;
			continue;
		}
		if (s.port_lo < PORT_DOT)
			ret[n_ret++] = (struct service){ s.proto, s.port_lo, PORT_DOT - 1 };
		if (s.port_hi > PORT_DOT)
			ret[n_ret++] = (struct service){ s.proto, PORT_DOT + 1, s.port_hi };
	}
	return n_ret;
}

static const struct service *services_sorted(struct arena *mem, const struct service *services, uint32_t n, bool narrow,
					     uint32_t *ret_n)
{
	struct service *sorted = arena_array(mem, (size_t)n + 3, sizeof(*sorted));
	struct service *guarded = arena_array(mem, (size_t)n + 3, sizeof(*guarded));

	if (sorted == NULL || guarded == NULL)
		return NULL;
	if (n != 0)
		memcpy(sorted, services, n * sizeof(*sorted));
	*ret_n = services_merge(sorted, n);
	if (!narrow)
		return sorted;
	*ret_n = without_dot(sorted, *ret_n, guarded);
	return guarded;
}

/* A destination's addresses of one kind; @list may be none. */
static int clause_add(struct arena *tmp, struct ruleset_rule *rule, struct box_clause *clauses, uint32_t list,
		      const struct doc_dst *dst, enum layer layer)
{
	struct box_clause clause = { .rule = rule->first, .list = list, .layer = layer };

	if (list == DST_LIST_NONE)
		return 0;
	/* The resolver guard is on what the LAN guard is on: wide destinations of accepting rules. */
	clause.services = services_sorted(tmp, dst->services, dst->n_services, layer == LAYER_WIDE && !rule->deny,
					  &clause.n_services);
	if (clause.services == NULL)
		return -ENOMEM;
	clauses[rule->n_clauses++] = clause;
	return 0;
}

static int clauses_make(struct arena *tmp, struct ruleset *set, struct ruleset_rule *rule)
{
	const struct doc_rule *doc = rule->doc;
	struct box_clause *clauses = arena_array(tmp, (size_t)doc->n_dsts * 2, sizeof(*clauses));

	if (clauses == NULL)
		return -ENOMEM;
	rule->clauses = clauses;
	for (uint32_t i = 0; i < doc->n_dsts; i++) {
		const struct doc_dst *dst = &doc->dsts[i];
		bool self = dst->sel.kind == SEL_SELF;
		uint32_t named, wide;

		if (dst_lists_get(&set->lists, &dst->sel, !rule->deny, doc->via, &named, &wide) < 0 ||
		    clause_add(tmp, rule, clauses, named, dst, self ? LAYER_SELF : LAYER_NAMED) < 0 ||
		    clause_add(tmp, rule, clauses, wide, dst, LAYER_WIDE) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool services_equal(const struct plan_rule *r, const struct service *services, uint32_t n)
{
	if (r->n_services != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct service *a = &r->services[i], *b = &services[i];

		if (a->proto != b->proto || a->port_lo != b->port_lo || a->port_hi != b->port_hi)
			return false;
	}
	return true;
}

static int name_cmp(const void *a, const void *b)
{
	const struct name_pattern *x = a, *y = b;
	uint8_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
	int c = memcmp(x->name.wire, y->name.wire, len);

	if (c == 0)
		c = (x->name.len > y->name.len) - (x->name.len < y->name.len);
	return c != 0 ? c : x->below - y->below;
}

static bool opens_names(const struct doc_dst *dst)
{
	return dst->sel.kind == SEL_DNS;
}

/* The part of @rule that opens @services for names, a new one if need be. */
static struct plan_rule *part_get(struct ruleset *set, struct ruleset_rule *rule, const struct service *services,
				  uint32_t n)
{
	struct plan_rule *first = &set->plan_rules[rule->first], *part;

	if (first->services == NULL) {
		part = first;
	} else {
		for (uint32_t i = 0; i < rule->n_parts; i++) {
			if (services_equal(&first[i], services, n))
				return &first[i];
		}
		part = &first[rule->n_parts++];
		*part = *first;
		part->names = NULL;
		part->n_names = 0;
	}
	part->services = services;
	part->n_services = n;
	return part;
}

/* Distribute the names of @rule to its parts. */
static int names_distribute(struct arena *mem, struct ruleset *set, struct ruleset_rule *rule)
{
	struct plan_rule **parts = arena_array(mem, (size_t)rule->doc->n_dsts + 1, sizeof(struct plan_rule *));
	uint32_t n_names = 0, used = 0;
	struct name_pattern *names;

	if (parts == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rule->doc->n_dsts; i++) {
		const struct doc_dst *dst = &rule->doc->dsts[i];
		const struct service *services;
		uint32_t n;

		if (!opens_names(dst))
			continue;
		services = services_sorted(mem, dst->services, dst->n_services, false, &n);
		if (services == NULL)
			return -ENOMEM;
		parts[i] = part_get(set, rule, services, n);
		parts[i]->n_names++;
		n_names++;
	}
	names = arena_array(mem, n_names, sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	for (uint32_t k = 0; k < rule->n_parts; k++) {
		struct plan_rule *part = &set->plan_rules[rule->first + k];
		uint32_t n = 0;

		for (uint32_t i = 0; i < rule->doc->n_dsts; i++) {
			if (parts[i] == part)
				names[used + n++] = rule->doc->dsts[i].sel.dns;
		}
		part->names = n == 0 ? NULL : names + used;
		qsort(names + used, n, sizeof(*names), name_cmp);
		used += n;
	}
	return 0;
}

static bool is_nobodys(const struct directory *dir, const struct ruleset_rule *rule)
{
	for (uint32_t w = 0; w < dir->n_source_words; w++) {
		if (rule->srcs[w] != 0)
			return false;
	}
	return true;
}

/* Outside its hours (not @holds) a rule keeps its place and its mark, and concerns nobody. */
static int srcs_resolve(struct arena *tmp, const struct directory *dir, const struct doc_rule *doc, bool holds,
			struct ruleset_rule *rule)
{
	uint64_t *srcs = arena_array(tmp, dir->n_source_words, sizeof(*srcs));
	uint64_t *devices = arena_array(tmp, dir->n_words, sizeof(*devices));
	bool names = false;

	if (srcs == NULL || devices == NULL ||
	    (holds && directory_select_sources(dir, doc->srcs, doc->n_srcs, srcs) < 0))
		return -ENOMEM;
	for (uint32_t w = 0; w < dir->n_source_words; w++)
		srcs[w] &= dir->active_sources[w];
	for (uint32_t i = 0; i < doc->n_dsts; i++)
		names = names || opens_names(&doc->dsts[i]);
	if (names || rule->deny)
		directory_devices(dir, srcs, devices);
	/* A deny of an address is one of its device: it would go on from another. */
	if (rule->deny)
		directory_sources(dir, devices, srcs);
	rule->srcs = srcs;
	rule->name_srcs = names ? devices : NULL;
	rule->closed_srcs = rule->deny ? devices : NULL;
	return 0;
}

static int rule_resolve(struct arena *mem, struct arena *tmp, const struct directory *dir, const struct doc_policy *p,
			struct ruleset *set, struct ruleset_rule *rule)
{
	const struct doc_rule *doc = rule->doc;
	struct plan_rule *first = &set->plan_rules[set->n_plan_rules];
	int r;

	rule->deny = doc->section == SECTION_DENIES;
	if (srcs_resolve(tmp, dir, doc, schedule_holds(p, dir->env, &doc->when), rule) < 0)
		return -ENOMEM;
	rule->first = set->n_plan_rules;
	rule->n_parts = 1;
	for (uint32_t i = 0; i < doc->n_dsts; i++)
		rule->self = rule->self || doc->dsts[i].sel.kind == SEL_SELF;
	first->action = !rule->deny ? PLAN_ACCEPT : doc->reject ? PLAN_REJECT : PLAN_DROP;
	first->pos = doc == &allow_all_rule
			     ? arena_strdup(mem, "/")
			     : arena_printf(mem, "/%s/%" PRIu32, section_names[doc->section], doc->index);
	first->egress = doc->egress != NULL ? arena_strdup(mem, doc->egress) : NULL;
	if (first->pos == NULL || (doc->egress != NULL && first->egress == NULL))
		return -ENOMEM;
	if (p->src != NULL)
		source_locate(p->src, doc->span.start, &first->line, &first->col);
	if (rule->deny && closed_addrs_new(mem, p, doc, first) < 0)
		return -ENOMEM;
	if (first->n_closed == 0)
		rule->closed_srcs = NULL;
	r = names_distribute(mem, set, rule);
	for (uint32_t k = 0; k < rule->n_parts; k++)
		set->plan_rules[rule->first + k].mark = rule_hash(p, doc, k);
	set->n_plan_rules += rule->n_parts;
	/* Whoever is nobody's rule cuts nobody's destinations. */
	return r < 0 || is_nobodys(dir, rule) ? r : clauses_make(tmp, set, rule);
}

void ruleset_done(struct ruleset *set)
{
	dst_lists_done(&set->lists);
}

static int layer_cmp(const void *a, const void *b)
{
	const struct box_clause *x = a, *y = b;

	if (x->layer != y->layer)
		return x->layer < y->layer ? -1 : 1;
	return (x->list > y->list) - (x->list < y->list);
}

void clause_list_done(struct clause_list *l)
{
	free(l->items);
}

static int clause_append(struct clause_list *l, const struct box_clause *clause)
{
	struct box_clause *items = grow_array(l->items, l->n, 1, &l->cap, sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	l->items = items;
	items[l->n++] = *clause;
	return 0;
}

static bool in_layers(const struct box_clause *clause, enum layer from, enum layer to)
{
	return clause->layer >= from && clause->layer <= to;
}

int ruleset_clauses(const struct ruleset *set, uint32_t source, enum layer from, enum layer to, struct clause_list *l)
{
	l->n = 0;
	for (int accepting = 0; accepting < 2; accepting++) {
		for (uint32_t r = 0; r < set->n_rules; r++) {
			const struct ruleset_rule *rule = &set->rules[r];

			if (rule->deny != (accepting == 0) || !dev_set_has(rule->srcs, source))
				continue;
			for (uint32_t i = 0; i < rule->n_clauses; i++) {
				if (in_layers(&rule->clauses[i], from, to) && clause_append(l, &rule->clauses[i]) < 0)
					return -ENOMEM;
			}
		}
	}
	return 0;
}

int ruleset_lists(struct arena *tmp, const struct ruleset *set, enum layer from, enum layer to, uint64_t **ret)
{
	uint64_t *use = arena_array(tmp, (size_t)set->lists.n / 64 + 1, sizeof(*use));

	if (use == NULL)
		return -ENOMEM;
	for (uint32_t r = 0; r < set->n_rules; r++) {
		for (uint32_t i = 0; i < set->rules[r].n_clauses; i++) {
			if (in_layers(&set->rules[r].clauses[i], from, to))
				dev_set_add(use, set->rules[r].clauses[i].list);
		}
	}
	*ret = use;
	return 0;
}

/* The cells of the lists of all layers up to @last. */
static int ruleset_cells(struct arena *tmp, const struct ruleset *set, enum layer last, struct dst_cells *ret)
{
	const struct directory *dir = set->lists.dir;
	const struct dst_list cut = { .ranges = dir->cut, .n_ranges = dir->n_cut };
	uint64_t *use;

	if (ruleset_lists(tmp, set, LAYER_WIDE, last, &use) < 0)
		return -ENOMEM;
	return dst_cells_divide(tmp, &set->lists, use, &cut, ret);
}

/* Rules up to the last one with a way out of its own: which of them accepts a packet is not the same to it. */
static uint32_t ways_end(const struct ruleset *set)
{
	uint32_t n = set->n_rules;

	while (n > 0 && set->rules[n - 1].doc->egress == NULL)
		n--;
	return n;
}

/* Named destinations in many pieces: what accepts goes by list; what must be looked up in order, because it refuses or
 * because it chooses the way out, to the wide ones. */
static int ruleset_layers(struct arena *tmp, const struct ruleset *set, struct ruleset_rule *rules)
{
	const uint32_t *of = set->cells.of_list;
	uint32_t ordered = ways_end(set);

	for (uint32_t r = 0; r < set->n_rules; r++) {
		struct box_clause *clauses = arena_array(tmp, rules[r].n_clauses, sizeof(*clauses));

		if (clauses == NULL)
			return -ENOMEM;
		for (uint32_t i = 0; i < rules[r].n_clauses; i++) {
			clauses[i] = rules[r].clauses[i];
			if (clauses[i].layer == LAYER_NAMED &&
			    of[clauses[i].list + 1] - of[clauses[i].list] >= CUT_CELLS)
				clauses[i].layer = rules[r].deny || r < ordered ? LAYER_WIDE : LAYER_MEMBER;
		}
		qsort(clauses, rules[r].n_clauses, sizeof(*clauses), layer_cmp);
		rules[r].clauses = clauses;
	}
	return 0;
}

/* Divide the address space by all lists that somebody asks for; then once more without those that go by list. */
static int ruleset_divide(struct arena *tmp, struct ruleset *set, struct ruleset_rule *rules)
{
	if (ruleset_cells(tmp, set, LAYER_MAX, &set->cells) < 0 || ruleset_layers(tmp, set, rules) < 0)
		return -ENOMEM;
	return ruleset_cells(tmp, set, LAYER_SELF, &set->cells);
}

int ruleset_new(struct arena *mem, struct arena *tmp, const struct directory *dir, const struct doc_policy *p,
		struct ruleset *ret)
{
	uint32_t n = p->n_rules + (p->allow_all ? 1 : 0);
	struct ruleset_rule *rules = arena_array(tmp, n, sizeof(*rules));
	size_t room = 0;

	*ret = (struct ruleset){ .rules = rules, .n_rules = n };
	dst_lists_init(&ret->lists, tmp, dir);
	if (rules == NULL)
		return -ENOMEM;
	if (p->allow_all)
		rules[0].doc = &allow_all_rule;
	for (uint32_t i = 0; i < p->n_rules; i++)
		rules[n - p->n_rules + i].doc = &p->rules[i];
	for (uint32_t i = 0; i < n; i++) {
		uint32_t names = 0;

		for (uint32_t k = 0; k < rules[i].doc->n_dsts; k++)
			names += opens_names(&rules[i].doc->dsts[k]);
		room += names > 1 ? names : 1;
	}
	ret->plan_rules = arena_array(mem, room, sizeof(*ret->plan_rules));
	if (ret->plan_rules == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int r = rule_resolve(mem, tmp, dir, p, ret, &rules[i]);

		if (r < 0)
			return r;
	}
	if (marks_settle(tmp, ret->plan_rules, ret->n_plan_rules) < 0)
		return -ENOMEM;
	return ruleset_divide(tmp, ret, rules);
}
