/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What policies mean: tables of packets and verdicts. Every row is asked of the evaluator and of the compiled plan. */
#include "world.h"

struct row {
	const char *src, *dst;
	uint8_t proto;
	uint16_t port;
	const char *name;
	enum plan_action want;
	const char *rule;
	const char *reason; /* part of it, or NULL */
};

static void check_row(const struct world *w, const struct row *row)
{
	struct packet pkt = { .src = addr(row->src), .dst = addr(row->dst), .proto = row->proto, .port = row->port };
	struct dname name;
	struct verdict v;
	const char *rule;

	if (row->name != NULL) {
		assert_int_equal(dname_parse(row->name, strlen(row->name), &name), 0);
		pkt.name = &name;
	}
	evaluate_packet(w->policy, w->devices, &w->env, &pkt, &v);
	if (v.action != row->want || strcmp(v.rule, row->rule) != 0)
		print_error("%s -> %s %u:%u: %d %s (%s)\n", row->src, row->dst, row->proto, row->port, v.action, v.rule,
			    v.reason);
	assert_int_equal(v.action, row->want);
	assert_string_equal(v.rule, row->rule);
	if (row->reason != NULL && strstr(v.reason, row->reason) == NULL)
		fail_msg("reason: %s", v.reason);
	assert_int_equal(plan_says(w->plan, &pkt, &rule), row->want);
}

static void check_table(const char *policy, const struct row *rows, size_t n)
{
	CLEANUP(world_done) struct world w;

	world_compile(&w, policy, family_devices);
	for (size_t i = 0; i < n; i++)
		check_row(&w, &rows[i]);
}

