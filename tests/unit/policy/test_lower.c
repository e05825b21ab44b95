/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan to kernel program, views and log plan: what is in them, and that equal plans give equal bytes. */
#include "world.h"

#include <cjson/cJSON.h>

#include "policy/lower_dns.h"
#include "policy/lower_log.h"
#include "policy/lower_nft.h"
#include "sluice/drop.h"

static const char *const policy =
	"{" FAMILY_NAMES "\"grants\": ["
	"{\"src\": [\"tag:server\"], \"dst\": [\"dns:deb.debian.org\"], \"ip\": [\"tcp:443\"]},"
	"{\"src\": [\"group:family\"], \"dst\": [\"nas\"], \"ip\": [\"tcp:445\"]}],"
	"\"denies\": [{\"src\": [\"*\"], \"dst\": [\"203.0.113.9\"], \"ip\": [\"tcp:25\"], \"reject\": true}],"
	"\"dns\": {\"split\": {\"home.arpa\": [\"192.168.1.53\"]}, \"filters\": ["
	"{\"src\": [\"tag:server\"], \"resolveFirst\": true}]},"
	"\"logs\": [{\"src\": [\"tag:server\"], \"flows\": \"full\", \"queries\": \"full\"}]}";

static struct nft_prog *lower_logging(const struct plan *p, bool capture, bool hooks, bool log_drops)
{
	struct ip_prefix net;
	struct nft_env env = { .tunnel = "wg0",
			       .tunnel_nets = &net,
			       .n_tunnel_nets = 1,
			       .tunnel_port = 51820,
			       .dns_port = 5300,
			       .dns_capture = capture,
			       .hooks = hooks,
			       .log_drops = log_drops };
	struct nft_prog *prog = NULL;
	struct err e = { 0 };

	assert_int_equal(ip_prefix_parse("100.64.0.0/10", &net, NULL), 0);
	assert_int_equal(lower_nft(p, &env, &prog, &e), 0);
	return prog;
}

static struct nft_prog *lower(const struct plan *p, bool capture, bool hooks)
{
	return lower_logging(p, capture, hooks, true);
}

