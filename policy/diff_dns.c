/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What changes in names, filters, logs and the gateway's DNS. Called by plan_diff.c. */
#include "policy/diff_sink.h"

#include "policy/segments.h"

#include <inttypes.h>

static const char *const level_words[] = { "off", "blocked", "counts", "pseudonymous", "full" };
static_assert(ARRAY_LEN(level_words) == LOG_LEVEL_MAX, "words");

static const char *const block_words[] = { "null", "nxdomain", "nodata", "refused", "custom", "drop" };
static_assert(ARRAY_LEN(block_words) == BLOCK_MODE_MAX, "words");

static const char *const reason_words[] = { "", ", censored", ", filtered" };
static_assert(ARRAY_LEN(reason_words) == BLOCK_REASON_MAX, "words");

/* A name of a rule. */
struct named {
	const struct name_pattern *name;
	uint32_t rule;
};

struct nameds {
	struct named *items;
	uint32_t n;
};

static void nameds_done(struct nameds *l)
{
	free(l->items);
}

static int pattern_cmp(const struct name_pattern *x, const struct name_pattern *y)
{
	uint8_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
	int c = memcmp(x->name.wire, y->name.wire, len);

	if (c == 0)
		c = (x->name.len > y->name.len) - (x->name.len < y->name.len);
	return c != 0 ? c : x->below - y->below;
}

static int named_cmp(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int c = pattern_cmp(x->name, y->name);

	return c != 0 ? c : (x->rule > y->rule) - (x->rule < y->rule);
}

/* All names of @rules, sorted. */
static void nameds_collect(struct diff_sink *s, const struct plan *p, const uint32_t *rules, uint32_t n,
			   struct nameds *ret)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += p->rules[rules[i]].n_names;
	ret->items = calloc((size_t)total + 1, sizeof(*ret->items));
	if (ret->items == NULL) {
		s->failed = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < p->rules[rules[i]].n_names; k++)
			ret->items[ret->n++] = (struct named){ &p->rules[rules[i]].names[k], rules[i] };
	}
	qsort(ret->items, ret->n, sizeof(*ret->items), named_cmp);
}

static const char *pattern_text(struct diff_sink *s, const struct name_pattern *p)
{
	char buf[DNAME_TEXT_MAX];
	const char *text = arena_printf(s->mem, "dns:%s%s", p->below ? "*." : "", dname_print(&p->name, buf));

	if (text == NULL)
		s->failed = true;
	return text;
}

/* How many of @l from @at on are of @name. */
static uint32_t run_of(const struct nameds *l, uint32_t at, const struct name_pattern *name)
{
	uint32_t end = at;

	while (end < l->n && pattern_cmp(l->items[end].name, name) == 0)
		end++;
	return end - at;
}

/* The services that @items open for their name, the first rule first. */
static struct diff_boxes boxes_of_name(struct diff_sink *s, const struct plan *p, const struct named *items, uint32_t n)
{
	CLEANUP(segments_done) struct segments segments = { 0 };
	struct plan_box *boxes;

	for (uint32_t i = 0; i < n && !s->failed; i++) {
		const struct plan_rule *r = &p->rules[items[i].rule];

		if (segments_overlay(&segments, r->services, r->n_services, items[i].rule, LAYER_NAMED) < 0)
			s->failed = true;
	}
	boxes = arena_array(s->mem, segments.n, sizeof(*boxes));
	if (boxes == NULL) {
		s->failed = true;
		return (struct diff_boxes){ 0 };
	}
	for (uint32_t i = 0; i < segments.n; i++)
		boxes[i] = (struct plan_box){ .service = segments.items[i].service, .rule = segments.items[i].rule };
	return (struct diff_boxes){ boxes, segments.n };
}

typedef void (*name_pair_fn)(struct diff_sink *s, const struct name_pattern *name, const struct named *from,
			     uint32_t n_from, const struct named *to, uint32_t n_to);

