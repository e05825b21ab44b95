/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses that denies close, in answers: the views' verdict beside the evaluator's on packets, address by address. */
#include "filter/verdict.h"
#include "geo/view_prefixes.h"
#include "geo/views_at.h"
#include "policy/evaluate.h"
#include "policy/lower_dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static const char policy_text[] =
	"{\"tagOwners\": {\"tag:tv\": [\"ana@example.com\"]},"
	"\"ipsets\": {\"ipset:own\": [\"192.0.2.0/24\", \"2001:db8:1::/48\"],"
	" \"ipset:most\": [\"add geo:KP\", \"remove ipset:own\", \"add 203.0.113.0/28\", \"remove iplist:drop\"],"
	" \"ipset:over\": [\"add ipset:most\", \"add 198.51.100.64/26\"]},"
	"\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\", \"10.0.0.0/8\"], \"ip\": [\"*\", "
	"\"gre:*\"]}],"
	"\"denies\": ["
	"{\"src\": [\"ana@example.com\"], \"dst\": [\"asn:64496\", \"10.1.0.0/16\"], \"ip\": [\"*\"]},"
	"{\"src\": [\"ana@example.com\"], \"dst\": [\"198.51.100.32/27\"], \"ip\": [\"tcp:*\", \"udp:*\"]},"
	"{\"src\": [\"tag:tv\"], \"dst\": [\"ipset:over\"], \"ip\": [\"*\"]},"
	"{\"src\": [\"tag:tv\"], \"dst\": [\"198.51.100.1\"], \"ip\": [\"tcp:25\", \"udp:*\"]}],"
	"\"dns\": {\"iplists\": {\"drop\": {\"file\": \"drop\"}}}}";
static const char devices_text[] =
	"{\"users\": [\"ana@example.com\"], \"devices\": ["
	"{\"name\": \"pc\", \"addresses\": [\"100.64.0.2\", \"fd00::2\"], \"user\": \"ana@example.com\"},"
	"{\"name\": \"tv\", \"addresses\": [\"100.64.0.3\", \"fd00::3\"], \"tags\": [\"tag:tv\"]},"
	"{\"name\": \"old\", \"addresses\": [\"100.64.0.4\"], \"tags\": [\"tag:other\"]}]}";

struct world {
	struct arena *mem;
	struct diag_list diags;
	struct doc_policy *policy;
	struct doc_devices *devices;
	struct prefix_source sources[3];
	struct ip_range kp[3], as[1], drop[2];
	struct compile_env env;
	struct views *views;
};

static struct ip_range range(const char *first, const char *last)
{
	struct ip_range r;

	assert_int_equal(ip_addr_parse(first, &r.first), 0);
	assert_int_equal(ip_addr_parse(last, &r.last), 0);
	return r;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e = { 0 };

