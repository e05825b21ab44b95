/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tree of local names. Built by view.c, asked by verdict.c for each name, by dnsd/query.c and the command line for
 * the answer.
 *
 * Nodes are the names that exist: those with records and all suffixes of them. They are found by hash, from the top
 * level on, and the first suffix that is not there ends the search: a name under a top level domain in which nothing is
 * local costs one look. The hash runs over the bytes from the end of the name, so that a search is one pass. Its keys
 * are the policy's, no client can fill it. */
#include "filter/records.h"

#include "filter/view.h"

#define LABELS_MAX 128 /* of a name, the root included */

struct name_node {
	const uint8_t *wire; /* in a record's name */
	uint8_t len;
	uint32_t first, n;	 /* records of this name */
	uint32_t below, n_below; /* records of what is below it */
};

struct record_tree {
	const struct plan_record *records; /* sorted */
	struct name_node *nodes;
	uint32_t n_nodes;
	uint32_t *slots; /* number of a node + 1; 0 = free */
	uint32_t mask;
	const struct plan_record **hosts; /* those with private addresses, sorted by address: their reverse names */
	uint32_t n_hosts;
	const struct view_client *clients;
	uint32_t n_clients;
	struct dname domain; /* .len 0: none */
};

/* A name's suffixes, the shortest first. */
struct walk {
	const struct dname *name;
	uint8_t at[LABELS_MAX]; /* where each label begins */
	uint8_t left, end;	/* labels to come; bytes not hashed yet */
	uint32_t hash;		/* over the suffix, FNV-1a */
};

static void walk_begin(struct walk *w, const struct dname *name)
{
	*w = (struct walk){ .name = name, .end = name->len, .hash = 2166136261u };
	for (uint8_t at = 0; name->wire[at] != 0; at = (uint8_t)(at + name->wire[at] + 1u))
		w->at[w->left++] = at;
}

/* The next suffix, or NULL behind the whole name. */
static const uint8_t *walk_next(struct walk *w, uint8_t *ret_len)
{
	if (w->left == 0)
		return NULL;
	w->left--;
	while (w->end > w->at[w->left])
		w->hash = (w->hash ^ w->name->wire[--w->end]) * 16777619u;
	*ret_len = (uint8_t)(w->name->len - w->end);
	return w->name->wire + w->end;
}

static struct name_node *node_find(const struct record_tree *t, const uint8_t *wire, uint8_t len, uint32_t hash,
				   uint32_t *ret_slot)
{
	uint32_t s = (hash ^ hash >> 15) & t->mask;

	for (; t->slots[s] != 0; s = (s + 1) & t->mask) {
		struct name_node *node = &t->nodes[t->slots[s] - 1];

		if (node->len == len && memcmp(node->wire, wire, len) == 0)
			return node;
	}
	*ret_slot = s;
	return NULL;
}

/* The node of the name, made with all above it. */
static struct name_node *node_add(struct record_tree *t, const struct dname *name)
{
	struct name_node *node = NULL;
	const uint8_t *wire;
	struct walk w;
	uint8_t len;

	walk_begin(&w, name);
	while ((wire = walk_next(&w, &len)) != NULL) {
		uint32_t slot = 0;

		node = node_find(t, wire, len, w.hash, &slot);
		if (node != NULL)
			continue;
		node = &t->nodes[t->n_nodes++];
		*node = (struct name_node){ .wire = wire, .len = len };
		t->slots[slot] = t->n_nodes;
	}
	return node;
}

static int record_cmp(const void *a, const void *b)
{
	const struct plan_record *x = a, *y = b;
	int c = (x->name.len > y->name.len) - (x->name.len < y->name.len);

	if (c == 0)
		c = memcmp(x->name.wire, y->name.wire, x->name.len);
	if (c == 0)
		c = x->below - y->below;
	return c != 0 ? c : ip_addr_cmp(&x->addr, &y->addr);
}

static int host_cmp(const void *a, const void *b)
{
	const struct plan_record *const *x = a, *const *y = b;

	return ip_addr_cmp(&(*x)->addr, &(*y)->addr);
}

