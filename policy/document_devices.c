/* SPDX-License-Identifier: GPL-3.0-or-later */
/* devices.hujson: who is who. An address, a name or a key belongs to one device: whoever holds it twice could act as
 * another, so duplicates are errors that name both places. */
#include "policy/reader.h"
#include "policy/rfc3339.h"

#include <strings.h>

#define DEVICE_NAME_MAX_BYTES 63 /* a DNS label: the name is one */
#define KEY_TEXT_BYTES	      44 /* base64 of the 32 bytes of a Curve25519 key */

static const char *const device_state_words[] = { [DEVICE_PENDING] = "pending",
						  [DEVICE_ACTIVE] = "active",
						  [DEVICE_QUARANTINED] = "quarantined",
						  [DEVICE_EXPIRED] = "expired",
						  NULL };

/* Something that only one device may have: found again by sorting. */
struct claim {
	struct ip_addr addr;
	const char *text;
	struct span span;
};

struct devices_builder {
	struct doc_reader *r;
	const char **users; /* sorted; NULL when the file lists none */
	uint32_t n_users;
	struct claim *addrs, *names, *keys;
	uint32_t n_addrs, n_names, n_keys;
};

static int claim_addr_cmp(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = ip_addr_cmp(&x->addr, &y->addr);

	return r != 0 ? r : x->span.start < y->span.start ? -1 : x->span.start > y->span.start;
}

static int claim_name_cmp(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = strcasecmp(x->text, y->text);

	return r != 0 ? r : x->span.start < y->span.start ? -1 : x->span.start > y->span.start;
}

static int claim_key_cmp(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	return r != 0 ? r : x->span.start < y->span.start ? -1 : x->span.start > y->span.start;
}

static bool same_addr(const struct claim *a, const struct claim *b)
{
	return ip_addr_cmp(&a->addr, &b->addr) == 0;
}

static bool same_name(const struct claim *a, const struct claim *b)
{
	return strcasecmp(a->text, b->text) == 0;
}

static bool same_key(const struct claim *a, const struct claim *b)
{
	return strcmp(a->text, b->text) == 0;
}

static void claims_check(struct doc_reader *r, struct claim *claims, uint32_t n, const char *what,
			 int (*cmp)(const void *, const void *),
			 bool (*same)(const struct claim *, const struct claim *))
{
	if (n > 1)
		qsort(claims, n, sizeof(*claims), cmp);
	for (uint32_t i = 1; i < n; i++) {
		struct diag *d;

		if (!same(&claims[i - 1], &claims[i]))
			continue;
		d = doc_error(r, "P1101", claims[i].span, "%s %s is given twice: it can belong to one device only",
			      what, claims[i].text);
		diag_relate(d, r->src, claims[i - 1].span, "it is also here");
	}
}

static bool device_name_check(struct doc_reader *r, struct span at, const char *name)
{
	static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(name);
	size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	if (len <= DEVICE_NAME_MAX_BYTES && good == len && strchr(alnum, name[0]) != NULL)
		return true;
	(void)doc_error(
		r, "P1102", at,
		"\"%s\" is no name of a device: up to %u letters, digits, - _ and ., the first a letter or digit", name,
		DEVICE_NAME_MAX_BYTES);
	return false;
}

/* An address that a device can have: one host's, not everybody's. Loopback is this host's own: see local_check(). */
static bool device_addr_check(const struct ip_addr *a)
{
	static const char *const refused[] = { "0.0.0.0/8", "224.0.0.0/3", "::/128", "ff00::/8" };
	struct ip_prefix p;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (ip_prefix_parse(refused[i], &p, NULL) == 0 && ip_prefix_contains(&p, a))
			return false;
	return true;
}

static void addrs_read(struct devices_builder *b, const struct hj_node *entry, struct doc_device *d)
{
	const struct hj_node *list = doc_list(b->r, entry, "addresses");
	struct ip_addr *addrs = doc_array(b->r, list != NULL ? list->n_children : 0, sizeof(*addrs));

	if (hj_get(entry, "addresses") == NULL || (list != NULL && list->n_children == 0))
		(void)doc_error(b->r, "P1103", entry->span, "this device has no address in \"addresses\"");
	for (const struct hj_node *m = addrs != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(b->r, m, "an address");
		struct ip_addr *a = &addrs[d->n_addrs];

		if (text == NULL)
			continue;
		if (ip_addr_parse(text, a) < 0 || !device_addr_check(a)) {
			(void)doc_error(b->r, "P1104", m->span, "%s is no address that a device can have%s", text,
					strchr(text, '/') != NULL ? ": write it without a prefix length" : "");
			continue;
		}
		b->addrs[b->n_addrs++] = (struct claim){ .addr = *a, .text = text, .span = m->span };
		d->n_addrs++;
	}
	d->addrs = addrs;
}

