/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "when": "[days] [from-to] [zone]", in this order, one of them at least, or a list of such texts.
 *
 *   days   Mon, Mon-Fri, Sat,Sun, daily (the default)
 *   times  07:00-21:00; 22:00-06:00 goes on into the next day; 24:00 is the end of a day; none: the whole day
 *   zone   a name of the time zone database (Europe/Paris), or UTC (the default) */
#include "policy/loaded.h"

#include <strings.h>

static const char *const day_words[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

#define DAYS_ALL   0x7f
#define WEEK_DAYS  7
#define ZONE_MAX   64 /* bytes; the longest of the database has 32 */
#define WHEN_WORDS 3

/* A day's name at *@at, which is moved behind it; -1 when there is none. */
static int day_parse(const char **at)
{
	for (int i = 0; i < WEEK_DAYS; i++) {
		if (strncasecmp(*at, day_words[i], 3) == 0) {
			*at += 3;
			return i;
		}
	}
	return -1;
}

/* "Mon-Fri,Sun". 0 or -EINVAL. */
static int days_parse(const char *text, uint8_t *ret)
{
	uint8_t days = 0;

	if (strcasecmp(text, "daily") == 0) {
		*ret = DAYS_ALL;
		return 0;
	}
	for (;;) {
		int first = day_parse(&text), last = first;

		if (first >= 0 && *text == '-') {
			text++;
			last = day_parse(&text);
		}
		if (first < 0 || last < 0)
			return -EINVAL;
		for (int day = first;; day = (day + 1) % WEEK_DAYS) {
			days |= (uint8_t)(1u << day);
			if (day == last)
				break;
		}
		if (*text == '\0')
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	*ret = days;
	return 0;
}

/* "07:00" at *@at, in minutes, up to 24:00; -1. */
static int time_parse(const char **at)
{
	const char *t = *at;
	int minutes;

	for (int i = 0; i < 5; i++)
		if (i == 2 ? t[i] != ':' : t[i] < '0' || t[i] > '9')
			return -1;
	minutes = ((t[0] - '0') * 10 + t[1] - '0') * 60 + (t[3] - '0') * 10 + t[4] - '0';
	*at += 5;
	return t[3] <= '5' && minutes <= DAY_MINUTES ? minutes : -1;
}

/* "22:00-06:00". 0 or -EINVAL. */
static int times_parse(const char *text, struct doc_schedule *s)
{
	int from = time_parse(&text), to;

	if (from < 0 || from == DAY_MINUTES || *text++ != '-')
		return -EINVAL;
	to = time_parse(&text);
	if (to < 0 || *text != '\0' || from == to)
		return -EINVAL;
	s->from = (uint16_t)from;
	s->minutes = (uint16_t)(to > from ? to - from : to + DAY_MINUTES - from);
	return 0;
}

/* Names become paths below a folder: nothing that leads out of it. */
static bool zone_name_good(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

	size_t len = strlen(name);

	return len > 0 && len < ZONE_MAX && name[strspn(name, allowed)] == '\0' && name[len - 1] != '-' &&
	       name[len - 1] != '/' && ((name[0] >= 'A' && name[0] <= 'Z') || (name[0] >= 'a' && name[0] <= 'z'));
}

static int zone_add(struct doc_reader *r, struct span at, const char *name, uint32_t *ret)
{
	for (uint32_t i = 0; i < r->n_zones; i++) {
		*ret = i;
		if (strcmp(r->zones[i].name, name) == 0)
			return 0;
	}
	if (r->n_zones == r->zones_room) {
		uint32_t room = r->zones_room * 2 + 4;
		struct doc_zone *zones = doc_array(r, room, sizeof(*zones));

		if (zones == NULL)
			return -ENOMEM;
		if (r->n_zones != 0)
			memcpy(zones, r->zones, r->n_zones * sizeof(*zones));
		r->zones = zones;
		r->zones_room = room;
	}
	*ret = r->n_zones;
	r->zones[r->n_zones++] = (struct doc_zone){ .name = name, .span = at };
	return 0;
}

/* The words of @text in @ret; how many, -EINVAL: more than there can be. */
static int words_split(struct doc_reader *r, const char *text, const char *ret[WHEN_WORDS])
{
	int n = 0;

	for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");

		if (n == WHEN_WORDS)
			return -EINVAL;
		ret[n] = doc_strndup(r, text, len);
		if (ret[n++] == NULL)
			return -ENOMEM;
		text += len;
	}
	return n;
}

static int schedule_read(struct doc_reader *r, struct span at, const char *text, struct doc_schedule *ret)
{
	struct doc_schedule s = { .days = DAYS_ALL, .minutes = DAY_MINUTES };
	const char *words[WHEN_WORDS], *zone = "UTC";
	int n = words_split(r, text, words), i = 0;

	if (i < n && days_parse(words[i], &s.days) == 0)
		i++;
	if (i < n && words[i][0] >= '0' && words[i][0] <= '9') {
		if (times_parse(words[i], &s) < 0) {
			(void)doc_error(r, "P0621", at,
					"%s is no time of day: from-to, as 07:00-21:00, 22:00-06:00 or 18:00-24:00",
					words[i]);
			return -EINVAL;
		}
		i++;
	}
	if (i < n && i == n - 1 && zone_name_good(words[i]))
		zone = words[i++];
	if (n <= 0 || i != n) {
		(void)doc_error(r, "P0620", at,
				"\"%s\" is no schedule: days, times and time zone, as \"Mon-Fri 07:00-21:00 "
				"Europe/Paris\", \"Sat,Sun\" or \"daily 22:00-06:00\"",
				text);
		return -EINVAL;
	}
	if (zone_add(r, at, zone, &s.zone) < 0)
		return -ENOMEM;
	*ret = s;
	return 0;
}

struct doc_when when_read(struct doc_reader *r, const struct hj_node *object)
{
	const struct hj_node *when = hj_get(object, "when"), *list;
	struct doc_schedule *items;
	struct doc_when ret = { 0 };

	if (when == NULL)
		return ret;
	list = when->kind == HJ_STRING ? NULL : doc_list(r, object, "when");
	items = doc_array(r, list != NULL ? list->n_children : 1, sizeof(*items));
	if (items == NULL || (list == NULL && when->kind != HJ_STRING))
		return ret;
	if (list != NULL && list->n_children == 0)
		(void)doc_error(r, "P0620", list->span, "\"when\" is empty: leave it out for always");
	for (const struct hj_node *m = list != NULL ? list->child : when; m != NULL;
	     m = list != NULL ? m->next : NULL) {
		const char *text = doc_text(r, m, "when");

		if (text != NULL && schedule_read(r, m->span, text, &items[ret.n]) == 0)
			ret.n++;
	}
	ret.items = items;
	return ret;
}