/* Addresses of the policy that the world has no names for. Those that two names share have no reverse name. */
static bool hosts_sort(struct record_tree *t, struct arena *mem, uint32_t n)
{
	uint32_t n_all = 0;

	t->hosts = arena_array(mem, (size_t)n + 1, sizeof(const struct plan_record *));
	if (t->hosts == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!t->records[i].below && t->records[i].addr.family != IP_NONE &&
		    ip_addr_private(&t->records[i].addr))
			t->hosts[n_all++] = &t->records[i];
	if (n_all > 1)
		qsort(t->hosts, n_all, sizeof(const struct plan_record *), host_cmp);
	for (uint32_t i = 0, end; i < n_all; i = end) {
		bool one = true;

		for (end = i + 1; end < n_all && host_cmp(&t->hosts[i], &t->hosts[end]) == 0; end++)
			one = one && dname_equal(&t->hosts[i]->name, &t->hosts[end]->name);
		if (one)
			t->hosts[t->n_hosts++] = t->hosts[i];
	}
	return true;
}

struct record_tree *record_tree_new(struct arena *mem, struct plan_record *records, uint32_t n)
{
	struct record_tree *t = arena_alloc(mem, sizeof(*t));
	size_t names = 1, slots = 2;

	for (uint32_t i = 0; i < n; i++)
		names += records[i].name.labels;
	while (slots < names * 2)
		slots *= 2;
	if (t == NULL || slots > UINT32_MAX)
		return NULL;
	t->records = records;
	t->nodes = arena_array(mem, names, sizeof(*t->nodes));
	t->slots = arena_array(mem, slots, sizeof(*t->slots));
	t->mask = (uint32_t)(slots - 1);
	if (t->nodes == NULL || t->slots == NULL)
		return NULL;
	if (n > 0)
		qsort(records, n, sizeof(*records), record_cmp);
	for (uint32_t i = 0; i < n; i++) {
		struct name_node *node = node_add(t, &records[i].name);
		uint32_t *first = records[i].below ? &node->below : &node->first;
		uint32_t *count = records[i].below ? &node->n_below : &node->n;

		if ((*count)++ == 0)
			*first = i;
	}
	return hosts_sort(t, mem, n) ? t : NULL;
}

void record_tree_clients(struct record_tree *t, const struct view_client *clients, uint32_t n,
			 const struct dname *domain)
{
	t->clients = clients;
	t->n_clients = n;
	t->domain = domain != NULL ? *domain : (struct dname){ 0 };
}

/* The closest encloser, or NULL: nothing is local in that top level domain. */
static const struct name_node *encloser(const struct record_tree *t, const struct dname *name)
{
	const struct name_node *node, *found = NULL;
	const uint8_t *wire;
	struct walk w;
	uint32_t slot;
	uint8_t len;

	walk_begin(&w, name);
	while ((wire = walk_next(&w, &len)) != NULL && (node = node_find(t, wire, len, w.hash, &slot)) != NULL)
		found = node;
	return found;
}

const struct plan_record *records_find(const struct record_tree *t, const struct dname *name, uint32_t *ret_n)
{
	const struct name_node *node = encloser(t, name);
	bool exact = node != NULL && node->len == name->len;

	*ret_n = node == NULL ? 0 : exact ? node->n : node->n_below;
	return *ret_n == 0 ? NULL : &t->records[exact ? node->first : node->below];
}

bool records_exist(const struct record_tree *t, const struct dname *name)
{
	const struct name_node *node = encloser(t, name);

	return node != NULL && (node->len == name->len || node->n_below != 0);
}

/* The label at *at as a decimal octet, or as one hexadecimal digit; -1 when it is none. */
static int label_number(const struct dname *name, uint8_t *at, bool hex)
{
	const uint8_t *label = name->wire + *at + 1;
	uint8_t len = name->wire[*at];
	int v = 0;

	*at = (uint8_t)(*at + len + 1u);
	if (hex) {
		if (len != 1)
			return -1;
		if (label[0] >= '0' && label[0] <= '9')
			return label[0] - '0';
		return label[0] >= 'a' && label[0] <= 'f' ? label[0] - 'a' + 10 : -1;
	}
	if (len == 0 || len > 3 || (len > 1 && label[0] == '0'))
		return -1;
	for (uint8_t i = 0; i < len; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		v = v * 10 + (label[i] - '0');
	}
	return v <= 255 ? v : -1;
}

bool reverse_addr(const struct dname *name, struct ip_addr *ret)
{
	static const uint8_t in_addr[] = "\x07in-addr\x04"
					 "arpa";
	static const uint8_t ip6[] = "\x03ip6\x04"
				     "arpa";
	uint8_t bytes[16] = { 0 }, at = 0, len;
	bool six = name->labels == 34;

	if (!six && name->labels != 6)
		return false;
	for (uint8_t i = 0; i < name->labels - 2; i++) {
		int v = label_number(name, &at, six);

		if (v < 0)
			return false;
		if (six)
			bytes[15 - i / 2] |= (uint8_t)(i % 2 == 0 ? v : v << 4);
		else
			bytes[3 - i] = (uint8_t)v;
	}
	len = (uint8_t)(name->len - at);
	if (six ? len != sizeof(ip6) || memcmp(name->wire + at, ip6, len) != 0
		: len != sizeof(in_addr) || memcmp(name->wire + at, in_addr, len) != 0)
		return false;
	*ret = ip_addr_from_bytes(bytes, six ? 16 : 4);
	return true;
}

