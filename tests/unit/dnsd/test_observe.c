/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What gatewayd is told when it asks sluice-dnsd: the whole program, two workers, in a network namespace. */
#include "gateway_fake.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "dnsd/packet.h"
#include "sluice/plan.h"

#define A	1
#define WAIT_MS 5000

/* Route 0 forwards; route 1 resolves from the root, but for its split. 127.0.0.2 learns learned.example. */
static const char views[] =
	"\"lists\":[],\"views\":["
	"{\"filter\":null,\"route\":0,\"lists\":[],\"block\":[\"||blocked.example^\"],\"allow\":[],\"blockMode\":"
	"\"null\","
	"\"resolveFirst\":false,\"flows\":false,\"queries\":\"off\",\"grants\":[0],\"denies\":[]},"
	"{\"filter\":null,\"route\":1,\"lists\":[],\"block\":[],\"allow\":[],\"blockMode\":\"null\","
	"\"resolveFirst\":false,\"flows\":false,\"queries\":\"off\",\"grants\":[],\"denies\":[]}],"
	"\"rules\":[{\"mark\":4711,\"pos\":\"/grants/0\",\"line\":9,\"names\":[\"learned.example\"]}],"
	"\"clients\":[{\"addr\":\"127.0.0.2\",\"device\":\"tv\",\"view\":0},"
	"{\"addr\":\"127.0.0.3\",\"device\":\"pc\",\"view\":1}],"
	"\"routes\":[{\"upstreams\":[{\"kind\":\"udp\",\"addr\":\"127.0.0.1\",\"port\":5301}],\"splits\":[]},"
	"{\"upstreams\":[],\"splits\":[{\"suffix\":\"corp.example\","
	"\"upstreams\":[{\"kind\":\"udp\",\"addr\":\"127.0.0.1\",\"port\":5302}]}]}],\"records\":[]}";

/* All that answers one command. */
struct told {
	struct msg_dns_stats stats;
	struct msg_dns_upstream upstreams[8];
	uint32_t n_upstreams;
	struct msg_dns_entry entries[8];
	uint32_t n_entries;
	struct msg_dns_found found;
	uint32_t n_found;
	struct msg_dns_done done;
};

static void take(struct told *t, const struct ipc_msg *m)
{
	if (m->type == MSG_DNS_STATS)
		memcpy(&t->stats, m->body, sizeof(t->stats));
	if (m->type == MSG_DNS_DONE)
		memcpy(&t->done, m->body, sizeof(t->done));
	if (m->type == MSG_DNS_UPSTREAM && t->n_upstreams < ARRAY_LEN(t->upstreams))
		memcpy(&t->upstreams[t->n_upstreams++], m->body, sizeof(t->upstreams[0]));
	if (m->type == MSG_DNS_ENTRY && t->n_entries < ARRAY_LEN(t->entries))
		memcpy(&t->entries[t->n_entries++], m->body, sizeof(t->entries[0]));
	if (m->type != MSG_DNS_FOUND)
		return;
	memcpy(&t->found, m->body, sizeof(t->found));
	t->n_found++;
}

static void command_send(struct gateway *g, enum dns_command what, const char *name, const char *client, uint32_t flags)
{
	static uint64_t req_id;
	struct msg_dns_command ask = { .req_id = ++req_id, .what = what, .flags = flags, .type = A };

	(void)snprintf(ask.name, sizeof(ask.name), "%s", name);
	if (client != NULL)
		assert_int_equal(ip_addr_parse(client, &ask.client), 0);
	assert_int_equal(ipc_send(g->channel, MSG_DNS_COMMAND, &ask, sizeof(ask), NULL, 0, NULL), 0);
}

static void told_read(struct gateway *g, struct told *ret)
{
	static struct ipc_msg m;

	memset(ret, 0, sizeof(*ret));
	do {
		struct pollfd p = { .fd = g->channel, .events = POLLIN };

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_int_equal(ipc_recv(g->channel, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL), 0);
		take(ret, &m);
	} while (m.type != MSG_DNS_DONE);
}

static void command(struct gateway *g, enum dns_command what, const char *name, const char *client, uint32_t flags,
		    struct told *ret)
{
	command_send(g, what, name, client, flags);
	told_read(g, ret);
}

