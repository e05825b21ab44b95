/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libmaxminddb for recorder.c: one or two look-ups for each new flow.
 *
 * The layouts that are read: {"country_code": "DE"} (flat), {"country": {"iso_code": "DE"}} (GeoLite2, GeoIP2), and
 * {"autonomous_system_number", "autonomous_system_organization"} (GeoLite2-ASN). Values of another type or length are
 * as good as none. */
#include "recorder/enrich.h"

#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct enrich {
	MMDB_s country, asn;
	bool has_country, has_asn;
};

struct enrich *enrich_new(void)
{
	return calloc(1, sizeof(struct enrich));
}

struct enrich *enrich_free(struct enrich *en)
{
	if (en == NULL)
		return NULL;
	if (en->has_country)
		MMDB_close(&en->country);
	if (en->has_asn)
		MMDB_close(&en->asn);
	free(en);
	return NULL;
}

static int db_open(MMDB_s *db, bool *open, const char *path, struct err *e)
{
	int r;

	if (*open)
		return err_set(e, -EINVAL, "%s: one such file is open already", path);
	r = MMDB_open(path, MMDB_MODE_MMAP, db);
	if (r != MMDB_SUCCESS)
		return err_set(e, r == MMDB_FILE_OPEN_ERROR ? -ENOENT : -EBADMSG, "%s: %s", path, MMDB_strerror(r));
	*open = true;
	return 0;
}

int enrich_open_country(struct enrich *en, const char *path, struct err *e)
{
	return db_open(&en->country, &en->has_country, path, e);
}

int enrich_open_asn(struct enrich *en, const char *path, struct err *e)
{
	return db_open(&en->asn, &en->has_asn, path, e);
}

static bool db_find(const MMDB_s *db, const struct ip_addr *a, MMDB_lookup_result_s *ret)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	const struct sockaddr *sa = (const struct sockaddr *)&in4;
	int r = MMDB_SUCCESS;

	if (a->family == IP_V4) {
		memcpy(&in4.sin_addr, a->bytes, 4);
	} else if (a->family == IP_V6 && db->metadata.ip_version == 6) {
		memcpy(&in6.sin6_addr, a->bytes, 16);
		sa = (const struct sockaddr *)&in6;
	} else {
		return false;
	}
	*ret = MMDB_lookup_sockaddr(db, sa, &r);
	return r == MMDB_SUCCESS && ret->found_entry;
}

static bool value_find(MMDB_lookup_result_s *hit, const char *const *path, uint32_t type, MMDB_entry_data_s *ret)
{
	return MMDB_aget_value(&hit->entry, ret, path) == MMDB_SUCCESS && ret->has_data && ret->type == type;
}

static bool letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

static void country_find(const struct enrich *en, const struct ip_addr *addr, struct enrich_result *ret)
{
	static const char *const flat[] = { "country_code", NULL };
	static const char *const nested[] = { "country", "iso_code", NULL };
	MMDB_lookup_result_s hit;
	MMDB_entry_data_s v;

	if (!en->has_country || !db_find(&en->country, addr, &hit))
		return;
	if (!value_find(&hit, flat, MMDB_DATA_TYPE_UTF8_STRING, &v) &&
	    !value_find(&hit, nested, MMDB_DATA_TYPE_UTF8_STRING, &v))
		return;
	if (v.data_size == sizeof(ret->country) && letter(v.utf8_string[0]) && letter(v.utf8_string[1]))
		memcpy(ret->country, v.utf8_string, sizeof(ret->country));
}

/* Bytes of the character at @s (RFC 3629, with over-long forms and surrogates left to the terminal); 0: none. */
static uint32_t utf8_char(const char *s, uint32_t left)
{
	uint8_t first = (uint8_t)s[0];
	uint32_t len = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;

	if ((len == 4 && (first < 0xf0 || first > 0xf4)) || len > left)
		return 0;
	for (uint32_t i = 1; i < len; i++) {
		if (((uint8_t)s[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* At most @max bytes of whole characters; what follows the first that is none is left out. */
static struct flow_text utf8_cut(const char *s, uint32_t len, uint16_t max)
{
	uint32_t used = 0, n;

	while (used < len && (n = utf8_char(s + used, len - used)) != 0 && used + n <= max)
		used += n;
	return (struct flow_text){ .at = used != 0 ? s : NULL, .len = (uint16_t)used };
}

static void asn_find(const struct enrich *en, const struct ip_addr *addr, struct enrich_result *ret)
{
	static const char *const number[] = { "autonomous_system_number", NULL };
	static const char *const org[] = { "autonomous_system_organization", NULL };
	MMDB_lookup_result_s hit;
	MMDB_entry_data_s v;

	if (!en->has_asn || !db_find(&en->asn, addr, &hit))
		return;
	if (value_find(&hit, number, MMDB_DATA_TYPE_UINT32, &v))
		ret->as_number = v.uint32;
	if (value_find(&hit, org, MMDB_DATA_TYPE_UTF8_STRING, &v))
		ret->as_org = utf8_cut(v.utf8_string, v.data_size, FLOW_SHORT_TEXT_MAX);
}

void enrich_find(const struct enrich *en, const struct ip_addr *addr, struct enrich_result *ret)
{
	struct enrich_result found = { 0 };

	country_find(en, addr, &found);
	asn_find(en, addr, &found);
	*ret = found;
}
