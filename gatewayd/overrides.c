/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Called by command_override.c. The clock is the wall's: ten minutes are ten minutes for who has said so, also while
 * the gateway is off. */
#include "gatewayd/overrides.h"

#include "gatewayd/disk_file.h"

#include <cjson/cJSON.h>
#include <limits.h>

#define FILE_NAME "overrides.json"
/* OVERRIDES_MAX of them, with names of 1 KiB at most. */
#define FILE_MAX_BYTES (4u << 20)

bool override_is_over(const struct override *o, int64_t now_s)
{
	return o->until_s <= now_s || o->until_s - now_s > (int64_t)OVERRIDE_FOR_MAX_S;
}

static bool number_read(const cJSON *o, const char *name, double max, double *ret)
{
	const cJSON *j = cJSON_GetObjectItemCaseSensitive(o, name);

	if (!cJSON_IsNumber(j) || !(j->valuedouble >= 0) || j->valuedouble > max)
		return false;
	*ret = j->valuedouble;
	return true;
}

/* The whole of it, or it is not read: who has written it was us. */
static bool override_read(const cJSON *o, struct override *ret)
{
	const char *device = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "device"));
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "name"));
	double id, until;

	memset(ret, 0, sizeof(*ret));
	if (!number_read(o, "id", UINT32_MAX - 1, &id) || !number_read(o, "until", 1ull << 53, &until) || id < 1)
		return false;
	ret->id = (uint32_t)id;
	ret->until_s = (int64_t)until;
	ret->below = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "below"));
	if (device != NULL && strlen(device) >= sizeof(ret->device))
		return false;
	(void)snprintf(ret->device, sizeof(ret->device), "%s", device != NULL ? device : "");
	return name == NULL || dname_parse(name, strlen(name), &ret->name) == 0;
}

static int by_id(const void *a, const void *b)
{
	const struct override *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int items_read(const cJSON *root, const char *path, int64_t now_s, struct overrides *ret, struct err *e)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "overrides"), *j;
	double last;

	if (!cJSON_IsArray(list) || !number_read(root, "last", UINT32_MAX - 1, &last) ||
	    cJSON_GetArraySize(list) > (int)OVERRIDES_MAX)
		return err_set(e, -EBADMSG, "%s: damaged", path);
	ret->last_id = (uint32_t)last;
	ret->items = calloc(OVERRIDES_MAX, sizeof(*ret->items));
	if (ret->items == NULL)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	cJSON_ArrayForEach(j, list)
	{
		struct override *o = &ret->items[ret->n];

		if (!override_read(j, o) || o->id > ret->last_id)
			return err_set(e, -EBADMSG, "%s: damaged", path);
		ret->n += !override_is_over(o, now_s);
	}
	qsort(ret->items, ret->n, sizeof(*ret->items), by_id);
	return 0;
}

int overrides_load(const char *state_dir, int64_t now_s, struct overrides *ret, struct err *e)
{
	CLEANUP(freep) char *text = NULL;
	char path[PATH_MAX];
	size_t len = 0;
	cJSON *root;
	int r;

	*ret = (struct overrides){ 0 };
	if (snprintf(path, sizeof(path), "%s/" FILE_NAME, state_dir) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%s: too long", state_dir);
	r = file_read(path, FILE_MAX_BYTES, &text, &len, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	root = cJSON_ParseWithLength(text, len);
	r = items_read(root, path, now_s, ret, e);
	cJSON_Delete(root);
	if (r < 0)
		overrides_done(ret);
	return r;
}

int overrides_save(const char *state_dir, const struct overrides *o, struct err *e)
{
	cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "overrides");
	CLEANUP(freep) char *text = NULL;
	char name[DNAME_TEXT_MAX];
	bool ok = cJSON_AddNumberToObject(root, "last", o->last_id) != NULL && list != NULL;

	for (uint32_t i = 0; i < o->n && ok; i++) {
		const struct override *v = &o->items[i];
		cJSON *j = cJSON_CreateObject();

		ok = cJSON_AddNumberToObject(j, "id", v->id) != NULL &&
		     cJSON_AddNumberToObject(j, "until", (double)v->until_s) != NULL &&
		     cJSON_AddBoolToObject(j, "below", v->below) != NULL &&
		     (v->device[0] == '\0' || cJSON_AddStringToObject(j, "device", v->device) != NULL) &&
		     (v->name.len == 0 || cJSON_AddStringToObject(j, "name", dname_print(&v->name, name)) != NULL);
		ok = cJSON_AddItemToArray(list, j) && ok;
	}
	text = ok ? cJSON_PrintUnformatted(root) : NULL;
	cJSON_Delete(root);
	if (text == NULL)
		return err_set(e, -ENOMEM, "%s/" FILE_NAME ": out of memory", state_dir);
	return file_replace(state_dir, FILE_NAME, text, strlen(text), e);
}

void overrides_done(struct overrides *o)
{
	free(o->items);
	*o = (struct overrides){ 0 };
}

static bool is_same(const struct override *a, const struct override *b)
{
	return strcmp(a->device, b->device) == 0 && a->below == b->below && a->name.len == b->name.len &&
	       memcmp(a->name.wire, b->name.wire, a->name.len) == 0;
}

const struct override *overrides_put(struct overrides *o, const struct override *what, int64_t *ret_was_s,
				     struct err *e)
{
	for (uint32_t i = 0; i < o->n; i++) {
		if (!is_same(&o->items[i], what))
			continue;
		*ret_was_s = o->items[i].until_s;
		o->items[i].until_s = what->until_s;
		return &o->items[i];
	}
	if (o->n == OVERRIDES_MAX || o->last_id == UINT32_MAX - 1) {
		(void)err_set(e, -E2BIG, "%u are in force already: end one (--list, --end)", o->n);
		return NULL;
	}
	if (o->items == NULL)
		o->items = calloc(OVERRIDES_MAX, sizeof(*o->items));
	if (o->items == NULL) {
		(void)err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	*ret_was_s = 0;
	o->items[o->n] = *what;
	o->items[o->n].id = ++o->last_id;
	return &o->items[o->n++];
}

const struct override *overrides_find(const struct overrides *o, uint32_t id)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (o->items[i].id == id)
			return &o->items[i];
	return NULL;
}

bool overrides_remove(struct overrides *o, uint32_t id)
{
	const struct override *found = overrides_find(o, id);
	size_t at;

	if (found == NULL)
		return false;
	at = (size_t)(found - o->items);
	memmove(&o->items[at], &o->items[at + 1], (o->n - at - 1) * sizeof(*o->items));
	o->n--;
	return true;
}

const struct override *overrides_first_over(const struct overrides *o, int64_t now_s)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (override_is_over(&o->items[i], now_s))
			return &o->items[i];
	return NULL;
}

int64_t overrides_next_s(const struct overrides *o)
{
	int64_t next = 0;

	for (uint32_t i = 0; i < o->n; i++)
		if (next == 0 || o->items[i].until_s < next)
			next = o->items[i].until_s;
	return next;
}
