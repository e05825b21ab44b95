/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads the members of the command "dns"; what is missing or wrong is said by its name. */
#include "gatewayd/control_dns.h"

#include "sluice/dname.h"

#include <cjson/cJSON.h>

static int read_flag(const cJSON *o, const char *member, uint32_t flag, uint32_t *flags, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, member);

	if (item != NULL && !cJSON_IsBool(item))
		return err_set(e, -EINVAL, "\"%s\" must be true or false", member);
	if (cJSON_IsTrue(item))
		*flags |= flag;
	return 0;
}

static int read_name(const cJSON *o, struct control_dns *ret, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, "name");
	struct dname name;
	char text[DNAME_TEXT_MAX];

	if (!cJSON_IsString(item) || dname_parse(item->valuestring, strlen(item->valuestring), &name) < 0)
		return err_set(e, -EINVAL, "\"name\" must be a domain name");
	(void)snprintf(ret->name, sizeof(ret->name), "%s", dname_print(&name, text));
	return 0;
}

static int read_type(const cJSON *o, uint16_t *ret, struct err *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, "type");

	if (item == NULL)
		return 0;
	if (!cJSON_IsNumber(item) || item->valuedouble < 1 || item->valuedouble > UINT16_MAX ||
	    item->valuedouble != (double)(uint16_t)item->valuedouble)
		return err_set(e, -EINVAL, "\"type\" must be the number of a type, 1 to 65535");
	*ret = (uint16_t)item->valuedouble;
	return 0;
}

static int read_flush(const cJSON *o, struct control_dns *ret, struct err *e)
{
	int r = read_flag(o, "all", DNS_FLUSH_ALL, &ret->flags, e);

	if (r == 0)
		r = read_flag(o, "below", DNS_FLUSH_BELOW, &ret->flags, e);
	if (r < 0 || (ret->flags & DNS_FLUSH_ALL) != 0)
		return r;
	return read_name(o, ret, e);
}

static int read_lookup(const cJSON *o, struct control_dns *ret, struct err *e)
{
	const char *device = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "device"));
	const char *src = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "src"));
	int r = read_name(o, ret, e);

	ret->type = 1;
	if (r == 0)
		r = read_type(o, &ret->type, e);
	if (r == 0)
		r = read_flag(o, "open", DNS_LOOKUP_OPEN, &ret->flags, e);
	if (r == 0)
		r = read_flag(o, "cd", DNS_LOOKUP_CD, &ret->flags, e);
	if (r < 0)
		return r;
	if ((device == NULL) == (src == NULL))
		return err_set(e, -EINVAL, "either \"device\" or \"src\" says who asks");
	if (device != NULL && (device[0] == '\0' || strlen(device) >= sizeof(ret->device)))
		return err_set(e, -EINVAL, "\"device\" must be the name of a device");
	if (device != NULL)
		(void)snprintf(ret->device, sizeof(ret->device), "%s", device);
	else if (ip_addr_parse(src, &ret->client) < 0)
		return err_set(e, -EINVAL, "\"src\" must be an IP address");
	return 0;
}

static int read_cache(const cJSON *o, struct control_dns *ret, struct err *e)
{
	int r = read_name(o, ret, e);

	return r == 0 ? read_type(o, &ret->type, e) : r;
}

int control_dns_parse(const cJSON *o, struct control_dns *ret, struct err *e)
{
	static const char *const names[DNS_COMMAND_MAX] = { "status", "cache", "flush", "lookup" };
	const char *what = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "do"));
	uint32_t i = 0;

	memset(ret, 0, sizeof(*ret));
	while (what != NULL && i < DNS_COMMAND_MAX && strcmp(what, names[i]) != 0)
		i++;
	if (what == NULL || i == DNS_COMMAND_MAX)
		return err_set(e, -EINVAL, "\"do\" must be status, cache, flush or lookup");
	ret->what = (enum dns_command)i;
	switch (ret->what) {
	case DNS_COMMAND_CACHE:
		return read_cache(o, ret, e);
	case DNS_COMMAND_FLUSH:
		return read_flush(o, ret, e);
	case DNS_COMMAND_LOOKUP:
		return read_lookup(o, ret, e);
	case DNS_COMMAND_STATUS:
	case DNS_COMMAND_MAX:
		break;
	}
	return 0;
}
