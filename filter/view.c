/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON of policy/lower_dns.h to the snapshot by which DNS is answered. Called by dnsd when VIEWS arrives, by
 * gatewayd before it applies a policy, by the command line; feeds verdict.c.
 *
 * The sender is our own compiler, yet every member is checked: a wrong index here would read outside an array in every
 * worker. Any fault refuses the whole snapshot, with the path of the member, and the old one stays. That includes a
 * filter rule that the list engine does not apply: a rule written by hand is applied or the policy is refused.
 * Members that we do not know are ignored. */
#include "filter/view.h"

#include "filter/listbuild.h"
#include "filter/view_json.h"

static_assert(PLAN_LISTS_MAX == LISTS_MAX, "the policy says so before we do");

#define OWN_BLOCK 0u /* list numbers in view.own */
#define OWN_ALLOW 1u

static int read_rule(struct view_reader *r, const cJSON *o, const char *where, struct view_rule *ret)
{
	struct view_items a = { 0 };
	struct name_pattern *names;
	const cJSON *j;
	uint32_t i = 0;
	int err = view_u32(r, o, where, "mark", UINT32_MAX, &ret->mark);

	if (err == 0)
		err = view_string(r, o, where, "pos", false, &ret->pos);
	if (err == 0)
		err = view_u32(r, o, where, "line", UINT32_MAX, &ret->line);
	if (err == 0)
		err = view_array(r, o, where, "names", sizeof(*names), &a);
	if (err < 0)
		return err;
	names = a.room;
	cJSON_ArrayForEach(j, a.json)
	{
		const char *text = cJSON_IsString(j) ? j->valuestring : "";

		names[i].below = strncmp(text, "*.", 2) == 0;
		err = view_name_parse(r, text + (names[i].below ? 2 : 0), &names[i].name);
		if (err < 0)
			return err;
		i++;
	}
	ret->names = names;
	ret->n_names = a.n;
	return view_addrs_read(r, o, where, ret);
}

/* Of a rule that somebody has written into the policy: what it says, and where to find it. */
static int own_bad(const struct view_reader *r, const char *pos, uint32_t list, const char *rule, const char *why)
{
	return err_set(r->e, -EBADMSG, "policy.hujson %s/%s: rule \"%.60s\": %s", pos != NULL ? pos : "filter",
		       list == OWN_BLOCK ? "block" : "allow", rule, why);
}

static int add_own(struct view_reader *r, struct list_builder *b, uint32_t list, const char *pos,
		   const char *const *rules, uint32_t n, struct list_line *line)
{
	struct list_parser parser = { .trusted = true }; /* the operator's own */

	for (uint32_t i = 0; i < n; i++) {
		list_parse_line(&parser, rules[i], strlen(rules[i]), line);
		if (line->outcome != LIST_APPLIED)
			return own_bad(r, pos, list, rules[i], line->why);
		for (uint32_t k = 0; k < line->n_rules; k++) {
			struct err why = { 0 };
			int err = list_builder_rule(b, list, i + 1, &line->rules[k], &why);

			if (err == -ENOMEM)
				return view_no_memory(r);
			if (err < 0)
				return own_bad(r, pos, list, rules[i], why.msg);
		}
	}
	return 0;
}

/* Compile the filter's own rules to a list file in the arena. */
static int build_own(struct view_reader *r, struct view *view, uint32_t n_block, uint32_t n_allow)
{
	CLEANUP(list_builder_freep) struct list_builder *b = list_builder_new();
	CLEANUP(freep) struct list_line *line = malloc(sizeof(*line));
	CLEANUP(freep) void *image = NULL;
	size_t len = 0;
	void *copy;
	int err;

	if (b == NULL || line == NULL)
		return view_no_memory(r);
	err = add_own(r, b, OWN_BLOCK, view->filter_pos, view->own_block, n_block, line);
	if (err == 0)
		err = add_own(r, b, OWN_ALLOW, view->filter_pos, view->own_allow, n_allow, line);
	if (err == 0)
		err = list_builder_image(b, &image, &len, r->e);
	if (err < 0)
		return err;
	copy = image != NULL ? arena_alloc(r->v->mem, len) : NULL;
	if (copy == NULL)
		return view_no_memory(r);
	memcpy(copy, image, len);
	return listfile_open(copy, len, &view->own, r->e);
}

/* A mask of list numbers. */
static int read_mask(struct view_reader *r, const cJSON *o, const char *where, const char *name, uint64_t *ret)
{
	const uint32_t *lists;
	uint32_t n;
	int err = view_indices(r, o, where, name, r->v->n_lists, &lists, &n);

	for (uint32_t i = 0; err == 0 && i < n; i++)
		*ret |= 1ull << lists[i];
	return err;
}

