/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last step of compilation: everything that a plan keeps is copied into its arena, so that the documents may go.
 * Called by compile.c. */
#include "policy/compile_plan.h"

struct plan *plan_new(void)
{
	CLEANUP(arena_freep) struct arena *mem = arena_new(0);
	struct plan *p;

	if (mem == NULL)
		return NULL;
	p = arena_alloc(mem, sizeof(*p));
	if (p != NULL)
		p->mem = TAKE(mem);
	return p;
}

/* NULL stays NULL; @ret_failed tells the two apart. */
static const char *copy_string(struct arena *mem, const char *from, bool *ret_failed)
{
	char *to;

	if (from == NULL)
		return NULL;
	to = arena_strdup(mem, from);
	if (to == NULL)
		*ret_failed = true;
	return to;
}

static const void *copy_array(struct arena *mem, const void *from, size_t n, size_t size, bool *ret_failed)
{
	void *to = arena_array(mem, n, size);

	if (to == NULL)
		*ret_failed = true;
	else if (n != 0)
		memcpy(to, from, n * size);
	return to;
}

static const char *const *copy_tags(struct arena *mem, const char *const *from, bool *ret_failed)
{
	const char **to;
	uint32_t n = 0;

	while (from != NULL && from[n] != NULL)
		n++;
	to = arena_array(mem, (size_t)n + 1, sizeof(const char *));
	if (to == NULL) {
		*ret_failed = true;
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++)
		to[i] = copy_string(mem, from[i], ret_failed);
	return to;
}

static int fill_devices(struct plan *plan, const struct directory *dir, const struct plan_parts *parts)
{
	struct plan_device *devices = arena_array(plan->mem, dir->n_devices, sizeof(*devices));
	bool failed = false;

	if (devices == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < dir->n_devices; i++) {
		const struct doc_device *from = dir->devices[i];
		bool tagged = from->tags != NULL && from->tags[0] != NULL;

		devices[i] = (struct plan_device){
			.name = copy_string(plan->mem, from->name, &failed),
			.addrs = copy_array(plan->mem, from->addrs, from->n_addrs, sizeof(*from->addrs), &failed),
			.n_addrs = from->n_addrs,
			.routes = copy_array(plan->mem, from->routes, from->n_routes, sizeof(*from->routes), &failed),
			.n_routes = from->n_routes,
			.user = copy_string(plan->mem, tagged ? NULL : from->user, &failed),
			.tags = copy_tags(plan->mem, from->tags, &failed),
			.key = copy_string(plan->mem, from->key, &failed),
			.state = from->state,
			.view_id = parts->view_of[i],
			.user_no = parts->user_of[i],
			.flows = parts->attrs[i].flows,
			.queries = parts->attrs[i].queries,
		};
		/* Expired by the clock: from here on a state like the others. */
		if (from->state == DEVICE_ACTIVE && !dev_set_has(dir->active, i))
			devices[i].state = DEVICE_EXPIRED;
	}
	plan->devices = devices;
	plan->n_devices = dir->n_devices;
	return failed ? -ENOMEM : 0;
}

static int fill_addrs(struct plan *plan, const struct directory *dir, const struct plan_parts *parts)
{
	struct plan_addr *addrs = arena_array(plan->mem, dir->n_addrs, sizeof(*addrs));

	if (addrs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < dir->n_addrs; i++) {
		const struct dir_addr *a = &dir->addrs[i];

		addrs[i] = (struct plan_addr){ .addr = a->addr,
					       .device = a->device,
					       .class_id = parts->class_of[a->source] };
	}
	plan->addrs = addrs;
	plan->n_addrs = dir->n_addrs;
	return 0;
}

static const struct plan_upstream *copy_upstreams(struct arena *mem, const struct plan_upstream *from, uint32_t n,
						  bool *ret_failed)
{
	struct plan_upstream *to = arena_array(mem, n, sizeof(*to));

	if (to == NULL) {
		*ret_failed = true;
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++) {
		to[i] = from[i];
		to[i].tls_name = copy_string(mem, from[i].tls_name, ret_failed);
	}
	return to;
}

