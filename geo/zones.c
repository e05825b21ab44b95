/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The C library knows the rules of all time zones; the compiler may not ask it, as it must not depend on anything but
 * what it is given. So each zone becomes a table of the moments at which its clocks change. */
#include "geo/zones.h"

#include <sys/stat.h>
#include <time.h>

#define ZONE_DIR   "/usr/share/zoneinfo"
#define ZONE_NAMES ZONE_DIR "/zone1970.tab" /* columns: countries, coordinates, name, comment */

/* The years for which a schedule can be asked. */
#define TABLE_FROM_S INT64_C(946684800)	 /* 2000-01-01 */
#define TABLE_TO_S   INT64_C(4102444800) /* 2100-01-01 */
#define DAY_S	     86400		 /* no zone has changed its clocks twice within a day */
#define TABLE_MAX    1024		 /* Morocco changes four times a year: 400 in a century */
#define NAMES_MAX    (64u << 10)	 /* bytes: the table has 18 KB */

static int32_t offset_at(int64_t t)
{
	time_t when = (time_t)t;
	struct tm tm;

	return localtime_r(&when, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0;
}

/* Clocks changed in (@lo, @hi]; the first moment with the new offset. */
static int64_t change_find(int64_t lo, int64_t hi)
{
	int32_t before = offset_at(lo);

	while (hi - lo > 1) {
		int64_t mid = lo + (hi - lo) / 2;

		if (offset_at(mid) == before)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

/* TZ is set to the zone. */
static int table_make(struct zone_info *zone)
{
	struct zone_offset *table = calloc(TABLE_MAX, sizeof(*table));
	uint32_t n = 1;

	if (table == NULL)
		return -ENOMEM;
	table[0] = (struct zone_offset){ .from_s = TABLE_FROM_S, .offset_s = offset_at(TABLE_FROM_S) };
	for (int64_t t = TABLE_FROM_S; t < TABLE_TO_S && n < TABLE_MAX; t += DAY_S) {
		if (offset_at(t + DAY_S) == table[n - 1].offset_s)
			continue;
		table[n].from_s = change_find(t, t + DAY_S);
		table[n].offset_s = offset_at(t + DAY_S);
		n++;
	}
	zone->offsets = table;
	zone->n_offsets = n;
	return 0;
}

/* The document has checked that the name has no dots and does not begin with a slash. */
static bool zone_exists(const char *name)
{
	char path[256], magic[4] = "";
	FILE *f;
	bool good;

	if ((size_t)snprintf(path, sizeof(path), ZONE_DIR "/%s", name) >= sizeof(path))
		return false;
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	good = fread(magic, 1, sizeof(magic), f) == sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0;
	(void)fclose(f);
	return good;
}

static int zone_load(const char *name, struct zone_info *ret)
{
	char tz[80];

	(void)snprintf(tz, sizeof(tz), ":%s", name);
	if (setenv("TZ", tz, 1) == -1)
		return -ENOMEM;
	tzset();
	ret->name = name;
	return table_make(ret);
}

/* For suggestions only: without it there are none. */
static void names_load(struct zones *z)
{
	FILE *f = fopen(ZONE_NAMES, "re");
	size_t len, n = 0, room = 0;
	char *line, *save = NULL;

	z->names_text = calloc(1, NAMES_MAX + 1);
	if (f == NULL || z->names_text == NULL) {
		if (f != NULL)
			(void)fclose(f);
		return;
	}
	len = fread(z->names_text, 1, NAMES_MAX, f);
	(void)fclose(f);
	for (size_t i = 0; i < len; i++)
		room += z->names_text[i] == '\n';
	z->names = calloc(room + 1, sizeof(const char *));
	for (line = strtok_r(z->names_text, "\n", &save); z->names != NULL && line != NULL && n < room;
	     line = strtok_r(NULL, "\n", &save)) {
		char *name = line[0] != '#' ? strchr(line, '\t') : NULL;

		name = name != NULL ? strchr(name + 1, '\t') : NULL;
		if (name == NULL)
			continue;
		z->names[n++] = ++name;
		name[strcspn(name, "\t")] = '\0';
	}
}

int zones_load(const struct doc_policy *p, struct zones *ret)
{
	const char *set = getenv("TZ");
	CLEANUP(freep) char *before = set != NULL ? strdup(set) : NULL;
	struct zones z = { .items = calloc((size_t)p->n_zones + 1, sizeof(*z.items)) };
	bool missing = false;
	int r = z.items == NULL || (set != NULL && before == NULL) ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < p->n_zones; i++) {
		if (zone_exists(p->zones[i].name))
			r = zone_load(p->zones[i].name, &z.items[z.n++]);
		else
			missing = true;
	}
	if (p->n_zones != 0) {
		(void)(before != NULL ? setenv("TZ", before, 1) : unsetenv("TZ"));
		tzset();
	}
	if (missing)
		names_load(&z);
	if (r < 0)
		zones_done(&z);
	*ret = z;
	return r;
}

void zones_done(struct zones *z)
{
	for (uint32_t i = 0; z->items != NULL && i < z->n; i++) {
		union {
			const void *in;
			void *out;
		} table = { .in = z->items[i].offsets };

		free(table.out);
	}
	free(z->items);
	free(z->names);
	free(z->names_text);
	*z = (struct zones){ 0 };
}