static void who_asks_decides(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", "allowed by" },
		{ "fd7a:115c:a1e0::2", "2001:db8::1", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 444, NULL, PLAN_DROP, "", "no rule allows" },
		{ "100.64.0.3", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.7", "203.0.113.9", 6, 25, NULL, PLAN_ACCEPT, "/grants/1", NULL },
		{ "100.64.0.8", "203.0.113.9", 6, 25, NULL, PLAN_ACCEPT, "/grants/1", NULL },
		{ "100.64.0.8", "203.0.113.9", 6, 26, NULL, PLAN_ACCEPT, "/grants/2", NULL },
		{ "100.64.0.3", "203.0.113.9", 17, 99, NULL, PLAN_ACCEPT, "/grants/3", NULL },
		{ "100.64.0.2", "203.0.113.9", 17, 99, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.99", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "", "unknown device" },
		{ "100.64.0.4", "203.0.113.9", 132, 7, NULL, PLAN_ACCEPT, "/grants/4", NULL },
		{ "100.64.0.7", "203.0.113.9", 132, 7, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.7", "203.0.113.9", 132, 8, NULL, PLAN_ACCEPT, "/grants/5", NULL },
	};

	check_table("{" FAMILY_NAMES "\"grants\": ["
		    "{\"src\": [\"ana@example.com\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"tcp:443\"]},"
		    "{\"src\": [\"tag:server\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"tcp:25\"]},"
		    "{\"src\": [\"tag:db\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"tcp:25-26\"]},"
		    "{\"src\": [\"100.64.0.3/32\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"udp:99\"]},"
		    "{\"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"sctp:7\"]},"
		    "{\"src\": [\"autogroup:tagged\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"sctp:8\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void denies_beat_everything(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "/denies/0", "refused by" },
		{ "100.64.0.2", "203.0.113.10", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "198.51.100.1", 6, 25, NULL, PLAN_REJECT, "/denies/1", NULL },
		{ "100.64.0.2", "198.51.100.1", 6, 26, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 25, NULL, PLAN_DROP, "/denies/0", NULL },
		{ "100.64.0.2", "192.168.1.20", 6, 25, NULL, PLAN_REJECT, "/denies/1", NULL },
		{ "100.64.0.2", "203.0.113.77", 6, 443, "x.ads.example", PLAN_DROP, "/denies/2", NULL },
		{ "100.64.0.2", "203.0.113.77", 6, 443, "ads.example", PLAN_ACCEPT, "/grants/0", NULL },
	};

	check_table("{" FAMILY_NAMES "\"grants\": ["
		    "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}], \"denies\": ["
		    "{\"src\": [\"*\"], \"dst\": [\"203.0.113.9\"], \"ip\": [\"*\"]},"
		    "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"tcp:25\"], \"reject\": true},"
		    "{\"src\": [\"*\"], \"dst\": [\"dns:*.ads.example\"], \"ip\": [\"*\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void acls_come_before_grants(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_ACCEPT, "/acls/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 80, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 1, 0, NULL, PLAN_ACCEPT, "/acls/0", NULL },
	};

	check_table("{" FAMILY_NAMES "\"grants\": ["
		    "{\"src\": [\"*\"], \"dst\": [\"203.0.113.9\"], \"ip\": [\"*\"]}], \"acls\": ["
		    "{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"203.0.113.9:443\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void the_lan_is_closed_to_wide_destinations(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 80, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "192.168.1.21", 6, 80, NULL, PLAN_DROP, "", "LAN guard: 192.168.1.21" },
		{ "100.64.0.2", "10.1.2.3", 6, 80, NULL, PLAN_DROP, "", "private network" },
		{ "100.64.0.2", "172.31.255.255", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "100.64.0.2", "172.32.0.0", 6, 80, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "169.254.169.254", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "100.64.0.2", "127.0.0.1", 6, 80, NULL, PLAN_DROP, "", "loopback" },
		{ "100.64.0.2", "0.0.0.0", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "100.64.0.2", "224.0.0.251", 17, 80, NULL, PLAN_DROP, "", "multicast" },
		{ "100.64.0.2", "255.255.255.255", 17, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "100.64.0.2", "100.100.1.1", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "100.64.0.2", "198.18.0.77", 6, 80, NULL, PLAN_DROP, "", "attached" },
		{ "100.64.0.2", "198.18.1.77", 6, 80, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "fd7a:115c:a1e0::2", "fd00::1", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "fd7a:115c:a1e0::2", "fe80::1", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "fd7a:115c:a1e0::2", "::ffff:192.168.1.1", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "fd7a:115c:a1e0::2", "64:ff9b::a01:203", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		/* What is registered is no stranger's LAN: devices and their approved routes. */
		{ "100.64.0.2", "100.64.0.7", 6, 80, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "10.50.1.1", 6, 80, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		/* Named, it is open. */
		{ "100.64.0.2", "192.168.1.20", 6, 445, NULL, PLAN_ACCEPT, "/grants/1", NULL },
		{ "100.64.0.2", "192.168.1.20", 6, 446, NULL, PLAN_DROP, "", "LAN guard" },
	};

	check_table("{" FAMILY_NAMES "\"grants\": ["
		    "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]},"
		    "{\"src\": [\"*\"], \"dst\": [\"nas\"], \"ip\": [\"tcp:445\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void internet_does_not_cover_devices(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 80, NULL, PLAN_ACCEPT, "/acls/0", NULL },
		{ "100.64.0.2", "100.64.0.7", 6, 80, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.2", "10.50.1.1", 6, 80, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.3", "203.0.113.9", 6, 80, NULL, PLAN_ACCEPT, "/acls/1", NULL },
		{ "100.64.0.3", "10.50.1.1", 6, 80, NULL, PLAN_DROP, "", "LAN guard" },
		{ "fd7a:115c:a1e0::3", "2001:db8::1", 6, 80, NULL, PLAN_DROP, "", NULL },
	};

	check_table("{" FAMILY_NAMES "\"acls\": ["
		    "{\"action\": \"accept\", \"src\": [\"ana@example.com\"], \"dst\": [\"autogroup:internet:*\"]},"
		    "{\"action\": \"accept\", \"src\": [\"ben@example.com\"], \"dst\": [\"0.0.0.0/0:*\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void encrypted_resolvers_must_be_named(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "9.9.9.9", 6, 853, NULL, PLAN_DROP, "", "resolver guard" },
		{ "100.64.0.2", "9.9.9.9", 17, 853, NULL, PLAN_DROP, "", "resolver guard" },
		{ "100.64.0.2", "9.9.9.9", 6, 852, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "9.9.9.9", 6, 854, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "149.112.112.112", 6, 853, NULL, PLAN_ACCEPT, "/grants/1", NULL },
	};

	check_table("{" FAMILY_NAMES "\"grants\": ["
		    "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]},"
		    "{\"src\": [\"*\"], \"dst\": [\"149.112.112.112\"], \"ip\": [\"tcp:853\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void names_open_what_they_resolve_to(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 443, "deb.debian.org", PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 80, "deb.debian.org", PLAN_DROP, "", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 443, "x.deb.debian.org", PLAN_DROP, "", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 443, "api.github.com", PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 443, "a.b.github.com", PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 443, "github.com", PLAN_DROP, "", NULL },
		/* What the name means inside the LAN is the resolver's matter (rebind guard). */
		{ "100.64.0.2", "192.168.1.99", 6, 443, "deb.debian.org", PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.7", "203.0.113.9", 6, 443, "deb.debian.org", PLAN_DROP, "", NULL },
		{ "100.64.0.2", "203.0.113.99", 6, 443, "deb.debian.org", PLAN_DROP, "/denies/0", NULL },
	};

	check_table("{" FAMILY_NAMES "\"grants\": [{\"src\": [\"ana@example.com\"],"
		    "\"dst\": [\"dns:deb.debian.org\", \"dns:*.github.com\"], \"ip\": [\"tcp:443\"]}],"
		    "\"denies\": [{\"src\": [\"*\"], \"dst\": [\"203.0.113.99\"], \"ip\": [\"*\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void resolve_first_wants_a_name(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.7", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "", "resolve-first" },
		{ "100.64.0.7", "203.0.113.9", 6, 443, "a.example", PLAN_ACCEPT, "/grants/0", NULL },
		/* The first filter that matches is the device's, also when a later one says otherwise. */
		{ "100.64.0.8", "203.0.113.9", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", NULL },
	};

	check_table("{" FAMILY_NAMES
		    "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"]}],"
		    "\"dns\": {\"filters\": [{\"src\": [\"tag:db\"], \"block\": []},"
		    "{\"src\": [\"tag:server\"], \"block\": [], \"resolveFirst\": true}]}}",
		    rows, ARRAY_LEN(rows));
}

static void a_device_that_is_not_active_is_cut_off(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.9", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "", "quarantined" },
		{ "100.64.0.10", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "", "expired" },
		{ "100.64.0.2", "100.64.0.9", 6, 443, NULL, PLAN_DROP, "", "quarantined" },
		{ "100.64.0.2", "100.64.0.10", 6, 443, NULL, PLAN_DROP, "", "expired" },
		{ "100.64.0.2", "100.64.0.8", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", NULL },
	};

	check_table("{" FAMILY_NAMES "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"100.64.0.0/24\"], \"ip\": [\"*\"]},"
		    "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void self_is_ones_own_devices(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "100.64.0.4", 6, 22, NULL, PLAN_ACCEPT, "/acls/0", NULL },
		{ "100.64.0.2", "100.64.0.3", 6, 22, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.3", "100.64.0.2", 6, 22, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.2", "100.64.0.7", 6, 22, NULL, PLAN_DROP, "", NULL },
	};

	check_table("{" FAMILY_NAMES "\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:member\"],"
		    "\"dst\": [\"autogroup:self:*\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static void no_rules_at_all_allow_and_an_empty_list_denies(void **state)
{
	static const struct row open[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_ACCEPT, "/", "neither acls nor grants" },
		{ "100.64.0.2", "192.168.1.1", 6, 443, NULL, PLAN_DROP, "", "LAN guard" },
		{ "100.64.0.2", "100.64.0.7", 1, 0, NULL, PLAN_ACCEPT, "/", NULL },
	};
	static const struct row closed[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_DROP, "", "no rule allows" },
	};

	check_table("{}", open, ARRAY_LEN(open));
	check_table("{\"acls\": []}", closed, ARRAY_LEN(closed));
}

static void ipsets_are_named_but_for_the_internet_in_them(void **state)
{
	static const struct row rows[] = {
		{ "100.64.0.2", "203.0.113.9", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "203.0.113.40", 6, 443, NULL, PLAN_DROP, "", NULL },
		{ "100.64.0.2", "10.9.0.1", 6, 443, NULL, PLAN_ACCEPT, "/grants/0", NULL },
		{ "100.64.0.2", "198.18.0.1", 6, 443, NULL, PLAN_DROP, "", "attached" },
		{ "100.64.0.2", "203.0.113.9", 6, 853, NULL, PLAN_DROP, "", "resolver guard" },
		{ "100.64.0.2", "10.9.0.1", 6, 853, NULL, PLAN_ACCEPT, "/grants/0", NULL },
	};

	check_table("{" FAMILY_NAMES "\"ipsets\": {\"ipset:out\": [\"add autogroup:internet\", \"add 10.9.0.0/24\","
		    "\"remove 203.0.113.40\"]}, \"grants\": [{\"src\": [\"*\"], \"dst\": [\"ipset:out\"], \"ip\": "
		    "[\"*\"]}]}",
		    rows, ARRAY_LEN(rows));
}

static int dns_blocks_ads(void *arg, int64_t at_s, const struct ip_addr *client, const struct dname *name)
{
	char text[DNAME_TEXT_MAX];

	return strcmp(dname_print(name, text), "ads.example") == 0;
}

static uint32_t failures_of(struct world *w, const char *tests, dns_test_fn dns)
{
	char policy[2000];

	(void)snprintf(policy, sizeof(policy),
		       "{" FAMILY_NAMES "\"grants\": ["
		       "{\"src\": [\"tag:server\"], \"dst\": [\"dns:deb.debian.org\"], \"ip\": [\"tcp:443\"]},"
		       "{\"src\": [\"ana@example.com\"], \"dst\": [\"tag:server\", \"nas\"], \"ip\": [\"tcp:22\"]},"
		       "{\"src\": [\"100.64.0.3\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"udp:500\"]}],"
		       "\"tests\": [%s]}",
		       tests);
	world_read(w, policy, family_devices);
	return evaluate_tests(w->policy, w->devices, &w->env, NULL, dns, NULL, &w->diags);
}

static void good_tests_pass(void **state)
{
	CLEANUP(world_done) struct world w;

	assert_int_equal(
		failures_of(&w,
			    "{\"src\": \"tag:server\", \"accept\": [\"dns:deb.debian.org:443\"], \"deny\": "
			    "[\"203.0.113.9:443\"]},"
			    "{\"src\": \"ana@example.com\", \"accept\": [\"tag:server:22\", \"nas:22\"], \"deny\": "
			    "[\"nas:23\"]},"
			    "{\"src\": \"ben@example.com\", \"accept\": [\"198.51.100.8:500\"]},"
			    "{\"src\": \"ben@example.com\", \"proto\": \"tcp\", \"deny\": [\"198.51.100.8:500\"]},"
			    "{\"src\": \"ben@example.com\", \"dns\": {\"block\": [\"ads.example\"], \"pass\": "
			    "[\"a.example\"]}}",
			    dns_blocks_ads),
		0);
	assert_int_equal(w.diags.n_errors, 0);
	assert_int_equal(w.diags.n_warnings, 0);
}

static void a_failed_test_says_who_what_and_why(void **state)
{
	CLEANUP(world_done) struct world w;

	assert_int_equal(failures_of(&w,
				     "{\"src\": \"ana@example.com\", \"deny\": [\"nas:22\"], \"accept\": [\"nas:80\"]}",
				     NULL),
			 4);
	assert_string_equal(w.diags.items[0].code, "P0801");
	assert_non_null(strstr(w.diags.items[0].msg,
			       "laptop to nas:80: expected accept, got drop for tcp from 100.64.0.2 to "
			       "192.168.1.20 port 80 (no rule"));
	assert_non_null(strstr(w.diags.items[2].msg, "expected deny, got accept for tcp from 100.64.0.2 to "
						     "192.168.1.20 port 22 (allowed by /grants/1"));
}

static void deny_means_both_tcp_and_udp_are_refused(void **state)
{
	CLEANUP(world_done) struct world w;

	assert_int_equal(failures_of(&w, "{\"src\": \"ben@example.com\", \"deny\": [\"198.51.100.8:500\"]}", NULL), 1);
}

static void failed_dns_tests_are_failures(void **state)
{
	CLEANUP(world_done) struct world w;

	assert_int_equal(failures_of(&w,
				     "{\"src\": \"ben@example.com\", \"dns\": {\"block\": [\"a.example\"],"
				     " \"pass\": [\"ads.example\"]}}",
				     dns_blocks_ads),
			 2);
}

static void tests_about_nobody_are_reported_as_not_run(void **state)
{
	CLEANUP(world_done) struct world w;

	assert_int_equal(failures_of(&w,
				     "{\"src\": \"tag:tv\", \"accept\": [\"nas:22\"]},"
				     "{\"src\": \"ana@example.com\", \"accept\": [\"tag:tv:22\"]},"
				     "{\"src\": \"ana@example.com\", \"dns\": {\"block\": [\"a.example\"]}}",
				     NULL),
			 0);
	assert_int_equal(w.diags.n_errors, 0);
	assert_int_equal(w.diags.n_warnings, 3);
}

static void tests_about_a_user_nobody_knows_fail(void **state)
{
	CLEANUP(world_done) struct world w;

	assert_int_equal(failures_of(&w,
				     "{\"src\": \"anna@example.com\", \"accept\": [\"tag:server:22\"]},"
				     "{\"src\": \"ana@example.com\", \"deny\": [\"bean@example.com:22\"]}",
				     NULL),
			 2);
	assert_string_equal(w.diags.items[0].code, "P0805");
	assert_string_equal(w.diags.items[1].code, "P0805");
	assert_non_null(strstr(w.diags.items[1].msg, "bean@example.com"));
}

/* Of a device with two addresses only the named one is asked for. */
static void a_test_of_an_address_is_about_no_other(void **state)
{
	CLEANUP(world_done) struct world w;

	assert_int_equal(
		failures_of(&w,
			    "{\"src\": \"100.64.0.3\", \"proto\": \"udp\", \"accept\": [\"198.51.100.8:500\"]},"
			    "{\"src\": \"100.64.0.3\", \"accept\": [\"[2606:4700::9]:500\"]}",
			    NULL),
		0);
	assert_int_equal(w.diags.n_warnings, 1);
	assert_string_equal(w.diags.items[0].code, "P0802");
}

/* With rules for ana on servers: root is let in, postgres is checked on db. */
static uint32_t ssh_failures_of(struct world *w, const char *tests)
{
	char policy[2000];

	(void)snprintf(policy, sizeof(policy),
		       "{" FAMILY_NAMES
		       "\"acls\": [], \"postures\": {\"posture:mac\": [\"node:os == 'macos'\"]}, \"ssh\": ["
		       "{\"action\": \"accept\", \"src\": [\"ana@example.com\"], \"dst\": [\"tag:server\"],"
		       " \"users\": [\"root\"]},"
		       "{\"action\": \"check\", \"src\": [\"ana@example.com\"], \"dst\": [\"tag:db\"],"
		       " \"users\": [\"postgres\"]},"
		       "{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"tag:db\"], \"users\": [\"mac\"],"
		       " \"srcPosture\": [\"posture:mac\"]},"
		       "{\"action\": \"accept\", \"src\": [\"autogroup:admin\"], \"dst\": [\"tag:db\"], \"users\": "
		       "[\"admin\"]}],"
		       "\"sshTests\": [%s]}",
		       tests);
	world_read(w, policy, family_devices);
	return evaluate_tests(w->policy, w->devices, &w->env, NULL, NULL, NULL, &w->diags);
}

static const struct diag *diag_with(const struct diag_list *l, const char *code)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].code, code) == 0)
			return &l->items[i];
	return NULL;
}

