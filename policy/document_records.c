/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dns.records: names that the gateway answers itself. Called by document_dns.c.
 *
 * A value is addresses, another name (an alias), or an object with "addresses", "ttl" and members called as types are.
 * The data of types other than addresses and TXT is presentation text (RFC 1035 5.1) that ldns turns into wire form. An
 * alias must lead to a name that is answered here, too: what an upstream says of its target would have to be asked,
 * filtered and learned under two names. */
#include "base/rdata.h"
#include "policy/sections.h"
#include "policy/selector.h"

#define TXT_STRING_MAX 255 /* RFC 1035 3.3: the length is one byte */

struct record_type_name {
	const char *name;
	uint16_t type;
};

static const struct record_type_name types[] = {
	{ "CNAME", RECORD_CNAME }, { "PTR", RECORD_PTR },   { "MX", RECORD_MX },
	{ "TXT", RECORD_TXT },	   { "SRV", RECORD_SRV },   { "NAPTR", RECORD_NAPTR },
	{ "SSHFP", RECORD_SSHFP }, { "TLSA", RECORD_TLSA }, { "CAA", RECORD_CAA },
};

/* All records so far, each with its place. */
struct records {
	struct doc_reader *r;
	struct plan_record *items;
	struct span *spans;
	uint32_t n;
};

static void record_add(struct records *l, const struct plan_record *record, struct span at)
{
	l->spans[l->n] = at;
	l->items[l->n++] = *record;
}

static void address_add(struct records *l, const struct plan_record *like, const struct hj_node *node)
{
	const char *text = doc_text(l->r, node, "an address");
	struct plan_record record = *like;

	if (text == NULL)
		return;
	if (ip_addr_parse(text, &record.addr) < 0) {
		(void)doc_error(l->r, "P0606", node->span, "%s is no address", text);
		return;
	}
	record.type = record.addr.family == IP_V4 ? RECORD_A : RECORD_AAAA;
	record_add(l, &record, node->span);
}

static void addresses_add(struct records *l, const struct plan_record *like, const struct hj_node *list)
{
	for (const struct hj_node *a = list->child; a != NULL; a = a->next)
		address_add(l, like, a);
}

/* The whole text, in as many strings as it needs. */
static bool txt_data(struct records *l, const char *text, struct plan_record *record)
{
	size_t len = strlen(text), strings = (len + TXT_STRING_MAX - 1) / TXT_STRING_MAX, at = 0;
	uint8_t *data = doc_array(l->r, len + strings, 1);

	if (data == NULL || len + strings > RECORD_DATA_MAX)
		return false;
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			return false;
	for (size_t done = 0; done < len;) {
		size_t part = len - done < TXT_STRING_MAX ? len - done : TXT_STRING_MAX;

		data[at++] = (uint8_t)part;
		memcpy(data + at, text + done, part);
		at += part;
		done += part;
	}
	record->data = data;
	record->data_len = (uint16_t)at;
	record->text = text;
	return true;
}

/* What ldns has read of @from: wire form and the same as text. */
static bool rdata_take(struct records *l, const ldns_rr *rr, const char *from, struct plan_record *record)
{
	uint8_t *data = doc_array(l->r, RECORD_DATA_MAX, 1);
	size_t len = data != NULL ? rdata_join(rr, from, data, RECORD_DATA_MAX) : 0;

	for (size_t i = 0; len != 0 && i < ldns_rr_rd_count(rr); i++) {
		char *text = ldns_rdf2str(ldns_rr_rdf(rr, i));
		char *joined = text == NULL ? NULL
					    : arena_printf(l->r->mem, "%s%s%s", i == 0 ? "" : record->text,
							   i == 0 ? "" : " ", text);

		free(text);
		if (joined == NULL)
			return false;
		record->text = joined;
	}
	record->data = data;
	record->data_len = (uint16_t)len;
	return len != 0;
}