static void routes_read(struct devices_builder *b, const struct hj_node *entry, struct doc_device *d)
{
	const struct hj_node *list = doc_list(b->r, entry, "routes");
	struct ip_prefix *routes = doc_array(b->r, list != NULL ? list->n_children : 0, sizeof(*routes));

	for (const struct hj_node *m = routes != NULL && list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const char *text = doc_text(b->r, m, "a route");

		if (text == NULL)
			continue;
		if (doc_prefix(b->r, m->span, text, &routes[d->n_routes]) < 0)
			(void)doc_error(b->r, "P1105", m->span, "%s is no network: write address/length", text);
		else if (routes[d->n_routes].len == 0)
			(void)doc_error(b->r, "P1105", m->span, "%s: the whole internet is no route of a device", text);
		else
			d->n_routes++;
	}
	d->routes = routes;
}

static int word_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void user_check(struct devices_builder *b, const struct hj_node *node, const char *user)
{
	if (strchr(user, '@') == NULL)
		(void)doc_error(b->r, "P1106", node->span, "%s is no user: write it as ana@example.com", user);
	else if (b->users != NULL && bsearch(&user, b->users, b->n_users, sizeof(*b->users), word_cmp) == NULL)
		(void)doc_warn(b->r, "P1107", node->span, "user %s is not in \"users\"%s", user,
			       /* Thousands of such warnings are one mistake: no hints beyond what is kept. */
			       b->r->diags->n < DIAG_MAX ? doc_hint(b->r, user, b->users) : "");
}

static void owner_read(struct devices_builder *b, const struct hj_node *entry, struct doc_device *d)
{
	const struct hj_node *user = hj_get(entry, "user"), *tags = doc_list(b->r, entry, "tags");
	bool tagged = tags != NULL && tags->n_children != 0;
	struct diag *g;

	d->user = doc_string(b->r, entry, "user", NULL);
	d->tags = doc_texts(b->r, tags, "a tag");
	if (user != NULL && tagged) {
		g = doc_error(b->r, "P1108", tags->key_span, "a device has a user or tags, not both");
		diag_relate(g, b->r->src, user->key_span, "the user is here");
	} else if (user == NULL && !tagged) {
		(void)doc_error(b->r, "P1108", entry->span, "this device has neither \"user\" nor \"tags\"");
	}
	if (user != NULL && d->user != NULL)
		user_check(b, user, d->user);
	for (const struct hj_node *m = tagged ? tags->child : NULL; m != NULL; m = m->next)
		if (m->kind == HJ_STRING && strncmp(m->string + strspn(m->string, " \t"), "tag:", 4) != 0)
			(void)doc_error(b->r, "P1109", m->span, "\"%s\" is no tag: tags begin with tag:", m->string);
}

static bool key_valid(const char *key)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (strlen(key) != KEY_TEXT_BYTES || key[KEY_TEXT_BYTES - 1] != '=' ||
	    strspn(key, digits) != KEY_TEXT_BYTES - 1)
		return false;
	/* 256 bits leave two of the last digit unused: set ones would be a second spelling of one key. */
	return ((strchr(digits, key[KEY_TEXT_BYTES - 2]) - digits) & 3) == 0;
}

static void key_read(struct devices_builder *b, const struct hj_node *entry, struct doc_device *d)
{
	const struct hj_node *node = hj_get(entry, "key");

	d->key = doc_string(b->r, entry, "key", NULL);
	if (d->key == NULL)
		return;
	if (!key_valid(d->key))
		(void)doc_error(b->r, "P1110", node->span,
				"this is no public key: 44 characters of base64, as `wg pubkey` prints");
	else
		b->keys[b->n_keys++] = (struct claim){ .text = d->key, .span = node->span };
}

static void state_read(struct devices_builder *b, const struct hj_node *entry, struct doc_device *d)
{
	const char *state = doc_string(b->r, entry, "state", "active");
	const char *expires = doc_string(b->r, entry, "expires", NULL);
	uint32_t i = 0;

	while (device_state_words[i] != NULL && strcmp(device_state_words[i], state) != 0)
		i++;
	if (device_state_words[i] == NULL)
		(void)doc_error(b->r, "P1111", hj_get(entry, "state")->span,
				"state \"%s\" is unknown: pending, active, quarantined or expired%s", state,
				doc_hint(b->r, state, device_state_words));
	else
		d->state = (enum device_state)i;
	if (expires != NULL && rfc3339_parse(expires, &d->expires_s) < 0)
		(void)doc_error(b->r, "P1112", hj_get(entry, "expires")->span,
				"\"%s\" is no time: write it as 2027-01-31T18:00:00Z", expires);
}