static const struct view_client *client_find(const struct record_tree *t, const struct ip_addr *addr)
{
	uint32_t lo = 0, hi = t->n_clients;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = ip_addr_cmp(&t->clients[mid].addr, addr);

		if (c == 0)
			return &t->clients[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool device_dname(const char *device, const struct dname *domain, struct dname *ret)
{
	struct dname n;

	/* In an address list a name may have dots; it is labels like others then. */
	if (dname_parse(device, strlen(device), &n) < 0 || n.labels == 0 || n.len - 1 + domain->len > DNAME_MAX)
		return false;
	memcpy(n.wire + n.len - 1, domain->wire, domain->len);
	n.len = (uint8_t)(n.len - 1 + domain->len);
	n.labels = (uint8_t)(n.labels + domain->labels);
	*ret = n;
	return true;
}

/* What an address is called: a device's name before a record's. */
static bool addr_name(const struct record_tree *t, const struct ip_addr *addr, struct dname *ret)
{
	bool named = t->domain.len != 0 && !ip_addr_is_loopback(addr);
	const struct view_client *client = named ? client_find(t, addr) : NULL;
	struct plan_record key = { .addr = *addr };
	const struct plan_record *key_p = &key, *const * host;

	if (client != NULL && device_dname(client->device, &t->domain, ret))
		return true;
	host = t->n_hosts == 0 ? NULL
			       : bsearch(&key_p, t->hosts, t->n_hosts, sizeof(const struct plan_record *), host_cmp);
	if (host == NULL)
		return false;
	*ret = (*host)->name;
	return true;
}

static bool reverse_name(const struct record_tree *t, const struct dname *name, struct dname *ret)
{
	static const uint8_t arpa[] = "\x04"
				      "arpa";
	struct ip_addr addr;

	return name->len > sizeof(arpa) && memcmp(name->wire + name->len - sizeof(arpa), arpa, sizeof(arpa)) == 0 &&
	       reverse_addr(name, &addr) && addr_name(t, &addr, ret);
}

bool records_local(const struct record_tree *t, const struct dname *name)
{
	struct dname made;
	uint32_t n;

	return records_find(t, name, &n) != NULL || reverse_name(t, name, &made);
}

static bool answer_reverse(const struct record_tree *t, const struct dname *name, struct local_answer *ret)
{
	struct dname made;

	if (!reverse_name(t, name, &made))
		return false;
	memcpy(ret->made_data, made.wire, made.len);
	ret->made = (struct plan_record){
		.name = *name, .type = RECORD_PTR, .ttl_s = RECORD_TTL_S, .data = ret->made_data, .data_len = made.len
	};
	ret->records = &ret->made;
	ret->n = 1;
	return true;
}

bool records_answer(const struct record_tree *t, const struct dname *name, uint16_t type, struct local_answer *ret)
{
	ret->n_aliases = 0;
	ret->records = records_find(t, name, &ret->n);
	if (ret->records == NULL)
		return answer_reverse(t, name, ret);
	while (ret->n == 1 && ret->records->type == RECORD_CNAME && type != RECORD_CNAME) {
		struct rcur c = rcur_over(ret->records->data, ret->records->data_len);
		struct dname *target = &ret->targets[ret->n_aliases];

		if (dname_read(&c, ret->records->data, ret->records->data_len, target) != 0) {
			ret->n = 0;
			break;
		}
		ret->aliases[ret->n_aliases++] = ret->records;
		ret->records = records_find(t, target, &ret->n);
		if (ret->n_aliases == RECORD_ALIASES_MAX)
			break;
	}
	return true;
}

uint32_t local_answer_ttl_s(const struct local_answer *a, uint16_t type)
{
	uint32_t ttl_s = RECORD_TTL_MAX_S;

	for (uint32_t i = 0; i < a->n_aliases; i++)
		if (a->aliases[i]->ttl_s < ttl_s)
			ttl_s = a->aliases[i]->ttl_s;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->records[i].type == type && a->records[i].ttl_s < ttl_s)
			ttl_s = a->records[i].ttl_s;
	return ttl_s;
}
