/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The search tree of a MaxMind DB (format 2.0), leaf by leaf from the lowest address to the highest, so that what comes
 * out is sorted and neighbours can be joined at once.
 *
 * IPv4 lives in ::/96 of an IPv6 tree. Other prefixes of that tree (::ffff:0:0/96, 2001::/32, 2002::/16) may lead to
 * the same nodes: an IPv4 network is then counted once, as IPv4. A tree visits each of its nodes once; one that visits
 * more has a loop, and is refused by their number. Layouts of the records: as recorder/enrich.c reads them. */
#include "geo/mmdb_ranges.h"

#include <maxminddb.h>

/* All ranges of one database: as many as a plan may have elements. */
#define RANGES_MAX 2000000u

#define V4_BITS 96 /* leading zero bits of IPv4 in an IPv6 tree */

struct walk {
	const MMDB_s *db;
	enum prefix_kind kind;
	struct mmdb_wanted *wanted;
	const uint32_t *ids; /* of .wanted: the key as a number */
	uint32_t n_wanted;
	uint8_t bits[16]; /* the path, from the left; the rest is zero */
	uint64_t visits;
	uint32_t n_ranges;
	struct err *e;
};

static uint32_t key_id(enum prefix_kind kind, const char *key)
{
	if (kind == PREFIX_GEO)
		return (uint32_t)(uint8_t)key[0] << 8 | (uint8_t)key[1];
	return (uint32_t)strtoul(key, NULL, 10);
}

/* -EBADMSG when the record is damaged; 0 with @ret 0 when it does not say. */
static int record_id(struct walk *w, MMDB_entry_s *entry, uint32_t *ret)
{
	static const char *const flat[] = { "country_code", NULL }, *const nested[] = { "country", "iso_code", NULL };
	static const char *const number[] = { "autonomous_system_number", NULL };
	const char *const *const paths[] = { w->kind == PREFIX_GEO ? flat : number, nested };
	size_t n_paths = w->kind == PREFIX_GEO ? 2 : 1;

	*ret = 0;
	for (size_t i = 0; i < n_paths; i++) {
		MMDB_entry_data_s v = { 0 };
		int r = MMDB_aget_value(entry, &v, paths[i]);

		if (r == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || (r == MMDB_SUCCESS && !v.has_data))
			continue;
		if (r != MMDB_SUCCESS)
			return err_set(w->e, -EBADMSG, "%s: %s", w->db->filename, MMDB_strerror(r));
		if (w->kind == PREFIX_GEO && v.type == MMDB_DATA_TYPE_UTF8_STRING && v.data_size == 2)
			*ret = (uint32_t)(uint8_t)v.utf8_string[0] << 8 | (uint8_t)v.utf8_string[1];
		else if (w->kind == PREFIX_ASN && v.type == MMDB_DATA_TYPE_UINT32)
			*ret = v.uint32;
		return 0;
	}
	return 0;
}

static int range_append(struct walk *w, struct mmdb_wanted *to, const struct ip_range *range)
{
	struct ip_addr next;

	if (to->n > 0 && ip_addr_next(&to->ranges[to->n - 1].last, &next) && ip_addr_cmp(&next, &range->first) == 0) {
		to->ranges[to->n - 1].last = range->last;
		return 0;
	}
	if (w->n_ranges++ == RANGES_MAX)
		return err_set(w->e, -E2BIG, "%s: more than %u ranges", w->db->filename, RANGES_MAX);
	if (to->n == to->room) {
		uint32_t room = to->room * 2 + 64;
		struct ip_range *ranges = reallocarray(to->ranges, room, sizeof(*ranges));

		if (ranges == NULL)
			return err_set(w->e, -ENOMEM, "%s: out of memory", w->db->filename);
		to->ranges = ranges;
		to->room = room;
	}
	to->ranges[to->n++] = *range;
	return 0;
}

/* The first @depth bits of the path are zero. */
static bool path_zero(const struct walk *w, unsigned int depth)
{
	for (unsigned int i = 0; i < (depth + 7) / 8; i++) {
		if (w->bits[i] != 0)
			return false;
	}
	return true;
}