	assert_non_null(w);
	w->mem = arena_new(0);
	diag_init(&w->diags, w->mem);
	w->policy = document_policy(w->mem, source_new(w->mem, "policy", policy_text, strlen(policy_text)), &w->diags);
	w->devices =
		document_devices(w->mem, source_new(w->mem, "devices", devices_text, strlen(devices_text)), &w->diags);
	if (w->policy == NULL || w->devices == NULL)
		fail_msg("%s", w->diags.items[0].msg);
	w->kp[0] = range("175.45.176.0", "175.45.179.255");
	w->kp[1] = range("192.0.2.128", "192.0.3.127");
	w->kp[2] = range("2001:db8::", "2001:db8:1:ff::");
	w->as[0] = range("198.51.100.128", "198.51.100.160");
	w->drop[0] = range("175.45.177.7", "175.45.177.7");
	w->drop[1] = range("203.0.113.4", "203.0.113.5");
	w->sources[0] = (struct prefix_source){ PREFIX_GEO, "KP", w->kp, 3 };
	w->sources[1] = (struct prefix_source){ PREFIX_ASN, "64496", w->as, 1 };
	w->sources[2] = (struct prefix_source){ PREFIX_LIST, "drop", w->drop, 2 };
	w->env = (struct compile_env){ .prefixes = w->sources, .n_prefixes = 3 };
	if (views_at(w->policy, w->devices, &w->env, 0, NULL, 0, &w->views, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(w->views->n_unknown, 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	views_free(w->views);
	(void)arena_free(w->mem);
	free(w);
	return 0;
}

static struct name_verdict judge(const struct views *views, const char *client, const struct ip_addr *addr)
{
	struct verdict_ask ask = { .views = views, .type = RECORD_A };
	struct name_verdict asked = { .by_exception = true }, v; /* which helps nothing */
	struct ip_addr from;

	assert_int_equal(ip_addr_parse(client, &from), 0);
	ask.client = views_client(views, &from);
	assert_non_null(ask.client);
	ask.view = &views->views[ask.client->view];
	verdict_addr(&ask, &asked, addr, RECORD_A, &v);
	return v;
}

/* Is every packet of @client to @addr refused by a deny? */
static bool nothing_passes(const struct world *w, const char *client, const struct ip_addr *addr)
{
	static const struct {
		uint8_t proto;
		uint16_t port;
	} tries[] = { { 6, 443 }, { 6, 25 }, { 17, 53 }, { 1, 0 }, { 58, 0 }, { 47, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct packet pkt = { .dst = *addr, .proto = tries[i].proto, .port = tries[i].port };
		struct verdict v;

		assert_int_equal(ip_addr_parse(client, &pkt.src), 0);
		evaluate_packet(w->policy, w->devices, &w->env, &pkt, &v);
		if (strncmp(v.rule, "/denies/", 8) != 0)
			return false;
	}
	return true;
}

/* Every address at an edge of anything, and its neighbours. */
static void an_address_is_closed_when_all_of_it_is_denied(void **state)
{
	static const char *const edges[] = { "9.255.255.255",	"10.0.255.255",	  "10.1.0.0",	    "10.1.255.255",
					     "175.45.175.255",	"175.45.176.0",	  "175.45.177.6",   "175.45.177.7",
					     "175.45.177.8",	"175.45.179.255", "175.45.180.0",   "192.0.2.0",
					     "192.0.2.127",	"192.0.2.128",	  "192.0.2.255",    "192.0.3.0",
					     "192.0.3.127",	"192.0.3.128",	  "198.51.100.1",   "198.51.100.31",
					     "198.51.100.32",	"198.51.100.63",  "198.51.100.64",  "198.51.100.127",
					     "198.51.100.128",	"198.51.100.160", "198.51.100.161", "203.0.112.255",
					     "203.0.113.0",	"203.0.113.3",	  "203.0.113.4",    "203.0.113.5",
					     "203.0.113.6",	"203.0.113.15",	  "203.0.113.16",   "2001:db7::1",
					     "2001:db8::",	"2001:db8:0:1::", "2001:db8:1::",   "2001:db8:1:ff::",
					     "2001:db8:1:ff::1" };
	static const char *const clients[] = { "100.64.0.2", "fd00::2", "100.64.0.3", "fd00::3", "100.64.0.4" };
	const struct world *w = *state;
	uint32_t closed = 0;

	for (size_t c = 0; c < ARRAY_LEN(clients); c++) {
		for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
			struct ip_addr addr;
			struct name_verdict v;

			assert_int_equal(ip_addr_parse(edges[i], &addr), 0);
			v = judge(w->views, clients[c], &addr);
			if ((v.verdict == DNS_BLOCK) != nothing_passes(w, clients[c], &addr))
				fail_msg("%s for %s: %d", edges[i], clients[c], v.verdict);
			closed += v.verdict == DNS_BLOCK;
			if (v.verdict == DNS_BLOCK)
				assert_true(v.by == VERDICT_BY_DENY && v.line != 0 && v.pos != NULL);
		}
	}
	assert_in_range(closed, 20, 100);
}

static void the_rule_that_closes_it_is_named(void **state)
{
	const struct world *w = *state;
	char text[VERDICT_RULE_MAX];
	struct name_verdict v;
	struct ip_addr addr;

	assert_int_equal(ip_addr_parse("175.45.176.9", &addr), 0);
	v = judge(w->views, "100.64.0.3", &addr);
	assert_string_equal(v.list, "policy");
	assert_string_equal(verdict_rule(&v, text, sizeof(text)), "/denies/2");
	assert_int_equal(judge(w->views, "100.64.0.2", &addr).verdict, DNS_PASS);
	assert_int_equal(judge(w->views, "100.64.0.4", &addr).verdict, DNS_PASS);
}

static void a_source_that_is_not_there_is_counted(void **state)
{
	struct world *w = *state;
	struct plan *plan = NULL;
	struct views *views = NULL;
	char *json = NULL;

	assert_int_equal(plan_compile(w->policy, w->devices, &w->env, &w->diags, &plan), 0);
	assert_true(plan_closes_sources(plan));
	assert_int_equal(lower_dns(plan, NULL, 0, 1, &json, NULL), 0);
	assert_int_equal(views_new(json, strlen(json), NULL, 0, &views, NULL), 0);
	assert_int_equal(views->n_unknown, 3);
	views_free(views);
	free(json);
	(void)plan_free(plan);
}

/* A million ranges are borrowed, not copied: looking is a binary search. */
static void a_million_ranges_are_not_copied(void **state)
{
	enum { N = 1000000, LOOKS = 100000 };
	static const char json[] =
		"{\"generation\":1,\"lists\":[],\"views\":[{\"filter\":null,\"route\":0,\"lists\":[],\"block\":[],"
		"\"allow\":[],\"blockMode\":\"null\",\"resolveFirst\":false,\"flows\":false,\"queries\":\"off\","
		"\"grants\":[],\"denies\":[],\"denyAddrs\":[0]}],"
		"\"rules\":[{\"mark\":1,\"pos\":\"/denies/0\",\"line\":5,\"names\":[],\"prefixes\":[\"geo:KP\"]}],"
		"\"clients\":[{\"addr\":\"100.64.0.2\",\"device\":\"pc\",\"view\":0}],"
		"\"routes\":[{\"upstreams\":[],\"splits\":[]}],\"records\":[],\"rebindAllow\":[],\"canaries\":true}";
	struct ip_range *ranges = calloc(N, sizeof(*ranges));
	struct view_prefixes *prefixes = NULL;
	struct views *views = NULL;
	struct prefix_source source = { PREFIX_GEO, "KP", ranges, N };

	assert_non_null(ranges);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t first = 0x10000000u + i * 16, last = first + 7;

		ranges[i].first.family = ranges[i].last.family = IP_V4;
		for (int k = 0; k < 4; k++) {
			ranges[i].first.bytes[k] = (uint8_t)(first >> (24 - 8 * k));
			ranges[i].last.bytes[k] = (uint8_t)(last >> (24 - 8 * k));
		}
	}
	assert_int_equal(view_prefixes_of(&source, 1, &prefixes), 0);
	assert_int_equal(views_new_closed(json, strlen(json), NULL, 0, prefixes, 1, &views, NULL), 0);
	assert_ptr_equal(views->rules[0].closed[0].steps[0].loaded, ranges);
	for (uint32_t i = 0; i < LOOKS; i++) {
		uint32_t a = 0x10000000u + i * 157;
		struct ip_addr addr = { .family = IP_V4,
					.bytes = { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8),
						   (uint8_t)a } };

		assert_int_equal(judge(views, "100.64.0.2", &addr).verdict, a % 16 < 8 ? DNS_BLOCK : DNS_PASS);
	}
	views_free(views);
	free(prefixes);
	free(ranges);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char head[] =
		"{\"generation\":1,\"lists\":[],\"views\":[],\"clients\":[],"
		"\"routes\":[{\"upstreams\":[],\"splits\":[]}],\"records\":[],\"rebindAllow\":[],\"canaries\":true,"
		"\"rules\":[{\"mark\":1,\"pos\":\"/denies/0\",\"line\":5,\"names\":[],";
	static const char *const wrong[] = {
		"\"ranges\":[[\"10.0.0.1\"]]}]}",
		"\"ranges\":[[\"10.0.0.2\",\"10.0.0.1\"]]}]}",
		"\"ranges\":[[\"10.0.0.2\",\"::1\"]]}]}",
		"\"ranges\":[[\"10.0.0.5\",\"10.0.0.6\"],[\"10.0.0.1\",\"10.0.0.2\"]]}]}",
		"\"ranges\":7}]}",
		"\"prefixes\":[7]}]}",
		"\"sets\":[7]}]}",
		"\"sets\":[[{\"prefixes\":7}]]}]}",
		"\"sets\":[[7]]}]}",
		"\"sets\":[[{\"set\":7}]]}]}",
	};
	struct views *v = NULL;
	char json[2048];
	size_t at;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		(void)snprintf(json, sizeof(json), "%s%s", head, wrong[i]);
		assert_int_equal(views_new(json, strlen(json), NULL, 0, &v, NULL), -EBADMSG);
	}
	/* Nested without end. */
	at = (size_t)snprintf(json, sizeof(json), "%s\"sets\":[[", head);
	for (int i = 0; i < 40; i++)
		at += (size_t)snprintf(json + at, sizeof(json) - at, "{\"set\":[");
	for (int i = 0; i < 40; i++)
		at += (size_t)snprintf(json + at, sizeof(json) - at, "]}");
	(void)snprintf(json + at, sizeof(json) - at, "]]}]}");
	assert_int_equal(views_new(json, strlen(json), NULL, 0, &v, NULL), -EBADMSG);
	assert_null(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_closed_when_all_of_it_is_denied),
		cmocka_unit_test(the_rule_that_closes_it_is_named),
		cmocka_unit_test(a_source_that_is_not_there_is_counted),
		cmocka_unit_test(a_million_ranges_are_not_copied),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