static int read_view_lists(struct view_reader *r, const cJSON *o, const char *where, struct view *ret)
{
	uint32_t n_block = 0, n_allow = 0;
	int err = read_mask(r, o, where, "lists", &ret->lists);

	if (err == 0 && view_member(r, o, where, "safe") != NULL)
		err = read_mask(r, o, where, "safe", &ret->safe_lists);
	if (err == 0)
		err = view_strings(r, o, where, "block", &ret->own_block, &n_block);
	if (err == 0)
		err = view_strings(r, o, where, "allow", &ret->own_allow, &n_allow);
	if (err < 0)
		return err;
	return n_block + n_allow > 0 ? build_own(r, ret, n_block, n_allow) : 0;
}

static int read_block_addrs(struct view_reader *r, const cJSON *o, const char *where, struct view *ret)
{
	const char *const *texts;
	uint32_t n;
	int err = view_strings(r, o, where, "blockAddrs", &texts, &n);

	for (uint32_t i = 0; err == 0 && i < n; i++) {
		struct ip_addr addr, *to;

		if (ip_addr_parse(texts[i], &addr) < 0)
			return view_bad(r, "no address");
		to = &ret->block_addrs[addr.family == IP_V4 ? BLOCK_ADDR_V4 : BLOCK_ADDR_V6];
		if (to->family != IP_NONE)
			return view_bad(r, "two addresses of one family");
		*to = addr;
	}
	return err;
}

/* How blocked names are answered. What is left out is as where the policy says nothing. */
static int read_blocking(struct view_reader *r, const cJSON *o, const char *where, struct view *ret)
{
	static const char *const modes[] = { "null", "nxdomain", "nodata", "refused", "custom", "drop" };
	static const char *const reasons[] = { "blocked", "censored", "filtered" };
	/* RFC 8914 4.16 to 4.18. */
	static const uint16_t codes[] = { 15, 16, 17 };
	uint32_t mode = 0, reason = 0;
	int err = view_choice(r, o, where, "blockMode", modes, ARRAY_LEN(modes), &mode);

	static_assert(ARRAY_LEN(modes) == BLOCK_MODE_MAX && ARRAY_LEN(reasons) == BLOCK_REASON_MAX &&
			      ARRAY_LEN(codes) == BLOCK_REASON_MAX,
		      "words");
	ret->block_ttl_s = BLOCK_TTL_S;
	if (err == 0 && view_member(r, o, where, "blockAddrs") != NULL)
		err = read_block_addrs(r, o, where, ret);
	if (err == 0 && view_member(r, o, where, "blockTtl") != NULL)
		err = view_u32(r, o, where, "blockTtl", BLOCK_TTL_MAX_S, &ret->block_ttl_s);
	if (err == 0 && view_member(r, o, where, "blockReason") != NULL)
		err = view_choice(r, o, where, "blockReason", reasons, ARRAY_LEN(reasons), &reason);
	ret->block_mode = (enum block_mode)mode;
	ret->block_ede = codes[reason];
	return err;
}

static int read_view(struct view_reader *r, const cJSON *o, const char *where, struct view *ret)
{
	static const char *const levels[LOG_LEVEL_MAX] = { "off", "blocked", "counts", "pseudonymous", "full" };
	uint32_t queries = 0;
	int err = view_string(r, o, where, "filter", true, &ret->filter_pos);

	if (err == 0)
		err = view_u32(r, o, where, "route", ROUTES_MAX - 1, &ret->route);
	if (err == 0 && ret->route >= r->v->n_routes)
		err = view_bad(r, "number that stands for nothing");
	if (err == 0)
		err = read_view_lists(r, o, where, ret);
	if (err == 0)
		err = read_blocking(r, o, where, ret);
	if (err == 0)
		err = view_bool(r, o, where, "resolveFirst", &ret->resolve_first);
	if (err == 0)
		err = view_bool(r, o, where, "flows", &ret->record_flows);
	if (err == 0)
		err = view_choice(r, o, where, "queries", levels, ARRAY_LEN(levels), &queries);
	if (err == 0)
		err = view_indices(r, o, where, "grants", r->v->n_rules, &ret->grants, &ret->n_grants);
	if (err == 0)
		err = view_indices(r, o, where, "denies", r->v->n_rules, &ret->denies, &ret->n_denies);
	if (err == 0 && view_member(r, o, where, "denyAddrs") != NULL)
		err = view_indices(r, o, where, "denyAddrs", r->v->n_rules, &ret->deny_addrs, &ret->n_deny_addrs);
	ret->queries = (enum log_level)queries;
	ret->only_lists = ret->own == NULL && !ret->resolve_first && !ret->record_flows && ret->n_grants == 0 &&
			  ret->n_denies == 0 && ret->n_deny_addrs == 0;
	return err;
}

