/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readers of the few forms in which DNS messages lie about. They read what a test was given, and stop at what they do
 * not understand. */
#include "wire_corpus.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/cursor.h"

#define PCAP_LINK_AT  20u
#define PCAP_NULL     0u
#define PCAP_ETHERNET 1u
#define PCAP_RAW      101u
#define PROTO_TCP     6u
#define PROTO_UDP     17u

struct sink {
	wire_message_fn *fn;
	void *arg;
	const char *where;
	int n;
};

static void emit(struct sink *s, const uint8_t *msg, size_t len)
{
	s->fn(s->arg, s->where, msg, len);
	s->n++;
}

void wire_made(wire_message_fn *fn, void *arg)
{
	static const char base[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1\5Plain\7example\0\0\1\0\1"
				   "\0\0\x29\4\xd0\0\0\0\0\0\x0c\0\x0a\0\x08"
				   "abcdefgh";
	uint8_t msg[sizeof(base) - 1];

	for (size_t len = 0; len <= sizeof(msg); len++)
		fn(arg, "cut", (const uint8_t *)base, len);
	for (size_t bit = 0; bit < 8 * sizeof(msg); bit++) {
		memcpy(msg, base, sizeof(msg));
		msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
		fn(arg, "bit", msg, sizeof(msg));
	}
}

/* Two bytes of length, and so many of message; what is left over is a message as well. */
static void read_frames(struct sink *s, const uint8_t *data, size_t len)
{
	struct rcur c = rcur_over(data, len);

	while (rcur_left(&c) > 2) {
		size_t want = rcur_be16(&c), have = want < rcur_left(&c) ? want : rcur_left(&c);

		emit(s, rcur_bytes(&c, have), have);
	}
}

static void read_packet(struct sink *s, struct rcur *ip)
{
	const uint8_t *at = ip->at;
	uint8_t version = rcur_left(ip) > 0 ? at[0] >> 4 : 0;
	size_t head = version == 4 ? (at[0] & 15u) * 4u : 40, skip;
	uint8_t proto;

	if ((version != 4 && version != 6) || rcur_left(ip) < head + 20)
		return;
	proto = version == 4 ? at[9] : at[6];
	skip = proto == PROTO_UDP ? 8 : proto == PROTO_TCP ? (at[head + 12] >> 4) * 4u : 0;
	if (skip == 0 || rcur_bytes(ip, head + skip) == NULL || rcur_left(ip) == 0)
		return;
	if (proto == PROTO_UDP)
		emit(s, ip->at, rcur_left(ip));
	else
		read_frames(s, ip->at, rcur_left(ip));
}

static uint32_t le32(struct rcur *c)
{
	return __builtin_bswap32(rcur_be32(c));
}

static void read_pcap(struct sink *s, const uint8_t *data, size_t len)
{
	struct rcur c = rcur_over(data, len);
	size_t link_head;
	uint32_t link;

	(void)rcur_bytes(&c, PCAP_LINK_AT);
	link = le32(&c);
	link_head = link == PCAP_ETHERNET ? 14 : link == PCAP_NULL ? 4 : 0;
	if (link_head == 0 && link != PCAP_RAW)
		return;
	while (rcur_left(&c) >= 16) {
		const uint8_t *packet;
		struct rcur ip;
		uint32_t n;

		(void)rcur_bytes(&c, 8);
		n = le32(&c);
		(void)rcur_bytes(&c, 4);
		packet = rcur_bytes(&c, n);
		if (packet == NULL)
			return;
		ip = rcur_over(packet, n);
		if (rcur_bytes(&ip, link_head) != NULL)
			read_packet(s, &ip);
	}
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

static void read_file(struct sink *s, const char *path, size_t size)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *data = f != NULL ? malloc(size + 1) : NULL;
	size_t len = data != NULL ? fread(data, 1, size, f) : 0;

	s->where = path;
	if (ends_in(path, ".pcap"))
		read_pcap(s, data, len);
	else if (ends_in(path, ".blob"))
		read_frames(s, data, len);
	else if (ends_in(path, ".pkt"))
		emit(s, data, len);
	free(data);
	if (f != NULL)
		(void)fclose(f);
}

int wire_dir(const char *dir, wire_message_fn *fn, void *arg)
{
	struct sink s = { .fn = fn, .arg = arg };
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, NULL, alphasort), total = 0;

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		char path[4096];
		struct stat st;

		if (entries[i]->d_name[0] != '.' &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name) < sizeof(path) &&
		    stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode))
				total += wire_dir(path, fn, arg);
			else
				read_file(&s, path, (size_t)st.st_size);
		}
		free(entries[i]);
	}
	free(entries);
	return total + s.n;
}
