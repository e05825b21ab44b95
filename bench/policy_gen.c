/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A large but ordinary policy and its devices, always the same for the same numbers. Called by policy.sh.
 * usage: policy_gen DEVICES RULES DIR [mixed]    writes DIR/policy.hujson, DIR/devices.hujson and DIR/devices2.hujson,
 * in which one server has another tag
 *
 * One device in ten is a server with one of 100 tags; the others belong to users, two each, and every user to one of 50
 * groups. Of the rules most go from a group to a tag, the others to prefixes, the internet and names; a few
 * refuse. One is autogroup:self. Addresses are spread, as the control server hands them out. mixed: every second device
 * has up to three tags, in all combinations, and rules go from tags to tags. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAGS		   100u
#define GROUPS		   50u
#define SERVER_EVERY	   10u
#define CGNAT_SPREAD	   2654435761u /* odd: a permutation of the 22 bits of 100.64.0.0/10 */
#define CGNAT_MASK	   0x3fffffu
#define CHANGED_TAG_BEFORE 35u /* both are destinations of some rules */
#define CHANGED_TAG	   42u
#define CHANGED		   0u /* the server whose tag changes */
#define MIXED_EVERY	   2u

static void device_addr(uint32_t i, char *buf, size_t room)
{
	uint32_t a = 0x64400000u + (i * CGNAT_SPREAD & CGNAT_MASK);

	(void)snprintf(buf, room, "\"%u.%u.%u.%u\", \"fd7a:115c:a1e0::%x:%x\"", a >> 24, a >> 16 & 255, a >> 8 & 255,
		       a & 255, a >> 16 & 0xffff, a & 0xffff);
}

/* The tags of a mixed device: one to three. */
static void put_tags(FILE *out, uint32_t i, uint32_t moved_tag)
{
	uint32_t h = (i + 1) * CGNAT_SPREAD, first = i == CHANGED ? moved_tag : h % TAGS;

	(void)fprintf(out, "\"tags\": [\"tag:t%u\"", first);
	for (uint32_t k = 1; k <= h / TAGS % 3; k++)
		(void)fprintf(out, ", \"tag:t%u\"", (first + 1 + (h >> (8 * k)) % (TAGS / 3) * k) % TAGS);
	(void)fprintf(out, "]},\n");
}

static void put_devices(FILE *out, uint32_t n, uint32_t moved_tag, bool mixed)
{
	char addr[80];

	(void)fprintf(out, "{\"users\": [\"u0@example.com\"");
	for (uint32_t u = 1; u * 2 < n; u++)
		(void)fprintf(out, ", \"u%u@example.com\"", u);
	(void)fprintf(out, "],\n\"devices\": [\n");
	for (uint32_t i = 0; i < n; i++) {
		device_addr(i, addr, sizeof(addr));
		(void)fprintf(out, "{\"name\": \"d%u\", \"addresses\": [%s], ", i, addr);
		if (mixed && i % MIXED_EVERY == 0)
			put_tags(out, i, moved_tag);
		else if (i % SERVER_EVERY == 0)
			(void)fprintf(out, "\"tags\": [\"tag:t%u\"]},\n",
				      i == CHANGED ? moved_tag : i / SERVER_EVERY % TAGS);
		else
			(void)fprintf(out, "\"user\": \"u%u@example.com\"},\n", i / 2);
	}
	(void)fprintf(out, "]}\n");
}

static void put_names(FILE *out, uint32_t n)
{
	(void)fprintf(out, "{\"tagOwners\": {");
	for (uint32_t t = 0; t < TAGS; t++)
		(void)fprintf(out, "\"tag:t%u\": [], ", t);
	(void)fprintf(out, "},\n\"groups\": {\n");
	for (uint32_t g = 0; g < GROUPS; g++) {
		(void)fprintf(out, "\"group:g%u\": [", g);
		for (uint32_t u = g; u * 2 < n; u += GROUPS)
			(void)fprintf(out, "\"u%u@example.com\", ", u);
		(void)fprintf(out, "],\n");
	}
	(void)fprintf(out, "},\n");
}

static void put_grant(FILE *out, uint32_t i, bool mixed)
{
	uint32_t group = i % GROUPS, port = 1024 + i;

	if (mixed && i % 2 != 0)
		(void)fprintf(out, "{\"src\": [\"tag:t%u\"], ", i * 13 % TAGS);
	else
		(void)fprintf(out, "{\"src\": [\"group:g%u\"], ", group);
	if (i % 20 == 0)
		(void)fprintf(out, "\"dst\": [\"autogroup:internet\"], \"ip\": [\"tcp:%u\"]},\n", port);
	else if (i % 20 == 1)
		(void)fprintf(out, "\"dst\": [\"dns:n%u.example\"], \"ip\": [\"tcp:443\"]},\n", i);
	else if (i % 20 < 5)
		(void)fprintf(out, "\"dst\": [\"10.%u.%u.0/24\"], \"ip\": [\"tcp:%u\", \"udp:%u\"]},\n", i % 256,
			      i / 256 % 256, port, port);
	else
		(void)fprintf(out, "\"dst\": [\"tag:t%u\"], \"ip\": [\"tcp:%u\", \"tcp:22\"]},\n", i * 7 % TAGS, port);
}

static void put_policy(FILE *out, uint32_t n, uint32_t rules, bool mixed)
{
	uint32_t denies = rules / 50 + 1, everything = rules / 100 + 1;

	put_names(out, n);
	(void)fprintf(out, "\"grants\": [\n{\"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\"], \"ip\": "
			   "[\"*\"]},\n");
	for (uint32_t i = 0; i < everything; i++)
		(void)fprintf(out,
			      "{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"tcp:%u\", "
			      "\"udp:%u\"]},\n",
			      8000 + i * 2, 8000 + i * 2);
	for (uint32_t i = 0; i + denies + everything + 1 < rules; i++)
		put_grant(out, i, mixed);
	(void)fprintf(out, "],\n\"denies\": [\n");
	for (uint32_t i = 0; i < denies; i++)
		(void)fprintf(out, "{\"src\": [\"group:g%u\"], \"dst\": [\"203.0.%u.0/24\"], \"ip\": [\"*\"]},\n",
			      i % GROUPS, i);
	(void)fprintf(out, "]}\n");
}

static FILE *create(const char *dir, const char *name)
{
	char path[4096];
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	if (out == NULL) {
		perror(path);
		exit(1);
	}
	return out;
}

int main(int argc, char **argv)
{
	uint32_t devices, rules;
	bool mixed = argc == 5 && strcmp(argv[4], "mixed") == 0;
	FILE *out;

	if (argc != 4 && !mixed) {
		(void)fprintf(stderr, "usage: policy_gen DEVICES RULES DIR [mixed]\n");
		return 2;
	}
	devices = (uint32_t)strtoul(argv[1], NULL, 10);
	rules = (uint32_t)strtoul(argv[2], NULL, 10);
	out = create(argv[3], "policy.hujson");
	put_policy(out, devices, rules, mixed);
	if (fclose(out) != 0)
		return 1;
	out = create(argv[3], "devices.hujson");
	put_devices(out, devices, CHANGED_TAG_BEFORE, mixed);
	if (fclose(out) != 0)
		return 1;
	out = create(argv[3], "devices2.hujson");
	put_devices(out, devices, CHANGED_TAG, mixed);
	return fclose(out) == 0 ? 0 : 1;
}