/* The gateway's own programs: they ask dnsd, and none of their packets is forwarded. A peer of the tunnel with such an
 * address would be let in under it, and one with others, too, would have leases that the kernel cannot hold. */
static void local_check(struct devices_builder *b, const struct hj_node *entry, const struct doc_device *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_addrs; i++)
		n += ip_addr_is_loopback(&d->addrs[i]);
	if (n != 0 && (n != d->n_addrs || d->key != NULL || d->n_routes != 0))
		(void)doc_error(b->r, "P1116", hj_get(entry, "addresses")->span,
				"loopback addresses are of the gateway's own programs: such a device has no other "
				"addresses, no key and no routes");
}

static void device_read(struct devices_builder *b, const struct hj_node *entry, struct doc_device *d)
{
	const struct hj_node *name = hj_get(entry, "name");

	d->span = entry->span;
	d->name = doc_string(b->r, entry, "name", NULL);
	if (name == NULL)
		(void)doc_error(b->r, "P1113", entry->span, "this device has no \"name\"");
	else if (d->name != NULL && device_name_check(b->r, name->span, d->name))
		b->names[b->n_names++] = (struct claim){ .text = d->name, .span = name->span };
	addrs_read(b, entry, d);
	owner_read(b, entry, d);
	key_read(b, entry, d);
	routes_read(b, entry, d);
	state_read(b, entry, d);
	local_check(b, entry, d);
}

static bool builder_init(struct devices_builder *b, const struct hj_node *root, const struct hj_node *list,
			 struct doc_devices *d)
{
	const struct hj_node *users = doc_list(b->r, root, "users");
	uint32_t n = list != NULL ? list->n_children : 0;
	size_t n_addrs = 0;

	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next) {
		const struct hj_node *addrs = hj_get(m, "addresses");

		n_addrs += addrs != NULL ? addrs->n_children : 0;
	}
	b->addrs = doc_array(b->r, n_addrs, sizeof(*b->addrs));
	b->names = doc_array(b->r, n, sizeof(*b->names));
	b->keys = doc_array(b->r, n, sizeof(*b->keys));
	d->users = doc_texts(b->r, users, "a user");
	if (b->addrs == NULL || b->names == NULL || b->keys == NULL || d->users == NULL)
		return false;
	while (d->users[b->n_users] != NULL)
		b->n_users++;
	if (users == NULL)
		return true;
	b->users = doc_array(b->r, b->n_users, sizeof(*b->users));
	if (b->users == NULL)
		return false;
	memcpy(b->users, d->users, b->n_users * sizeof(*b->users));
	qsort(b->users, b->n_users, sizeof(*b->users), word_cmp);
	return true;
}

struct doc_devices *document_devices(struct arena *mem, const struct source *src, struct diag_list *diags)
{
	static const char *const members[] = { "users", "devices", NULL };
	static const char *const device_members[] = { "name",	"addresses", "user",  "tags", "key",
						      "routes", "expires",   "state", NULL };
	struct doc_reader r;
	struct devices_builder b = { .r = &r };
	const struct hj_node *root, *list;
	struct doc_devices *d;
	struct doc_device *devices;

	doc_reader_init(&r, mem, src, diags);
	root = hujson_parse(mem, src, diags);
	d = doc_array(&r, 1, sizeof(*d));
	if (root == NULL || d == NULL || !doc_members(&r, root, "a device list", members))
		return NULL;
	d->src = src;
	list = doc_list(&r, root, "devices");
	devices = doc_array(&r, list != NULL ? list->n_children : 0, sizeof(*devices));
	if (devices == NULL || !builder_init(&b, root, list, d))
		return NULL;
	for (const struct hj_node *m = list != NULL ? list->child : NULL; m != NULL; m = m->next)
		if (doc_members(&r, m, "a device", device_members))
			device_read(&b, m, &devices[d->n_devices++]);
	d->devices = devices;
	claims_check(&r, b.addrs, b.n_addrs, "address", claim_addr_cmp, same_addr);
	claims_check(&r, b.names, b.n_names, "name", claim_name_cmp, same_name);
	claims_check(&r, b.keys, b.n_keys, "key", claim_key_cmp, same_key);
	return doc_reader_failed(&r) ? NULL : d;
}
