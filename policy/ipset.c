/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `ipsets` (syntax: "add T", "remove T", or only "T" where nothing is removed), applied in order, to sorted disjoint
 * ranges. What came of autogroup:internet is kept apart from what was named: the LAN guard covers only the former.
 *
 * A set with geo:, asn: or iplist: in it, itself or through another set, cannot be resolved here, as their ranges come
 * when the policy is compiled: it becomes a list of steps from the first of them on.
 *
 * Operations of one kind that follow each other are merged before they are applied, so that a list of n entries costs
 * n log n, not n squared. */
#include "policy/ipset.h"

#include "policy/loaded.h"
#include "policy/selector.h"

struct range_set {
	struct ip_range *items;
	uint32_t n, room;
};

enum work_state { WORK_NEW = 0, WORK_BUSY, WORK_DONE };

struct ipset_work {
	const struct hj_node *node;
	enum work_state state;
};

struct ipset_builder {
	struct doc_reader *r;
	struct doc_ipset *sets;	 /* sorted by name */
	struct ipset_work *work; /* in the same order */
	uint32_t n;
	uint32_t depth;
};

/* What one run of adds or removes names. */
struct operand {
	struct range_set named, wide;
};

/* What a set has come to so far. */
struct result {
	struct operand total; /* as long as there are no steps */
	struct set_step *steps;
	uint32_t n, room;
};

static bool set_add(struct doc_reader *r, struct range_set *s, const struct ip_range *ranges, uint32_t n)
{
	if (n > s->room - s->n) {
		uint32_t room = (s->n + n) * 2;
		struct ip_range *items = doc_array(r, room, sizeof(*items));

		if (items == NULL)
			return false;
		if (s->n != 0)
			memcpy(items, s->items, s->n * sizeof(*items));
		s->items = items;
		s->room = room;
	}
	if (n != 0)
		memcpy(s->items + s->n, ranges, n * sizeof(*ranges));
	s->n += n;
	return true;
}

static void set_normalize(struct range_set *s)
{
	if (s->n > 1)
		s->n = (uint32_t)ip_ranges_normalize(s->items, s->n);
}

/* @from minus @what, both normalized. */
static void set_subtract(struct doc_reader *r, struct range_set *from, const struct range_set *what)
{
	struct range_set out = { .room = from->n + what->n };

	if (from->n == 0 || what->n == 0)
		return;
	out.items = doc_array(r, out.room, sizeof(*out.items));
	if (out.items == NULL)
		return;
	out.n = (uint32_t)ip_ranges_subtract(from->items, from->n, what->items, what->n, out.items);
	*from = out;
}

/* Public space as Tailscale has it, without loopback, multicast and reserved: nobody means those by "internet". */
static bool internet_add(struct doc_reader *r, struct range_set *s)
{
	static const char *const space[] = { "0.0.0.0/0", "2000::/3" };
	static const char *const holes[] = { "0.0.0.0/8",      "10.0.0.0/8",	"100.64.0.0/10",  "127.0.0.0/8",
					     "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3" };
	struct ip_range all[ARRAY_LEN(space)], cut[ARRAY_LEN(holes)];
	struct range_set whole = { all, ARRAY_LEN(space), ARRAY_LEN(space) };
	struct range_set cuts = { cut, ARRAY_LEN(holes), ARRAY_LEN(holes) };
	struct ip_prefix p;

	for (size_t i = 0; i < ARRAY_LEN(space); i++)
		all[i] = ip_prefix_parse(space[i], &p, NULL) == 0 ? ip_prefix_range(&p) : (struct ip_range){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(holes); i++)
		cut[i] = ip_prefix_parse(holes[i], &p, NULL) == 0 ? ip_prefix_range(&p) : (struct ip_range){ 0 };
	set_subtract(r, &whole, &cuts);
	return !r->oom && set_add(r, s, whole.items, whole.n);
}

static void ipset_resolve(struct ipset_builder *b, uint32_t index);

static uint32_t ipset_index(const struct ipset_builder *b, const char *name)
{
	uint32_t lo = 0, hi = b->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(name, b->sets[mid].name);

		if (cmp == 0)
			return mid;
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return UINT32_MAX;
}

