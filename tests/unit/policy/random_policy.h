/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random policies as text, for the family of world.h, and the addresses, names and ports that are worth asking them
 * about. The seed is the caller's. */
#pragma once

#include "world.h"

#define RULES_MAX 6
#define TEXT_MAX  16384

struct text {
	char buf[TEXT_MAX];
	size_t len;
};

static uint32_t seed;
static bool with_ways; /* some grants have an egress, "way" */

static uint32_t roll(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

static const char *pick(const char *const *from, uint32_t n)
{
	return from[roll(n)];
}

#define PICK(from) pick(from, ARRAY_LEN(from))

static void PRINTF_LIKE(2, 3) put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, sizeof(t->buf) - t->len, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < sizeof(t->buf) - t->len);
	t->len += (size_t)n;
}

static const char *const srcs[] = { "*",	  "ana@example.com", "ben@example.com",	 "group:family",
				    "tag:server", "tag:db",	     "tag:tv",		 "autogroup:member",
				    "100.64.0.3", "100.64.0.0/30",   "autogroup:tagged", "fd7a:115c:a1e0::7",
				    "ipset:mix" };
static const char *const dsts[] = { "*",
				    "autogroup:internet",
				    "nas",
				    "203.0.113.0/24",
				    "203.0.113.9",
				    "tag:server",
				    "tag:tv",
				    "ana@example.com",
				    "group:family",
				    "2001:db8::/32",
				    "10.0.0.0/8",
				    "10.50.1.0/24",
				    "100.64.0.0/10",
				    "dns:a.example",
				    "dns:*.example",
				    "198.18.0.0/23",
				    "autogroup:member",
				    "fd7a:115c:a1e0::/48",
				    "ipset:mix" };
static const char *const ips[] = {
	"*", "443", "tcp:443", "tcp:400-900", "udp:853", "icmp:*", "sctp:*", "80-853", "47:*"
};
static const char *const addrs[] = { "203.0.113.9", "203.0.113.200", "192.168.1.20", "192.168.1.21",	"10.50.1.1",
				     "10.50.2.1",   "10.0.0.1",	     "100.64.0.2",   "100.64.0.3",	"100.64.0.7",
				     "100.64.0.4",  "100.64.0.9",    "100.64.0.10",  "100.64.0.77",	"198.18.0.5",
				     "198.18.1.5",  "224.0.0.1",     "127.0.0.1",    "255.255.255.255", "0.0.0.0",
				     "8.8.8.8" };
static const char *const addrs6[] = { "2001:db8::9", "2001:db9::9", "fd7a:115c:a1e0::2", "fd7a:115c:a1e0::7", "fd00::1",
				      "fe80::1",     "::1",	    "ff02::1",		 "3fff:ffff::1",      "4000::1",
				      "2000::" };
static const char *const froms[] = { "100.64.0.2", "100.64.0.3", "100.64.0.4",	"100.64.0.7",
				     "100.64.0.8", "100.64.0.9", "100.64.0.10", "100.64.0.99" };
static const char *const froms6[] = { "fd7a:115c:a1e0::2", "fd7a:115c:a1e0::3", "fd7a:115c:a1e0::7" };
static const char *const names[] = { "a.example", "b.example", "x.a.example", "example", "other.test" };

static void put_list(struct text *t, const char *member, const char *const *from, uint32_t n)
{
	uint32_t count = 1 + roll(3);

	put(t, "\"%s\": [", member);
	for (uint32_t i = 0; i < count; i++)
		put(t, "%s\"%s\"", i == 0 ? "" : ", ", pick(from, n));
	put(t, "]");
}

/* A rule to one's own devices, and to something else with the same ports. */
static void put_self(struct text *t)
{
	static const char *const users[] = { "ana@example.com", "ben@example.com", "group:family", "autogroup:member" };

	put(t, "{\"src\": [\"%s\"], \"dst\": [\"autogroup:self\"%s], ", PICK(users),
	    roll(2) ? ", \"203.0.113.0/24\"" : "");
	put_list(t, "ip", ips, ARRAY_LEN(ips));
	put(t, "},\n");
}

