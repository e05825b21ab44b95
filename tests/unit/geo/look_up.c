/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "look_up.h"

#include <netinet/in.h>
#include <sys/socket.h>

void look_up(const MMDB_s *db, enum prefix_kind kind, const struct ip_addr *a, char ret[LOOK_UP_KEY])
{
	static const char *const paths[][3] = { { "country_code", NULL },
						{ "country", "iso_code", NULL },
						{ "autonomous_system_number", NULL } };
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	const struct sockaddr *sa = a->family == IP_V4 ? (const struct sockaddr *)&in4 : (const struct sockaddr *)&in6;
	MMDB_lookup_result_s hit;
	MMDB_entry_data_s v;
	int r = 0;

	memcpy(&in4.sin_addr, a->bytes, 4);
	memcpy(&in6.sin6_addr, a->bytes, 16);
	ret[0] = '\0';
	if (a->family == IP_V6 && db->metadata.ip_version == 4)
		return;
	hit = MMDB_lookup_sockaddr(db, sa, &r);
	if (r != MMDB_SUCCESS || !hit.found_entry)
		return;
	for (size_t i = kind == PREFIX_GEO ? 0 : 2; i < (kind == PREFIX_GEO ? 2u : 3u); i++) {
		if (MMDB_aget_value(&hit.entry, &v, paths[i]) != MMDB_SUCCESS || !v.has_data)
			continue;
		if (v.type == MMDB_DATA_TYPE_UINT32)
			(void)snprintf(ret, LOOK_UP_KEY, "%u", v.uint32);
		else
			(void)snprintf(ret, LOOK_UP_KEY, "%.*s", (int)v.data_size, v.utf8_string);
		return;
	}
}

bool ranges_hold(const struct ip_range *ranges, uint32_t n, const struct ip_addr *a)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ip_addr_cmp(&ranges[mid].last, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && ip_range_contains(&ranges[lo], a);
}

bool is_embedded(const struct ip_addr *a)
{
	static const char *const nets[] = { "::/96", "::ffff:0:0/96", "2001::/32", "2002::/16", NULL };
	struct ip_prefix p;

	for (size_t i = 0; nets[i] != NULL; i++)
		if (ip_prefix_parse(nets[i], &p, NULL) == 0 && ip_prefix_contains(&p, a))
			return true;
	return false;
}

struct ip_addr random_addr(uint64_t *seed)
{
	struct ip_addr a = { .family = IP_V4 };

	for (size_t i = 0; i < 16; i++) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		a.bytes[i] = (uint8_t)(*seed >> 56);
	}
	if ((*seed >> 40 & 1) != 0) {
		a.family = IP_V6;
		/* Most of what is in use. */
		if ((*seed >> 41 & 3) != 0)
			a.bytes[0] = 0x20 | (a.bytes[0] & 0x0f);
		return a;
	}
	memset(a.bytes + 4, 0, 12);
	return a;
}
