/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Members of the views' JSON, each checked as it is read. Called by view.c and view_names.c. */
#include "filter/view_json.h"

int view_bad(const struct view_reader *r, const char *what)
{
	return err_set(r->e, -EBADMSG, "views: %s: %s", r->path, what);
}

int view_no_memory(const struct view_reader *r)
{
	return err_set(r->e, -ENOMEM, "views: %s: no memory", r->path);
}

/* Member @name of @o, present or not; the path is set to it. */
const cJSON *view_member(struct view_reader *r, const cJSON *o, const char *where, const char *name)
{
	snprintf(r->path, sizeof(r->path), "%s/%s", where, name);
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

int view_uint(struct view_reader *r, const cJSON *o, const char *where, const char *name, uint64_t max, uint64_t *ret)
{
	const cJSON *j = view_member(r, o, where, name);
	uint64_t value;

	if (!cJSON_IsNumber(j) || !(j->valuedouble >= 0) || j->valuedouble > (double)(1ull << 53))
		return view_bad(r, "no number");
	value = (uint64_t)j->valuedouble;
	if ((double)value != j->valuedouble || value > max)
		return view_bad(r, "number is not whole, or too large");
	*ret = value;
	return 0;
}

int view_u32(struct view_reader *r, const cJSON *o, const char *where, const char *name, uint32_t max, uint32_t *ret)
{
	uint64_t value = 0;
	int err = view_uint(r, o, where, name, max, &value);

	if (err == 0)
		*ret = (uint32_t)value;
	return err;
}

int view_bool(struct view_reader *r, const cJSON *o, const char *where, const char *name, bool *ret)
{
	const cJSON *j = view_member(r, o, where, name);

	if (!cJSON_IsBool(j))
		return view_bad(r, "no boolean");
	*ret = cJSON_IsTrue(j);
	return 0;
}

/* @optional: absent or null gives NULL. */
int view_string(struct view_reader *r, const cJSON *o, const char *where, const char *name, bool optional,
		const char **ret)
{
	const cJSON *j = view_member(r, o, where, name);

	if (optional && (j == NULL || cJSON_IsNull(j))) {
		*ret = NULL;
		return 0;
	}
	if (!cJSON_IsString(j))
		return view_bad(r, "no string");
	*ret = arena_strdup(r->v->mem, j->valuestring);
	return *ret != NULL ? 0 : view_no_memory(r);
}

/* One of @names (by number), as the enum that they belong to. */
int view_choice(struct view_reader *r, const cJSON *o, const char *where, const char *name, const char *const *names,
		size_t n, uint32_t *ret)
{
	const cJSON *j = view_member(r, o, where, name);

	for (size_t i = 0; cJSON_IsString(j) && i < n; i++) {
		if (strcmp(j->valuestring, names[i]) == 0) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	return view_bad(r, "none of the known words");
}

/* The array @name of @o, and room in the arena for as many elements of @size. */
int view_array(struct view_reader *r, const cJSON *o, const char *where, const char *name, size_t size,
	       struct view_items *ret)
{
	const cJSON *j = view_member(r, o, where, name);
	struct view_items a = { .json = j };

	if (!cJSON_IsArray(j))
		return view_bad(r, "no array");
	a.n = (uint32_t)cJSON_GetArraySize(j);
	a.room = arena_array(r->v->mem, a.n > 0 ? a.n : 1, size);
	if (a.room == NULL)
		return view_no_memory(r);
	*ret = a;
	return 0;
}

int view_strings(struct view_reader *r, const cJSON *o, const char *where, const char *name, const char *const **ret,
		 uint32_t *ret_n)
{
	struct view_items a = { 0 };
	const char **room;
	const cJSON *j;
	uint32_t i = 0;
	int err = view_array(r, o, where, name, sizeof(*room), &a);

	if (err < 0)
		return err;
	room = a.room;
	cJSON_ArrayForEach(j, a.json)
	{
		if (!cJSON_IsString(j))
			return view_bad(r, "no array of strings");
		room[i] = arena_strdup(r->v->mem, j->valuestring);
		if (room[i++] == NULL)
			return view_no_memory(r);
	}
	*ret = room;
	*ret_n = a.n;
	return 0;
}

/* Numbers below @limit. */
int view_indices(struct view_reader *r, const cJSON *o, const char *where, const char *name, uint32_t limit,
		 const uint32_t **ret, uint32_t *ret_n)
{
	struct view_items a = { 0 };
	const cJSON *j;
	uint32_t *room, i = 0;
	int err = view_array(r, o, where, name, sizeof(*room), &a);

	if (err < 0)
		return err;
	room = a.room;
	cJSON_ArrayForEach(j, a.json)
	{
		if (!cJSON_IsNumber(j) || !(j->valuedouble >= 0) || !(j->valuedouble < limit))
			return view_bad(r, "number that stands for nothing");
		room[i] = (uint32_t)j->valuedouble;
		if ((double)room[i++] != j->valuedouble)
			return view_bad(r, "number is not whole");
	}
	*ret = room;
	*ret_n = a.n;
	return 0;
}

int view_addr(struct view_reader *r, const cJSON *o, const char *where, const char *name, struct ip_addr *ret)
{
	const cJSON *j = view_member(r, o, where, name);

	if (!cJSON_IsString(j) || ip_addr_parse(j->valuestring, ret) < 0)
		return view_bad(r, "no address");
	return 0;
}

int view_name_parse(struct view_reader *r, const char *text, struct dname *ret)
{
	return dname_parse(text, strlen(text), ret) == 0 ? 0 : view_bad(r, "no domain name");
}

int view_name(struct view_reader *r, const cJSON *o, const char *where, const char *name, struct dname *ret)
{
	const cJSON *j = view_member(r, o, where, name);

	return cJSON_IsString(j) ? view_name_parse(r, j->valuestring, ret) : view_bad(r, "no domain name");
}

/* @ret and @ret_n are set before the elements are read, so that views_free() finds what was made. */
int view_elements(struct view_reader *r, const cJSON *o, const char *at, const char *name, size_t size,
		  view_element_fn read_element, void *ret, uint32_t *ret_n)
{
	struct view_items a = { 0 };
	const cJSON *j;
	char where[VIEW_WHERE_MAX];
	uint32_t i = 0;
	int err = view_array(r, o, at, name, size, &a);

	if (err < 0)
		return err;
	memcpy(ret, &a.room, sizeof(a.room));
	*ret_n = a.n;
	cJSON_ArrayForEach(j, a.json)
	{
		snprintf(where, sizeof(where), "%.40s/%s/%u", at, name, i);
		snprintf(r->path, sizeof(r->path), "%s", where);
		if (!cJSON_IsObject(j))
			return view_bad(r, "no object");
		err = read_element(r, j, where, (char *)a.room + size * i++);
		if (err < 0)
			return err;
	}
	return 0;
}