/* So many single hosts in one network that rules to the network go by list. */
static void put_crowd(struct text *t)
{
	static const char *const around[] = { "203.0.113.0/24", "203.0.113.0/25", "203.0.112.0/23",
					      "203.0.113.128/25" };

	for (uint32_t i = 1; i <= 240; i += 8 + roll(8))
		put(t, "{\"src\": [\"%s\"], \"dst\": [\"203.0.113.%u\"], \"ip\": [\"tcp:%u\"]},\n", PICK(srcs),
		    roll(4) ? i : 9, 400 + roll(60));
	for (uint32_t i = roll(4); i < ARRAY_LEN(around); i++) {
		put(t, "{\"src\": [\"%s\"], \"dst\": [\"%s\"], ", PICK(srcs), around[i]);
		put_list(t, "ip", ips, ARRAY_LEN(ips));
		put(t, "},\n");
	}
}

static void put_rules(struct text *t, const char *section, bool deny)
{
	uint32_t n = roll(RULES_MAX + 1);

	put(t, "\"%s\": [", section);
	for (uint32_t i = 0; i < n; i++) {
		put(t, "{");
		put_list(t, "src", srcs, ARRAY_LEN(srcs));
		put(t, ", ");
		put_list(t, "dst", dsts, ARRAY_LEN(dsts));
		put(t, ", ");
		put_list(t, "ip", ips, ARRAY_LEN(ips));
		if (!deny && with_ways && roll(2))
			put(t, ", \"egress\": \"way\"");
		put(t, "%s},\n", deny && roll(2) ? ", \"reject\": true" : "");
	}
	if (roll(4) == 0)
		put_self(t);
	if (roll(4) == 0)
		put_crowd(t);
	put(t, "],\n");
}

static void put_acls(struct text *t)
{
	static const char *const acl_dsts[] = {
		"*:*",		"autogroup:internet:443", "tag:server:22,80-90", "nas:445",
		"10.0.0.0/8:*", "dns:a.example:443",	  "dns:b.example:80",	 "0.0.0.0/0:53"
	};
	uint32_t n = roll(3);

	put(t, "\"acls\": [");
	for (uint32_t i = 0; i < n; i++) {
		put(t, "{\"action\": \"accept\", ");
		put_list(t, "src", srcs, ARRAY_LEN(srcs));
		put(t, ", ");
		put_list(t, "dst", acl_dsts, ARRAY_LEN(acl_dsts));
		put(t, "},\n");
	}
	if (roll(3) == 0)
		put(t, "{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self:*\"]},");
	put(t, "],\n");
}

static void put_policy(struct text *t)
{
	put(t, "{" FAMILY_NAMES "\n\"ipsets\": {\"ipset:mix\": [\"add autogroup:internet\", \"add 10.50.0.0/24\", "
	       "\"remove 203.0.113.128/25\", \"add 100.64.0.7\"]},\n");
	if (roll(20) != 0) {
		put_acls(t);
		put_rules(t, "grants", false);
	}
	put_rules(t, "denies", true);
	if (roll(2))
		put(t, "\"dns\": {\"filters\": [{\"src\": [\"%s\"], \"resolveFirst\": true}, {\"src\": [\"%s\"]}]},",
		    PICK(srcs), PICK(srcs));
	put(t, "}");
}

/* Without a name. */
static inline struct packet random_packet(void)
{
	static const uint8_t protos[] = { 6, 6, 6, 17, 17, 1, 58, 132, 47 };
	static const uint16_t ports[] = { 443, 80, 853, 852, 22, 85, 445, 53, 400, 900, 901 };
	bool six = roll(3) == 0;
	struct packet pkt = {
		.src = addr(six ? PICK(froms6) : PICK(froms)),
		.dst = addr(six ? PICK(addrs6) : PICK(addrs)),
		.proto = protos[roll(ARRAY_LEN(protos))],
	};

	if (pkt.proto == 6 || pkt.proto == 17 || pkt.proto == 132)
		pkt.port = ports[roll(ARRAY_LEN(ports))];
	return pkt;
}
