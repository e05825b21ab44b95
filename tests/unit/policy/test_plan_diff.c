/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What changes for whom: sentences, and the property that a plan's traffic with the gains and losses applied is the
 * other plan's. The seed of a round is printed when it fails. */
#include "random_policy.h"

#include "policy/lower_nft.h"
#include "policy/plan_diff.h"

#define ROUNDS	150
#define PACKETS 150

static const char devices[] = "{\"users\": [\"ana@example.com\"], \"devices\": ["
			      "{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\"], \"user\": \"ana@example.com\"},"
			      "{\"name\": \"pad\", \"addresses\": [\"100.64.0.4\"], \"user\": \"ana@example.com\"},"
			      "{\"name\": \"web1\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:server\"]}]}";

#define HEAD "{\"tagOwners\": {\"tag:server\": [], \"tag:x\": []},"

static void diff_of(const struct world *a, const struct world *b, struct arena *mem, struct plan_diff *ret)
{
	assert_int_equal(plan_diff(a->plan, b->plan, mem, ret, NULL), 0);
}

static void assert_told_of(const char *from, const char *devices_from, const char *to, const char *devices_to,
			   const char *wanted)
{
	CLEANUP(world_done) struct world a, b;
	struct plan_diff d;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	world_compile(&a, from, devices_from);
	world_compile(&b, to, devices_to);
	diff_of(&a, &b, a.mem, &d);
	plan_diff_print(&d, a.plan, b.plan, out);
	(void)fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void assert_told(const char *from, const char *to, const char *devices_to, const char *wanted)
{
	assert_told_of(from, devices, to, devices_to, wanted);
}

static void a_port_that_comes_is_a_gain_of_all_who_have_it(void **state)
{
	assert_told(HEAD "\"grants\": []}",
		    HEAD "\"grants\": [{\"src\": [\"ana@example.com\"], \"dst\": [\"198.51.100.0/24\"], \"ip\": "
			 "[\"tcp:443\"]}]}",
		    devices, "laptop, pad gain tcp 443 to 198.51.100.0/24 (/grants/0)\n");
}

static void who_is_asked_and_what_is_answered_is_told(void **state)
{
	(void)state;
	assert_told(HEAD "\"dns\": {\"upstreams\": [\"9.9.9.9\"], \"records\": {\"a.x\": [\"192.0.2.1\"]},"
			 " \"filters\": [{\"src\": [\"tag:server\"]}]}}",
		    HEAD
		    "\"dns\": {\"upstreams\": [\"9.9.9.9\"], \"domain\": \"home.arpa\", \"canaries\": false,"
		    " \"rebindAllow\": [\"r.x\"], \"records\": {\"a.x\": {\"addresses\": [\"192.0.2.1\"], \"ttl\": 60},"
		    " \"*.b.x\": \"a.x\"}, \"filters\": [{\"src\": [\"tag:server\"], \"upstreams\": [\"1.1.1.1\"],"
		    " \"split\": {\"c.x\": [\"10.0.0.53\"]}}]}}",
		    devices,
		    "the gateway: DNS record *.b.x CNAME a.x. comes\n"
		    "the gateway: DNS record a.x 192.0.2.1 for 60 s comes\n"
		    "the gateway: DNS record a.x 192.0.2.1 goes\n"
		    "the gateway: canary names resolved, was refused\n"
		    "the gateway: domain of devices' names home.arpa comes\n"
		    "the gateway: private addresses allowed below r.x comes\n"
		    "web1: DNS split c.x to udp 10.0.0.53 port 53 comes\n"
		    "web1: DNS upstreams udp 1.1.1.1 port 53, was udp 9.9.9.9 port 53\n");
}

static void an_address_of_a_device_is_told_with_it(void **state)
{
	static const char two[] = "{\"users\": [\"ana@example.com\"], \"devices\": ["
				  "{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\", \"fd7a:115c:a1e0::2\"], "
				  "\"user\": \"ana@example.com\"}]}";

	assert_told_of(HEAD "\"grants\": []}", two,
		       HEAD "\"grants\": [{\"src\": [\"100.64.0.2\"], \"dst\": [\"198.51.100.0/24\"], \"ip\": "
			    "[\"tcp:443\"]}]}",
		       two, "laptop (100.64.0.2) gains tcp 443 to 198.51.100.0/24 (/grants/0)\n");
}

static void a_deny_that_comes_is_named_behind_the_loss(void **state)
{
	assert_told(
		HEAD
		"\"grants\": [{\"src\": [\"tag:server\"], \"dst\": [\"198.51.100.0/24\"], \"ip\": [\"tcp:80-90\"]}]}",
		HEAD
		"\"grants\": [{\"src\": [\"tag:server\"], \"dst\": [\"198.51.100.0/24\"], \"ip\": [\"tcp:80-90\"]}],"
		"\"denies\": [{\"src\": [\"*\"], \"dst\": [\"198.51.100.9\"], \"ip\": [\"tcp:85\"]}]}",
		devices, "web1 loses tcp 85 to 198.51.100.9 (/grants/0), refused by /denies/0\n");
}

static void names_and_devices_are_told_by_name(void **state)
{
	assert_told(
		HEAD
		"\"grants\": [{\"src\": [\"ana@example.com\"], \"dst\": [\"dns:a.example\"], \"ip\": [\"tcp:443\"]}]}",
		HEAD
		"\"grants\": [{\"src\": [\"ana@example.com\"], \"dst\": [\"dns:*.a.example\", \"tag:server\"], \"ip\": "
		"[\"tcp:443\"]}]}",
		devices,
		"laptop, pad gain tcp 443 to 100.64.0.7 [web1] (/grants/0)\n"
		"laptop, pad gain tcp 443 to dns:*.a.example (/grants/0)\n"
		"laptop, pad lose tcp 443 to dns:a.example (/grants/0)\n");
}

static void a_device_that_goes_loses_everything(void **state)
{
	static const char *const policy =
		HEAD "\"grants\": [{\"src\": [\"tag:server\"], \"dst\": [\"198.51.100.9\"], \"ip\": [\"tcp:80\"]}]}";

	assert_told(policy, policy,
		    "{\"users\": [\"ana@example.com\"], \"devices\": ["
		    "{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\"], \"user\": \"ana@example.com\"},"
		    "{\"name\": \"pad\", \"addresses\": [\"100.64.0.4\"], \"user\": \"ana@example.com\"}]}",
		    "web1 is gone\nweb1 loses tcp 80 to 198.51.100.9 (/grants/0)\n");
}

static void the_same_meaning_written_otherwise_is_no_change(void **state)
{
	assert_told(HEAD "\"grants\": [{\"src\": [\"tag:server\"], \"dst\": [\"198.51.100.0/24\"], \"ip\": "
			 "[\"tcp:80\", \"tcp:81\"]}]}",
		    HEAD "\"grants\": [{\"src\": [\"tag:server\"], \"dst\": [\"198.51.100.128/25\", "
			 "\"198.51.100.0/25\"], \"ip\": "
			 "[\"tcp:80-81\"]},{\"src\": [\"tag:x\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}]}",
		    devices, "");
}

/* Told of the whole device, or of that address of it. */
static bool covers(const struct plan_change *c, const char *device, const struct packet *pkt)
{
	bool dst = false, service = false, named = false;
	char src[IP_TEXT_MAX], at[128];

	(void)snprintf(at, sizeof(at), "%s (%s)", device, ip_addr_print(&pkt->src, src));
	for (uint32_t i = 0; i < c->n_devices; i++)
		named = named || strcmp(c->devices[i], device) == 0 || strcmp(c->devices[i], at) == 0;
	for (uint32_t i = 0; i < c->n_dsts; i++)
		dst = dst || ip_range_contains(&c->dsts[i], &pkt->dst);
	for (uint32_t i = 0; i < c->n_services; i++)
		service = service || (c->services[i].proto == pkt->proto && c->services[i].port_lo <= pkt->port &&
				      pkt->port <= c->services[i].port_hi);
	return named && dst && service;
}

/* By boxes alone: names are compared as patterns. */
static enum plan_action box_says(const struct plan *p, const struct packet *pkt)
{
	const struct plan_addr *from = plan_addr_find(p, &pkt->src);
	const struct plan_box *box;

	if (from == NULL)
		return PLAN_DROP;
	box = plan_box_find(p, from, &pkt->dst, pkt->proto, pkt->port);
	return box == NULL ? PLAN_DROP : p->rules[box->rule].action;
}

/* An address that is another device's now is told as a change of addresses, not of what the device may do. */
static bool address_moved(const struct world *a, const struct world *b, const struct ip_addr *addr)
{
	const struct plan_device *was = plan_device_find(a->plan, addr), *is = plan_device_find(b->plan, addr);

	for (uint32_t i = 0; was != NULL && i < b->plan->n_devices; i++) {
		if (strcmp(b->plan->devices[i].name, was->name) == 0)
			return is != &b->plan->devices[i];
	}
	return was == NULL && is != NULL;
}

static void check_packet(const struct world *a, const struct world *b, const struct plan_diff *d, uint32_t round_seed)
{
	struct packet pkt = random_packet();
	const struct plan_device *dev = plan_device_find(a->plan, &pkt.src);
	enum plan_action was = box_says(a->plan, &pkt), is = box_says(b->plan, &pkt), applied = was;
	uint32_t n = 0;

	if (address_moved(a, b, &pkt.src))
		return;
	for (uint32_t i = 0; dev != NULL && i < d->n_changes; i++) {
		const struct plan_change *c = &d->changes[i];

		if (!covers(c, dev->name, &pkt))
			continue;
		n++;
		applied = c->kind == CHANGE_GAINS ? PLAN_ACCEPT : c->kind == CHANGE_ANSWERED ? PLAN_REJECT : PLAN_DROP;
		if (c->kind == CHANGE_LOSES && c->by != NULL)
			applied = is; /* dropped or rejected: the sentence names the rule, not the kind */
		if (c->kind == CHANGE_LOSES)
			assert_int_not_equal(is, PLAN_ACCEPT);
	}
	if (applied == is && n == (was == is ? 0u : 1u))
		return;
	fail_msg("seed %u: was %d, is %d, with the changes %d (%u of them)", round_seed, was, is, applied, n);
}

/* The family of world.h, later: the pad is Ben's now, the phone has another address, web1 no tag of a database's, db1
 * is Ana's, the tv is back, the old one gone. */
static const char moved_devices[] =
	"{\"users\": [\"ana@example.com\", \"ben@example.com\"], \"devices\": ["
	"{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\", \"fd7a:115c:a1e0::2\"], \"user\": \"ana@example.com\"},"
	"{\"name\": \"phone\", \"addresses\": [\"100.64.0.3\", \"fd7a:115c:a1e0::4\"], \"user\": \"ben@example.com\"},"
	"{\"name\": \"pad\", \"addresses\": [\"100.64.0.4\"], \"user\": \"ben@example.com\"},"
	"{\"name\": \"web1\", \"addresses\": [\"100.64.0.7\", \"fd7a:115c:a1e0::7\"], \"tags\": [\"tag:db\"]},"
	"{\"name\": \"db1\", \"addresses\": [\"100.64.0.8\"], \"user\": \"ana@example.com\", \"routes\": "
	"[\"10.50.0.0/16\"]},"
	"{\"name\": \"tv\", \"addresses\": [\"100.64.0.9\"], \"tags\": [\"tag:tv\"]}]}";

static void changes_applied_to_the_old_plan_give_the_new_one(void **state)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(world_done) struct world a, b;
		struct text from = { .len = 0 }, to = { .len = 0 };
		bool moved = round % 2 != 0;
		struct plan_diff d, none;

		seed = 99 + round * 7919;
		put_policy(&from);
		put_policy(&to);
		world_compile(&a, from.buf, family_devices);
		/* In every other round the devices change as well, in every fourth they alone. */
		world_compile(&b, round % 4 == 3 ? from.buf : to.buf, moved ? moved_devices : family_devices);
		diff_of(&a, &b, a.mem, &d);
		diff_of(&a, &a, a.mem, &none);
		assert_int_equal(none.n_changes, 0);
		for (uint32_t i = 0; i < PACKETS; i++)
			check_packet(&a, &b, &d, 99 + round * 7919);
	}
}