static int read_client(struct view_reader *r, const cJSON *o, const char *where, struct view_client *ret)
{
	int err = view_addr(r, o, where, "addr", &ret->addr);

	if (err == 0)
		err = view_string(r, o, where, "device", false, &ret->device);
	if (err == 0 && view_member(r, o, where, "tags") != NULL)
		err = view_strings(r, o, where, "tags", &ret->tags, &ret->n_tags);
	if (err == 0)
		err = view_u32(r, o, where, "view", UINT32_MAX, &ret->view);
	if (err == 0 && ret->view >= r->v->n_views)
		err = view_bad(r, "number that stands for nothing");
	return err;
}

static int read_upstream(struct view_reader *r, const cJSON *o, const char *where, struct plan_upstream *ret)
{
	static const char *const kinds[] = { "recursive", "udp", "tls" };
	uint32_t kind = 0, port = 0;
	int err = view_choice(r, o, where, "kind", kinds, ARRAY_LEN(kinds), &kind);

	ret->kind = (enum upstream_kind)kind;
	if (err < 0 || ret->kind == UPSTREAM_RECURSIVE)
		return err;
	err = view_addr(r, o, where, "addr", &ret->addr);
	if (err == 0)
		err = view_u32(r, o, where, "port", UINT16_MAX, &port);
	if (err == 0)
		err = view_string(r, o, where, "tlsName", true, &ret->tls_name);
	ret->port = (uint16_t)port;
	return err;
}

/* The array "upstreams" of @o. */
static int read_upstreams(struct view_reader *r, const cJSON *o, const char *where, struct plan_upstream **ret,
			  uint32_t *ret_n)
{
	struct view_items a = { 0 };
	struct plan_upstream *room;
	const cJSON *j;
	char at[VIEW_WHERE_MAX];
	uint32_t i = 0;
	int err = view_array(r, o, where, "upstreams", sizeof(*room), &a);

	if (err < 0)
		return err;
	room = a.room;
	cJSON_ArrayForEach(j, a.json)
	{
		snprintf(at, sizeof(at), "%.48s/upstreams/%u", where, i);
		err = read_upstream(r, j, at, &room[i++]);
		if (err < 0)
			return err;
	}
	*ret = room;
	*ret_n = a.n;
	return 0;
}

static int read_split(struct view_reader *r, const cJSON *o, const char *where, struct plan_split *ret)
{
	struct plan_upstream *upstreams = NULL;
	int err = view_name(r, o, where, "suffix", &ret->suffix);

	if (err == 0)
		err = read_upstreams(r, o, where, &upstreams, &ret->n_upstreams);
	ret->upstreams = upstreams;
	return err;
}

static int client_cmp(const void *a, const void *b)
{
	const struct view_client *ca = a, *cb = b;

	return ip_addr_cmp(&ca->addr, &cb->addr);
}

static int rule_element(struct view_reader *r, const cJSON *o, const char *where, void *ret)
{
	return read_rule(r, o, where, ret);
}

static int view_element(struct view_reader *r, const cJSON *o, const char *where, void *ret)
{
	return read_view(r, o, where, ret);
}

static int client_element(struct view_reader *r, const cJSON *o, const char *where, void *ret)
{
	return read_client(r, o, where, ret);
}

static int split_element(struct view_reader *r, const cJSON *o, const char *where, void *ret)
{
	return read_split(r, o, where, ret);
}

static int route_element(struct view_reader *r, const cJSON *o, const char *where, void *ret)
{
	struct route *route = ret;
	struct plan_upstream *upstreams = NULL;
	struct plan_split *splits = NULL;
	int err = read_upstreams(r, o, where, &upstreams, &route->n_upstreams);

	if (err == 0)
		err = view_elements(r, o, where, "splits", sizeof(*splits), split_element, &splits, &route->n_splits);
	route->upstreams = upstreams;
	route->splits = splits;
	return err;
}