/* The network of @depth bits of the path belongs to @to. */
static int network_append(struct walk *w, struct mmdb_wanted *to, unsigned int depth)
{
	static const struct ip_range all4 = {
		.first = { .family = IP_V4 },
		.last = { .family = IP_V4, .bytes = { 0xff, 0xff, 0xff, 0xff } },
	};
	struct ip_prefix net = { .addr = { .family = IP_V6 }, .len = (uint8_t)depth };
	struct ip_range range;
	int r;

	memcpy(net.addr.bytes, w->bits, sizeof(w->bits));
	if (w->db->metadata.ip_version == 4)
		net.addr.family = IP_V4;
	else if (depth >= V4_BITS && path_zero(w, V4_BITS))
		net = (struct ip_prefix){ .addr = ip_addr_from_bytes(w->bits + V4_BITS / 8, 4),
					  .len = (uint8_t)(depth - V4_BITS) };
	range = ip_prefix_range(&net);
	if (net.addr.family != IP_V6 || depth >= V4_BITS || !path_zero(w, depth))
		return range_append(w, to, &range);
	/* A network that holds all of IPv4 and more. */
	r = range_append(w, to, &all4);
	range.first.bytes[V4_BITS / 8 - 1] = 1;
	return r < 0 ? r : range_append(w, to, &range);
}

static int leaf_read(struct walk *w, MMDB_entry_s *entry, unsigned int depth)
{
	uint32_t id;
	int r = record_id(w, entry, &id);

	for (uint32_t i = 0; r == 0 && id != 0 && i < w->n_wanted; i++) {
		if (w->ids[i] == id)
			return network_append(w, &w->wanted[i], depth);
	}
	return r;
}

/* IPv4 once more, by another way. */
static bool is_alias(const struct walk *w, uint64_t node, unsigned int depth)
{
	return w->db->metadata.ip_version == 6 && w->db->ipv4_start_node.netmask == V4_BITS &&
	       node == w->db->ipv4_start_node.node_value && !(depth == V4_BITS && path_zero(w, V4_BITS));
}

static int node_walk(struct walk *w, uint32_t number, unsigned int depth);

static int record_walk(struct walk *w, uint8_t type, uint64_t record, MMDB_entry_s *entry, unsigned int depth)
{
	switch (type) {
	case MMDB_RECORD_TYPE_EMPTY:
		return 0;
	case MMDB_RECORD_TYPE_DATA:
		return leaf_read(w, entry, depth);
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		return is_alias(w, record, depth) ? 0 : node_walk(w, (uint32_t)record, depth);
	default:
		return err_set(w->e, -EBADMSG, "%s: damaged search tree", w->db->filename);
	}
}

/* Recursion as deep as an address has bits. */
static int node_walk(struct walk *w, uint32_t number, unsigned int depth)
{
	unsigned int max = w->db->metadata.ip_version == 4 ? 32 : 128;
	MMDB_search_node_s node;
	int r = MMDB_read_node(w->db, number, &node);

	if (r != MMDB_SUCCESS)
		return err_set(w->e, -EBADMSG, "%s: %s", w->db->filename, MMDB_strerror(r));
	if (depth >= max || w->visits++ >= w->db->metadata.node_count)
		return err_set(w->e, -EBADMSG, "%s: the search tree has a loop", w->db->filename);
	r = record_walk(w, node.left_record_type, node.left_record, &node.left_record_entry, depth + 1);
	if (r < 0)
		return r;
	w->bits[depth / 8] |= (uint8_t)(0x80u >> depth % 8);
	r = record_walk(w, node.right_record_type, node.right_record, &node.right_record_entry, depth + 1);
	w->bits[depth / 8] &= (uint8_t) ~(0x80u >> depth % 8);
	return r;
}

int mmdb_ranges_read(const char *path, enum prefix_kind kind, struct mmdb_wanted *wanted, uint32_t n, struct err *e)
{
	CLEANUP(freep) uint32_t *ids = calloc((size_t)n + 1, sizeof(*ids));
	struct walk w = { .kind = kind, .wanted = wanted, .ids = ids, .n_wanted = n, .e = e };
	MMDB_s db;
	int r;

	if (ids == NULL)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	for (uint32_t i = 0; i < n; i++)
		ids[i] = key_id(kind, wanted[i].key);
	r = MMDB_open(path, MMDB_MODE_MMAP, &db);
	if (r != MMDB_SUCCESS)
		return err_set(e, r == MMDB_FILE_OPEN_ERROR ? -ENOENT : -EBADMSG, "%s: %s", path, MMDB_strerror(r));
	w.db = &db;
	if (db.metadata.ip_version != 4 && db.metadata.ip_version != 6)
		r = err_set(e, -EBADMSG, "%s: neither IPv4 nor IPv6", path);
	else
		r = node_walk(&w, 0, 0);
	MMDB_close(&db);
	return r;
}