static char *print_prog(const struct nft_prog *prog)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	nft_prog_print(prog, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static const struct nft_set *set_find(const struct nft_prog *prog, const char *name)
{
	for (uint32_t i = 0; i < prog->n_sets; i++) {
		if (strcmp(prog->sets[i].name, name) == 0)
			return &prog->sets[i];
	}
	return NULL;
}

static const struct nft_chain *chain_find(const struct nft_prog *prog, const char *name)
{
	for (uint32_t i = 0; i < prog->n_chains; i++) {
		if (strcmp(prog->chains[i].name, name) == 0)
			return &prog->chains[i];
	}
	return NULL;
}

static void sets_are_sorted_and_so_are_elements(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	for (uint32_t i = 0; i < prog->n_sets; i++) {
		const struct nft_set *s = &prog->sets[i];

		assert_true(i == 0 || strcmp(prog->sets[i - 1].name, s->name) < 0);
		for (uint32_t k = 1; k < s->n_elems; k++)
			assert_true(memcmp(&s->elems[k - 1].lo, &s->elems[k].lo, sizeof(s->elems[k].lo)) < 0);
	}
}

/* Jumped-to chains first: every name that is used is defined before. */
static void chains_come_before_those_that_jump_to_them(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	for (uint32_t c = 0; c < prog->n_chains; c++) {
		const struct nft_chain *chain = &prog->chains[c];

		for (uint32_t r = 0; r < chain->n_rules; r++) {
			for (uint32_t i = 0; i < chain->rules[r].n_stmts; i++) {
				const struct nft_stmt *s = &chain->rules[r].stmts[i];

				if (s->chain != NULL)
					assert_true(chain_find(prog, s->chain) < chain);
				if (s->set != NULL)
					assert_non_null(set_find(prog, s->set));
			}
		}
	}
}

static void only_active_devices_get_dns(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	assert_int_equal(set_find(prog, "from4")->n_elems, 7);
	assert_int_equal(set_find(prog, "dev4")->n_elems, 5);
	assert_int_equal(set_find(prog, "from6")->n_elems, 3);
}

/* The gateway begins nothing to the others; where all are active no packet is looked up for it. */
static void addresses_that_are_not_active_are_a_set_of_their_own_where_there_are_any(void **state)
{
	static const char all_active[] =
		"{\"devices\": [{\"name\": \"a\", \"addresses\": [\"100.64.0.1\"], \"tags\": [\"tag:server\"]}]}";
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	CLEANUP(world_done) struct world calm;
	CLEANUP(nft_prog_freep) struct nft_prog *without = NULL;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	assert_int_equal(set_find(prog, "off4")->n_elems, 2);
	assert_null(set_find(prog, "off6")); /* neither of them has an IPv6 address */
	world_compile(&calm, policy, all_active);
	without = lower(calm.plan, true, true);
	assert_null(set_find(without, "off4"));
	assert_int_equal(chain_find(prog, "output")->n_rules, chain_find(without, "output")->n_rules + 1);
}

/* They ask dnsd, and the kernel does not know them: neither as sources nor as what a rule leads to. */
static void the_gateways_own_programs_are_in_the_views_only(void **state)
{
	static const char text[] =
		"{\"devices\": [{\"name\": \"self\", \"addresses\": [\"127.0.0.1\", \"::1\"], \"user\": "
		"\"a@example.com\"},"
		"{\"name\": \"old\", \"addresses\": [\"127.0.0.9\"], \"user\": \"a@example.com\", \"state\": "
		"\"quarantined\"},"
		"{\"name\": \"web\", \"addresses\": [\"100.64.0.1\"], \"user\": \"a@example.com\"}]}";
	static const char rules[] = "{\"grants\": [{\"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self\", "
				    "\"dns:x.example\"], \"ip\": [\"*\"]}]}";
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	CLEANUP(freep) char *kernel = NULL;
	CLEANUP(freep) char *views = NULL;
	struct err e = { 0 };

	world_compile(&w, rules, text);
	prog = lower(w.plan, true, true);
	kernel = print_prog(prog);
	assert_null(strstr(kernel, "127.0.0"));
	assert_null(strstr(kernel, "::1"));
	assert_int_equal(set_find(prog, "from4")->n_elems, 1);
	assert_int_equal(set_find(prog, "own4")->n_elems, 1);
	assert_null(set_find(prog, "off4"));
	assert_int_equal(lower_dns(w.plan, NULL, 0, 1, &views, &e), 0);
	assert_non_null(strstr(views, "\"127.0.0.1\""));
	assert_non_null(strstr(views, "\"::1\""));
	assert_null(strstr(views, "127.0.0.9"));
}

/* Of the tunnel's addresses: active devices reach it as they do port 53, whatever the rules say. */
static void dns_over_tls_is_open_to_devices_that_are_active(void **state)
{
	static const uint16_t ports[] = { 853 };
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	CLEANUP(freep) char *kernel = NULL;
	struct nft_env env = { .tunnel = "wg0", .dns_port = 53, .tls_ports = ports, .n_tls_ports = 1, .hooks = true };
	struct err e = { 0 };

	world_compile(&w, policy, family_devices);
	assert_int_equal(lower_nft(w.plan, &env, &prog, &e), 0);
	kernel = print_prog(prog);
	assert_non_null(strstr(kernel, "ip saddr @dev4 meta l4proto 6 th dport 853"));
	assert_non_null(strstr(kernel, "ip6 saddr @dev6 meta l4proto 6 th dport 853"));
	assert_null(strstr(kernel, "l4proto 17 th dport 853"));
}

static void learned_sets_carry_no_elements(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	char name[NFT_NAME_MAX];

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	learned_set_name(w.plan->rules[0].mark, IP_V6, name);
	assert_non_null(set_find(prog, name));
	assert_true(set_find(prog, name)->timeout);
	assert_int_equal(set_find(prog, name)->n_elems, 0);
	learned_set_name(LEARN_SEEN, IP_V4, name);
	assert_string_equal(name, "seen4");
	assert_true(set_find(prog, name)->timeout);
	/* No names, no learned set. */
	learned_set_name(w.plan->rules[1].mark, IP_V4, name);
	assert_null(set_find(prog, name));
}

static void without_capture_there_is_no_redirect(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *with = NULL;
	CLEANUP(nft_prog_freep) struct nft_prog *without = NULL;

	world_compile(&w, policy, family_devices);
	with = lower(w.plan, true, true);
	without = lower(w.plan, false, true);
	assert_non_null(chain_find(with, "dns_capture"));
	assert_null(chain_find(without, "dns_capture"));
}

static void nodivert_has_the_chains_but_no_hooks(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, false);
	assert_non_null(chain_find(prog, "forward"));
	for (uint32_t i = 0; i < prog->n_chains; i++)
		assert_int_equal(prog->chains[i].hook, NFT_H_NONE);
}

static void events_are_silent_without_opt_in(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	for (uint32_t c = 0; c < w.plan->n_classes; c++) {
		char name[NFT_NAME_MAX];
		const struct nft_stmt *first;

		(void)snprintf(name, sizeof(name), "class_%" PRIu32, w.plan->classes[c].id);
		first = &chain_find(prog, name)->rules[0].stmts[0];
		if (w.plan->classes[c].quarantined) {
			assert_string_equal(first->chain, "quarantined");
			continue;
		}
		assert_int_equal(first->kind, NFT_S_CT_EVENT);
		assert_int_equal(first->value, w.plan->classes[c].record_flows ? 5 : 0);
	}
}