static void other_set_read(struct ipset_builder *b, struct span at, const char *name, struct operand *to)
{
	uint32_t i = ipset_index(b, name);
	struct diag *d;

	if (i == UINT32_MAX) {
		(void)doc_error(b->r, "P0204", at, "%s is not defined in ipsets", name);
		return;
	}
	if (b->work[i].state == WORK_BUSY) {
		d = doc_error(b->r, "P0512", at, "%s contains itself", name);
		diag_relate(d, b->r->src, b->sets[i].span, "defined here");
		return;
	}
	ipset_resolve(b, i);
	if (!set_add(b->r, &to->named, b->sets[i].ranges, b->sets[i].n_ranges))
		return;
	(void)set_add(b->r, &to->wide, b->sets[i].wide, b->sets[i].n_wide);
}

/* "a-b": 0, or -EINVAL (not reported). */
static int range_parse(struct doc_reader *r, const char *text, struct ip_range *ret)
{
	const char *dash = strchr(text, '-'), *first;

	if (dash == NULL)
		return -EINVAL;
	first = doc_strndup(r, text, (size_t)(dash - text));
	if (first == NULL || ip_addr_parse(first, &ret->first) < 0 || ip_addr_parse(dash + 1, &ret->last) < 0)
		return -EINVAL;
	return ret->first.family == ret->last.family && ip_addr_cmp(&ret->first, &ret->last) <= 0 ? 0 : -EINVAL;
}

static void operand_read(struct ipset_builder *b, struct span at, const char *text, struct operand *to)
{
	const struct doc_host *host = NULL;
	struct ip_prefix prefix;
	struct ip_range range;

	if (strncmp(text, "ipset:", 6) == 0) {
		other_set_read(b, at, text, to);
		return;
	}
	if (strcmp(text, "autogroup:internet") == 0) {
		(void)internet_add(b->r, &to->wide);
		return;
	}
	if (strncmp(text, "host:", 5) == 0) {
		host = host_find(b->r->policy, text + 5);
		if (host == NULL) {
			(void)doc_error(b->r, "P0203", at, "%s is not defined in hosts", text + 5);
			return;
		}
		range = ip_prefix_range(&host->prefix);
	} else if (doc_prefix(b->r, at, text, &prefix) == 0) {
		range = ip_prefix_range(&prefix);
	} else if (range_parse(b->r, text, &range) < 0) {
		(void)doc_error(b->r, "P0511", at,
				"%s cannot be in an ipset: an address, a CIDR, a range a-b, host:name, ipset:name, "
				"geo:XX, asn:N, iplist:name or autogroup:internet",
				text);
		return;
	}
	(void)set_add(b->r, &to->named, &range, 1);
}

/* The word before the operand: 1 = remove, 0 = add, -1 = none. @text is moved to the operand. */
static int operation(const char **text)
{
	static const char *const words[] = { "add", "remove" };

	for (int i = 0; i < 2; i++) {
		size_t len = strlen(words[i]);

		if (strncmp(*text, words[i], len) != 0 || ((*text)[len] != ' ' && (*text)[len] != '\t'))
			continue;
		*text += len + strspn(*text + len, " \t");
		return i;
	}
	return -1;
}

static void step_add(struct doc_reader *r, struct result *to, struct set_step step)
{
	if (to->n == to->room) {
		uint32_t room = to->room * 2 + 8;
		struct set_step *steps = doc_array(r, room, sizeof(*steps));

		if (steps == NULL)
			return;
		if (to->n != 0)
			memcpy(steps, to->steps, to->n * sizeof(*steps));
		to->steps = steps;
		to->room = room;
	}
	to->steps[to->n++] = step;
}

static struct set_step run_step(const struct operand *run, bool remove)
{
	return (struct set_step){
		.remove = remove,
		.named = run->named.items,
		.n_named = run->named.n,
		.wide = run->wide.items,
		.n_wide = run->wide.n,
	};
}

static void run_apply(struct doc_reader *r, struct result *to, struct operand *run, bool remove)
{
	struct operand *total = &to->total;

	set_normalize(&run->named);
	set_normalize(&run->wide);
	if (to->n != 0) {
		if (run->named.n + run->wide.n != 0)
			step_add(r, to, run_step(run, remove));
	} else if (remove) {
		/* What is removed is gone, whichever way it came in. */
		set_subtract(r, &total->named, &run->named);
		set_subtract(r, &total->named, &run->wide);
		set_subtract(r, &total->wide, &run->named);
		set_subtract(r, &total->wide, &run->wide);
	} else {
		(void)set_add(r, &total->named, run->named.items, run->named.n);
		(void)set_add(r, &total->wide, run->wide.items, run->wide.n);
		set_normalize(&total->named);
		set_normalize(&total->wide);
	}
	*run = (struct operand){ 0 };
}

static bool list_removes(const struct hj_node *list)
{
	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = m->kind == HJ_STRING ? m->string + strspn(m->string, " \t") : "";

		if (operation(&text) == 1)
			return true;
	}
	return false;
}

