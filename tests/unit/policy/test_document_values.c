/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What documents hold of an accepted policy: services made complete, selectors resolved, nothing wider than written. */
#include "document_case.h"

static const struct doc_policy *read_policy(struct reading *r, const char *text)
{
	const struct doc_policy *p;

	reading_init(r, text);
	p = document_policy(r->mem, r->src, &r->diags);
	if (p == NULL) {
		diag_print(&r->diags, stderr);
		fail_msg("refused: %s", text);
	}
	return p;
}

/* "6:80-80 17:80-80": as text, to be compared at a glance. */
static void services_expect(const struct doc_dst *d, const char *expected)
{
	char text[512] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < d->n_services; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u:%u-%u", i > 0 ? " " : "",
					d->services[i].proto, d->services[i].port_lo, d->services[i].port_hi);
	assert_string_equal(text, expected);
}

static void ranges_expect(const struct ip_range *ranges, uint32_t n, const char *expected)
{
	char text[1024] = "", first[IP_TEXT_MAX], last[IP_TEXT_MAX];
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s-%s", i > 0 ? " " : "",
					ip_addr_print(&ranges[i].first, first), ip_addr_print(&ranges[i].last, last));
	assert_string_equal(text, expected);
}

#define ACL(proto, dst) "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], " proto "\"dst\": [\"" dst "\"]}]}"
#define GRANT(ip)	"{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [" ip "]}]}"
#define DENY(ip)	"\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [" ip "]}]"

