/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Sluice adds to the language: countries, networks and address lists; schedules; tests at a time; and the reasons
 * why. Verdicts are asked of the evaluator and of the compiled plan. */
#include "world.h"

#include "policy/schedule.h"

#define RANGE4(a, b, c, d, e, f, g, h)                                                                                 \
	{                                                                                                              \
		.first = { .family = IP_V4, .bytes = { a, b, c, d } }, .last = {                                       \
			.family = IP_V4,                                                                               \
			.bytes = { e, f, g, h }                                                                        \
		}                                                                                                      \
	}

/* Germany has a part of a private network, too: a database may be wrong, or somebody's own. */
static const struct ip_range germany[] = {
	RANGE4(10, 9, 0, 0, 10, 9, 255, 255),
	RANGE4(198, 51, 100, 0, 198, 51, 100, 255),
	{ .first = { .family = IP_V6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0a } },
	  .last = { .family = IP_V6,
		    .bytes = { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } } },
};
static const struct ip_range transit[] = { RANGE4(198, 51, 100, 128, 198, 51, 100, 191),
					   RANGE4(203, 0, 113, 0, 203, 0, 113, 255) };
static const struct ip_range bad[] = { RANGE4(203, 0, 113, 66, 203, 0, 113, 66) };

static const struct prefix_source sources[] = {
	{ PREFIX_GEO, "DE", germany, ARRAY_LEN(germany) },
	{ PREFIX_ASN, "64501", transit, ARRAY_LEN(transit) },
	{ PREFIX_LIST, "drop", bad, ARRAY_LEN(bad) },
};

/* Clocks of Paris in 2026: forward on March 29th, back on October 25th, both at 01:00 UTC. */
static const struct zone_offset paris[] = { { 0, 3600 }, { 1774746000, 7200 }, { 1792890000, 3600 } };
static const struct zone_info zones[] = { { "Europe/Paris", paris, ARRAY_LEN(paris) } };
static const char *const zone_names[] = { "Europe/Berlin", "Europe/Paris", NULL };

#define NOVEMBER_21 INT64_C(1795219200) /* 2026-11-21 00:00 UTC, a Saturday */
#define HOUR	    INT64_C(3600)

#define DROP_LIST "\"dns\": {\"iplists\": {\"drop\": {\"url\": \"https://lists.example/drop.txt\"}}},"

static void world_of(struct world *w, const char *policy, int64_t at_s)
{
	world_read(w, policy, family_devices);
	w->env.prefixes = sources;
	w->env.n_prefixes = ARRAY_LEN(sources);
	w->env.zones = zones;
	w->env.n_zones = ARRAY_LEN(zones);
	w->env.zone_names = zone_names;
	w->env.at_s = at_s;
	if (plan_compile(w->policy, w->devices, &w->env, &w->diags, &w->plan) != 0) {
		diag_print(&w->diags, stderr);
		fail();
	}
}

static enum plan_action asked(const struct world *w, const char *dst, uint16_t port, const char *name)
{
	struct packet pkt = { .src = addr(strchr(dst, ':') != NULL ? "fd7a:115c:a1e0::2" : "100.64.0.2"),
			      .dst = addr(dst),
			      .proto = 6,
			      .port = port };
	struct dname parsed;
	struct verdict v;
	const char *rule;

	if (name != NULL) {
		assert_int_equal(dname_parse(name, strlen(name), &parsed), 0);
		pkt.name = &parsed;
	}
	evaluate_packet(w->policy, w->devices, &w->env, &pkt, &v);
	if (plan_says(w->plan, &pkt, &rule) != v.action)
		fail_msg("%s: evaluator %d %s (%s), plan %s", dst, v.action, v.rule, v.reason, rule);
	return v.action;
}

struct question {
	const char *dst;
	enum plan_action want;
};

static void all_asked(const char *policy, const struct question *q, size_t n)
{
	CLEANUP(world_done) struct world w;

	world_of(&w, policy, 0);
	for (size_t i = 0; i < n; i++) {
		if (asked(&w, q[i].dst, 443, NULL) != q[i].want)
			fail_msg("%s", q[i].dst);
	}
}

