/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Order means nothing where the language says so: devices, members of a list, names of a policy give the same bytes;
 * rules of a section the same verdicts, by rules of the same text. */
#include "random_policy.h"

#include "policy/lower_nft.h"

#define ROUNDS	  150
#define PACKETS	  100
#define PARTS_MAX 64

/* Pieces of a text, put together in some order. */
struct parts {
	const char *items[PARTS_MAX];
	uint32_t n;
};

static void shuffle(struct parts *p)
{
	for (uint32_t i = p->n; i > 1; i--) {
		uint32_t k = roll(i);
		const char *other = p->items[k];

		p->items[k] = p->items[i - 1];
		p->items[i - 1] = other;
	}
}

static void put_parts(struct text *t, const struct parts *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		put(t, "%s%s", i == 0 ? "" : ",\n", p->items[i]);
}

static const char *const family[] = {
	"{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\", \"fd7a:115c:a1e0::2\"], \"user\": \"ana@example.com\"}",
	"{\"name\": \"phone\", \"addresses\": [\"100.64.0.3\", \"fd7a:115c:a1e0::3\"], \"user\": \"ben@example.com\"}",
	"{\"name\": \"pad\", \"addresses\": [\"100.64.0.4\"], \"user\": \"ana@example.com\"}",
	"{\"name\": \"web1\", \"addresses\": [\"100.64.0.7\", \"fd7a:115c:a1e0::7\"], \"tags\": [\"tag:server\"],"
	" \"routes\": [\"10.50.0.0/16\"]}",
	"{\"name\": \"db1\", \"addresses\": [\"100.64.0.8\"], \"tags\": [\"tag:db\", \"tag:server\"]}",
	"{\"name\": \"tv\", \"addresses\": [\"100.64.0.9\"], \"tags\": [\"tag:tv\"], \"state\": \"quarantined\"}",
};

static void put_family(struct text *t, bool mixed)
{
	struct parts p = { .n = ARRAY_LEN(family) };

	memcpy(p.items, family, sizeof(family));
	if (mixed)
		shuffle(&p);
	put(t, "{\"users\": [\"ana@example.com\", \"ben@example.com\"], \"devices\": [");
	put_parts(t, &p);
	put(t, "]}");
}

/* The program as text, without the positions in the policy. free(). */
static char *program_of(const struct plan *p)
{
	const struct nft_env env = { .tunnel = "wg0", .dns_port = 53, .hooks = true };
	struct nft_prog *prog = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(lower_nft(p, &env, &prog, NULL), 0);
	nft_prog_print(prog, out);
	(void)nft_prog_free(prog);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_same_program(const struct world *a, const struct world *b, uint32_t round)
{
	CLEANUP(freep) char *x = program_of(a->plan);
	CLEANUP(freep) char *y = program_of(b->plan);

	if (strcmp(x, y) != 0)
		print_error("round %u\n", round);
	assert_string_equal(x, y);
}

static void order_of_devices_gives_the_same_bytes(void **state)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(world_done) struct world a, b;
		struct text policy = { .len = 0 }, devices = { .len = 0 }, mixed = { .len = 0 };

		seed = 31 + round * 7919;
		put_policy(&policy);
		put_family(&devices, false);
		put_family(&mixed, true);
		world_compile(&a, policy.buf, devices.buf);
		world_compile(&b, policy.buf, mixed.buf);
		assert_same_program(&a, &b, round);
	}
}

/* Groups, hosts and ipsets, and the members of the file itself. */
static void put_names_mixed(struct text *t, const struct parts *rules, bool mixed)
{
	struct parts groups = { { "\"group:a\": [\"ana@example.com\", \"ben@example.com\"]",
				  "\"group:b\": [\"ben@example.com\"]", "\"group:c\": []" },
				3 };
	struct parts hosts = {
		{ "\"nas\": \"192.168.1.20\"", "\"net\": \"10.1.0.0/16\"", "\"mail\": \"2001:db8::25\"" }, 3
	};
	struct parts sets = {
		{ "\"ipset:x\": [\"host:nas\", \"203.0.113.0/24\"]", "\"ipset:y\": [\"ipset:x\", \"198.51.100.1\"]" }, 2
	};
	struct parts tags = { { "\"tag:server\": []", "\"tag:db\": []", "\"tag:tv\": []" }, 3 };
	struct parts all = { .n = 5 };
	struct text members[5] = { 0 };

	if (mixed) {
		shuffle(&groups);
		shuffle(&hosts);
		shuffle(&sets);
		shuffle(&tags);
	}
	put(&members[0], "\"groups\": {");
	put_parts(&members[0], &groups);
	put(&members[1], "\"hosts\": {");
	put_parts(&members[1], &hosts);
	put(&members[2], "\"ipsets\": {");
	put_parts(&members[2], &sets);
	put(&members[3], "\"tagOwners\": {");
	put_parts(&members[3], &tags);
	put(&members[4], "\"grants\": [");
	put_parts(&members[4], rules);
	for (uint32_t i = 0; i < all.n; i++) {
		put(&members[i], i == 4 ? "]" : "}");
		all.items[i] = members[i].buf;
	}
	if (mixed)
		shuffle(&all);
	put(t, "{");
	put_parts(t, &all);
	put(t, "}");
}

