/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layout: magic, number of sources; of each its kind, its key's length, number of ranges, key, ranges as they are in
 * memory (struct ip_range is bytes without padding, so that the reader can use them in place). Numbers in network
 * order. The file lives from one compilation to the next, and as a copy over a restart of the same build. */
#include "geo/prefix_file.h"

#include "base/cursor.h"

#define MAGIC_LEN  8u
#define SOURCE_LEN 6u

static const uint8_t magic_bytes[MAGIC_LEN] = { 'S', 'L', 'P', 'F', 'X', '0', '1', '\n' };

static_assert(sizeof(struct ip_range) == 2 * 17, "ranges are bytes in the file");

static int write_all(int fd, const void *data, size_t len, struct err *e)
{
	const uint8_t *at = data;

	while (len != 0) {
		ssize_t n = write(fd, at, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_set(e, -errno, "write addresses: %s", strerror(errno));
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static void put_be32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - 8 * i));
}

int prefix_file_write(int fd, const struct prefix_source *sources, uint32_t n, struct err *e)
{
	uint8_t head[MAGIC_LEN + 4];
	int r;

	if (n > PREFIX_SOURCES_MAX)
		return err_set(e, -E2BIG, "more than %u countries, networks and address lists", PREFIX_SOURCES_MAX);
	memcpy(head, magic_bytes, MAGIC_LEN);
	put_be32(head + MAGIC_LEN, n);
	r = write_all(fd, head, sizeof(head), e);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		size_t key_len = strlen(sources[i].key);
		uint8_t source[SOURCE_LEN] = { (uint8_t)sources[i].kind, (uint8_t)key_len };

		if (key_len == 0 || key_len >= PREFIX_KEY_MAX)
			return err_set(e, -EINVAL, "%.80s: a name of 1 to %u bytes", sources[i].key,
				       PREFIX_KEY_MAX - 1);
		put_be32(source + 2, sources[i].n_ranges);
		r = write_all(fd, source, sizeof(source), e);
		if (r == 0)
			r = write_all(fd, sources[i].key, key_len, e);
		if (r == 0)
			r = write_all(fd, sources[i].ranges, (size_t)sources[i].n_ranges * sizeof(struct ip_range), e);
	}
	return r;
}

static bool addr_valid(const struct ip_addr *a)
{
	static const uint8_t zero[12];

	return a->family == IP_V6 || (a->family == IP_V4 && memcmp(a->bytes + 4, zero, sizeof(zero)) == 0);
}

/* Sorted, disjoint, and each of one family: what the compiler relies on. */
static bool ranges_valid(const struct ip_range *ranges, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!addr_valid(&ranges[i].first) || !addr_valid(&ranges[i].last) ||
		    ranges[i].first.family != ranges[i].last.family ||
		    ip_addr_cmp(&ranges[i].first, &ranges[i].last) > 0 ||
		    (i != 0 && ip_addr_cmp(&ranges[i - 1].last, &ranges[i].first) >= 0))
			return false;
	}
	return true;
}

static int source_read(struct rcur *c, struct prefix_file *f, uint32_t i)
{
	uint8_t kind = rcur_u8(c), key_len = rcur_u8(c);
	uint32_t n = rcur_be32(c);
	const void *ranges;

	if (c->err != 0 || kind >= PREFIX_KIND_MAX || key_len == 0 || key_len >= PREFIX_KEY_MAX)
		return -EBADMSG;
	rcur_copy(c, f->keys[i], key_len);
	ranges = rcur_bytes(c, (size_t)n * sizeof(struct ip_range));
	if (ranges == NULL || memchr(f->keys[i], '\0', key_len) != NULL || !ranges_valid(ranges, n))
		return -EBADMSG;
	f->sources[i] = (struct prefix_source){ .kind = kind, .key = f->keys[i], .ranges = ranges, .n_ranges = n };
	f->n_ranges += n;
	return 0;
}

int prefix_file_read(const void *data, size_t len, struct prefix_file *ret, struct err *e)
{
	struct rcur c = rcur_over(data, len);
	const uint8_t *magic = rcur_bytes(&c, MAGIC_LEN);
	struct prefix_file f = { .n = rcur_be32(&c) };
	int r = 0;

	if (c.err != 0 || memcmp(magic, magic_bytes, MAGIC_LEN) != 0 || f.n > PREFIX_SOURCES_MAX)
		return err_set(e, -EBADMSG, "compiled addresses: not such a file");
	f.sources = calloc((size_t)f.n + 1, sizeof(*f.sources));
	f.keys = calloc((size_t)f.n + 1, sizeof(*f.keys));
	if (f.sources == NULL || f.keys == NULL) {
		prefix_file_done(&f);
		return err_set(e, -ENOMEM, "compiled addresses: out of memory");
	}
	for (uint32_t i = 0; i < f.n && r == 0; i++)
		r = source_read(&c, &f, i);
	if (r == 0)
		r = rcur_end(&c);
	if (r < 0) {
		prefix_file_done(&f);
		return err_set(e, r, "compiled addresses: damaged");
	}
	*ret = f;
	return 0;
}

void prefix_file_done(struct prefix_file *f)
{
	free(f->sources);
	free(f->keys);
	*f = (struct prefix_file){ 0 };
}