static void a_country_is_opened_but_not_what_is_guarded_in_it(void **state)
{
	static const struct question q[] = {
		{ "198.51.100.1", PLAN_ACCEPT }, { "198.51.101.1", PLAN_DROP }, { "2001:db8:a::1", PLAN_ACCEPT },
		{ "2001:db8:b::1", PLAN_DROP },	 { "10.9.1.1", PLAN_DROP },	{ "203.0.113.7", PLAN_ACCEPT },
		{ "203.0.113.66", PLAN_ACCEPT },
	};
	CLEANUP(world_done) struct world w;
	const char *policy = "{" FAMILY_NAMES "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"geo:DE\"], \"ip\": [\"*\"]},"
			     "{\"src\": [\"*\"], \"dst\": [\"asn:64501\"], \"ip\": [\"tcp:443\"]}]}";

	all_asked(policy, q, ARRAY_LEN(q));
	/* Nor encrypted DNS. */
	world_of(&w, policy, 0);
	assert_int_equal(asked(&w, "198.51.100.1", 853, NULL), PLAN_DROP);
	assert_int_equal(asked(&w, "198.51.100.1", 854, NULL), PLAN_ACCEPT);
}

static void a_deny_of_a_country_or_list_closes_all_of_it(void **state)
{
	static const struct question q[] = {
		{ "198.51.100.1", PLAN_DROP },	 { "198.51.99.1", PLAN_ACCEPT }, { "2001:db8:a::1", PLAN_DROP },
		{ "10.9.1.1", PLAN_DROP },	 { "10.8.1.1", PLAN_ACCEPT },	 { "203.0.113.66", PLAN_REJECT },
		{ "203.0.113.67", PLAN_ACCEPT },
	};

	all_asked("{" FAMILY_NAMES DROP_LIST
		  "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\", \"10.0.0.0/8\"], \"ip\": [\"*\"]}],"
		  "\"denies\": [{\"src\": [\"*\"], \"dst\": [\"geo:DE\"], \"ip\": [\"*\"]},"
		  "{\"src\": [\"*\"], \"dst\": [\"iplist:drop\"], \"ip\": [\"*\"], \"reject\": true}]}",
		  q, ARRAY_LEN(q));
}

static void ipsets_add_and_remove_them_in_order(void **state)
{
	static const struct question q[] = {
		{ "198.51.100.1", PLAN_ACCEPT },   /* Germany */
		{ "198.51.100.130", PLAN_DROP },   /* without the transit */
		{ "198.51.100.140", PLAN_ACCEPT }, /* but with this of it */
		{ "198.51.100.192", PLAN_ACCEPT }, { "203.0.113.7", PLAN_DROP },  { "203.0.113.66", PLAN_DROP },
		{ "192.168.1.20", PLAN_ACCEPT },   { "192.168.1.21", PLAN_DROP }, { "10.9.1.1", PLAN_DROP },
	};

	all_asked("{" FAMILY_NAMES DROP_LIST
		  "\"ipsets\": {\"ipset:a\": [\"add host:nas\", \"add geo:DE\", \"remove asn:64501\", "
		  "\"add 198.51.100.140\"],"
		  "\"ipset:b\": [\"add ipset:a\", \"add iplist:drop\", \"remove iplist:drop\"]},"
		  "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"ipset:b\"], \"ip\": [\"*\"]}]}",
		  q, ARRAY_LEN(q));
}

static void the_internet_without_a_country(void **state)
{
	static const struct question q[] = {
		{ "8.8.8.8", PLAN_ACCEPT },	  { "198.51.100.1", PLAN_DROP }, { "2001:db8:a::1", PLAN_DROP },
		{ "2001:db8:b::1", PLAN_ACCEPT }, { "192.168.1.1", PLAN_DROP },
	};

	all_asked("{" FAMILY_NAMES "\"ipsets\": {\"ipset:out\": [\"add autogroup:internet\", \"remove geo:DE\"]},"
		  "\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"ipset:out:443\"]}]}",
		  q, ARRAY_LEN(q));
}