static int name_cmp(const struct dname *a, const struct dname *b)
{
	uint8_t len = a->len < b->len ? a->len : b->len;
	int c = memcmp(a->wire, b->wire, len);

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static int dname_cmp(const void *a, const void *b)
{
	return name_cmp(a, b);
}

static int record_cmp(const void *a, const void *b)
{
	const struct plan_record *x = a, *y = b;
	uint16_t len = x->data_len < y->data_len ? x->data_len : y->data_len;
	int c = name_cmp(&x->name, &y->name);

	if (c == 0)
		c = x->below - y->below;
	if (c == 0)
		c = x->type - y->type;
	if (c == 0)
		c = ip_addr_cmp(&x->addr, &y->addr);
	if (c == 0 && len != 0)
		c = memcmp(x->data, y->data, len);
	return c != 0 ? c : x->data_len - y->data_len;
}

/* Their split zones are sorted already. */
static void fill_routes(struct plan *plan, const struct doc_policy *p, bool *ret_failed)
{
	struct plan_route *routes = arena_array(plan->mem, p->n_routes, sizeof(*routes));

	if (routes == NULL) {
		*ret_failed = true;
		return;
	}
	for (uint32_t i = 0; i < p->n_routes; i++) {
		const struct plan_route *from = &p->routes[i];
		struct plan_split *splits = arena_array(plan->mem, from->n_splits, sizeof(*splits));

		if (splits == NULL) {
			*ret_failed = true;
			return;
		}
		for (uint32_t k = 0; k < from->n_splits; k++) {
			splits[k] = from->splits[k];
			splits[k].upstreams = copy_upstreams(plan->mem, from->splits[k].upstreams,
							     from->splits[k].n_upstreams, ret_failed);
		}
		routes[i].upstreams = copy_upstreams(plan->mem, from->upstreams, from->n_upstreams, ret_failed);
		routes[i].n_upstreams = from->n_upstreams;
		routes[i].splits = splits;
		routes[i].n_splits = from->n_splits;
	}
	plan->routes = routes;
	plan->n_routes = p->n_routes;
}

/* Members of an object have no order: the plan's is by name. */
static void fill_records(struct plan *plan, const struct doc_policy *p, bool *ret_failed)
{
	struct plan_record *records = arena_array(plan->mem, p->n_records, sizeof(*records));

	if (records == NULL) {
		*ret_failed = true;
		return;
	}
	for (uint32_t i = 0; i < p->n_records; i++) {
		const struct plan_record *from = &p->records[i];

		records[i] = *from;
		records[i].data = copy_array(plan->mem, from->data, from->data_len, 1, ret_failed);
		records[i].text = copy_string(plan->mem, from->text, ret_failed);
	}
	if (p->n_records > 1 && !*ret_failed)
		qsort(records, p->n_records, sizeof(*records), record_cmp);
	plan->records = records;
	plan->n_records = p->n_records;
}

static int fill_dns(struct plan *plan, const struct doc_policy *p)
{
	struct plan_list *lists = arena_array(plan->mem, p->n_lists, sizeof(*lists));
	struct dname *allow = arena_array(plan->mem, p->n_rebind_allow, sizeof(*allow));
	bool failed = false;

	if (lists == NULL || allow == NULL)
		return -ENOMEM;
	/* Lists keep their order, their numbers are used. */
	for (uint32_t i = 0; i < p->n_lists; i++) {
		lists[i].name = copy_string(plan->mem, p->lists[i].name, &failed);
		lists[i].file = copy_string(plan->mem, p->lists[i].file, &failed);
		lists[i].url = copy_string(plan->mem, p->lists[i].url, &failed);
		lists[i].sha256 = copy_string(plan->mem, p->lists[i].sha256, &failed);
		lists[i].refresh_s = p->lists[i].refresh_s;
		lists[i].trusted = p->lists[i].trusted;
		lists[i].builtin = p->lists[i].builtin;
	}
	plan->lists = lists;
	plan->n_lists = p->n_lists;
	fill_routes(plan, p, &failed);
	fill_records(plan, p, &failed);
	if (p->n_rebind_allow != 0)
		memcpy(allow, p->rebind_allow, p->n_rebind_allow * sizeof(*allow));
	if (p->n_rebind_allow > 1)
		qsort(allow, p->n_rebind_allow, sizeof(*allow), dname_cmp);
	plan->rebind_allow = allow;
	plan->n_rebind_allow = p->n_rebind_allow;
	plan->domain = p->domain;
	plan->canaries = p->canaries;
	return failed ? -ENOMEM : 0;
}

struct mark_entry {
	uint32_t mark, rule;
};

static int mark_cmp(const void *a, const void *b)
{
	const struct mark_entry *x = a, *y = b;

	return (x->mark > y->mark) - (x->mark < y->mark);
}

static int fill_marks(struct plan *plan)
{
	CLEANUP(freep) struct mark_entry *sorted = calloc((size_t)plan->n_rules + 1, sizeof(*sorted));
	uint32_t *by_mark = arena_array(plan->mem, plan->n_rules, sizeof(*by_mark));

	if (sorted == NULL || by_mark == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < plan->n_rules; i++)
		sorted[i] = (struct mark_entry){ .mark = plan->rules[i].mark, .rule = i };
	qsort(sorted, plan->n_rules, sizeof(*sorted), mark_cmp);
	for (uint32_t i = 0; i < plan->n_rules; i++)
		by_mark[i] = sorted[i].rule;
	plan->by_mark = by_mark;
	return 0;
}

int plan_fill(struct plan *plan, const struct doc_policy *p, const struct directory *dir,
	      const struct plan_parts *parts)
{
	if (fill_devices(plan, dir, parts) < 0 || fill_addrs(plan, dir, parts) < 0 || fill_dns(plan, p) < 0)
		return -ENOMEM;
	return fill_marks(plan);
}