/* Each name of either list with its rules on both sides. */
static void merge_names(struct diff_sink *s, const struct nameds *a, const struct nameds *b, name_pair_fn fn)
{
	uint32_t i = 0, k = 0;

	while (!s->failed && (i < a->n || k < b->n)) {
		bool first = k == b->n || (i < a->n && pattern_cmp(a->items[i].name, b->items[k].name) <= 0);
		const struct name_pattern *name = first ? a->items[i].name : b->items[k].name;
		uint32_t n_a = run_of(a, i, name), n_b = run_of(b, k, name);

		fn(s, name, a->items + i, n_a, b->items + k, n_b);
		i += n_a;
		k += n_b;
	}
}

static void opened(struct diff_sink *s, const struct name_pattern *name, const struct named *from, uint32_t n_from,
		   const struct named *to, uint32_t n_to)
{
	struct diff_boxes a = boxes_of_name(s, s->from, from, n_from), b = boxes_of_name(s, s->to, to, n_to);

	if (!s->failed)
		diff_name(s, &a, &b, pattern_text(s, name));
}

void diff_names(struct diff_sink *s, const struct plan_class *from, const struct plan_class *to)
{
	CLEANUP(nameds_done) struct nameds a = { 0 };
	CLEANUP(nameds_done) struct nameds b = { 0 };

	nameds_collect(s, s->from, from != NULL ? from->name_rules : NULL, from != NULL ? from->n_name_rules : 0, &a);
	nameds_collect(s, s->to, to != NULL ? to->name_rules : NULL, to != NULL ? to->n_name_rules : 0, &b);
	if (!s->failed)
		merge_names(s, &a, &b, opened);
}

static void refused(struct diff_sink *s, const struct name_pattern *name, const struct named *from, uint32_t n_from,
		    const struct named *to, uint32_t n_to)
{
	struct plan_change change = { .name = pattern_text(s, name) };

	if ((n_from == 0) == (n_to == 0))
		return;
	change.kind = n_to != 0 ? CHANGE_NAME_DENIED : CHANGE_NAME_FREED;
	change.rule = n_to != 0 ? s->to->rules[to[0].rule].pos : s->from->rules[from[0].rule].pos;
	diff_add(s, change);
}

static void diff_denied(struct diff_sink *s, const struct plan_view *from, const struct plan_view *to)
{
	CLEANUP(nameds_done) struct nameds a = { 0 };
	CLEANUP(nameds_done) struct nameds b = { 0 };

	nameds_collect(s, s->from, from != NULL ? from->denies : NULL, from != NULL ? from->n_denies : 0, &a);
	nameds_collect(s, s->to, to != NULL ? to->denies : NULL, to != NULL ? to->n_denies : 0, &b);
	if (!s->failed)
		merge_names(s, &a, &b, refused);
}

static bool list_has(const char *const *list, uint32_t n, const char *text)
{
	for (uint32_t i = 0; i < n; i++) {
		if (strcmp(list[i], text) == 0)
			return true;
	}
	return false;
}