static void questions_are_told_by_their_outcome(void **state)
{
	struct told before, after;
	struct answer a;

	command(*state, DNS_COMMAND_STATUS, "", NULL, 0, &before);
	ask("127.0.0.2", "plain.example", A, ASK_EDNS, &a);
	ask("127.0.0.2", "plain.example", A, ASK_EDNS, &a);
	ask("127.0.0.2", "x.blocked.example", A, ASK_EDNS, &a);
	ask("127.0.0.2", "nowhere.test", A, ASK_EDNS, &a);
	ask("127.0.0.9", "plain.example", A, ASK_EDNS, &a);
	command(*state, DNS_COMMAND_STATUS, "", NULL, 0, &after);
#define MORE(x) (after.stats.counts.x - before.stats.counts.x)
	assert_int_equal(MORE(outcomes[DNS_OUTCOME_RESOLVED]), 1);
	assert_int_equal(MORE(outcomes[DNS_OUTCOME_CACHED]), 1);
	assert_int_equal(MORE(outcomes[DNS_OUTCOME_BLOCKED]), 1);
	assert_int_equal(MORE(outcomes[DNS_OUTCOME_SPECIAL]), 1);
	assert_int_equal(MORE(outcomes[DNS_OUTCOME_REFUSED]), 1);
	assert_int_equal(MORE(transports[DNS_TRANSPORT_UDP]), 5);
	assert_int_equal(MORE(qtypes[DNS_QTYPE_A]), 5);
	assert_int_equal(MORE(rcodes[RCODE_NOERROR]), 3);
	assert_int_equal(MORE(rcodes[RCODE_NXDOMAIN]), 1);
	assert_int_equal(MORE(rcodes[RCODE_REFUSED]), 1);
#undef MORE
	assert_int_equal(after.stats.workers, 2);
	assert_int_equal(after.stats.under_way, 0);
	assert_int_equal(after.stats.latencies[DNS_STAGE_WHOLE].count - before.stats.latencies[DNS_STAGE_WHOLE].count,
			 5);
	assert_int_equal(
		after.stats.latencies[DNS_STAGE_UPSTREAM].count - before.stats.latencies[DNS_STAGE_UPSTREAM].count, 1);
}

static void upstreams_are_told_with_their_state(void **state)
{
	struct told t;
	struct answer a;

	ask("127.0.0.2", "first.example", A, ASK_EDNS, &a);
	command(*state, DNS_COMMAND_STATUS, "", NULL, 0, &t);
	assert_int_equal(t.n_upstreams, 3);
	assert_int_equal(t.upstreams[0].state, DNS_UPSTREAM_UP);
	assert_int_equal(t.upstreams[0].port, 5301);
	assert_true(t.upstreams[0].asked >= 1 && t.upstreams[0].rtt_us > 0);
	assert_string_equal(t.upstreams[0].suffix, ".");
	assert_int_equal(t.upstreams[1].kind, UPSTREAM_RECURSIVE);
	assert_int_equal(t.upstreams[2].route, 1);
	assert_string_equal(t.upstreams[2].suffix, "corp.example");
}

static void equal_questions_under_way_are_one(void **state)
{
	struct told before, after;
	struct answer a;
	int fds[3];

	command(*state, DNS_COMMAND_STATUS, "", NULL, 0, &before);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = ask_open("127.0.0.2", SOCK_DGRAM);
		ask_send(fds[i], "slow.example", A, ASK_EDNS); /* 150 ms */
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		ask_recv(fds[i], &a, WAIT_MS);
		assert_true(answer_has_addr(&a, "198.51.100.2"));
		close(fds[i]);
	}
	command(*state, DNS_COMMAND_STATUS, "", NULL, 0, &after);
	assert_int_equal(after.stats.counts.outcomes[DNS_OUTCOME_RESOLVED] -
				 before.stats.counts.outcomes[DNS_OUTCOME_RESOLVED],
			 1);
	assert_int_equal(after.stats.counts.outcomes[DNS_OUTCOME_COALESCED] -
				 before.stats.counts.outcomes[DNS_OUTCOME_COALESCED],
			 2);
	assert_true(after.stats.latencies[DNS_STAGE_UPSTREAM].max_us >= 100000);
}

static void cached_name_is_listed_and_forgotten(void **state)
{
	struct told t;
	struct answer a;

	ask("127.0.0.2", "plain.example", A, ASK_EDNS, &a);
	command(*state, DNS_COMMAND_CACHE, "plain.example", NULL, 0, &t);
	assert_int_equal(t.n_entries, 1);
	assert_int_equal(t.done.count, 1);
	assert_int_equal(t.entries[0].type, A);
	assert_int_equal(t.entries[0].rcode, RCODE_NOERROR);
	assert_int_equal(t.entries[0].route, 0);
	assert_in_range(t.entries[0].ttl_s, 30, 60);
	command(*state, DNS_COMMAND_FLUSH, "plain.example", NULL, 0, &t);
	assert_int_equal(t.done.status, 0);
	assert_int_equal(t.done.count, 1);
	command(*state, DNS_COMMAND_CACHE, "plain.example", NULL, 0, &t);
	assert_int_equal(t.n_entries, 0);
	assert_int_equal(t.done.status, 0);
}

static void flush_makes_a_resolver_that_recurses_anew(void **state)
{
	struct told t;
	struct answer a;

	ask("127.0.0.3", "nas.corp.example", A, ASK_EDNS, &a);
	assert_true(answer_has_addr(&a, "10.8.0.5"));
	for (int i = 0; i < 40; i++) { /* more than may be retired at once: each goes before the next comes */
		command(*state, DNS_COMMAND_FLUSH, "corp.example", NULL, DNS_FLUSH_BELOW, &t);
		assert_int_equal(t.done.status, 0);
		assert_int_equal(t.done.count, 1);
		assert_string_not_equal(t.done.text, "");
		ask("127.0.0.3", "nas.corp.example", A, ASK_EDNS, &a);
		assert_true(answer_has_addr(&a, "10.8.0.5"));
	}
	/* What the library itself would still have known is asked for again: its upstream is silent now. */
	command(*state, DNS_COMMAND_FLUSH, "", NULL, DNS_FLUSH_ALL, &t);
	assert_int_equal(t.done.status, 0);
	fake_split_up(false);
	ask("127.0.0.3", "nas.corp.example", A, ASK_EDNS, &a);
	fake_split_up(true);
	assert_int_equal(answer_rcode(&a), RCODE_SERVFAIL);
	assert_int_equal(fake_leaks(), 0);
}