/* Sets of random steps, asked at every edge. */
static void evaluator_and_plan_agree_on_random_sets(void **state)
{
	static const char *const operands[] = { "geo:DE",      "asn:64501",
						"iplist:drop", "autogroup:internet",
						"host:nas",    "198.51.100.0/25",
						"ipset:x",     "203.0.113.60-203.0.113.70",
						"10.9.0.0/16", "192.168.0.0/16" };
	static const char *const edges[] = {
		"198.51.99.255",  "198.51.100.0",   "198.51.100.127", "198.51.100.128",
		"198.51.100.191", "198.51.100.192", "203.0.112.255",  "203.0.113.59",
		"203.0.113.60",	  "203.0.113.66",   "203.0.113.67",   "203.0.114.0",
		"10.8.255.255",	  "10.9.0.0",	    "10.10.0.0",      "192.168.1.20",
		"192.168.1.21",	  "2001:db8:a::",   "2001:db8:b::",   "2001:db8:9:ffff:ffff:ffff:ffff:ffff"
	};
	uint32_t seed = 20261121;

	for (int round = 0; round < 300; round++) {
		CLEANUP(world_done) struct world w;
		char set[600] = "", policy[2000];
		bool deny = (round & 1) != 0;

		for (int i = 0; i < 5; i++) {
			size_t len = strlen(set);

			seed = seed * 1664525u + 1013904223u;
			(void)snprintf(set + len, sizeof(set) - len, "%s\"%s %s\"", i > 0 ? ", " : "",
				       (seed >> 30) == 0 ? "remove" : "add",
				       operands[(seed >> 8) % ARRAY_LEN(operands)]);
		}
		(void)snprintf(policy, sizeof(policy),
			       "{" FAMILY_NAMES DROP_LIST
			       "\"ipsets\": {\"ipset:x\": [\"add asn:64501\", \"remove 203.0.113.0/26\"],"
			       " \"ipset:y\": [%s]},"
			       "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"%s\"], \"ip\": [\"*\"]}],"
			       "\"denies\": [{\"src\": [\"*\"], \"dst\": [\"%s\"], \"ip\": [\"tcp:443\"]}]}",
			       set, deny ? "*" : "ipset:y", deny ? "ipset:y" : "192.0.2.1");
		world_of(&w, policy, 0);
		for (size_t i = 0; i < ARRAY_LEN(edges); i++)
			(void)asked(&w, edges[i], 443, NULL);
	}
}

static bool said(const struct world *w, const char *code, const char *part)
{
	for (uint32_t i = 0; i < w->diags.n; i++)
		if (strcmp(w->diags.items[i].code, code) == 0 && strstr(w->diags.items[i].msg, part) != NULL)
			return true;
	return false;
}

static void what_is_not_known_refuses_the_policy(void **state)
{
	CLEANUP(world_done) struct world w;

	world_read(
		&w,
		"{" FAMILY_NAMES DROP_LIST "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"geo:DE\", \"geo:FR\"], \"ip\": "
		"[\"*\"], \"when\": \"daily Europe/Pariss\"}],"
		"\"denies\": [{\"src\": [\"*\"], \"dst\": [\"iplist:drop\", \"asn:1\", \"geo:FR\"], \"ip\": [\"*\"]}]}",
		family_devices);
	assert_int_equal(w.policy->n_needs, 4);
	w.env.prefixes = sources;
	w.env.n_prefixes = 1;
	w.env.zone_names = zone_names;
	assert_int_equal(plan_compile(w.policy, w.devices, &w.env, &w.diags, &w.plan), -EINVAL);
	assert_null(w.plan);
	assert_true(said(&w, "P0910", "geo:FR: "));
	assert_true(said(&w, "P0910", "--geo"));
	assert_true(said(&w, "P0910", "iplist:drop: "));
	assert_true(said(&w, "P0910", "asn:1: "));
	assert_true(said(&w, "P0913", "did you mean \"Europe/Paris\"?"));
	assert_int_equal(w.diags.n_errors, 4);
}