static uint32_t list_len(const char *const *list)
{
	uint32_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

/* Lists without an order: what came, what went. */
static void diff_strings(struct diff_sink *s, const char *what, const char *const *a, uint32_t n_a,
			 const char *const *b, uint32_t n_b)
{
	for (uint32_t i = 0; i < n_a; i++) {
		if (!list_has(b, n_b, a[i]))
			diff_setting(s, what, a[i], NULL);
	}
	for (uint32_t i = 0; i < n_b; i++) {
		if (!list_has(a, n_a, b[i]))
			diff_setting(s, what, NULL, b[i]);
	}
}

/* Names of lists, in the sink's arena. */
static const char **list_names(struct diff_sink *s, const struct plan *p, const uint32_t *lists, uint32_t n)
{
	const char **names = arena_array(s->mem, (size_t)n + 1, sizeof(const char *));

	if (names == NULL)
		s->failed = true;
	for (uint32_t i = 0; names != NULL && i < n; i++)
		names[i] = p->lists[lists[i]].name;
	return names;
}

static void diff_view_lists(struct diff_sink *s, const struct plan_view *from, const struct plan_view *to)
{
	const char **a = list_names(s, s->from, from != NULL ? from->lists : NULL, from != NULL ? from->n_lists : 0);
	const char **b = list_names(s, s->to, to != NULL ? to->lists : NULL, to != NULL ? to->n_lists : 0);
	const char **safe_a = list_names(s, s->from, from != NULL ? from->safe : NULL, from != NULL ? from->n_safe : 0);
	const char **safe_b = list_names(s, s->to, to != NULL ? to->safe : NULL, to != NULL ? to->n_safe : 0);

	if (s->failed)
		return;
	diff_strings(s, "DNS list", a, list_len(a), b, list_len(b));
	diff_strings(s, "safe search", safe_a, list_len(safe_a), safe_b, list_len(safe_b));
}

/* "null", "custom 192.0.2.1 for 60 s, filtered": what is as usual is not said. */
static const char *block_text(struct diff_sink *s, const struct plan_view *v)
{
	char addrs[BLOCK_ADDR_MAX][IP_TEXT_MAX + 1] = { "", "" }, ttl[24] = "";
	const char *text;

	for (uint32_t i = 0; i < BLOCK_ADDR_MAX; i++) {
		if (v->block_addrs[i].family == IP_NONE)
			continue;
		addrs[i][0] = ' ';
		(void)ip_addr_print(&v->block_addrs[i], addrs[i] + 1);
	}
	if (v->block_ttl_s != BLOCK_TTL_S)
		(void)snprintf(ttl, sizeof(ttl), " for %" PRIu32 " s", v->block_ttl_s);
	text = arena_printf(s->mem, "%s%s%s%s%s", block_words[v->block_mode], addrs[BLOCK_ADDR_V4],
			    addrs[BLOCK_ADDR_V6], ttl, reason_words[v->block_reason]);
	if (text == NULL)
		s->failed = true;
	return text;
}

void diff_views(struct diff_sink *s, const struct plan_view *from, const struct plan_view *to)
{
	const char *const *none = NULL;

	diff_denied(s, from, to);
	diff_view_lists(s, from, to);
	if (s->failed)
		return;
	diff_strings(s, "DNS block rule", from != NULL ? from->block : none,
		     list_len(from != NULL ? from->block : none), to != NULL ? to->block : none,
		     list_len(to != NULL ? to->block : none));
	diff_strings(s, "DNS exception", from != NULL ? from->allow : none, list_len(from != NULL ? from->allow : none),
		     to != NULL ? to->allow : none, list_len(to != NULL ? to->allow : none));
	if (from == NULL || to == NULL)
		return;
	diff_setting(s, "answer to blocked names", block_text(s, from), block_text(s, to));
	diff_setting(s, "resolve-first", from->resolve_first ? "on" : "off", to->resolve_first ? "on" : "off");
}

static const char *upstream_text(struct diff_sink *s, const struct plan_upstream *u)
{
	char addr[IP_TEXT_MAX];
	const char *text;

	if (u->kind == UPSTREAM_RECURSIVE)
		return "recursive";
	text = arena_printf(s->mem, "%s %s port %u%s%s", u->kind == UPSTREAM_TLS ? "tls" : "udp",
			    ip_addr_print(&u->addr, addr), u->port, u->tls_name != NULL ? " as " : "",
			    u->tls_name != NULL ? u->tls_name : "");
	if (text == NULL)
		s->failed = true;
	return text;
}

/* All upstreams in their order, which counts. NULL when there is none. */
static const char *upstreams_text(struct diff_sink *s, const struct plan_upstream *u, uint32_t n)
{
	const char *text = NULL;

	for (uint32_t i = 0; i < n && !s->failed; i++) {
		const char *one = upstream_text(s, &u[i]);

		text = i == 0 ? one : arena_printf(s->mem, "%s, %s", text, one);
		if (text == NULL)
			s->failed = true;
	}
	return text;
}

/* One line of text for each record or list: what is equal as text is equal. */
typedef const char *(*line_fn)(struct diff_sink *s, const struct plan *p, uint32_t i);

static const char *split_line(struct diff_sink *s, const struct plan_split *split)
{
	const char *to = upstreams_text(s, split->upstreams, split->n_upstreams);
	char name[DNAME_TEXT_MAX];

	return arena_printf(s->mem, "%s to %s", dname_print(&split->suffix, name), to != NULL ? to : "nobody");
}

static const char *record_line(struct diff_sink *s, const struct plan *p, uint32_t i)
{
	const struct plan_record *r = &p->records[i];
	char name[DNAME_TEXT_MAX], ttl[24] = "", data[RECORD_TEXT_MAX];

	if (r->ttl_s != RECORD_TTL_S)
		(void)snprintf(ttl, sizeof(ttl), " for %" PRIu32 " s", r->ttl_s);
	(void)plan_record_print(r, data);
	/* Addresses are known by themselves. */
	return arena_printf(s->mem, "%s%s %s%s", r->below ? "*." : "", dname_print(&r->name, name),
			    r->addr.family != IP_NONE ? strchr(data, ' ') + 1 : data, ttl);
}

static const char *rebind_line(struct diff_sink *s, const struct plan *p, uint32_t i)
{
	char name[DNAME_TEXT_MAX];

	return arena_strdup(s->mem, dname_print(&p->rebind_allow[i], name));
}

static const char *domain_text(struct diff_sink *s, const struct plan *p)
{
	char name[DNAME_TEXT_MAX];
	const char *text = p->domain.len != 0 ? arena_strdup(s->mem, dname_print(&p->domain, name)) : NULL;

	if (p->domain.len != 0 && text == NULL)
		s->failed = true;
	return text;
}

static const char *list_line(struct diff_sink *s, const struct plan *p, uint32_t i)
{
	const struct plan_list *l = &p->lists[i];
	char refresh[48] = "";

	if (l->url != NULL && l->refresh_s == 0)
		(void)snprintf(refresh, sizeof(refresh), ", never asked again");
	else if (l->url != NULL && l->refresh_s != LIST_REFRESH_S)
		(void)snprintf(refresh, sizeof(refresh), ", asked every %" PRIu32 " s", l->refresh_s);
	return arena_printf(s->mem, "%s%s%s%s%s%s%s%s%s", l->name, l->file != NULL ? " from " : "",
			    l->file != NULL ? l->file : "", l->url != NULL ? " at " : "", l->url != NULL ? l->url : "",
			    l->trusted == (l->url == NULL) ? ""
			    : l->trusted		   ? ", trusted"
							   : ", not trusted",
			    refresh, l->sha256 != NULL ? ", sha256 " : "", l->sha256 != NULL ? l->sha256 : "");
}

static const char **lines_of(struct diff_sink *s, const struct plan *p, uint32_t n, line_fn line)
{
	const char **lines = arena_array(s->mem, (size_t)n + 1, sizeof(const char *));

	if (lines == NULL)
		s->failed = true;
	for (uint32_t i = 0; i < n && !s->failed; i++) {
		lines[i] = line(s, p, i);
		if (lines[i] == NULL)
			s->failed = true;
	}
	return lines;
}

static void diff_lines(struct diff_sink *s, const char *what, uint32_t n_from, uint32_t n_to, line_fn line)
{
	const char **a = lines_of(s, s->from, n_from, line), **b = lines_of(s, s->to, n_to, line);

	if (!s->failed)
		diff_strings(s, what, a, n_from, b, n_to);
}

static const char **split_lines(struct diff_sink *s, const struct plan_route *route)
{
	const char **lines = arena_array(s->mem, (size_t)route->n_splits + 1, sizeof(const char *));

	if (lines == NULL)
		s->failed = true;
	for (uint32_t i = 0; i < route->n_splits && !s->failed; i++) {
		lines[i] = split_line(s, &route->splits[i]);
		if (lines[i] == NULL)
			s->failed = true;
	}
	return lines;
}

static void diff_route(struct diff_sink *s, const struct plan_route *from, const struct plan_route *to)
{
	const char **a = split_lines(s, from), **b = split_lines(s, to);

	diff_setting(s, "DNS upstreams", upstreams_text(s, from->upstreams, from->n_upstreams),
		     upstreams_text(s, to->upstreams, to->n_upstreams));
	if (!s->failed)
		diff_strings(s, "DNS split", a, from->n_splits, b, to->n_splits);
}

void diff_view_routes(struct diff_sink *s, const struct plan_view *from, const struct plan_view *to)
{
	/* What changes for the gateway as a whole is said once, of all that go by its own route before and after. */
	if (from != NULL && to != NULL && (from->route != 0 || to->route != 0))
		diff_route(s, &s->from->routes[from->route], &s->to->routes[to->route]);
}

void diff_dns(struct diff_sink *s)
{
	const struct plan *a = s->from, *b = s->to;

	diff_route(s, &a->routes[0], &b->routes[0]);
	diff_setting(s, "domain of devices' names", domain_text(s, a), domain_text(s, b));
	diff_setting(s, "canary names", a->canaries ? "refused" : "resolved", b->canaries ? "refused" : "resolved");
	diff_lines(s, "private addresses allowed below", a->n_rebind_allow, b->n_rebind_allow, rebind_line);
	diff_lines(s, "DNS record", a->n_records, b->n_records, record_line);
	diff_lines(s, "DNS list", a->n_lists, b->n_lists, list_line);
}

static const char **prefix_lines(struct diff_sink *s, const struct plan_device *d)
{
	const char **lines = arena_array(s->mem, (size_t)d->n_routes + 1, sizeof(const char *));
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; lines != NULL && i < d->n_routes; i++) {
		lines[i] = arena_strdup(s->mem, ip_prefix_print(&d->routes[i], text));
		if (lines[i] == NULL)
			lines = NULL;
	}
	if (lines == NULL)
		s->failed = true;
	return lines;
}