/* The only failure, its message, and the rule and words of its related place (NULL: none). */
static void ssh_failure_is(const char *tests, const char *msg, uint32_t rule, const char *why)
{
	CLEANUP(world_done) struct world w;
	const struct diag *d;

	assert_int_equal(ssh_failures_of(&w, tests), 1);
	d = diag_with(&w.diags, "P0801");
	assert_non_null(d);
	assert_string_equal(d->msg, msg);
	assert_int_equal(d->related_msg != NULL, why != NULL);
	if (why == NULL || d->related_msg == NULL)
		return;
	assert_non_null(strstr(d->related_msg, why));
	assert_int_equal(d->related.start, w.policy->ssh_rules[rule].span.start);
}

static void a_failed_ssh_test_says_who_where_and_as_whom(void **state)
{
	ssh_failure_is("{\"src\": \"100.64.0.2\", \"dst\": [\"tag:db\"], \"accept\": [\"mallory\"]}",
		       "test failed: ssh: laptop to tag:db (db1) as mallory: expected accept, got deny", 0, NULL);
	ssh_failure_is("{\"src\": \"100.64.0.2\", \"dst\": [\"tag:db\"], \"check\": [\"root\"]}",
		       "test failed: ssh: laptop to tag:db (db1) as root: expected check, got accept", 0,
		       "this rule decided");
	ssh_failure_is("{\"src\": \"100.64.0.2\", \"dst\": [\"tag:db\"], \"deny\": [\"postgres\"]}",
		       "test failed: ssh: laptop to tag:db (db1) as postgres: expected deny, got check", 1,
		       "this rule decided");
}

