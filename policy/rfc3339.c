/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points in time as text (RFC 3339 5.6): "2027-01-31T18:00:00Z", fractions dropped, any offset. */
#include "policy/rfc3339.h"

/* @n digits at *@at, which is moved behind them; -1 when there are fewer. */
static int digits_read(const char **at, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		v = v * 10 + (**at - '0');
	}
	return v;
}

/* One of @allowed at *@at. */
static bool char_read(const char **at, const char *allowed)
{
	if (**at == '\0' || strchr(allowed, **at) == NULL)
		return false;
	(*at)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; the year counted from March, so that the leap day is last.
 */
static int64_t days_since_epoch(int year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400, year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* "Z" or "+hh:mm", in seconds. */
static bool offset_read(const char **at, int *ret)
{
	int sign, hours, minutes;

	if (char_read(at, "Zz")) {
		*ret = 0;
		return true;
	}
	sign = **at == '-' ? -1 : 1;
	if (!char_read(at, "+-"))
		return false;
	hours = digits_read(at, 2);
	if (!char_read(at, ":"))
		return false;
	minutes = digits_read(at, 2);
	*ret = sign * (hours * 3600 + minutes * 60);
	return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

int rfc3339_parse(const char *text, int64_t *ret)
{
	const char *at = text;
	int year, month, day, hour, minute, second, offset;
	int64_t t;

	year = digits_read(&at, 4);
	if (year < 0 || !char_read(&at, "-") || (month = digits_read(&at, 2)) < 1 || month > 12 || !char_read(&at, "-"))
		return -EINVAL;
	day = digits_read(&at, 2);
	if (day < 1 || day > days_in_month(year, month) || !char_read(&at, "Tt "))
		return -EINVAL;
	hour = digits_read(&at, 2);
	if (hour < 0 || hour > 23 || !char_read(&at, ":") || (minute = digits_read(&at, 2)) < 0 || minute > 59 ||
	    !char_read(&at, ":"))
		return -EINVAL;
	second = digits_read(&at, 2);
	if (second < 0 || second > 60)
		return -EINVAL;
	if (char_read(&at, ".")) {
		if (digits_read(&at, 1) < 0)
			return -EINVAL;
		while (*at >= '0' && *at <= '9')
			at++;
	}
	if (!offset_read(&at, &offset) || *at != '\0')
		return -EINVAL;
	t = days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	*ret = t > 0 ? t : 1;
	return 0;
}