static void look_up_tells_and_opens_nothing(void **state)
{
	struct gateway *g = *state;
	struct told t;
	static struct ipc_msg m;

	command(g, DNS_COMMAND_LOOKUP, "x.blocked.example", "127.0.0.2", 0, &t);
	assert_int_equal(t.n_found, 1);
	assert_int_equal(t.found.outcome, DNS_OUTCOME_BLOCKED);
	assert_string_equal(t.found.device, "tv");
	assert_string_equal(t.found.list, "filter");
	assert_string_equal(t.found.rule, "||blocked.example^");
	assert_int_equal(t.found.ede, EDE_BLOCKED);
	command(g, DNS_COMMAND_LOOKUP, "nas.corp.example", "127.0.0.3", 0, &t);
	assert_string_equal(t.found.suffix, "corp.example");
	assert_int_equal(t.found.route, 1);
	assert_true(t.found.answer_len > DNS_HEADER_LEN);
	command(g, DNS_COMMAND_LOOKUP, "plain.example", "127.0.0.9", 0, &t);
	assert_int_equal(t.found.outcome, DNS_OUTCOME_REFUSED);
	assert_string_equal(t.found.device, "");
	assert_int_equal(t.found.ede, EDE_PROHIBITED);
	command(g, DNS_COMMAND_LOOKUP, "learned.example", "127.0.0.2", 0, &t);
	assert_int_equal(t.found.outcome, DNS_OUTCOME_RESOLVED);
	assert_false(learn_next(g, &m, 200));
}

static void look_up_that_opens_waits_for_the_kernel(void **state)
{
	struct gateway *g = *state;
	struct msg_learn_add add;
	static struct ipc_msg m;
	struct told t;

	command_send(g, DNS_COMMAND_LOOKUP, "learned.example", "127.0.0.2", DNS_LOOKUP_OPEN);
	assert_true(learn_next(g, &m, WAIT_MS));
	assert_int_equal(m.type, MSG_LEARN_ADD);
	memcpy(&add, m.body, sizeof(add));
	learn_ack(g, add.req_id, 0);
	told_read(g, &t);
	assert_int_equal(t.n_found, 1);
	assert_int_equal(t.found.outcome, DNS_OUTCOME_CACHED);
	command_send(g, DNS_COMMAND_LOOKUP, "learned.example", "127.0.0.2", DNS_LOOKUP_OPEN);
	assert_true(learn_next(g, &m, WAIT_MS));
	memcpy(&add, m.body, sizeof(add));
	learn_ack(g, add.req_id, -EIO);
	told_read(g, &t);
	assert_int_equal(t.found.outcome, DNS_OUTCOME_NOT_READY);
	assert_int_equal(t.found.ede, EDE_NOT_READY);
}

static void look_ups_are_not_counted(void **state)
{
	struct told before, after, t;

	command(*state, DNS_COMMAND_STATUS, "", NULL, 0, &before);
	command(*state, DNS_COMMAND_LOOKUP, "plain.example", "127.0.0.2", 0, &t);
	command(*state, DNS_COMMAND_LOOKUP, "plain.example", "127.0.0.2", 0, &t);
	command(*state, DNS_COMMAND_LOOKUP, "plain.example", "127.0.0.9", 0, &t);
	command(*state, DNS_COMMAND_STATUS, "", NULL, 0, &after);
	assert_memory_equal(before.stats.counts.outcomes, after.stats.counts.outcomes,
			    sizeof(before.stats.counts.outcomes));
	assert_memory_equal(before.stats.counts.transports, after.stats.counts.transports,
			    sizeof(before.stats.counts.transports));
}

int main(int argc, char **argv)
{
	static struct gateway g;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(questions_are_told_by_their_outcome, &g),
		cmocka_unit_test_prestate(upstreams_are_told_with_their_state, &g),
		cmocka_unit_test_prestate(equal_questions_under_way_are_one, &g),
		cmocka_unit_test_prestate(cached_name_is_listed_and_forgotten, &g),
		cmocka_unit_test_prestate(flush_makes_a_resolver_that_recurses_anew, &g),
		cmocka_unit_test_prestate(look_up_tells_and_opens_nothing, &g),
		cmocka_unit_test_prestate(look_up_that_opens_waits_for_the_kernel, &g),
		cmocka_unit_test_prestate(look_ups_are_not_counted, &g),
	};
	int rc = fake_net();

	if (rc != 0 || argc < 2)
		return 77;
	g.binary = argv[1];
	gateway_open(&g, g.binary);
	gateway_start(&g, views);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return gateway_stop(&g) != 0 ? 1 : rc;
}