static void services_are_complete(void **state)
{
	static const struct {
		const char *text, *services;
	} cases[] = {
		{ ACL("", "*:*"), "1:0-65535 6:0-65535 17:0-65535 58:0-65535" },
		{ ACL("", "*:443,80"), "1:0-65535 6:80-80 6:443-443 17:80-80 17:443-443 58:0-65535" },
		{ ACL("", "*:80-90,91,85-100"), "1:0-65535 6:80-100 17:80-100 58:0-65535" },
		{ ACL("\"proto\": \"tcp\", ", "*:443"), "6:443-443" },
		{ ACL("\"proto\": \"6\", ", "*:443"), "6:443-443" },
		{ ACL("\"proto\": \"icmp\", ", "*:*"), "1:0-65535" },
		{ ACL("\"proto\": \"sctp\", ", "*:9"), "132:9-9" },
		{ GRANT("\"*\""), "1:0-65535 6:0-65535 17:0-65535 58:0-65535" },
		{ GRANT("\"443\""), "1:0-65535 6:443-443 17:443-443 58:0-65535" },
		{ GRANT("\"47\""), "1:0-65535 6:47-47 17:47-47 58:0-65535" },
		{ GRANT("\"*:443\""), "1:0-65535 6:443-443 17:443-443 58:0-65535" },
		{ GRANT("\"tcp:443\""), "6:443-443" },
		{ GRANT("\"udp:*\", \"tcp:80-443\", \"icmp:*\""), "1:0-65535 6:80-443 17:0-65535" },
		{ GRANT("\"gre:*\", \"47:*\""), "47:0-65535" },
		{ "{" DENY("\"*\"") "}", "1:0-65535 6:0-65535 17:0-65535 58:0-65535" },
		{ "{" DENY("\"443\"") "}", "6:443-443 17:443-443" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;
		const struct doc_policy *p = read_policy(&r, cases[i].text);

		assert_int_equal(p->n_rules, 1);
		assert_int_equal(p->rules[0].n_dsts, 1);
		services_expect(&p->rules[0].dsts[0], cases[i].services);
		reading_done(&r);
	}
}

static void a_deny_of_everything_covers_every_protocol_that_a_rule_opens(void **state)
{
	struct reading r;
	const struct doc_policy *p =
		read_policy(&r, "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"gre:*\"]}], "
				"\"acls\": [{\"action\": \"accept\", \"src\": [], \"proto\": \"sctp\", "
				"\"dst\": [\"*:9\"]}], " DENY("\"*\"") "}");

	assert_int_equal(p->n_rules, 3);
	assert_int_equal(p->rules[2].section, SECTION_DENIES);
	services_expect(&p->rules[2].dsts[0], "1:0-65535 6:0-65535 17:0-65535 47:0-65535 58:0-65535 132:0-65535");
	reading_done(&r);
}

static void absence_of_rules_is_not_an_empty_list(void **state)
{
	static const struct {
		const char *text;
		bool allow_all;
	} cases[] = {
		{ "{}", true },
		{ "{\"denies\": []}", true },
		{ "{\"acls\": []}", false },
		{ "{\"grants\": []}", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;

		assert_int_equal(read_policy(&r, cases[i].text)->allow_all, cases[i].allow_all);
		reading_done(&r);
	}
}

static void rules_keep_their_section_and_index(void **state)
{
	struct reading r;
	const struct doc_policy *p = read_policy(
		&r, "{\"denies\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"reject\": true}],"
		    "\"grants\": [{\"src\": [], \"dst\": [], \"app\": {\"a.com/b\": []}},"
		    "{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]}");

	/* The grant with app alone opens nothing and is no rule; the next one keeps its number. */
	assert_int_equal(p->n_rules, 2);
	assert_int_equal(p->rules[0].section, SECTION_GRANTS);
	assert_int_equal(p->rules[0].index, 1);
	assert_int_equal(p->rules[1].section, SECTION_DENIES);
	assert_int_equal(p->rules[1].index, 0);
	assert_true(p->rules[1].reject);
	reading_done(&r);
}

static void selectors_are_resolved(void **state)
{
	struct reading r;
	const struct doc_policy *p = read_policy(&r, "{\"hosts\": {\"nas\": \"192.168.1.20\"}, \"grants\": [{\"src\": "
						     "[\" ana@example.com \", \"user:*@example.com\"],"
						     "\"dst\": [\"nas\", \"10.0.0.0/8\", \"dns:Deb.Debian.org\", "
						     "\"dns:*.github.com.\", \"autogroup:internet\"],"
						     "\"ip\": [\"*\"]}]}");
	const struct doc_rule *rule = &p->rules[0];
	char text[DNAME_TEXT_MAX];

	assert_int_equal(rule->srcs[0].kind, SEL_USER);
	assert_string_equal(rule->srcs[0].name, "ana@example.com");
	assert_int_equal(rule->srcs[1].kind, SEL_DOMAIN);
	assert_string_equal(rule->srcs[1].name, "@example.com");
	assert_int_equal(rule->n_dsts, 5);
	assert_int_equal(rule->dsts[0].sel.kind, SEL_PREFIX);
	assert_string_equal(rule->dsts[0].sel.text, "nas");
	assert_int_equal(rule->dsts[0].sel.prefix.len, 32);
	assert_int_equal(rule->dsts[1].sel.prefix.len, 8);
	assert_string_equal(dname_print(&rule->dsts[2].sel.dns.name, text), "deb.debian.org");
	assert_false(rule->dsts[2].sel.dns.below);
	assert_string_equal(dname_print(&rule->dsts[3].sel.dns.name, text), "github.com");
	assert_true(rule->dsts[3].sel.dns.below);
	assert_int_equal(rule->dsts[4].sel.kind, SEL_INTERNET);
	reading_done(&r);
}

static void acl_addresses_lose_their_brackets(void **state)
{
	struct reading r;
	const struct doc_policy *p =
		read_policy(&r, "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], "
				"\"dst\": [\"[2001:db8::5]:5432\", \"[fd7a::]/64:443\", \"fd7a::/48:*\"]}]}");

	assert_int_equal(p->rules[0].n_dsts, 3);
	assert_string_equal(p->rules[0].dsts[0].sel.text, "2001:db8::5");
	assert_int_equal(p->rules[0].dsts[0].sel.prefix.len, 128);
	assert_int_equal(p->rules[0].dsts[1].sel.prefix.len, 64);
	assert_int_equal(p->rules[0].dsts[2].sel.prefix.len, 48);
	reading_done(&r);
}

static void ipsets_apply_their_operations_in_order(void **state)
{
	static const struct {
		const char *operations, *ranges, *wide;
	} cases[] = {
		{ "\"10.0.0.0/31\", \"10.0.0.2\", \"10.0.0.9-10.0.0.11\"", "10.0.0.0-10.0.0.2 10.0.0.9-10.0.0.11", "" },
		{ "\"add 10.0.0.0/29\", \"remove 10.0.0.2-10.0.0.3\"", "10.0.0.0-10.0.0.1 10.0.0.4-10.0.0.7", "" },
		{ "\"add 10.0.0.0/29\", \"remove 10.0.0.0/30\", \"add 10.0.0.1\"",
		  "10.0.0.1-10.0.0.1 10.0.0.4-10.0.0.7", "" },
		{ "\"remove 10.0.0.1\", \"add 10.0.0.0/31\"", "10.0.0.0-10.0.0.1", "" },
		{ "\"add 10.0.0.0/30\", \"remove 10.0.0.0/8\"", "", "" },
		{ "\"add 255.255.255.254/31\", \"remove 255.255.255.255\"", "255.255.255.254-255.255.255.254", "" },
		{ "\"add fd00::/126\", \"remove fd00::1\", \"remove 10.0.0.0/8\"", "fd00::-fd00:: fd00::2-fd00::3",
		  "" },
		{ "\"ipset:b\", \"host:nas\"", "192.168.1.20-192.168.1.20 198.51.100.0-198.51.100.127", "" },
		{ "\"add autogroup:internet\", \"add 192.168.1.0/24\", \"remove 0.0.0.0/1\", \"remove 128.0.0.0/2\", "
		  "\"remove 2000::/4\", \"remove 3000::/5\"",
		  "",
		  "192.0.0.0-192.167.255.255 192.169.0.0-223.255.255.255 "
		  "3800::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[1024];
		struct reading r;
		const struct selector *s;

		(void)snprintf(text, sizeof(text),
			       "{\"hosts\": {\"nas\": \"192.168.1.20\"}, \"ipsets\": {\"ipset:a\": [%s], \"ipset:b\": "
			       "[\"198.51.100.0/25\"]},"
			       "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"ipset:a\"], \"ip\": [\"*\"]}]}",
			       cases[i].operations);
		s = &read_policy(&r, text)->rules[0].dsts[0].sel;
		assert_int_equal(s->kind, SEL_RANGES);
		if (i == ARRAY_LEN(cases) - 1)
			ranges_expect(s->ranges, s->n_ranges, "192.168.1.0-192.168.1.255");
		else
			ranges_expect(s->ranges, s->n_ranges, cases[i].ranges);
		ranges_expect(s->wide, s->n_wide, cases[i].wide);
		reading_done(&r);
	}
}

static void what_cannot_be_checked_matches_nobody(void **state)
{
	static const char *const cases[] = {
		"{\"postures\": {\"posture:a\": []}, "
		"\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"srcPosture\": "
		"[\"posture:a\"]}]}",
		"{\"postures\": {\"posture:a\": []}, "
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"], \"srcPosture\": "
		"[\"posture:a\"]}]}",
		"{\"postures\": {\"posture:a\": []}, \"defaultSrcPosture\": [\"posture:a\"], \"grants\": [{\"src\": "
		"[\"*\"], \"dst\": [\"*\"], \"ip\": "
		"[\"*\"]}]}",
		"{\"grants\": [{\"src\": [\"autogroup:admin\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r;
		const struct doc_policy *p = read_policy(&r, cases[i]);

		assert_int_equal(p->n_rules, 1);
		for (uint32_t s = 0; s < p->rules[0].n_srcs; s++)
			assert_int_equal(p->rules[0].srcs[s].kind, SEL_NOBODY);
		assert_true(r.diags.n_warnings > 0);
		reading_done(&r);
	}
}

static void an_own_empty_posture_lifts_the_default(void **state)
{
	struct reading r;
	const struct doc_policy *p =
		read_policy(&r, "{\"postures\": {\"posture:a\": []}, \"defaultSrcPosture\": [\"posture:a\"], "
				"\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], "
				"\"ip\": [\"*\"], \"srcPosture\": []}]}");

	assert_int_equal(p->rules[0].n_srcs, 1);
	assert_int_equal(p->rules[0].srcs[0].kind, SEL_ANY);
	reading_done(&r);
}

static void dns_section_is_read(void **state)
{
	struct reading r;
	const struct doc_policy *p = read_policy(
		&r, "{\"dns\": {\"upstreams\": [\"tls://9.9.9.9#dns.quad9.net\", \"[2620:fe::9]:5353\"],"
		    "\"split\": {\"home.arpa\": [\"192.168.1.53\"]}, \"records\": {\"nas.home.arpa\": "
		    "[\"192.168.1.20\", \"fd00::1\"]},"
		    "\"lists\": {\"ads\": {\"url\": \"https://x.example/h\"}, \"threats\": {\"file\": \"t.txt\"}},"
		    "\"filters\": [{\"src\": [\"*\"], \"block\": [\"threats\", \"||x.example^\", \"ads\"], \"allow\": "
		    "[\"||y.example^\"],"
		    "\"resolveFirst\": true, \"blockMode\": \"refused\"}]}, \"logs\": [{\"src\": [\"*\"], \"queries\": "
		    "\"counts\"}]}");
	const struct doc_filter *f = &p->filters[0];

	assert_int_equal(p->n_upstreams, 2);
	assert_int_equal(p->upstreams[0].kind, UPSTREAM_TLS);
	assert_int_equal(p->upstreams[0].port, 853);
	assert_string_equal(p->upstreams[0].tls_name, "dns.quad9.net");
	assert_int_equal(p->upstreams[1].kind, UPSTREAM_UDP);
	assert_int_equal(p->upstreams[1].port, 5353);
	assert_int_equal(p->upstreams[1].addr.family, IP_V6);
	assert_int_equal(p->n_splits, 1);
	assert_int_equal(p->splits[0].n_upstreams, 1);
	assert_int_equal(p->n_records, 2);
	assert_true(dname_equal(&p->records[0].name, &p->records[1].name));
	assert_int_equal(p->n_lists, 2);
	assert_null(p->lists[0].file);
	assert_string_equal(p->lists[1].file, "t.txt");
	assert_int_equal(p->n_filters, 1);
	assert_int_equal(f->n_lists, 2);
	assert_int_equal(f->lists[0], 1);
	assert_int_equal(f->lists[1], 0);
	assert_string_equal(f->block_rules[0], "||x.example^");
	assert_null(f->block_rules[1]);
	assert_string_equal(f->allow_rules[0], "||y.example^");
	assert_null(f->allow_rules[1]);
	assert_int_equal(f->block_mode, BLOCK_REFUSED);
	assert_true(f->resolve_first);
	assert_true(p->logs[0].has_queries);
	assert_false(p->logs[0].has_flows);
	assert_int_equal(p->logs[0].queries, LOG_LEVEL_COUNTS);
	reading_done(&r);
}

static void lists_say_whom_to_trust_and_how_often_to_ask(void **state)
{
	struct reading r;
	const struct doc_policy *p = read_policy(
		&r, "{\"dns\": {\"lists\": {\"a\": {\"url\": \"https://a/\", \"refresh\": \"90m\", \"sha256\": "
		    "\"ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789\"},"
		    "\"b\": {\"url\": \"https://b/\", \"trusted\": true, \"refresh\": \"never\"},"
		    "\"c\": {\"file\": \"c\", \"trusted\": false}, \"d\": {\"file\": \"d\"},"
		    "\"e\": {\"file\": \"e\", \"url\": \"https://e/\"}}}}");

	assert_int_equal(p->n_lists, 5);
	assert_int_equal(p->lists[0].refresh_s, 5400);
	assert_string_equal(p->lists[0].sha256, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
	assert_int_equal(p->lists[1].refresh_s, 0);
	assert_int_equal(p->lists[4].refresh_s, LIST_REFRESH_S);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(p->lists[i].trusted, i == 1 || i == 3);
	assert_null(p->lists[1].sha256);
	reading_done(&r);
}

static void services_and_engines_become_lists_once(void **state)
{
	struct reading r;
	const struct doc_policy *p = read_policy(
		&r, "{\"dns\": {\"lists\": {\"ads\": {\"file\": \"a\"}}, \"filters\": ["
		    "{\"src\": [\"*\"], \"block\": [\"service:tiktok\", \"ads\", \"service:tiktok\"], \"safeSearch\": "
		    "[\"bing\", \"google\", \"bing\"]},"
		    "{\"src\": [\"*\"], \"block\": [\"service:youtube\", \"service:tiktok\"], \"safeSearch\": true},"
		    "{\"src\": [\"*\"], \"safeSearch\": false}]}}");
	const struct doc_filter *f = p->filters;
	static const char *const names[] = {
		"ads", "service:tiktok", "safesearch:bing", "safesearch:google", "service:youtube", "safesearch"
	};

	assert_int_equal(p->n_lists, ARRAY_LEN(names));
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_string_equal(p->lists[i].name, names[i]);
		assert_int_equal(p->lists[i].builtin, i != 0);
		assert_true(p->lists[i].trusted);
	}
	assert_int_equal(f[0].n_lists, 2);
	assert_int_equal(f[0].lists[0], 1);
	assert_int_equal(f[0].lists[1], 0);
	assert_int_equal(f[0].n_safe, 2);
	assert_int_equal(f[0].safe[1], 3);
	assert_int_equal(f[1].lists[1], 1);
	assert_int_equal(f[1].n_safe, 1);
	assert_int_equal(f[1].safe[0], 5);
	assert_int_equal(f[2].n_lists + f[2].n_safe, 0);
	reading_done(&r);
}

static void blocked_names_are_answered_as_the_filter_says(void **state)
{
	struct reading r;
	const struct doc_policy *p = read_policy(
		&r, "{\"dns\": {\"filters\": [{\"src\": [\"*\"], \"blockMode\": {\"addresses\": [\"2001:db8::1\", "
		    "\"192.0.2.1\"]}, \"blockTtl\": 0, \"blockReason\": \"censored\"},"
		    "{\"src\": [\"*\"], \"blockMode\": \"drop\"}]}}");
	const struct doc_filter *f = p->filters;

	assert_int_equal(f[0].block_mode, BLOCK_CUSTOM);
	assert_int_equal(f[0].block_addrs[BLOCK_ADDR_V4].bytes[0], 192);
	assert_int_equal(f[0].block_addrs[BLOCK_ADDR_V6].bytes[15], 1);
	assert_int_equal(f[0].block_ttl_s, 0);
	assert_int_equal(f[0].block_reason, BLOCK_REASON_CENSORED);
	assert_int_equal(f[1].block_mode, BLOCK_DROP);
	assert_int_equal(f[1].block_ttl_s, BLOCK_TTL_S);
	reading_done(&r);
}

static void tests_are_read(void **state)
{
	struct reading r;
	const struct doc_policy *p = read_policy(
		&r, "{\"hosts\": {\"nas\": \"192.168.1.20\"}, \"tests\": [{\"src\": \"nas\", \"proto\": \"udp\","
		    "\"accept\": [\"dns:deb.debian.org:443\"], \"deny\": [\"[fd00::1]:22\", \"nas:23\"],"
		    "\"dns\": {\"block\": [\"ads.example\"], \"pass\": [\"example.org\"]}}]}");
	const struct doc_test *t = &p->tests[0];

	assert_int_equal(t->src.kind, SEL_PREFIX);
	assert_int_equal(t->proto, 17);
	assert_int_equal(t->n_accept, 1);
	assert_int_equal(t->accept[0].sel.kind, SEL_DNS);
	assert_int_equal(t->accept[0].port, 443);
	assert_string_equal(t->accept[0].text, "dns:deb.debian.org:443");
	assert_int_equal(t->n_deny, 2);
	assert_int_equal(t->deny[0].sel.prefix.len, 128);
	assert_int_equal(t->deny[1].port, 23);
	assert_int_equal(t->n_dns_block, 1);
	assert_string_equal(t->dns_block[0].text, "ads.example");
	assert_int_equal(t->n_dns_pass, 1);
	reading_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_complete),
		cmocka_unit_test(a_deny_of_everything_covers_every_protocol_that_a_rule_opens),
		cmocka_unit_test(absence_of_rules_is_not_an_empty_list),
		cmocka_unit_test(rules_keep_their_section_and_index),
		cmocka_unit_test(selectors_are_resolved),
		cmocka_unit_test(acl_addresses_lose_their_brackets),
		cmocka_unit_test(ipsets_apply_their_operations_in_order),
		cmocka_unit_test(what_cannot_be_checked_matches_nobody),
		cmocka_unit_test(an_own_empty_posture_lifts_the_default),
		cmocka_unit_test(dns_section_is_read),
		cmocka_unit_test(lists_say_whom_to_trust_and_how_often_to_ask),
		cmocka_unit_test(services_and_engines_become_lists_once),
		cmocka_unit_test(blocked_names_are_answered_as_the_filter_says),
		cmocka_unit_test(tests_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
