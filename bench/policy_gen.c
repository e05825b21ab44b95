/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A large but ordinary policy and its devices, always the same for the same numbers. Called by policy.sh.
 * usage: policy_gen DEVICES RULES DIR [mixed]    writes DIR/policy.hujson, DIR/devices.hujson and DIR/devices2.hujson,
 * in which one server has another tag; and, unless mixed, DIR/rules.nft: the same written by hand, one rule after
 * another
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

/* What follows is the policy as one would write it for nft: a set of addresses for each group and tag, and one rule
 * after another, for IPv4 and IPv6 each. */

/* Is device @i in group (or, negative, tag -1 - @list)? GROUPS: everybody. */
static bool in_list(uint32_t i, int list)
{
	bool server = i % SERVER_EVERY == 0;

	if (list == (int)GROUPS)
		return true;
	if (list < 0)
		return server && (i == CHANGED ? CHANGED_TAG_BEFORE : i / SERVER_EVERY % TAGS) == (uint32_t)(-1 - list);
	return !server && i / 2 % GROUPS == (uint32_t)list;
}

static void put_set(FILE *out, uint32_t n, const char *name, int list, int family)
{
	const char *between = "\telements = { ";

	(void)fprintf(out, "set %s_%d {\n\ttype ipv%d_addr\n", name, family, family);
	for (uint32_t i = 0; i < n; i++) {
		char addr[80], *second;

		if (!in_list(i, list))
			continue;
		device_addr(i, addr, sizeof(addr));
		second = strchr(addr, ',');
		*second = '\0';
		second += 2;
		(void)fprintf(out, "%s%.*s", between, (int)strlen(family == 4 ? addr : second) - 2,
			      (family == 4 ? addr : second) + 1);
		between = ", ";
	}
	(void)fprintf(out, "%s}\n", between[0] == ',' ? " }\n" : "");
}

/* Pairs of devices of one user. */
static void put_own(FILE *out, uint32_t n, int family)
{
	const char *between = "\telements = { ";

	(void)fprintf(out, "set own_%d {\n\ttype ipv%d_addr . ipv%d_addr\n", family, family, family);
	for (uint32_t i = 0; i < n; i++) {
		char of[2][80];
		uint32_t other = i ^ 1;

		if (other >= n || i % SERVER_EVERY == 0 || other % SERVER_EVERY == 0)
			continue;
		device_addr(i, of[0], sizeof(of[0]));
		device_addr(other, of[1], sizeof(of[1]));
		(void)fprintf(out, "%s", between);
		for (int k = 0; k < 2; k++) {
			char *at = family == 4 ? of[k] + 1 : strchr(of[k], ',') + 3;

			at[strcspn(at, "\"")] = '\0';
			(void)fprintf(out, "%s%s", k == 0 ? "" : " . ", at);
		}
		between = ", ";
	}
	(void)fprintf(out, "%s}\n", between[0] == ',' ? " }\n" : "");
}

static void put_hand_grant(FILE *out, uint32_t i, int family)
{
	const char *ip = family == 4 ? "ip" : "ip6";
	uint32_t group = i % GROUPS, port = 1024 + i;

	if (i % 20 == 1) /* names: what nobody has looked up */
		return;
	if (i % 20 > 1 && i % 20 < 5 && family == 6)
		return;
	(void)fprintf(out, "%s saddr @g%u_%d %s daddr ", ip, group, family, ip);
	if (i % 20 == 0)
		(void)fprintf(out, "!= @inside_%d tcp dport %u accept\n", family, port);
	else if (i % 20 < 5)
		(void)fprintf(out, "10.%u.%u.0/24 meta l4proto { tcp, udp } th dport %u accept\n", i % 256,
			      i / 256 % 256, port);
	else
		(void)fprintf(out, "@t%u_%d tcp dport { %u, 22 } accept\n", i * 7 % TAGS, family, port);
}

static void put_hand_rules(FILE *out, uint32_t rules, int family)
{
	uint32_t denies = rules / 50 + 1, everything = rules / 100 + 1;
	const char *ip = family == 4 ? "ip" : "ip6";

	for (uint32_t i = 0; i < denies && family == 4; i++)
		(void)fprintf(out, "ip saddr @g%u_4 ip daddr 203.0.%u.0/24 drop\n", i % GROUPS, i);
	(void)fprintf(out, "%s saddr . %s daddr @own_%d accept\n", ip, ip, family);
	for (uint32_t i = 0; i < everything; i++)
		(void)fprintf(out,
			      "%s saddr @all_%d %s daddr != @inside_%d meta l4proto { tcp, udp } th dport %u accept\n",
			      ip, family, ip, family, 8000 + i * 2);
	for (uint32_t i = 0; i + denies + everything + 1 < rules; i++)
		put_hand_grant(out, i, family);
}

static void put_by_hand(FILE *out, uint32_t n, uint32_t rules)
{
	char name[16];

	(void)fprintf(out,
		      "table inet by_hand {\n"
		      "set inside_4 {\n\ttype ipv4_addr\n\tflags interval\n\telements = { 10.0.0.0/8, 172.16.0.0/12, "
		      "192.168.0.0/16, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 }\n}\n"
		      "set inside_6 {\n\ttype ipv6_addr\n\tflags interval\n\telements = { fc00::/7, fe80::/10, "
		      "ff00::/8 }\n}\n");
	for (int family = 4; family <= 6; family += 2) {
		for (uint32_t g = 0; g <= GROUPS; g++) {
			(void)snprintf(name, sizeof(name), "g%u", g);
			put_set(out, n, g == GROUPS ? "all" : name, (int)g, family);
		}
		for (uint32_t t = 0; t < TAGS; t++) {
			(void)snprintf(name, sizeof(name), "t%u", t);
			put_set(out, n, name, -1 - (int)t, family);
		}
		put_own(out, n, family);
	}
	(void)fprintf(out,
		      "chain forward {\n\ttype filter hook forward priority filter; policy accept\n"
		      "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n"
		      "ct state established,related accept\niifname != wg0 oifname wg0 drop\niifname != wg0 accept\n");
	put_hand_rules(out, rules, 4);
	put_hand_rules(out, rules, 6);
	(void)fprintf(out, "drop\n}\n"
			   "chain postrouting {\n\ttype nat hook postrouting priority srcnat\n"
			   "iifname wg0 oifname != wg0 masquerade\n}\n}\n");
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
	if (fclose(out) != 0)
		return 1;
	if (mixed)
		return 0;
	out = create(argv[3], "rules.nft");
	put_by_hand(out, devices, rules);
	return fclose(out) == 0 ? 0 : 1;
}