static void order_of_names_gives_the_same_bytes(void **state)
{
	static const struct parts rules = {
		{ "{\"src\": [\"group:a\"], \"dst\": [\"ipset:y\", \"net\"], \"ip\": [\"tcp:443\", \"udp:53\"]}",
		  "{\"src\": [\"group:b\", \"tag:server\"], \"dst\": [\"mail\", \"tag:db\", \"ipset:x\"], \"ip\": "
		  "[\"*\"]}" },
		2
	};

	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(world_done) struct world a, b;
		struct text one = { .len = 0 }, two = { .len = 0 };

		seed = 41 + round * 7919;
		put_names_mixed(&one, &rules, false);
		put_names_mixed(&two, &rules, true);
		world_compile(&a, one.buf, family_devices);
		world_compile(&b, two.buf, family_devices);
		assert_same_program(&a, &b, round);
	}
}

/* The same destinations and services in another order: another text, so another mark, and nothing else. */
static void order_in_a_rule_changes_no_verdict(void **state)
{
	static const struct parts one = { { "{\"src\": [\"group:a\", \"tag:db\"], \"dst\": [\"ipset:y\", \"net\", "
					    "\"*\"], \"ip\": [\"tcp:443\", \"udp:1-99\"]}" },
					  1 };
	static const struct parts two = { { "{\"src\": [\"tag:db\", \"group:a\"], \"dst\": [\"*\", \"net\", "
					    "\"ipset:y\"], \"ip\": [\"udp:1-99\", \"tcp:443\"]}" },
					  1 };
	CLEANUP(world_done) struct world a, b;
	struct text x = { .len = 0 }, y = { .len = 0 };

	put_names_mixed(&x, &one, false);
	put_names_mixed(&y, &two, false);
	world_compile(&a, x.buf, family_devices);
	world_compile(&b, y.buf, family_devices);
	assert_int_equal(a.plan->n_classes, b.plan->n_classes);
	assert_int_equal(a.plan->named.n_ranges, b.plan->named.n_ranges);
	assert_int_equal(a.plan->wide.n_ranges, b.plan->wide.n_ranges);
	seed = 51;
	for (uint32_t i = 0; i < PACKETS * 10; i++) {
		struct packet pkt = random_packet();
		const char *rule_a, *rule_b;

		assert_int_equal(plan_says(a.plan, &pkt, &rule_a), plan_says(b.plan, &pkt, &rule_b));
		assert_string_equal(rule_a, rule_b);
	}
}

/* One rule of a random policy as a part of its own. */
static void order_of_rules_changes_no_verdict(void **state)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(world_done) struct world a, b;
		struct text rules[RULES_MAX] = { 0 }, one = { .len = 0 }, two = { .len = 0 };
		struct parts p = { .n = RULES_MAX };

		seed = 61 + round * 7919;
		for (uint32_t i = 0; i < RULES_MAX; i++) {
			put(&rules[i], "{");
			put_list(&rules[i], "src", srcs, ARRAY_LEN(srcs));
			put(&rules[i], ", ");
			put_list(&rules[i], "dst", dsts, ARRAY_LEN(dsts));
			put(&rules[i], ", ");
			put_list(&rules[i], "ip", ips, ARRAY_LEN(ips));
			put(&rules[i], "}");
			p.items[i] = rules[i].buf;
		}
		for (int mixed = 0; mixed < 2; mixed++) {
			struct text *t = mixed ? &two : &one;

			if (mixed)
				shuffle(&p);
			put(t, "{" FAMILY_NAMES
			       "\"ipsets\": {\"ipset:mix\": [\"add autogroup:internet\", \"remove 203.0.113.9\"]},"
			       "\"grants\": [");
			put_parts(t, &p);
			put(t, "]}");
		}
		world_compile(&a, one.buf, family_devices);
		world_compile(&b, two.buf, family_devices);
		for (uint32_t i = 0; i < PACKETS; i++) {
			struct packet pkt = random_packet();
			const char *rule;

			assert_int_equal(plan_says(a.plan, &pkt, &rule), plan_says(b.plan, &pkt, &rule));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_of_devices_gives_the_same_bytes),
		cmocka_unit_test(order_of_names_gives_the_same_bytes),
		cmocka_unit_test(order_in_a_rule_changes_no_verdict),
		cmocka_unit_test(order_of_rules_changes_no_verdict),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
