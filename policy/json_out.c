/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON for lower_dns.c and lower_log.c. Numbers go through a double: generations and marks are far below 2^53. */
#include "policy/json_out.h"

void json_out_done(struct json_out *j)
{
	cJSON_Delete(j->root);
	j->root = NULL;
}

cJSON *json_root(struct json_out *j)
{
	j->root = cJSON_CreateObject();
	if (j->root == NULL)
		j->failed = true;
	return j->root;
}

/* @item is taken. */
static cJSON *add(struct json_out *j, cJSON *to, const char *key, cJSON *item)
{
	bool good = to != NULL && item != NULL &&
		    (key != NULL ? cJSON_AddItemToObject(to, key, item) : cJSON_AddItemToArray(to, item));

	if (good)
		return item;
	cJSON_Delete(item);
	j->failed = true;
	return NULL;
}

cJSON *json_object(struct json_out *j, cJSON *to, const char *key)
{
	return add(j, to, key, cJSON_CreateObject());
}

cJSON *json_array(struct json_out *j, cJSON *to, const char *key)
{
	return add(j, to, key, cJSON_CreateArray());
}

void json_string(struct json_out *j, cJSON *to, const char *key, const char *value)
{
	(void)add(j, to, key, value == NULL ? cJSON_CreateNull() : cJSON_CreateString(value));
}

void json_bool(struct json_out *j, cJSON *to, const char *key, bool value)
{
	(void)add(j, to, key, cJSON_CreateBool(value));
}

void json_number(struct json_out *j, cJSON *to, const char *key, uint64_t value)
{
	(void)add(j, to, key, cJSON_CreateNumber((double)value));
}

char *json_text(struct json_out *j)
{
	return j->failed ? NULL : cJSON_Print(j->root);
}