static int sort_and_check(struct view_reader *r)
{
	struct views *v = r->v;

	if (v->n_clients > 0)
		qsort(v->clients, v->n_clients, sizeof(*v->clients), client_cmp);
	snprintf(r->path, sizeof(r->path), "/clients");
	for (uint32_t i = 1; i < v->n_clients; i++)
		if (ip_addr_cmp(&v->clients[i - 1].addr, &v->clients[i].addr) == 0)
			return view_bad(r, "two clients have the same address");
	return views_clients_index(v) == 0 ? 0 : view_no_memory(r);
}

static int read_views(struct view_reader *r, const cJSON *root)
{
	struct views *v = r->v;
	int err;

	if (!cJSON_IsObject(root))
		return err_set(r->e, -EBADMSG, "views: not a JSON object");
	err = view_uint(r, root, "", "generation", UINT64_MAX, &v->generation);
	if (err == 0)
		err = view_strings(r, root, "", "lists", &v->lists, &v->n_lists);
	if (err == 0 && v->n_lists > LISTS_MAX)
		err = view_bad(r, "more lists than a gateway has");
	if (err == 0)
		err = view_elements(r, root, "", "rules", sizeof(*v->rules), rule_element, &v->rules, &v->n_rules);
	if (err == 0)
		err = view_elements(r, root, "", "routes", sizeof(*v->routes), route_element, &v->routes, &v->n_routes);
	if (err == 0 && v->n_routes > ROUTES_MAX)
		err = view_bad(r, "more routes than a gateway has");
	if (err == 0)
		err = view_elements(r, root, "", "views", sizeof(*v->views), view_element, &v->views, &v->n_views);
	if (err == 0)
		err = view_elements(r, root, "", "clients", sizeof(*v->clients), client_element, &v->clients,
				    &v->n_clients);
	if (err == 0)
		err = sort_and_check(r);
	if (err == 0)
		err = view_overrides_read(r, root);
	return err == 0 ? view_names_read(r, root) : err;
}

static void json_deletep(cJSON **j)
{
	cJSON_Delete(*j);
}

static void views_freep(struct views **v)
{
	*v = views_free(*v);
}

int views_new_closed(const char *json, size_t json_len, const void *lists, size_t lists_len,
		     const struct view_prefixes *prefixes, uint32_t n_prefixes, struct views **ret, struct err *e)
{
	CLEANUP(json_deletep) cJSON *root = cJSON_ParseWithLength(json, json_len);
	CLEANUP(views_freep) struct views *v = NULL;
	struct arena *mem;
	struct view_reader r = { .e = e, .prefixes = prefixes, .n_prefixes = n_prefixes };
	int err;

	if (root == NULL)
		return err_set(e, -EBADMSG, "views: not JSON");
	mem = arena_new(0); /* as large as its input */
	v = mem != NULL ? arena_alloc(mem, sizeof(*v)) : NULL;
	if (v == NULL) {
		arena_free(mem);
		return err_set(e, -ENOMEM, "views");
	}
	v->mem = mem;
	r.v = v;
	err = read_views(&r, root);
	if (err == 0 && lists != NULL && lists_len > 0)
		err = listfile_open(lists, lists_len, &v->listfile, e);
	if (err < 0)
		return err;
	*ret = TAKE(v);
	return 0;
}

int views_new(const char *json, size_t json_len, const void *lists, size_t lists_len, struct views **ret, struct err *e)
{
	return views_new_closed(json, json_len, lists, lists_len, NULL, 0, ret, e);
}

struct views *views_free(struct views *v)
{
	if (v == NULL)
		return NULL;
	for (uint32_t i = 0; i < v->n_views && v->views != NULL; i++)
		listfile_free(v->views[i].own);
	listfile_free(v->listfile);
	arena_free(v->mem);
	return NULL;
}

const struct plan_split *route_split(const struct route *r, const struct dname *name)
{
	const struct plan_split *best = NULL;

	for (uint32_t i = 0; i < r->n_splits; i++)
		if (dname_in(name, &r->splits[i].suffix) &&
		    (best == NULL || r->splits[i].suffix.labels > best->suffix.labels))
			best = &r->splits[i];
	return best;
}

bool route_private_ok(const struct route *r, const struct dname *name)
{
	const struct plan_split *split = route_split(r, name);
	bool ok = split != NULL;

	for (uint32_t i = 0; ok && i < split->n_upstreams; i++)
		ok = split->upstreams[i].kind != UPSTREAM_RECURSIVE && ip_addr_private(&split->upstreams[i].addr);
	for (uint32_t i = 0; !ok && i < r->n_rebind_allow; i++)
		ok = dname_in(name, &r->rebind_allow[i]);
	return ok;
}