static const struct nft_stmt *log_find(const struct nft_chain *c)
{
	for (uint32_t r = 0; r < c->n_rules; r++)
		for (uint32_t i = 0; i < c->rules[r].n_stmts; i++)
			if (c->rules[r].stmts[i].kind == NFT_S_LOG)
				return &c->rules[r].stmts[i];
	return NULL;
}

/* What rules count in and are limited by is there, and every log is behind a limit and a look at who has opted in. */
static void what_is_told_is_limited_and_asked_for(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	uint32_t n_logs = 0;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	for (uint32_t i = 1; i < prog->n_objects; i++)
		assert_true(strcmp(prog->objects[i - 1].name, prog->objects[i].name) < 0);
	for (uint32_t c = 0; c < prog->n_chains; c++) {
		bool stranger =
			strcmp(prog->chains[c].name, "unknown") == 0 || strcmp(prog->chains[c].name, "spoofed") == 0;

		for (uint32_t r = 0; r < prog->chains[c].n_rules; r++) {
			const struct nft_rule *rule = &prog->chains[c].rules[r];

			for (uint32_t i = 0; i < rule->n_stmts; i++) {
				if (rule->stmts[i].kind != NFT_S_LOG)
					continue;
				n_logs++;
				assert_int_equal(rule->stmts[i].value, DROP_NFLOG_GROUP);
				assert_string_equal(rule->stmts[i - 1].object,
						    stranger ? "limit_strangers" : "limit_devices");
				assert_true(stranger || strncmp(rule->stmts[i - 2].set, "record", 6) == 0);
			}
		}
	}
	/* Of both families: the deny, no rule, unseen, quarantined; of strangers one each. */
	assert_int_equal(n_logs, 2 * 4 + 2);
	assert_int_equal(set_find(prog, "record4")->n_elems, 2);
	assert_int_equal(set_find(prog, "record6")->n_elems, 1);
}

/* Neither a device that has not opted in nor one that is shown by pseudonym is in a set or has a rule that tells. */
static void nothing_is_told_without_opt_in(void **state)
{
	static const char *const levels[] = { "off", "pseudonymous" };

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		CLEANUP(world_done) struct world w;
		CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "{" FAMILY_NAMES "\"denies\": [{\"src\": [\"*\"], \"dst\": [\"203.0.113.9\"], "
			       "\"ip\": [\"*\"]}], \"logs\": [{\"src\": [\"*\"], \"flows\": \"%s\"}]}",
			       levels[i]);
		world_compile(&w, text, family_devices);
		prog = lower(w.plan, true, true);
		assert_null(set_find(prog, "record4"));
		for (uint32_t c = 0; c < prog->n_chains; c++)
			if (log_find(&prog->chains[c]) != NULL)
				assert_true(strcmp(prog->chains[c].name, "unknown") == 0 ||
					    strcmp(prog->chains[c].name, "spoofed") == 0);
	}
}

/* Where the kernel cannot, or the group is another program's. */
static void without_nflog_no_rule_logs(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;

	world_compile(&w, policy, family_devices);
	prog = lower_logging(w.plan, true, true, false);
	for (uint32_t c = 0; c < prog->n_chains; c++)
		assert_null(log_find(&prog->chains[c]));
	for (uint32_t i = 0; i < prog->n_objects; i++)
		assert_int_equal(prog->objects[i].kind, NFT_O_COUNTER);
}

/* By an answer to a flow that was cut a device would be let in again; netns_own_service.sh has the packets. */
static void what_this_host_begins_is_no_answer_and_tells_nothing(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *prog = NULL;
	const struct nft_chain *c;
	bool syn_only = false, silent = false;

	world_compile(&w, policy, family_devices);
	prog = lower(w.plan, true, true);
	c = chain_find(prog, "output");
	assert_int_equal(c->hook, NFT_H_OUTPUT);
	for (uint32_t i = 0; i < c->n_rules; i++) {
		const struct nft_stmt *last = &c->rules[i].stmts[c->rules[i].n_stmts - 1];

		/* A flow's first packet only: the others are of flows that have their own level. */
		assert_int_equal(c->rules[i].stmts[1].kind, NFT_S_CT_STATE);
		assert_int_equal(c->rules[i].stmts[1].value, NFT_CT_NEW);
		syn_only =
			syn_only || (last[-1].kind == NFT_S_TCP_SYN && last[-1].invert && last->verdict == NFT_V_DROP);
		silent = silent || (c->rules[i].n_stmts == 3 && last->kind == NFT_S_CT_EVENT && last->value == 0);
	}
	assert_true(syn_only);
	assert_true(silent);
}