static char *printed(const struct plan *p, bool program)
{
	const struct nft_env env = { .tunnel = "wg0", .dns_port = 53, .hooks = true };
	struct nft_prog *prog = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (program) {
		assert_int_equal(lower_nft(p, &env, &prog, NULL), 0);
		nft_prog_print(prog, out);
		(void)nft_prog_free(prog);
	} else {
		plan_print(p, out);
	}
	(void)fclose(out);
	return text;
}

static void compiling_twice_gives_the_same_bytes(void **state)
{
	for (uint32_t round = 0; round < ROUNDS; round++) {
		CLEANUP(world_done) struct world a, b;
		struct text policy = { .len = 0 };

		seed = 7 + round * 7919;
		put_policy(&policy);
		world_compile(&a, policy.buf, family_devices);
		world_compile(&b, policy.buf, family_devices);
		for (int program = 0; program < 2; program++) {
			CLEANUP(freep) char *x = printed(a.plan, program);
			CLEANUP(freep) char *y = printed(b.plan, program);

			assert_string_equal(x, y);
		}
		/* The ids of an equal plan are those that it has. */
		assert_int_equal(plan_keep_ids(b.plan, a.plan), 0);
		for (uint32_t i = 0; i < a.plan->n_classes; i++)
			assert_int_equal(a.plan->classes[i].id, b.plan->classes[i].id);
	}
}

