/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads the members of the command "override"; what is missing or wrong is said by its name. */
#include "gatewayd/control_override.h"

#include "gatewayd/overrides.h"

#include <cjson/cJSON.h>

static int read_name(const cJSON *o, struct override *ret, struct err *e)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "name"));

	if (name == NULL || dname_parse(name, strlen(name), &ret->name) < 0 || ret->name.labels == 0)
		return err_set(e, -EINVAL, "\"name\" must be a domain name");
	return 0;
}

static int read_device(const cJSON *o, struct override *ret, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, "device");
	const char *device = cJSON_GetStringValue(item);

	if (item == NULL || cJSON_IsNull(item))
		return 0;
	if (device == NULL || device[0] == '\0' || strlen(device) >= sizeof(ret->device))
		return err_set(e, -EINVAL, "\"device\" must be the name of a device");
	(void)snprintf(ret->device, sizeof(ret->device), "%s", device);
	return 0;
}

static int read_flag(const cJSON *o, const char *member, bool *ret, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, member);

	if (item != NULL && !cJSON_IsBool(item))
		return err_set(e, -EINVAL, "\"%s\" must be true or false", member);
	*ret = cJSON_IsTrue(item);
	return 0;
}

static int read_for(const cJSON *o, uint32_t *ret, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, "for_s");

	*ret = OVERRIDE_FOR_DEFAULT_S;
	if (item == NULL)
		return 0;
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1) || item->valuedouble > OVERRIDE_FOR_MAX_S)
		return err_set(e, -EINVAL, "\"for_s\" must be 1 to %u seconds: seven days at most", OVERRIDE_FOR_MAX_S);
	*ret = (uint32_t)item->valuedouble;
	return 0;
}

static int read_put(const cJSON *o, bool allow, struct control_override *ret, struct err *e)
{
	int r = read_device(o, &ret->put, e);

	ret->what = OVERRIDE_PUT;
	if (r == 0 && allow)
		r = read_name(o, &ret->put, e);
	if (r == 0 && allow)
		r = read_flag(o, "below", &ret->put.below, e);
	return r == 0 ? read_for(o, &ret->for_s, e) : r;
}

static int read_end(const cJSON *o, struct control_override *ret, struct err *e)
{
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(o, "id");
	bool pause = false;
	int r;

	ret->what = OVERRIDE_END;
	if (id != NULL) {
		if (!cJSON_IsNumber(id) || !(id->valuedouble >= 1) || !(id->valuedouble < UINT32_MAX))
			return err_set(e, -EINVAL, "\"id\" must be the number of one that is in force");
		ret->put.id = (uint32_t)id->valuedouble;
		return 0;
	}
	ret->any_device = cJSON_GetObjectItemCaseSensitive(o, "device") == NULL;
	r = read_flag(o, "pause", &pause, e);
	if (r == 0)
		r = read_device(o, &ret->put, e);
	return r == 0 && !pause ? read_name(o, &ret->put, e) : r;
}

int control_override_parse(const cJSON *o, struct control_override *ret, struct err *e)
{
	const char *what = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "do"));

	memset(ret, 0, sizeof(*ret));
	if (what != NULL && (strcmp(what, "allow") == 0 || strcmp(what, "pause") == 0))
		return read_put(o, /* allow= */ what[0] == 'a', ret, e);
	if (what != NULL && strcmp(what, "end") == 0)
		return read_end(o, ret, e);
	if (what == NULL || strcmp(what, "list") != 0)
		return err_set(e, -EINVAL, "\"do\" must be allow, pause, list or end");
	ret->what = OVERRIDE_LIST;
	return 0;
}