static void equal_plans_give_equal_text(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(nft_prog_freep) struct nft_prog *one = NULL;
	CLEANUP(nft_prog_freep) struct nft_prog *two = NULL;
	CLEANUP(freep) char *a = NULL;
	CLEANUP(freep) char *b = NULL;

	world_compile(&w, policy, family_devices);
	one = lower(w.plan, true, true);
	two = lower(w.plan, true, true);
	a = print_prog(one);
	b = print_prog(two);
	assert_string_equal(a, b);
	assert_null(strstr(a, "persist"));
}

static void a_long_interface_name_is_refused(void **state)
{
	CLEANUP(world_done) struct world w;
	struct nft_env env = { .tunnel = "sixteen-letters!", .hooks = true };
	struct nft_prog *prog = NULL;
	struct err e = { 0 };

	world_compile(&w, policy, family_devices);
	assert_int_equal(lower_nft(w.plan, &env, &prog, &e), -E2BIG);
	assert_null(prog);
}

static void views_hold_clients_rules_and_fallback_upstreams(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(freep) char *text = NULL;
	struct plan_upstream up = {
		.kind = UPSTREAM_TLS, .addr = addr("9.9.9.9"), .port = 853, .tls_name = "q.example"
	};
	const cJSON *view, *rule, *route, *o;
	struct err e = { 0 };
	cJSON *root;

	world_compile(&w, policy, family_devices);
	assert_int_equal(lower_dns(w.plan, &up, 1, 41, &text, &e), 0);
	root = cJSON_Parse(text);
	assert_non_null(root);
	assert_int_equal((int)cJSON_GetObjectItem(root, "generation")->valuedouble, 41);
	/* Five active devices, three of them with two addresses. */
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "clients")), 8);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "rules")), 1);
	rule = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "rules"), 0);
	assert_true(cJSON_GetObjectItem(rule, "mark")->valuedouble == (double)w.plan->rules[0].mark);
	route = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "routes"), 0);
	o = cJSON_GetArrayItem(cJSON_GetObjectItem(route, "upstreams"), 0);
	assert_string_equal(cJSON_GetObjectItem(o, "tlsName")->valuestring, "q.example");
	o = cJSON_GetArrayItem(cJSON_GetObjectItem(route, "splits"), 0);
	assert_string_equal(cJSON_GetObjectItem(o, "suffix")->valuestring, "home.arpa");
	cJSON_ArrayForEach(o, cJSON_GetObjectItem(root, "clients"))
	{
		if (strcmp(cJSON_GetObjectItem(o, "device")->valuestring, "web1") != 0)
			continue;
		view = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "views"), cJSON_GetObjectItem(o, "view")->valueint);
		assert_true(cJSON_IsTrue(cJSON_GetObjectItem(view, "resolveFirst")));
		assert_string_equal(cJSON_GetObjectItem(view, "queries")->valuestring, "full");
		assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(view, "grants")), 1);
	}
	cJSON_Delete(root);
}

static void the_log_plan_holds_only_devices_that_are_recorded(void **state)
{
	CLEANUP(world_done) struct world w;
	CLEANUP(freep) char *text = NULL;
	struct err e = { 0 };
	cJSON *root;

	world_compile(&w, policy, family_devices);
	assert_int_equal(lower_log(w.plan, 7, &text, &e), 0);
	root = cJSON_Parse(text);
	assert_non_null(root);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "devices")), 2);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "rules")), 3);
	cJSON_Delete(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_sorted_and_so_are_elements),
		cmocka_unit_test(chains_come_before_those_that_jump_to_them),
		cmocka_unit_test(only_active_devices_get_dns),
		cmocka_unit_test(addresses_that_are_not_active_are_a_set_of_their_own_where_there_are_any),
		cmocka_unit_test(the_gateways_own_programs_are_in_the_views_only),
		cmocka_unit_test(dns_over_tls_is_open_to_devices_that_are_active),
		cmocka_unit_test(learned_sets_carry_no_elements),
		cmocka_unit_test(without_capture_there_is_no_redirect),
		cmocka_unit_test(nodivert_has_the_chains_but_no_hooks),
		cmocka_unit_test(events_are_silent_without_opt_in),
		cmocka_unit_test(what_is_told_is_limited_and_asked_for),
		cmocka_unit_test(nothing_is_told_without_opt_in),
		cmocka_unit_test(without_nflog_no_rule_logs),
		cmocka_unit_test(what_this_host_begins_is_no_answer_and_tells_nothing),
		cmocka_unit_test(equal_plans_give_equal_text),
		cmocka_unit_test(a_long_interface_name_is_refused),
		cmocka_unit_test(views_hold_clients_rules_and_fallback_upstreams),
		cmocka_unit_test(the_log_plan_holds_only_devices_that_are_recorded),
	};

	return cmocka_run_group_tests_name("lower", tests, NULL, NULL);
}