/* NULL, or why not. Line ends and the like would be a second record, or none. */
static const char *rdata_read(struct records *l, const char *type, const char *text, struct plan_record *record)
{
	const char *line = arena_printf(l->r->mem, ". %u IN %s %s", (unsigned)RECORD_TTL_S, type, text);
	ldns_rr *rr = NULL;
	ldns_status status;
	bool taken;

	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			return "printable ASCII only; other bytes as \\ddd";
	if (line == NULL)
		return "no memory";
	status = ldns_rr_new_frm_str(&rr, line, RECORD_TTL_S, NULL, NULL);
	if (status != LDNS_STATUS_OK)
		return ldns_get_errorstr_by_id(status);
	taken = ldns_rr_get_type(rr) == (ldns_rr_type)record->type && rdata_take(l, rr, text, record);
	ldns_rr_free(rr);
	return taken ? NULL : "too long, or a number that is too large";
}

static void typed_add(struct records *l, const struct plan_record *like, const struct record_type_name *type,
		      const struct hj_node *node)
{
	const char *text = doc_text(l->r, node, type->name), *why = NULL;
	struct plan_record record = *like;
	struct dname target;

	if (text == NULL)
		return;
	record.type = type->type;
	/* ldns would take any text for a name. */
	if ((type->type == RECORD_CNAME || type->type == RECORD_PTR) && host_name_parse(text, &target) < 0) {
		(void)doc_error(l->r, "P0604", node->span, "\"%s\" is no domain name", text);
		return;
	}
	if (type->type != RECORD_TXT)
		why = rdata_read(l, type->name, text, &record);
	else if (!txt_data(l, text, &record))
		why = "too long, or not one line of text";
	if (why != NULL)
		(void)doc_error(l->r, "P0617", node->span, "%s \"%s\": %s", type->name, text, why);
	else
		record_add(l, &record, node->span);
}

static void member_add(struct records *l, const struct plan_record *like, const struct record_type_name *type,
		       const struct hj_node *node)
{
	if (node->kind != HJ_ARRAY) {
		typed_add(l, like, type, node);
		return;
	}
	for (const struct hj_node *a = node->child; a != NULL; a = a->next)
		typed_add(l, like, type, a);
}

static void object_add(struct records *l, struct plan_record *like, const struct hj_node *o)
{
	static const char *const members[] = { "addresses", "ttl",   "CNAME", "PTR",  "MX",  "TXT",
					       "SRV",	    "NAPTR", "SSHFP", "TLSA", "CAA", NULL };
	const struct hj_node *addresses;

	if (!doc_members(l->r, o, "a record", members))
		return;
	like->ttl_s = doc_uint(l->r, o, "ttl", 1, RECORD_TTL_MAX_S, RECORD_TTL_S);
	addresses = doc_list(l->r, o, "addresses");
	if (addresses != NULL)
		addresses_add(l, like, addresses);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct hj_node *node = hj_get(o, types[i].name);

		if (node != NULL)
			member_add(l, like, &types[i], node);
	}
}

static void entry_read(struct records *l, const struct hj_node *m)
{
	struct plan_record like = { .ttl_s = RECORD_TTL_S, .below = strncmp(m->key, "*.", 2) == 0 };
	struct ip_addr addr;

	if (host_name_parse(m->key + (like.below ? 2 : 0), &like.name) < 0)
		(void)doc_error(l->r, "P0604", m->key_span, "\"%s\" is no domain name", m->key);
	else if (m->kind == HJ_ARRAY)
		addresses_add(l, &like, m);
	else if (m->kind == HJ_OBJECT)
		object_add(l, &like, m);
	else if (m->kind == HJ_STRING && ip_addr_parse(m->string, &addr) == 0)
		address_add(l, &like, m);
	else if (m->kind == HJ_STRING)
		typed_add(l, &like, &types[0], m);
	else
		(void)doc_error(
			l->r, "P0606", m->span,
			"a record is a list of addresses, a name, or an object with \"addresses\", \"ttl\" and types");
}

/* By name and pattern; aliases last, so that the first of a name tells what the others may be. */
static int place_cmp(const struct plan_record *x, const struct plan_record *y)
{
	int c = (x->name.len > y->name.len) - (x->name.len < y->name.len);

	if (c == 0)
		c = memcmp(x->name.wire, y->name.wire, x->name.len);
	return c != 0 ? c : x->below - y->below;
}

static int record_p_cmp(const void *a, const void *b)
{
	return place_cmp(*(const struct plan_record *const *)a, *(const struct plan_record *const *)b);
}