static const char **addr_lines(struct diff_sink *s, const struct plan_device *d)
{
	const char **lines = arena_array(s->mem, (size_t)d->n_addrs + 1, sizeof(const char *));
	char text[IP_TEXT_MAX];

	for (uint32_t i = 0; lines != NULL && i < d->n_addrs; i++) {
		lines[i] = arena_strdup(s->mem, ip_addr_print(&d->addrs[i], text));
		if (lines[i] == NULL)
			lines = NULL;
	}
	if (lines == NULL)
		s->failed = true;
	return lines;
}

void diff_device(struct diff_sink *s, const struct plan_device *from, const struct plan_device *to)
{
	static const char *const states[] = { "pending", "active", "quarantined", "expired" };
	const char **a = addr_lines(s, from), **b = addr_lines(s, to);
	const char **routes_a = prefix_lines(s, from), **routes_b = prefix_lines(s, to);

	static_assert(ARRAY_LEN(states) == DEVICE_STATE_MAX, "words");
	if (s->failed)
		return;
	diff_setting(s, "state", states[from->state], states[to->state]);
	diff_strings(s, "address", a, from->n_addrs, b, to->n_addrs);
	diff_strings(s, "route", routes_a, from->n_routes, routes_b, to->n_routes);
	diff_setting(s, "user", from->user, to->user);
	diff_strings(s, "tag", from->tags, list_len(from->tags), to->tags, list_len(to->tags));
	diff_setting(s, "tunnel key", from->key, to->key);
	diff_setting(s, "recording of flows", level_words[from->flows], level_words[to->flows]);
	diff_setting(s, "recording of queries", level_words[from->queries], level_words[to->queries]);
}
