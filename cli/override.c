/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/override.h"

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

/* "1 d 2 h", "9 min 12 s". Returns @buf. */
static const char *left_print(double seconds, char buf[OVERRIDE_LEFT_MAX])
{
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (s >= 86400)
		(void)snprintf(buf, OVERRIDE_LEFT_MAX, "%lu d %lu h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		(void)snprintf(buf, OVERRIDE_LEFT_MAX, "%lu h %lu min", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		(void)snprintf(buf, OVERRIDE_LEFT_MAX, "%lu min %lu s", s / 60, s % 60);
	else
		(void)snprintf(buf, OVERRIDE_LEFT_MAX, "%lu s", s);
	return buf;
}

void override_print(const cJSON *o, const char *indent)
{
	const char *device = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "device"));
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "name"));
	bool below = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "below"));
	char left[OVERRIDE_LEFT_MAX];

	printf("%s%s %.0f: %s%s %s for %s%s, %s left\n", indent, name != NULL ? "allow" : "pause", number_of(o, "id"),
	       name != NULL ? name : "every name", below ? " and what is below it" : "",
	       name != NULL && below ? "pass" : "passes", device != NULL ? "device " : "all devices",
	       device != NULL ? device : "", left_print(number_of(o, "left_s"), left));
}

uint32_t overrides_read(const cJSON *answer, struct override *ret, uint32_t max)
{
	const cJSON *o;
	uint32_t n = 0;

	cJSON_ArrayForEach(o, cJSON_GetObjectItemCaseSensitive(answer, "overrides"))
	{
		const char *device = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "device"));
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "name"));
		struct override *v = &ret[n];

		if (n == max)
			break;
		*v = (struct override){ .id = (uint32_t)number_of(o, "id"),
					.below = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "below")),
					.until_s = (int64_t)number_of(o, "until") };
		(void)snprintf(v->device, sizeof(v->device), "%s", device != NULL ? device : "");
		n += name == NULL || dname_parse(name, strlen(name), &v->name) == 0;
	}
	return n;
}