#define ANAS                                                                                                           \
	"{\"name\": \"pad\", \"addresses\": [\"100.64.0.4\"], \"user\": \"ana@example.com\"},"                         \
	"{\"name\": \"tv\", \"addresses\": [\"100.64.0.5\"], \"user\": \"ana@example.com\"},"

static void a_device_with_a_class_of_its_own_does_not_rename_the_others(void **state)
{
	static const char *const policy =
		HEAD "\"grants\": [{\"src\": [\"ana@example.com\"], \"dst\": [\"198.51.100.9\"], \"ip\": [\"tcp:80\"]},"
		     "{\"src\": [\"tag:server\"], \"dst\": [\"198.51.100.9\"], \"ip\": [\"tcp:81\"]},"
		     "{\"src\": [\"tag:x\"], \"dst\": [\"198.51.100.9\"], \"ip\": [\"tcp:82\"]}]}";
	CLEANUP(world_done) struct world a, b;
	struct ip_addr pad = addr("100.64.0.4"), web1 = addr("100.64.0.7"), laptop = addr("100.64.0.2");
	const struct plan_class *class;

	world_compile(&a, policy,
		      "{\"users\": [\"ana@example.com\"], \"devices\": ["
		      "{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\"], \"user\": \"ana@example.com\"}," ANAS
		      "{\"name\": \"web1\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:server\"]}]}");
	world_compile(&b, policy,
		      "{\"users\": [\"ana@example.com\"], \"devices\": ["
		      "{\"name\": \"laptop\", \"addresses\": [\"100.64.0.2\"], \"tags\": [\"tag:x\"]}," ANAS
		      "{\"name\": \"web1\", \"addresses\": [\"100.64.0.7\"], \"tags\": [\"tag:server\"]}]}");
	assert_int_equal(plan_keep_ids(b.plan, a.plan), 0);
	class = &b.plan->classes[plan_addr_find(b.plan, &pad)->class_id];
	assert_int_equal(class->id, a.plan->classes[plan_addr_find(a.plan, &pad)->class_id].id);
	class = &b.plan->classes[plan_addr_find(b.plan, &web1)->class_id];
	assert_int_equal(class->id, a.plan->classes[plan_addr_find(a.plan, &web1)->class_id].id);
	class = &b.plan->classes[plan_addr_find(b.plan, &laptop)->class_id];
	assert_int_equal(class->id, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_comes_is_a_gain_of_all_who_have_it),
		cmocka_unit_test(who_is_asked_and_what_is_answered_is_told),
		cmocka_unit_test(an_address_of_a_device_is_told_with_it),
		cmocka_unit_test(a_deny_that_comes_is_named_behind_the_loss),
		cmocka_unit_test(names_and_devices_are_told_by_name),
		cmocka_unit_test(a_device_that_goes_loses_everything),
		cmocka_unit_test(the_same_meaning_written_otherwise_is_no_change),
		cmocka_unit_test(changes_applied_to_the_old_plan_give_the_new_one),
		cmocka_unit_test(compiling_twice_gives_the_same_bytes),
		cmocka_unit_test(a_device_with_a_class_of_its_own_does_not_rename_the_others),
	};

	return cmocka_run_group_tests_name("plan_diff", tests, NULL, NULL);
}