static void who_only_checks_can_do_without(void **state)
{
	CLEANUP(world_done) struct world w;
	struct packet pkt = { .src = addr("100.64.0.2"), .dst = addr("203.0.113.9"), .proto = 6, .port = 443 };
	struct verdict v;

	world_read(&w,
		   "{" FAMILY_NAMES
		   "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"]}],"
		   "\"denies\": [{\"src\": [\"ana@example.com\"], \"dst\": [\"geo:KP\"], \"ip\": [\"tcp:443\"]}],"
		   "\"tests\": [{\"src\": \"ana@example.com\", \"accept\": [\"203.0.113.9:443\", \"203.0.113.9:80\", "
		   "\"dns:a.example:443\"]},"
		   " {\"src\": \"ana@example.com\", \"proto\": \"tcp\", \"accept\": [\"203.0.113.9:443\"]},"
		   " {\"src\": \"ben@example.com\", \"accept\": [\"203.0.113.9:443\"]},"
		   " {\"src\": \"ana@example.com\", \"proto\": \"tcp\", \"deny\": [\"192.168.7.7:443\"]}]}",
		   family_devices);
	w.env.lenient = true;
	assert_int_equal(plan_compile(w.policy, w.devices, &w.env, &w.diags, &w.plan), 0);
	assert_true(said(&w, "P0911", "geo:KP"));
	/* Nobody may take what cannot be told for allowed. */
	evaluate_packet(w.policy, w.devices, &w.env, &pkt, &v);
	assert_int_equal(v.action, PLAN_DROP);
	assert_string_equal(v.unknown, "geo:KP");
	/* Without a protocol UDP satisfies the first: but that TCP does is what cannot be told, and UDP is said. */
	assert_int_equal(evaluate_tests(w.policy, w.devices, &w.env, NULL, NULL, NULL, &w.diags), 0);
	assert_int_equal(w.diags.n_errors, 0);
	assert_true(said(&w, "P0804", "laptop to 203.0.113.9:443 hangs on"));
}

static void a_country_without_addresses_earns_a_warning(void **state)
{
	static const struct prefix_source none[] = { { PREFIX_GEO, "AQ", NULL, 0 } };
	CLEANUP(world_done) struct world w;

	world_read(&w, "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"geo:AQ\"], \"ip\": [\"*\"]}]}", family_devices);
	w.env.prefixes = none;
	w.env.n_prefixes = 1;
	assert_int_equal(plan_compile(w.policy, w.devices, &w.env, &w.diags, &w.plan), 0);
	assert_true(said(&w, "P0912", "geo:AQ"));
}

/* --- Schedules. --- */

static struct doc_when when_of(struct world *w, const char *when)
{
	char policy[600];

	(void)snprintf(policy, sizeof(policy),
		       "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"when\": %s}]}", when);
	world_of(w, policy, 0);
	return w->policy->rules[0].when;
}