struct index {
	const struct plan_record **items; /* sorted */
	uint32_t n;
};

/* The first record of that name or pattern, or NULL. */
static const struct plan_record *const *index_find(const struct index *x, const struct plan_record *key)
{
	uint32_t lo = 0, hi = x->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (place_cmp(x->items[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->n && place_cmp(x->items[lo], key) == 0 ? &x->items[lo] : NULL;
}

/* A record that answers for the name: its own, or that of a pattern above it. */
static const struct plan_record *covers(const struct index *x, const struct dname *name)
{
	struct plan_record key = { .name = *name };
	const struct plan_record *const *found = index_find(x, &key);

	key.below = true;
	for (uint8_t skip = 1; found == NULL && skip < name->labels; skip++) {
		const uint8_t *wire = dname_suffix(name, skip, &key.name.len);

		memcpy(key.name.wire, wire, key.name.len);
		key.name.labels = (uint8_t)(name->labels - skip);
		found = index_find(x, &key);
	}
	return found != NULL ? *found : NULL;
}

static void alias_target(const struct plan_record *alias, struct dname *ret)
{
	struct rcur c = rcur_over(alias->data, alias->data_len);

	if (dname_read(&c, alias->data, alias->data_len, ret) != 0)
		*ret = (struct dname){ .len = 1 };
}

/* Does it lead to records, or to where devices have their names, in a bounded number of steps? */
static void alias_check(struct records *l, const struct doc_policy *p, const struct index *x, uint32_t i)
{
	const struct plan_record *at = &l->items[i];
	char text[DNAME_TEXT_MAX];
	struct dname target;

	for (uint32_t step = 0; step < RECORD_ALIASES_MAX; step++) {
		alias_target(at, &target);
		at = covers(x, &target);
		if (at == NULL && p->domain.len != 0 && target.labels > p->domain.labels &&
		    dname_in(&target, &p->domain))
			return;
		if (at == NULL) {
			(void)doc_error(l->r, "P0615", l->spans[i],
					"%s is no name of dns.records: an alias leads to names that are answered here",
					dname_print(&target, text));
			return;
		}
		if (at->type != RECORD_CNAME)
			return;
	}
	(void)doc_error(l->r, "P0616", l->spans[i], "this alias leads to itself, or over more than %u others",
			RECORD_ALIASES_MAX);
}

static void aliases_check(struct records *l, const struct doc_policy *p)
{
	struct index x = { .items = doc_array(l->r, l->n, sizeof(const struct plan_record *)), .n = l->n };

	if (x.items == NULL)
		return;
	for (uint32_t i = 0; i < l->n; i++)
		x.items[i] = &l->items[i];
	if (x.n > 1)
		qsort(x.items, x.n, sizeof(const struct plan_record *), record_p_cmp);
	for (uint32_t i = 0; i < l->n; i++) {
		const struct plan_record *const *first;

		if (l->items[i].type != RECORD_CNAME)
			continue;
		first = index_find(&x, &l->items[i]);
		if (first + 1 < x.items + x.n && place_cmp(first[0], first[1]) == 0)
			(void)doc_error(l->r, "P0614", l->spans[i],
					"an alias stands alone: this name has other records, too (RFC 2181 10.1)");
		else
			alias_check(l, p, &x, i);
	}
}

/* How many records there may be. */
static size_t records_room(const struct hj_node *map)
{
	size_t n = 0;

	for (const struct hj_node *m = map != NULL ? map->child : NULL; m != NULL; m = m->next) {
		n += 1 + m->n_children;
		for (const struct hj_node *o = m->child; o != NULL; o = o->next)
			n += o->n_children;
	}
	return n;
}

void records_read(struct doc_reader *r, const struct hj_node *map, struct doc_policy *p)
{
	size_t room = records_room(map);
	struct records l = { .r = r,
			     .items = doc_array(r, room, sizeof(*l.items)),
			     .spans = doc_array(r, room, sizeof(*l.spans)) };

	if (l.items == NULL || l.spans == NULL)
		return;
	for (const struct hj_node *m = map != NULL ? map->child : NULL; m != NULL; m = m->next)
		entry_read(&l, m);
	aliases_check(&l, p);
	p->records = l.items;
	p->n_records = l.n;
}