static void a_failed_ssh_test_names_the_rule_that_is_not_known_here(void **state)
{
	ssh_failure_is("{\"src\": \"100.64.0.2\", \"dst\": [\"tag:db\"], \"accept\": [\"mac\"]}",
		       "test failed: ssh: laptop to tag:db (db1) as mac: expected accept, got deny", 2,
		       "devices' posture is not known");
	ssh_failure_is("{\"src\": \"100.64.0.2\", \"dst\": [\"tag:db\"], \"accept\": [\"admin\"]}",
		       "test failed: ssh: laptop to tag:db (db1) as admin: expected accept, got deny", 3,
		       "name users or groups");
}

static void each_login_that_fails_counts(void **state)
{
	CLEANUP(world_done) struct world w;

	/* Two devices of Ana's, two servers, two names. */
	assert_int_equal(ssh_failures_of(&w, "{\"src\": \"ana@example.com\", \"dst\": [\"tag:server\"],"
					     " \"accept\": [\"mallory\", \"eve\"]}"),
			 8);
	assert_int_equal(w.diags.n_errors, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asks_decides),
		cmocka_unit_test(denies_beat_everything),
		cmocka_unit_test(acls_come_before_grants),
		cmocka_unit_test(the_lan_is_closed_to_wide_destinations),
		cmocka_unit_test(internet_does_not_cover_devices),
		cmocka_unit_test(encrypted_resolvers_must_be_named),
		cmocka_unit_test(names_open_what_they_resolve_to),
		cmocka_unit_test(resolve_first_wants_a_name),
		cmocka_unit_test(a_device_that_is_not_active_is_cut_off),
		cmocka_unit_test(self_is_ones_own_devices),
		cmocka_unit_test(no_rules_at_all_allow_and_an_empty_list_denies),
		cmocka_unit_test(ipsets_are_named_but_for_the_internet_in_them),
		cmocka_unit_test(good_tests_pass),
		cmocka_unit_test(a_failed_test_says_who_what_and_why),
		cmocka_unit_test(deny_means_both_tcp_and_udp_are_refused),
		cmocka_unit_test(failed_dns_tests_are_failures),
		cmocka_unit_test(tests_about_nobody_are_reported_as_not_run),
		cmocka_unit_test(tests_about_a_user_nobody_knows_fail),
		cmocka_unit_test(a_test_of_an_address_is_about_no_other),
		cmocka_unit_test(a_failed_ssh_test_says_who_where_and_as_whom),
		cmocka_unit_test(a_failed_ssh_test_names_the_rule_that_is_not_known_here),
		cmocka_unit_test(each_login_that_fails_counts),
	};

	return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
