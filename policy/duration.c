/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy/duration.h"

#include "base/err.h"

/* Seconds of one unit of Go's durations; 0 when there is no such unit. */
static double duration_unit(const char *text, size_t len)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "\u00b5s", 1e-6 }, { "ms", 1e-3 },
		      { "s", 1 },     { "m", 60 },    { "h", 3600 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].name) == len && strncmp(units[i].name, text, len) == 0)
			return units[i].seconds;
	return 0;
}

int duration_parse(const char *text, double *ret)
{
	double sign = *text == '-' ? -1 : 1, sum = 0;

	text += *text == '-' || *text == '+';
	if (strcmp(text, "0") == 0) {
		*ret = 0;
		return 0;
	}
	if (*text == '\0')
		return -EINVAL;
	while (*text != '\0') {
		size_t digits = strspn(text, "0123456789."), unit_len = strcspn(text + digits, "0123456789.");
		double unit = duration_unit(text + digits, unit_len), value;
		char *end;

		if (digits == 0 || unit == 0)
			return -EINVAL;
		value = strtod(text, &end);
		if (end != text + digits) /* "1.2.3" */
			return -EINVAL;
		sum += value * unit;
		text += digits + unit_len;
	}
	*ret = sign * sum;
	return 0;
}
