/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the views say of names that are answered here, and of the guards over names. Called by view.c.
 *
 * Devices' own names are made here from the clients, and their reverse names when they are asked for (records.c), so
 * that the JSON does not grow with them. A name that the policy has records for is the policy's, whatever a device is
 * called. */
#include "filter/view_json.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int record_data(struct view_reader *r, const cJSON *o, const char *where, struct plan_record *ret)
{
	const char *text = NULL;
	uint8_t *data;
	size_t len;
	int err = view_string(r, o, where, "data", false, &text);

	if (err < 0)
		return err;
	len = strlen(text);
	if (len % 2 != 0 || len / 2 > RECORD_DATA_MAX)
		return view_bad(r, "no data of a record");
	data = arena_array(r->v->mem, len / 2 + 1, 1);
	if (data == NULL)
		return view_no_memory(r);
	for (size_t i = 0; i < len; i += 2) {
		int hi = hex_digit(text[i]), lo = hex_digit(text[i + 1]);

		if (hi < 0 || lo < 0)
			return view_bad(r, "no data of a record");
		data[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	ret->data = data;
	ret->data_len = (uint16_t)(len / 2);
	return 0;
}

/* An alias is followed here: it must be one. */
static int alias_check(struct view_reader *r, const struct plan_record *record)
{
	struct rcur c = rcur_over(record->data, record->data_len);
	struct dname target;

	if (record->type != RECORD_CNAME)
		return 0;
	return dname_read(&c, record->data, record->data_len, &target) == 0 && rcur_end(&c) == 0
		       ? 0
		       : view_bad(r, "no name");
}

static int record_element(struct view_reader *r, const cJSON *o, const char *where, void *ret)
{
	struct plan_record *record = ret;
	uint32_t type = 0;
	int err = view_name(r, o, where, "name", &record->name);

	record->ttl_s = RECORD_TTL_S;
	if (err == 0 && view_member(r, o, where, "below") != NULL)
		err = view_bool(r, o, where, "below", &record->below);
	if (err == 0 && view_member(r, o, where, "ttl") != NULL)
		err = view_u32(r, o, where, "ttl", RECORD_TTL_MAX_S, &record->ttl_s);
	if (err == 0 && view_member(r, o, where, "type") == NULL) {
		err = view_addr(r, o, where, "addr", &record->addr);
		record->type = record->addr.family == IP_V4 ? RECORD_A : RECORD_AAAA;
		return err;
	}
	if (err == 0)
		err = view_u32(r, o, where, "type", UINT16_MAX, &type);
	if (err == 0)
		err = record_data(r, o, where, record);
	if (err == 0)
		err = view_string(r, o, where, "text", true, &record->text);
	record->type = (uint16_t)type;
	return err == 0 ? alias_check(r, record) : err;
}

/* A record of the policy has the name; @records are @n of the policy's, in a tree. */
static bool is_taken(const struct record_tree *policy, const struct dname *name)
{
	uint32_t n;
	const struct plan_record *found = records_find(policy, name, &n);

	return found != NULL && !found->below;
}

/* The policy's @n records and those of devices. */
static int add_devices(struct view_reader *r, const struct record_tree *policy, const struct dname *domain,
		       struct plan_record **records, uint32_t *n)
{
	const struct views *v = r->v;
	struct plan_record *all = arena_array(v->mem, (size_t)*n + v->n_clients + 1, sizeof(*all));
	uint32_t n_all = *n;

	if (all == NULL)
		return view_no_memory(r);
	if (*n != 0)
		memcpy(all, *records, *n * sizeof(*all));
	for (uint32_t i = 0; i < v->n_clients; i++) {
		struct plan_record *record = &all[n_all];

		/* A program of the gateway itself: to any other device its address would mean that device. */
		if (ip_addr_is_loopback(&v->clients[i].addr))
			continue;
		if (!device_dname(v->clients[i].device, domain, &record->name) || is_taken(policy, &record->name))
			continue;
		record->addr = v->clients[i].addr;
		record->type = record->addr.family == IP_V4 ? RECORD_A : RECORD_AAAA;
		record->ttl_s = RECORD_TTL_S;
		n_all++;
	}
	*records = all;
	*n = n_all;
	return 0;
}

static int read_tree(struct view_reader *r, const cJSON *root)
{
	struct plan_record *records = NULL;
	bool has_domain = view_member(r, root, "", "domain") != NULL;
	struct dname domain;
	uint32_t n = 0;
	int err = view_elements(r, root, "", "records", sizeof(*records), record_element, &records, &n);

	if (err == 0 && has_domain)
		err = view_name(r, root, "", "domain", &domain);
	if (err < 0)
		return err;
	r->v->records = record_tree_new(r->v->mem, records, n);
	if (r->v->records == NULL)
		return view_no_memory(r);
	if (!has_domain)
		return 0;
	err = add_devices(r, r->v->records, &domain, &records, &n);
	if (err < 0)
		return err;
	r->v->records = record_tree_new(r->v->mem, records, n);
	if (r->v->records == NULL)
		return view_no_memory(r);
	record_tree_clients(r->v->records, r->v->clients, r->v->n_clients, &domain);
	return 0;
}

static int read_rebind(struct view_reader *r, const cJSON *root)
{
	struct view_items a = { 0 };
	struct dname *names;
	const cJSON *j;
	uint32_t n = 0;
	int err;

	if (view_member(r, root, "", "rebindAllow") == NULL)
		return 0;
	err = view_array(r, root, "", "rebindAllow", sizeof(*names), &a);
	if (err < 0)
		return err;
	names = a.room;
	cJSON_ArrayForEach(j, a.json)
	{
		if (!cJSON_IsString(j))
			return view_bad(r, "no array of names");
		err = view_name_parse(r, j->valuestring, &names[n++]);
		if (err < 0)
			return err;
	}
	for (uint32_t i = 0; i < r->v->n_routes; i++) {
		r->v->routes[i].rebind_allow = names;
		r->v->routes[i].n_rebind_allow = n;
	}
	return 0;
}

int view_names_read(struct view_reader *r, const cJSON *root)
{
	int err = read_tree(r, root);

	if (err == 0)
		err = read_rebind(r, root);
	r->v->canaries = true;
	if (err == 0 && view_member(r, root, "", "canaries") != NULL)
		err = view_bool(r, root, "", "canaries", &r->v->canaries);
	return err;
}