static void hours_are_those_of_the_zone(void **state)
{
	static const struct {
		const char *when;
		int64_t at_s;
		bool want;
	} rows[] = {
		{ "\"Sat\"", NOVEMBER_21, true },
		{ "\"Sat\"", NOVEMBER_21 - 1, false },
		{ "\"Sat\"", NOVEMBER_21 + 24 * HOUR, false },
		{ "\"07:00-21:00\"", NOVEMBER_21 + 7 * HOUR, true },
		{ "\"07:00-21:00\"", NOVEMBER_21 + 7 * HOUR - 1, false },
		{ "\"07:00-21:00\"", NOVEMBER_21 + 21 * HOUR - 1, true },
		{ "\"07:00-21:00\"", NOVEMBER_21 + 21 * HOUR, false },
		{ "\"07:00-21:00 Europe/Paris\"", NOVEMBER_21 + 6 * HOUR, true },
		{ "\"07:00-21:00 Europe/Paris\"", NOVEMBER_21 + 6 * HOUR - 1, false },
		{ "\"07:00-21:00 Europe/Paris\"", NOVEMBER_21 + 20 * HOUR, false },
		/* In summer an hour earlier: 2026-07-01. */
		{ "\"07:00-21:00 Europe/Paris\"", 1782864000 + 5 * HOUR, true },
		{ "\"Mon-Fri 07:00-21:00\"", NOVEMBER_21 + 12 * HOUR, false },
		{ "\"Mon-Fri 07:00-21:00\"", NOVEMBER_21 - 12 * HOUR, true },
		{ "\"Fri-Mon\"", NOVEMBER_21 + 48 * HOUR, true },
		{ "\"Fri-Mon\"", NOVEMBER_21 + 72 * HOUR, false },
		/* Friday night goes on until Saturday morning, Saturday's does not begin. */
		{ "\"Fri 22:00-06:00\"", NOVEMBER_21 + 6 * HOUR - 1, true },
		{ "\"Fri 22:00-06:00\"", NOVEMBER_21 + 6 * HOUR, false },
		{ "\"Fri 22:00-06:00\"", NOVEMBER_21 - 2 * HOUR, true },
		{ "\"Fri 22:00-06:00\"", NOVEMBER_21 + 23 * HOUR, false },
		{ "\"sat,sun 18:00-24:00\"", NOVEMBER_21 + 24 * HOUR - 1, true },
		{ "\"daily\"", NOVEMBER_21, true },
		{ "[\"Mon\", \"Sat 00:00-01:00\"]", NOVEMBER_21, true },
		{ "[\"Mon\", \"Sat 00:00-01:00\"]", NOVEMBER_21 + HOUR, false },
		{ "\"Mon\"", 0, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(world_done) struct world w;
		struct doc_when when = when_of(&w, rows[i].when);

		w.env.at_s = rows[i].at_s;
		if (evaluate_in_hours(w.policy, &w.env, &when) != rows[i].want)
			fail_msg("%s at %lld", rows[i].when, (long long)rows[i].at_s);
		assert_int_equal(schedule_holds(w.policy, &w.env, &when), rows[i].want);
	}
}

/* Evaluator and compiler count hours in different ways. And until the moment that the compiler names nothing changes.
 */
static void both_count_hours_alike_through_a_year(void **state)
{
	static const char *const whens[] = { "\"Mon-Fri 07:00-21:00 Europe/Paris\"",
					     "\"daily 22:00-06:00 Europe/Paris\"", "\"Sat,Sun Europe/Paris\"",
					     "[\"Sun 02:15-02:45 Europe/Paris\", \"Wed 23:59-00:01\"]",
					     "\"Thu 00:00-24:00\"" };
	const int64_t year = 1767225600; /* 2026-01-01 */

	for (size_t i = 0; i < ARRAY_LEN(whens); i++) {
		CLEANUP(world_done) struct world w;
		struct doc_when when = when_of(&w, whens[i]);
		int64_t next = 0;
		bool was = false;

		for (int64_t t = year; t < year + 365 * 24 * HOUR; t += 60) {
			bool holds;

			w.env.at_s = t;
			holds = schedule_holds(w.policy, &w.env, &when);
			assert_int_equal(holds, evaluate_in_hours(w.policy, &w.env, &when));
			if (t < next && holds != was)
				fail_msg("%s changes at %lld, not at %lld", whens[i], (long long)t, (long long)next);
			if (t >= next) {
				next = schedule_next(w.policy, &w.env);
				assert_true(next > t);
			}
			was = holds;
		}
	}
}

static void a_rule_out_of_its_hours_matches_nobody_and_keeps_its_mark(void **state)
{
	static const char policy[] =
		"{" FAMILY_NAMES
		"\"dns\": {\"filters\": [{\"src\": [\"*\"], \"resolveFirst\": true, \"when\": \"Sat\"}]},"
		"\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"], \"when\": "
		"\"07:00-21:00\"},"
		"{\"src\": [\"*\"], \"dst\": [\"nas\", \"dns:nas.example\"], \"ip\": [\"*\"], \"when\": [\"Sun\"]}]}";
	CLEANUP(world_done) struct world night = { 0 };
	CLEANUP(world_done) struct world day = { 0 };
	CLEANUP(world_done) struct world sunday = { 0 };

	world_of(&night, policy, NOVEMBER_21);
	world_of(&day, policy, NOVEMBER_21 + 8 * HOUR);
	world_of(&sunday, policy, NOVEMBER_21 + 32 * HOUR);
	assert_int_equal(asked(&night, "203.0.113.9", 443, "a.example"), PLAN_DROP);
	assert_int_equal(asked(&day, "203.0.113.9", 443, "a.example"), PLAN_ACCEPT);
	/* The filter holds on Saturday only. */
	assert_int_equal(asked(&day, "203.0.113.9", 443, NULL), PLAN_DROP);
	assert_int_equal(asked(&sunday, "203.0.113.9", 443, NULL), PLAN_ACCEPT);
	assert_int_equal(asked(&day, "192.168.1.20", 443, "nas.example"), PLAN_DROP);
	assert_int_equal(asked(&sunday, "203.0.113.9", 443, "nas.example"), PLAN_ACCEPT);
	assert_int_equal(asked(&sunday, "192.168.1.20", 443, NULL), PLAN_ACCEPT);
	assert_int_equal(night.plan->rules[0].mark, day.plan->rules[0].mark);
	assert_int_equal(night.plan->next_change_s, NOVEMBER_21 + 7 * HOUR);
	assert_int_equal(day.plan->next_change_s, NOVEMBER_21 + 21 * HOUR);
	assert_int_equal(sunday.plan->next_change_s, NOVEMBER_21 + 45 * HOUR);
}