/* An entry whose ranges are not known here: 1 = @ret is its step, 0 = none of these, -EINVAL (reported). */
static int step_read(struct ipset_builder *b, struct span at, const char *text, struct set_step *ret)
{
	uint32_t i;

	*ret = (struct set_step){ 0 };
	if (loaded_word(text)) {
		ret->loaded = true;
		return loaded_read(b->r, at, text, &ret->need) < 0 ? -EINVAL : 1;
	}
	i = strncmp(text, "ipset:", 6) == 0 ? ipset_index(b, text) : UINT32_MAX;
	if (i == UINT32_MAX || b->work[i].state == WORK_BUSY)
		return 0;
	ipset_resolve(b, i);
	ret->nested = b->sets[i].steps;
	ret->n_nested = b->sets[i].n_steps;
	return ret->nested != NULL ? 1 : 0;
}

static void operations_apply(struct ipset_builder *b, const struct hj_node *list, struct result *to)
{
	bool removes = list_removes(list), removing = false;
	struct operand run = { 0 };

	for (const struct hj_node *m = list->child; m != NULL; m = m->next) {
		const char *text = doc_text(b->r, m, "an entry of an ipset");
		int op = text != NULL ? operation(&text) : 0, kind;
		struct set_step step;

		if (text == NULL)
			continue;
		if (op < 0 && removes) {
			(void)doc_error(b->r, "P0510", m->span,
					"%s: add or remove? The word may be left out only where nothing is removed",
					text);
			continue;
		}
		if ((op == 1) != removing) {
			run_apply(b->r, to, &run, removing);
			removing = op == 1;
		}
		kind = step_read(b, m->span, text, &step);
		if (kind == 0)
			operand_read(b, m->span, text, &run);
		if (kind != 1)
			continue;
		run_apply(b->r, to, &run, removing);
		if (to->n == 0)
			step_add(b->r, to, run_step(&to->total, false));
		step.remove = removing;
		step_add(b->r, to, step);
	}
	run_apply(b->r, to, &run, removing);
}

static void ipset_resolve(struct ipset_builder *b, uint32_t index)
{
	struct doc_ipset *set = &b->sets[index];
	struct ipset_work *work = &b->work[index];
	struct result result = { 0 };

	if (work->state != WORK_NEW)
		return;
	work->state = WORK_BUSY;
	if (++b->depth > IPSET_DEPTH_MAX)
		(void)doc_error(b->r, "P0513", set->span, "ipsets are nested more than %u deep", IPSET_DEPTH_MAX);
	else if (work->node->n_children > IPSET_ENTRIES_MAX)
		(void)doc_error(b->r, "P0514", set->span, "%s has more than %u entries: write them into an iplist",
				set->name, IPSET_ENTRIES_MAX);
	else if (doc_is(b->r, work->node, HJ_ARRAY, set->name))
		operations_apply(b, work->node, &result);
	b->depth--;
	set->steps = result.steps;
	set->n_steps = result.n;
	if (result.n == 0) {
		set->ranges = result.total.named.items;
		set->n_ranges = result.total.named.n;
		set->wide = result.total.wide.items;
		set->n_wide = result.total.wide.n;
	}
	work->state = WORK_DONE;
}

static int node_cmp(const void *a, const void *b)
{
	const struct ipset_work *x = a, *y = b;

	return strcmp(x->node->key, y->node->key);
}

void ipsets_read(struct doc_reader *r, const struct hj_node *map)
{
	struct ipset_builder b = { .r = r };

	if (map == NULL)
		return;
	b.sets = doc_array(r, map->n_children, sizeof(*b.sets));
	b.work = doc_array(r, map->n_children, sizeof(*b.work));
	if (b.sets == NULL || b.work == NULL)
		return;
	for (const struct hj_node *m = map->child; m != NULL; m = m->next) {
		if (strncmp(m->key, "ipset:", 6) == 0 && m->key[6] != '\0')
			b.work[b.n++].node = m;
		else
			(void)doc_error(r, "P0501", m->key_span,
					"\"%s\": the names of ipsets begin with ipset:", m->key);
	}
	qsort(b.work, b.n, sizeof(*b.work), node_cmp);
	for (uint32_t i = 0; i < b.n; i++)
		b.sets[i] = (struct doc_ipset){ .name = b.work[i].node->key, .span = b.work[i].node->key_span };
	for (uint32_t i = 0; i < b.n; i++)
		ipset_resolve(&b, i);
	r->ipsets = b.sets;
	r->n_ipsets = b.n;
}