static void a_policy_without_schedules_never_changes(void **state)
{
	CLEANUP(world_done) struct world w;

	world_of(&w, "{}", NOVEMBER_21);
	assert_int_equal(w.plan->next_change_s, 0);
}

/* --- Tests at a time. --- */

static int blocked_on_saturday(void *arg, int64_t at_s, const struct ip_addr *client, const struct dname *name)
{
	return at_s == 0 || at_s == NOVEMBER_21 + 12 * HOUR;
}

static void a_test_can_name_its_time(void **state)
{
	CLEANUP(world_done) struct world w;

	world_of(&w,
		 "{" FAMILY_NAMES "\"grants\": [{\"src\": [\"ana@example.com\"], \"dst\": [\"autogroup:internet\", "
		 "\"dns:nas.example\"], \"ip\": [\"*\"], \"when\": \"Sat 07:00-21:00\"}],"
		 "\"tests\": ["
		 "{\"src\": \"ana@example.com\", \"accept\": [\"203.0.113.9:443\", \"dns:nas.example:443\"],"
		 " \"dns\": {\"block\": [\"ads.example\"]}},"
		 "{\"src\": \"ana@example.com\", \"at\": \"2026-11-21T13:00:00+01:00\", \"accept\": "
		 "[\"203.0.113.9:443\"],"
		 " \"dns\": {\"block\": [\"ads.example\"]}},"
		 "{\"src\": \"ana@example.com\", \"at\": \"2026-11-21T23:00:00Z\", \"deny\": [\"203.0.113.9:443\", "
		 "\"dns:nas.example:443\"], \"dns\": {\"pass\": [\"ads.example\"]}}]}",
		 0);
	assert_int_equal(evaluate_tests(w.policy, w.devices, &w.env, NULL, blocked_on_saturday, NULL, &w.diags), 0);
	assert_int_equal(w.diags.n_errors + w.diags.n_warnings, 0);
	/* Those without a time are asked at the time that the caller names. */
	w.env.at_s = NOVEMBER_21 + 25 * HOUR;
	assert_int_not_equal(evaluate_tests(w.policy, w.devices, &w.env, NULL, blocked_on_saturday, NULL, &w.diags), 0);
}

/* --- Why. --- */

static void every_rule_says_what_did_not_fit(void **state)
{
	CLEANUP(world_done) struct world w;
	struct packet pkt = { .src = addr("100.64.0.2"), .dst = addr("192.168.7.7"), .proto = 6, .port = 443 };
	const struct rule_look *near;
	struct rule_look looks[7];
	char text[LOOK_TEXT_MAX];
	struct verdict v;

	world_of(&w,
		 "{" FAMILY_NAMES "\"grants\": ["
		 "{\"src\": [\"tag:server\"], \"dst\": [\"*\"], \"ip\": [\"*\"]},"
		 "{\"src\": [\"group:family\"], \"dst\": [\"nas\"], \"ip\": [\"tcp:443\"]},"
		 "{\"src\": [\"group:family\"], \"dst\": [\"192.168.7.7\"], \"ip\": [\"tcp:80\"]},"
		 "{\"src\": [\"group:family\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"]},"
		 "{\"src\": [\"group:family\"], \"dst\": [\"192.168.7.7\"], \"ip\": [\"*\"], \"when\": \"Sun\"}],"
		 "\"denies\": [{\"src\": [\"*\"], \"dst\": [\"geo:DE\"], \"ip\": [\"*\"]},"
		 "{\"src\": [\"*\"], \"dst\": [\"dns:ads.example\"], \"ip\": [\"*\"], \"reject\": true}]}",
		 NOVEMBER_21);
	assert_int_equal(w.policy->n_rules, 7);
	evaluate_explain(w.policy, w.devices, &w.env, &pkt, looks, &v);
	assert_int_equal(v.action, PLAN_DROP);
	assert_null(looks[0].src);
	assert_string_equal(evaluate_look_print(&looks[0], text), "source no");
	assert_true(looks[1].src != NULL && !looks[1].to && looks[1].service);
	assert_true(looks[2].to && !looks[2].service);
	assert_string_equal(looks[3].guard, "in a private network");
	assert_true(looks[4].to && looks[4].service && !looks[4].in_hours && !looks[4].matches);
	assert_non_null(strstr(evaluate_look_print(&looks[4], text), "not at this time"));
	assert_true(looks[5].src != NULL && !looks[5].to);
	near = evaluate_nearest(looks, 7);
	assert_non_null(near);
	assert_int_equal(near->rule->index, 4);
	pkt.dst = addr("203.0.113.9");
	evaluate_explain(w.policy, w.devices, &w.env, &pkt, looks, &v);
	assert_true(looks[3].matches);
	assert_int_equal(v.action, PLAN_ACCEPT);
	assert_int_equal(asked(&w, "203.0.113.9", 443, "ads.example"), PLAN_REJECT);
}

static void a_failed_test_is_a_counter_example(void **state)
{
	CLEANUP(world_done) struct world w;
	const struct diag *d;

	world_of(&w,
		 "{" FAMILY_NAMES
		 "\"grants\": [{\"src\": [\"group:family\"], \"dst\": [\"nas\"], \"ip\": [\"tcp:22\"]}],"
		 "\"tests\": [{\"src\": \"100.64.0.4\", \"accept\": [\"nas:80\"], \"deny\": [\"nas:22\"]}]}",
		 0);
	assert_int_equal(evaluate_tests(w.policy, w.devices, &w.env, NULL, NULL, NULL, &w.diags), 2);
	d = &w.diags.items[0];
	assert_non_null(
		strstr(d->msg, "pad to nas:80: expected accept, got drop for tcp from 100.64.0.4 to 192.168.1.20"));
	assert_non_null(strstr(d->related_msg, "/grants/0 came nearest"));
	assert_non_null(strstr(d->related_msg, "port no"));
	d = &w.diags.items[1];
	assert_non_null(strstr(d->msg, "expected deny, got accept for tcp from 100.64.0.4 to 192.168.1.20 port 22"));
	assert_string_equal(d->related_msg, "this rule decided");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_country_is_opened_but_not_what_is_guarded_in_it),
		cmocka_unit_test(a_deny_of_a_country_or_list_closes_all_of_it),
		cmocka_unit_test(ipsets_add_and_remove_them_in_order),
		cmocka_unit_test(the_internet_without_a_country),
		cmocka_unit_test(evaluator_and_plan_agree_on_random_sets),
		cmocka_unit_test(what_is_not_known_refuses_the_policy),
		cmocka_unit_test(who_only_checks_can_do_without),
		cmocka_unit_test(a_country_without_addresses_earns_a_warning),
		cmocka_unit_test(hours_are_those_of_the_zone),
		cmocka_unit_test(both_count_hours_alike_through_a_year),
		cmocka_unit_test(a_rule_out_of_its_hours_matches_nobody_and_keeps_its_mark),
		cmocka_unit_test(a_policy_without_schedules_never_changes),
		cmocka_unit_test(a_test_can_name_its_time),
		cmocka_unit_test(every_rule_says_what_did_not_fit),
		cmocka_unit_test(a_failed_test_is_a_counter_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
